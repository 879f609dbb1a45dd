//! What must hold of the rendered objects, whatever the golden files say.

use std::{collections::BTreeMap, path::Path};

use k8s_openapi::{
    api::{
        batch::v1::{CronJob, Job},
        core::v1::ConfigMap,
        rbac::v1::{Role, RoleBinding},
    },
    serde_json::{self, Value},
};

use crate::common::{copy, phasegate_argocd, root, write};

const DATABASE: &str = "apiVersion: phasegate.dev/v1alpha1
kind: Database
metadata: {name: NAME}
spec:
  engine: postgres
  runner: {secretRef: {name: NAME-owner, key: url}}
  gate: {secretRef: {name: NAME-reader, key: url}}
  namespaces: [web, shop]
";

fn generate(directory: &Path, more: &[&str]) -> Vec<Value> {
    let arguments = [&["generate", "--namespace", "shop"], more].concat();
    let made = phasegate_argocd(directory, &arguments, &[]);
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    serde_saphyr::from_multiple(&String::from_utf8(made.stdout).unwrap()).unwrap()
}

fn all<T: serde::de::DeserializeOwned>(objects: &[Value], kind: &str) -> Vec<T> {
    let of_kind = objects.iter().filter(|object| object["kind"] == kind);
    of_kind.map(|object| serde_json::from_value(object.clone()).unwrap()).collect()
}

fn example() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    copy(&root().join("examples/customers-split/2-canary"), dir.path());
    dir
}

#[test]
fn the_plan_arrives_in_the_pod_as_it_is_in_git_however_long_it_is() {
    let dir = example();
    // Long enough for three ConfigMaps, with what a YAML writer could get wrong.
    for number in 0..3 {
        let line = format!("-- {number}: <tab\there> 'quote' \"double\" yes: no # ü \u{2028} \\n\n");
        let mut sql = "\n".to_owned();
        while sql.len() < 110_000 {
            sql.push_str(&line);
        }
        sql.push_str("SELECT 1;");
        let change = format!(
            "apiVersion: phasegate.dev/v1alpha1\nkind: SchemaChange\nmetadata: {{name: plain-{number}}}\nspec:\n  database: customers\n  target: expanded\n  windows: {{old: pending..contracted, new: expanded..contracted}}\n  tables: [customers]\n  sql: {{expand: sql/{number}.sql, reverse: {{expand: sql/back.sql}}}}\n"
        );
        write(
            dir.path(),
            &[(&format!("changes/{}-plain.yaml", number + 10), &change), (&format!("changes/sql/{number}.sql"), &sql)],
        );
    }
    write(dir.path(), &[("changes/sql/back.sql", "SELECT 1;\n"), ("changes/notes.md", "not part of the plan\n")]);
    let objects = generate(dir.path(), &[]);
    let maps: BTreeMap<String, ConfigMap> = all::<ConfigMap>(&objects, "ConfigMap")
        .into_iter()
        .map(|map| (map.metadata.name.clone().unwrap(), map))
        .collect();
    let job: Job = all(&objects, "Job").remove(0);
    let pod = job.spec.unwrap().template.spec.unwrap();
    let sources = pod.volumes.unwrap().remove(0).projected.unwrap().sources.unwrap();
    assert!(sources.len() >= 3, "{}", sources.len());
    let mut mounted = BTreeMap::new();
    for source in sources {
        let projection = source.config_map.unwrap();
        let map = &maps[&projection.name];
        assert_eq!(map.immutable, Some(true));
        assert!(serde_json::to_string(map).unwrap().len() < 200 * 1024);
        for item in projection.items.unwrap() {
            mounted.insert(item.path, map.data.as_ref().unwrap()[&item.key].clone());
        }
    }
    assert_eq!(mounted.len(), 9, "{:?}", mounted.keys());
    for (path, text) in &mounted {
        assert_eq!(&std::fs::read_to_string(dir.path().join(path)).unwrap(), text, "{path}");
    }
    let plan = schema_changes::Plan::read(&mounted).unwrap();
    let wanted = &maps["phasegate-customers"].data.as_ref().unwrap()["wanted-digest"];
    assert_eq!(plan.digest.as_str(), wanted, "the runner finds the digest that Git wants");
}

#[test]
fn a_throttle_by_prometheus_finds_its_servers_and_their_secrets_mounted() {
    let dir = example();
    let file = dir.path().join("phasegate.yaml");
    let text = std::fs::read_to_string(&file).unwrap();
    let throttle = "  backfill: {throttle: {prometheus: {servers: customers-prometheus, measures: [{name: load, query: up, atMost: 4}]}}}\n";
    std::fs::write(&file, format!("{}\n{throttle}", text.trim_end())).unwrap();
    let objects = generate(dir.path(), &[]);
    let job: Job = all(&objects, "Job").remove(0);
    let pod = job.spec.unwrap().template.spec.unwrap();
    let container = &pod.containers[0];
    let args = container.args.as_ref().unwrap().join(" ");
    assert!(args.ends_with("--prometheus /etc/phasegate/prometheus/prometheus.yaml"), "{args}");
    let mounts = container.volume_mounts.as_ref().unwrap();
    let mount = mounts.iter().find(|mount| mount.mount_path == "/etc/phasegate/prometheus").unwrap();
    assert_eq!(mount.read_only, Some(true));
    let volumes = pod.volumes.unwrap();
    let volume = volumes.into_iter().find(|volume| volume.name == mount.name).unwrap();
    assert_eq!(volume.secret.unwrap().secret_name.as_deref(), Some("customers-prometheus"));
}

#[test]
fn another_spec_is_another_job_and_the_wanted_digest_is_the_plans_alone() {
    let dir = example();
    let names = |more: &[&str]| {
        let objects = generate(dir.path(), more);
        let job: Job = all(&objects, "Job").remove(0);
        let wanted = all::<ConfigMap>(&objects, "ConfigMap")
            .into_iter()
            .find_map(|map| map.data.unwrap().remove("wanted-digest"));
        (job.metadata.name.unwrap(), wanted.unwrap())
    };
    let (job, wanted) = names(&[]);
    let (upgraded, same) = names(&["--set", "image=registry.example.com/phasegate:2"]);
    assert_ne!(job, upgraded, "an upgrade of the runner is a new Job, which resumes");
    assert_eq!(wanted, same);
    assert_eq!(names(&["--set", "schedule=@hourly"]).0, job, "the CronJob's schedule is no part of the Job");
    let change = dir.path().join("changes/0001-split-full-name.yaml");
    let text = std::fs::read_to_string(&change).unwrap().replace("target: migrated", "target: synced");
    std::fs::write(&change, text).unwrap();
    let (other, unlike) = names(&[]);
    assert!(other != job && unlike != wanted);
}

#[test]
fn the_job_is_what_argo_cd_never_restarts_by_itself() {
    let objects = generate(example().path(), &["--set", "sync-wave=-2", "--set", "log=debug"]);
    let job: Job = all(&objects, "Job").remove(0);
    let metadata = job.metadata;
    assert!(metadata.name.unwrap().len() <= 63);
    assert_eq!(metadata.annotations.unwrap(), [("argocd.argoproj.io/sync-wave".to_owned(), "-2".to_owned())].into());
    let spec = job.spec.unwrap();
    assert_eq!(spec.ttl_seconds_after_finished, None);
    assert_eq!(spec.active_deadline_seconds, None);
    let rules: Vec<(String, Option<Vec<i32>>)> = spec
        .pod_failure_policy
        .unwrap()
        .rules
        .into_iter()
        .map(|rule| (rule.action, rule.on_exit_codes.map(|codes| codes.values)))
        .collect();
    assert_eq!(rules, [("FailJob".into(), Some(vec![78])), ("Ignore".into(), None), ("Ignore".into(), Some(vec![75]))]);
    let template = spec.template;
    let labels = template.metadata.unwrap().labels.unwrap();
    assert!(labels.keys().all(|key| !key.starts_with("database.phasegate.dev/")), "the runner is no live version");
    let pod = template.spec.unwrap();
    assert_eq!(pod.restart_policy.as_deref(), Some("Never"), "a podFailurePolicy needs it");
    let container = &pod.containers[0];
    assert_eq!(container.command.as_deref().unwrap(), ["phasegate", "run"]);
    assert_eq!(container.args.as_deref().unwrap(), ["--plan", "/etc/phasegate/plan", "--kubernetes"]);
    let env = container.env.as_ref().unwrap();
    let secret = env[0].value_from.as_ref().unwrap().secret_key_ref.as_ref().unwrap();
    assert_eq!(
        (env[0].name.as_str(), secret.name.as_str(), secret.key.as_str()),
        ("PHASEGATE_DATABASE_URL", "customers-owner", "url")
    );
    assert_eq!((env[2].name.as_str(), env[2].value.as_deref()), ("PHASEGATE_LOG", Some("debug")));
    let cron: CronJob = all(&objects, "CronJob").remove(0);
    let again = cron.spec.unwrap();
    assert_eq!(again.concurrency_policy.as_deref(), Some("Forbid"));
    let pod = again.job_template.spec.unwrap().template.spec.unwrap();
    assert_eq!(pod.containers[0].args.as_deref().unwrap().last().map(String::as_str), Some("--if-free"));
}

#[test]
fn the_runner_may_only_look_and_only_where_its_apps_live() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), &[("db/phasegate.yaml", &DATABASE.replace("NAME", "orders"))]);
    let objects = generate(dir.path(), &[]);
    let roles: Vec<Role> = all(&objects, "Role");
    let places: Vec<(String, String)> = roles
        .iter()
        .map(|role| (role.metadata.namespace.clone().unwrap(), role.metadata.name.clone().unwrap()))
        .collect();
    assert_eq!(places, [("shop".into(), "phasegate-orders".into()), ("web".into(), "phasegate-shop.orders".into())]);
    for rule in roles.iter().flat_map(|role| role.rules.as_ref().unwrap()) {
        assert!(rule.verbs.iter().all(|verb| verb == "get" || verb == "list"), "{rule:?}");
        let resources = rule.resources.as_ref().unwrap();
        assert!(!resources.contains(&"secrets".to_owned()), "{rule:?}");
        if resources.contains(&"configmaps".to_owned()) {
            assert_eq!(rule.resource_names.as_deref().unwrap(), ["phasegate-orders"]);
        }
    }
    for binding in all::<RoleBinding>(&objects, "RoleBinding") {
        let subject = &binding.subjects.unwrap()[0];
        assert_eq!((subject.name.as_str(), subject.namespace.as_deref()), ("phasegate-orders", Some("shop")));
    }
    let theirs = generate(dir.path(), &["--set", "service-account=migrations"]);
    assert!(theirs.iter().all(|object| object["kind"] != "ServiceAccount"));
    assert_eq!(all::<RoleBinding>(&theirs, "RoleBinding")[0].subjects.as_ref().unwrap()[0].name, "migrations");
}

#[test]
fn several_databases_in_folders_are_several_jobs_and_files_of_a_plan_are_no_manifests() {
    let dir = example();
    write(
        dir.path(),
        &[
            ("billing/db/phasegate.yaml", &DATABASE.replace("NAME", "billing")),
            ("billing/config.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: billing}\ndata: {on: yes}\n"),
            ("orders/phasegate.yaml", &DATABASE.replace("NAME", "orders")),
        ],
    );
    let objects = generate(dir.path(), &[]);
    let jobs: Vec<Job> = all(&objects, "Job");
    let databases: Vec<String> =
        jobs.into_iter().map(|job| job.metadata.labels.unwrap()["phasegate.dev/database"].clone()).collect();
    assert_eq!(databases, ["billing", "customers", "orders"]);
    assert!(objects.iter().all(|object| object["kind"] != "Database" && object["kind"] != "SchemaChange"));
    assert!(objects.iter().any(|object| object["kind"] == "ConfigMap" && object["metadata"]["name"] == "billing"));
    let ignored = generate(dir.path(), &["--set", "manifests=ignore"]);
    assert!(ignored.iter().all(|object| object["kind"] != "Rollout"));
}

#[test]
fn every_override_of_the_pod_arrives() {
    let parameters = r#"[{"name":"tolerations","array":["spot=true:NoSchedule"]},{"name":"node-selector","map":{"disk":"ssd"}},
        {"name":"pod-labels","map":{"team":"shop"}},{"name":"pod-annotations","map":{"sidecar.istio.io/inject":"false"}},
        {"name":"image-pull-secrets","array":["registry"]},{"name":"priority-class","string":"low"},
        {"name":"grace-period-seconds","string":"120"},{"name":"active-deadline-seconds","string":"7200"},
        {"name":"backoff-limit","string":"2"},{"name":"run-as-user","string":""},{"name":"image-pull-policy","string":"Always"},
        {"name":"resources","map":{"limits.memory":"1Gi","requests.cpu":""}},
        {"name":"service-account-annotations","map":{"eks.amazonaws.com/role-arn":"arn:aws:iam::1:role/x"}}]"#;
    let dir = example();
    let made = phasegate_argocd(
        dir.path(),
        &["generate"],
        &[("ARGOCD_APP_NAMESPACE", "shop"), ("ARGOCD_APP_PARAMETERS", parameters)],
    );
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let text = String::from_utf8(made.stdout).unwrap();
    let job = text.split("---\n").find(|text| text.contains("kind: Job\n")).unwrap();
    insta::assert_snapshot!("every_override", job);
    assert!(text.contains("eks.amazonaws.com/role-arn: arn:aws:iam::1:role/x"));
}

#[test]
fn what_the_gate_is_to_ask_stands_in_the_config_map_and_only_when_it_is_declared() {
    let wanted = |more: &str| {
        let dir = example();
        let path = dir.path().join("phasegate.yaml");
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, text + more).unwrap();
        let maps: Vec<ConfigMap> = all(&generate(dir.path(), &[]), "ConfigMap");
        let wanted = |map: &&ConfigMap| map.metadata.name.as_deref() == Some("phasegate-customers");
        maps.iter().find(wanted).unwrap().data.clone().unwrap()
    };
    let bare = wanted("");
    assert!(!bare.contains_key("integrity") && !bare.contains_key("replicas"), "{bare:?}");
    let full = wanted(
        "  integrity:\n  - {name: orphans, query: SELECT count(*) FROM orders, atMost: 0}\n  - {name: b, query: SELECT 1}\n  \
         replicas:\n  - {name: reports, secretRef: {name: customers-replica, key: url}}\n",
    );
    let integrity =
        r#"[{"name":"orphans","query":"SELECT count(*) FROM orders","atMost":0},{"name":"b","query":"SELECT 1"}]"#;
    assert_eq!(full["integrity"], integrity);
    assert_eq!(full["replicas"], r#"[{"name":"reports","secret":"customers-replica","key":"url"}]"#);
}
