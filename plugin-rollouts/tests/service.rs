//! The tonic service over a real transport: a client on loopback, the gate behind it, and Kubernetes and a ledger that
//! say what they are told to.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failed test should panic")]

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use phase_ledger::{DatabaseUrl, LedgerReader, ReadError, memory::Memory};
use plugin_rollouts::{
    gate::{Clock, Gate, Limits},
    grpc::service::StepService,
    ports::{Access, AccessKey, DatabaseRef, Databases, Ledgers, Place, StableVersion, VersionRef},
    template::PodTemplate,
};
use proto::step::v1::{
    AbortRequest, Phase, Result as StepResult, Rollout, RunRequest, Template, TerminateRequest, run_response::Outcome,
    step_plugin_client::StepPluginClient, step_plugin_server::StepPluginServer,
};
use schema_phases::{Because, Moment};
use tonic::{
    Code,
    transport::{Channel, Server, server::TcpIncoming},
};

struct Always(Memory);

#[async_trait]
impl Databases for Always {
    async fn place(&self, _wanted: &DatabaseRef) -> Result<Place, Because> {
        let url = "sqlite:///customers.db";
        Ok(Place::Declared(Arc::new(Access::new(url.parse().unwrap(), AccessKey::of(url), None))))
    }
}

#[async_trait]
impl StableVersion for Always {
    async fn template(&self, _of: &VersionRef) -> Result<PodTemplate, Because> {
        Ok(PodTemplate::new([("database.phasegate.dev/customers", "")], [], "shop:v1"))
    }
}

#[async_trait]
impl Ledgers for Always {
    async fn open(&self, _url: &DatabaseUrl) -> Result<Box<dyn LedgerReader>, ReadError> {
        Ok(Box::new(self.0.reader()))
    }
}

async fn client() -> StepPluginClient<Channel> {
    let ports = Arc::new(Always(Memory::new()));
    let clock = Clock::starting_at(Moment::from_unix_millis(0));
    let limits = Limits::within(Duration::from_secs(4));
    let gate = Gate::new(Arc::clone(&ports) as _, Arc::clone(&ports) as _, ports, clock, limits);
    let incoming = TcpIncoming::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = incoming.local_addr().unwrap();
    let service = StepPluginServer::new(StepService::new(Arc::new(gate), Arc::default()));
    tokio::spawn(Server::builder().add_service(service).serve_with_incoming(incoming));
    let endpoint = Channel::from_shared(format!("http://{address}")).unwrap();
    StepPluginClient::new(endpoint.connect().await.unwrap())
}

fn rollout() -> Rollout {
    Rollout {
        namespace: "store".into(),
        name: "shop".into(),
        uid: "uid-1".into(),
        template: Some(Template {
            labels: [("database.phasegate.dev/customers".to_owned(), String::new())].into(),
            annotations: [("supports.phasegate.dev/customers".to_owned(), "split-full-name".to_owned())].into(),
            image: "shop:v2".into(),
        }),
        stable_pod_hash: "66c5f".into(),
        canary_pod_hash: "7d4b9".into(),
        step_index: Some(0),
    }
}

fn check(result: Option<StepResult>, phase: Phase, says: &str) {
    let result = result.unwrap();
    assert_eq!(result.phase(), phase);
    assert!(result.message.contains(says), "{}", result.message);
}

#[tokio::test]
async fn a_question_is_answered_over_the_wire() {
    let mut client = client().await;
    let request = RunRequest { rollout: Some(rollout()), ..RunRequest::default() };
    let Some(Outcome::Result(result)) = client.run(request).await.unwrap().into_inner().outcome else {
        panic!("a result")
    };
    assert_eq!(result.requeue_after_seconds, 15);
    assert!(result.status.starts_with(br#"{"version":1,"verdict":"wait""#));
    check(Some(result), Phase::Running, "the database customers has no ledger yet");
}

#[tokio::test]
async fn a_broken_config_is_undecided_and_names_the_field() {
    let mut client = client().await;
    let config = br#"{"databses":["customers"]}"#.to_vec();
    let request = RunRequest { rollout: Some(rollout()), config, status: vec![0xff] };
    let Some(Outcome::Undecided(told)) = client.run(request).await.unwrap().into_inner().outcome else {
        panic!("undecided")
    };
    assert!(told.message.contains("unknown field `databses`"), "{}", told.message);
}

#[tokio::test]
async fn what_is_not_whole_is_an_invalid_argument() {
    let mut client = client().await;
    let nameless = Some(Rollout { name: String::new(), ..rollout() });
    for rollout in [None, nameless] {
        let refused = [
            client.run(RunRequest { rollout: rollout.clone(), ..RunRequest::default() }).await.err(),
            client.abort(AbortRequest { rollout: rollout.clone() }).await.err(),
            client.terminate(TerminateRequest { rollout }).await.err(),
        ];
        for status in refused {
            assert_eq!(status.unwrap().code(), Code::InvalidArgument);
        }
    }
}

#[tokio::test]
async fn ends_are_answered_at_once_since_there_is_nothing_to_undo() {
    let mut client = client().await;
    let aborted = client.abort(AbortRequest { rollout: Some(rollout()) }).await.unwrap().into_inner();
    check(aborted.result, Phase::Successful, "nothing to undo");
    let promoted = client.terminate(TerminateRequest { rollout: Some(rollout()) }).await.unwrap().into_inner();
    check(promoted.result, Phase::Successful, "promoted past the gate");
}
