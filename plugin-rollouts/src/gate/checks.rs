//! The checks beside the two windows: which a question has, and what each finds. They are looked at only when the windows
//! alone would let the canary in, so that thousands that wait for a backfill ask nobody else.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use futures::future::{BoxFuture, FutureExt};
use phase_ledger::{Held, LedgerEngine, LedgerState, Prepared, Probe, ProbeError, Reading, ServerIdentity, TableName};
use schema_changes::{AppStatement, Engine, IntegrityQuery, Measure, Watch, app_statements};
use schema_phases::{AppVersion, Because, CheckOutcome, Fact, Fit, Missing, Sighting};

use super::{
    clock::Clock,
    looks::{Look, Looks, Manner, Memory},
    measures::{Standing, standing, watched},
    readers,
    waits::{Waiting, Watched, too_bad},
};
use crate::{
    chain::chain,
    ports::{Access, AccessKey, MeasureRef, Measured, Metrics, Probes, ReplicaAccess, VersionSql},
};

/// How long an answer that only says wait may rest on an earlier look.
const KEEP: Duration = Duration::from_secs(10);
/// Statements named in a message; the rest are counted.
const MOST_NAMED: usize = 3;

/// Where checks look.
#[derive(Clone)]
pub struct CheckPorts {
    /// The SQL of versions.
    pub sql: Arc<dyn VersionSql>,
    /// Databases, besides their ledgers.
    pub probes: Arc<dyn Probes>,
    /// Prometheus.
    pub metrics: Arc<dyn Metrics>,
}

/// One check of a question.
#[derive(Clone)]
pub(super) enum Wanted {
    /// The version's own statements are understood.
    Statements { access: Arc<Access>, namespace: String, config_map: String },
    /// A query says that the data is whole.
    Integrity { access: Arc<Access>, query: IntegrityQuery },
    /// A replica is as far as the version needs.
    Replica { replica: ReplicaAccess, version: AppVersion, primary: Option<ServerIdentity> },
    /// A number is within its bounds.
    Measure(Measure),
}

/// How a step looks at its measures.
#[derive(Clone, Copy)]
pub(super) struct Watching<'a> {
    pub(super) watch: Option<&'a Watch>,
    pub(super) waiting: &'a Waiting,
}

/// What a check found.
pub(super) struct Found {
    pub(super) outcome: Sighting<CheckOutcome>,
    pub(super) remembered: bool,
    /// Of a measure only.
    pub(super) watched: Option<Watched>,
}

/// The looks behind the checks.
pub(super) struct Checks {
    ports: Option<CheckPorts>,
    statements: Looks<(AccessKey, String, String), CheckOutcome>,
    integrity: Looks<(AccessKey, IntegrityQuery), CheckOutcome>,
    replicas: Looks<AccessKey, Option<Arc<LedgerState>>>,
    measures: Looks<MeasureRef, Measured>,
}

impl Checks {
    pub(super) fn new(ports: Option<CheckPorts>, limit: Duration, clock: Clock) -> Self {
        Self {
            ports,
            statements: Looks::new(Manner { limit, keep: |_| KEEP }, clock),
            integrity: Looks::new(Manner { limit, keep: |_| KEEP }, clock),
            replicas: Looks::new(Manner { limit, keep: |_| KEEP }, clock),
            measures: Looks::new(Manner { limit, keep: |_| KEEP }, clock),
        }
    }

    pub(super) fn forget_idle(&self, idle: Duration) {
        self.statements.forget_idle(idle);
        self.integrity.forget_idle(idle);
        self.replicas.forget_idle(idle);
        self.measures.forget_idle(idle);
    }

    /// Looks at one check.
    pub(super) async fn found(&self, wanted: Wanted, memory: Memory, watching: Watching<'_>) -> Found {
        let Some(ports) = self.ports.clone() else {
            let because = Because::NotThere("this gate was started without anything that could look".to_owned());
            return Found { outcome: missing(because), remembered: false, watched: Some(Watched::Blind) };
        };
        match wanted {
            Wanted::Statements { access, namespace, config_map } => {
                let key = (access.key.clone(), namespace.clone(), config_map.clone());
                let how = move |_: &_| -> BoxFuture<'static, _> {
                    let (ports, access) = (ports.clone(), Arc::clone(&access));
                    let (namespace, config_map) = (namespace.clone(), config_map.clone());
                    async move { statements(&ports, &access, &namespace, &config_map).await }.boxed()
                };
                Found::of(self.statements.look(key, memory, how).await, |outcome| outcome)
            }
            Wanted::Integrity { access, query } => {
                let key = (access.key.clone(), query.clone());
                let how = move |_: &_| -> BoxFuture<'static, _> {
                    let (ports, access, query) = (ports.clone(), Arc::clone(&access), query.clone());
                    async move { integrity(&ports, &access, &query).await }.boxed()
                };
                Found::of(self.integrity.look(key, memory, how).await, |outcome| outcome)
            }
            Wanted::Replica { replica, version, primary } => {
                let key = replica.key.clone();
                let how = move |_: &_| -> BoxFuture<'static, _> {
                    let (ports, replica) = (ports.clone(), replica.clone());
                    async move { followed(&ports, &replica).await }.boxed()
                };
                Found::of(self.replicas.look(key, memory, how).await, |ledger| {
                    behind(ledger.as_deref(), primary.as_ref(), &version)
                })
            }
            Wanted::Measure(measure) => {
                let key =
                    MeasureRef { server: measure.server.clone(), query: measure.query.clone(), back: measure.held };
                let how = move |asked: &MeasureRef| -> BoxFuture<'static, _> {
                    let (ports, asked) = (ports.clone(), asked.clone());
                    async move { ports.metrics.measure(&asked).await }.boxed()
                };
                let look = self.measures.look(key, memory, how).await;
                let standing = look.outcome.as_ref().ok().map(|measured| standing(&measure, measured));
                let watched = match &standing {
                    Some(Standing::Within) => Watched::Well,
                    Some(Standing::Out(_)) => Watched::Bad,
                    Some(Standing::NotLongEnough(_)) | None => Watched::Blind,
                };
                let mut found =
                    Found::of(look, |measured| told(super::measures::standing(&measure, &measured), watching));
                found.watched = Some(watched);
                found
            }
        }
    }
}

impl Found {
    fn of<T>(look: Look<T>, outcome: impl FnOnce(T) -> CheckOutcome) -> Self {
        let Look { outcome: seen, at, remembered } = look;
        let outcome = match seen {
            Ok(value) => Sighting::Seen { value: outcome(value), at },
            Err(because) => missing(because),
        };
        Self { outcome, remembered, watched: None }
    }
}

impl Found {
    /// What it found; why it found nothing, with the name of the check.
    pub(super) fn named(self, name: &str) -> Sighting<CheckOutcome> {
        let Sighting::Missing(Missing { because, .. }) = self.outcome else { return self.outcome };
        missing(named(because, name))
    }
}

/// Why nothing is known, with the name of what nothing is known of.
fn named(because: Because, name: &str) -> Because {
    let named = |why: String| format!("{name}: {why}");
    match because {
        Because::Unreachable(why) => Because::Unreachable(named(why)),
        Because::NotPermitted(why) => Because::NotPermitted(named(why)),
        Because::Untrusted(why) => Because::Untrusted(named(why)),
        Because::NotThere(why) => Because::NotThere(named(why)),
        Because::TimedOut(after) => Because::Unreachable(named(format!("no answer within {} ms", after.as_millis()))),
        Because::Stale { age } => Because::Stale { age },
    }
}

const fn missing(because: Because) -> Sighting<CheckOutcome> {
    Sighting::Missing(Missing { fact: Fact::Check, because })
}

impl Wanted {
    /// What it is called in messages. `several`: there is more than one database.
    pub(super) fn name(&self, database: &str, several: bool) -> String {
        let name = match self {
            Self::Statements { .. } => "statements".to_owned(),
            Self::Integrity { query, .. } => format!("integrity query {}", query.name),
            Self::Replica { replica, .. } => format!("replica {}", replica.name),
            Self::Measure(measure) => return measure.name.clone(),
        };
        if several { format!("{name} of {database}") } else { name }
    }
}

/// What a measure means for the canary: a gate waits for it, a watch ends with it.
fn told(standing: Standing, Watching { watch, waiting }: Watching<'_>) -> CheckOutcome {
    match (standing, watch) {
        (Standing::Within, None) => CheckOutcome::Passed,
        (Standing::Within, Some(watch)) if waiting.watched >= watch.lasting => CheckOutcome::Passed,
        (Standing::Within, Some(watch)) => {
            CheckOutcome::Pending(format!("well so far, {}", watched(waiting.watched, watch.lasting)))
        }
        (Standing::Out(what), Some(watch)) if too_bad(waiting, watch) => CheckOutcome::Failed(what),
        (Standing::Out(what) | Standing::NotLongEnough(what), _) => CheckOutcome::Pending(what),
    }
}

/// A statement that is not understood is waited for and never refused: whether the schema or the statement is to blame,
/// nobody can tell, and a new version of either cures it.
async fn statements(
    ports: &CheckPorts,
    access: &Access,
    namespace: &str,
    config_map: &str,
) -> Result<CheckOutcome, Because> {
    let place = format!("ConfigMap {config_map} in namespace {namespace}");
    let files: BTreeMap<String, String> = ports.sql.files(namespace, config_map).await?;
    let all = app_statements(engine(access.url.engine()), &files)
        .map_err(|error| Because::Untrusted(format!("{place}: {error}")))?;
    if all.is_empty() {
        return Err(Because::Untrusted(format!("{place} holds no statement; put the version's SQL into it")));
    }
    let mut probe = ports.probes.probe(&access.url).await.map_err(unanswered)?;
    let mut refused = Vec::new();
    let mut required: BTreeMap<TableName, Vec<String>> = BTreeMap::new();
    for statement in &all {
        let answer = misunderstood(probe.as_mut(), statement, &mut required).await;
        if let Some(why) = answer.map_err(|error| named(unanswered(error), &statement.name))? {
            refused.push(format!("{}: {why}", statement.name));
        }
    }
    if refused.is_empty() {
        return Ok(CheckOutcome::Passed);
    }
    let (count, left) = (refused.len(), refused.len().saturating_sub(MOST_NAMED));
    refused.truncate(MOST_NAMED);
    let more = if left == 0 { String::new() } else { format!(", and {left} more") };
    let of = all.len();
    Ok(CheckOutcome::Pending(format!("the schema does not take {count} of {of}: {}{more}", refused.join("; "))))
}

async fn misunderstood(
    probe: &mut dyn Probe,
    statement: &AppStatement,
    required: &mut BTreeMap<TableName, Vec<String>>,
) -> Result<Option<String>, ProbeError> {
    if let Prepared::Refused(why) = probe.prepare(&statement.sql).await? {
        return Ok(Some(why));
    }
    for insert in &statement.inserts {
        let table = TableName { schema: insert.schema.clone(), name: insert.table.clone() };
        if !required.contains_key(&table) {
            let columns = probe.required_columns(&table).await?;
            required.insert(table.clone(), columns);
        }
        let columns = required.get(&table).map(Vec::as_slice).unwrap_or_default();
        // No engine with columns that differ only in case is worth a false alarm.
        let given = |column: &&String| insert.columns.iter().any(|given| given.eq_ignore_ascii_case(column));
        if let Some(column) = columns.iter().find(|column| !given(column)) {
            return Ok(Some(format!("it gives {}.{column} no value, which is NOT NULL without a default", table.name)));
        }
    }
    Ok(None)
}

async fn integrity(ports: &CheckPorts, access: &Access, query: &IntegrityQuery) -> Result<CheckOutcome, Because> {
    let mut probe = ports.probes.probe(&access.url).await.map_err(unanswered)?;
    let answer = probe.ask(&query.query).await.map_err(unanswered)?;
    match answer.holds(query.at_most) {
        Held::Yes => Ok(CheckOutcome::Passed),
        Held::No(why) => Ok(CheckOutcome::Pending(why)),
        Held::Unclear(why) => Err(Because::Untrusted(why)),
    }
}

/// A replica's own copy of the ledger says how far it is: ledger and schema are in one log, and arrive in its order.
async fn followed(ports: &CheckPorts, replica: &ReplicaAccess) -> Result<Option<Arc<LedgerState>>, Because> {
    let reader = ports.probes.replica(&replica.url).await.map_err(readers::because)?;
    match reader.read().await.map_err(readers::because)? {
        Reading::Ledger(state) => Ok(Some(Arc::new(state))),
        Reading::NotBegun => Ok(None),
    }
}

/// What matters is not how many seconds a replica is behind: the old version reads it all the same. A canary whose reads
/// need a column that has not arrived there fails.
fn behind(ledger: Option<&LedgerState>, primary: Option<&ServerIdentity>, version: &AppVersion) -> CheckOutcome {
    let Some(ledger) = ledger else { return CheckOutcome::Pending("its ledger has not arrived yet".to_owned()) };
    if primary != Some(&ledger.server) {
        // Another database's, or one that has not seen yet that this one moved to another server.
        let why = "its ledger was not written on the primary: it is no copy of it, or has not followed";
        return CheckOutcome::Pending(why.to_owned());
    }
    let changes = ledger.live_changes();
    // What the canary names and the replica does not have yet: it is that far behind.
    let Ok(windows) = version.windows(&changes) else {
        return CheckOutcome::Pending("a change that the version names has not arrived there yet".to_owned());
    };
    let outside = changes.iter().zip(windows).find(|(change, window)| window.fit(change.span) != Fit::Inside);
    outside.map_or(CheckOutcome::Passed, |(change, window)| {
        let (name, span) = (&change.profile.name, change.span);
        CheckOutcome::Pending(format!("it shows {name} at {span}; {} needs {window}", version.name))
    })
}

fn unanswered(error: ProbeError) -> Because {
    match &error {
        ProbeError::Unreachable { .. } | ProbeError::Slow { .. } => Because::Unreachable(chain(&error)),
        ProbeError::NotPermitted { .. } => Because::NotPermitted(error.to_string()),
        ProbeError::Refused { .. } | ProbeError::NotPreparable { .. } => Because::Untrusted(error.to_string()),
    }
}

const fn engine(engine: LedgerEngine) -> Engine {
    match engine {
        LedgerEngine::Postgres => Engine::Postgres,
        LedgerEngine::Mysql => Engine::Mysql,
        LedgerEngine::Mariadb => Engine::Mariadb,
        LedgerEngine::Sqlite => Engine::Sqlite,
    }
}

#[cfg(test)]
mod tests;
