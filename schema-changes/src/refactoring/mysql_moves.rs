//! Renaming and splitting where DDL commits by itself: one statement a step, and every prefix of the steps harmless.
//!
//! INVARIANT: the number of steps and the place of each follow from the change alone, never from the catalog: the last
//! steps take away what the catalog knew. See docs/decisions/0005.

use crate::{
    Alone, Refused, Step, SyncObject,
    dialect::{
        Dialect,
        mysql::{self, Trigger},
        mysql_type,
    },
    refactoring::{
        Leg, Site,
        mapping::Mapping,
        mapping_moves::{backfill, verification},
        mysql_hide,
    },
};

pub(super) fn steps(mapping: &Mapping<'_>, site: &Site<'_>, leg: Leg) -> Result<Vec<Step>, Refused> {
    let table = mapping.table;
    let names: Vec<&str> = mapping.new.iter().map(|column| column.name).collect();
    if leg == Leg::Expand {
        let key = mapping.facts.primary_key.iter().map(String::as_str);
        mysql::check_names(site, names.iter().copied().chain([mapping.old.name]).chain(key))?;
    }
    let listed = names.join(", ");
    let marker = site.marker_name();
    let ours: Vec<&str> = names.iter().copied().chain([marker.as_str()]).collect();
    let drop_new = |what: String| mysql::drop_columns(site.dialect, what, table, &ours);
    let [update, insert] = mysql::sync(site, mapping);
    Ok(match leg {
        Leg::Expand => vec![Step::Alone(add_new(mapping, site, &marker))],
        Leg::Sync => {
            let mut all = probes(mapping);
            all.extend([&update, &insert].map(|trigger| {
                let event = trigger.event.to_ascii_lowercase();
                let what = format!("keep {} and {listed} of {table} equal at each {event}", mapping.old.name);
                Step::Alone(mysql::create_trigger(site, what, table, trigger))
            }));
            all
        }
        Leg::Migrate => vec![Step::Backfill(marked(mapping, site, &marker)), Step::Verify(verification(mapping))],
        Leg::Contract if site.hides => mysql_hide::contract(mapping, site)?,
        Leg::Contract => contract_now(mapping, site, &[&insert, &update], &[mapping.old.name, &marker])?,
        Leg::UndoExpand => vec![Step::Alone(drop_new(format!("drop {listed} from {table}")))],
        Leg::UndoSync => {
            let mut all = dropped(site, mapping, &[&insert, &update]);
            // What stands in them would be stale when the change goes forward again.
            all.push(drop_new(format!("empty {listed} of {table}: drop them")));
            all.push(add_new(mapping, site, &marker));
            all.into_iter().map(Step::Alone).collect()
        }
        Leg::UndoMigrate => Vec::new(),
    })
}

/// The old column goes at once, with the triggers and columns that were there for it.
pub(super) fn contract_now(
    mapping: &Mapping<'_>,
    site: &Site<'_>,
    triggers: &[&Trigger],
    gone: &[&str],
) -> Result<Vec<Step>, Refused> {
    // Foreign keys and restores write past triggers; what disagrees now could not be told from a loss later.
    let mut all = vec![Step::Verify(verification(mapping))];
    all.extend(inherit(mapping, site).map(Step::Alone));
    all.push(Step::Alone(default_for_old(mapping, site)?));
    all.extend(dropped(site, mapping, triggers).into_iter().map(Step::Alone));
    let what = format!("drop {} from {}", mapping.old.name, mapping.table);
    all.push(Step::Alone(mysql::drop_columns(site.dialect, what, mapping.table, gone)));
    Ok(all)
}

pub(super) fn dropped(site: &Site<'_>, mapping: &Mapping<'_>, triggers: &[&Trigger]) -> Vec<Alone> {
    let table = mapping.table;
    let names: Vec<&str> = mapping.new.iter().map(|column| column.name).collect();
    let stop = format!("stop keeping {} and {} of {table} equal", mapping.old.name, names.join(", "));
    let drop = |trigger: &&Trigger| {
        mysql::drop_trigger(site, format!("{stop}: {}s", trigger.event.to_ascii_lowercase()), table, trigger.suffix)
    };
    triggers.iter().map(drop).collect()
}

fn add_new(mapping: &Mapping<'_>, site: &Site<'_>, marker: &str) -> Alone {
    let names: Vec<&str> = mapping.new.iter().map(|column| column.name).collect();
    let mut columns: Vec<(String, String)> =
        mapping.new.iter().map(|column| (column.name.to_owned(), format!("{} NULL", column.sql_type))).collect();
    // MySQL wants the default before INVISIBLE, MariaDB takes both orders.
    columns.push((marker.to_owned(), "int NOT NULL DEFAULT 0 INVISIBLE".to_owned()));
    mysql::add_columns(site, format!("add {} to {}", names.join(", "), mapping.table), mapping.table, &columns)
}

/// Reads no row, and fails when a written conversion names what does not exist: better now than in an app's next write.
fn probes(mapping: &Mapping<'_>) -> Vec<Step> {
    if !mapping.is_written() {
        return Vec::new();
    }
    let table = mapping.dialect.quote(mapping.table);
    let (old, new) = (mapping.old_of(""), mapping.new_of(""));
    let forward = mapping.forward(&old).join(", ");
    let backward = mapping.backward(&new);
    let probe = |values: String, columns: String| {
        format!("SELECT {values} FROM (SELECT {columns} FROM {table} LIMIT 0) AS probe")
    };
    vec![Step::Transaction {
        what: format!("look whether the conversions of {} can be run", mapping.table),
        tables: Vec::new(),
        statements: vec![probe(forward, old), probe(backward, new.join(", "))],
    }]
}

/// The backfill, telling the triggers that it converts by itself.
fn marked(mapping: &Mapping<'_>, site: &Site<'_>, marker: &str) -> crate::Backfill {
    let marker = site.dialect.quote(marker);
    let mut fill = backfill(mapping);
    fill.assignments.push_str(&format!(", {marker} = {marker} + 1"));
    fill
}

/// The new name takes over NOT NULL and the default of the old one, while the triggers still fill it for everybody.
fn inherit(mapping: &Mapping<'_>, site: &Site<'_>) -> Option<Alone> {
    let column = mapping.new.first().filter(|_| mapping.back_is_same())?;
    let null = if mapping.old.required { "NOT NULL" } else { "NULL" };
    let default = mapping.old.default.as_ref().map(|value| format!(" DEFAULT {value}")).unwrap_or_default();
    let action = format!(
        "MODIFY COLUMN {} {} {null}{default} COMMENT {}",
        site.dialect.quote(column.name),
        column.sql_type,
        mysql::literal(&site.comment())
    );
    let what = format!("{} of {} takes over what {} has", column.name, mapping.table, mapping.old.name);
    // Run twice, it changes nothing the second time.
    Some(mysql::alter(site.dialect, what, mapping.table, &[action], None))
}

/// Once the triggers go, a version of the new shape inserts rows without the old column.
fn default_for_old(mapping: &Mapping<'_>, site: &Site<'_>) -> Result<Alone, Refused> {
    let needs = mapping.old.required && mapping.old.default.is_none();
    let blank = mysql_type::blank(&mapping.old.sql_type, site.dialect == Dialect::Mariadb);
    let Some(value) = blank.or_else(|| (!needs).then(|| "NULL".to_owned())) else {
        return site.refuse(
            format!(
                "`{}.{}` is of type {}, which has no plain default to stand in while its triggers go",
                mapping.table, mapping.old.name, mapping.old.sql_type
            ),
            "let the column accept NULL in a sql change first",
        );
    };
    let action = format!("ALTER COLUMN {} SET DEFAULT {value}", site.dialect.quote(mapping.old.name));
    let present = format!(
        "SELECT count(*) = 0 FROM information_schema.columns WHERE {} AND column_name = {}\n\
         AND is_nullable = 'NO' AND column_default IS NULL AND extra NOT LIKE '%DEFAULT_GENERATED%'",
        mysql::place("table", mapping.table),
        mysql::literal(mapping.old.name)
    );
    let what = format!("let rows of {} do without {}", mapping.table, mapping.old.name);
    Ok(mysql::alter(site.dialect, what, mapping.table, &[action], Some(present)))
}

pub(super) fn sync_objects(mapping: &Mapping<'_>, site: &Site<'_>) -> Vec<SyncObject> {
    let triggers = if mapping.old.name == site.hidden_name() {
        mysql_hide::either(site, mapping)
    } else {
        mysql::sync(site, mapping)
    };
    triggers.iter().map(|trigger| mysql::object(site, mapping.table, trigger)).collect()
}
