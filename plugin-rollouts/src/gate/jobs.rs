//! What became of a runner's Job, for the message of a canary that waits. No decision rests on it: the ledger says where
//! a change stands, whatever Kubernetes thinks of the Job.

use std::{sync::Arc, time::Duration};

use futures::future::{BoxFuture, FutureExt, join_all};
use schema_phases::{Because, Reason, Span};
use tokio::time::timeout;

use super::{
    Limits,
    clock::Clock,
    looks::{Looks, Manner, Memory},
    question::DatabaseSeen,
};
use crate::ports::{JobRef, JobSight, RunnerJobs};

/// Jobs change seldom, and thousands may wait for one.
const KEEP: Duration = Duration::from_secs(10);

/// The looks at Jobs.
pub(super) struct Jobs {
    port: Arc<dyn RunnerJobs>,
    looks: Looks<JobRef, JobSight>,
    /// What is only said must not cost the time of what is decided.
    patience: Duration,
}

impl Jobs {
    pub(super) fn new(port: Arc<dyn RunnerJobs>, limits: Limits, clock: Clock) -> Self {
        let manner = Manner { limit: limits.kubernetes, keep: |_: &JobSight| KEEP };
        Self { port, looks: Looks::new(manner, clock), patience: limits.total / 10 }
    }

    pub(super) fn forget_idle(&self, idle: Duration) {
        self.looks.forget_idle(idle);
    }

    /// Adds a note to each database whose runner should be at work and, as the ledger has it, is not.
    pub(super) async fn tell(&self, reasons: &[Reason], databases: &mut [DatabaseSeen]) {
        let looks = databases.iter_mut().filter(|database| is_idle(reasons, database)).map(|database| async {
            let of = JobRef {
                database: database.name.clone(),
                namespace: database.namespace.clone(),
                wanted: database.wanted.clone(),
            };
            database.note = self.note(of).await;
        });
        join_all(looks).await;
    }

    async fn note(&self, of: JobRef) -> Option<String> {
        let (port, database) = (Arc::clone(&self.port), of.database.clone());
        let how = move |of: &JobRef| -> BoxFuture<'static, _> {
            let (port, of) = (Arc::clone(&port), of.clone());
            async move { port.job(&of).await }.boxed()
        };
        let outcome = timeout(self.patience, self.looks.look(of, Memory::Allowed, how))
            .await
            .map_or_else(|_| Err(Because::TimedOut(self.patience)), |look| look.outcome);
        let note = match outcome {
            Ok(JobSight::Absent) => {
                format!("There is no Job of the plan that Git wants for {database}: sync its Application")
            }
            Ok(JobSight::Working { job }) => format!("Job {job} is at work"),
            Ok(JobSight::Suspended { job }) => format!("Job {job} is suspended: resume it"),
            Ok(JobSight::Failed { job, why }) => format!("Job {job} failed ({why}): its log says why"),
            Ok(JobSight::Complete { job }) => {
                format!("Job {job} is complete: its log says what it waits for, and the CronJob tries again")
            }
            Err(because) => format!("What its Job does cannot be told: {}", because.told()),
        };
        Some(note)
    }
}

/// Whether the canary waits for a move of this database that nobody is making.
fn is_idle(reasons: &[Reason], database: &DatabaseSeen) -> bool {
    // Nothing was rendered: that is said already, and there is no Job to look for.
    if database.note.is_some() {
        return false;
    }
    reasons.iter().any(|reason| match reason {
        Reason::NotBegun { database: name } => *name == database.name,
        Reason::SchemaBehind(it) => {
            let here = database.ledger.as_ref().is_some_and(|ledger| ledger.change(&it.change).is_some());
            here && !matches!(it.span, Span::Acting(_))
        }
        Reason::CanaryUnclear(_) => true,
        Reason::Fits
        | Reason::SchemaAhead(_)
        | Reason::Outlived(_)
        | Reason::NoCommonPhase { .. }
        | Reason::StableStranded(_)
        | Reason::StableUnclear(_)
        | Reason::NoDatabase
        | Reason::CheckPending { .. }
        | Reason::CheckFailed { .. }
        | Reason::Overdue { .. }
        | Reason::Unseen { .. } => false,
    })
}
