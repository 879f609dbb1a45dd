//! The annotation `supports.phasegate.dev/<database>` is read as the gate will read it: strictly.

use super::{
    Context, Finding,
    versions::{Use, uses},
};

pub(super) fn check(context: &Context<'_>) -> Vec<Finding> {
    uses(context.now).iter().filter_map(finding).collect()
}

fn finding(used: &Use<'_>) -> Option<Finding> {
    let database = &used.plan.plan.database.name;
    if used.supports().is_some_and(|node| node.as_text().is_none()) {
        let message = format!("supports.phasegate.dev/{database} is not text");
        return Some(Finding::error(used.file(), used.line(), message, "write one text: a, b=migrated..contracted"));
    }
    let unclear = used.strictly().err()?;
    Some(Finding::error(
        used.file(),
        used.line(),
        format!("supports.phasegate.dev/{database} of {}: {unclear}", used.version.title()),
        "the gate would hold this version for ever; correct the annotation or add the change",
    ))
}
