//! Every row written in one transaction.

use super::{Advice, script::Script};
use crate::sql_text::Statement;

pub(super) fn check(_: &Script<'_>, statement: &Statement<'_>) -> Option<Advice> {
    let writes = statement.begins(&["UPDATE"]) || statement.begins(&["DELETE"]);
    (writes && !statement.has(&["WHERE"])).then(|| {
        Advice::warning(
            "every row is locked until the last one is written",
            "say which rows with WHERE; addColumn and splitColumn fill rows in short ranges",
        )
    })
}
