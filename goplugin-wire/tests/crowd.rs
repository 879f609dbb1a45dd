//! Many questions that wait for one thing are answered at one moment: what that costs on the connection.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a failed test should panic"
)]

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use futures::future::join_all;
use goplugin_wire::host::Host;
use goplugin_wire::{Limits, Schema, Value, serve_connection};
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf, duplex};
use tokio::time::sleep;

mod shapes;
use shapes::shapes;

/// The plugin's end of a connection, on which its writes are counted.
struct Counting {
    pipe: DuplexStream,
    writes: Arc<AtomicUsize>,
}

impl AsyncRead for Counting {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.pipe).poll_read(context, into)
    }
}

impl AsyncWrite for Counting {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.writes.fetch_add(1, Ordering::SeqCst);
        Pin::new(&mut self.pipe).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.pipe).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.pipe).poll_shutdown(context)
    }
}

#[tokio::test(start_paused = true)]
async fn answers_of_one_moment_leave_in_one_write() {
    let (ours, pipe) = duplex(64 * 1024);
    let writes = Arc::<AtomicUsize>::default();
    let theirs = Counting { pipe, writes: Arc::clone(&writes) };
    let host = Host::connect(ours, Limits::default());
    tokio::spawn(serve_connection(theirs, shapes(), Limits::default()));
    let plugin = host.dispense("shapes").await.unwrap();
    let asked = join_all((0..7).map(|_| plugin.call("Slow", &Schema::Int, Value::Int(100))));
    let before = async {
        sleep(Duration::from_millis(50)).await;
        writes.load(Ordering::SeqCst)
    };
    let (answers, before) = tokio::join!(asked, before);
    assert_eq!(answers, vec![Ok(Value::Int(100)); 7]);
    assert_eq!(writes.load(Ordering::SeqCst) - before, 1);
}
