//! PostgreSQL: triggers that convert, and what makes them safe.

use crate::{
    SyncObject,
    dialect::{Dialect, Made, all_null, any_set, literal, operand},
    refactoring::{Site, mapping::Mapping},
};

const DIALECT: Dialect = Dialect::Postgres;

/// The value for a comparison byte by byte: its text, under the collation that compares bytes.
pub(crate) fn bytes(value: &str) -> String {
    format!("{}::text COLLATE \"C\"", operand(value))
}

/// Two BEFORE triggers over one function. Two, because the WHEN of an INSERT trigger cannot name OLD; WHEN and not
/// UPDATE OF, because that looks at the SET list only and misses what an earlier trigger changed.
pub(crate) fn triggers(
    site: &Site<'_>,
    table: &str,
    schema: Option<&str>,
    body: &str,
    insert: &str,
    update: &str,
) -> Made {
    let function = function_name(site, table, schema);
    let quoted_table = DIALECT.quote(table);
    let comment = literal(&site.comment());
    let source = format!("\nBEGIN\n{body}  RETURN NEW;\nEND\n");
    let mut made = Made::default();
    made.create.push(format!(
        "CREATE FUNCTION {function}() RETURNS trigger LANGUAGE plpgsql\nSET search_path = pg_catalog, pg_temp\nAS $phasegate${source}$phasegate$"
    ));
    made.create.push(format!("COMMENT ON FUNCTION {function}() IS {comment}"));
    for (suffix, event, tgtype, when) in [("_i", "INSERT", 7, insert), ("_u", "UPDATE", 19, update)] {
        let name = site.object_name(suffix);
        let quoted = DIALECT.quote(&name);
        let definition = format!(
            "CREATE TRIGGER {quoted} BEFORE {event} ON {quoted_table} FOR EACH ROW\nWHEN ({when})\nEXECUTE FUNCTION {function}()"
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
pub(crate) fn sync(site: &Site<'_>, mapping: &Mapping<'_>) -> Made {
    let old = |row: &str| mapping.old_of(row);
    let new = |row: &str| mapping.new_of(row);
    let forward = |row: &str| mapping.forward(&old(row));
    let disagree = DIALECT.differ(&new("NEW."), &forward("NEW."));
    // A NOT NULL column of text takes '' from a new row without any name: rejecting that row would lose a write.
    let insert =
        if mapping.fills_blank() { format!("{disagree} OR {} IS NULL", old("NEW.")) } else { disagree.clone() };
    let watched = |row: &str| {
        // WHEN may not name a generated column of NEW.
        let generated = |name: &&str| mapping.facts.column(name).is_some_and(|column| column.generated);
        let key = mapping.facts.primary_key.iter().map(String::as_str).filter(|name| !generated(name));
        let mut all = DIALECT.quote_all(row, key);
        all.push(old(row));
        all.extend(new(row));
        all
    };
    let update = format!("{}\n  AND {disagree}", DIALECT.differ(&watched("OLD."), &watched("NEW.")));
    let body = body(mapping, &disagree);
    triggers(site, mapping.table, mapping.facts.schema.as_deref(), &body, &insert, &update)
}

fn body(mapping: &Mapping<'_>, disagree: &str) -> String {
    let (old, new) = (mapping.old_of("NEW."), mapping.new_of("NEW."));
    let (old_before, new_before) = (mapping.old_of("OLD."), mapping.new_of("OLD."));
    let lines = |indent: &str, columns: &[String], values: &[String]| -> String {
        columns.iter().zip(values).map(|(column, value)| format!("{indent}{column} := {value};\n")).collect()
    };
    let to_new = mapping.forward(&old);
    let to_old = [mapping.backward(&new)];
    let old_side = std::slice::from_ref(&old);
    let filled: Vec<String> = new
        .iter()
        .zip(mapping.forward(&old_before))
        .map(|(column, value)| format!("COALESCE({column}, {value})"))
        .collect();
    let blank = if mapping.fills_blank() { format!(" OR {old} IS NULL") } else { String::new() };
    let unfilled = |old: &str, new: &[String]| {
        let differs = DIALECT.differ(&[old.to_owned()], &[mapping.backward(new)]);
        format!("{} AND {differs}", all_null(new))
    };
    let old_changed = DIALECT.differ(std::slice::from_ref(&old_before), old_side);
    [
        "  IF TG_OP = 'INSERT' THEN\n",
        &format!("    IF {}{blank} THEN\n", any_set(&new)),
        &lines("      ", old_side, &to_old),
        "    ELSE\n",
        &lines("      ", &new, &to_new),
        "    END IF;\n",
        &format!("  ELSIF {} THEN\n", DIALECT.differ(&new_before, &new)),
        "    -- A row that was never filled: what the writer left out comes from the old side.\n",
        &format!("    IF {} THEN\n", unfilled(&old_before, &new_before)),
        &lines("      ", &new, &filled),
        "    END IF;\n",
        &format!("    IF {disagree} THEN\n"),
        &lines("      ", old_side, &to_old),
        "    END IF;\n",
        &format!("  ELSIF {old_changed} THEN\n"),
        &lines("    ", &new, &to_new),
        &format!("  ELSIF {} THEN\n", unfilled(&old, &new)),
        "    -- Only the key moved, and the row was never filled.\n",
        &lines("    ", &new, &to_new),
        "  END IF;\n",
    ]
    .concat()
}
