//! Hiding the old shape, and bringing it back, where each DDL statement commits by itself.
//!
//! Hidden is the column from one statement on, and back from one statement on: a rename, which is atomic and touches no
//! row. What makes that possible are triggers that fit both names. The engine looks for a column that a trigger names
//! when the trigger is made, and then not before the trigger comes to it: so they are made while a stand-in has the
//! hidden name, and each time they run they try the old name first. At no point can a write fail or pass them by, nor
//! does it matter who stops where. See docs/decisions/0006.

use crate::{
    Alone, Refused, Step, WayBack,
    dialect::mysql::{self, Bodies, Trigger, Writer},
    refactoring::{
        Site,
        mapping::Mapping,
        mapping_moves::nothing,
        mysql_moves::{contract_now, dropped},
    },
};

/// The steps of a contract that hides first. Those of one that does not have their places before them, without work: a
/// runner that goes on knows by the places which of the two was begun.
pub(super) fn contract(mapping: &Mapping<'_>, site: &Site<'_>) -> Result<Vec<Step>, Refused> {
    let (name, marker, spare) = (site.hidden_name(), site.marker_name(), site.object_name("_d"));
    let [update, insert] = mysql::sync(site, mapping);
    let [either_update, either_insert] = either(site, mapping);
    let at_once = contract_now(mapping, site, &[&insert, &update], &[mapping.old.name, &marker])?;
    let (mut all, rest): (Vec<Step>, Vec<Step>) = at_once.into_iter().partition(|step| matches!(step, Step::Verify(_)));
    all.extend(rest.into_iter().map(nothing));
    all.push(Step::Alone(stand_in(mapping, site, &name)));
    all.extend([&either_update, &either_insert].map(|trigger| {
        let event = trigger.event.to_ascii_lowercase();
        let what = format!("keep {} of {} in step at each {event}, hidden or not", mapping.old.declared, mapping.table);
        Step::Alone(mysql::create_trigger(site, what, mapping.table, trigger))
    }));
    all.extend(dropped(site, mapping, &[&insert, &update]).into_iter().map(Step::Alone));
    all.push(Step::HideAlone(hide(mapping, site, &name, &spare)));
    // From here on as at once, under the hidden name; a stand-in that nobody needs goes along.
    let hidden = mapping.with_old(&name);
    all.extend(contract_now(&hidden, site, &[&either_insert, &either_update], &[&name, &marker, &spare])?);
    Ok(all)
}

/// Has the hidden name while the triggers are made. Nobody sees it, and nothing stands in it.
fn stand_in(mapping: &Mapping<'_>, site: &Site<'_>, name: &str) -> Alone {
    let comment = mysql::literal(&site.comment());
    let action = format!("ADD COLUMN {} int NULL INVISIBLE COMMENT {comment}", site.dialect.quote(name));
    let present = column_count(mapping, name, 1);
    let what = format!("make ready to hide {} of {}", mapping.old.declared, mapping.table);
    mysql::alter(site.dialect, what, mapping.table, &[action], Some(present))
}

/// The stand-in leaves the name, and the old column takes it.
fn hide(mapping: &Mapping<'_>, site: &Site<'_>, name: &str, spare: &str) -> Alone {
    let actions = [rename(site, name, spare), rename(site, mapping.old.declared, name)];
    let what = format!("hide {} of {} as {name}", mapping.old.declared, mapping.table);
    mysql::alter(site.dialect, what, mapping.table, &actions, Some(column_count(mapping, spare, 1)))
}

/// What brings the hidden column back, or goes on where somebody stopped while doing so; none when nothing is hidden.
pub(super) fn restore(mapping: &Mapping<'_>, site: &Site<'_>) -> Option<WayBack> {
    let (name, spare) = (site.hidden_name(), site.object_name("_d"));
    let (is_back, is_hidden) =
        (mapping.facts.column(mapping.old.declared).is_some(), mapping.facts.column(&name).is_some());
    if is_back == is_hidden {
        return None;
    }
    let (table, old) = (mapping.table, mapping.old.declared);
    let back = mapping.with_old(old);
    let [update, insert] = mysql::sync(site, &back);
    let [either_update, either_insert] = either(site, mapping);
    let what = format!("bring {old} of {table} back");
    let renamed = rename(site, &name, old);
    let mut all = vec![mysql::alter(site.dialect, what, table, &[renamed], Some(column_count(mapping, &name, 0)))];
    all.extend([&update, &insert].map(|trigger| {
        let event = trigger.event.to_ascii_lowercase();
        mysql::create_trigger(site, format!("keep {old} of {table} in step at each {event}"), table, trigger)
    }));
    all.extend(dropped(site, &back, &[&either_insert, &either_update]));
    let what = format!("drop what hid {old} of {table}");
    all.push(mysql::drop_columns(site.dialect, what, table, &[&spare]));
    Some(WayBack::Apart(all))
}

/// The triggers of a mapping whose old column has one of two names.
pub(super) fn either(site: &Site<'_>, mapping: &Mapping<'_>) -> [Trigger; 2] {
    let name = site.hidden_name();
    let (seen, hidden) = (mapping.with_old(mapping.old.declared), mapping.with_old(&name));
    let (seen_bodies, hidden_bodies) = (mysql::bodies(site, &seen), mysql::bodies(site, &hidden));
    let handler = Writer { written: mapping.is_written() }.handler();
    let column = seen.old_of("NEW.");
    let body = |seen: &str, hidden: &str| {
        format!(
            "  DECLARE zzz_phasegate_hidden int DEFAULT 0;\n  DECLARE zzz_phasegate_seen int;\n{handler}  BEGIN\n    \
             DECLARE EXIT HANDLER FOR 1054 SET zzz_phasegate_hidden = 1;\n    \
             SET zzz_phasegate_seen = {column} IS NULL;\n  END;\n  \
             IF zzz_phasegate_hidden = 1 THEN\n{hidden}  ELSE\n{seen}  END IF;\n"
        )
    };
    let (Bodies { update, insert }, Bodies { update: hidden_update, insert: hidden_insert }) =
        (seen_bodies, hidden_bodies);
    [
        Trigger { suffix: "_eu", event: "UPDATE", body: body(&update, &hidden_update) },
        Trigger { suffix: "_ei", event: "INSERT", body: body(&insert, &hidden_insert) },
    ]
}

fn rename(site: &Site<'_>, from: &str, to: &str) -> String {
    format!("RENAME COLUMN {} TO {}", site.dialect.quote(from), site.dialect.quote(to))
}

/// Whether the table has so many columns of this name.
fn column_count(mapping: &Mapping<'_>, name: &str, count: u8) -> String {
    format!(
        "SELECT count(*) = {count} FROM information_schema.columns WHERE {} AND column_name = {}",
        mysql::place("table", mapping.table),
        mysql::literal(name)
    )
}
