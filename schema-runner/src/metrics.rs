//! What a run has done so far, for Prometheus: a small endpoint that answers every GET with the same page.
//!
//! The numbers come from the events that people are told of, and nothing else knows of them.

use std::{
    fmt::Write as _,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::timeout,
};

use crate::report::{Event, Report};

/// A scrape that takes longer is dropped.
const PATIENCE: Duration = Duration::from_secs(5);
/// No scraper asks for more.
const LONGEST_REQUEST: usize = 16 * 1024;

/// The numbers of one run.
#[derive(Debug, Default)]
pub struct Metrics {
    rows_done: AtomicU64,
    rows_total: AtomicU64,
    rows_per_second: AtomicU64,
    held: AtomicU64,
    moves: AtomicU64,
    blocked: AtomicU64,
    failed: AtomicU64,
    lock_waits: AtomicU64,
    retries: AtomicU64,
    violations: AtomicU64,
}

impl Metrics {
    fn count(&self, event: &Event) {
        let add = |counter: &AtomicU64| {
            counter.fetch_add(1, Ordering::Relaxed);
        };
        let set = |gauge: &AtomicU64, value: u64| gauge.store(value, Ordering::Relaxed);
        match event {
            Event::Progress { backfill, .. } => {
                set(&self.rows_done, backfill.rows_done);
                set(&self.rows_total, backfill.rows_total);
                set(&self.rows_per_second, backfill.rows_per_second);
                set(&self.held, backfill.held.is_some().into());
            }
            Event::Held { .. } => set(&self.held, 1),
            Event::Released { .. } => set(&self.held, 0),
            Event::Reached { .. } => add(&self.moves),
            Event::Blocked { .. } => add(&self.blocked),
            Event::Failed { .. } => add(&self.failed),
            Event::LockWait { .. } => add(&self.lock_waits),
            Event::Retrying { .. } => add(&self.retries),
            Event::Violation { .. } => add(&self.violations),
            Event::Begun { .. }
            | Event::LockHeld { .. }
            | Event::TookOver { .. }
            | Event::Withdrawn { .. }
            | Event::Resumed { .. }
            | Event::Moving { .. }
            | Event::StepDone { .. }
            | Event::Filled { .. }
            | Event::Bloat { .. }
            | Event::Vanished { .. }
            | Event::Forgotten { .. }
            | Event::Soaking { .. }
            | Event::Checkpoint { .. }
            | Event::TakenBack { .. }
            | Event::Superseded { .. }
            | Event::Finished { .. } => {}
        }
    }

    /// The page, in Prometheus' text format.
    pub fn page(&self) -> String {
        let all = [
            ("backfill_rows_done", "gauge", "Rows of the backfill in hand that are done", &self.rows_done),
            ("backfill_rows", "gauge", "Rows of the backfill in hand, as estimated when it began", &self.rows_total),
            ("backfill_rows_per_second", "gauge", "Rows per second over the last seconds", &self.rows_per_second),
            ("backfill_held", "gauge", "1 while the backfill rests: a throttle, or paused by hand", &self.held),
            ("moves_total", "counter", "Moves finished", &self.moves),
            ("moves_blocked_total", "counter", "Moves that live versions or an earlier change blocked", &self.blocked),
            ("moves_failed_total", "counter", "Moves that failed", &self.failed),
            ("lock_waits_total", "counter", "Locks that could not be had for a while", &self.lock_waits),
            ("retries_total", "counter", "Attempts that began anew after a failure that may pass", &self.retries),
            ("violations_total", "counter", "Running versions seen outside their windows", &self.violations),
        ];
        let mut page = String::new();
        for (name, kind, help, value) in all {
            let value = value.load(Ordering::Relaxed);
            // Writing to a String cannot fail.
            let _ = write!(
                page,
                "# HELP phasegate_run_{name} {help}.\n# TYPE phasegate_run_{name} {kind}\nphasegate_run_{name} {value}\n"
            );
        }
        page
    }
}

/// Counts what it is told, and tells it on.
pub struct Counting<R> {
    inner: R,
    metrics: Arc<Metrics>,
}

impl<R> Counting<R> {
    /// In front of another report.
    pub fn new(inner: R, metrics: Arc<Metrics>) -> Self {
        Self { inner, metrics }
    }
}

impl<R: Report> Report for Counting<R> {
    fn tell(&self, event: &Event) {
        self.metrics.count(event);
        self.inner.tell(event);
    }
}

/// Begins to answer scrapes, for as long as the runtime lasts. Returns the address, whose port may have been left open.
///
/// # Errors
/// When nobody may listen there.
pub async fn serve(address: SocketAddr, metrics: Arc<Metrics>) -> std::io::Result<SocketAddr> {
    let listener = TcpListener::bind(address).await?;
    let bound = listener.local_addr()?;
    tokio::spawn(async move {
        loop {
            match listener.accept().await {
                Ok((stream, _)) => {
                    let metrics = Arc::clone(&metrics);
                    tokio::spawn(async move {
                        // A scraper that goes away is no concern of the run.
                        let _ = timeout(PATIENCE, answer(stream, &metrics)).await;
                    });
                }
                // Out of file descriptors, say: that must not become a busy loop.
                Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
            }
        }
    });
    Ok(bound)
}

async fn answer(mut stream: TcpStream, metrics: &Metrics) -> std::io::Result<()> {
    let mut request = Vec::new();
    let mut piece = [0; 1024];
    while !request.windows(4).any(|end| end == b"\r\n\r\n") {
        let read = stream.read(&mut piece).await?;
        if read == 0 || request.len() + read > LONGEST_REQUEST {
            return Ok(());
        }
        request.extend_from_slice(piece.get(..read).unwrap_or_default());
    }
    let (status, body) = if request.starts_with(b"GET ") {
        ("200 OK", metrics.page())
    } else {
        ("405 Method Not Allowed", String::new())
    };
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(body.as_bytes()).await?;
    stream.shutdown().await
}

#[cfg(test)]
mod tests {
    use schema_phases::{Move, SchemaPhase};

    use super::*;
    use crate::report::{BackfillView, Kept};

    async fn asked(address: SocketAddr, request: &[u8]) -> String {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(request).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    #[tokio::test]
    async fn a_scrape_shows_what_the_run_was_told() {
        let metrics = Arc::new(Metrics::default());
        let address = serve("127.0.0.1:0".parse().unwrap(), Arc::clone(&metrics)).await.unwrap();
        let counting = Counting::new(Kept::default(), metrics);
        let (change, step) = ("split".parse().unwrap(), Move::new(SchemaPhase::Synced, SchemaPhase::Migrated).unwrap());
        let backfill = BackfillView {
            table: "secret_table".into(),
            rows_done: 7,
            rows_total: 9,
            rows_per_second: 3,
            held: Some("night".into()),
        };
        counting.tell(&Event::Progress { change, step, backfill });
        counting.tell(&Event::Retrying { why: "x".into(), after: Duration::ZERO });
        counting.tell(&Event::Retrying { why: "x".into(), after: Duration::ZERO });
        assert_eq!(counting.inner.events().len(), 3, "they are told on");
        let answer = asked(address, b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n").await;
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        for line in [
            "phasegate_run_backfill_rows_done 7\n",
            "phasegate_run_backfill_rows 9\n",
            "phasegate_run_backfill_rows_per_second 3\n",
            "phasegate_run_backfill_held 1\n",
            "# TYPE phasegate_run_retries_total counter\nphasegate_run_retries_total 2\n",
        ] {
            assert!(answer.contains(line), "{line} in {answer}");
        }
        assert!(!answer.contains("secret_table") && !answer.contains("split"), "no names of anybody's objects");
        assert!(asked(address, b"POST / HTTP/1.1\r\n\r\n").await.starts_with("HTTP/1.1 405"));
        // What is no request gets no answer, and the next one is answered.
        assert_eq!(asked(address, &vec![b'x'; LONGEST_REQUEST + 1]).await, "");
        assert!(asked(address, b"GET / HTTP/1.1\r\n\r\n").await.contains("retries_total 2"));
    }
}
