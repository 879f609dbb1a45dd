//! `phasegate run`: takes a database to the targets Git asks for, change by change, and survives everything that passes.
//!
//! One attempt lasts as long as one connection. Whatever is lost with it, the next attempt takes the lock again, raises
//! the generation, and reads everything anew: ledger, live versions, wanted plan.

use std::{
    collections::BTreeSet,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use async_trait::async_trait;
use phase_ledger::{LedgerState, Probe, ProbeError, ReadError, Reading, Record, Session};
use schema_changes::{Plan, SchemaChange};
use schema_phases::{Because, Currency, Fact, Recovery, SchemaPhase, Span, Target, currency, next_move, recover};
use tokio::time::Instant;

use crate::{
    backfill::throttle::Throttle,
    checkpoint::Checkpoints,
    clock::jittered,
    exit::Exit,
    halt::{Halt, MoveError, chain},
    live::LiveVersions,
    lock::{self, Lock},
    moves::Moves,
    protocol::Attempt,
    report::{Event, Report},
    signals::Stop,
    wanted::WantedPlan,
};

/// Opens connections to the database of the plan.
#[async_trait]
pub trait Connect: Send + Sync {
    /// A new session.
    ///
    /// # Errors
    /// [`ReadError`] when there is none to be had.
    async fn open(&self) -> Result<Box<dyn Session>, ReadError>;

    /// A connection that only reads, whose statements take at most this long.
    ///
    /// # Errors
    /// [`ProbeError`] when there is none to be had.
    async fn probe(&self, within: Duration) -> Result<Box<dyn Probe>, ProbeError>;
}

/// Everything a run talks to.
#[derive(Clone, Copy)]
pub struct Ports<'a> {
    /// The database.
    pub connect: &'a dyn Connect,
    /// The live versions.
    pub live: &'a dyn LiveVersions,
    /// The plan Git wants.
    pub wanted: &'a dyn WantedPlan,
    /// What moves consist of.
    pub moves: &'a dyn Moves,
    /// Where checkpoints go, when Git declares them.
    pub checkpoints: Option<&'a Checkpoints>,
    /// Whether backfills should rest.
    pub throttle: &'a dyn Throttle,
    /// Who is told.
    pub report: &'a dyn Report,
}

/// What a run does when another one holds the lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhenHeld {
    /// Try again until it is free: a Job.
    Poll,
    /// Leave: a CronJob.
    Leave,
}

/// How patient a run is.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Who this is, for the ledger's history: the pod's name.
    pub runner: String,
    /// What to do when another runner is at work.
    pub when_held: WhenHeld,
    /// For how long the locks of one short transaction are tried.
    pub lock_patience: Duration,
    /// For how long one batch of a backfill is tried.
    pub batch_patience: Duration,
    /// How long a batch of a backfill aims to take.
    pub batch_aim: Duration,
    /// How long a backfill rests after each batch, in times of the batch.
    pub nice_ratio: f64,
    /// How many connections fill rows at once.
    pub connections: u32,
    /// How long a record may wait for the ledger's own rows.
    pub ledger_wait: Duration,
    /// How long one integrity query may take. A gate gives it 2 s; the server is busier right after a backfill.
    pub integrity_within: Duration,
    /// For how long failures that may pass are met with another attempt.
    pub retry_for: Duration,
    /// How long to pause before the second attempt; twice as long before each further one.
    pub retry_pause: Duration,
    /// How long a statement may go on once somebody asked this process to leave.
    pub leave_within: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            runner: "phasegate".to_owned(),
            when_held: WhenHeld::Poll,
            lock_patience: Duration::from_secs(60),
            batch_patience: Duration::from_secs(300),
            batch_aim: Duration::from_millis(35),
            nice_ratio: 0.0,
            connections: 1,
            ledger_wait: Duration::from_secs(2),
            integrity_within: Duration::from_secs(30),
            retry_for: Duration::from_secs(300),
            retry_pause: Duration::from_millis(500),
            leave_within: Duration::from_secs(20),
        }
    }
}

/// What became of the changes.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Tally {
    exit: Exit,
    reached: usize,
    blocked: usize,
    failed: usize,
    violations: usize,
    soaking: usize,
    because: Option<String>,
}

impl Tally {
    const fn new() -> Self {
        Self { exit: Exit::Done, reached: 0, blocked: 0, failed: 0, violations: 0, soaking: 0, because: None }
    }

    fn ending(exit: Exit, because: String) -> Self {
        Self { exit, because: Some(because), ..Self::new() }
    }
}

/// Runs a plan.
pub async fn run(plan: &Plan, ports: &Ports<'_>, settings: &Settings, stop: &Stop) -> Exit {
    ports.report.tell(&Event::Begun {
        database: plan.database.name.clone(),
        changes: plan.changes.len(),
        plan: plan.digest.clone(),
    });
    let tally = tokio::select! {
        tally = persist(plan, ports, settings, stop) => tally,
        // What the statement in hand has done is rolled back by the server when the connection goes.
        () = overtime(stop, settings.leave_within) => {
            Tally::ending(Exit::TryAgain, "asked to leave, and the statement in hand took too long: it is rolled back".to_owned())
        }
    };
    ports.report.tell(&Event::Finished {
        exit: tally.exit,
        database: plan.database.name.clone(),
        reached: tally.reached,
        blocked: tally.blocked,
        failed: tally.failed,
        violations: tally.violations,
        soaking: tally.soaking,
        because: tally.because,
    });
    tally.exit
}

async fn overtime(stop: &Stop, leave_within: Duration) {
    stop.wait().await;
    tokio::time::sleep(leave_within).await;
}

const LONGEST_PAUSE: Duration = Duration::from_secs(15);

/// Attempt after attempt, until one ends for good or nothing has succeeded for too long.
async fn persist(plan: &Plan, ports: &Ports<'_>, settings: &Settings, stop: &Stop) -> Tally {
    let progressed = AtomicBool::new(false);
    let mut failing_since = Instant::now();
    let mut pause = settings.retry_pause;
    loop {
        let halt = match attempt(plan, ports, settings, stop, &progressed).await {
            Ok(tally) => return tally,
            Err(halt) => halt,
        };
        let why = match halt {
            Halt::Lost(why) => why,
            Halt::Superseded(wanted) => {
                ports.report.tell(&Event::Superseded { wanted });
                return Tally::ending(Exit::Done, "superseded".to_owned());
            }
            Halt::Stopped => return Tally::ending(Exit::TryAgain, "asked to leave".to_owned()),
            Halt::Undecided(missing) => match missing.because {
                Because::Unreachable(_) | Because::TimedOut(_) | Because::Stale { .. } => missing.to_string(),
                Because::NotPermitted(_) | Because::Untrusted(_) | Because::NotThere(_) => {
                    return Tally::ending(Exit::TryAgain, missing.to_string());
                }
            },
            Halt::Failed(cause) => return Tally::ending(cause.exit(), chain(&cause)),
            Halt::Blocked(by) => return Tally::ending(Exit::Done, format!("blocked by {}", by.join("; and by "))),
            // Told where they belong to a change; there they end nothing.
            Halt::Soaking { .. } | Halt::TakenBack => return Tally::ending(Exit::Done, "soaking".to_owned()),
        };
        if progressed.swap(false, Ordering::Relaxed) {
            failing_since = Instant::now();
            pause = settings.retry_pause;
        }
        if failing_since.elapsed() >= settings.retry_for {
            return Tally::ending(Exit::TryAgain, why);
        }
        let after = jittered(pause);
        ports.report.tell(&Event::Retrying { why, after });
        stop.sleep(after).await;
        pause = pause.saturating_mul(2).min(LONGEST_PAUSE);
        if stop.is_set() {
            return Tally::ending(Exit::TryAgain, "asked to leave".to_owned());
        }
    }
}

/// Whether this plan is still the wanted one.
pub(crate) async fn wanted(plan: &Plan, ports: &Ports<'_>) -> Result<(), Halt> {
    match currency(&plan.digest, &ports.wanted.wanted().await) {
        Currency::Current => Ok(()),
        Currency::Superseded { wanted } => Err(Halt::Superseded(wanted)),
        Currency::Unknown(missing) => Err(Halt::Undecided(missing)),
    }
}

/// Everything that one connection lasts for.
async fn attempt(
    plan: &Plan,
    ports: &Ports<'_>,
    settings: &Settings,
    stop: &Stop,
    progressed: &AtomicBool,
) -> Result<Tally, Halt> {
    wanted(plan, ports).await?;
    let mut session = ports.connect.open().await?;
    match lock::take(session.as_mut(), plan, ports, settings, stop).await? {
        Lock::Taken => {}
        Lock::Held => return Ok(Tally::ending(Exit::Done, "another runner is at work".to_owned())),
    }
    // It may have waited for hours.
    wanted(plan, ports).await?;
    match session.read().await {
        Ok(Reading::Ledger(state)) => unedited(plan, &state)?,
        Ok(Reading::NotBegun) => {}
        // The takeover brings it forward, and is looked at then.
        Err(cause) if cause.is_older_format() => {}
        Err(cause) => return Err(cause.into()),
    }
    let generation = session.take_over(&settings.runner).await?;
    if let Reading::Ledger(state) = session.read().await? {
        unedited(plan, &state)?;
    }
    ports.report.tell(&Event::TookOver { generation: generation.0 });
    let mut attempt =
        Attempt { plan, ports, settings, stop, session, generation, progressed, violations: BTreeSet::new() };
    attempt.register().await?;
    let mut tally = Tally::new();
    attempt.recover_all(&mut tally).await?;
    attempt.let_go().await?;
    attempt.see().await?;
    attempt.move_all(&mut tally).await?;
    attempt.see().await?;
    tally.violations = attempt.violations.len();
    let state = attempt.state().await?;
    let at_target = |change: &&SchemaChange| {
        state.change(&change.profile.name).is_some_and(|entry| change.target.is_reached(entry.span))
    };
    tally.reached = plan.changes.iter().filter(at_target).count();
    Ok(tally)
}

/// A change that the database already holds must read as it did when it was applied.
fn unedited(plan: &Plan, state: &LedgerState) -> Result<(), Halt> {
    for change in &plan.changes {
        let Some(entry) = state.change(&change.profile.name) else { continue };
        if entry.span.settled() != Span::AtRest(SchemaPhase::Pending) && entry.definition != change.definition {
            return Err(MoveError::Edited {
                change: change.profile.name.clone(),
                file: change.file.clone(),
                span: entry.span.to_string(),
            }
            .into());
        }
    }
    Ok(())
}

impl Attempt<'_> {
    /// Tells the gates of every change before the first one moves.
    async fn register(&mut self) -> Result<(), Halt> {
        let mut records = vec![Record::Plan(self.plan.digest.clone())];
        records.extend(
            self.plan.changes.iter().map(|change| Record::Register {
                profile: change.profile.clone(),
                definition: change.definition.clone(),
            }),
        );
        self.record(records).await
    }

    /// Deals with what dead runners left: an intent is taken back, a move that acts goes on to its end.
    async fn recover_all(&mut self, tally: &mut Tally) -> Result<(), Halt> {
        for entry in self.state().await?.changes {
            let name = entry.profile.name;
            match recover(entry.span) {
                Recovery::Nothing => {}
                Recovery::Withdraw(step) => {
                    self.record(vec![Record::Withdraw(name.clone(), step)]).await?;
                    self.report(Event::Withdrawn { change: name, step });
                }
                Recovery::GoOn(step) => {
                    let plan = self.plan;
                    match plan.changes.iter().find(|change| change.profile.name == name) {
                        Some(change) => {
                            self.report(Event::Resumed { change: name, step });
                            if let Err(halt) = self.go_on(change, step).await {
                                self.tell_halt(change, step, halt, tally)?;
                            }
                        }
                        None => {
                            let cause = MoveError::VanishedActing { span: entry.span.to_string() };
                            self.fail(&name, &cause, tally);
                        }
                    }
                }
            }
        }
        Ok(())
    }

    /// Forgets changes that Git no longer declares and that never began; says which others it no longer declares.
    async fn let_go(&mut self) -> Result<(), Halt> {
        for entry in self.state().await?.changes {
            let name = entry.profile.name;
            if self.plan.changes.iter().any(|change| change.profile.name == name) {
                continue;
            }
            if entry.span == Span::AtRest(SchemaPhase::Pending) {
                self.record(vec![Record::Forget(name.clone())]).await?;
                self.report(Event::Forgotten { change: name });
            } else {
                self.report(Event::Vanished { change: name, span: entry.span });
            }
        }
        Ok(())
    }

    /// Takes every change to its target: reverts from the last change to the first, then the others in their order.
    async fn move_all(&mut self, tally: &mut Tally) -> Result<(), Halt> {
        let plan = self.plan;
        let is_revert = |change: &&SchemaChange| matches!(change.target, Target::RevertTo(_));
        let reverts = plan.changes.iter().rev().filter(is_revert);
        let forward = plan.changes.iter().filter(|change| !is_revert(change));
        for change in reverts.chain(forward) {
            self.move_one(change, tally).await?;
        }
        Ok(())
    }

    /// Takes one change as far as it may go.
    async fn move_one(&mut self, change: &SchemaChange, tally: &mut Tally) -> Result<(), Halt> {
        let examined = match self.explain(change).await {
            Ok(()) => self.fit(change).await,
            Err(halt) => Err(halt),
        };
        if let Err(halt) = examined {
            let Halt::Failed(cause) = halt else { return Err(halt) };
            self.fail(&change.profile.name, &cause, tally);
            return Ok(());
        }
        loop {
            if self.stop.is_set() {
                return Err(Halt::Stopped);
            }
            let state = self.state().await?;
            let Some(Span::AtRest(at)) = state.change(&change.profile.name).map(|entry| entry.span) else {
                // It acts, and could not be finished: that was told.
                return Ok(());
            };
            let Some(step) = next_move(at, change.target) else { return Ok(()) };
            let live = state.live_changes();
            let conflict = self.ports.moves.sync_conflict(change, step, &self.plan.changes, &live);
            let made = match conflict {
                None => self.make(change, step).await,
                Some(other) => Err(Halt::Blocked(vec![format!(
                    "{other}, which keeps two shapes of the same table in step; only one change at a time can, so \
                     contract or revert {other} first"
                )])),
            };
            if let Err(halt) = made {
                return self.tell_halt(change, step, halt, tally);
            }
        }
    }

    /// What a halt of one change means for the run: some concern this change only, the others end the attempt.
    fn tell_halt(
        &self,
        change: &SchemaChange,
        step: schema_phases::Move,
        halt: Halt,
        tally: &mut Tally,
    ) -> Result<(), Halt> {
        match halt {
            Halt::Blocked(by) => {
                tally.blocked += 1;
                self.report(Event::Blocked { change: change.profile.name.clone(), step, by });
            }
            Halt::Undecided(missing) if missing.fact == Fact::LiveVersions => {
                tally.blocked += 1;
                let by = match missing.because {
                    // Nobody stated them: that does not pass by trying again.
                    Because::NotThere(why) => why,
                    Because::Unreachable(_)
                    | Because::TimedOut(_)
                    | Because::Stale { .. }
                    | Because::NotPermitted(_)
                    | Because::Untrusted(_) => {
                        tally.exit = tally.exit.max(Exit::TryAgain);
                        missing.to_string()
                    }
                };
                let by = vec![format!("not knowing the live versions: {by}")];
                self.report(Event::Blocked { change: change.profile.name.clone(), step, by });
            }
            Halt::Failed(cause) => self.fail(&change.profile.name, &cause, tally),
            Halt::Soaking { since, left } => {
                tally.soaking += 1;
                self.report(Event::Soaking { change: change.profile.name.clone(), since, left });
            }
            Halt::TakenBack => {}
            Halt::Undecided(_) | Halt::Superseded(_) | Halt::Stopped | Halt::Lost(_) => return Err(halt),
        }
        Ok(())
    }

    fn fail(&self, change: &schema_phases::ChangeName, cause: &MoveError, tally: &mut Tally) {
        tally.failed += 1;
        tally.exit = tally.exit.max(cause.exit());
        self.report(Event::Failed {
            change: change.clone(),
            why: chain(cause),
            lock: cause.lock().cloned(),
            exit: cause.exit(),
        });
    }
}

#[cfg(test)]
mod tests;
