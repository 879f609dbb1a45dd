//! `kubectl`, as a person would use it.

use std::{
    io::Write,
    process::Stdio,
    time::{Duration, Instant},
};

use tokio::{io::AsyncWriteExt, process::Command};

/// No single command takes longer than the slowest of them: the last look at every row.
const PATIENCE: Duration = Duration::from_secs(120);

/// Runs it with something on its input, and gives what it said, or what it complained about.
pub(crate) async fn kubectl_with(arguments: &[&str], input: &[u8]) -> Result<String, String> {
    let mut child = Command::new("kubectl")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("kubectl is on the PATH; tests/cluster/run puts it there");
    let mut stdin = child.stdin.take().unwrap();
    let told = async move {
        // A command that does not listen ends early; what it says then is what counts.
        let _ = stdin.write_all(input).await;
        drop(stdin);
    };
    let ((), output) = tokio::time::timeout(PATIENCE, async { tokio::join!(told, child.wait_with_output()) })
        .await
        .map_err(|_| format!("kubectl {} took more than {PATIENCE:?}", arguments.join(" ")))?;
    let output = output.unwrap();
    if output.status.success() {
        Ok(String::from_utf8(output.stdout).unwrap())
    } else {
        Err(format!("kubectl {}: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr).trim()))
    }
}

/// Runs it.
pub(crate) async fn kubectl(arguments: &[&str]) -> Result<String, String> {
    kubectl_with(arguments, b"").await
}

/// Asks again and again until there is an answer.
///
/// # Panics
/// When there is none in time, with why there was none the last time.
pub(crate) async fn until<T>(what: &str, within: Duration, mut ask: impl AsyncFnMut() -> Result<T, String>) -> T {
    let started = now();
    let mut rest = Duration::from_millis(300);
    loop {
        match ask().await {
            Ok(answer) => return answer,
            Err(why) if started.elapsed() > within => panic!("{what}: not in {within:?}; last seen: {why}"),
            Err(_) => tokio::time::sleep(rest).await,
        }
        rest = (rest * 3 / 2).min(Duration::from_secs(1));
    }
}

/// The tests' own clock, for how long a person would have waited.
pub(crate) fn now() -> Instant {
    #[expect(clippy::disallowed_methods, reason = "how long a person would have waited")]
    Instant::now()
}

/// For the person who runs the tests, also when they pass.
pub(crate) fn tell(scenario: &str, what: std::fmt::Arguments<'_>) {
    let _ = writeln!(std::io::stderr(), "{scenario}: {what}");
}
