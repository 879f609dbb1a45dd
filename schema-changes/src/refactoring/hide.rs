//! Hiding the old shape before it goes, and bringing it back.
//!
//! A hidden column is the old one under another name. The triggers that keep both shapes equal are made anew for that
//! name in the same transaction, so what a version of the new shape writes still reaches it: brought back, it holds what
//! it would hold had it never been hidden. Its NOT NULL and its default stay on it, as the triggers fill it.

use crate::{
    Refused, Step, WayBack,
    dialect::Dialect,
    refactoring::{
        Site,
        mapping::Mapping,
        mapping_moves::{contract_now, made},
        mysql_hide,
    },
};

/// The steps of a contract that hides first. The last one takes the hidden column away.
pub(super) fn contract(mapping: &Mapping<'_>, site: &Site<'_>) -> Result<Vec<Step>, Refused> {
    let name = site.hidden_name();
    let hidden = mapping.with_old(&name);
    let mut steps = contract_now(&hidden, site)?;
    let last = steps.len().saturating_sub(1);
    steps.insert(last, hide(mapping, &hidden, site));
    Ok(steps)
}

fn hide(mapping: &Mapping<'_>, hidden: &Mapping<'_>, site: &Site<'_>) -> Step {
    let mut statements = made(mapping, site).drop;
    statements.push(rename(mapping, hidden));
    statements.extend(made(hidden, site).create);
    Step::Hide {
        what: format!("hide {} of {} as {}", mapping.old.declared, mapping.table, hidden.old.name),
        tables: vec![mapping.table.to_owned()],
        statements,
    }
}

/// What brings a hidden column back, while it is there; none when nothing is hidden.
pub(super) fn restore(mapping: &Mapping<'_>, site: &Site<'_>) -> Option<WayBack> {
    if mapping.dialect.commits_ddl() {
        return mysql_hide::restore(mapping, site);
    }
    if mapping.old.name != site.hidden_name() {
        return None;
    }
    let back = mapping.with_old(mapping.old.declared);
    let mut statements = made(mapping, site).drop;
    statements.push(rename(mapping, &back));
    statements.extend(made(&back, site).create);
    if mapping.dialect == Dialect::Postgres && mapping.back_is_same() {
        // What the contract had begun to demand of the new column.
        let (table, check) = (mapping.dialect.quote(mapping.table), mapping.dialect.quote(&site.object_name("_nn")));
        statements.push(format!("ALTER TABLE {table} DROP CONSTRAINT IF EXISTS {check}"));
    }
    Some(WayBack::Together {
        what: format!("bring {} of {} back", mapping.old.declared, mapping.table),
        tables: vec![mapping.table.to_owned()],
        statements,
    })
}

fn rename(from: &Mapping<'_>, to: &Mapping<'_>) -> String {
    let quote = |name: &str| from.dialect.quote(name);
    format!("ALTER TABLE {} RENAME COLUMN {} TO {}", quote(from.table), quote(from.old.name), quote(to.old.name))
}
