//! Moves bytes between a connection and either end of a session, and lets time pass in it. What the bytes mean is not
//! known here.

use std::io;
use std::pin::Pin;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::time::{Instant, Sleep, sleep_until};

/// Bytes read or written at once.
const CHUNK: usize = 32 * 1024;

/// Small frames that may wait for a peer that does not read them, before it is not read from any more.
const LONGEST_BACKLOG: usize = 64 * 1024;

/// An end of a session, as the driver sees it.
pub(crate) trait Endpoint {
    type Error: From<io::Error>;

    fn receive(&mut self, now: Duration, bytes: &[u8]) -> Result<(), Self::Error>;
    fn take_output(&mut self, enough: usize) -> Result<Vec<u8>, Self::Error>;
    fn backlog(&self) -> usize;
    fn deadline(&self) -> Duration;
    fn tick(&mut self, now: Duration) -> Result<(), Self::Error>;
}

/// What [`Wire::advance`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    Moved,
    /// The peer closed the connection.
    Closed,
}

/// A connection and what is on its way out.
#[derive(Debug)]
pub(crate) struct Wire<T> {
    reader: ReadHalf<T>,
    writer: WriteHalf<T>,
    started: Instant,
    /// Set anew only when the deadline moves, which is rare beside the bytes that come and go.
    timer: Pin<Box<Sleep>>,
    input: Vec<u8>,
    output: Vec<u8>,
    written: usize,
}

impl<T: AsyncRead + AsyncWrite> Wire<T> {
    pub(crate) fn new(connection: T) -> Self {
        let (reader, writer) = tokio::io::split(connection);
        let started = Instant::now();
        let timer = Box::pin(sleep_until(started));
        Self { reader, writer, started, timer, input: vec![0; CHUNK], output: Vec::new(), written: 0 }
    }

    /// Does one thing: reads, writes, or waits for the endpoint's deadline. May be dropped at any await: nothing is lost.
    pub(crate) async fn advance<E: Endpoint>(&mut self, endpoint: &mut E) -> Result<Progress, E::Error> {
        if self.is_flushed() {
            self.output = endpoint.take_output(CHUNK)?;
            self.written = 0;
        }
        let waiting = self.output.get(self.written..).unwrap_or_default();
        let deadline = self.started + endpoint.deadline();
        if self.timer.deadline() != deadline {
            self.timer.as_mut().reset(deadline);
        }
        tokio::select! {
            written = self.writer.write(waiting), if !waiting.is_empty() => {
                match written? {
                    0 => return Err(io::Error::from(io::ErrorKind::WriteZero).into()),
                    count => self.written += count,
                }
            }
            read = self.reader.read(&mut self.input), if endpoint.backlog() < LONGEST_BACKLOG => {
                let count = read?;
                if count == 0 {
                    return Ok(Progress::Closed);
                }
                endpoint.receive(self.started.elapsed(), self.input.get(..count).unwrap_or_default())?;
            }
            () = self.timer.as_mut() => endpoint.tick(self.started.elapsed())?,
        }
        Ok(Progress::Moved)
    }

    /// Whether everything taken from the endpoint is written.
    pub(crate) fn is_flushed(&self) -> bool {
        self.written >= self.output.len()
    }

    /// Writes what is left, last words included, and closes our half. For a session that is over.
    pub(crate) async fn close<E: Endpoint>(&mut self, endpoint: &mut E) -> Result<(), E::Error> {
        let mut rest = self.output.split_off(self.written.min(self.output.len()));
        rest.extend(endpoint.take_output(CHUNK)?);
        self.writer.write_all(&rest).await?;
        Ok(self.writer.shutdown().await?)
    }
}
