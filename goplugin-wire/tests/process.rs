//! A real process over a real socket: this binary is host and plugin. Started with the cookie it is the plugin.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "a failed test should panic, and this one has no harness to print for it"
)]

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

use goplugin_wire::host::CallError;
use goplugin_wire::host::process::{Launch, LaunchError, Process};
use goplugin_wire::{Handshake, Schema, ServeConfig, Value, serve, socket_directory};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::net::UnixStream;
use tokio::time::timeout;

mod shapes;
mod wire;
use shapes::shapes;
use wire::{Frame, GO_AWAY};

const COOKIE: &str = "SHAPES_PLUGIN";
const PATIENCE: &str = "SHAPES_CONNECT_WITHIN_MS";

fn handshake() -> Handshake {
    Handshake { protocol_version: 1, cookie_key: COOKIE.into(), cookie_value: "round".into() }
}

#[expect(clippy::disallowed_methods, reason = "the main function of a test")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

fn main() -> ExitCode {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    if let Some(cookie) = variable(COOKIE) {
        return runtime.block_on(plugin(cookie));
    }
    runtime.block_on(async {
        let bounded = timeout(Duration::from_secs(60), host());
        bounded.await.expect("the whole test takes a few seconds");
    });
    ExitCode::SUCCESS
}

async fn plugin(cookie: String) -> ExitCode {
    let directory = socket_directory(variable("PLUGIN_UNIX_SOCKET_DIR").as_deref(), variable("TMPDIR").as_deref());
    let mut config = ServeConfig::new(handshake(), Some(cookie), directory);
    if let Some(patience) = variable(PATIENCE) {
        config.connect_within = Duration::from_millis(patience.parse().unwrap());
    }
    match serve(config, shapes(), &mut std::io::stdout()).await {
        Ok(ended) => {
            eprintln!("{ended:?}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn host() {
    answers_quits_and_leaves_nothing_behind().await;
    refuses_a_second_connection_and_serves_the_first().await;
    ignores_an_interrupt().await;
    leaves_when_its_host_is_gone().await;
    a_kill_in_mid_call_is_told_to_the_caller().await;
    refuses_a_wrong_cookie().await;
    waits_for_its_host_but_not_for_ever().await;
    refuses_a_socket_path_that_is_too_long().await;
}

/// A directory for sockets, with a name short enough for one.
fn sockets() -> tempfile::TempDir {
    tempfile::Builder::new().prefix("gpw").tempdir().unwrap()
}

fn launch(sockets: &Path) -> Launch {
    let mut launch = Launch::new(std::env::current_exe().unwrap());
    launch.environment = vec![("PLUGIN_UNIX_SOCKET_DIR".into(), sockets.into())];
    launch
}

async fn start(sockets: &Path) -> Process {
    Process::start(launch(sockets), &handshake()).await.unwrap()
}

fn socket_of(process: &Process) -> PathBuf {
    process.line().split('|').nth(3).unwrap().into()
}

fn is_empty(directory: &Path) -> bool {
    directory.read_dir().unwrap().next().is_none()
}

async fn answers_quits_and_leaves_nothing_behind() {
    let sockets = sockets();
    let process = start(sockets.path()).await;
    let socket = socket_of(&process);
    assert_eq!(process.line(), format!("1|1|unix|{}|netrpc|", socket.display()));
    let mode = socket.parent().unwrap().metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700, "nobody else may connect");
    let plugin = process.host().dispense("shapes").await.unwrap();
    assert_eq!(plugin.call("Slow", &Schema::Int, Value::Int(1)).await, Ok(Value::Int(1)));
    let status = process.quit().await.unwrap();
    assert!(status.success(), "{status}");
    assert!(is_empty(sockets.path()));
}

async fn refuses_a_second_connection_and_serves_the_first() {
    let sockets = sockets();
    let process = start(sockets.path()).await;
    process.host().ping().await.unwrap();
    for _ in 0..3 {
        let mut second = UnixStream::connect(socket_of(&process)).await.unwrap();
        let mut said = Vec::new();
        second.read_to_end(&mut said).await.unwrap();
        assert_eq!(said, Frame::new(GO_AWAY, 0, 0, 0).bytes());
    }
    process.host().ping().await.unwrap();
    process.quit().await.unwrap();
}

async fn ignores_an_interrupt() {
    let sockets = sockets();
    let process = start(sockets.path()).await;
    let id = process.id().unwrap().to_string();
    for _ in 0..2 {
        assert!(Command::new("sh").args(["-c", &format!("kill -INT {id}")]).status().unwrap().success());
        process.host().ping().await.unwrap();
    }
    assert!(process.quit().await.unwrap().success());
}

async fn leaves_when_its_host_is_gone() {
    let sockets = sockets();
    let mut child = tokio::process::Command::new(std::env::current_exe().unwrap())
        .env(COOKIE, "round")
        .env("PLUGIN_UNIX_SOCKET_DIR", sockets.path())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).await.unwrap();
    drop(UnixStream::connect(line.split('|').nth(3).unwrap()).await.unwrap());
    let output = child.wait_with_output().await.unwrap();
    assert!(output.status.success());
    assert_eq!(String::from_utf8_lossy(&output.stderr), "Disconnected\n");
    assert!(is_empty(sockets.path()));
}

async fn a_kill_in_mid_call_is_told_to_the_caller() {
    let sockets = sockets();
    let mut process = start(sockets.path()).await;
    let plugin = process.host().dispense("shapes").await.unwrap();
    let hanging = tokio::spawn(async move { plugin.call("Never", &Schema::Int, Value::Int(1)).await });
    process.host().ping().await.unwrap();
    process.kill().await.unwrap();
    assert!(matches!(hanging.await.unwrap(), Err(CallError::ShutDown { .. })));
    // The directory of the dead is in nobody's way.
    let next = start(sockets.path()).await;
    next.host().ping().await.unwrap();
    next.quit().await.unwrap();
}

async fn refuses_a_wrong_cookie() {
    let sockets = sockets();
    let wrong = Handshake { cookie_value: "square".into(), ..handshake() };
    match Process::start(launch(sockets.path()), &wrong).await {
        Err(LaunchError::NoLine { status }) => assert_eq!(status, "exit status: 1"),
        other => panic!("{other:?}"),
    }
    let said = Command::new(std::env::current_exe().unwrap()).env(COOKIE, "square").output().unwrap();
    assert!(said.stdout.is_empty());
    let said = String::from_utf8(said.stderr).unwrap();
    assert!(said.contains("`SHAPES_PLUGIN` has another value than `round`"), "{said}");
    assert!(is_empty(sockets.path()));
}

async fn waits_for_its_host_but_not_for_ever() {
    let sockets = sockets();
    let child = tokio::process::Command::new(std::env::current_exe().unwrap())
        .env(COOKIE, "round")
        .env(PATIENCE, "50")
        .env("PLUGIN_UNIX_SOCKET_DIR", sockets.path())
        .output();
    let output = child.await.unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(String::from_utf8_lossy(&output.stderr), "no host connected within 0 s\n");
    assert!(is_empty(sockets.path()));
}

async fn refuses_a_socket_path_that_is_too_long() {
    let sockets = sockets();
    let deep = sockets.path().join("d".repeat(100));
    std::fs::create_dir(&deep).unwrap();
    let output = Command::new(std::env::current_exe().unwrap())
        .env(COOKIE, "round")
        .env("PLUGIN_UNIX_SOCKET_DIR", &deep)
        .output()
        .unwrap();
    assert!(output.stdout.is_empty());
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("set PLUGIN_UNIX_SOCKET_DIR to a shorter directory"), "{said}");
    assert!(is_empty(&deep));
}
