//! Whether a column has the type that a change declares, whatever way the engine spells it.
//!
//! Only what is known to differ is said to differ: the words below are those that an engine prints otherwise than they
//! were written, by PostgreSQL's `format_type`, by the manuals of MariaDB and MySQL, and by SQLite's rules of affinity.

use crate::Engine;

/// Whether a column whose type the catalog prints as `there` is one of the type that was `written`; none when that cannot
/// be told from the two.
pub(crate) fn same_type(engine: Engine, written: &str, there: &str) -> Option<bool> {
    if plain(written) == plain(there) {
        return Some(true);
    }
    match engine {
        Engine::Postgres => postgres(&Words::of(written), &Words::of(there)),
        Engine::Mysql | Engine::Mariadb => mysql(engine, &Words::of(written), &Words::of(there)),
        Engine::Sqlite => Some(affinity(written) == affinity(there)),
    }
}

fn plain(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").to_ascii_lowercase()
}

/// A type, cut into its words and what stands in its first parentheses.
struct Words {
    /// In lower case, one space between them, without parentheses and brackets.
    words: String,
    /// Without white space.
    arguments: String,
    /// PostgreSQL's arrays.
    array: bool,
    /// As it was.
    text: String,
}

impl Words {
    fn of(text: &str) -> Self {
        let text = text.trim();
        let (front, array) = match text.find('[') {
            Some(at) => (text.get(..at).unwrap_or(text), true),
            None => (text, false),
        };
        let (before, arguments, after) = match front.split_once('(') {
            Some((before, rest)) => {
                let (inside, after) = rest.split_once(')').unwrap_or((rest, ""));
                (before, inside, after)
            }
            None => (front, "", ""),
        };
        let mut words = plain(&format!("{before} {after}"));
        let mut array = array;
        if let Some(element) = words.strip_suffix(" array") {
            (words, array) = (element.to_owned(), true);
        }
        Self { words, arguments: arguments.split_whitespace().collect(), array, text: front.to_owned() }
    }
}

fn or<'a>(arguments: &'a str, otherwise: &'a str) -> &'a str {
    if arguments.is_empty() { otherwise } else { arguments }
}

/// `p,s` of a number that is written with fewer of the two.
fn scaled(arguments: &str) -> String {
    if arguments.is_empty() || arguments.contains(',') { arguments.to_owned() } else { format!("{arguments},0") }
}

fn postgres(written: &Words, there: &Words) -> Option<bool> {
    match (of_postgres(written), of_postgres(there)) {
        (Some(one), Some(other)) => Some(one == other),
        // No type of its own is printed as one that the engine brings along.
        (Some(_), None) | (None, Some(_)) => Some(false),
        (None, None) => {
            // What stands in the parentheses of a type of an extension is the extension's to print.
            if named(written) != named(there) {
                return Some(false);
            }
            (written.arguments == there.arguments).then_some(true)
        }
    }
}

/// The name that `format_type` gives to a type it does not simply print by its name, its arguments, and whether it is
/// an array.
fn of_postgres(it: &Words) -> Option<(&'static str, String, bool)> {
    let bare = it.words.strip_prefix("pg_catalog.").unwrap_or(&it.words);
    let (bare, array) = bare.strip_prefix('_').map_or((bare, it.array), |element| (element, true));
    let arguments = it.arguments.as_str();
    let seconds = || arguments.parse::<u32>().map_or_else(|_| arguments.to_owned(), |places| places.min(6).to_string());
    let (name, arguments) = match bare {
        "int" | "int4" | "integer" | "serial" | "serial4" => ("integer", String::new()),
        "int8" | "bigint" | "bigserial" | "serial8" => ("bigint", String::new()),
        "int2" | "smallint" | "smallserial" | "serial2" => ("smallint", String::new()),
        "bool" | "boolean" => ("boolean", String::new()),
        "float4" | "real" => ("real", String::new()),
        "float8" | "double precision" => ("double precision", String::new()),
        "float" => match arguments.parse::<u32>() {
            Ok(1..=24) => ("real", String::new()),
            Ok(_) | Err(_) => ("double precision", String::new()),
        },
        "dec" | "decimal" | "numeric" => ("numeric", scaled(arguments)),
        "varchar"
        | "character varying"
        | "char varying"
        | "national character varying"
        | "national char varying"
        | "nchar varying" => ("character varying", arguments.to_owned()),
        "bpchar" => ("character", arguments.to_owned()),
        "char" | "character" | "nchar" | "national character" | "national char" => {
            ("character", or(arguments, "1").to_owned())
        }
        "bit" => ("bit", or(arguments, "1").to_owned()),
        "varbit" | "bit varying" => ("bit varying", arguments.to_owned()),
        "timestamp" | "timestamp without time zone" => ("timestamp", seconds()),
        "timestamptz" | "timestamp with time zone" => ("timestamptz", seconds()),
        "time" | "time without time zone" => ("time", seconds()),
        "timetz" | "time with time zone" => ("timetz", seconds()),
        "text" => ("text", String::new()),
        _ => return None,
    };
    Some((name, arguments, array))
}

/// The last part of a name, as the engine folds it, and whether it is an array.
fn named(it: &Words) -> (String, bool) {
    let front = it.text.split('(').next().unwrap_or(&it.text).trim();
    let (mut quoted, mut last) = (false, String::new());
    for c in front.chars() {
        match c {
            '"' => quoted = !quoted,
            '.' if !quoted => last.clear(),
            c if quoted => last.push(c),
            c => last.extend(c.to_lowercase()),
        }
    }
    // The engine's own name of an array.
    let array = it.array || last.starts_with('_');
    (last.trim_start_matches('_').to_owned(), array)
}

/// A type of MariaDB or MySQL: the words it is printed with, and whether it has a sign.
#[derive(PartialEq, Eq)]
struct Printed {
    name: String,
    arguments: String,
    unsigned: bool,
}

fn mysql(engine: Engine, written: &Words, there: &Words) -> Option<bool> {
    // REAL_AS_FLOAT decides.
    if written.words.split(' ').next() == Some("real") {
        return None;
    }
    Some(of_mysql(engine, written)? == of_mysql(engine, there)?)
}

fn of_mysql(engine: Engine, it: &Words) -> Option<Printed> {
    let (words, _) = it.words.split_once(" character set ").unwrap_or((&it.words, ""));
    let (words, _) = words.split_once(" charset ").unwrap_or((words, ""));
    let mut words: Vec<&str> = words.split(' ').collect();
    let before = words.len();
    words.retain(|word| !matches!(*word, "unsigned" | "zerofill"));
    let mut unsigned = words.len() < before;
    words.retain(|word| *word != "signed");
    let arguments = it.arguments.as_str();
    let fraction = if arguments == "0" { "" } else { arguments };
    let is = |name: &str, arguments: &str| Some((name.to_owned(), arguments.to_owned()));
    let joined = words.join(" ");
    let (name, arguments) = match joined.as_str() {
        "bool" | "boolean" | "tinyint" | "int1" => is("tinyint", ""),
        "smallint" | "int2" => is("smallint", ""),
        "mediumint" | "int3" | "middleint" => is("mediumint", ""),
        "int" | "integer" | "int4" => is("int", ""),
        "bigint" | "int8" => is("bigint", ""),
        "serial" => {
            unsigned = true;
            is("bigint", "")
        }
        "decimal" | "dec" | "numeric" | "fixed" => is("decimal", &scaled(or(arguments, "10"))),
        "float" | "float4" => match arguments.parse::<u32>() {
            Ok(25..) => is("double", ""),
            Ok(_) => is("float", ""),
            Err(_) => is("float", arguments),
        },
        "double" | "double precision" | "float8" => is("double", arguments),
        "char" | "character" | "nchar" | "national char" | "national character" => is("char", or(arguments, "1")),
        // A server that is not strict makes text of what is too long.
        "varchar"
        | "character varying"
        | "char varying"
        | "nvarchar"
        | "nchar varying"
        | "national varchar"
        | "national char varying"
        | "national character varying" => {
            let length = arguments.parse::<u32>().ok()?;
            if length > 16_383 { None } else { is("varchar", arguments) }
        }
        // The length chooses the smallest type that it fits into.
        "text" | "blob" if !arguments.is_empty() => None,
        "tinytext" | "text" | "mediumtext" | "tinyblob" | "blob" | "mediumblob" | "longblob" => is(&joined, ""),
        "longtext" => is("longtext", ""),
        "long" | "long varchar" => is("mediumtext", ""),
        "long varbinary" => is("mediumblob", ""),
        "json" => is(if engine == Engine::Mariadb { "longtext" } else { "json" }, ""),
        "binary" | "bit" => is(&joined, or(arguments, "1")),
        "varbinary" => is("varbinary", arguments),
        "datetime" | "timestamp" | "time" => is(&joined, fraction),
        "date" | "uuid" | "inet4" | "inet6" | "year" => is(&joined, ""),
        "geomcollection" | "geometrycollection" => is("geometrycollection", ""),
        "point" | "geometry" | "linestring" | "polygon" | "multipoint" | "multilinestring" | "multipolygon" => {
            is(&joined, "")
        }
        // Nobody can declare these; what is of one of them is of no other.
        "enum" | "set" => is(&joined, arguments),
        _ => None,
    }?;
    Some(Printed { name, arguments, unsigned })
}

/// SQLite's own five rules, in their order. A type that only looks otherwise holds the same values.
fn affinity(sql_type: &str) -> &'static str {
    let upper = sql_type.to_ascii_uppercase();
    let has = |words: &[&str]| words.iter().any(|word| upper.contains(word));
    if has(&["INT"]) {
        "INTEGER"
    } else if has(&["CHAR", "CLOB", "TEXT"]) {
        "TEXT"
    } else if has(&["BLOB"]) || upper.trim().is_empty() {
        "BLOB"
    } else if has(&["REAL", "FLOA", "DOUB"]) {
        "REAL"
    } else {
        "NUMERIC"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(engine: Engine, rows: &[(&str, &str, Option<bool>)]) {
        for (written, there, want) in rows {
            assert_eq!(same_type(engine, written, there), *want, "{engine}: {written} and {there}");
        }
    }

    #[test]
    fn postgres_prints_many_types_otherwise_than_they_are_written() {
        check(
            Engine::Postgres,
            &[
                ("int4", "integer", Some(true)),
                ("serial", "integer", Some(true)),
                ("BIGINT", "bigint", Some(true)),
                ("pg_catalog.int8", "bigint", Some(true)),
                ("int", "bigint", Some(false)),
                ("varchar(80)", "character varying(80)", Some(true)),
                ("varchar(80)", "character varying(81)", Some(false)),
                ("varchar", "text", Some(false)),
                ("char", "character(1)", Some(true)),
                ("bpchar", "character(1)", Some(false)),
                ("decimal(10)", "numeric(10,0)", Some(true)),
                ("numeric(10, 2)", "numeric(10,2)", Some(true)),
                ("numeric", "numeric(10,2)", Some(false)),
                ("float(24)", "real", Some(true)),
                ("float", "double precision", Some(true)),
                ("timestamp (3) with time zone", "timestamp(3) with time zone", Some(true)),
                ("timestamptz(9)", "timestamp(6) with time zone", Some(true)),
                ("timestamptz", "timestamp without time zone", Some(false)),
                ("int[][3]", "integer[]", Some(true)),
                ("_int4", "integer[]", Some(true)),
                ("varchar(8) array", "character varying(8)[]", Some(true)),
                ("int", "integer[]", Some(false)),
                ("public.Mood", "mood", Some(true)),
                ("\"Mood\"", "other.\"Mood\"", Some(true)),
                ("mood", "feeling", Some(false)),
                ("_mood", "mood[]", Some(true)),
                ("mood", "mood[]", Some(false)),
                ("uuid", "text", Some(false)),
                ("geometry(point, 4326)", "geometry(Point,4326)", None),
                ("bit", "bit(1)", Some(true)),
            ],
        );
    }

    #[test]
    fn mariadb_and_mysql_print_widths_sets_and_other_names() {
        let set = " CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci";
        for engine in [Engine::Mariadb, Engine::Mysql] {
            check(
                engine,
                &[
                    ("int", "int(11)", Some(true)),
                    ("integer unsigned", "int(10) unsigned", Some(true)),
                    ("int", "int(10) unsigned", Some(false)),
                    ("int", "bigint(20)", Some(false)),
                    ("boolean", "tinyint(1)", Some(true)),
                    ("serial", "bigint(20) unsigned", Some(true)),
                    ("numeric(12)", "decimal(12,0)", Some(true)),
                    ("decimal", "decimal(10,0)", Some(true)),
                    ("decimal(10,2)", "decimal(10,3)", Some(false)),
                    ("character varying(80)", &format!("varchar(80){set}"), Some(true)),
                    ("varchar(80)", &format!("varchar(40){set}"), Some(false)),
                    ("varchar(80) character set latin1", "varchar(80) CHARACTER SET latin1 COLLATE x", Some(true)),
                    ("text", &format!("text{set}"), Some(true)),
                    ("text", &format!("varchar(80){set}"), Some(false)),
                    ("text(100)", "tinytext", None),
                    ("varchar(60000)", "mediumtext", None),
                    ("real", "double", None),
                    ("double precision", "double", Some(true)),
                    ("datetime(0)", "datetime", Some(true)),
                    ("timestamp(3)", "timestamp(6)", Some(false)),
                    ("bit", "bit(1)", Some(true)),
                    ("frobnicate", "text", None),
                ],
            );
        }
        let json = format!("longtext{set}");
        check(Engine::Mariadb, &[("json", &json, Some(true)), ("json", "json", Some(true))]);
        check(Engine::Mysql, &[("json", &json, Some(false)), ("json", "json", Some(true))]);
    }

    #[test]
    fn sqlite_looks_at_the_affinity_alone() {
        check(
            Engine::Sqlite,
            &[
                ("varchar(80)", "TEXT", Some(true)),
                ("int", "INTEGER", Some(true)),
                ("bigint", "text", Some(false)),
                ("blob", "", Some(true)),
                ("numeric", "date", Some(true)),
                ("double precision", "decimal(3)", Some(false)),
            ],
        );
    }
}
