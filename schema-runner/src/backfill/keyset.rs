//! The statements of a backfill: ranges of the primary key, bounded by keys that exist.
//!
//! Never arithmetic on keys, as they may be sparse, text or composite; and no OFFSET beyond the range itself. On PostgreSQL keys
//! travel as text and are cast back, so that every type of key goes the same way and its index still serves.

use phase_ledger::{Cell, Statement};
use schema_changes::{Backfill, Engine, TableFacts, placeholder, quote};

/// The primary key of one table, as SQL.
pub(crate) struct Keyset {
    engine: Engine,
    table: String,
    columns: Vec<Column>,
}

struct Column {
    quoted: String,
    sql_type: String,
}

impl Keyset {
    pub(crate) fn new(engine: Engine, it: &Backfill, facts: &TableFacts) -> Result<Self, String> {
        let column = |name: &String| {
            let facts = facts.column(name).ok_or_else(|| format!("`{}` has no column `{name}`", it.table))?;
            Ok(Column { quoted: quote(engine, name), sql_type: facts.sql_type.clone() })
        };
        let columns = it.key.iter().map(column).collect::<Result<Vec<_>, String>>()?;
        if columns.is_empty() {
            return Err(format!("`{}` has no primary key; add one first", it.table));
        }
        Ok(Self { engine, table: quote(engine, &it.table), columns })
    }

    fn list(&self, render: impl Fn(&Column) -> String) -> String {
        self.columns.iter().map(render).collect::<Vec<_>>().join(", ")
    }

    fn selected(&self) -> String {
        self.list(|column| match self.engine {
            Engine::Postgres => format!("{}::text", column.quoted),
            Engine::Sqlite | Engine::Mysql | Engine::Mariadb => column.quoted.clone(),
        })
    }

    /// `(k1, k2) > ($1, $2)`, with the values from `first` on.
    fn compared(&self, operator: &str, first: usize) -> String {
        let mut number = first;
        let values: Vec<String> = self
            .columns
            .iter()
            .map(|column| {
                let value = placeholder(self.engine, number);
                number += 1;
                match self.engine {
                    Engine::Postgres => format!("{value}::{}", column.sql_type),
                    Engine::Sqlite | Engine::Mysql | Engine::Mariadb => value,
                }
            })
            .collect();
        let keys = self.list(|column| column.quoted.clone());
        if self.columns.len() == 1 {
            format!("{keys} {operator} {}", values.join(", "))
        } else {
            format!("({keys}) {operator} ({})", values.join(", "))
        }
    }

    /// SQLite lets NULL into primary keys that are not INTEGER; such a row is in no range.
    fn no_nulls(&self) -> String {
        match self.engine {
            Engine::Sqlite => self
                .columns
                .iter()
                .map(|column| format!("{} IS NOT NULL", column.quoted))
                .collect::<Vec<_>>()
                .join(" AND "),
            Engine::Postgres | Engine::Mysql | Engine::Mariadb => "true".to_owned(),
        }
    }

    /// The conditions of a range after `cursor` (from the first row when it is empty) up to `end`.
    fn range(&self, cursor: &[Cell], end: &[Cell]) -> (String, Vec<Cell>) {
        if cursor.is_empty() {
            (self.compared("<=", 1), end.to_vec())
        } else {
            let first = self.compared(">", 1);
            (format!("{first} AND {}", self.compared("<=", 1 + self.columns.len())), [cursor, end].concat())
        }
    }

    /// The greatest key there is.
    pub(crate) fn last(&self) -> Statement {
        let order = self.list(|column| format!("keyed.{} DESC", column.quoted));
        Statement::plain(format!(
            "SELECT {} FROM {} AS keyed WHERE {} ORDER BY {order} LIMIT 1",
            self.selected(),
            self.table,
            self.no_nulls()
        ))
    }

    /// The key of the last of the next `rows` rows in the range; of those that meet `filter`, when there is one.
    pub(crate) fn boundary(&self, cursor: &[Cell], end: &[Cell], rows: u64, filter: Option<&str>) -> Statement {
        let (range, binds) = self.range(cursor, end);
        let filter = filter.map(|filter| format!(" AND ({filter})")).unwrap_or_default();
        let sql = format!(
            "SELECT {} FROM {} AS keyed WHERE {range} AND {}{filter} ORDER BY {} LIMIT 1 OFFSET {}",
            self.selected(),
            self.table,
            self.no_nulls(),
            // Unqualified, PostgreSQL would take the name for the output column, and sort keys as text.
            self.list(|column| format!("keyed.{}", column.quoted)),
            rows.saturating_sub(1)
        );
        Statement { sql, binds }
    }

    /// How many rows are left in the range.
    pub(crate) fn remaining(&self, cursor: &[Cell], end: &[Cell]) -> Statement {
        let (range, binds) = self.range(cursor, end);
        Statement { sql: format!("SELECT count(*) FROM {} WHERE {range}", self.table), binds }
    }

    /// How many rows meet the condition, in the whole table.
    pub(crate) fn count(&self, condition: &str) -> String {
        format!("SELECT count(*) FROM {} WHERE {condition}", self.table)
    }

    /// Fills the rows of a range that still need it.
    pub(crate) fn update(&self, it: &Backfill, cursor: &[Cell], boundary: &[Cell]) -> Statement {
        let (range, binds) = self.range(cursor, boundary);
        let sql = format!("UPDATE {} SET {} WHERE {range} AND ({})", self.table, it.assignments, it.unfilled);
        Statement { sql, binds }
    }

    /// Fills the rows that no range holds.
    pub(crate) fn update_null_keys(&self, it: &Backfill) -> Option<Statement> {
        match self.engine {
            Engine::Sqlite => {
                let null: Vec<String> =
                    self.columns.iter().map(|column| format!("{} IS NULL", column.quoted)).collect();
                let null = null.join(" OR ");
                Some(Statement::plain(format!(
                    "UPDATE {} SET {} WHERE ({null}) AND ({})",
                    self.table, it.assignments, it.unfilled
                )))
            }
            Engine::Postgres | Engine::Mysql | Engine::Mariadb => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use schema_changes::ColumnFacts;

    use super::*;

    fn keyset(engine: Engine, key: &[(&str, &str)]) -> (Keyset, Backfill) {
        let facts = TableFacts {
            columns: key
                .iter()
                .map(|(name, sql_type)| ColumnFacts {
                    name: (*name).into(),
                    sql_type: (*sql_type).into(),
                    nullable: false,
                    default: None,
                    generated: false,
                })
                .collect(),
            ..TableFacts::default()
        };
        let it = Backfill {
            table: "sales.items".into(),
            key: key.iter().map(|(name, _)| (*name).into()).collect(),
            assignments: "a = b".into(),
            unfilled: "a IS NULL".into(),
        };
        (Keyset::new(engine, &it, &facts).unwrap(), it)
    }

    #[test]
    fn a_range_of_a_composite_key_is_one_row_comparison() {
        let (keyset, it) = keyset(Engine::Postgres, &[("u", "uuid"), ("s", "text")]);
        let cursor = [Cell::Text("0".into()), Cell::Text("a".into())];
        let end = [Cell::Text("9".into()), Cell::Text("z".into())];
        let update = keyset.update(&it, &cursor, &end);
        assert_eq!(
            update.sql,
            r#"UPDATE "sales"."items" SET a = b WHERE ("u", "s") > ($1::uuid, $2::text) AND ("u", "s") <= ($3::uuid, $4::text) AND (a IS NULL)"#
        );
        assert_eq!(update.binds.len(), 4);
        let first = keyset.boundary(&[], &end, 100, None);
        assert_eq!(
            first.sql,
            r#"SELECT "u"::text, "s"::text FROM "sales"."items" AS keyed WHERE ("u", "s") <= ($1::uuid, $2::text) AND true ORDER BY keyed."u", keyed."s" LIMIT 1 OFFSET 99"#
        );
        assert_eq!(first.binds, end);
    }

    #[test]
    fn on_sqlite_rows_with_a_null_key_are_in_no_range_and_filled_apart() {
        let (keyset, it) = keyset(Engine::Sqlite, &[("k", "TEXT")]);
        assert!(keyset.last().sql.contains(r#""k" IS NOT NULL"#));
        assert!(keyset.update_null_keys(&it).unwrap().sql.contains(r#"("k" IS NULL)"#));
    }

    #[test]
    fn a_table_without_a_key_is_refused() {
        let it = Backfill { table: "t".into(), key: Vec::new(), assignments: String::new(), unfilled: String::new() };
        let refused = Keyset::new(Engine::Sqlite, &it, &TableFacts::default()).err();
        assert_eq!(refused.as_deref(), Some("`t` has no primary key; add one first"));
    }
}
