use super::*;

const ROLLOUT: &str = "\
apiVersion: argoproj.io/v1alpha1
kind: Rollout
metadata: {name: shop}
spec:
  strategy:
    canary:
      steps:
      - plugin: {name: phasegate/gate}
      - setWeight: 20
      - plugin:
          name: phasegate/gate
          config:
            databases: [customers]
            requeueSeconds: 60
            prometheus:
            - name: error-rate
              query: sum(rate(errors[5m])) / sum(rate(requests[5m]))
              atMost: 0.01
              forSeconds: 300
            overdue: {afterSeconds: 7200, then: refuse}
            watch: {forSeconds: 600, tolerate: 1}
";

fn told(from: &str, to: &str) -> String {
    assert!(ROLLOUT.contains(from), "{from}");
    let errors = check_step_configs("rollout.yaml", &ROLLOUT.replacen(from, to, 1), STEP_NAME).expect_err(to);
    errors.iter().map(|error| format!("{error}\n")).collect()
}

#[test]
fn nothing_means_the_defaults() {
    for nothing in ["", "  \n", "{}", "null", r#"{"databases":null,"watch":null}"#] {
        assert_eq!(StepConfig::from_json(nothing.as_bytes()).unwrap(), StepConfig::default(), "{nothing:?}");
    }
    assert_eq!(StepConfig::default().requeue, Duration::from_secs(15));
}

#[test]
fn what_is_written_counts() {
    // As Go writes JSON: with `<`, `>` and `&` escaped.
    let json = r#"{"databases":["customers","orders"],"requeueSeconds":60,
        "prometheus":[{"name":"errors","server":"main","query":"a \u003e b","atMost":1,"atLeast":-0.5,"forSeconds":30}],
        "overdue":{"afterSeconds":120,"then":"refuse"},"watch":{"forSeconds":60,"tolerate":2}}"#;
    let config = StepConfig::from_json(json.as_bytes()).unwrap();
    let measure = Measure {
        name: "errors".into(),
        server: Some("main".into()),
        query: "a > b".into(),
        at_most: Some(1.0),
        at_least: Some(-0.5),
        held: Duration::from_secs(30),
    };
    let wanted = StepConfig {
        databases: Some(["customers".to_owned(), "orders".to_owned()].into()),
        requeue: Duration::from_secs(60),
        measures: vec![measure],
        overdue_after: Duration::from_secs(120),
        when_overdue: WhenOverdue::Refuse,
        watch: Some(Watch { lasting: Duration::from_secs(60), tolerated: 2 }),
    };
    assert_eq!(config, wanted);
    for good in [11, 300] {
        let config = StepConfig::from_json(format!(r#"{{"requeueSeconds":{good}}}"#).as_bytes()).unwrap();
        assert_eq!(config.requeue, Duration::from_secs(good));
    }
}

#[test]
fn what_the_gate_is_handed_is_refused_with_the_field_and_the_place() {
    let rows = [
        (r#"{"database":["a"]}"#, "unknown field `database`, expected one of `databases`, `requeueSeconds`"),
        (r#"{"databases":"customers"}"#, "invalid type: string \"customers\", expected a sequence"),
        (r#"{"databases":[]}"#, "databases: the list is empty"),
        (r#"{"requeueSeconds":10}"#, "requeueSeconds: 10 is not from 11 to 300"),
        (r#"{"requeueSeconds":301}"#, "301 is not"),
        (r#"{"requeueSeconds":-1}"#, "invalid value: integer `-1`"),
        (r#"{"requeueSeconds":15,"requeueSeconds":20}"#, "duplicate field `requeueSeconds`"),
        (r#"{"prometheus":[{"name":"a","query":"b"}]}"#, "prometheus.0.atMost: neither a bound"),
        (r#"{"watch":{"forSeconds":60}}"#, "watch: there is nothing to watch"),
        ("[1]", "plugin.config"),
        ("{", "EOF while parsing"),
        ("\u{0}", "expected value"),
    ];
    for (text, want) in rows {
        let told = StepConfig::from_json(text.as_bytes()).unwrap_err().to_string();
        assert!(told.contains(want) && told.contains("correct `plugin.config`"), "{text}: {told}");
    }
    assert!(StepConfig::from_json(&[0xff, 0xfe]).is_err());
    let huge = format!("{{\"{}\":1}}", "x".repeat(100_000));
    assert!(StepConfig::from_json(huge.as_bytes()).unwrap_err().to_string().len() < 500);
}

#[test]
fn a_file_is_checked_whole_and_every_mistake_has_its_line() {
    assert_eq!(check_step_configs("rollout.yaml", ROLLOUT, STEP_NAME), Ok(2));
    let rows = [
        (
            "requeueSeconds: 60",
            "requeueSeconds: 5",
            "rollout.yaml:14: spec.strategy.canary.steps.2.plugin.config.requeueSeconds: 5 is not from 11 to 300; write",
        ),
        (
            "requeueSeconds: 60",
            "requeueSecond: 60",
            "rollout.yaml:14: spec.strategy.canary.steps.2.plugin.config.requeueSecond: there is no such field; did you mean requeueSeconds?",
        ),
        ("requeueSeconds: 60", "requeueSeconds: -1", "and here is a negative number"),
        ("requeueSeconds: 60", "requeueSeconds: 99999999999999999999", "rollout.yaml:"),
        (
            "[customers]",
            "[]",
            "rollout.yaml:13: spec.strategy.canary.steps.2.plugin.config.databases: the list is empty",
        ),
        ("[customers]", "customers", "a list is wanted, and here is text"),
        (
            "atMost: 0.01",
            "atMost: low",
            "rollout.yaml:18: spec.strategy.canary.steps.2.plugin.config.prometheus.0.atMost: a number is wanted",
        ),
        ("atMost: 0.01", "atMost: .inf", "not a finite number"),
        ("              atMost: 0.01\n", "", "add atMost or atLeast"),
        ("atMost: 0.01", "{atMost: 0.01, atLeast: 2}", "rollout.yaml:"),
        ("name: error-rate", "name: Error", "config.prometheus.0.name: `Error` is no name"),
        ("name: error-rate", "nam: x", "the field `name` is missing"),
        ("forSeconds: 300", "forSeconds: 3601", "3601 is not from 0 to 3600"),
        ("query: sum(rate(errors[5m])) / sum(rate(requests[5m]))", "query: ''", "it has 0 characters"),
        ("then: refuse", "then: abort", "`abort` is not known here; use one of refuse, wait"),
        ("afterSeconds: 7200", "afterSeconds: 1", "1 is not from 60 to 2592000"),
        ("forSeconds: 600, ", "", "the field `forSeconds` is missing"),
        ("forSeconds: 600", "forSeconds: 5", "5 is not from 30 to 86400"),
        ("tolerate: 1", "tolerate: 11", "11 is not from 0 to 10"),
        ("config:\n            databases", "config:\n          databases", "rollout.yaml:"),
    ];
    for (from, to, want) in rows {
        let told = told(from, to);
        assert!(told.contains(want), "{to}: {told}");
    }
}

#[test]
fn a_bare_config_a_list_and_other_objects_are_told_apart() {
    assert_eq!(check_step_configs("config.yaml", "requeueSeconds: 20\n", STEP_NAME), Ok(1));
    assert_eq!(check_step_configs("config.json", "{\"requeueSeconds\": 20}", STEP_NAME), Ok(1));
    assert_eq!(check_step_configs("s.yaml", "kind: Service\n---\nkind: ConfigMap\n", STEP_NAME), Ok(0));
    assert_eq!(check_step_configs("e.yaml", "# nothing\n", STEP_NAME), Ok(0));
    let indented: String = ROLLOUT.lines().map(|line| format!("  {line}\n")).collect();
    let list = format!("kind: List\nitems:\n-\n{indented}");
    assert_eq!(check_step_configs("list.yaml", &list, STEP_NAME), Ok(2));
    let broken = check_step_configs("list.yaml", &list.replace("requeueSeconds: 60", "requeueSeconds: 5"), STEP_NAME)
        .unwrap_err();
    assert!(broken[0].to_string().contains("list.yaml:17: "), "{}", broken[0]);
    let bare = check_step_configs("config.yaml", "requeueSeconds: 5\n", STEP_NAME).unwrap_err();
    assert!(bare[0].to_string().starts_with("config.yaml:1: requeueSeconds: 5 is not"), "{}", bare[0]);
    assert!(check_step_configs("x.yaml", "a: [", STEP_NAME).unwrap_err()[0].to_string().contains("correct the YAML"));
}

#[test]
fn what_passes_the_check_of_a_file_is_what_the_gate_reads() {
    let value: Vec<serde_json::Value> = yaml::manifests(ROLLOUT).unwrap();
    let config = value[0].pointer("/spec/strategy/canary/steps/2/plugin/config").unwrap();
    let read = StepConfig::from_json(config.to_string().as_bytes()).unwrap();
    assert_eq!(read.watch, Some(Watch { lasting: Duration::from_secs(600), tolerated: 1 }));
    assert_eq!((read.measures[0].at_most, read.measures[0].held), (Some(0.01), Duration::from_secs(300)));
}

#[test]
fn a_plugin_of_another_name_has_its_own_steps_checked() {
    let renamed = ROLLOUT.replace(STEP_NAME, "acme/schema-gate");
    assert_eq!(check_step_configs("rollout.yaml", &renamed, "acme/schema-gate"), Ok(2));
    assert_eq!(check_step_configs("rollout.yaml", &renamed, STEP_NAME), Ok(0));
}
