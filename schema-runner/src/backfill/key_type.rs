//! How the types of key columns travel on MariaDB and MySQL: read as a value that says all of the key, and compared in a form
//! that is exact, sorts as the index does, and lets the index serve.

/// What kind of key a type is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum KeyType {
    /// The driver reads it, and a bound value compares as it is: whole numbers, floats, text, bytes.
    Plain,
    /// A number that a bound text or a signed number would lose digits of, or whose column compares as text otherwise
    /// (ENUM and SET sort by number): BIGINT UNSIGNED, BIT, YEAR.
    Unsigned,
    /// Read as text. A text beside such a column is taken for a value of its type: dates, times, UUID, INET.
    Text,
    /// The same, written down in the session's time zone.
    Moment,
    /// Beside a text it would be compared as a float.
    Decimal(String),
}

impl KeyType {
    /// The kind of a type as the catalog writes it.
    pub(super) fn of(sql_type: &str) -> Self {
        let lower = sql_type.to_ascii_lowercase();
        let base = lower.split(|c: char| !c.is_ascii_alphanumeric()).next().unwrap_or_default();
        match base {
            "bit" | "year" | "enum" | "set" => Self::Unsigned,
            _ if lower.contains("unsigned") && base.ends_with("int") => Self::Unsigned,
            "date" | "datetime" | "time" | "uuid" | "inet4" | "inet6" => Self::Text,
            "timestamp" => Self::Moment,
            "decimal" | "numeric" => Self::Decimal(lower.split(')').next().unwrap_or_default().to_owned() + ")"),
            _ => Self::Plain,
        }
    }

    /// The column as it is read.
    pub(super) fn selected(&self, column: &str) -> String {
        match self {
            Self::Plain | Self::Decimal(_) => column.to_owned(),
            Self::Unsigned => format!("CAST({column} AS UNSIGNED)"),
            Self::Text | Self::Moment => format!("CAST({column} AS CHAR)"),
        }
    }

    /// A bound value as the column is compared with it.
    pub(super) fn value(&self, bound: &str) -> String {
        match self {
            Self::Plain | Self::Text | Self::Moment => bound.to_owned(),
            // MySQL takes a bound value right within a cast for a number, and a signed one (seen on 9.7): first it is text.
            Self::Unsigned => format!("CAST(CONVERT({bound} USING utf8mb4) AS UNSIGNED)"),
            Self::Decimal(sql_type) => format!("CAST({bound} AS {sql_type})"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_type_travels_in_a_form_that_is_exact() {
        let rows = [
            ("bigint(20)", "k", "?"),
            ("int(10) unsigned", "CAST(k AS UNSIGNED)", "CAST(CONVERT(? USING utf8mb4) AS UNSIGNED)"),
            ("bigint unsigned", "CAST(k AS UNSIGNED)", "CAST(CONVERT(? USING utf8mb4) AS UNSIGNED)"),
            ("bit(10)", "CAST(k AS UNSIGNED)", "CAST(CONVERT(? USING utf8mb4) AS UNSIGNED)"),
            ("year(4)", "CAST(k AS UNSIGNED)", "CAST(CONVERT(? USING utf8mb4) AS UNSIGNED)"),
            (
                "enum('date','int') CHARACTER SET utf8mb4",
                "CAST(k AS UNSIGNED)",
                "CAST(CONVERT(? USING utf8mb4) AS UNSIGNED)",
            ),
            ("date", "CAST(k AS CHAR)", "?"),
            ("datetime(6)", "CAST(k AS CHAR)", "?"),
            ("timestamp(3)", "CAST(k AS CHAR)", "?"),
            ("time", "CAST(k AS CHAR)", "?"),
            ("uuid", "CAST(k AS CHAR)", "?"),
            ("decimal(30,4) unsigned", "k", "CAST(? AS decimal(30,4))"),
            ("varchar(20) CHARACTER SET latin1 COLLATE latin1_german2_ci", "k", "?"),
            ("varbinary(16)", "k", "?"),
            ("double", "k", "?"),
        ];
        for (sql_type, selected, value) in rows {
            let kind = KeyType::of(sql_type);
            assert_eq!((kind.selected("k"), kind.value("?")), (selected.into(), value.into()), "{sql_type}");
        }
        assert_eq!(KeyType::of("timestamp"), KeyType::Moment);
    }
}
