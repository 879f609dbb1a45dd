//! What the database itself can say about its load.

use std::time::Duration;

use phase_ledger::{Cell, Row, Statement};
use schema_changes::{Engine, ThrottleSettings};

/// One thing that is asked, and the limit above which a backfill rests.
pub(super) struct Source {
    /// What it is, for people.
    pub(super) what: &'static str,
    pub(super) query: Statement,
    /// What is missing when the query gives no number.
    remedy: &'static str,
    unit: &'static str,
    limit: f64,
}

/// The standbys that stream, whatever they are called; a base backup is none. The lag is NULL for a role that may not see
/// it, which the state tells apart; when nothing was written lately; and when a standby does not replay what was, so that
/// nothing is measured: then how many bytes it is behind says which of the two.
const LAG: &str = "SELECT CASE WHEN count(*) > 0 AND bool_and(r.state IS NOT NULL AND (r.replay_lag IS NOT NULL
                  OR coalesce(pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_lsn(), r.replay_lsn) < 1048576, false)))
            THEN coalesce(max(extract(epoch FROM r.replay_lag)), 0)::float8 END
  FROM pg_catalog.pg_stat_replication r WHERE r.state IS DISTINCT FROM 'backup'";

const ACTIVE: &str = "SELECT CASE WHEN count(*) = count(a.state) THEN count(*) FILTER (WHERE a.state = 'active') END
  FROM pg_catalog.pg_stat_activity a
 WHERE a.backend_type = 'client backend' AND a.application_name <> 'phasegate' OR a.backend_type IS NULL";

const RUNNING_MARIADB: &str = "SELECT CAST(variable_value AS SIGNED) FROM information_schema.global_status
 WHERE variable_name = 'THREADS_RUNNING'";
const RUNNING_MYSQL: &str = "SELECT CAST(variable_value AS SIGNED) FROM performance_schema.global_status
 WHERE variable_name = 'Threads_running'";

fn seconds(duration: Duration) -> f64 {
    duration.as_secs_f64()
}

/// What is asked, in order.
pub(super) fn sources(settings: &ThrottleSettings, engine: Engine) -> Vec<Source> {
    let mut all = Vec::new();
    if let Some(limit) = settings.replication_lag {
        all.push(Source {
            what: "the replication lag",
            query: Statement::plain(LAG),
            remedy: "no standby streams, one does not replay, or the runner's role may not see them (grant pg_read_all_stats)",
            unit: " s",
            limit: seconds(limit),
        });
    }
    if let Some(limit) = settings.active_sessions {
        let query = match engine {
            Engine::Postgres => Some(ACTIVE),
            Engine::Mariadb => Some(RUNNING_MARIADB),
            Engine::Mysql => Some(RUNNING_MYSQL),
            Engine::Sqlite => None,
        };
        all.extend(query.map(|query| Source {
            what: "the number of active sessions",
            query: Statement::plain(query),
            remedy: "the runner's role may not see them (PostgreSQL: grant pg_read_all_stats)",
            unit: "",
            limit: limit.into(),
        }));
    }
    if let Some(query) = &settings.query {
        all.push(Source {
            what: "the throttle query",
            query: Statement::plain(query.as_str()),
            remedy: "it must return one row with one number",
            unit: "",
            limit: 0.0,
        });
    }
    all
}

impl Source {
    /// Why to rest, if these rows say so.
    pub(super) fn judge(&self, rows: &[Row]) -> Option<String> {
        let found = match rows {
            [row] => number(row),
            _ => None,
        };
        match found {
            Some(found) if found <= self.limit => None,
            Some(found) => {
                let Self { what, unit, limit, .. } = self;
                Some(format!("{what} is {found}{unit}, above {limit}{unit}"))
            }
            None => Some(format!("{} cannot be seen: {}", self.what, self.remedy)),
        }
    }
}

fn number(row: &Row) -> Option<f64> {
    match row.as_slice() {
        #[expect(clippy::cast_precision_loss, reason = "a load is small")]
        [Cell::Int(number)] => Some(*number as f64),
        [Cell::Real(number)] if !number.is_nan() => Some(*number),
        [Cell::Text(text)] => text.trim().parse().ok().filter(|number: &f64| !number.is_nan()),
        _ => None,
    }
}
