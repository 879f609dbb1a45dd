//! What renaming and splitting have in common: the steps of every move over a `Mapping`.

use crate::{
    Alone, Backfill, Loss, Refused, Step, SyncObject, Verification,
    dialect::{Dialect, Made, all_null, any_set, assignments, literal, operand, postgres, sqlite, sqlite_table},
    refactoring::{Leg, Site, hide, mapping::Mapping, mysql_moves},
};

pub(crate) fn steps(mapping: &Mapping<'_>, site: &Site<'_>, leg: Leg) -> Result<Vec<Step>, Refused> {
    if mapping.dialect.commits_ddl() {
        return mysql_moves::steps(mapping, site, leg);
    }
    let table = mapping.table;
    let names: Vec<&str> = mapping.new.iter().map(|column| column.name).collect();
    let names = names.join(", ");
    let one = |what: String, statements: Vec<String>| {
        vec![Step::Transaction { what, tables: vec![table.to_owned()], statements }]
    };
    Ok(match leg {
        Leg::Expand => one(format!("add {names} to {table}"), add_columns(mapping, site)),
        Leg::Sync => {
            let mut statements = probes(mapping);
            statements.extend(set_not_null_aside(mapping, site)?);
            statements.extend(made(mapping, site).create);
            one(format!("keep {} and {names} of {table} equal", mapping.old.name), statements)
        }
        Leg::Migrate => vec![Step::Backfill(backfill(mapping)), Step::Verify(verification(mapping))],
        Leg::Contract if site.hides => hide::contract(mapping, site)?,
        Leg::Contract => contract_now(mapping, site)?,
        Leg::UndoExpand => one(format!("drop {names} from {table}"), drop_columns(mapping)),
        Leg::UndoSync => {
            let mut statements = not_null_back(mapping, site);
            statements.extend(made(mapping, site).drop);
            // What stands in them would be stale when the change goes forward again.
            statements.extend(drop_columns(mapping));
            statements.extend(add_columns(mapping, site));
            one(
                format!("stop keeping {} and {names} of {table} equal, and empty {names}", mapping.old.name),
                statements,
            )
        }
        Leg::UndoMigrate => Vec::new(),
    })
}

fn add_columns(mapping: &Mapping<'_>, site: &Site<'_>) -> Vec<String> {
    let table = mapping.dialect.quote(mapping.table);
    let each = mapping.new.iter().map(|column| (mapping.dialect.quote(column.name), &column.sql_type));
    match mapping.dialect {
        Dialect::Postgres => {
            let added: Vec<String> =
                each.clone().map(|(name, sql_type)| format!("ADD COLUMN {name} {sql_type}")).collect();
            let mut statements = vec![format!("ALTER TABLE {table} {}", added.join(", "))];
            let comment = literal(&site.comment());
            statements.extend(each.map(|(name, _)| format!("COMMENT ON COLUMN {table}.{name} IS {comment}")));
            statements
        }
        // SQLite keeps the text, and with it whose column it is.
        Dialect::Sqlite => each
            .map(|(name, sql_type)| {
                format!("ALTER TABLE {table} ADD COLUMN {name} /* {} */ {sql_type}", site.comment())
            })
            .collect(),
        // Steps of their own.
        Dialect::Mysql | Dialect::Mariadb => Vec::new(),
    }
}

fn drop_columns(mapping: &Mapping<'_>) -> Vec<String> {
    let table = mapping.dialect.quote(mapping.table);
    let dropped = mapping.new.iter().map(|column| format!("DROP COLUMN {}", mapping.dialect.quote(column.name)));
    match mapping.dialect {
        Dialect::Postgres => vec![format!("ALTER TABLE {table} {}", dropped.collect::<Vec<_>>().join(", "))],
        Dialect::Sqlite => dropped.map(|drop| format!("ALTER TABLE {table} {drop}")).collect(),
        Dialect::Mysql | Dialect::Mariadb => Vec::new(),
    }
}

pub(super) fn made(mapping: &Mapping<'_>, site: &Site<'_>) -> Made {
    match mapping.dialect {
        Dialect::Postgres => postgres::sync(site, mapping),
        Dialect::Sqlite => sqlite::sync(site, mapping),
        Dialect::Mysql | Dialect::Mariadb => {
            Made { objects: mysql_moves::sync_objects(mapping, site), ..Made::default() }
        }
    }
}

/// Statements that fail when a written conversion names what does not exist: better now than in an app's next write.
fn probes(mapping: &Mapping<'_>) -> Vec<String> {
    if !mapping.is_written() {
        return Vec::new();
    }
    let dialect = mapping.dialect;
    let typed = |name: &str, sql_type: &str| match dialect {
        Dialect::Postgres => format!("NULL::{sql_type} AS {}", dialect.quote(name)),
        Dialect::Sqlite | Dialect::Mysql | Dialect::Mariadb => format!("NULL AS {}", dialect.quote(name)),
    };
    let old = typed(mapping.old.name, &mapping.old.sql_type);
    let new: Vec<String> = mapping.new.iter().map(|column| typed(column.name, &column.sql_type)).collect();
    let queries = [
        (mapping.forward(&mapping.old_of("")).join(", "), old),
        (mapping.backward(&mapping.new_of("")), new.join(", ")),
    ];
    match dialect {
        Dialect::Postgres => {
            // As the trigger's function will see them: with nothing but the catalog in reach.
            let performed: String = queries
                .iter()
                .map(|(values, row)| format!("  PERFORM {values} FROM (SELECT {row}) AS probe;\n"))
                .collect();
            vec![format!(
                "DO $phasegate$\nDECLARE path text := current_setting('search_path');\nBEGIN\n  \
                 PERFORM set_config('search_path', 'pg_catalog, pg_temp', true);\n{performed}  \
                 PERFORM set_config('search_path', path, true);\nEND\n$phasegate$"
            )]
        }
        Dialect::Sqlite => queries.iter().map(|(values, row)| format!("SELECT {values} FROM (SELECT {row})")).collect(),
        Dialect::Mysql | Dialect::Mariadb => Vec::new(),
    }
}

/// SQLite rejects a new row before any AFTER trigger could fill a NOT NULL column. PostgreSQL's BEFORE triggers can.
fn set_not_null_aside(mapping: &Mapping<'_>, site: &Site<'_>) -> Result<Vec<String>, Refused> {
    if mapping.dialect != Dialect::Sqlite || !mapping.old.required {
        return Ok(Vec::new());
    }
    let definition = definition(mapping, site)?;
    if sqlite_table::has_not_null_aside(definition, site.change) {
        return Ok(Vec::new());
    }
    match sqlite_table::set_not_null_aside(definition, mapping.old.name, site.change) {
        Some(without) => Ok(sqlite::redefine(mapping.table, definition, &without)),
        None => site.refuse(
            format!("the NOT NULL of `{}.{}` cannot be set aside", mapping.table, mapping.old.name),
            "declare it as a plain NOT NULL of the column, without ON CONFLICT",
        ),
    }
}

fn not_null_back(mapping: &Mapping<'_>, site: &Site<'_>) -> Vec<String> {
    let Some(definition) = mapping.facts.definition.as_deref() else { return Vec::new() };
    if mapping.dialect != Dialect::Sqlite || !sqlite_table::has_not_null_aside(definition, site.change) {
        return Vec::new();
    }
    let mut statements = vec![no_nulls(mapping.table, mapping.old.name)];
    let with = sqlite_table::not_null_back(definition, site.change);
    statements.extend(sqlite::redefine(mapping.table, definition, &with));
    statements
}

fn no_nulls(table: &str, column: &str) -> String {
    let dialect = Dialect::Sqlite;
    let found = format!("EXISTS (SELECT 1 FROM {} WHERE {} IS NULL)", dialect.quote(table), dialect.quote(column));
    sqlite::fail_when(&found, &format!("{table} has rows without {column}"))
}

fn definition<'a>(mapping: &Mapping<'a>, site: &Site<'_>) -> Result<&'a str, Refused> {
    match mapping.facts.definition.as_deref() {
        Some(definition) => Ok(definition),
        None => {
            site.refuse(format!("the catalog gives no definition of `{}`", mapping.table), "use a table, not a view")
        }
    }
}

pub(super) fn backfill(mapping: &Mapping<'_>) -> Backfill {
    let new = mapping.new_of("");
    let values = mapping.forward(&mapping.old_of(""));
    Backfill {
        table: mapping.table.to_owned(),
        key: mapping.facts.primary_key.clone(),
        assignments: assignments(&new, &values),
        unfilled: format!("{} AND ({})", all_null(&new), any_set(&parenthesised(&values))),
    }
}

fn parenthesised(values: &[String]) -> Vec<String> {
    values.iter().map(|value| operand(value)).collect()
}

pub(super) fn verification(mapping: &Mapping<'_>) -> Verification {
    let table = mapping.dialect.quote(mapping.table);
    let (old, new) = (mapping.old_of(""), mapping.new_of(""));
    let not_forward = mapping.new_differ(&new, &mapping.forward(&old));
    let not_back = mapping.old_differ(&old, &mapping.backward(&new));
    Verification {
        what: format!("every row of {} is the same in both shapes", mapping.table),
        strict: format!("SELECT count(*) FROM {table} WHERE {not_forward}"),
        lenient: format!("SELECT count(*) FROM {table} WHERE {not_forward} AND {not_back}"),
    }
}

/// The old column goes at once.
pub(super) fn contract_now(mapping: &Mapping<'_>, site: &Site<'_>) -> Result<Vec<Step>, Refused> {
    let dialect = mapping.dialect;
    let (table, old) = (dialect.quote(mapping.table), dialect.quote(mapping.old.name));
    let mut steps = Vec::new();
    let mut last = Vec::new();
    let inherits = mapping.new.first().filter(|_| mapping.back_is_same()).map(|column| column.name);
    match (dialect, inherits) {
        (Dialect::Postgres, inherits) => {
            last.extend(made(mapping, site).drop);
            let mut taken_over = Vec::new();
            if let Some(name) = inherits {
                let column = dialect.quote(name);
                // Both steps are there in any case, so that the others keep their places once the old column is gone.
                let [forbid, check] = checked_not_null(site, mapping.table, &column);
                if mapping.old.required {
                    steps.extend([forbid, check]);
                    last.extend(not_null_by_check(site, mapping.table, &column));
                } else {
                    steps.extend([nothing(forbid), nothing(check)]);
                }
                taken_over.extend(
                    mapping.old.default.iter().map(|value| format!("ALTER COLUMN {column} SET DEFAULT {value}")),
                );
            }
            taken_over.push(format!("DROP COLUMN {old}"));
            last.push(format!("ALTER TABLE {table} {}", taken_over.join(", ")));
        }
        (Dialect::Sqlite, inherits) => {
            if let Some(name) = inherits {
                last.extend(inherit(mapping, site, name)?);
            }
            last.extend(made(mapping, site).drop);
            let indexes =
                mapping.facts.indexes.iter().filter(|index| index.columns.iter().any(|one| one == mapping.old.name));
            last.extend(indexes.map(|index| format!("DROP INDEX {}", dialect.quote(&index.name))));
            last.push(format!("ALTER TABLE {table} DROP COLUMN {old}"));
        }
        (Dialect::Mysql | Dialect::Mariadb, _) => {}
    }
    steps.push(Step::Transaction {
        what: format!("drop {} from {}", mapping.old.declared, mapping.table),
        tables: vec![mapping.table.to_owned()],
        statements: last,
    });
    Ok(steps)
}

/// A step in whose place there is nothing to do.
pub(super) fn nothing(step: Step) -> Step {
    match step {
        Step::Transaction { what, .. } | Step::Alone(Alone { what, .. }) => {
            Step::Transaction { what, tables: Vec::new(), statements: Vec::new() }
        }
        other @ (Step::Hide { .. } | Step::HideAlone(_) | Step::Backfill(_) | Step::Verify(_)) => other,
    }
}

/// NOT NULL without a scan under an exclusive lock: a check that is proven first, while everybody works on.
pub(crate) fn checked_not_null(site: &Site<'_>, table: &str, column: &str) -> [Step; 2] {
    let (name, check) = (Dialect::Postgres.quote(table), Dialect::Postgres.quote(&site.object_name("_nn")));
    [
        Step::Transaction {
            what: format!("forbid NULL in {column} of {table} for new rows"),
            tables: vec![table.to_owned()],
            statements: vec![
                format!("ALTER TABLE {name} ADD CONSTRAINT {check} CHECK ({column} IS NOT NULL) NOT VALID"),
                format!("COMMENT ON CONSTRAINT {check} ON {name} IS {}", literal(&site.comment())),
            ],
        },
        Step::Transaction {
            what: format!("check that no row of {table} has NULL in {column}"),
            tables: Vec::new(),
            statements: vec![format!("ALTER TABLE {name} VALIDATE CONSTRAINT {check}")],
        },
    ]
}

/// SET NOT NULL by a check that is proven. Two statements: in one, PostgreSQL would drop the check first and scan.
pub(crate) fn not_null_by_check(site: &Site<'_>, table: &str, column: &str) -> [String; 2] {
    let (name, check) = (Dialect::Postgres.quote(table), Dialect::Postgres.quote(&site.object_name("_nn")));
    [
        format!("ALTER TABLE {name} ALTER COLUMN {column} SET NOT NULL"),
        format!("ALTER TABLE {name} DROP CONSTRAINT {check}"),
    ]
}

/// The constraints that the new name takes over from the old one.
fn inherit(mapping: &Mapping<'_>, site: &Site<'_>, name: &str) -> Result<Vec<String>, Refused> {
    let mut constraints = Vec::new();
    if mapping.old.required {
        constraints.push("NOT NULL".to_owned());
    }
    constraints.extend(mapping.old.default.iter().map(|value| format!("DEFAULT ({value})")));
    if constraints.is_empty() {
        return Ok(Vec::new());
    }
    let from = definition(mapping, site)?;
    let Some(to) = sqlite_table::with_constraint(from, name, &constraints.join(" ")) else {
        return site.refuse(format!("the definition of `{}` does not show `{name}`", mapping.table), "alter it back");
    };
    let mut statements = Vec::new();
    if mapping.old.required {
        statements.push(no_nulls(mapping.table, name));
    }
    statements.extend(sqlite::redefine(mapping.table, from, &to));
    Ok(statements)
}

pub(crate) fn loss(mapping: &Mapping<'_>, _site: &Site<'_>, leg: Leg) -> Vec<Loss> {
    if mapping.back_is_same() {
        return Vec::new();
    }
    let dialect = mapping.dialect;
    let table = dialect.quote(mapping.table);
    let (old, new) = (mapping.old_of(""), mapping.new_of(""));
    let forward = mapping.forward(&old);
    let names = mapping.new.iter().map(|column| column.name).collect::<Vec<_>>().join(", ");
    let exists = mapping.new.iter().all(|column| mapping.facts.column(column.name).is_some());
    match leg {
        Leg::Contract => {
            let rebuilt = mapping.old_differ(&old, &mapping.backward(&parenthesised(&forward)));
            // What a version of the new shape wrote may be rebuilt from its own values where f does not lead back.
            let kept = if exists {
                format!(" AND {}", mapping.old_differ(&old, &mapping.backward(&new)))
            } else {
                String::new()
            };
            vec![Loss {
                what: format!(
                    "rows of {} whose {} cannot be rebuilt from {names}",
                    mapping.table, mapping.old.declared
                ),
                count: format!("SELECT count(*) FROM {table} WHERE {rebuilt}{kept}"),
            }]
        }
        Leg::UndoSync | Leg::UndoExpand if exists => vec![Loss {
            what: format!("rows of {} whose {names} cannot be rebuilt from {}", mapping.table, mapping.old.declared),
            count: format!(
                "SELECT count(*) FROM {table} WHERE NOT ({}) AND {}",
                all_null(&new),
                mapping.new_differ(&new, &forward)
            ),
        }],
        Leg::UndoSync | Leg::UndoExpand | Leg::Expand | Leg::Sync | Leg::Migrate | Leg::UndoMigrate => Vec::new(),
    }
}

pub(crate) fn sync_objects(mapping: &Mapping<'_>, site: &Site<'_>) -> Vec<SyncObject> {
    made(mapping, site).objects
}
