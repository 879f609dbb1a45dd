//! The host's side, for tests and demonstrations that load a real plugin: a driver over [`session::HostSession`], and
//! [`process`], which starts the plugin. It speaks what a Go host speaks, byte by byte.

pub mod process;
pub mod session;

use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{mpsc, oneshot};

use self::session::{AskId, HostSession, HostSessionError, PluginId};
use crate::driver::{Endpoint, Progress, Wire};
use crate::gob::schema::Schema;
use crate::gob::value::Value;
use crate::limits::Limits;
pub use session::CallError;

/// Questions that may wait for the driver.
const QUEUE: usize = 256;

/// A connection to a plugin. Cloning it is cheap; the connection ends when the last clone is dropped.
#[derive(Clone, Debug)]
pub struct Host {
    questions: mpsc::Sender<Question>,
}

/// A dispensed plugin, to be called.
#[derive(Clone, Debug)]
pub struct Plugin {
    host: Host,
    id: PluginId,
}

#[derive(Debug)]
enum Question {
    Control { method: &'static str, schema: Schema, argument: Value, answer: Answer },
    Plugin { plugin: PluginId, method: String, schema: Schema, argument: Value, answer: Answer },
    Dial { number: u32, answer: oneshot::Sender<Option<PluginId>> },
    Finish,
}

type Answer = oneshot::Sender<Result<Value, CallError>>;

impl Host {
    /// Speaks to a plugin over a connection, from a task of its own.
    pub fn connect(connection: impl AsyncRead + AsyncWrite + Send + 'static, limits: Limits) -> Self {
        let (questions, asked) = mpsc::channel(QUEUE);
        tokio::spawn(run(Wire::new(connection), HostSession::new(limits), asked));
        Self { questions }
    }

    /// Gets a plugin by the name it is served under.
    pub async fn dispense(&self, plugin: &str) -> Result<Plugin, CallError> {
        let number = self.control("Dispenser.Dispense", Schema::String, plugin.into()).await?;
        let number = number.as_u64().and_then(|number| u32::try_from(number).ok());
        let number = number.ok_or_else(|| shut_down("the plugin answered Dispense without a number"))?;
        let (answer, answered) = oneshot::channel();
        self.ask(Question::Dial { number, answer }).await?;
        let id = answered.await.map_err(|_| gone())?.ok_or_else(|| shut_down("too many streams are open"))?;
        Ok(Plugin { host: self.clone(), id })
    }

    /// Asks whether the plugin lives.
    pub async fn ping(&self) -> Result<(), CallError> {
        self.control("Control.Ping", Schema::Bool, true.into()).await.map(drop)
    }

    /// Asks the plugin to leave and, once it answered, ends the streams and the connection, as go-plugin's host does.
    pub async fn quit(&self) -> Result<(), CallError> {
        let answered = self.control("Control.Quit", Schema::Bool, true.into()).await.map(drop);
        self.ask(Question::Finish).await?;
        answered
    }

    async fn control(&self, method: &'static str, schema: Schema, argument: Value) -> Result<Value, CallError> {
        let (answer, answered) = oneshot::channel();
        self.ask(Question::Control { method, schema, argument, answer }).await?;
        answered.await.map_err(|_| gone())?
    }

    async fn ask(&self, question: Question) -> Result<(), CallError> {
        self.questions.send(question).await.map_err(|_| gone())
    }
}

impl Plugin {
    /// Calls a method with an argument of the given Go type; `Ok` is the result as decoded.
    pub async fn call(&self, method: &str, schema: &Schema, argument: Value) -> Result<Value, CallError> {
        let (answer, answered) = oneshot::channel();
        let (method, schema) = (method.to_owned(), schema.clone());
        self.host.ask(Question::Plugin { plugin: self.id, method, schema, argument, answer }).await?;
        answered.await.map_err(|_| gone())?
    }
}

fn gone() -> CallError {
    shut_down("the connection was closed")
}

fn shut_down(why: &str) -> CallError {
    CallError::ShutDown { why: why.to_owned() }
}

/// Why the driver stopped; callers are told in words.
#[derive(Debug, Error)]
pub(crate) enum DriverError {
    #[error("the connection failed")]
    Connection(#[from] io::Error),
    #[error(transparent)]
    Session(#[from] HostSessionError),
}

async fn run<T: AsyncRead + AsyncWrite>(
    mut wire: Wire<T>,
    mut session: HostSession,
    mut asked: mpsc::Receiver<Question>,
) {
    let mut answers = BTreeMap::new();
    let why = match drive(&mut wire, &mut session, &mut asked, &mut answers).await {
        Ok(()) => "the connection was closed".to_owned(),
        Err(error) => crate::session::chain(&error),
    };
    session.abandon(&why);
    deliver(&mut session, &mut answers);
    // Say the last words, if somebody is there to hear them.
    let closed = tokio::time::timeout(Duration::from_secs(1), wire.close(&mut session)).await;
    tracing::debug!(why = %why, closed = ?closed.map(|closed| closed.is_ok()), "the host's session ended");
}

async fn drive<T: AsyncRead + AsyncWrite>(
    wire: &mut Wire<T>,
    session: &mut HostSession,
    asked: &mut mpsc::Receiver<Question>,
    answers: &mut BTreeMap<AskId, Answer>,
) -> Result<(), DriverError> {
    let mut finishing = false;
    loop {
        deliver(session, answers);
        if finishing && wire.is_flushed() && !session.has_output() {
            return Ok(());
        }
        tokio::select! {
            progress = wire.advance(session) => {
                if progress? == Progress::Closed {
                    return Ok(());
                }
            }
            question = asked.recv(), if !finishing => match question {
                Some(Question::Control { method, schema, argument, answer }) => {
                    answers.insert(session.ask_control(method, &schema, &argument), answer);
                }
                Some(Question::Plugin { plugin, method, schema, argument, answer }) => {
                    answers.insert(session.ask_plugin(plugin, &method, &schema, &argument), answer);
                }
                // An asker that went away has no use for the stream either; it ends with the session.
                Some(Question::Dial { number, answer }) => drop(answer.send(session.dial(number))),
                Some(Question::Finish) | None => {
                    session.finish();
                    finishing = true;
                }
            },
        }
    }
}

fn deliver(session: &mut HostSession, answers: &mut BTreeMap<AskId, Answer>) {
    while let Some((ask, result)) = session.next_answer() {
        if let Some(answer) = answers.remove(&ask) {
            // Whoever asked may have stopped waiting.
            drop(answer.send(result));
        }
    }
}

impl Endpoint for HostSession {
    type Error = DriverError;

    fn receive(&mut self, _now: Duration, bytes: &[u8]) -> Result<(), DriverError> {
        Ok(Self::receive(self, bytes)?)
    }

    fn take_output(&mut self, enough: usize) -> Result<Vec<u8>, DriverError> {
        Ok(Self::take_output(self, enough))
    }

    fn backlog(&self) -> usize {
        Self::backlog(self)
    }

    fn deadline(&self) -> Duration {
        Self::deadline(self)
    }

    fn tick(&mut self, now: Duration) -> Result<(), DriverError> {
        Ok(Self::tick(self, now)?)
    }
}
