//! PostgreSQL: triggers that convert, and what makes them safe.

use crate::{
    SyncObject,
    dialect::{Dialect, Made, all_null, any_set, literal, operand},
    refactoring::{Site, mapping::Mapping},
};

const DIALECT: Dialect = Dialect::Postgres;

/// The value for a comparison byte by byte: its text, under the collation that compares bytes.
pub(crate) fn bytes(value: &str) -> String {
    format!("{}::pg_catalog.text COLLATE pg_catalog.\"C\"", operand(value))
}

/// The same of a value whose type is known. What holds nothing but its value is compared as it is: making text of a
/// number costs more than the rest of a trigger's comparison.
fn bytes_of(sql_type: &str, value: &str) -> String {
    match base(sql_type).as_str() {
        "smallint" | "integer" | "int" | "bigint" | "boolean" | "uuid" | "date" => operand(value),
        "text" | "varchar" | "character varying" => format!("{} COLLATE pg_catalog.\"C\"", operand(value)),
        _ => bytes(value),
    }
}

/// The name of a type without its length.
fn base(sql_type: &str) -> String {
    sql_type.split('(').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// Whether the name of the type is a word of the grammar's, which means the same under any `search_path`.
fn is_keyword(sql_type: &str) -> bool {
    const WORDS: [&str; 14] = [
        "smallint",
        "integer",
        "int",
        "bigint",
        "numeric",
        "decimal",
        "real",
        "double precision",
        "boolean",
        "varchar",
        "character varying",
        "char",
        "character",
        "bit",
    ];
    let lower = sql_type.trim().to_ascii_lowercase();
    let length = |c: char| c.is_ascii_digit() || "(), ".contains(c);
    WORDS.iter().any(|word| lower.strip_prefix(word).is_some_and(|rest| rest.chars().all(length)))
}

/// A trigger function's comparison of two rows. IS DISTINCT FROM would look for its `=` along the `search_path` of
/// whoever writes.
fn differ(types: &[&str], left: &[String], right: &[String]) -> String {
    let pairs = types.iter().zip(left.iter().zip(right)).map(|(sql_type, (a, b))| {
        let (one, other) = (bytes_of(sql_type, a), bytes_of(sql_type, b));
        let (a, b) = (operand(a), operand(b));
        format!("({one} OPERATOR(pg_catalog.=) {other}) IS NOT TRUE AND NOT ({a} IS NULL AND {b} IS NULL)")
    });
    pairs.collect::<Vec<_>>().join(" OR ")
}

/// What stands before a function's body. A setting of its own is put on and taken off again for every row, which costs as
/// much as the conversion: only what somebody wrote needs it, or a type that is found by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Names {
    /// Every name in the body says its schema.
    Qualified,
    /// Names are looked up, in the catalog's schema only.
    LookedUp,
}

impl Names {
    const fn setting(self) -> &'static str {
        match self {
            Self::Qualified => "",
            Self::LookedUp => "SET search_path = pg_catalog, pg_temp\n",
        }
    }
}

/// What the two triggers of a table do, and when.
pub(crate) struct Work<'a> {
    pub(crate) names: Names,
    pub(crate) body: &'a str,
    /// The WHEN of the INSERT trigger, if it has one.
    pub(crate) insert: Option<&'a str>,
    /// The WHEN of the UPDATE trigger.
    pub(crate) update: &'a str,
}

/// Two BEFORE triggers over one function. Two, because the WHEN of an INSERT trigger cannot name OLD; WHEN and not
/// UPDATE OF, because that looks at the SET list only and misses what an earlier trigger changed.
pub(crate) fn triggers(site: &Site<'_>, table: &str, schema: Option<&str>, work: &Work<'_>) -> Made {
    let function = function_name(site, table, schema);
    let quoted_table = DIALECT.quote(table);
    let comment = literal(&site.comment());
    let source = format!("\nBEGIN\n{}  RETURN NEW;\nEND\n", work.body);
    let setting = work.names.setting();
    let mut made = Made::default();
    made.create.push(format!(
        "CREATE FUNCTION {function}() RETURNS trigger LANGUAGE plpgsql\n{setting}AS $phasegate${source}$phasegate$"
    ));
    made.create.push(format!("COMMENT ON FUNCTION {function}() IS {comment}"));
    for (suffix, event, tgtype, when) in [("_i", "INSERT", 7, work.insert), ("_u", "UPDATE", 19, Some(work.update))] {
        let name = site.object_name(suffix);
        let quoted = DIALECT.quote(&name);
        let when = when.map(|when| format!("WHEN ({when})\n")).unwrap_or_default();
        let definition = format!(
            "CREATE TRIGGER {quoted} BEFORE {event} ON {quoted_table} FOR EACH ROW\n{when}EXECUTE FUNCTION {function}()"
        );
        made.create.push(definition.clone());
        made.create.push(format!("COMMENT ON TRIGGER {quoted} ON {quoted_table} IS {comment}"));
        made.drop.push(format!("DROP TRIGGER IF EXISTS {quoted} ON {quoted_table}"));
        // A trigger cannot be altered in place, and one made anew has no comment.
        let present = format!(
            "SELECT count(*) FROM pg_catalog.pg_trigger t JOIN pg_catalog.pg_proc p ON p.oid = t.tgfoid\n\
             WHERE t.tgrelid = pg_catalog.to_regclass({}) AND t.tgname = {}\n\
             AND t.tgenabled IN ('O', 'A') AND t.tgtype = {tgtype} AND NOT t.tgisinternal\n\
             AND pg_catalog.obj_description(t.oid, 'pg_trigger') = {comment}\n\
             AND p.prosrc = $phasegate${source}$phasegate$",
            literal(&quoted_table),
            literal(&name),
        );
        made.objects.push(SyncObject { table: table.to_owned(), name, definition, present });
    }
    made.drop.push(format!("DROP FUNCTION IF EXISTS {function}()"));
    made
}

/// The function stands in the table's schema, so that a dump of that schema holds all that its triggers need.
fn function_name(site: &Site<'_>, table: &str, schema: Option<&str>) -> String {
    let name = DIALECT.quote(&site.object_name(""));
    match table.split_once('.').map(|(schema, _)| schema).or(schema) {
        Some(schema) => format!("{}.{name}", DIALECT.quote(schema)),
        None => name,
    }
}

/// The triggers that keep both shapes of a mapping equal.
///
/// PostgreSQL reads and plans a WHEN anew in every statement, and a function's body once in a session. So the INSERT
/// trigger has none, and that of UPDATE only asks what tells an unrelated bulk update apart: whether anything changed.
pub(crate) fn sync(site: &Site<'_>, mapping: &Mapping<'_>) -> Made {
    let old_type = mapping.old.sql_type.as_str();
    let mut watched = vec![(mapping.old.name, old_type)];
    watched.extend(mapping.new.iter().map(|column| (column.name, column.sql_type.as_str())));
    let types = watched.iter().map(|(_, sql_type)| *sql_type);
    let names = if !mapping.is_written() && types.clone().all(|one| base(one) == "text" || is_keyword(one)) {
        Names::Qualified
    } else {
        Names::LookedUp
    };
    // WHEN may not name a generated column of NEW.
    let key = mapping.facts.primary_key.iter().map(|name| (name.as_str(), mapping.facts.column(name)));
    watched.extend(
        key.filter(|(_, column)| column.is_none_or(|column| !column.generated))
            .map(|(name, column)| (name, column.map_or("", |column| column.sql_type.as_str()))),
    );
    let row = |row: &str| {
        let each = watched.iter().map(|(name, sql_type)| bytes_of(sql_type, &format!("{row}{}", DIALECT.quote(name))));
        each.collect::<Vec<_>>().join(", ")
    };
    let update = format!("({}) IS DISTINCT FROM ({})", row("OLD."), row("NEW."));
    let work = Work { names, body: &body(mapping), insert: None, update: &update };
    triggers(site, mapping.table, mapping.facts.schema.as_deref(), &work)
}

fn body(mapping: &Mapping<'_>) -> String {
    let (old, new) = (mapping.old_of("NEW."), mapping.new_of("NEW."));
    let (old_before, new_before) = (mapping.old_of("OLD."), mapping.new_of("OLD."));
    let new_types: Vec<&str> = mapping.new.iter().map(|column| column.sql_type.as_str()).collect();
    let old_differ = |one: &str, other: &str| differ(&[&mapping.old.sql_type], &[one.to_owned()], &[other.to_owned()]);
    let lines = |indent: &str, columns: &[String], values: &[String]| -> String {
        columns.iter().zip(values).map(|(column, value)| format!("{indent}{column} := {value};\n")).collect()
    };
    let to_new = mapping.forward(&old);
    let to_old = [mapping.backward(&new)];
    let old_side = std::slice::from_ref(&old);
    let disagree = differ(&new_types, &new, &to_new);
    let filled: Vec<String> = new
        .iter()
        .zip(mapping.forward(&old_before))
        .map(|(column, value)| format!("COALESCE({column}, {value})"))
        .collect();
    // A NOT NULL column of text takes '' from a new row without any name: rejecting that row would lose a write.
    let blank = if mapping.fills_blank() { format!(" OR {old} IS NULL") } else { String::new() };
    let unfilled =
        |old: &str, new: &[String]| format!("{} AND ({})", all_null(new), old_differ(old, &mapping.backward(new)));
    [
        &format!("  IF {} THEN\n", is_insert(mapping)),
        &format!("    IF {}{blank} THEN\n", any_set(&new)),
        &format!("      IF {disagree}{blank} THEN\n"),
        &lines("        ", old_side, &to_old),
        "      END IF;\n",
        "    ELSE\n",
        &lines("      ", &new, &to_new),
        "    END IF;\n",
        &format!("  ELSIF {} THEN\n", differ(&new_types, &new_before, &new)),
        &format!("    IF {disagree} THEN\n"),
        "      -- A row that was never filled: what the writer left out comes from the old side.\n",
        &format!("      IF {} THEN\n", unfilled(&old_before, &new_before)),
        &lines("        ", &new, &filled),
        "      END IF;\n",
        &format!("      IF {disagree} THEN\n"),
        &lines("        ", old_side, &to_old),
        "      END IF;\n",
        "    END IF;\n",
        &format!("  ELSIF {} THEN\n", old_differ(&old_before, &old)),
        &lines("    ", &new, &to_new),
        &format!("  ELSIF {} THEN\n", unfilled(&old, &new)),
        "    -- Only the key moved, and the row was never filled.\n",
        &lines("    ", &new, &to_new),
        "  END IF;\n",
    ]
    .concat()
}

/// OLD is NULL in an INSERT, where a key never is: asking that costs a fraction of making the text of TG_OP for each row.
fn is_insert(mapping: &Mapping<'_>) -> String {
    match mapping.facts.primary_key.first() {
        Some(key) => format!("OLD.{} IS NULL", DIALECT.quote(key)),
        None => "TG_OP OPERATOR(pg_catalog.=) 'INSERT'".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_the_grammar_are_told_from_names_that_are_looked_up() {
        for sql_type in ["varchar(80)", "character varying(12)", "NUMERIC(10, 2)", "double precision", "bigint"] {
            assert!(is_keyword(sql_type), "{sql_type}");
        }
        for sql_type in
            ["citext", "text[]", "varchar[]", "\"char\"", "integers", "shop.name", "bit varying(3)", "jsonb"]
        {
            assert!(!is_keyword(sql_type), "{sql_type}");
        }
    }
}
