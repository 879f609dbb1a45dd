//! The gate: gather facts, judge, answer. It knows what to look at and how long to wait, and nothing of Argo's words,
//! Kubernetes' objects or SQL. It only reads.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use futures::future::{BoxFuture, FutureExt, join_all};
use phase_ledger::LedgerState;
use schema_phases::{
    AppVersion, Because, DatabaseFacts, Fact, LedgerSight, Missing, Moment, Policy, Sighting, Verdict, judge,
};
use tokio::time::timeout;

use crate::{
    ports::{Access, AccessKey, DatabaseRef, Databases, Ledgers, Place, StableVersion, VersionRef},
    step::rollout::AskingRollout,
    template::{PodTemplate, distinct_names},
};

mod clock;
mod looks;
mod readers;

pub use clock::Clock;
pub use looks::{Look, Looks, Manner, Memory};
pub use readers::Readers;

/// More databases than any pod uses.
const MOST_DATABASES: usize = 32;

/// How long anything may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// A whole question.
    pub total: Duration,
    /// One fact from Kubernetes.
    pub kubernetes: Duration,
    /// One read of a ledger, the connection included.
    pub ledger: Duration,
}

impl Limits {
    /// Limits of which the slowest path (Kubernetes, then the ledger) fits into `total`.
    pub fn within(total: Duration) -> Self {
        Self { total, kubernetes: total * 3 / 8, ledger: total / 2 }
    }
}

/// A question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// Who asks.
    pub rollout: AskingRollout,
    /// Only these databases; none means all that the pod template names.
    pub only: Option<BTreeSet<String>>,
}

/// The answer to a question.
#[derive(Debug)]
pub struct Answer {
    /// The decision.
    pub verdict: Verdict,
    /// What it rests on.
    pub view: View,
}

/// What was seen, for messages and the status.
#[derive(Clone, Debug)]
pub struct View {
    /// The name of the version that asks.
    pub canary: String,
    /// The name of the version that serves.
    pub stable: Option<String>,
    /// The databases, by name.
    pub databases: Vec<DatabaseSeen>,
    /// When the answer was given.
    pub at: Moment,
}

/// What was seen of one database.
#[derive(Clone, Debug)]
pub struct DatabaseSeen {
    /// Its name.
    pub name: String,
    /// The canary, as far as it concerns this database.
    pub canary: AppVersion,
    /// The stable version likewise; none when it does not use the database.
    pub stable: Option<AppVersion>,
    /// Its ledger.
    pub ledger: Option<Arc<LedgerState>>,
    /// Which plan was worked on last.
    pub plan: PlanSight,
    /// What else a person should know.
    pub note: Option<String>,
}

/// Which plan a ledger was worked on with last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlanSight {
    /// The one Git wants now.
    Wanted,
    /// Another.
    Another,
    /// Nobody can say.
    Unknown,
}

/// Why a question could not be put.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unasked {
    /// The time is up.
    #[error("nothing was decided within {} ms; the database or the Kubernetes API is slow", within.as_millis())]
    OutOfTime {
        /// The time there was.
        within: Duration,
    },
    /// What the canary is cannot be told.
    #[error("the canary's pod template is not in the Rollout, and its ReplicaSet cannot be read: {}", told(because))]
    NoTemplate {
        /// Why.
        because: Because,
    },
    /// The step names a database that the pod template does not.
    #[error(
        "the config of this step names the database `{database}`, and the pod template has no label \
         database.phasegate.dev/{database}; add the label, or correct the config"
    )]
    NotLabelled {
        /// The database.
        database: String,
    },
    /// More databases than any pod uses.
    #[error("the pod template names {found} databases; at most {MOST_DATABASES} are judged")]
    TooMany {
        /// How many.
        found: usize,
    },
}

/// Answers questions.
pub struct Gate {
    databases: Arc<dyn Databases>,
    versions: Arc<dyn StableVersion>,
    readers: Arc<Readers>,
    clock: Clock,
    limits: Limits,
    places: Looks<DatabaseRef, Place>,
    templates: Looks<VersionRef, Arc<PodTemplate>>,
    ledgers: Looks<AccessKey, Option<Arc<LedgerState>>>,
}

/// How long an answer that only says wait may rest on what Kubernetes said before. What is not there yet is looked for
/// again sooner; the template of a ReplicaSet does not change.
const KEEP_PLACE: Duration = Duration::from_secs(60);
const KEEP_ABSENCE: Duration = Duration::from_secs(1);
const KEEP_TEMPLATE: Duration = Duration::from_secs(600);
/// What nobody has asked about for this long is forgotten, and its connection closed. Longer than Argo's pause between
/// two questions (15 s and a buffer of 5 by default, 30 after an error).
const IDLE: Duration = Duration::from_secs(90);

impl Gate {
    /// A gate that looks through these ports.
    pub fn new(
        databases: Arc<dyn Databases>,
        versions: Arc<dyn StableVersion>,
        ledgers: Arc<dyn Ledgers>,
        clock: Clock,
        limits: Limits,
    ) -> Self {
        let keep_place = |place: &Place| match place {
            Place::Declared(_) => KEEP_PLACE,
            Place::NotDeclared(_) => KEEP_ABSENCE,
        };
        Self {
            databases,
            versions,
            readers: Arc::new(Readers::new(ledgers)),
            clock,
            limits,
            places: Looks::new(Manner { limit: limits.kubernetes, keep: keep_place }, clock),
            templates: Looks::new(Manner { limit: limits.kubernetes, keep: |_| KEEP_TEMPLATE }, clock),
            ledgers: Looks::new(Manner { limit: limits.ledger, keep: |_| Duration::ZERO }, clock),
        }
    }

    /// Answers one question, within the time allowed whatever hangs.
    ///
    /// # Errors
    /// [`Unasked`], when there was nothing to judge.
    pub async fn ask(&self, question: &Question) -> Result<Answer, Unasked> {
        let within = self.limits.total;
        timeout(within, self.considered(question)).await.unwrap_or(Err(Unasked::OutOfTime { within }))
    }

    /// Forgets what is idle. To be called now and then.
    pub fn tidy(&self) {
        self.places.forget_idle(IDLE);
        self.templates.forget_idle(IDLE);
        self.ledgers.forget_idle(IDLE);
        self.readers.close_idle(IDLE);
    }

    /// How many ledgers are open.
    pub fn open_ledgers(&self) -> usize {
        self.readers.open()
    }

    /// INVARIANT: only an answer that says wait rests on anything seen before the question. Thousands may wait for
    /// days, and ask Kubernetes little; whoever is let in or refused has everything looked at anew.
    async fn considered(&self, question: &Question) -> Result<Answer, Unasked> {
        let (answer, remembered) = self.consider(question, Memory::Allowed).await?;
        if !remembered || matches!(answer.verdict, Verdict::Wait(_)) {
            return Ok(answer);
        }
        Ok(self.consider(question, Memory::Forbidden).await?.0)
    }

    async fn consider(&self, question: &Question, memory: Memory) -> Result<(Answer, bool), Unasked> {
        let rollout = &question.rollout;
        let ledgers = async {
            let (canary, remembered) = self.canary(rollout, memory).await?;
            let wanted = wanted(&canary, question.only.as_ref())?;
            let looks = wanted.into_iter().map(|(name, namespace)| self.ledger(rollout, name, namespace, memory));
            Ok((canary, remembered, join_all(looks).await))
        };
        let (stable, ledgers) = tokio::join!(self.stable(rollout, memory), ledgers);
        let (canary, canary_remembered, ledgers) = ledgers?;
        let remembered = canary_remembered
            || stable.as_ref().is_some_and(|look| look.remembered)
            || ledgers.iter().any(|ledger| ledger.remembered);
        let (name, stable_name) = names(rollout, &canary, stable.as_ref());
        let mut facts = Vec::new();
        let mut databases = Vec::new();
        for LedgerLook { database, ledger, state, plan, note, remembered: _ } in ledgers {
            let canary = AppVersion { name: name.clone(), annotation: canary.supports(&database).to_owned() };
            let stable = self.stable_sight(stable.as_ref(), &database, stable_name.as_deref());
            databases.push(DatabaseSeen {
                name: database.clone(),
                canary: canary.clone(),
                stable: if let Sighting::Seen { value, .. } = &stable { value.clone() } else { None },
                ledger: state,
                plan,
                note,
            });
            facts.push(DatabaseFacts { database, ledger, canary, stable, checks: Vec::new() });
        }
        let at = self.clock.now();
        let max_age = if remembered { KEEP_TEMPLATE + self.limits.total } else { self.limits.total };
        let verdict = judge(&facts, Policy { max_age }, at);
        Ok((Answer { verdict, view: View { canary: name, stable: stable_name, databases, at } }, remembered))
    }

    async fn canary(&self, rollout: &AskingRollout, memory: Memory) -> Result<(Arc<PodTemplate>, bool), Unasked> {
        if let Some(template) = &rollout.template {
            return Ok((Arc::new(template.clone()), false));
        }
        let look = self.template(rollout, &rollout.canary_pod_hash, memory).await;
        let remembered = look.remembered;
        look.outcome.map(|template| (template, remembered)).map_err(|because| Unasked::NoTemplate { because })
    }

    /// None when nothing serves yet.
    async fn stable(&self, rollout: &AskingRollout, memory: Memory) -> Option<Look<Arc<PodTemplate>>> {
        if rollout.stable_pod_hash.is_empty() {
            return None;
        }
        Some(self.template(rollout, &rollout.stable_pod_hash, memory).await)
    }

    async fn template(&self, rollout: &AskingRollout, pod_hash: &str, memory: Memory) -> Look<Arc<PodTemplate>> {
        let of = VersionRef {
            namespace: rollout.namespace.clone(),
            rollout: rollout.name.clone(),
            uid: rollout.uid.clone(),
            pod_hash: pod_hash.to_owned(),
        };
        let (port, key) = (Arc::clone(&self.versions), of.clone());
        let how = move || -> BoxFuture<'static, _> {
            let (port, of) = (Arc::clone(&port), of.clone());
            async move { port.template(&of).await.map(Arc::new) }.boxed()
        };
        self.templates.look(key, memory, how).await
    }

    fn stable_sight(
        &self,
        look: Option<&Look<Arc<PodTemplate>>>,
        database: &str,
        name: Option<&str>,
    ) -> Sighting<Option<AppVersion>> {
        let Some(look) = look else { return Sighting::Seen { value: None, at: self.clock.now() } };
        match &look.outcome {
            // Without the label it does not use this database, and nothing about it can be hurt here.
            Ok(template) => {
                let version = || AppVersion {
                    name: name.unwrap_or("the stable version").to_owned(),
                    annotation: template.supports(database).to_owned(),
                };
                Sighting::Seen { value: template.uses(database).then(version), at: look.at }
            }
            Err(because) => Sighting::Missing(Missing { fact: Fact::StableVersion, because: because.clone() }),
        }
    }

    async fn ledger(&self, rollout: &AskingRollout, name: String, namespace: String, memory: Memory) -> LedgerLook {
        let asked_from = rollout.namespace.clone();
        let namespace = if namespace.is_empty() { asked_from.clone() } else { namespace };
        let wanted = DatabaseRef { name: name.clone(), namespace, asked_from };
        let (port, key) = (Arc::clone(&self.databases), wanted.clone());
        let how = move || -> BoxFuture<'static, _> {
            let (port, wanted) = (Arc::clone(&port), wanted.clone());
            async move { port.place(&wanted).await }.boxed()
        };
        let place = self.places.look(key, memory, how).await;
        let mut seen = LedgerLook {
            database: name,
            // Seen, and not missing: where nothing was rendered, no run can have begun.
            ledger: Sighting::Seen { value: LedgerSight::NotBegun, at: place.at },
            state: None,
            plan: PlanSight::Unknown,
            note: None,
            remembered: place.remembered,
        };
        match place.outcome {
            Ok(Place::Declared(access)) => self.read(access, &mut seen).await,
            Ok(Place::NotDeclared(what)) => seen.note = Some(what),
            Err(because) => seen.ledger = Sighting::Missing(Missing { fact: Fact::Database, because }),
        }
        seen
    }

    async fn read(&self, access: Arc<Access>, seen: &mut LedgerLook) {
        let (readers, key, wanted) = (Arc::clone(&self.readers), access.key.clone(), access.wanted.clone());
        let how = move || -> BoxFuture<'static, _> {
            let (readers, access) = (Arc::clone(&readers), Arc::clone(&access));
            async move { readers.read(&access).await }.boxed()
        };
        // Always anew, whatever the answer will be.
        let look = self.ledgers.look(key, Memory::Forbidden, how).await;
        seen.ledger = match look.outcome {
            Ok(Some(state)) => {
                seen.plan = match (&wanted, &state.plan) {
                    (Some(wanted), Some(worked_on)) if wanted == worked_on => PlanSight::Wanted,
                    (Some(_), _) => PlanSight::Another,
                    (None, _) => PlanSight::Unknown,
                };
                let value = LedgerSight::Changes(state.live_changes());
                seen.state = Some(state);
                Sighting::Seen { value, at: look.at }
            }
            Ok(None) => Sighting::Seen { value: LedgerSight::NotBegun, at: look.at },
            Err(because) => Sighting::Missing(Missing { fact: Fact::Ledger, because }),
        };
    }
}

/// What was seen of one database's ledger.
struct LedgerLook {
    database: String,
    ledger: Sighting<LedgerSight>,
    state: Option<Arc<LedgerState>>,
    plan: PlanSight,
    note: Option<String>,
    remembered: bool,
}

/// What the canary and the stable version are called.
fn names(
    rollout: &AskingRollout,
    canary: &PodTemplate,
    stable: Option<&Look<Arc<PodTemplate>>>,
) -> (String, Option<String>) {
    match stable.map(|look| &look.outcome) {
        Some(Ok(stable)) => {
            let (name, stable) = distinct_names((canary, &rollout.canary_pod_hash), (stable, &rollout.stable_pod_hash));
            (name, Some(stable))
        }
        Some(Err(_)) | None => (canary.version_name(&rollout.canary_pod_hash), None),
    }
}

fn told(because: &Because) -> String {
    match because {
        Because::Unreachable(why) | Because::NotPermitted(why) | Because::Untrusted(why) | Because::NotThere(why) => {
            why.clone()
        }
        Because::TimedOut(after) => format!("no answer within {} ms", after.as_millis()),
        Because::Stale { age } => format!("last seen {} s ago", age.as_secs()),
    }
}

/// The databases to judge, with the namespaces their labels name.
fn wanted(canary: &PodTemplate, only: Option<&BTreeSet<String>>) -> Result<Vec<(String, String)>, Unasked> {
    if let Some(database) = only.and_then(|only| only.iter().find(|database| !canary.uses(database))) {
        return Err(Unasked::NotLabelled { database: database.chars().take(80).collect() });
    }
    let wanted: Vec<(String, String)> = canary
        .databases()
        .filter(|(name, _)| only.is_none_or(|only| only.contains(*name)))
        .map(|(name, namespace)| (name.to_owned(), namespace.to_owned()))
        .collect();
    if wanted.len() > MOST_DATABASES { Err(Unasked::TooMany { found: wanted.len() }) } else { Ok(wanted) }
}

#[cfg(test)]
mod tests;
