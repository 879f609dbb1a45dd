//! What Argo is told when the gate elsewhere has a certificate that is trusted, and says what no gate of ours says.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a failed test should panic"
)]

mod support;

use std::{
    future::pending,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{Router, http::header::CONTENT_TYPE};
use goplugin_wire::{Call, Service};
use plugin_rollouts::{
    front::Front,
    grpc::remote::{Remote, RemoteSettings},
    serve::{
        certificate::{Certificate, CertificateFiles},
        listen::{self, Transport},
    },
};
use proto::step::v1::{
    AbortRequest, AbortResponse, Phase, Result as StepResult, RunRequest, RunResponse, TerminateRequest,
    TerminateResponse, Undecided,
    run_response::Outcome,
    step_plugin_server::{StepPlugin, StepPluginServer},
};
use support::{Canary, StepTold, argument, server::certify};
use tempfile::TempDir;
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    sync::watch,
};
use tonic::{Code, Request, Response, Status};

#[derive(Clone)]
enum Says {
    This(RunResponse),
    Fails(Code),
    Nothing,
    Late(RunResponse),
}

/// A gate that says what it is told to.
#[derive(Clone)]
struct Liar(Arc<Mutex<Says>>);

#[tonic::async_trait]
impl StepPlugin for Liar {
    async fn run(&self, _: Request<RunRequest>) -> Result<Response<RunResponse>, Status> {
        let says = self.0.lock().unwrap().clone();
        match says {
            Says::This(response) => Ok(Response::new(response)),
            Says::Fails(code) => Err(Status::new(code, "as it likes")),
            Says::Nothing => pending().await,
            Says::Late(response) => {
                tokio::time::sleep(Duration::from_secs(3_600)).await;
                Ok(Response::new(response))
            }
        }
    }

    async fn terminate(&self, _: Request<TerminateRequest>) -> Result<Response<TerminateResponse>, Status> {
        Err(Status::internal("nobody asks it"))
    }

    async fn abort(&self, _: Request<AbortRequest>) -> Result<Response<AbortResponse>, Status> {
        Err(Status::internal("nobody asks it"))
    }
}

/// A front that asks the server behind it, whose certificate it trusts.
struct Asking {
    front: Front<Remote>,
    _directory: TempDir,
    _open: watch::Sender<bool>,
}

impl Asking {
    async fn of(router: Router) -> Self {
        Self::on(router, false).await
    }

    /// With a detour, the first connection leads nowhere.
    async fn on(router: Router, detour: bool) -> Self {
        let directory = tempfile::tempdir().unwrap();
        certify(directory.path(), (2020, 2100));
        let file = |name: &str| directory.path().join(name);
        std::fs::write(file("token"), "a.b.c").unwrap();
        let files = CertificateFiles { certificate: file("tls.crt"), key: file("tls.key") };
        let tls = Certificate::read(files).unwrap().tls().unwrap();
        let listener = listen::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let address = listener.local_addr().unwrap();
        let endpoint = format!("https://{}", if detour { first_to_nowhere(address).await } else { address });
        let (open, end) = watch::channel(false);
        tokio::spawn(listen::serve(listener, Transport::Tls(Arc::new(tls)), router, end));
        let settings = RemoteSettings {
            endpoint,
            ca_file: file("tls.crt"),
            token_file: file("token"),
            patience: Duration::from_millis(1_500),
        };
        Self { front: Front::new(Remote::new(settings)), _directory: directory, _open: open }
    }

    async fn run(&self) -> StepTold {
        let (_, argument) = argument("Run", &Canary::default(), "{}", b"");
        let call = Call { plugin: "RpcStepPlugin".to_owned(), method: "Run".to_owned(), argument };
        StepTold::of(&self.front.call(call).await.unwrap().value)
    }

    async fn undecided(&self, what: &str) {
        let told = self.run().await;
        assert!(told.phase.is_empty() && told.error.starts_with("undecided: "), "{what}: {told:?}");
        assert!(told.error.len() < 4_096, "{what}: {}", told.error.len());
    }
}

/// A way to a server whose first connection is taken, and never spoken on.
async fn first_to_nowhere(to: SocketAddr) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let _nowhere = listener.accept().await.unwrap();
        while let Ok((mut asker, _)) = listener.accept().await {
            let mut server = TcpStream::connect(to).await.unwrap();
            tokio::spawn(async move { copy_bidirectional(&mut asker, &mut server).await });
        }
    });
    address
}

#[tokio::test]
async fn a_question_whose_time_was_over_leaves_no_dead_connection_to_the_next() {
    let says = Arc::new(Mutex::new(Says::This(result(Phase::Running.into(), "as it is"))));
    let service = StepPluginServer::new(Liar(says));
    let router = Router::new().route_service("/phasegate.step.v1.StepPlugin/{method}", service);
    let asking = Asking::on(router, true).await;
    asking.undecided("a connection to nowhere").await;
    let told = asking.run().await;
    assert_eq!((told.phase.as_str(), told.message.as_str()), ("Running", "as it is"), "{told:?}");
}

fn result(phase: i32, message: &str) -> RunResponse {
    let (message, status) = (message.to_owned(), b"{}".to_vec());
    let result = StepResult { phase, message, requeue_after_seconds: 15, status };
    RunResponse { outcome: Some(Outcome::Result(result)) }
}

#[tokio::test]
async fn whatever_it_says_that_is_no_verdict_is_undecided_and_the_next_question_is_asked_anew() {
    let says = Arc::new(Mutex::new(Says::Nothing));
    let service = StepPluginServer::new(Liar(Arc::clone(&says)));
    let asking = Asking::of(Router::new().route_service("/phasegate.step.v1.StepPlugin/{method}", service)).await;
    let undecided = |message: &str| RunResponse {
        outcome: Some(Outcome::Undecided(Undecided { message: format!("undecided: {message}") })),
    };
    let mut lies = vec![
        ("nothing at all", Says::This(RunResponse { outcome: None })),
        ("no phase", Says::This(result(Phase::Unspecified.into(), "x"))),
        ("a phase that nobody knows", Says::This(result(99, "x"))),
        ("a huge success", Says::This(result(Phase::Successful.into(), &"x".repeat(3_000_000)))),
        ("a huge lack of a decision", Says::This(undecided(&"x".repeat(60_000)))),
        ("silence", Says::Nothing),
        ("a success that comes too late", Says::Late(result(Phase::Successful.into(), "x"))),
    ];
    lies.extend((1..=16).map(|code| ("a status", Says::Fails(Code::from_i32(code)))));
    for (what, lie) in lies {
        *says.lock().unwrap() = lie;
        asking.undecided(what).await;
        // It comes back: nothing of the lie stays.
        *says.lock().unwrap() = Says::This(result(Phase::Running.into(), "as it is"));
        let told = asking.run().await;
        assert_eq!(
            (told.phase.as_str(), told.message.as_str(), told.error.as_str()),
            ("Running", "as it is", ""),
            "{what}"
        );
    }
}

#[tokio::test]
async fn what_is_no_grpc_is_undecided_whatever_it_calls_itself() {
    let bodies = ["", "<html>Successful</html>", "\0\0\0\0\u{7f}{}", "{\"phase\":\"Successful\"}"];
    let huge = "x".repeat(3_000_000);
    for body in bodies.into_iter().chain([huge.as_str()]) {
        for kind in ["application/grpc", "application/grpc+proto", "text/html", "application/json"] {
            let body = body.to_owned();
            let says = move || async move { ([(CONTENT_TYPE, kind)], body) };
            let asking = Asking::of(Router::new().fallback(says)).await;
            asking.undecided(kind).await;
        }
    }
}
