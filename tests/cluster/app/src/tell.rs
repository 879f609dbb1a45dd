//! One HTTP request over one connection of its own, so that a Service decides anew who answers.

use std::{net::SocketAddr, time::Duration};

use anyhow::{Context, ensure};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

/// Nobody waits longer for a page.
const PATIENCE: Duration = Duration::from_secs(10);

/// Nobody answered the call: whatever was to be sent was never sent.
#[derive(Debug, thiserror::Error)]
#[error("cannot connect")]
struct NoConnection(#[source] std::io::Error);

/// Whether a failed request cannot have arrived anywhere.
pub(crate) fn never_arrived(why: &anyhow::Error) -> bool {
    why.downcast_ref::<NoConnection>().is_some()
}

/// Asks, and gives the body of a 200. A body that nobody reads makes a server reset the connection: GET has none.
///
/// # Errors
/// Whatever a user would see as a failure.
pub(crate) async fn ask(to: SocketAddr, method: &str, path: &str, body: &[u8]) -> anyhow::Result<Vec<u8>> {
    timeout(PATIENCE, exchange(to, method, path, body)).await.context("no answer in 10 s")?
}

async fn exchange(to: SocketAddr, method: &str, path: &str, body: &[u8]) -> anyhow::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(to).await.map_err(NoConnection)?;
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: customers\r\nConnection: close\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await.context("cannot send")?;
    stream.write_all(body).await.context("cannot send")?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.context("cut off")?;
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n").context("no whole answer")?;
    let (head, rest) = answer.split_at(end + 4);
    let head = String::from_utf8_lossy(head);
    let length = head
        .lines()
        .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length:").map(str::trim).map(str::to_owned))
        .context("an answer without a length")?;
    ensure!(rest.len() == length.parse::<usize>()?, "an answer cut short");
    ensure!(
        head.starts_with("HTTP/1.1 200 "),
        "{}: {}",
        head.lines().next().unwrap_or(""),
        String::from_utf8_lossy(rest)
    );
    Ok(rest.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_request_that_was_cut_off_may_have_arrived_and_one_without_a_connection_never_did() {
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let to = listener.local_addr().unwrap();
        let (asked, _) = tokio::join!(ask(to, "PUT", "/", b"{}"), async { drop(listener.accept().await.unwrap()) });
        assert!(!never_arrived(&asked.unwrap_err()));
        drop(listener);
        assert!(never_arrived(&ask(to, "PUT", "/", b"{}").await.unwrap_err()));
    }
}
