//! The gate: gather facts, judge, answer. It knows what to look at and how long to wait, and nothing of Argo's words,
//! Kubernetes' objects or SQL. It only reads.

use std::{sync::Arc, time::Duration};

use futures::future::{BoxFuture, FutureExt, join_all};
use phase_ledger::LedgerState;
use schema_changes::WhenOverdue;
use schema_phases::{
    AppVersion, Check, CheckOutcome, DatabaseFacts, Fact, LedgerSight, Missing, Policy, Reason, Sighting, Verdict,
    judge,
};
use tokio::time::timeout;
use tracing::Instrument;

use crate::{
    ports::{Access, AccessKey, DatabaseRef, Databases, Ledgers, Place, RunnerJobs, StableVersion, VersionRef},
    template::PodTemplate,
};

mod awaited;
mod checks;
mod clock;
mod jobs;
mod looks;
mod measures;
mod question;
mod readers;
mod waits;
mod wanted;

pub use checks::CheckPorts;
pub use clock::Clock;
pub use looks::{Asker, Look, Looks, Manner, Memory};
pub use question::{Answer, AskingRollout, DatabaseSeen, PlanSight, Question, Unasked, View};
pub use readers::Readers;

use awaited::{Awaited, What};
use checks::{Checks, Wanted, Watching};
use jobs::Jobs;
use waits::{WaitKey, Waiting, Waits, Watched};
use wanted::{checks_of, names, wanted};

/// How long anything may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// A whole question.
    pub total: Duration,
    /// One fact from Kubernetes.
    pub kubernetes: Duration,
    /// One read of a ledger, the connection included.
    pub ledger: Duration,
    /// One of the further checks.
    pub checks: Duration,
}

impl Limits {
    /// Limits of which the slowest path that every question goes (Kubernetes, then the ledger) fits into `total`. Checks
    /// come after it, and all at once: where both are slow nothing is decided.
    pub fn within(total: Duration) -> Self {
        Self { total, kubernetes: total * 3 / 8, ledger: total / 2, checks: total / 2 }
    }
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
    checks: Checks,
    jobs: Option<Jobs>,
    waits: Waits,
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
            checks: Checks::new(None, limits.checks, clock),
            jobs: None,
            waits: Waits::default(),
        }
    }

    /// The same gate, with a way to look at more than the two windows. Without it, what a version or a step asks to be
    /// checked is a missing fact.
    #[must_use]
    pub fn with_checks(mut self, ports: CheckPorts) -> Self {
        self.checks = Checks::new(Some(ports), self.limits.checks, self.clock);
        self
    }

    /// The same gate, which also tells what became of a runner's Job. Only for messages.
    #[must_use]
    pub fn with_jobs(mut self, jobs: Arc<dyn RunnerJobs>) -> Self {
        self.jobs = Some(Jobs::new(jobs, self.limits, self.clock));
        self
    }

    /// Answers one question, within the time allowed whatever hangs.
    ///
    /// # Errors
    /// [`Unasked`], when there was nothing to judge.
    pub async fn ask(&self, question: &Question) -> Result<Answer, Unasked> {
        let (within, config) = (self.limits.total, &question.config);
        let key = WaitKey::of(&question.rollout);
        let waiting = self.waits.ask(&key, config.requeue);
        let awaited = Awaited::default();
        let answered = timeout(within, self.considered(question, &waiting, &awaited)).await;
        let late = |_| Err(Unasked::OutOfTime { within, awaited: awaited.told() });
        let (answer, looked) = match answered.unwrap_or_else(late) {
            Ok(answered) => answered,
            Err(unasked) => {
                self.waits.looked(&key, config.requeue, Watched::Blind);
                return Err(unasked);
            }
        };
        self.waits.looked(&key, config.requeue, looked);
        match &answer.verdict {
            Verdict::Proceed(..) | Verdict::Refuse(_) => self.waits.over(&key),
            Verdict::Wait(_) | Verdict::Undecided(_) => {}
        }
        Ok(answer)
    }

    /// Forgets what is idle. To be called now and then.
    pub fn tidy(&self) {
        self.places.forget_idle(IDLE);
        self.templates.forget_idle(IDLE);
        self.ledgers.forget_idle(IDLE);
        self.readers.close_idle(IDLE);
        self.checks.forget_idle(IDLE);
        if let Some(jobs) = &self.jobs {
            jobs.forget_idle(IDLE);
        }
        self.waits.forget_idle();
    }

    /// How many ledgers are open.
    pub fn open_ledgers(&self) -> usize {
        self.readers.open()
    }

    /// INVARIANT: only an answer that says wait rests on anything seen before the question. Thousands may wait for
    /// days, and ask Kubernetes little; whoever is let in or refused has everything looked at anew.
    async fn considered(
        &self,
        question: &Question,
        waiting: &Waiting,
        awaited: &Awaited,
    ) -> Result<(Answer, Watched), Unasked> {
        let (answer, seen) = self.consider(question, waiting, Memory::Allowed, awaited).await?;
        if !seen.remembered || matches!(answer.verdict, Verdict::Wait(_)) {
            return Ok((answer, seen.watched));
        }
        let (answer, seen) = self.consider(question, waiting, Memory::Forbidden, awaited).await?;
        Ok((answer, seen.watched))
    }

    async fn consider(
        &self,
        question: &Question,
        waiting: &Waiting,
        memory: Memory,
        awaited: &Awaited,
    ) -> Result<(Answer, Seen), Unasked> {
        let Question { rollout, config } = question;
        let ledgers = async {
            let (canary, remembered) = awaited.on(What::Canary, self.canary(rollout, memory)).await?;
            let wanted = wanted(&canary, config.databases.as_ref())?;
            let looks = wanted.into_iter().map(|(name, namespace)| {
                let span = tracing::debug_span!("ledger", database = name);
                self.ledger(rollout, name, namespace, memory, awaited).instrument(span)
            });
            Ok((canary, remembered, join_all(looks).await))
        };
        let stable = awaited.on(What::Stable, self.stable(rollout, memory)).instrument(tracing::debug_span!("stable"));
        let (stable, ledgers) = tokio::join!(stable, ledgers);
        let (canary, canary_remembered, ledgers) = ledgers?;
        let mut seen = Seen {
            remembered: canary_remembered
                || stable.as_ref().is_some_and(|look| look.remembered)
                || ledgers.iter().any(|ledger| ledger.remembered),
            watched: Watched::Blind,
        };
        let (name, stable_name) = names(rollout, &canary, stable.as_ref());
        let mut checks: Vec<(usize, Wanted)> =
            config.measures.iter().cloned().map(|it| (0, Wanted::Measure(it))).collect();
        let mut facts = Vec::new();
        let mut databases = Vec::new();
        for (at, look) in ledgers.into_iter().enumerate() {
            let LedgerLook { database, namespace, ledger, state, access, plan, note, remembered: _ } = look;
            let version = AppVersion { name: name.clone(), annotation: canary.supports(&database).to_owned() };
            let stable = self.stable_sight(stable.as_ref(), &database, stable_name.as_deref());
            if let Some(access) = &access {
                let config_map = canary.statements(&database).map(str::to_owned);
                let primary = state.as_ref().map(|state| state.server.clone());
                let wanted = checks_of(rollout, access, config_map, &version, primary);
                checks.extend(wanted.into_iter().map(|check| (at, check)));
            }
            databases.push(DatabaseSeen {
                name: database.clone(),
                namespace,
                canary: version.clone(),
                stable: if let Sighting::Seen { value, .. } = &stable { value.clone() } else { None },
                ledger: state,
                wanted: access.and_then(|access| access.wanted.clone()),
                plan,
                note,
            });
            facts.push(DatabaseFacts { database, ledger, canary: version, stable, checks: Vec::new() });
        }
        if !facts.is_empty() {
            let watching = Watching { watch: config.watch.as_ref(), waiting };
            let span = tracing::debug_span!("checks", count = checks.len());
            self.check(&mut facts, checks, (memory, awaited), watching, &mut seen).instrument(span).await;
        }
        let at = self.clock.now();
        let overdue = waiting.waited >= config.overdue_after;
        let refuse = overdue && config.when_overdue == WhenOverdue::Refuse;
        let policy = Policy { overdue: refuse.then_some(waiting.waited), ..self.policy(&seen) };
        let verdict = judge(&facts, policy, at);
        if let (Verdict::Wait(reasons), Some(jobs)) = (&verdict, &self.jobs) {
            jobs.tell(reasons, &mut databases).await;
        }
        let view = View { canary: name, stable: stable_name, databases, waited: waiting.waited, overdue, at };
        Ok((Answer { verdict, view }, seen))
    }

    const fn policy(&self, seen: &Seen) -> Policy {
        let more = if seen.remembered { KEEP_TEMPLATE } else { Duration::ZERO };
        Policy { max_age: self.limits.total.saturating_add(more), overdue: None }
    }

    /// Looks at the checks, if it is they who decide.
    async fn check(
        &self,
        facts: &mut [DatabaseFacts],
        wanted: Vec<(usize, Wanted)>,
        (memory, awaited): (Memory, &Awaited),
        watching: Watching<'_>,
        seen: &mut Seen,
    ) {
        let (several, at) = (facts.len() > 1, self.clock.now());
        let mut named = Vec::new();
        for (place, check) in &wanted {
            if let Some(facts) = facts.get_mut(*place) {
                let not_yet = CheckOutcome::Pending("it was not looked at".to_owned());
                let name = check.name(&facts.database, several);
                facts.checks.push(Check { name: name.clone(), outcome: Sighting::Seen { value: not_yet, at } });
                named.push((*place, name));
            }
        }
        let verdict = judge(facts, self.policy(seen), at);
        if !verdict.reasons().iter().any(|reason| matches!(reason, Reason::CheckPending { .. })) {
            return;
        }
        let looks = wanted.into_iter().zip(&named).map(|((_, check), (_, name))| {
            awaited.on(What::Check(name.clone()), self.checks.found(check, memory, watching))
        });
        let found = join_all(looks).await;
        facts.iter_mut().for_each(|facts| facts.checks.clear());
        let mut watched = Vec::new();
        for ((place, name), found) in named.into_iter().zip(found) {
            seen.remembered |= found.remembered;
            watched.extend(found.watched);
            if let Some(facts) = facts.get_mut(place) {
                let outcome = found.named(&name);
                facts.checks.push(Check { name, outcome });
            }
        }
        seen.watched = if watched.contains(&Watched::Bad) {
            Watched::Bad
        } else if watched.iter().all(|one| *one == Watched::Well) {
            Watched::Well
        } else {
            Watched::Blind
        };
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
        let port = Arc::clone(&self.versions);
        let how = move |of: &VersionRef| -> BoxFuture<'static, _> {
            let (port, of) = (Arc::clone(&port), of.clone());
            async move { port.template(&of).await.map(Arc::new) }.boxed()
        };
        self.templates.look(of, memory, how).await
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

    async fn ledger(
        &self,
        rollout: &AskingRollout,
        name: String,
        namespace: String,
        memory: Memory,
        awaited: &Awaited,
    ) -> LedgerLook {
        let asked_from = rollout.namespace.clone();
        let namespace = if namespace.is_empty() { asked_from.clone() } else { namespace };
        let wanted_namespace = namespace.clone();
        let wanted = DatabaseRef { name: name.clone(), namespace, asked_from };
        let port = Arc::clone(&self.databases);
        let how = move |wanted: &DatabaseRef| -> BoxFuture<'static, _> {
            let (port, wanted) = (Arc::clone(&port), wanted.clone());
            async move { port.place(&wanted).await }.boxed()
        };
        let place = awaited.on(What::Place(name.clone()), self.places.look(wanted, memory, how)).await;
        let mut seen = LedgerLook {
            database: name,
            namespace: wanted_namespace,
            access: None,
            // Seen, and not missing: where nothing was rendered, no run can have begun.
            ledger: Sighting::Seen { value: LedgerSight::NotBegun, at: place.at },
            state: None,
            plan: PlanSight::Unknown,
            note: None,
            remembered: place.remembered,
        };
        match place.outcome {
            Ok(Place::Declared(access)) => {
                let what = What::Ledger(seen.database.clone());
                awaited.on(what, self.read(Asker::of(&rollout.uid), access, &mut seen)).await;
            }
            Ok(Place::NotDeclared(what)) => seen.note = Some(what),
            Err(because) => seen.ledger = Sighting::Missing(Missing { fact: Fact::Database, because }),
        }
        seen
    }

    async fn read(&self, asker: Asker, access: Arc<Access>, seen: &mut LedgerLook) {
        let (readers, key, wanted) = (Arc::clone(&self.readers), access.key.clone(), access.wanted.clone());
        seen.access = Some(Arc::clone(&access));
        let how = move |_: &AccessKey| -> BoxFuture<'static, _> {
            let (readers, access) = (Arc::clone(&readers), Arc::clone(&access));
            async move { readers.read(&access).await }.boxed()
        };
        // Always anew, whatever the answer will be.
        let look = self.ledgers.look_for(Some(asker), key, Memory::Forbidden, how).await;
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
    namespace: String,
    access: Option<Arc<Access>>,
    ledger: Sighting<LedgerSight>,
    state: Option<Arc<LedgerState>>,
    plan: PlanSight,
    note: Option<String>,
    remembered: bool,
}

/// What else is known of how a question was looked at.
struct Seen {
    /// Whether anything began before the question.
    remembered: bool,
    /// How the measures were.
    watched: Watched,
}

#[cfg(test)]
mod tests;
