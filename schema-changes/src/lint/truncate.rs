//! All rows gone at once, past every trigger.

use super::{Advice, script::Script};
use crate::sql_text::Statement;

pub(super) fn check(_: &Script<'_>, statement: &Statement<'_>) -> Option<Advice> {
    statement.begins(&["TRUNCATE"]).then(|| {
        Advice::error(
            "all rows go, no row trigger sees it, and no revert brings them back",
            "drop the table in contract, or delete the rows that are meant",
        )
    })
}
