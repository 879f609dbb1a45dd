//! Why a move, or the whole run, did not go on; and what that means for the others.

use phase_ledger::{ReadError, WriteError};
use schema_phases::{ChangeName, Missing, PlanDigest};

use crate::{exit::Exit, report::LockView};

/// Why a move was not made, or not finished.
#[derive(Debug)]
pub(crate) enum Halt {
    /// Live versions, the order of the changes or a loss forbid it. The intent was withdrawn.
    Blocked(Vec<String>),
    /// A fact is missing that may be there next time.
    Undecided(Missing),
    /// Git wants another plan.
    Superseded(PlanDigest),
    /// Somebody asked this process to leave.
    Stopped,
    /// This change cannot go on, and the others can.
    Failed(MoveError),
    /// The old shape is hidden, and its time is not over.
    Soaking {
        /// When it was hidden, by the server's clock.
        since: Option<String>,
        /// How much longer; none until a commit says so.
        left: Option<std::time::Duration>,
    },
    /// The hidden shape was brought back, and that was told.
    TakenBack,
    /// The connection, the lock or the generation is gone: begin anew.
    Lost(String),
}

impl Halt {
    /// What it means for a command that only looks, and why.
    pub(crate) fn told(self) -> (Exit, String) {
        match self {
            Self::Failed(cause) => (cause.exit(), chain(&cause)),
            Self::Lost(why) => (Exit::TryAgain, why),
            Self::Undecided(missing) => (Exit::TryAgain, missing.to_string()),
            Self::Stopped => (Exit::TryAgain, "asked to leave".to_owned()),
            other @ (Self::Blocked(_) | Self::Superseded(_) | Self::Soaking { .. } | Self::TakenBack) => {
                (Exit::TryAgain, format!("{other:?}"))
            }
        }
    }
}

/// Why one change cannot go on.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MoveError {
    /// The change refuses the tables it finds.
    #[error("it cannot be done on this database: {why}")]
    Refused {
        /// What stands in the way, and the remedy.
        why: String,
    },
    /// Rows disagree that must agree.
    #[error(
        "{}, where it must hold that {what}{}; mend {}, then run again. To see all of them: {query}",
        disagreeing(*.count), named(.first), if *.count == 1 { "it" } else { "them" }
    )]
    Disagree {
        /// What must hold.
        what: String,
        /// How many rows.
        count: u64,
        /// The keys of the first ones.
        first: Vec<String>,
        /// The query that shows them.
        query: String,
    },
    /// The data are not what Git says that whole data are.
    #[error("the integrity query {name} does not hold: {why}; mend what it finds, then run again. It asks: {query}")]
    NotWhole {
        /// The query's name.
        name: String,
        /// What it answered, and what would be right.
        why: String,
        /// The query.
        query: String,
    },
    /// What keeps the shapes equal is missing, disabled or altered.
    #[error(
        "{object} on {table} {why}; writes may have gone unsynced: put it back as it was, and the verification will count what it missed"
    )]
    SyncBroken {
        /// The object.
        object: String,
        /// The table it belongs to.
        table: String,
        /// What is wrong with it.
        why: String,
    },
    /// The database is not as the ledger says.
    #[error("the database is not as the ledger says: {}", .what.join("; and "))]
    Drifted {
        /// What is wrong, and what to do, each.
        what: Vec<String>,
    },
    /// Something would let the move fail half-way, or lose something.
    #[error("{}; `phasegate doctor` tells more", .what.join("; and "))]
    Unfit {
        /// What, and what to do, each.
        what: Vec<String>,
    },
    /// The declared checkpoint cannot be made.
    #[error("there is no contract without its checkpoint: {why}")]
    NoCheckpoint {
        /// Why not.
        why: String,
    },
    /// A table could not be locked for long enough.
    #[error("{why}, and this went on for {seconds} s")]
    Busy {
        /// What could not be locked, and who holds it, in a sentence.
        why: String,
        /// The same for programs.
        lock: LockView,
        /// How long it was tried.
        seconds: u64,
    },
    /// A query had no answer in time.
    #[error("{why}, within {seconds} s")]
    Late {
        /// Which, and what the server said.
        why: String,
        /// How long it was given.
        seconds: u64,
    },
    /// A query did not return one number.
    #[error("the query must return one number: {query}")]
    NotANumber {
        /// The query.
        query: String,
    },
    /// The steps done do not belong to the steps there are.
    #[error(
        "the ledger knows of step {done} of a move that has {steps} steps; it was begun by another version of Phasegate: finish it with that one"
    )]
    OtherSteps {
        /// The step in the ledger.
        done: u32,
        /// How many there are.
        steps: usize,
    },
    /// It was edited after it was applied.
    #[error(
        "`{file}` was edited after `{change}` was applied (it is {span}); put it back as it was and write a new change instead"
    )]
    Edited {
        /// The change.
        change: ChangeName,
        /// Its file.
        file: String,
        /// Where it stands.
        span: String,
    },
    /// It vanished in the middle of a move.
    #[error("its file vanished from Git while it was {span}; restore the file, so that the move can be finished")]
    VanishedActing {
        /// Where it stands.
        span: String,
    },
    /// The database refused.
    #[error("{why}")]
    Database {
        /// What it said.
        why: String,
    },
}

fn disagreeing(count: u64) -> String {
    if count == 1 { "1 row disagrees".to_owned() } else { format!("{count} rows disagree") }
}

fn named(first: &[String]) -> String {
    if first.is_empty() { String::new() } else { format!(" (the first: {})", first.join("; ")) }
}

impl MoveError {
    /// Whether it may pass by itself.
    pub(crate) const fn exit(&self) -> Exit {
        match self {
            Self::Busy { .. } | Self::Late { .. } => Exit::TryAgain,
            Self::Refused { .. }
            | Self::Disagree { .. }
            | Self::NotWhole { .. }
            | Self::SyncBroken { .. }
            | Self::Drifted { .. }
            | Self::Unfit { .. }
            | Self::NoCheckpoint { .. }
            | Self::NotANumber { .. }
            | Self::OtherSteps { .. }
            | Self::Edited { .. }
            | Self::VanishedActing { .. }
            | Self::Database { .. } => Exit::Never,
        }
    }
}

impl MoveError {
    /// The lock that could not be had, when that is why.
    pub(crate) const fn lock(&self) -> Option<&LockView> {
        if let Self::Busy { lock, .. } = self { Some(lock) } else { None }
    }
}

impl From<MoveError> for Halt {
    fn from(cause: MoveError) -> Self {
        Self::Failed(cause)
    }
}

impl From<WriteError> for Halt {
    fn from(cause: WriteError) -> Self {
        match cause {
            WriteError::Read(cause) => Self::from(cause),
            refused @ WriteError::Refused { .. } => Self::Failed(MoveError::Database { why: chain(&refused) }),
            lost @ (WriteError::Fenced { .. }
            | WriteError::LockNotAvailable { .. }
            | WriteError::Conflict { .. }
            | WriteError::Transient { .. }) => Self::Lost(chain(&lost)),
        }
    }
}

impl From<ReadError> for Halt {
    fn from(cause: ReadError) -> Self {
        if cause.is_transient() {
            Self::Lost(chain(&cause))
        } else {
            Self::Failed(MoveError::Database { why: chain(&cause) })
        }
    }
}

/// The error and all its causes, joined once, where it is reported.
pub fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let next = cause.to_string();
        // Drivers often say once more what stands beneath them.
        if !text.contains(&next) {
            text = format!("{text}: {next}");
        }
        source = cause.source();
    }
    text
}
