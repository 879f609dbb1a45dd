//! The probe of a PostgreSQL database.
//!
//! A statement is only parsed: the extended protocol's Parse takes one statement and runs none, and USAGE on the schema
//! is all the right it needs. Each in a transaction of its own, because parsing takes a lock on every table it names, and
//! a runner that wants the table must not wait for a gate.

use std::time::Duration;

use async_trait::async_trait;
use sqlx::{
    AssertSqlSafe, Executor, Row, SqlSafeStr,
    postgres::{PgConnectOptions, PgConnection},
};

use crate::{
    Prepared, Probe, ProbeError, QueryAnswer, TableName,
    postgres::{connect, fault},
    probe::{one_row, said, unanswered},
};

const DONE: &str = "ROLLBACK; DEALLOCATE ALL";

/// A connection for a few questions.
pub(crate) struct PostgresProbe {
    connection: PgConnection,
    within: Duration,
}

impl PostgresProbe {
    /// Connects.
    ///
    /// # Errors
    /// [`ProbeError::Unreachable`].
    pub(crate) async fn connect(options: &PgConnectOptions, within: Duration) -> Result<Self, ProbeError> {
        // Nothing is prepared to be used again.
        let options = options.clone().statement_cache_capacity(0);
        let connection =
            connect::gate(&options).await.map_err(|error| ProbeError::Unreachable { cause: error.into() })?;
        Ok(Self { connection, within })
    }

    /// One message. The statements prepared before it are forgotten: behind a pooler the server session is another's next.
    async fn afresh(&mut self) -> Result<(), ProbeError> {
        let sql = format!(
            "ROLLBACK; DEALLOCATE ALL; BEGIN READ ONLY; SET LOCAL lock_timeout = '200ms'; \
             SET LOCAL statement_timeout = {}; SET LOCAL jit = off",
            self.within.as_millis().max(1)
        );
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut self.connection).await.map_err(failed)?;
        Ok(())
    }

    async fn done(&mut self) -> Result<(), ProbeError> {
        sqlx::raw_sql(DONE).execute(&mut self.connection).await.map_err(failed)?;
        Ok(())
    }
}

#[async_trait]
impl Probe for PostgresProbe {
    async fn prepare(&mut self, statement: &str) -> Result<Prepared, ProbeError> {
        self.afresh().await?;
        let sql = AssertSqlSafe(statement).into_sql_str();
        let parsed = (&mut self.connection).prepare(sql).await.map(drop);
        let answer = match parsed {
            Ok(()) => Prepared::Understood,
            Err(cause) => match failed(cause) {
                ProbeError::Refused { what } => Prepared::Refused(what),
                other @ (ProbeError::Unreachable { .. }
                | ProbeError::Slow { .. }
                | ProbeError::NotPermitted { .. }
                | ProbeError::NotPreparable { .. }) => return Err(other),
            },
        };
        self.done().await?;
        Ok(answer)
    }

    async fn required_columns(&mut self, table: &TableName) -> Result<Vec<String>, ProbeError> {
        self.afresh().await?;
        let sql = include_str!("../sql/postgres/required_columns.sql");
        let rows = sqlx::query(sql).bind(regclass(table)).persistent(false).fetch_all(&mut self.connection).await;
        let names = rows.map_err(failed)?.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>().map_err(failed)?;
        self.done().await?;
        Ok(names)
    }

    async fn ask(&mut self, query: &str) -> Result<QueryAnswer, ProbeError> {
        self.afresh().await?;
        // A row as text is `(a,b)`. The line break ends a comment, and one statement is all that is taken.
        let query = query.trim().trim_end_matches(';');
        let sql = format!("SELECT pg_catalog.left(q::pg_catalog.text, 100) FROM (\n{query}\n) AS q LIMIT 2");
        let rows = sqlx::query(AssertSqlSafe(sql)).persistent(false).fetch_all(&mut self.connection).await;
        let rows: Vec<String> =
            rows.map_err(failed)?.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>().map_err(failed)?;
        self.done().await?;
        Ok(answer(&rows))
    }
}

fn answer(rows: &[String]) -> QueryAnswer {
    let row = match one_row(rows) {
        Ok(row) => row,
        Err(other) => return other,
    };
    let inner = row.strip_prefix('(').and_then(|row| row.strip_suffix(')')).unwrap_or(row);
    match inner.parse::<f64>() {
        Ok(number) if number.is_finite() => QueryAnswer::Number(number),
        Ok(_) => QueryAnswer::Other(format!("`{inner}`, which is no number")),
        Err(_) if inner.is_empty() => QueryAnswer::Null,
        Err(_) if inner.contains(',') => QueryAnswer::several_columns(),
        Err(_) => QueryAnswer::no_number("text"),
    }
}

/// The name as `to_regclass` reads it.
fn regclass(table: &TableName) -> String {
    let quoted = |name: &str| format!("\"{}\"", name.replace('"', "\"\""));
    let name = quoted(&table.name);
    table.schema.as_ref().map_or_else(|| name.clone(), |schema| format!("{}.{name}", quoted(schema)))
}

fn failed(cause: sqlx::Error) -> ProbeError {
    match fault::sqlstate(&cause).as_deref() {
        Some("42501") => ProbeError::NotPermitted { what: said(&cause) },
        // A write: every question stands in a transaction that may only read.
        Some("25006") => ProbeError::Refused { what: said(&cause) },
        Some(_) | None => {
            let fault = fault::fault(&cause);
            unanswered(cause, fault)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_number_is_a_number_and_nothing_else_is() {
        let rows: [(&[&str], QueryAnswer); 9] = [
            (&[], QueryAnswer::NoRow),
            (&["(0)"], QueryAnswer::Number(0.0)),
            (&["(-1.5)"], QueryAnswer::Number(-1.5)),
            (&["()"], QueryAnswer::Null),
            (&["(NaN)"], QueryAnswer::Other("`NaN`, which is no number".into())),
            (&["(Infinity)"], QueryAnswer::Other("`Infinity`, which is no number".into())),
            (&["(1,2)"], QueryAnswer::Other("more than one column".into())),
            (&["(\"a b\")"], QueryAnswer::Other("text, and no number".into())),
            (&["(0)", "(0)"], QueryAnswer::Other("more than one row".into())),
        ];
        for (found, want) in rows {
            let found: Vec<String> = found.iter().map(|row| (*row).to_owned()).collect();
            assert_eq!(answer(&found), want, "{found:?}");
        }
    }

    #[test]
    fn a_table_keeps_its_name_whatever_stands_in_it() {
        let table = |schema: Option<&str>, name: &str| {
            regclass(&TableName { schema: schema.map(str::to_owned), name: name.to_owned() })
        };
        assert_eq!(table(None, "orders"), "\"orders\"");
        assert_eq!(table(Some("My.Shop"), "a\"b"), "\"My.Shop\".\"a\"\"b\"");
    }
}
