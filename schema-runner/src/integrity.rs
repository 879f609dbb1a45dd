//! The queries by which Git says what whole data is, asked before a change is called migrated: each in a transaction that
//! may only read, on a connection of its own, so that one that takes long or fails touches neither the runner's lock nor
//! what it has in hand.

use std::time::Duration;

use phase_ledger::{HEARTBEAT, Held, Probe, ProbeError, QueryAnswer, Session};
use schema_changes::IntegrityQuery;
use tokio::time::{interval, timeout};

use crate::{
    halt::{Halt, MoveError, chain},
    protocol::{Attempt, Hand},
    report::Event,
    run::Connect,
    signals::Stop,
};

/// For the server to have ended the statement by itself, and said so.
const GRACE: Duration = Duration::from_secs(5);

impl Attempt<'_> {
    /// Asks every integrity query of the database; the first one that does not hold, or has no answer, stops the move.
    pub(crate) async fn check_integrity(&mut self, hand: &Hand<'_>) -> Result<(), Halt> {
        let plan = self.plan;
        for query in &plan.database.integrity {
            let within = self.settings.integrity_within;
            let asked = ask(self.ports.connect, query, within);
            let answer = alive(asked, self.session.as_mut(), self.stop).await?;
            let answer = answer.map_err(|cause| unanswered(&query.name, within, &cause))?;
            match answer.holds(query.at_most) {
                Held::Yes => {}
                Held::No(why) | Held::Unclear(why) => {
                    let IntegrityQuery { name, query, at_most: _ } = query.clone();
                    return Err(MoveError::NotWhole { name, why, query }.into());
                }
            }
            self.report(Event::StepDone {
                change: hand.change.profile.name.clone(),
                step: hand.step,
                what: format!("asked the integrity query {}: it holds", query.name),
            });
        }
        Ok(())
    }
}

async fn ask(connect: &dyn Connect, query: &IntegrityQuery, within: Duration) -> Result<QueryAnswer, ProbeError> {
    let asked = async {
        let mut probe: Box<dyn Probe> = connect.probe(within).await?;
        probe.ask(&query.query).await
    };
    let slow = || ProbeError::Slow { what: "the server does not answer".to_owned() };
    timeout(within + GRACE, asked).await.unwrap_or_else(|_| Err(slow()))
}

/// Waits for something that is not the session's, and keeps the session alive meanwhile. Gives up when somebody asked
/// this process to leave.
async fn alive<T>(waited_for: impl Future<Output = T>, session: &mut dyn Session, stop: &Stop) -> Result<T, Halt> {
    let mut beat = interval(HEARTBEAT / 2);
    // The first one is due at once.
    beat.tick().await;
    tokio::pin!(waited_for);
    loop {
        tokio::select! {
            done = &mut waited_for => return Ok(done),
            () = stop.wait() => return Err(Halt::Stopped),
            _ = beat.tick() => session.heartbeat().await?,
        }
    }
}

/// What it means that a query has no answer: the wrong query does not mend itself, a busy server may.
fn unanswered(name: &str, within: Duration, cause: &ProbeError) -> Halt {
    let named = |what: &str| format!("the integrity query {name} has no answer: {what}");
    match cause {
        ProbeError::Unreachable { .. } => Halt::Lost(named(&chain(cause))),
        ProbeError::Slow { what } => MoveError::Late { why: named(what), seconds: within.as_secs() }.into(),
        ProbeError::NotPermitted { what } | ProbeError::NotPreparable { what } => {
            let remedy = "give the runner's role the right to read that, or correct the query in phasegate.yaml";
            MoveError::Database { why: named(&format!("{what}; {remedy}")) }.into()
        }
        ProbeError::Refused { what } => {
            MoveError::Database { why: named(&format!("{what}; correct it in phasegate.yaml")) }.into()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit::Exit;

    #[test]
    fn no_answer_is_never_a_yes_and_only_what_may_pass_is_tried_again() {
        let what = || "as it said".to_owned();
        let rows = [
            (ProbeError::Slow { what: what() }, Exit::TryAgain, "as it said, within 30 s"),
            (ProbeError::Unreachable { cause: "gone".into() }, Exit::TryAgain, "cannot reach the database: gone"),
            (ProbeError::NotPermitted { what: what() }, Exit::Never, "give the runner's role the right"),
            (ProbeError::NotPreparable { what: what() }, Exit::Never, "give the runner's role the right"),
            (ProbeError::Refused { what: what() }, Exit::Never, "correct it in phasegate.yaml"),
        ];
        for (cause, exit, told) in rows {
            let (found, why) = unanswered("orphans", Duration::from_secs(30), &cause).told();
            assert_eq!(found, exit, "{why}");
            assert!(why.contains("the integrity query orphans has no answer: ") && why.contains(told), "{why}");
        }
    }
}
