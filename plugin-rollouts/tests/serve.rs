//! `phasegate-rollouts serve` as a process: asked by the plugin over gRPC, and over HTTP/JSON as a web metric asks.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a failed test should panic"
)]

mod support;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use futures::future::join_all;
use goplugin_wire::{
    Handshake,
    host::{
        Plugin,
        process::{Launch, Process},
    },
};
use schema_phases::SchemaPhase;
use serde_json::{Value as Json, json};
use support::{
    Api, CONFIG_MAP, Canary, REVIEWS, SECRET, STABLE, Says, StepTold, argument, config_map,
    ledger::Runner,
    replica_set, secret,
    server::{ARGO, Server, certify, token},
};
use tempfile::TempDir;

const CANARY: &str = "/apis/apps/v1/namespaces/store/replicasets/shop-7d4b9";
const HOME: &str = "system:serviceaccount:store:phasegate-asker";

/// A cluster with one database, whose ledger does not exist yet.
struct Cluster {
    api: Api,
    directory: TempDir,
}

impl Cluster {
    async fn start() -> Self {
        let (api, directory) = (Api::start().await, tempfile::tempdir().unwrap());
        api.set(CONFIG_MAP, Says::Object(config_map("sqlite", &[])));
        api.set(SECRET, Says::Object(secret(&format!("sqlite://{}", directory.path().join("customers.db").display()))));
        api.set(STABLE, Says::Object(replica_set("shop-66c5f", "uid-1", "shop:v1", "")));
        api.set(CANARY, Says::Object(replica_set("shop-7d4b9", "uid-1", "shop:v2", "split-full-name")));
        // The application's database, which is there before its ledger.
        fs::File::create(directory.path().join("customers.db")).unwrap();
        certify(directory.path(), (2020, 2100));
        let cluster = Self { api, directory };
        cluster.knows(&[ARGO, HOME]);
        fs::write(cluster.token(), token(ARGO, "phasegate").0).unwrap();
        cluster
    }

    fn path(&self) -> &Path {
        self.directory.path()
    }

    fn token(&self) -> PathBuf {
        self.path().join("token")
    }

    /// The API server confirms tokens of these users, whatever their audience.
    fn knows(&self, users: &[&str]) {
        let known = users.iter().flat_map(|user| [token(user, "phasegate"), token(user, "other")]);
        self.api.set(REVIEWS, Says::Reviews(known.collect()));
    }

    fn serve(&self, arguments: &[&str]) -> Server {
        Server::start(&self.api.kubeconfig(self.path(), &json!({})), self.path(), arguments)
    }

    async fn runner(&self, goal: SchemaPhase) -> Runner {
        let mut runner = Runner::start(&self.path().join("customers.db")).await;
        runner.reach(goal).await;
        runner
    }

    /// A plugin that asks there. It has no way to Kubernetes of its own.
    async fn plugin(&self, endpoint: &str) -> Host {
        self.plugin_with(endpoint, &[]).await
    }

    async fn plugin_with(&self, endpoint: &str, more: &[&str]) -> Host {
        let mut launch = Launch::new(env!("CARGO_BIN_EXE_phasegate-rollouts"));
        let file = |name: &str| self.path().join(name).display().to_string();
        launch.arguments = ["--endpoint", endpoint, "--ca-file", &file("tls.crt"), "--token-file", &file("token")]
            .iter()
            .chain(more)
            .map(Into::into)
            .collect();
        launch.environment.push(("KUBECONFIG".into(), "/nowhere".into()));
        launch.stderr = fs::File::create(self.path().join("plugin.log")).unwrap().into();
        launch.start_within = Duration::from_secs(20);
        let handshake = Handshake {
            protocol_version: 1,
            cookie_key: "ARGO_ROLLOUTS_RPC_PLUGIN".to_owned(),
            cookie_value: "step".to_owned(),
        };
        let process = Process::start(launch, &handshake).await.unwrap();
        let plugin = process.host().dispense("RpcStepPlugin").await.unwrap();
        Host { process, plugin }
    }
}

struct Host {
    process: Process,
    plugin: Plugin,
}

impl Host {
    async fn ask(&self, method: &str) -> StepTold {
        let (schema, value) = argument(method, &Canary::default(), "{}", b"");
        StepTold::of(&self.plugin.call(method, &schema, value).await.unwrap())
    }

    async fn run(&self) -> StepTold {
        self.ask("Run").await
    }

    /// Undecided, with this in the message.
    async fn undecided(&self, want: &str) {
        let told = self.run().await;
        assert!(told.phase.is_empty() && told.error.starts_with("undecided: "), "{told:?}");
        assert!(told.error.contains(want), "{told:?}");
    }
}

fn question() -> Json {
    json!({"namespace": "store", "rollout": "shop", "uid": "uid-1", "podTemplateHash": "7d4b9",
        "stablePodTemplateHash": "66c5f"})
}

/// Asks as a web metric does.
async fn verdict(server: &Server, user: &str, question: &Json) -> support::server::Told {
    let authorization = format!("Bearer {}", token(user, "phasegate").0);
    server.request("POST", "/v1/verdict", &[("authorization", &authorization)], &question.to_string()).await
}

#[tokio::test]
async fn a_plugin_without_any_credential_holds_and_releases_by_asking_it() {
    let cluster = Cluster::start().await;
    let server = cluster.serve(&[]);
    let host = cluster.plugin(&server.endpoint()).await;
    let told = host.run().await;
    assert_eq!(told.phase, "Running", "{told:?}");
    let mut runner = cluster.runner(SchemaPhase::Synced).await;
    let told = host.run().await;
    assert!(told.message.starts_with("split-full-name is synced; v2 needs migrated"), "{told:?}");
    runner.reach(SchemaPhase::Migrated).await;
    assert_eq!(host.run().await.phase, "Successful");
    for method in ["Terminate", "Abort"] {
        assert_eq!(host.ask(method).await.phase, "Successful");
    }
    let metrics = server.probe("/metrics").await.body;
    for sample in [
        "phasegate_gate_verdicts_total{verdict=\"proceed\"} 1",
        "phasegate_gate_verdicts_total{verdict=\"wait\"} 2",
        "phasegate_gate_callers_total{outcome=\"admitted\"} 3",
        "phasegate_gate_waiting 0",
    ] {
        assert!(metrics.contains(sample), "{sample}\n{metrics}");
    }
    let secret = token(ARGO, "phasegate").0;
    let logs = server.log() + &fs::read_to_string(cluster.path().join("plugin.log")).unwrap();
    assert!(!logs.contains(&secret) && !logs.contains("customers.db"), "{logs}");
}

#[tokio::test]
async fn no_token_but_the_right_one_is_answered() {
    let cluster = Cluster::start().await;
    let _runner = cluster.runner(SchemaPhase::Migrated).await;
    let server = cluster.serve(&[]);
    let host = cluster.plugin(&server.endpoint()).await;
    assert_eq!(host.run().await.phase, "Successful");
    // The same controller's default token: replayed by a gate, it could read every Secret.
    fs::write(cluster.token(), token(ARGO, "other").0).unwrap();
    host.undecided("its audience is not phasegate").await;
    fs::write(cluster.token(), token("system:serviceaccount:argo-rollouts:default", "phasegate").0).unwrap();
    host.undecided("may not ask this gate").await;
    // Somebody of another namespace: the question is about `store`.
    let other = "system:serviceaccount:web:phasegate-asker";
    cluster.knows(&[other]);
    fs::write(cluster.token(), token(other, "phasegate").0).unwrap();
    host.undecided("may ask about its own namespace only, and not about `store`").await;
    for (contents, want) in
        [("", "holds no token"), ("\u{0}", "holds no token"), ("x", "it is no service account token")]
    {
        fs::write(cluster.token(), contents).unwrap();
        host.undecided(want).await;
    }
    fs::remove_file(cluster.token()).unwrap();
    host.undecided("cannot read").await;
    // The token is read anew for each question.
    fs::write(cluster.token(), token(ARGO, "phasegate").0).unwrap();
    assert_eq!(host.run().await.phase, "Successful");
}

#[tokio::test]
async fn whom_the_api_server_does_not_know_or_cannot_be_asked_about_is_not_answered() {
    let cluster = Cluster::start().await;
    let _runner = cluster.runner(SchemaPhase::Migrated).await;
    let server = cluster.serve(&[]);
    let host = cluster.plugin(&server.endpoint()).await;
    let unconfirmed = json!({"authenticated": true, "user": {"username": ARGO}});
    let rows = [
        (Says::Reviews(BTreeMap::new()), "the API server does not know it"),
        (Says::Reviews([(token(ARGO, "phasegate").0, unconfirmed)].into()), "did not confirm the audience"),
        (Says::Status(403), "may not create tokenreviews"),
        (Says::Status(500), "answered 500 to a TokenReview"),
        (Says::Object(json!([1])), "the Kubernetes API"),
        (Says::Object(json!("x".repeat(3_000_000))), "the Kubernetes API"),
        (Says::Nothing, "nobody can say whose token this is"),
    ];
    for (says, want) in rows {
        cluster.api.set(REVIEWS, says);
        host.undecided(want).await;
    }
    cluster.knows(&[ARGO]);
    assert_eq!(host.run().await.phase, "Successful");
}

#[tokio::test]
async fn a_gate_that_is_away_hangs_or_lies_is_undecided_in_time_and_one_that_is_back_is_asked() {
    let cluster = Cluster::start().await;
    let _runner = cluster.runner(SchemaPhase::Migrated).await;
    let server = cluster.serve(&[]);
    let (endpoint, address) = (server.endpoint(), server.questions.to_string());
    let host = cluster.plugin(&endpoint).await;
    assert_eq!(host.run().await.phase, "Successful");
    drop(server);
    host.undecided("cannot be reached").await;
    // Somebody else listens there, and says nothing; then nonsense.
    let silent = std::net::TcpListener::bind(&address).unwrap();
    host.undecided("the gate at https://").await;
    silent.set_nonblocking(true).unwrap();
    drop(silent);
    // A server with a certificate that nobody trusts, one that is over, and one that is not yet good.
    let trusted = fs::read(cluster.path().join("tls.crt")).unwrap();
    for (years, want) in [((2020, 2100), "certificate"), ((2000, 2001), "certificate"), ((2099, 2100), "certificate")] {
        let other = tempfile::tempdir().unwrap();
        certify(other.path(), years);
        if years != (2020, 2100) {
            fs::copy(other.path().join("tls.crt"), cluster.path().join("tls.crt")).unwrap();
        }
        let kubeconfig = cluster.api.kubeconfig(other.path(), &json!({}));
        let _impostor = Server::start(&kubeconfig, other.path(), &["--listen", &address]);
        host.undecided(want).await;
    }
    fs::write(cluster.path().join("tls.crt"), trusted).unwrap();
    let _back = cluster.serve(&["--listen", &address]);
    assert_eq!(host.run().await.phase, "Successful");
    assert!(host.process.quit().await.unwrap().success());
}

#[tokio::test]
async fn a_ping_is_answered_at_once_while_the_gate_elsewhere_hangs() {
    let cluster = Cluster::start().await;
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("https://{}", silent.local_addr().unwrap());
    let host = cluster.plugin_with(&endpoint, &["--time-limit", "20"]).await;
    let asking = join_all((0..50).map(|_| host.run()));
    let pinging = async {
        // Somebody is asked, and says nothing. Which of the two is answered first is the proof.
        let _connection = silent.accept().await.unwrap();
        for _ in 0..20 {
            host.process.host().ping().await.unwrap();
        }
    };
    tokio::select! {
        biased;
        _ = asking => panic!("questions that cannot be answered were answered before a Ping"),
        () = pinging => {}
    }
    // And that each question is answered at all is the limit of time at work.
    let host = cluster.plugin_with(&endpoint, &["--time-limit", "1"]).await;
    let told = join_all((0..50).map(|_| host.run())).await;
    assert!(told.iter().all(|told| told.phase.is_empty() && !told.error.is_empty()), "{told:?}");
}

#[tokio::test]
async fn an_analysis_is_told_the_same_verdicts_in_json() {
    let cluster = Cluster::start().await;
    let mut runner = cluster.runner(SchemaPhase::Synced).await;
    let server = cluster.serve(&[]);
    let ask = async |question: Json| verdict(&server, HOME, &question).await;
    let told = ask(question()).await;
    assert_eq!((told.code, told.content_type.as_str()), (200, "application/json"));
    let told = told.json();
    assert_eq!((&told["version"], &told["verdict"]), (&json!(1), &json!("wait")));
    assert!(told["message"].as_str().unwrap().starts_with("split-full-name is synced; v2 needs migrated"), "{told}");
    assert_eq!(told["status"]["verdict"], "wait");
    runner.reach(SchemaPhase::Migrated).await;
    assert_eq!(ask(question()).await.json()["verdict"], "proceed");
    // The old version, after the fact, while the new one serves.
    runner.reach(SchemaPhase::Contracted).await;
    let mut back = question();
    (back["podTemplateHash"], back["stablePodTemplateHash"]) = ("66c5f".into(), "7d4b9".into());
    assert_eq!(ask(back).await.json()["verdict"], "refuse");
    // A version that nobody knows.
    let mut unknown = question();
    unknown["podTemplateHash"] = "nope".into();
    let told = ask(unknown).await.json();
    assert_eq!(told["verdict"], "undecided");
    assert!(told["message"].as_str().unwrap().contains("ReplicaSet"), "{told}");
}

#[tokio::test]
async fn only_a_verdict_is_a_2xx_and_everything_is_json() {
    let cluster = Cluster::start().await;
    let _runner = cluster.runner(SchemaPhase::Migrated).await;
    let server = cluster.serve(&[]);
    let good = format!("Bearer {}", token(HOME, "phasegate").0);
    let foreign = format!("Bearer {}", token(HOME, "other").0);
    let (asked, mut elsewhere, mut more) = (question(), question(), question());
    elsewhere["namespace"] = "web".into();
    more["podHash"] = "x".into();
    let huge = "x".repeat(100_000);
    let (asked, elsewhere, more) = (asked.to_string(), elsewhere.to_string(), more.to_string());
    type Row<'a> = (&'a str, &'a str, Option<&'a str>, &'a str, u16, &'a str);
    let rows: [Row<'_>; 15] = [
        ("POST", "/v1/verdict", None, &asked, 401, "there is no token"),
        ("POST", "/v1/verdict", Some("Basic YTpi"), &asked, 401, "there is no token"),
        ("POST", "/v1/verdict", Some(&foreign), &asked, 401, "its audience is not phasegate"),
        ("POST", "/v1/verdict", Some(&good), &elsewhere, 403, "its own namespace only"),
        ("POST", "/v1/verdict", Some(&good), &more, 400, "unknown field `podHash`"),
        ("POST", "/v1/verdict", Some(&good), "", 400, "cannot be read"),
        ("POST", "/v1/verdict", Some(&good), "[]", 400, "cannot be read"),
        ("POST", "/v1/verdict", Some(&good), &huge, 413, "longer than"),
        ("GET", "/v1/verdict", Some(&good), "", 405, "ask with POST"),
        ("POST", "/v1/verdit", Some(&good), &asked, 404, "there is nothing here"),
        ("GET", "/", Some(&good), "", 404, "there is nothing here"),
        // gRPC says its errors with a 200.
        ("POST", "/phasegate.step.v1.StepPlugin/Run", Some(&good), &asked, 415, "this is a gRPC method"),
        ("POST", "/phasegate.step.v1.StepPlugin/None", Some(&good), &asked, 415, "this is a gRPC method"),
        ("POST", "/phasegate.step.v2.StepPlugin/Run", Some(&good), &asked, 404, "there is nothing here"),
        ("POST", "/grpc.health.v1.Health/Check", Some(&good), &asked, 415, "this is a gRPC method"),
    ];
    for (method, path, authorization, body, code, want) in rows {
        let headers: Vec<(&str, &str)> = authorization.map(|value| ("authorization", value)).into_iter().collect();
        let told = server.request(method, path, &headers, body).await;
        assert_eq!((told.code, told.content_type.as_str()), (code, "application/json"), "{method} {path} {told:?}");
        assert!(told.json()["error"].as_str().unwrap().contains(want), "{told:?}");
    }
    for (path, code, status) in [("/healthz", 200, "alive"), ("/readyz", 200, "ready")] {
        let told = server.probe(path).await;
        assert_eq!((told.code, told.json()["status"].as_str()), (code, Some(status)));
    }
}

#[tokio::test]
async fn a_renewed_certificate_is_served_without_a_restart() {
    let cluster = Cluster::start().await;
    let _runner = cluster.runner(SchemaPhase::Migrated).await;
    let server = cluster.serve(&[]);
    let host = cluster.plugin(&server.endpoint()).await;
    assert_eq!(host.run().await.phase, "Successful");
    certify(cluster.path(), (2020, 2100));
    server.signal("HUP");
    while !server.log().contains("the certificate was renewed") {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    // The plugin trusts the new one as soon as its own file changed, which is the same file here.
    assert_eq!(host.run().await.phase, "Successful");
    assert_eq!(verdict(&server, HOME, &question()).await.json()["verdict"], "proceed");
}

#[tokio::test]
async fn it_leaves_when_told_to_after_the_questions_under_way_are_answered() {
    let cluster = Cluster::start().await;
    let server = cluster.serve(&[]);
    let host = cluster.plugin(&server.endpoint()).await;
    // The question hangs in Kubernetes, until the gate gives it up.
    cluster.api.set(CONFIG_MAP, Says::Nothing);
    let asking = host.run();
    let ending = async {
        while !cluster.api.asked().iter().any(|path| path == CONFIG_MAP) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        server.signal("TERM");
        server.left().await
    };
    let (told, status) = tokio::join!(asking, ending);
    assert!(told.error.contains("did not answer within") && !told.error.contains("the gate at"), "{told:?}");
    assert!(status.success(), "{status}");
}

#[tokio::test]
async fn two_copies_answer_alike_and_either_can_go() {
    let cluster = Cluster::start().await;
    let _runner = cluster.runner(SchemaPhase::Migrated).await;
    let (one, other) = (cluster.serve(&[]), cluster.serve(&[]));
    let (first, second) = (cluster.plugin(&one.endpoint()).await, cluster.plugin(&other.endpoint()).await);
    let (a, b) = tokio::join!(first.run(), second.run());
    assert_eq!((a.phase.as_str(), a.message), ("Successful", b.message));
    drop(one);
    assert_eq!(second.run().await.phase, "Successful");
}

/// The form that the documents show for those without cert-manager.
#[tokio::test]
async fn the_certificate_that_our_script_makes_is_trusted() {
    let cluster = Cluster::start().await;
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../manifests/serve/certificate");
    let made = std::process::Command::new(script).arg(cluster.path()).arg("localhost").output().unwrap();
    let said = String::from_utf8(made.stdout).unwrap();
    assert!(said.contains("kubectl create secret tls phasegate-tls"), "{said}");
    let server = cluster.serve(&[]);
    // What the plugin trusts is the CA, beside it.
    fs::copy(cluster.path().join("ca.crt"), cluster.path().join("tls.crt")).unwrap();
    let host = cluster.plugin(&format!("https://localhost:{}", server.questions.port())).await;
    assert_eq!(host.run().await.phase, "Running");
    let other = cluster.plugin(&server.endpoint()).await;
    other.undecided("certificate").await;
}

#[tokio::test]
async fn without_a_certificate_it_says_which_file_it_wants() {
    let cluster = Cluster::start().await;
    let kubeconfig = cluster.api.kubeconfig(cluster.path(), &json!({}));
    fs::remove_file(cluster.path().join("tls.key")).unwrap();
    let Err(said) = Server::try_start(&kubeconfig, cluster.path(), &[]) else { panic!("it serves") };
    assert!(said.contains("cannot serve without a certificate") && said.contains("tls.key"), "{said}");
}

#[tokio::test]
async fn health_and_reflection_answer_whoever_asks() {
    use tonic::transport::{Certificate, Channel, ClientTlsConfig};
    use tonic_health::pb::{HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient};
    use tonic_reflection::pb::v1::{
        ServerReflectionRequest, server_reflection_client::ServerReflectionClient,
        server_reflection_request::MessageRequest, server_reflection_response::MessageResponse,
    };

    let cluster = Cluster::start().await;
    let server = cluster.serve(&[]);
    let trusted = fs::read(cluster.path().join("tls.crt")).unwrap();
    let tls = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(trusted));
    let channel = Channel::from_shared(server.endpoint()).unwrap().tls_config(tls).unwrap().connect().await.unwrap();
    let mut health = HealthClient::new(channel.clone());
    for service in ["", "phasegate.step.v1.StepPlugin"] {
        let answer = health.check(HealthCheckRequest { service: service.to_owned() }).await.unwrap();
        assert_eq!(answer.into_inner().status(), ServingStatus::Serving, "{service:?}");
    }
    let question = ServerReflectionRequest {
        host: String::new(),
        message_request: Some(MessageRequest::ListServices(String::new())),
    };
    let mut reflection = ServerReflectionClient::new(channel);
    let answer = reflection.server_reflection_info(futures::stream::iter([question])).await.unwrap();
    let answer = answer.into_inner().message().await.unwrap().unwrap();
    let Some(MessageResponse::ListServicesResponse(listed)) = answer.message_response else { panic!("{answer:?}") };
    let names: Vec<_> = listed.service.into_iter().map(|service| service.name).collect();
    assert!(names.contains(&"phasegate.step.v1.StepPlugin".to_owned()), "{names:?}");
}

/// Both requests of `renew-token`, in the namespace of the kubeconfig.
const TOKEN_REQUEST: &str = "/api/v1/namespaces/default/serviceaccounts/phasegate-asker/token";
const TOKEN_SECRET: &str = "/api/v1/namespaces/default/secrets/phasegate-asker";

#[tokio::test]
async fn a_token_is_renewed_in_its_secret_and_shown_to_nobody() {
    let (api, directory) = (Api::start().await, tempfile::tempdir().unwrap());
    let kubeconfig = api.kubeconfig(directory.path(), &json!({}));
    let renew = async || {
        let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_phasegate-rollouts"));
        let output = command.arg("renew-token").env("KUBECONFIG", &kubeconfig).output().await.unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(output.stdout.is_empty() && !said.contains("s3cret"), "{said}");
        (output.status.success(), said)
    };
    let given = |token: &str| {
        json!({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "metadata": {},
            "spec": {"audiences": ["phasegate"]},
            "status": {"token": token, "expirationTimestamp": "2030-01-02T03:04:05Z"}})
    };
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "phasegate-asker"}});

    let (renewed, said) = renew().await;
    assert!(!renewed && said.contains("gives no token of the service account phasegate-asker"), "{said}");
    for empty in [given(""), json!({"metadata": {}, "spec": {"audiences": []}})] {
        api.set(TOKEN_REQUEST, Says::Object(empty));
        let (renewed, said) = renew().await;
        assert!(!renewed && said.contains("holds no token"), "{said}");
    }
    api.set(TOKEN_REQUEST, Says::Object(given("s3cret")));
    let (renewed, said) = renew().await;
    assert!(!renewed && said.contains("cannot be written into the Secret phasegate-asker"), "{said}");
    api.set(TOKEN_SECRET, Says::Object(secret));
    let (renewed, said) = renew().await;
    assert!(renewed && said.contains("2030-01-02T03:04:05Z"), "{said}");

    let sent = api.sent();
    let last = |path: &str| sent.iter().rev().find(|(asked, _)| asked == path).unwrap().1.clone();
    let spec = &last(TOKEN_REQUEST)["spec"];
    assert_eq!((&spec["audiences"], &spec["expirationSeconds"]), (&json!(["phasegate"]), &json!(48 * 3600)));
    // Whoever deletes the Secret revokes the token.
    assert_eq!(spec["boundObjectRef"], json!({"apiVersion": "v1", "kind": "Secret", "name": "phasegate-asker"}));
    assert_eq!(last(TOKEN_SECRET)["stringData"], json!({"token": "s3cret"}));
}
