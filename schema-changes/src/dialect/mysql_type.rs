//! Types of MariaDB and MySQL: how their values are compared exactly, and what fits into them.

/// A type as it is written in DDL, as far as conversions ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MysqlType<'t> {
    pub(crate) class: Class,
    /// The words CHARACTER SET ... COLLATE ..., and the name of the set.
    pub(crate) charset: Option<(&'t str, &'t str)>,
}

/// What kind of value a type holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    /// So many characters; trailing spaces are not kept.
    Char(u64),
    /// So many characters.
    Varchar(u64),
    /// So many bytes of text.
    Text(u64),
    /// A name out of a list.
    Listed,
    /// JSON as a type of its own.
    Json,
    /// A whole number from, to.
    Integer(i64, u64),
    /// `DECIMAL`, `FLOAT`, `DATE` and the like: a CAST makes it, to the text given.
    Cast(CastTo),
    /// Bytes.
    Bytes,
    /// Anything else.
    Other,
}

/// Types that CAST knows by about the same name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CastTo {
    Decimal,
    Float,
    Double,
    Date,
    Datetime,
    Time,
}

const LONGTEXT: u64 = 4_294_967_295;

impl<'t> MysqlType<'t> {
    pub(crate) fn of(sql_type: &'t str) -> Self {
        let lower = sql_type.trim().to_ascii_lowercase();
        let base: String = lower.chars().take_while(char::is_ascii_alphanumeric).collect();
        let length = lower
            .split_once('(')
            .and_then(|(_, rest)| rest.split(|c: char| !c.is_ascii_digit()).next()?.parse::<u64>().ok());
        let unsigned = lower.contains(" unsigned") || lower.contains(" zerofill");
        let integer = |low: i64, high: u64, unsigned_high: u64| {
            if unsigned { Class::Integer(0, unsigned_high) } else { Class::Integer(low, high) }
        };
        let class = match base.as_str() {
            "char" | "character" | "nchar" if lower.contains("varying") => Class::Varchar(length.unwrap_or(1)),
            "char" | "character" | "nchar" => Class::Char(length.unwrap_or(1)),
            "varchar" | "nvarchar" => Class::Varchar(length.unwrap_or(1)),
            "tinytext" => Class::Text(255),
            "text" => Class::Text(65_535),
            "mediumtext" => Class::Text(16_777_215),
            "longtext" => Class::Text(LONGTEXT),
            "enum" | "set" => Class::Listed,
            "json" => Class::Json,
            "bool" | "boolean" => Class::Integer(-128, 127),
            "tinyint" => integer(-128, 127, 255),
            "smallint" => integer(-32_768, 32_767, 65_535),
            "mediumint" => integer(-8_388_608, 8_388_607, 16_777_215),
            "int" | "integer" => integer(-2_147_483_648, 2_147_483_647, 4_294_967_295),
            "bigint" => integer(i64::MIN, i64::MAX.unsigned_abs(), u64::MAX),
            "decimal" | "numeric" | "dec" | "fixed" => Class::Cast(CastTo::Decimal),
            "float" => Class::Cast(CastTo::Float),
            "double" | "real" => Class::Cast(CastTo::Double),
            "date" => Class::Cast(CastTo::Date),
            "datetime" | "timestamp" => Class::Cast(CastTo::Datetime),
            "time" => Class::Cast(CastTo::Time),
            "binary" | "varbinary" | "tinyblob" | "blob" | "mediumblob" | "longblob" => Class::Bytes,
            _ => Class::Other,
        };
        Self { class, charset: charset(sql_type.trim()) }
    }

    /// Whether it holds text of any content.
    pub(crate) fn is_text(&self) -> bool {
        matches!(self.class, Class::Char(_) | Class::Varchar(_) | Class::Text(_))
    }

    /// Whether its values are compared by the bytes of their text: `=` follows the collation there.
    pub(crate) fn has_collation(&self) -> bool {
        match self.class {
            Class::Char(_) | Class::Varchar(_) | Class::Text(_) | Class::Listed | Class::Json => true,
            // A type that is not known may be one of them.
            Class::Other => true,
            Class::Integer(..) | Class::Cast(_) | Class::Bytes => false,
        }
    }

    /// Whether every value of `self` can be written into `other` as it is.
    pub(crate) fn fits(&self, other: &Self) -> bool {
        let same_set = self.charset.map(|(_, set)| set) == other.charset.map(|(_, set)| set);
        match (self.class, other.class) {
            _ if !same_set => false,
            (Class::Char(have) | Class::Varchar(have), Class::Varchar(room)) => have <= room,
            (Class::Char(have) | Class::Varchar(have), Class::Text(room)) => have.saturating_mul(4) <= room,
            (Class::Text(have), Class::Text(room)) => have <= room,
            _ => false,
        }
    }
}

/// The clause, and the name of the character set in it.
fn charset(sql_type: &str) -> Option<(&str, &str)> {
    let at = sql_type.to_ascii_lowercase().find(" character set ")?;
    let clause = sql_type.get(at..)?;
    let name = clause.split_whitespace().nth(2)?;
    Some((clause, name))
}

/// The value as one of that type, without ever failing where the value is text of the same character set, or a number.
/// What is too long is cut, what is out of range is NULL; both are counted as losses.
pub(crate) fn cast(value: &str, sql_type: &str) -> String {
    let known = MysqlType::of(sql_type);
    let arguments = sql_type.find('(').and_then(|open| {
        let rest = sql_type.get(open..)?;
        rest.get(..=rest.find(')')?)
    });
    let arguments = arguments.unwrap_or_default();
    match known.class {
        Class::Char(length) => format!("TRIM(TRAILING ' ' FROM LEFT({value}, {length}))"),
        Class::Varchar(length) => format!("LEFT({value}, {length})"),
        Class::Text(LONGTEXT) => value.to_owned(),
        // No character has more than four bytes.
        Class::Text(bytes) => format!("IF(LENGTH({value}) > {bytes}, LEFT({value}, {}), {value})", bytes / 4),
        Class::Integer(i64::MIN, _) => format!("CAST({value} AS SIGNED)"),
        Class::Integer(0, u64::MAX) => format!("CAST({value} AS UNSIGNED)"),
        Class::Integer(low, high) => {
            format!("CASE WHEN CAST({value} AS SIGNED) BETWEEN {low} AND {high} THEN CAST({value} AS SIGNED) END")
        }
        Class::Cast(CastTo::Decimal) => format!("CAST({value} AS DECIMAL{arguments})"),
        Class::Cast(CastTo::Float) => format!("CAST({value} AS FLOAT)"),
        Class::Cast(CastTo::Double) => format!("CAST({value} AS DOUBLE)"),
        Class::Cast(CastTo::Date) => format!("CAST({value} AS DATE)"),
        Class::Cast(CastTo::Datetime) => format!("CAST({value} AS DATETIME{arguments})"),
        Class::Cast(CastTo::Time) => format!("CAST({value} AS TIME{arguments})"),
        Class::Listed | Class::Json | Class::Bytes | Class::Other => value.to_owned(),
    }
}

/// A value that a NOT NULL column of that type takes when nothing else is said, as it stands behind DEFAULT. Nobody
/// ever reads it: it stands in rows written in the moments before the column goes.
pub(crate) fn blank(sql_type: &str, literal_text_default: bool) -> Option<String> {
    let lower = sql_type.trim().to_ascii_lowercase();
    let text = |value: &str| Some(value.to_owned());
    match MysqlType::of(sql_type).class {
        Class::Char(_) | Class::Varchar(_) => text("''"),
        // MySQL takes a default for these only as an expression, and in SET DEFAULT it takes `('')` for none (seen on 9.7).
        Class::Text(_) => text(if literal_text_default { "''" } else { "(CONCAT(''))" }),
        Class::Json => text("(json_object())"),
        Class::Listed if lower.starts_with("set") => text("''"),
        Class::Listed => first_of_list(sql_type),
        Class::Integer(..) | Class::Cast(CastTo::Decimal | CastTo::Float | CastTo::Double) => text("0"),
        Class::Cast(CastTo::Date) => text("'2000-01-01'"),
        Class::Cast(CastTo::Datetime) => text("'2000-01-01 00:00:00'"),
        Class::Cast(CastTo::Time) => text("'00:00:00'"),
        Class::Bytes if lower.contains("blob") && !literal_text_default => text("(CONCAT(''))"),
        Class::Bytes => text("''"),
        Class::Other if lower.starts_with("uuid") => text("'00000000-0000-0000-0000-000000000000'"),
        Class::Other if lower.starts_with("inet6") => text("'::'"),
        Class::Other if lower.starts_with("inet4") => text("'0.0.0.0'"),
        Class::Other if lower.starts_with("year") => text("2000"),
        Class::Other if lower.starts_with("bit") => text("0"),
        Class::Other => None,
    }
}

/// `'a'` of `enum('a','b')`.
fn first_of_list(sql_type: &str) -> Option<String> {
    let rest = sql_type.split_once("('")?.1;
    let mut end = 0_usize;
    let mut chars = rest.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        if c == '\'' {
            if chars.peek().is_some_and(|(_, next)| *next == '\'') {
                chars.next();
                continue;
            }
            end = at;
            break;
        }
    }
    Some(format!("'{}'", rest.get(..end)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_known_by_their_words() {
        let rows = [
            ("varchar(80) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci", Class::Varchar(80)),
            ("CHAR(3)", Class::Char(3)),
            ("character varying(5)", Class::Varchar(5)),
            ("text", Class::Text(65_535)),
            ("int(11) unsigned", Class::Integer(0, 4_294_967_295)),
            ("bigint(20)", Class::Integer(i64::MIN, 9_223_372_036_854_775_807)),
            ("decimal(10,2)", Class::Cast(CastTo::Decimal)),
            ("enum('a','b')", Class::Listed),
            ("varbinary(16)", Class::Bytes),
            ("point", Class::Other),
        ];
        for (sql_type, want) in rows {
            assert_eq!(MysqlType::of(sql_type).class, want, "{sql_type}");
        }
        assert_eq!(MysqlType::of(rows[0].0).charset.map(|(_, set)| set), Some("utf8mb4"));
    }

    #[test]
    fn what_fits_is_not_cut_and_what_may_not_fit_is() {
        let fits = |from, to| MysqlType::of(from).fits(&MysqlType::of(to));
        assert!(fits("varchar(80)", "varchar(80)") && fits("varchar(80)", "text") && fits("text", "longtext"));
        assert!(!fits("varchar(81)", "varchar(80)") && !fits("mediumtext", "text") && !fits("varchar(9)", "char(9)"));
        assert!(!fits("varchar(8) CHARACTER SET latin1 COLLATE latin1_bin", "varchar(8)"));
        assert_eq!(cast("x", "varchar(8)"), "LEFT(x, 8)");
        assert_eq!(cast("x", "text"), "IF(LENGTH(x) > 65535, LEFT(x, 16383), x)");
        assert_eq!(cast("x", "decimal(10, 2) unsigned"), "CAST(x AS DECIMAL(10, 2))");
        assert_eq!(cast("x", "timestamp(6)"), "CAST(x AS DATETIME(6))");
        assert_eq!(
            cast("x", "tinyint(1)"),
            "CASE WHEN CAST(x AS SIGNED) BETWEEN -128 AND 127 THEN CAST(x AS SIGNED) END"
        );
    }

    #[test]
    fn a_blank_is_a_value_of_its_type() {
        assert_eq!(blank("enum('it''s','b')", true).as_deref(), Some("'it''s'"));
        assert_eq!(blank("text", false).as_deref(), Some("(CONCAT(''))"));
        assert_eq!(blank("mediumint unsigned", true).as_deref(), Some("0"));
        assert_eq!(blank("point", true), None);
    }
}
