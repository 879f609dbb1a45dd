//! The Kubernetes source against an API on loopback: what it asks for, and what it makes of every answer.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a failed test should panic"
)]

mod support;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use kube::Config;
use plugin_rollouts::{
    announce::{Announcement, Announcer, EventKind},
    ports::{DatabaseRef, Databases, JobRef, JobSight, Place, RunnerJobs, StableVersion, VersionRef, VersionSql},
    sources::{events::KubernetesEvents, kube::Kubernetes, rights::RunsIn},
};
use schema_phases::{Because, Moment};
use support::{Api, CONFIG_MAP, SECRET, STABLE, Says, config_map, replica_set, secret};

fn source(api: &Api) -> Kubernetes {
    Kubernetes::with_config(Config::new(api.url.parse().unwrap()), Duration::from_secs(60), RunsIn::Controller).unwrap()
}

fn wanted(asked_from: &str) -> DatabaseRef {
    DatabaseRef { name: "customers".to_owned(), namespace: "store".to_owned(), asked_from: asked_from.to_owned() }
}

fn stable() -> VersionRef {
    VersionRef {
        namespace: "store".to_owned(),
        rollout: "shop".to_owned(),
        uid: "uid-1".to_owned(),
        pod_hash: "66c5f".to_owned(),
    }
}

fn job() -> JobRef {
    JobRef { database: "customers".to_owned(), namespace: "store".to_owned(), wanted: None }
}

const STATEMENTS: &str = "/api/v1/namespaces/store/configmaps/shop-sql";
const JOBS: &str = "/apis/batch/v1/namespaces/store/jobs?&labelSelector=phasegate.dev%2Fdatabase%3Dcustomers&limit=50";

async fn declared() -> Api {
    let api = Api::start().await;
    api.set(CONFIG_MAP, Says::Object(config_map("sqlite", &[("namespaces", "web")])));
    api.set(SECRET, Says::Object(secret("sqlite:///data/customers.db\n")));
    api
}

/// Why the place cannot be told.
async fn why(api: &Api) -> String {
    format!("{:?}", source(api).place(&wanted("store")).await.unwrap_err())
}

#[tokio::test]
async fn the_config_map_leads_to_the_secret_and_the_secret_to_the_ledger() {
    let api = declared().await;
    let Place::Declared(access) = source(&api).place(&wanted("store")).await.unwrap() else { panic!("declared") };
    assert_eq!(access.url.engine().as_str(), "sqlite");
    assert_eq!(access.wanted, "a".repeat(64).parse().ok());
    assert_eq!(api.asked(), [CONFIG_MAP, SECRET]);
    assert!(!format!("{access:?}").contains("customers.db"), "an address may hold a password");
}

#[tokio::test]
async fn a_namespace_that_the_database_does_not_list_learns_nothing_and_no_secret_is_read_for_it() {
    let api = declared().await;
    assert!(source(&api).place(&wanted("web")).await.is_ok());
    let before = api.asked().len();
    let refused = source(&api).place(&wanted("stranger")).await.unwrap_err();
    assert!(
        matches!(&refused, Because::NotPermitted(why) if why.contains("add it to its `spec.namespaces`")),
        "{refused:?}"
    );
    assert_eq!(api.asked()[before..], [CONFIG_MAP]);
}

#[tokio::test]
async fn a_database_that_was_not_rendered_is_told_apart_from_one_whose_secret_is_missing() {
    let api = Api::start().await;
    let place = source(&api).place(&wanted("store")).await.unwrap();
    assert!(
        matches!(&place, Place::NotDeclared(what) if what.contains("There is no ConfigMap phasegate-customers in namespace store"))
    );
    let api = declared().await;
    api.remove(SECRET);
    assert!(why(&api).await.contains("NotThere(\"there is no Secret customers-reader in namespace store; create it"));
    api.set(SECRET, Says::Object(serde_json::json!({"metadata": {}, "data": {"other": ""}})));
    assert!(
        why(&api)
            .await
            .contains("NotThere(\"the key `url` of the Secret customers-reader in namespace store is absent")
    );
}

#[tokio::test]
async fn what_the_secret_holds_is_never_told() {
    let api = declared().await;
    let rows = [
        ("postgres://gate:hunter2@db/x?hunter2=1", "hunter2"),
        ("postgres://gate:hunter2@db/x", "a URL of postgres, and the database is declared as sqlite"),
        ("mysql://gate:hunter2@db/x", "a URL of mysql, and the database is declared as sqlite"),
        ("hunter2", "this is no database URL"),
        ("", "this is no database URL"),
    ];
    for (url, want) in rows {
        api.set(SECRET, Says::Object(secret(url)));
        let told = why(&api).await;
        assert!(told.starts_with("Untrusted("), "{told}");
        assert!(told.contains(want), "{told}");
        assert!(!told.contains("gate:") && !told.contains(":hunter2"), "{told}");
    }
    api.set(SECRET, Says::Object(serde_json::json!({"metadata": {}, "data": {"url": support::base64(&[0xff, 0xfe])}})));
    assert!(why(&api).await.contains("is no URL"));
}

#[tokio::test]
async fn an_engine_without_a_ledger_is_refused_in_words() {
    let api = declared().await;
    api.set(CONFIG_MAP, Says::Object(config_map("oracle", &[])));
    assert!(
        why(&api)
            .await
            .contains("its engine is oracle, and this gate reads the ledgers of postgres, mysql, mariadb, sqlite only")
    );
}

#[tokio::test]
async fn what_the_api_refuses_names_the_right_and_what_it_cannot_do_is_out_of_reach() {
    let api = declared().await;
    for path in [CONFIG_MAP, SECRET] {
        let right = if path == SECRET { "get secrets" } else { "get configmaps" };
        for (status, want) in [
            (403, "NotPermitted"),
            (401, "NotPermitted"),
            (500, "Unreachable"),
            (503, "Unreachable"),
            (429, "Unreachable"),
        ] {
            let before = api.asked().len();
            api.set(path, Says::Status(status));
            let told = why(&api).await;
            assert!(told.starts_with(want) && told.contains(right), "{status}: {told}");
            assert!(api.asked().len() <= before + 2, "no retries inside the gate's own time");
        }
        api.set(
            path,
            if path == SECRET { Says::Object(secret("sqlite:///x")) } else { Says::Object(config_map("sqlite", &[])) },
        );
    }
    let gone = { Api::start().await.url.clone() };
    let nobody =
        Kubernetes::with_config(Config::new(gone.parse().unwrap()), Duration::from_secs(2), RunsIn::Controller)
            .unwrap();
    let told = nobody.place(&wanted("store")).await.unwrap_err();
    assert!(matches!(&told, Because::Unreachable(_)), "{told:?}");
}

/// Of each object: nothing of what it should be, though the API says it is all right.
#[tokio::test]
async fn an_api_that_lies_is_never_a_fact() {
    let lies = || {
        let deep = (0..200).fold(serde_json::json!({}), |inner, _| serde_json::json!({"data": inner}));
        [
            serde_json::json!({}),
            serde_json::json!(null),
            serde_json::json!([1]),
            serde_json::json!("<html>"),
            serde_json::json!({"data": 7, "spec": 7, "metadata": {}}),
            serde_json::json!({"data": {"url": 7, "format": 7}, "metadata": {}, "spec": {"template": []}}),
            serde_json::json!({"data": {}, "metadata": {}, "spec": {}}),
            serde_json::json!({"data": {"url": "%%%", "format": "x"}, "metadata": {"ownerReferences": "x"}}),
            serde_json::json!({"kind": "Status", "apiVersion": "v1", "status": "Success"}),
            serde_json::json!("x".repeat(3_000_000)),
            deep,
        ]
    };
    for path in [CONFIG_MAP, SECRET] {
        let api = declared().await;
        for lie in lies() {
            api.set(path, Says::Object(lie.clone()));
            let told = source(&api).place(&wanted("store")).await;
            assert!(told.is_err(), "{path}: {}", lie.to_string().chars().take(200).collect::<String>());
        }
    }
    for lie in lies() {
        let api = Api::start().await;
        api.set(STABLE, Says::Object(lie));
        assert!(source(&api).template(&stable()).await.is_err());
    }
    // A ConfigMap of statements without any is one that the gate does not take; a Job that nobody describes is none.
    for lie in lies() {
        let api = Api::start().await;
        api.set(STATEMENTS, Says::Object(lie.clone()));
        api.set(JOBS, Says::Object(lie));
        let files = source(&api).files("store", "shop-sql").await;
        assert!(files.as_ref().is_ok_and(BTreeMap::is_empty) || files.is_err(), "{files:?}");
        let job = source(&api).job(&job()).await;
        assert!(matches!(job, Err(_) | Ok(JobSight::Absent)), "{job:?}");
    }
    // A ReplicaSet of this Rollout whose template says nothing is no version that fits.
    let api = Api::start().await;
    let mut hollow = replica_set("shop-66c5f", "uid-1", "shop:v1", "");
    hollow["spec"] = serde_json::json!({"selector": {}});
    api.set(STABLE, Says::Object(hollow));
    assert!(matches!(source(&api).template(&stable()).await, Err(Because::NotThere(_))));
}

#[tokio::test]
async fn statements_and_jobs_that_cannot_be_had_are_missing_and_name_the_right() {
    let api = Api::start().await;
    let told = source(&api).files("store", "shop-sql").await.unwrap_err();
    assert!(matches!(&told, Because::NotThere(why) if why.contains("there is no ConfigMap shop-sql")), "{told:?}");
    for (status, want) in [(403, "NotPermitted"), (401, "NotPermitted"), (500, "Unreachable"), (429, "Unreachable")] {
        api.set(STATEMENTS, Says::Status(status));
        api.set(JOBS, Says::Status(status));
        let told = format!("{:?}", source(&api).files("store", "shop-sql").await.unwrap_err());
        assert!(told.starts_with(want) && told.contains("get configmaps"), "{status}: {told}");
        let told = format!("{:?}", source(&api).job(&job()).await.unwrap_err());
        assert!(told.starts_with(want) && told.contains("list jobs"), "{status}: {told}");
    }
    for (namespace, name) in [("../x", "shop-sql"), ("store", "../secrets/x"), ("store", "a?b"), ("", "x")] {
        let before = api.asked().len();
        assert!(matches!(source(&api).files(namespace, name).await, Err(Because::Untrusted(_))), "{namespace} {name}");
        assert_eq!(api.asked().len(), before);
    }
}

#[tokio::test]
async fn names_that_are_no_names_never_reach_the_api() {
    let api = declared().await;
    for (name, namespace) in
        [("../secrets/x", "store"), ("customers", "../kube-system"), ("customers", "a/b"), ("Ä", "store"), ("a?b", "c")]
    {
        let odd = DatabaseRef { name: name.into(), namespace: namespace.into(), asked_from: "store".into() };
        let told = source(&api).place(&odd).await.unwrap_err();
        assert!(matches!(&told, Because::Untrusted(_)), "{told:?}");
    }
    assert_eq!(api.asked().len(), 0);
}

#[tokio::test]
async fn the_stable_version_is_the_replica_set_that_the_rollout_owns() {
    let api = Api::start().await;
    api.set(STABLE, Says::Object(replica_set("shop-66c5f", "uid-1", "shop:v1", "add-city")));
    let template = source(&api).template(&stable()).await.unwrap();
    assert_eq!((template.version_name(""), template.supports("customers")), ("v1".to_owned(), "add-city"));
    assert_eq!(api.asked(), [STABLE]);
}

#[tokio::test]
async fn one_of_another_name_is_found_by_its_label_and_one_of_another_owner_is_not() {
    let api = Api::start().await;
    let list = "/apis/apps/v1/namespaces/store/replicasets?&labelSelector=rollouts-pod-template-hash%3D66c5f";
    let items =
        [replica_set("other-66c5f", "uid-2", "other:v9", ""), replica_set("shop-long-66c5f", "uid-1", "shop:v1", "")];
    api.set(
        list,
        Says::Object(
            serde_json::json!({"kind": "ReplicaSetList", "apiVersion": "apps/v1", "metadata": {}, "items": items}),
        ),
    );
    // The name is taken by another Rollout's.
    api.set(STABLE, Says::Object(replica_set("shop-66c5f", "uid-2", "other:v9", "")));
    assert_eq!(source(&api).template(&stable()).await.unwrap().version_name(""), "v1", "{:?}", api.asked());
    api.set(
        list,
        Says::Object(
            serde_json::json!({"kind": "ReplicaSetList", "apiVersion": "apps/v1", "metadata": {}, "items": []}),
        ),
    );
    let told = source(&api).template(&stable()).await.unwrap_err();
    assert!(
        matches!(&told, Because::NotThere(why) if why.contains("no ReplicaSet with the pod template hash 66c5f")),
        "{told:?}"
    );
    api.set(list, Says::Status(403));
    assert!(
        matches!(source(&api).template(&stable()).await.unwrap_err(), Because::NotPermitted(why) if why.contains("list replicasets"))
    );
}

#[tokio::test]
async fn hundreds_of_questions_at_once_ask_the_api_sixteen_at_a_time() {
    let api = declared().await;
    api.set(CONFIG_MAP, Says::Nothing);
    let source = Arc::new(source(&api));
    let asking: Vec<_> = (0..200)
        .map(|_| {
            let source = Arc::clone(&source);
            tokio::spawn(async move { source.place(&wanted("store")).await.is_err() })
        })
        .collect();
    while api.asked().len() < 16 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    // Time for a seventeenth, if there were one.
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(api.asked().len(), 16);
    for task in asking {
        task.abort();
    }
}

#[tokio::test]
async fn a_kubeconfig_that_runs_a_program_is_refused() {
    let mut config = Config::new("http://127.0.0.1:1".parse().unwrap());
    config.auth_info.exec = Some(serde_json::from_value(serde_json::json!({"command": "aws"})).unwrap());
    let refused = Kubernetes::with_config(config, Duration::from_secs(2), RunsIn::Controller).err().unwrap();
    assert!(refused.to_string().contains("use one with a token or a certificate"), "{refused}");
}

#[tokio::test(start_paused = true)]
async fn an_event_that_the_api_server_had_no_answer_for_is_written_again_and_one_it_forbids_is_not() {
    const EVENTS: &str = "/api/v1/namespaces/store/events";
    let api = Api::start().await;
    let events = KubernetesEvents::start(Arc::new(source(&api)));
    let tell = |name: &str| {
        events.announce(Announcement {
            namespace: "store".to_owned(),
            rollout: "shop".to_owned(),
            uid: "uid-1".to_owned(),
            name: name.to_owned(),
            kind: EventKind::Waits,
            message: "v2 needs migrated".to_owned(),
            at: Moment::from_unix_millis(1_700_000_000_000),
        });
    };
    let names = || -> Vec<String> {
        api.sent().iter().map(|(_, body)| body["metadata"]["name"].as_str().unwrap().to_owned()).collect()
    };
    let until = async |count: usize| {
        while names().len() < count {
            tokio::time::sleep(Duration::from_millis(50)).await
        }
    };

    api.set(EVENTS, Says::Status(503));
    tell("shop.first");
    until(2).await;
    api.set(EVENTS, Says::Object(serde_json::json!({"metadata": {}, "involvedObject": {}})));
    until(3).await;
    api.set(EVENTS, Says::Status(403));
    tell("shop.second");
    until(4).await;
    api.set(EVENTS, Says::Status(503));
    tell("shop.third");
    until(5).await;
    tokio::time::sleep(Duration::from_secs(300)).await;
    let thrice = ["shop.first"; 3].into_iter();
    let expected: Vec<&str> = thrice.chain(["shop.second"]).chain(["shop.third"; 4]).collect();
    assert_eq!(names(), expected, "again while it was away, once when forbidden, and not for ever");
}
