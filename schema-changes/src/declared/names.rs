//! What may name a table or a column, be a type, or be an expression.

use crate::{Engine, declared::Complaints, expression::Expression};

/// PostgreSQL cuts names here in silence; the other engines take no more than one byte longer ones.
const MAX_NAME: usize = 63;

/// Complains unless the text can name a column.
pub(crate) fn check_column(complaints: &mut Complaints<'_>, path: &[&str], name: &str) {
    if let Err((message, remedy)) = plain_name(name) {
        complaints.add(path, message, remedy);
    } else if name.contains('.') {
        complaints.add(path, format!("the column name `{name}` contains a dot"), "such columns cannot be mapped");
    }
}

/// Complains unless the text can name a table, after its schema at most.
pub(crate) fn check_table(complaints: &mut Complaints<'_>, path: &[&str], name: &str, engine: Engine) {
    let parts: Vec<&str> = name.split('.').collect();
    for part in &parts {
        if let Err((message, remedy)) = plain_name(part) {
            complaints.add(path, message, remedy);
            return;
        }
    }
    match (parts.len(), engine) {
        (1, _) | (2, Engine::Postgres | Engine::Mysql | Engine::Mariadb) => {}
        (2, Engine::Sqlite) => {
            complaints.add(path, format!("`{name}` names a schema, and sqlite has none"), "write the table only")
        }
        _ => complaints.add(path, format!("`{name}` has more than one dot"), "write TABLE or SCHEMA.TABLE"),
    }
}

fn plain_name(name: &str) -> Result<(), (String, &'static str)> {
    if name.is_empty() {
        Err(("the name is empty".into(), "write the name as it stands in the catalog, without quotes"))
    } else if name.len() > MAX_NAME {
        let start: String = name.chars().take(20).collect();
        Err((format!("the name `{start}...` has {} bytes", name.len()), "use at most 63"))
    } else if name.chars().any(char::is_control) || name.contains("$phasegate") {
        Err(("the name contains a control character or `$phasegate`".into(), "use another name"))
    } else {
        Ok(())
    }
}

/// Complains unless the text is a type and nothing more.
pub(crate) fn check_type(complaints: &mut Complaints<'_>, path: &[&str], sql_type: &str) {
    let allowed = |c: char| c.is_ascii_alphanumeric() || " _(),.[]\"".contains(c);
    let trimmed = sql_type.trim();
    let balanced = trimmed.matches('(').count() == trimmed.matches(')').count();
    let starts = trimmed.starts_with(|c: char| c.is_ascii_alphabetic() || c == '"' || c == '_');
    if !starts || !balanced || trimmed.len() > 200 || !trimmed.chars().all(allowed) {
        complaints.add(
            path,
            format!("`{}` is no type", sql_type.chars().take(60).collect::<String>()),
            "write a type of the engine, for example text or varchar(80)",
        );
        return;
    }
    let constraints =
        ["NOT", "NULL", "DEFAULT", "PRIMARY", "UNIQUE", "CHECK", "REFERENCES", "GENERATED", "CONSTRAINT", "COLLATE"];
    let words = trimmed.split(|c: char| !c.is_ascii_alphanumeric());
    for word in words {
        if constraints.iter().any(|constraint| word.eq_ignore_ascii_case(constraint)) {
            complaints.add(
                path,
                format!("the type `{trimmed}` contains the constraint {}", word.to_ascii_uppercase()),
                "write the type only; nullable, default and the like are fields of their own",
            );
            return;
        }
    }
}

/// The expression, or a complaint.
pub(crate) fn check_expression(
    complaints: &mut Complaints<'_>,
    path: &[&str],
    text: &str,
    engine: Engine,
) -> Option<Expression> {
    match Expression::parse(engine, text) {
        Ok(expression) => Some(expression),
        Err(why) => {
            complaints.add(
                path,
                format!("the expression cannot be used: {why}"),
                "write one SQL expression over the columns of the row",
            );
            None
        }
    }
}

/// Whether `name`, looked up as the engine does, is `column`.
pub(crate) fn same_column(engine: Engine, name: &str, column: &str) -> bool {
    match engine {
        Engine::Postgres => name == column,
        Engine::Sqlite | Engine::Mysql | Engine::Mariadb => name.eq_ignore_ascii_case(column),
    }
}

/// A name that no engine cuts, the same for the same input: a long one ends in a digest of the whole.
pub(crate) fn bounded_name(prefix: &str, name: &str, suffix: &str) -> String {
    let whole = format!("{prefix}{name}{suffix}");
    if whole.len() <= MAX_NAME {
        return whole;
    }
    let digest: String = crate::digest::hex(whole.as_bytes()).chars().take(8).collect();
    let room = MAX_NAME
        .saturating_sub(prefix.len().saturating_add(suffix.len()).saturating_add(digest.len()).saturating_add(1));
    let start: String = name
        .chars()
        .scan(0_usize, |used, c| {
            *used = used.saturating_add(c.len_utf8());
            (*used <= room).then_some(c)
        })
        .collect();
    format!("{prefix}{start}_{digest}{suffix}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::declared::yaml;

    fn told(check: impl Fn(&mut Complaints<'_>)) -> String {
        let root = yaml::tree("a: b").unwrap();
        let mut complaints = Complaints::new("f", &root);
        check(&mut complaints);
        complaints.into_errors().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn names_that_cannot_be_used_are_refused() {
        let rows = [
            ("customers", Engine::Sqlite, ""),
            ("Order \"x\"", Engine::Postgres, ""),
            ("app.customers", Engine::Postgres, ""),
            ("app.customers", Engine::Sqlite, "write the table only"),
            ("a.b.c", Engine::Postgres, "more than one dot"),
            ("a.", Engine::Postgres, "empty"),
            ("", Engine::Postgres, "empty"),
            ("a\nb", Engine::Postgres, "control character"),
            ("x$phasegate$", Engine::Postgres, "another name"),
        ];
        for (name, engine, want) in rows {
            let told = told(|complaints| check_table(complaints, &["a"], name, engine));
            assert_eq!(told.is_empty(), want.is_empty(), "{name}: {told}");
            assert!(told.contains(want), "{name}: {told}");
        }
        assert!(told(|c| check_column(c, &["a"], &"ä".repeat(40))).contains("80 bytes"));
        assert!(told(|c| check_column(c, &["a"], "a.b")).contains("dot"));
    }

    #[test]
    fn a_type_is_a_type_and_nothing_more() {
        for good in [
            "text",
            "varchar(80)",
            "numeric(10, 2)",
            "timestamp with time zone",
            "int[]",
            "app.\"Mood\"",
            "character varying(5)",
        ] {
            assert_eq!(told(|c| check_type(c, &["a"], good)), "", "{good}");
        }
        for bad in [
            "",
            "text; drop table x",
            "text not null",
            "int DEFAULT 1",
            "text -- x",
            "varchar(80",
            "text COLLATE \"C\"",
            "'a'",
        ] {
            assert_ne!(told(|c| check_type(c, &["a"], bad)), "", "{bad}");
        }
    }

    #[test]
    fn long_names_stay_apart_and_short() {
        assert_eq!(bounded_name("zzz_phasegate_", "a_b", "_i"), "zzz_phasegate_a_b_i");
        let one = bounded_name("zzz_phasegate_", &"a".repeat(63), "_i");
        let two = bounded_name("zzz_phasegate_", &format!("{}b", "a".repeat(62)), "_i");
        assert_eq!(one.len(), MAX_NAME);
        assert!(one.ends_with("_i") && one != two, "{one} {two}");
    }
}
