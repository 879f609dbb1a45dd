//! Every kind of live version, alone, through a real client and a small responder.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use schema_changes::{Consumer, Engine, SecretKey};
use schema_phases::{
    AppVersion, Because, ChangeProfile, Conversion, LiveChange, Moment, Move, Movement, PhaseWindow, SchemaPhase, Span,
    may_move,
};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use super::*;
use crate::{
    check::Siblings,
    live::{Presence, versions},
    wanted::WantedPlan,
};

/// Answers GET by path; pages of two, so that every list of three goes over the second page.
#[derive(Clone, Default)]
struct Responder {
    lists: Arc<Mutex<BTreeMap<String, Vec<Value>>>>,
    codes: Arc<Mutex<BTreeMap<String, u16>>>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Responder {
    fn put(&self, path: &str, object: Value) {
        self.lists.lock().unwrap().entry(path.to_owned()).or_default().push(object);
    }

    fn answer_with(&self, path: &str, code: u16) {
        self.codes.lock().unwrap().insert(path.to_owned(), code);
    }

    fn answer(&self, target: &str) -> (u16, Value) {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        self.asked.lock().unwrap().push(target.to_owned());
        if let Some(code) = self.codes.lock().unwrap().get(path) {
            return (
                *code,
                json!({"kind": "Status", "status": "Failure", "code": code, "reason": "x", "message": "m"}),
            );
        }
        let lists = self.lists.lock().unwrap();
        let from = query
            .split('&')
            .find_map(|pair| pair.strip_prefix("continue="))
            .map_or(0, |token| token.parse::<usize>().unwrap());
        let all = lists.get(path).cloned().unwrap_or_default();
        if query.is_empty() {
            return match all.first() {
                Some(object) => (200, object.clone()),
                None => (404, json!({"kind": "Status", "status": "Failure", "code": 404, "reason": "NotFound"})),
            };
        }
        let next = (from + 2 < all.len()).then(|| (from + 2).to_string());
        let items: Vec<Value> = all.into_iter().skip(from).take(2).collect();
        (200, json!({"kind": "List", "apiVersion": "v1", "metadata": {"continue": next}, "items": items}))
    }

    async fn serve(self, mut stream: TcpStream) {
        let mut bytes = Vec::new();
        let mut buffer = [0; 4096];
        while let Ok(read) = stream.read(&mut buffer).await {
            bytes.extend_from_slice(&buffer[..read]);
            if read == 0 {
                return;
            }
            if !bytes.ends_with(b"\r\n\r\n") {
                continue;
            }
            let request = String::from_utf8(std::mem::take(&mut bytes)).unwrap();
            let target = request.split_whitespace().nth(1).unwrap();
            let (code, body) = self.answer(target);
            let body = body.to_string();
            let head = format!(
                "HTTP/1.1 {code} X\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
                body.len()
            );
            if stream.write_all(format!("{head}{body}").as_bytes()).await.is_err() {
                return;
            }
        }
    }

    async fn start(&self) -> Api {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let responder = self.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(responder.clone().serve(stream));
            }
        });
        let config = kube::Config::new(format!("http://{address}").parse().unwrap());
        Api::new(kube::Client::try_from(config).unwrap())
    }
}

fn database(namespaces: &[&str]) -> Database {
    let key = || SecretKey { name: "s".into(), key: "url".into() };
    Database {
        backfill: schema_changes::BackfillSettings::default(),
        name: "customers".into(),
        engine: Engine::Postgres,
        runner: key(),
        gate: key(),
        app_secrets: vec!["customers-app".into()],
        app_users: None,
        namespaces: namespaces.iter().map(|name| (*name).to_owned()).collect(),
        checkpoint: None,
        consumers: vec![Consumer { name: "c".into(), supports: String::new(), users: Vec::new() }],
        integrity: Vec::new(),
        replicas: Vec::new(),
    }
}

async fn live(responder: &Responder, namespaces: &[&str]) -> Sighting<Vec<LiveVersion>> {
    let api = responder.start().await;
    let clock = Clock::starting_at(Moment::from_unix_millis(0));
    KubeLive::new(api, &database(namespaces), "shop", clock).look().await
}

/// What `split` at migrated may do about its contract.
fn contract(live: &Sighting<Vec<LiveVersion>>) -> Movement {
    let changes = [LiveChange {
        profile: ChangeProfile {
            name: "split".parse().unwrap(),
            order: 1,
            tables: ["customers".to_owned()].into(),
            old_window: PhaseWindow::until(SchemaPhase::Migrated),
            new_window: PhaseWindow::NEW_SHAPE,
            conversion: Conversion::Rows,
        },
        span: Span::AtRest(SchemaPhase::Migrated),
    }];
    let step = Move::new(SchemaPhase::Migrated, SchemaPhase::Contracted).unwrap();
    may_move(&changes[0].profile.name, step, &changes, &versions(live))
}

fn labelled() -> Value {
    json!({"labels": {"database.phasegate.dev/customers": ""}})
}

fn object(name: &str, owner: Option<(&str, &str)>, rest: Value) -> Value {
    let mut metadata = json!({"name": name, "namespace": "shop", "creationTimestamp": "2026-01-01T00:00:00Z"});
    if let Some((kind, name)) = owner {
        metadata["ownerReferences"] = json!([{"apiVersion": "x/v1", "kind": kind, "name": name, "uid": "u"}]);
    }
    let mut object = json!({"metadata": metadata});
    for (key, value) in rest.as_object().unwrap() {
        if key == "metadata" {
            for (key, value) in value.as_object().unwrap() {
                object["metadata"][key] = value.clone();
            }
        } else {
            object[key] = value.clone();
        }
    }
    object
}

const CORE: &str = "/api/v1/namespaces/shop";
const APPS: &str = "/apis/apps/v1/namespaces/shop";
const BATCH: &str = "/apis/batch/v1/namespaces/shop";
const ARGO: &str = "/apis/argoproj.io/v1alpha1/namespaces/shop";

/// A Rollout that uses another database, so that only its ReplicaSets count.
fn plain_rollout(rest: Value) -> (String, Value) {
    (format!("{ARGO}/rollouts"), object("web", None, rest))
}

fn set(name: &str, hash: &str, rest: Value) -> (String, Value) {
    let mut set = object(name, Some(("Rollout", "web")), rest);
    set["metadata"]["labels"] = json!({"rollouts-pod-template-hash": hash});
    set["spec"]["template"] = json!({"metadata": labelled()});
    if set["spec"].get("replicas").is_none() {
        set["spec"]["replicas"] = json!(0);
    }
    (format!("{APPS}/replicasets"), set)
}

fn created(name: &str, hash: &str, time: &str) -> (String, Value) {
    set(name, hash, json!({"metadata": {"creationTimestamp": time}, "spec": {}}))
}

type Row = (&'static str, Vec<(String, Value)>);

/// Each of these alone is a live version of the old shape.
fn rows() -> Vec<Row> {
    let template = || json!({"spec": {"template": {"metadata": labelled()}}});
    let pod = |status: Value| object("web-1", None, json!({"metadata": labelled(), "status": status}));
    let at = |path: &str, object: Value| vec![(path.to_owned(), object)];
    vec![
        ("a running pod", at(&format!("{CORE}/pods"), pod(json!({"phase": "Running"})))),
        ("a pending pod", at(&format!("{CORE}/pods"), pod(json!({"phase": "Pending"})))),
        ("a pod of unknown phase", at(&format!("{CORE}/pods"), pod(json!({"phase": "Unknown"})))),
        ("a pod without a status", at(&format!("{CORE}/pods"), pod(json!({})))),
        (
            "a terminating pod",
            at(
                &format!("{CORE}/pods"),
                object(
                    "web-1",
                    None,
                    json!({
                        "metadata": {"labels": labelled()["labels"], "deletionTimestamp": "2026-01-01T00:00:00Z"},
                        "status": {"phase": "Running"}
                    }),
                ),
            ),
        ),
        (
            "a pod whose label names the database's namespace",
            at(
                &format!("{CORE}/pods"),
                object("web-1", None, json!({"metadata": {"labels": {"database.phasegate.dev/customers": "shop"}}})),
            ),
        ),
        (
            "an unlabelled pod of a labelled StatefulSet",
            vec![
                (
                    format!("{APPS}/statefulsets"),
                    object(
                        "db",
                        None,
                        json!({"spec": {"template": {"metadata": {
                            "labels": {"database.phasegate.dev/customers": ""},
                            "annotations": {"supports.phasegate.dev/customers": "split"}
                        }}}}),
                    ),
                ),
                (
                    format!("{CORE}/pods"),
                    object("db-0", Some(("StatefulSet", "db")), json!({"status": {"phase": "Running"}})),
                ),
            ],
        ),
        (
            "an unlabelled pod of a finished, labelled Job",
            vec![
                (
                    format!("{BATCH}/jobs"),
                    object(
                        "once",
                        None,
                        json!({"spec": {"template": {"metadata": labelled()}},
                               "status": {"conditions": [{"type": "Complete", "status": "True"}]}}),
                    ),
                ),
                (
                    format!("{CORE}/pods"),
                    object("once-1", Some(("Job", "once")), json!({"status": {"phase": "Running"}})),
                ),
            ],
        ),
        (
            "an unlabelled pod that uses the app's Secret in env",
            at(
                &format!("{CORE}/pods"),
                object(
                    "psql",
                    None,
                    json!({"spec": {"containers": [{"env": [{"valueFrom": {"secretKeyRef": {"name": "customers-app"}}}]}]},
                           "status": {"phase": "Running"}}),
                ),
            ),
        ),
        (
            "an unlabelled pod that uses the app's Secret in envFrom",
            at(
                &format!("{CORE}/pods"),
                object(
                    "psql",
                    None,
                    json!({"spec": {"initContainers": [{"envFrom": [{"secretRef": {"name": "customers-app"}}]}]}}),
                ),
            ),
        ),
        (
            "an unlabelled pod that mounts the app's Secret",
            at(
                &format!("{CORE}/pods"),
                object("psql", None, json!({"spec": {"volumes": [{"secret": {"secretName": "customers-app"}}]}})),
            ),
        ),
        (
            "an unlabelled pod that mounts the app's Secret in a projection",
            at(
                &format!("{CORE}/pods"),
                object(
                    "psql",
                    None,
                    json!({"spec": {"volumes": [{"projected": {"sources": [{"secret": {"name": "customers-app"}}]}}]}}),
                ),
            ),
        ),
        ("a Rollout", at(&format!("{ARGO}/rollouts"), object("web", None, template()))),
        (
            "a Rollout at zero, paused",
            at(
                &format!("{ARGO}/rollouts"),
                object(
                    "web",
                    None,
                    json!({"spec": {"replicas": 0, "paused": true, "template": {"metadata": labelled()}}}),
                ),
            ),
        ),
        (
            "a Rollout that takes its template from a Deployment",
            vec![
                plain_rollout(
                    json!({"spec": {"workloadRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "base"}}}),
                ),
                (format!("{APPS}/deployments"), object("base", None, template())),
            ],
        ),
        (
            "a Rollout that takes its template from a PodTemplate",
            vec![
                plain_rollout(
                    json!({"spec": {"workloadRef": {"apiVersion": "v1", "kind": "PodTemplate", "name": "base"}}}),
                ),
                (format!("{CORE}/podtemplates"), object("base", None, json!({"template": {"metadata": labelled()}}))),
            ],
        ),
        (
            "a Rollout that takes its template from a ReplicaSet",
            vec![
                plain_rollout(
                    json!({"spec": {"workloadRef": {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "base"}}}),
                ),
                (
                    format!("{APPS}/replicasets"),
                    object("base", None, json!({"spec": {"replicas": 0, "template": {"metadata": labelled()}}})),
                ),
            ],
        ),
        ("a Deployment", at(&format!("{APPS}/deployments"), object("web", None, template()))),
        (
            "a Deployment at zero",
            at(
                &format!("{APPS}/deployments"),
                object("web", None, json!({"spec": {"replicas": 0, "template": {"metadata": labelled()}}})),
            ),
        ),
        (
            "a Deployment that is labelled itself",
            at(
                &format!("{APPS}/deployments"),
                object("web", None, json!({"metadata": labelled(), "spec": {"template": {}}})),
            ),
        ),
        ("a StatefulSet", at(&format!("{APPS}/statefulsets"), object("web", None, template()))),
        ("a DaemonSet", at(&format!("{APPS}/daemonsets"), object("web", None, template()))),
        (
            "a suspended CronJob",
            at(
                &format!("{BATCH}/cronjobs"),
                object(
                    "web",
                    None,
                    json!({"spec": {"suspend": true, "jobTemplate": {"spec": {"template": {"metadata": labelled()}}}}}),
                ),
            ),
        ),
        ("an unfinished Job", at(&format!("{BATCH}/jobs"), object("web", None, template()))),
        (
            "a suspended Job",
            at(
                &format!("{BATCH}/jobs"),
                object(
                    "web",
                    None,
                    json!({"spec": {"suspend": true, "template": {"metadata": labelled()}},
                           "status": {"conditions": [{"type": "Suspended", "status": "True"}, {"type": "Complete", "status": "False"}]}}),
                ),
            ),
        ),
        (
            "an unfinished Experiment",
            at(
                &format!("{ARGO}/experiments"),
                object(
                    "web",
                    None,
                    json!({"spec": {"templates": [{"name": "a", "template": {}}, {"name": "b", "template": {"metadata": labelled()}}]}}),
                ),
            ),
        ),
        ("a ReplicaSet that wants replicas", vec![set("web-a", "a", json!({"spec": {"replicas": 1}}))]),
        ("a ReplicaSet that has replicas", vec![set("web-a", "a", json!({"spec": {}, "status": {"replicas": 1}}))]),
        (
            "a ReplicaSet that the controller has not observed",
            vec![set(
                "web-a",
                "a",
                json!({"metadata": {"generation": 2}, "spec": {}, "status": {"observedGeneration": 1}}),
            )],
        ),
        (
            "the ReplicaSet named by stableRS",
            vec![
                plain_rollout(json!({"spec": {}, "status": {"stableRS": "a"}})),
                set("web-a", "a", json!({"spec": {}})),
            ],
        ),
        (
            "the ReplicaSet named by currentPodHash",
            vec![
                plain_rollout(json!({"spec": {}, "status": {"currentPodHash": "a"}})),
                set("web-a", "a", json!({"spec": {}})),
            ],
        ),
        (
            "the ReplicaSet named by activeSelector",
            vec![
                plain_rollout(json!({"spec": {}, "status": {"blueGreen": {"activeSelector": "a"}}})),
                set("web-a", "a", json!({"spec": {}})),
            ],
        ),
        (
            "the ReplicaSet named by previewSelector",
            vec![
                plain_rollout(json!({"spec": {}, "status": {"blueGreen": {"previewSelector": "a"}}})),
                set("web-a", "a", json!({"spec": {}})),
            ],
        ),
        (
            "a ReplicaSet inside the rollback window",
            vec![
                plain_rollout(json!({"spec": {"rollbackWindow": {"revisions": 1}}, "status": {"stableRS": "z"}})),
                created("web-a", "a", "2026-01-01T00:00:01Z"),
                {
                    // The stable one itself is of the new shape.
                    let (path, mut stable) = created("web-z", "z", "2026-01-01T00:00:02Z");
                    stable["spec"]["template"]["metadata"]["annotations"] =
                        json!({"supports.phasegate.dev/customers": "split"});
                    (path, stable)
                },
            ],
        ),
    ]
}

#[tokio::test]
async fn each_kind_of_live_version_alone_blocks_a_contract() {
    for (what, objects) in rows() {
        let responder = Responder::default();
        for (path, object) in objects {
            responder.put(&path, object);
        }
        let seen = live(&responder, &[]).await;
        assert!(matches!(contract(&seen), Movement::Blocked(_)), "{what}: {seen:?}");
    }
}

#[tokio::test]
async fn what_is_not_live_blocks_nothing() {
    let old = "2026-01-01T00:00:00Z";
    let rows: Vec<Row> = vec![
        (
            "pods that are over",
            ["Succeeded", "Failed"]
                .into_iter()
                .map(|phase| {
                    (
                        format!("{CORE}/pods"),
                        object(phase, None, json!({"metadata": labelled(), "status": {"phase": phase}})),
                    )
                })
                .collect(),
        ),
        (
            "a pod of another database of that name",
            vec![(
                format!("{CORE}/pods"),
                object(
                    "web-1",
                    None,
                    json!({"metadata": {"labels": {"database.phasegate.dev/customers": "elsewhere"}}}),
                ),
            )],
        ),
        (
            "an unlabelled pod with another Secret",
            vec![(
                format!("{CORE}/pods"),
                object(
                    "psql",
                    None,
                    json!({"spec": {"containers": [{"env": [{"valueFrom": {"secretKeyRef": {"name": "other"}}}]}]}}),
                ),
            )],
        ),
        (
            "a finished Job",
            vec![(
                format!("{BATCH}/jobs"),
                object(
                    "web",
                    None,
                    json!({"spec": {"template": {"metadata": labelled()}}, "status": {"conditions": [{"type": "Failed", "status": "True"}]}}),
                ),
            )],
        ),
        (
            "a finished Experiment",
            vec![(
                format!("{ARGO}/experiments"),
                object(
                    "web",
                    None,
                    json!({"spec": {"templates": [{"template": {"metadata": labelled()}}]}, "status": {"phase": "Successful"}}),
                ),
            )],
        ),
        (
            "an old ReplicaSet at zero, observed, named by nobody, beyond the rollback window",
            vec![
                plain_rollout(
                    json!({"spec": {"rollbackWindow": {"revisions": 1}}, "status": {"stableRS": "z", "currentPodHash": "z"}}),
                ),
                set(
                    "web-a",
                    "a",
                    json!({"metadata": {"generation": 2, "creationTimestamp": old}, "spec": {}, "status": {"observedGeneration": 2}}),
                ),
                {
                    let (path, mut between) = created("web-y", "y", "2026-01-01T00:00:01Z");
                    between["spec"]["template"]["metadata"]["annotations"] =
                        json!({"supports.phasegate.dev/customers": "split"});
                    (path, between)
                },
                {
                    let (path, mut stable) = created("web-z", "z", "2026-01-01T00:00:02Z");
                    stable["spec"]["template"]["metadata"]["annotations"] =
                        json!({"supports.phasegate.dev/customers": "split"});
                    (path, stable)
                },
            ],
        ),
        ("nothing at all", Vec::new()),
    ];
    for (what, objects) in rows {
        let responder = Responder::default();
        for (path, object) in objects {
            responder.put(&path, object);
        }
        let seen = live(&responder, &[]).await;
        assert_eq!(contract(&seen), Movement::Allowed, "{what}: {seen:?}");
    }
}

#[tokio::test]
async fn in_another_namespace_only_a_label_that_names_ours_counts() {
    let path = "/api/v1/namespaces/billing/pods";
    for (value, blocked) in [("shop", true), ("", false), ("billing", false)] {
        let responder = Responder::default();
        let metadata = json!({"labels": {"database.phasegate.dev/customers": value}});
        responder.put(path, object("web-1", None, json!({"metadata": metadata})));
        assert_eq!(contract(&live(&responder, &[]).await), Movement::Allowed, "not a namespace of the database");
        let seen = live(&responder, &["billing"]).await;
        assert_eq!(matches!(contract(&seen), Movement::Blocked(_)), blocked, "{value}");
    }
}

#[tokio::test]
async fn lists_are_read_whole_from_what_is_agreed_on_and_pods_last() {
    let responder = Responder::default();
    for number in 0..5 {
        let pod = object(&format!("p{number}"), None, json!({"metadata": labelled(), "status": {"phase": "Running"}}));
        responder.put(&format!("{CORE}/pods"), pod);
    }
    let Sighting::Seen { value, .. } = live(&responder, &["billing"]).await else { panic!("must see") };
    assert_eq!(value.len(), 5, "{value:?}");
    assert!(value.iter().all(|live| live.presence == Presence::Running));
    let asked = responder.asked.lock().unwrap().clone();
    assert!(asked.iter().all(|target| !target.contains("resourceVersion")), "{asked:?}");
    let kind = |target: &String| target.split('?').next().unwrap().rsplit('/').next().unwrap().to_owned();
    let rank = |kind: &str| match kind {
        "pods" => 2,
        "replicasets" | "jobs" => 1,
        _ => 0,
    };
    let ranks: Vec<u8> = asked.iter().map(|target| rank(&kind(target))).collect();
    assert!(ranks.is_sorted(), "{asked:?}");
}

#[tokio::test]
async fn pods_of_one_owner_and_annotation_are_one_version() {
    let responder = Responder::default();
    for (name, supports) in [("p1", ""), ("p2", ""), ("p3", "split")] {
        let metadata = json!({
            "labels": {"database.phasegate.dev/customers": ""},
            "annotations": {"supports.phasegate.dev/customers": supports}
        });
        let pod =
            object(name, Some(("ReplicaSet", "web-a")), json!({"metadata": metadata, "status": {"phase": "Running"}}));
        responder.put(&format!("{CORE}/pods"), pod);
    }
    let Sighting::Seen { value, .. } = live(&responder, &[]).await else { panic!("must see") };
    let names: Vec<AppVersion> = value.into_iter().map(|live| live.version).collect();
    assert_eq!(names.len(), 2);
    assert_eq!(names[0].name, "shop/ReplicaSet web-a (2 pods)");
    assert_eq!(names[1].name, "shop/ReplicaSet web-a (pod p3)");
    assert_eq!(names[1].annotation, "split");
}

#[tokio::test]
async fn a_cluster_without_argo_has_no_rollouts_and_a_forbidden_list_is_a_missing_fact() {
    let responder = Responder::default();
    for path in [format!("{ARGO}/rollouts"), format!("{ARGO}/experiments")] {
        responder.answer_with(&path, 404);
    }
    assert_eq!(contract(&live(&responder, &[]).await), Movement::Allowed);

    for (path, kind) in [(format!("{ARGO}/rollouts"), "rollouts"), (format!("{APPS}/deployments"), "deployments")] {
        let responder = Responder::default();
        responder.answer_with(&path, 403);
        let Sighting::Missing(missing) = live(&responder, &[]).await else { panic!("{kind} must be missing") };
        assert!(matches!(missing.because, Because::NotPermitted(_)), "{missing}");
        assert!(missing.to_string().contains(&format!("may not list {kind} in namespace shop")), "{missing}");
    }

    // Core kinds always exist: that they do not is no answer.
    let responder = Responder::default();
    responder.answer_with(&format!("{CORE}/pods"), 404);
    assert!(matches!(live(&responder, &[]).await, Sighting::Missing(_)));
    let responder = Responder::default();
    responder.answer_with(&format!("{CORE}/pods"), 500);
    assert!(matches!(live(&responder, &[]).await, Sighting::Missing(_)));
}

#[tokio::test]
async fn the_wanted_plan_is_what_the_config_map_names_and_nothing_else() {
    let digest = "a".repeat(64);
    let path = format!("{CORE}/configmaps/phasegate-customers");
    let clock = Clock::starting_at(Moment::from_unix_millis(0));
    for (map, want) in [
        (Some(json!({"wanted-digest": digest})), Ok(digest.clone())),
        (Some(json!({"wanted-digest": "abc"})), Err("names no plan")),
        (Some(json!({})), Err("names no plan")),
        (None, Err("does not exist")),
    ] {
        let responder = Responder::default();
        if let Some(data) = map {
            responder.put(&path, object("phasegate-customers", None, json!({"data": data})));
        }
        let wanted = KubeWanted::new(responder.start().await, "customers", "shop", clock).wanted().await;
        match (wanted, want) {
            (Sighting::Seen { value, .. }, Ok(digest)) => assert_eq!(value.as_str(), digest),
            (Sighting::Missing(missing), Err(part)) => assert!(missing.to_string().contains(part), "{missing}"),
            (other, want) => panic!("{other:?} instead of {want:?}"),
        }
    }
}

#[tokio::test]
async fn only_a_ready_pod_of_the_same_template_is_a_sibling() {
    let pod = |name: &str, owner: &str, hash: &str, ready: &str| {
        object(
            name,
            Some(("ReplicaSet", owner)),
            json!({"metadata": {"labels": {"pod-template-hash": hash}},
                   "status": {"conditions": [{"type": "Ready", "status": ready}]}}),
        )
    };
    let mut leaving = pod("other", "web-a", "a", "True");
    leaving["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
    for (other, want) in [
        (pod("other", "web-a", "a", "True"), true),
        (pod("other", "web-a", "a", "False"), false),
        (pod("other", "web-b", "b", "True"), false),
        (pod("other", "web-a", "b", "True"), false),
        (leaving, false),
    ] {
        let responder = Responder::default();
        responder.put(&format!("{CORE}/pods"), pod("me", "web-a", "a", "True"));
        responder.put(&format!("{CORE}/pods"), other.clone());
        let siblings = KubeSiblings::new(responder.start().await, "shop", "me");
        assert_eq!(siblings.one_is_ready().await, Ok(want), "{other}");
    }
    let nobody = KubeSiblings::new(Responder::default().start().await, "shop", "me");
    assert!(nobody.one_is_ready().await.is_err());
}
