//! What differs between engines: quoting, placeholders, the shape of statements.

pub(crate) mod mysql;
pub(crate) mod mysql_table;
pub(crate) mod mysql_type;
pub(crate) mod postgres;
pub(crate) mod same_type;
pub(crate) mod sqlite;
pub(crate) mod sqlite_table;

use crate::{Engine, SyncObject};

/// The engines that steps exist for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    Postgres,
    Sqlite,
    Mysql,
    Mariadb,
}

/// Objects that are made together and taken away together.
#[derive(Debug, Default)]
pub(crate) struct Made {
    pub(crate) create: Vec<String>,
    pub(crate) drop: Vec<String>,
    pub(crate) objects: Vec<SyncObject>,
}

impl Dialect {
    pub(crate) const fn engine(self) -> Engine {
        match self {
            Self::Postgres => Engine::Postgres,
            Self::Sqlite => Engine::Sqlite,
            Self::Mysql => Engine::Mysql,
            Self::Mariadb => Engine::Mariadb,
        }
    }

    /// The dialect of an engine.
    pub(crate) const fn of(engine: Engine) -> Self {
        match engine {
            Engine::Postgres => Self::Postgres,
            Engine::Sqlite => Self::Sqlite,
            Engine::Mysql => Self::Mysql,
            Engine::Mariadb => Self::Mariadb,
        }
    }

    /// Whether DDL commits by itself, so that each statement is a step of its own.
    pub(crate) const fn commits_ddl(self) -> bool {
        matches!(self, Self::Mysql | Self::Mariadb)
    }

    /// A string literal.
    pub(crate) fn literal(self, text: &str) -> String {
        match self {
            Self::Postgres | Self::Sqlite => literal(text),
            Self::Mysql | Self::Mariadb => mysql::literal(text),
        }
    }

    pub(crate) fn quote(self, name: &str) -> String {
        quote(self.engine(), name)
    }

    /// The names, quoted, each behind `prefix`: `NEW."a"`.
    pub(crate) fn quote_all<'n>(self, prefix: &str, names: impl IntoIterator<Item = &'n str>) -> Vec<String> {
        names.into_iter().map(|name| format!("{prefix}{}", self.quote(name))).collect()
    }

    /// Whether any of `left` differs from its counterpart in `right`: byte by byte, NULL equal to NULL. An engine's own
    /// comparison follows the column's collation, to which 'anna' and 'ANNA' may be the same.
    pub(crate) fn differ(self, left: &[String], right: &[String]) -> String {
        match self {
            Self::Postgres => {
                let side = |side: &[String]| {
                    let bytes: Vec<String> = side.iter().map(|one| postgres::bytes(one)).collect();
                    if bytes.len() == 1 { bytes.concat() } else { format!("({})", bytes.join(", ")) }
                };
                format!("{} IS DISTINCT FROM {}", side(left), side(right))
            }
            Self::Sqlite => {
                let pairs = left.iter().zip(right);
                let each: Vec<String> =
                    pairs.map(|(a, b)| format!("{a} COLLATE BINARY IS NOT {}", operand(b))).collect();
                if each.len() == 1 { each.concat() } else { format!("({})", each.join(" OR ")) }
            }
            Self::Mysql | Self::Mariadb => mysql::differ(&[], left, right),
        }
    }

    /// The same of values of these types, where the engine needs to know them.
    pub(crate) fn differ_as(self, types: &[&str], left: &[String], right: &[String]) -> String {
        match self {
            Self::Postgres | Self::Sqlite => self.differ(left, right),
            Self::Mysql | Self::Mariadb => mysql::differ(types, left, right),
        }
    }

    /// The value as one of that type: an explicit cast cuts what a plain assignment would reject, and a conversion must
    /// not raise. SQLite's columns hold what they are given.
    pub(crate) fn cast(self, value: &str, sql_type: &str) -> String {
        match self {
            Self::Postgres if !sql_type.eq_ignore_ascii_case("text") => format!("CAST({value} AS {sql_type})"),
            Self::Postgres | Self::Sqlite => value.to_owned(),
            Self::Mysql | Self::Mariadb => mysql_type::cast(value, sql_type),
        }
    }

    /// Whether the type holds text of any content.
    pub(crate) fn is_text(self, sql_type: &str) -> bool {
        let lower = sql_type.trim().to_ascii_lowercase();
        let base = lower.split('(').next().unwrap_or_default().trim();
        match self {
            Self::Postgres => ["text", "varchar", "character varying", "citext"].contains(&base),
            // SQLite's own rule for what has text affinity.
            Self::Sqlite => ["char", "clob", "text"].iter().any(|part| lower.contains(part)),
            Self::Mysql | Self::Mariadb => mysql_type::MysqlType::of(sql_type).is_text(),
        }
    }
}

/// A string literal.
pub(crate) fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// The value as one operand: in parentheses, unless it is a plain name.
pub(crate) fn operand(value: &str) -> String {
    let plain = value.chars().all(|c| c.is_ascii_alphanumeric() || "_.\"`".contains(c));
    if plain { value.to_owned() } else { format!("({value})") }
}

/// Whether all of the values are NULL.
pub(crate) fn all_null(values: &[String]) -> String {
    values.iter().map(|value| format!("{value} IS NULL")).collect::<Vec<_>>().join(" AND ")
}

/// Whether any of the values is not NULL.
pub(crate) fn any_set(values: &[String]) -> String {
    values.iter().map(|value| format!("{value} IS NOT NULL")).collect::<Vec<_>>().join(" OR ")
}

/// `a = x, b = y`.
pub(crate) fn assignments(columns: &[String], values: &[String]) -> String {
    columns.iter().zip(values).map(|(column, value)| format!("{column} = {value}")).collect::<Vec<_>>().join(", ")
}

/// The name, quoted for `engine`. A dot separates schema and table, each quoted: no name of ours contains one.
pub fn quote(engine: Engine, name: &str) -> String {
    let mark = match engine {
        Engine::Postgres | Engine::Sqlite => '"',
        Engine::Mysql | Engine::Mariadb => '`',
    };
    let mut quoted = String::with_capacity(name.len().saturating_add(2));
    for (index, part) in name.split('.').enumerate() {
        if index > 0 {
            quoted.push('.');
        }
        quoted.push(mark);
        for c in part.chars() {
            if c == mark {
                quoted.push(mark);
            }
            quoted.push(c);
        }
        quoted.push(mark);
    }
    quoted
}

/// The placeholder of the `n`th bound value, counted from 1.
pub fn placeholder(engine: Engine, n: usize) -> String {
    match engine {
        Engine::Postgres => format!("${n}"),
        Engine::Sqlite => format!("?{n}"),
        Engine::Mysql | Engine::Mariadb => "?".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_any_kind_are_quoted() {
        let rows = [
            (Engine::Postgres, "customers", "\"customers\""),
            (Engine::Postgres, "order", "\"order\""),
            (Engine::Postgres, "Full Name", "\"Full Name\""),
            (Engine::Sqlite, "a\"b", "\"a\"\"b\""),
            (Engine::Postgres, "app.customers", "\"app\".\"customers\""),
            (Engine::Mariadb, "a`b", "`a``b`"),
        ];
        for (engine, name, want) in rows {
            assert_eq!(quote(engine, name), want);
        }
        assert_eq!(literal("it's"), "'it''s'");
    }

    #[test]
    fn values_are_bound_as_each_engine_wants() {
        assert_eq!([placeholder(Engine::Postgres, 2), placeholder(Engine::Sqlite, 2)], ["$2", "?2"]);
        assert_eq!(placeholder(Engine::Mariadb, 2), "?");
    }

    #[test]
    fn text_types_are_told_from_others() {
        for (dialect, sql_type, want) in [
            (Dialect::Postgres, "text", true),
            (Dialect::Postgres, "character varying(80)", true),
            (Dialect::Postgres, "character(8)", false),
            (Dialect::Postgres, "integer", false),
            (Dialect::Sqlite, "VARCHAR(20)", true),
            (Dialect::Sqlite, "INTEGER", false),
            (Dialect::Mariadb, "varchar(20) CHARACTER SET latin1 COLLATE latin1_bin", true),
            (Dialect::Mysql, "varbinary(20)", false),
        ] {
            assert_eq!(dialect.is_text(sql_type), want, "{sql_type}");
        }
    }
}
