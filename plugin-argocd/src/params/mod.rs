//! `Params`: how the runner's pods are made, beside what the plan says. Defaults and what is announced to Argo CD come
//! from one table.

mod announce;
mod given;
mod table;

use std::collections::BTreeMap;

use schema_phases::nearest;

pub(crate) use announce::announcement;
pub(crate) use given::{Given, add_flags, from_argo};
pub(crate) use table::{Parameter, TABLE};

use crate::problem::Problem;

/// The parameters of one run, checked. Persisted in Applications: they only grow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Params {
    pub(crate) image: String,
    pub(crate) image_pull_policy: Option<String>,
    pub(crate) image_pull_secrets: Vec<String>,
    pub(crate) service_account: Option<String>,
    pub(crate) service_account_annotations: BTreeMap<String, String>,
    pub(crate) requests: BTreeMap<String, String>,
    pub(crate) limits: BTreeMap<String, String>,
    pub(crate) run_as_user: Option<i64>,
    pub(crate) tolerations: Vec<Toleration>,
    pub(crate) node_selector: BTreeMap<String, String>,
    pub(crate) priority_class: Option<String>,
    pub(crate) pod_labels: BTreeMap<String, String>,
    pub(crate) pod_annotations: BTreeMap<String, String>,
    pub(crate) grace_period_seconds: i64,
    pub(crate) schedule: String,
    pub(crate) backoff_limit: i32,
    pub(crate) active_deadline_seconds: Option<i64>,
    pub(crate) log: Option<String>,
    pub(crate) sync_wave: Option<i32>,
    pub(crate) manifests: AppManifests,
    pub(crate) exclude: Vec<String>,
}

/// What happens to the app's own manifests in the folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AppManifests {
    /// They are part of the output, as they are.
    PassThrough,
    /// They are left out: another source of the Application renders them.
    Ignore,
}

/// One toleration, as kubectl writes a taint: `key=value:Effect`, `key:Effect` or `key`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Toleration {
    pub(crate) key: String,
    pub(crate) value: Option<String>,
    pub(crate) effect: Option<String>,
}

impl Params {
    /// The announced defaults, and over them what was given.
    ///
    /// # Errors
    /// Every unknown name, wrong shape and bad value.
    pub(crate) fn read(given: &BTreeMap<String, Given>) -> Result<Self, Vec<Problem>> {
        let mut params = Self::blank();
        let mut problems = Vec::new();
        for parameter in TABLE {
            for value in [Some(&parameter.default.to_given()), given.get(parameter.name)].into_iter().flatten() {
                if let Err(why) = parameter.apply(&mut params, value) {
                    problems.push(Problem::new(
                        format!("parameter {}", parameter.name),
                        why,
                        format!("for example {}", parameter.example),
                    ));
                }
            }
        }
        let unknown = given.keys().filter(|name| TABLE.iter().all(|parameter| parameter.name != name.as_str()));
        problems.extend(unknown.map(|name| unknown_parameter(name)));
        if problems.is_empty() { Ok(params) } else { Err(problems) }
    }

    /// Holds nothing; every field is set by a row of the table, which a test checks.
    fn blank() -> Self {
        Self {
            image: String::new(),
            image_pull_policy: None,
            image_pull_secrets: Vec::new(),
            service_account: None,
            service_account_annotations: BTreeMap::new(),
            requests: BTreeMap::new(),
            limits: BTreeMap::new(),
            run_as_user: None,
            tolerations: Vec::new(),
            node_selector: BTreeMap::new(),
            priority_class: None,
            pod_labels: BTreeMap::new(),
            pod_annotations: BTreeMap::new(),
            grace_period_seconds: 0,
            schedule: String::new(),
            backoff_limit: 0,
            active_deadline_seconds: None,
            log: None,
            sync_wave: None,
            manifests: AppManifests::PassThrough,
            exclude: Vec::new(),
        }
    }
}

fn unknown_parameter(name: &str) -> Problem {
    let name: String = name.chars().take(80).collect();
    let near = nearest(&name, TABLE.iter().map(|parameter| parameter.name));
    let remedy = if near.is_empty() {
        let all: Vec<&str> = TABLE.iter().map(|parameter| parameter.name).collect();
        format!("the parameters are {}", all.join(", "))
    } else {
        format!("did you mean {}?", near.join(" or "))
    };
    Problem::new(format!("parameter {name}"), "there is no such parameter", remedy)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<Params, Vec<String>> {
        let given = from_argo(json).map_err(|problems| as_text(&problems))?;
        Params::read(&given).map_err(|problems| as_text(&problems))
    }

    fn as_text(problems: &[Problem]) -> Vec<String> {
        problems.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn nothing_given_is_the_announced_defaults() {
        let params = read("null").unwrap();
        assert_eq!(params, read("").unwrap());
        assert_eq!(params, read("[]").unwrap());
        assert!(params.image.starts_with("ghcr.io/phasegate/phasegate:"));
        assert_eq!(params.schedule, "*/5 * * * *");
        assert_eq!(params.grace_period_seconds, 60);
        assert_eq!(params.active_deadline_seconds, None);
        assert_eq!(params.sync_wave, None);
        assert_eq!(params.run_as_user, Some(65_532));
        assert_eq!(params.requests["cpu"], "50m");
    }

    #[test]
    fn giving_every_announced_default_again_changes_nothing() {
        let given = TABLE.iter().map(|row| (row.name.to_owned(), row.default.to_given())).collect();
        assert_eq!(Params::read(&given), Params::read(&BTreeMap::new()).map_err(|_| Vec::new()));
    }

    #[test]
    fn every_row_has_an_example_that_applies_and_changes_something() {
        for row in TABLE {
            let example = given::from_flag(row, row.example).unwrap_or_else(|why| panic!("{}: {why}", row.name));
            let given = BTreeMap::from([(row.name.to_owned(), example)]);
            let params = Params::read(&given).unwrap_or_else(|problems| panic!("{}: {problems:?}", row.name));
            assert_ne!(params, Params::read(&BTreeMap::new()).unwrap(), "{}", row.name);
        }
    }

    #[test]
    fn all_shapes_arrive_as_argo_cd_sends_them() {
        let params = read(
            r#"[{"name":"image","string":"example.org/p:1"},
                {"name":"tolerations","array":["spot=true:NoSchedule","gpu:NoExecute","any"]},
                {"name":"resources","map":{"limits.memory":"1Gi","requests.cpu":""}},
                {"name":"pod-annotations","map":{"sidecar.istio.io/inject":"false"}},
                {"name":"sync-wave","string":"-3"},{"name":"active-deadline-seconds","string":"3600"},
                {"name":"manifests","string":"ignore"},{"name":"service-account","string":"mine"}]"#,
        )
        .unwrap();
        assert_eq!(params.image, "example.org/p:1");
        assert_eq!(params.tolerations.len(), 3);
        assert_eq!(params.tolerations[0].value.as_deref(), Some("true"));
        assert_eq!(params.tolerations[2], Toleration { key: "any".into(), value: None, effect: None });
        assert_eq!(params.limits["memory"], "1Gi");
        assert!(!params.requests.contains_key("cpu"), "an empty value takes a default away");
        assert!(params.requests.contains_key("memory"), "and the others stay");
        assert_eq!(params.sync_wave, Some(-3));
        assert_eq!(params.active_deadline_seconds, Some(3600));
        assert_eq!(params.manifests, AppManifests::Ignore);
        assert_eq!(params.service_account.as_deref(), Some("mine"));
    }

    #[test]
    fn what_is_wrong_is_named_with_its_parameter_and_a_remedy() {
        let check = |json: &str, part: &str| {
            let problems = read(json).expect_err(json);
            assert!(problems.iter().any(|text| text.contains(part)), "{json}: {problems:?}");
        };
        check(
            r#"[{"name":"imagee","string":"x"}]"#,
            "parameter imagee: there is no such parameter; did you mean image",
        );
        check(r#"[{"name":"zzz","string":"x"}]"#, "the parameters are image, ");
        check(r#"[{"name":"tolerations","string":"x"}]"#, "parameter tolerations: it is a list, not a text");
        check(r#"[{"name":"image","array":["x"]}]"#, "parameter image: it is a text, not a list");
        check(r#"[{"name":"image","string":"x"},{"name":"image","string":"y"}]"#, "given twice");
        check(r#"[{"name":"image"}]"#, "it has no value");
        check(r#"[{"name":"image","string":""}]"#, "parameter image");
        check(r#"[{"name":"image","string":"a b"}]"#, "parameter image");
        check(r#"[{"name":"grace-period-seconds","string":"soon"}]"#, "whole number");
        check(r#"[{"name":"backoff-limit","string":"-1"}]"#, "whole number");
        check(r#"[{"name":"schedule","string":"often"}]"#, "schedule");
        check(r#"[{"name":"resources","map":{"cpu":"1"}}]"#, "`cpu`");
        check(r#"[{"name":"resources","map":{"limits.memory":"64MB"}}]"#, "64MB");
        check(r#"[{"name":"tolerations","array":["a=b:Never"]}]"#, "Never");
        check(r#"[{"name":"pod-labels","map":{"database.phasegate.dev/x":""}}]"#, "live version");
        check(r#"[{"name":"pod-labels","map":{"app.kubernetes.io/managed-by":"me"}}]"#, "own");
        check(r#"[{"name":"pod-annotations","map":{"argocd.argoproj.io/hook":"PreSync"}}]"#, "hook");
        check(r#"[{"name":"run-as-user","string":"0"}]"#, "root");
        check(r#"[{"name":"manifests","string":"maybe"}]"#, "pass or ignore");
        check(r#"[{"name":"service-account","string":"A B"}]"#, "parameter service-account");
        check(r#"{"name":"image"}"#, "ARGOCD_APP_PARAMETERS");
        check("not json", "ARGOCD_APP_PARAMETERS");
        check(r#"[{"name":"imge","string":"postgres://u:hunter2@h/d"}]"#, "imge");
        let leaked = read(r#"[{"name":"imge","string":"postgres://u:hunter2@h/d"}]"#).unwrap_err();
        assert!(leaked.iter().all(|text| !text.contains("hunter2")), "{leaked:?}");
        let broken = read(r#"[{"name":"image","string":"hunter2}]"#).unwrap_err();
        assert!(broken.iter().all(|text| !text.contains("hunter2")), "{broken:?}");
    }
}
