//! The probe of a MariaDB or MySQL database.
//!
//! These servers ask whoever prepares a statement for the rights to run it. So the gate's account has none of them: it
//! calls two procedures that `phasegate gate-role` prints, which run as an account nobody can log in as and only prepare
//! their argument, or read the catalog. That account may not run stored functions, since a server may work out a call
//! with constant arguments while it prepares, and may not make or drop anything: for such a statement there is no answer.
//! Nor is there for any kind but those that read and write rows: MariaDB 10.11 takes `CALL nobody()` and `DROP TABLE nobody`
//! without having looked for either.

use std::time::Duration;

use async_trait::async_trait;
use sqlx::{
    AssertSqlSafe, Row as _, TypeInfo, ValueRef,
    mysql::{MySqlConnection, MySqlRow},
};

use crate::{
    Prepared, Probe, ProbeError, QueryAnswer, TableName,
    mysql::{Flavour, connect, fault, values},
    probe::{one_row, said, unanswered},
    statement::first_word,
    url::MysqlAddress,
};

/// No server understands it, and so no procedure that prepares it succeeds.
const NONSENSE: &str = "SELECT phasegate_asks.nothing FROM (SELECT 1 AS one) AS phasegate_asks";
/// What is looked into when it is prepared.
const KINDS: [&str; 7] = ["SELECT", "WITH", "VALUES", "INSERT", "REPLACE", "UPDATE", "DELETE"];
/// Afresh, and so that nothing can be written.
const AFRESH: &str = "ROLLBACK; START TRANSACTION READ ONLY";

/// A connection for a few questions.
pub(crate) struct MysqlProbe {
    connection: MySqlConnection,
    /// Whether the procedure was seen to prepare.
    tried: bool,
}

impl MysqlProbe {
    /// Connects.
    ///
    /// # Errors
    /// [`ProbeError::Unreachable`].
    pub(crate) async fn connect(address: &MysqlAddress, within: Duration) -> Result<Self, ProbeError> {
        let connected = connect::gate(address).await;
        let (mut connection, flavour) = connected.map_err(|error| ProbeError::Unreachable { cause: error.into() })?;
        // Whole seconds are the smallest bound of a lock that both have.
        let bound = match flavour {
            Flavour::Mariadb => format!("max_statement_time = {}", within.as_secs_f64().max(0.001)),
            Flavour::Mysql => format!("max_execution_time = {}", within.as_millis().max(1)),
        };
        let bounds = format!("SET SESSION autocommit = 1, lock_wait_timeout = 1, {bound}");
        sqlx::raw_sql(AssertSqlSafe(bounds)).execute(&mut connection).await.map_err(failed)?;
        Ok(Self { connection, tried: false })
    }

    async fn call(&mut self, statement: &str) -> Result<(), sqlx::Error> {
        let call = sqlx::query("CALL phasegate_prepare(?)").bind(statement);
        call.execute(&mut self.connection).await.map(drop)
    }

    /// Sees that the procedure is there and prepares. One that takes everything would be a yes to everything.
    async fn try_once(&mut self) -> Result<(), ProbeError> {
        if self.tried {
            return Ok(());
        }
        let Err(cause) = self.call(NONSENSE).await else {
            let what = "the procedure phasegate_prepare takes what no server understands; make it anew with what \
                        `phasegate gate-role` prints";
            return Err(ProbeError::Refused { what: what.to_owned() });
        };
        if fault::number(&cause) == Some(fault::NO_COLUMN) {
            self.tried = true;
            return Ok(());
        }
        Err(match failed(cause) {
            ProbeError::Refused { what } | ProbeError::NotPreparable { what } => ProbeError::NotPermitted { what },
            other @ (ProbeError::Unreachable { .. } | ProbeError::Slow { .. } | ProbeError::NotPermitted { .. }) => {
                other
            }
        })
    }
}

#[async_trait]
impl Probe for MysqlProbe {
    async fn prepare(&mut self, statement: &str) -> Result<Prepared, ProbeError> {
        let kind = first_word(statement.trim_start_matches(|c: char| c == '(' || c.is_whitespace()));
        if !KINDS.contains(&kind.as_str()) {
            let what = format!("it begins with `{}`", kind.chars().take(40).collect::<String>());
            return Err(ProbeError::NotPreparable { what });
        }
        self.try_once().await?;
        match self.call(statement).await.map_err(failed) {
            Ok(()) => Ok(Prepared::Understood),
            Err(ProbeError::Refused { what }) => Ok(Prepared::Refused(what)),
            Err(
                other @ (ProbeError::Unreachable { .. }
                | ProbeError::Slow { .. }
                | ProbeError::NotPermitted { .. }
                | ProbeError::NotPreparable { .. }),
            ) => Err(other),
        }
    }

    async fn required_columns(&mut self, table: &TableName) -> Result<Vec<String>, ProbeError> {
        let call = sqlx::query("CALL phasegate_required(?, ?)").bind(table.schema.clone()).bind(table.name.clone());
        let rows = call.persistent(false).fetch_all(&mut self.connection).await.map_err(failed)?;
        let name = |row: &MySqlRow| values::text(row, 0).map(Option::unwrap_or_default);
        rows.iter().map(name).collect::<Result<_, _>>().map_err(failed)
    }

    async fn ask(&mut self, query: &str) -> Result<QueryAnswer, ProbeError> {
        sqlx::raw_sql(AFRESH).execute(&mut self.connection).await.map_err(failed)?;
        // The line break ends a comment, and a statement that is sent to be prepared is one statement.
        let query = query.trim().trim_end_matches(';');
        let sql = format!("SELECT * FROM (\n{query}\n) AS phasegate_asks LIMIT 2");
        let rows = sqlx::query(AssertSqlSafe(sql)).persistent(false).fetch_all(&mut self.connection).await;
        let answer = answer(&rows.map_err(failed)?).map_err(failed)?;
        sqlx::raw_sql("ROLLBACK").execute(&mut self.connection).await.map_err(failed)?;
        Ok(answer)
    }
}

fn answer(rows: &[MySqlRow]) -> Result<QueryAnswer, sqlx::Error> {
    let row = match one_row(rows) {
        Ok(row) if row.len() == 1 => row,
        Ok(_) => return Ok(QueryAnswer::several_columns()),
        Err(other) => return Ok(other),
    };
    let raw = row.try_get_raw(0)?;
    if raw.is_null() {
        return Ok(QueryAnswer::Null);
    }
    let kind = raw.type_info().name().to_owned();
    let number = match kind.as_str() {
        "DECIMAL" => values::text(row, 0)?.and_then(|digits| digits.parse().ok()),
        "FLOAT" => Some(f64::from(row.try_get::<f32, _>(0)?)),
        "DOUBLE" => Some(row.try_get(0)?),
        whole if whole.ends_with("INT UNSIGNED") => Some(real(i128::from(row.try_get_unchecked::<u64, _>(0)?))),
        whole if whole.ends_with("INT") || whole == "BOOLEAN" => {
            Some(real(i128::from(row.try_get_unchecked::<i64, _>(0)?)))
        }
        _ => None,
    };
    Ok(match number.filter(|number: &f64| number.is_finite()) {
        Some(number) => QueryAnswer::Number(number),
        None => QueryAnswer::no_number(&kind.to_lowercase()),
    })
}

#[expect(clippy::cast_precision_loss, reason = "a count beyond 2^53 is beyond every bound that a person writes")]
const fn real(number: i128) -> f64 {
    number as f64
}

fn failed(cause: sqlx::Error) -> ProbeError {
    let what = said(&cause);
    // What gate-role gives. A statement that asks for more is one that is not prepared.
    let given = || ["SELECT", "INSERT", "UPDATE", "DELETE"].iter().any(|right| what.starts_with(right));
    match fault::number(&cause) {
        Some(fault::DENIED_TABLE | fault::DENIED_COLUMN) if given() => ProbeError::NotPermitted { what },
        // Every question stands in a transaction that may only read.
        Some(fault::READ_ONLY) => ProbeError::Refused { what },
        Some(number) if fault::DENIED.contains(&number) || number == fault::NOT_PREPARABLE => {
            ProbeError::NotPreparable { what }
        }
        Some(_) | None => {
            let fault = fault::fault(&cause);
            unanswered(cause, fault)
        }
    }
}
