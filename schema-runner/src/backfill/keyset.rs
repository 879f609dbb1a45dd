//! The statements of a backfill: ranges of the primary key, bounded by keys that exist.
//!
//! Never arithmetic on keys, as they may be sparse, text or composite; and no OFFSET beyond the range itself. On PostgreSQL keys
//! travel as text and are cast back, so that every type of key goes the same way and its index still serves; how on
//! MariaDB and MySQL, each type decides.

use super::key_type::KeyType;
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
    /// How it travels on MariaDB and MySQL.
    kind: KeyType,
}

/// A condition and the values in it.
struct Condition {
    sql: String,
    binds: Vec<Cell>,
}

/// A table of so many pages is counted; a larger one is estimated from a sample.
const COUNTED_PAGES: u64 = 5_000;
/// SQLite brings its log home when it has so many pages, 16 MB: four times as many as by default.
const PAGES_OF_LOG: u64 = 4_000;
/// The pages of a sample.
const SAMPLED_PAGES: u64 = 1_000;

impl Keyset {
    pub(crate) fn new(engine: Engine, it: &Backfill, facts: &TableFacts) -> Result<Self, String> {
        let column = |name: &String| {
            let facts = facts.column(name).ok_or_else(|| format!("`{}` has no column `{name}`", it.table))?;
            let kind = KeyType::of(&facts.sql_type);
            Ok(Column { quoted: quote(engine, name), sql_type: facts.sql_type.clone(), kind })
        };
        let columns = it.key.iter().map(column).collect::<Result<Vec<_>, String>>()?;
        if columns.is_empty() {
            return Err(format!("`{}` has no key; add one first", it.table));
        }
        Ok(Self { engine, table: quote(engine, &it.table), columns })
    }

    pub(crate) fn engine(&self) -> Engine {
        self.engine
    }

    /// What a connection is told before it fills: without statistics, or with wrong ones, PostgreSQL would at times read
    /// and sort all that is left of the table to find the end of one batch. One that never rests (`alone`) has an SQLite file to
    /// itself, and need not bring the log home, with two waits for the disk, after every 4 MB.
    pub(crate) fn settings(&self, alone: bool) -> Vec<Statement> {
        match self.engine {
            Engine::Postgres => {
                // In one turn: on a small table each counts.
                let off =
                    ["enable_seqscan", "enable_sort"].map(|it| format!("pg_catalog.set_config('{it}', 'off', false)"));
                vec![Statement::plain(format!("SELECT {}", off.join(", ")))]
            }
            Engine::Mysql | Engine::Mariadb => self.in_utc().into_iter().map(|(enter, _)| enter).collect(),
            Engine::Sqlite if alone => {
                vec![Statement::plain(format!("PRAGMA wal_autocheckpoint = {PAGES_OF_LOG}"))]
            }
            Engine::Sqlite => Vec::new(),
        }
    }

    /// What the connection that holds the lock is told before it looks at keys, and after. A moment is written down in the
    /// session's time zone, and in most of these an hour comes twice a year.
    pub(crate) fn in_utc(&self) -> Option<(Statement, Statement)> {
        let zoned = matches!(self.engine, Engine::Mysql | Engine::Mariadb)
            && self.columns.iter().any(|column| matches!(column.kind, KeyType::Moment));
        zoned.then(|| {
            let enter = "SET @phasegate_zone = @@session.time_zone, SESSION time_zone = '+00:00'";
            (Statement::plain(enter), Statement::plain("SET SESSION time_zone = @phasegate_zone"))
        })
    }

    fn list(&self, render: impl Fn(&Column) -> String) -> String {
        self.columns.iter().map(render).collect::<Vec<_>>().join(", ")
    }

    fn selected(&self) -> String {
        self.list(|column| match self.engine {
            Engine::Postgres => format!("{}::text", column.quoted),
            Engine::Mysql | Engine::Mariadb => column.kind.selected(&column.quoted),
            Engine::Sqlite => column.quoted.clone(),
        })
    }

    fn value(&self, column: &Column, number: usize) -> String {
        let value = placeholder(self.engine, number);
        match self.engine {
            Engine::Postgres => format!("{value}::{}", column.sql_type),
            Engine::Mysql | Engine::Mariadb => column.kind.value(&value),
            Engine::Sqlite => value,
        }
    }

    /// `(k1, k2) > ($1, $2)`, with the values from `first` on. `operator` is `>` or `<=`.
    fn compared(&self, operator: Operator, key: &[Cell], first: usize) -> Condition {
        match self.engine {
            Engine::Postgres | Engine::Sqlite => {
                let values = self.columns.iter().zip(first..).map(|(column, number)| self.value(column, number));
                let values = values.collect::<Vec<_>>().join(", ");
                let (keys, operator) = (self.list(|column| column.quoted.clone()), operator.as_str());
                let sql = if self.columns.len() == 1 {
                    format!("{keys} {operator} {values}")
                } else {
                    format!("({keys}) {operator} ({values})")
                };
                Condition { sql, binds: key.to_vec() }
            }
            // They compare rows, but read the whole index for it; this form is a range of the index.
            Engine::Mysql | Engine::Mariadb => self.nested(operator, key),
        }
    }

    /// `k1 >= ? AND (k1 > ? OR (k2 > ?))`, and `k1 <= ? AND (k1 < ? OR (k2 <= ?))`.
    fn nested(&self, operator: Operator, key: &[Cell]) -> Condition {
        let (loose, strict) = match operator {
            Operator::After => (">=", ">"),
            Operator::UpTo => ("<=", "<"),
        };
        let mut pairs = self.columns.iter().zip(key).rev();
        let Some((column, value)) = pairs.next() else {
            return Condition { sql: "true".to_owned(), binds: Vec::new() };
        };
        let mut sql = format!("{} {} {}", column.quoted, operator.as_str(), self.value(column, 1));
        let mut binds = vec![value.clone()];
        for (column, value) in pairs {
            let (name, one) = (&column.quoted, self.value(column, 1));
            sql = format!("{name} {loose} {one} AND ({name} {strict} {one} OR ({sql}))");
            binds.splice(0..0, [value.clone(), value.clone()]);
        }
        Condition { sql, binds }
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
    fn range(&self, cursor: &[Cell], end: &[Cell]) -> Condition {
        if cursor.is_empty() {
            return self.compared(Operator::UpTo, end, 1);
        }
        let after = self.compared(Operator::After, cursor, 1);
        let up_to = self.compared(Operator::UpTo, end, 1 + after.binds.len());
        Condition { sql: format!("{} AND {}", after.sql, up_to.sql), binds: [after.binds, up_to.binds].concat() }
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

    /// The key of the last of the next `rows` rows in the range; of those that meet `filter`, when there is one. The same
    /// text for every batch.
    pub(crate) fn boundary(&self, cursor: &[Cell], end: &[Cell], rows: u64, filter: Option<&str>) -> Statement {
        let Condition { sql: range, mut binds } = self.range(cursor, end);
        let filter = filter.map(|filter| format!(" AND ({filter})")).unwrap_or_default();
        let sql = format!(
            "SELECT {} FROM {} AS keyed WHERE {range} AND {}{filter} ORDER BY {} LIMIT 1 OFFSET {}",
            self.selected(),
            self.table,
            self.no_nulls(),
            // Unqualified, PostgreSQL would take the name for the output column, and sort keys as text.
            self.list(|column| format!("keyed.{}", column.quoted)),
            placeholder(self.engine, binds.len() + 1),
        );
        binds.push(Cell::Int(i64::try_from(rows.saturating_sub(1)).unwrap_or(i64::MAX)));
        Statement { sql, binds }
    }

    /// How many rows are left in the range.
    pub(crate) fn remaining(&self, cursor: &[Cell], end: &[Cell]) -> Statement {
        let Condition { sql, binds } = self.range(cursor, end);
        Statement { sql: format!("SELECT count(*) FROM {} WHERE {sql}", self.table), binds }
    }

    /// How many rows meet the condition, in the whole table.
    pub(crate) fn count(&self, condition: &str) -> String {
        format!("SELECT count(*) FROM {} WHERE {condition}", self.table)
    }

    /// How many pages the table has, where a part of them can be read.
    pub(crate) fn pages(&self) -> Option<Statement> {
        match self.engine {
            Engine::Postgres => Some(Statement {
                sql: "SELECT ((pg_catalog.pg_relation_size($1::regclass)
                               + (SELECT coalesce(sum(pg_catalog.pg_relation_size(part.relid)), 0)
                                    FROM pg_catalog.pg_partition_tree($1::regclass) part WHERE part.isleaf
                                     AND part.relid <> $1::regclass))
                              / pg_catalog.current_setting('block_size')::bigint)::bigint"
                    .to_owned(),
                binds: vec![Cell::Text(self.table.clone())],
            }),
            Engine::Sqlite | Engine::Mysql | Engine::Mariadb => None,
        }
    }

    /// How many rows a table of so many pages has, about.
    pub(crate) fn sample_count(&self, pages: u64) -> Statement {
        if pages <= COUNTED_PAGES {
            return self.all();
        }
        #[expect(clippy::cast_precision_loss, reason = "a fraction")]
        let percent = 100.0 * SAMPLED_PAGES as f64 / pages as f64;
        Statement::plain(format!(
            "SELECT (count(*) * 100 / {percent})::bigint FROM {} TABLESAMPLE SYSTEM ({percent})",
            self.table
        ))
    }

    /// Live and dead rows as the server counts them, where an UPDATE leaves dead ones.
    pub(crate) fn bloat(&self) -> Option<Statement> {
        match self.engine {
            Engine::Postgres => Some(Statement {
                sql: "SELECT s.n_live_tup, s.n_dead_tup FROM pg_catalog.pg_stat_all_tables s WHERE s.relid = $1::regclass"
                    .to_owned(),
                binds: vec![Cell::Text(self.table.clone())],
            }),
            Engine::Sqlite | Engine::Mysql | Engine::Mariadb => None,
        }
    }

    /// How many rows there are.
    pub(crate) fn all(&self) -> Statement {
        Statement::plain(self.count("true"))
    }

    /// Fills the rows of a range that still need it.
    pub(crate) fn update(&self, it: &Backfill, cursor: &[Cell], boundary: &[Cell]) -> Statement {
        let Condition { sql: range, binds } = self.range(cursor, boundary);
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

/// How keys are compared.
#[derive(Clone, Copy)]
enum Operator {
    After,
    UpTo,
}

impl Operator {
    const fn as_str(self) -> &'static str {
        match self {
            Self::After => ">",
            Self::UpTo => "<=",
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
            r#"SELECT "u"::text, "s"::text FROM "sales"."items" AS keyed WHERE ("u", "s") <= ($1::uuid, $2::text) AND true ORDER BY keyed."u", keyed."s" LIMIT 1 OFFSET $3"#
        );
        assert_eq!(first.binds, [end.as_slice(), &[Cell::Int(99)]].concat());
    }

    #[test]
    fn mariadb_gets_a_form_that_is_a_range_of_the_index() {
        let (keyset, it) = keyset(Engine::Mariadb, &[("a", "int"), ("b", "int"), ("c", "int")]);
        let key = |from: i64| (from..from + 3).map(Cell::Int).collect::<Vec<_>>();
        let update = keyset.update(&it, &key(1), &key(7));
        assert_eq!(
            update.sql,
            "UPDATE `sales`.`items` SET a = b WHERE `a` >= ? AND (`a` > ? OR (`b` >= ? AND (`b` > ? OR (`c` > ?)))) \
             AND `a` <= ? AND (`a` < ? OR (`b` <= ? AND (`b` < ? OR (`c` <= ?)))) AND (a IS NULL)"
        );
        let binds: Vec<i64> =
            update.binds.iter().map(|cell| if let Cell::Int(number) = cell { *number } else { 0 }).collect();
        assert_eq!(binds, [1, 1, 2, 2, 3, 7, 7, 8, 8, 9]);
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
        assert_eq!(refused.as_deref(), Some("`t` has no key; add one first"));
    }
}
