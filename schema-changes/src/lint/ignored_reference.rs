//! MySQL reads REFERENCES behind a column and forgets it.

use super::{Advice, script::Script};
use crate::{Engine, sql_text::Statement};

pub(super) fn check(script: &Script<'_>, statement: &Statement<'_>) -> Option<Advice> {
    let makes = statement.begins(&["CREATE", "TABLE"]) || statement.begins(&["ALTER", "TABLE"]);
    let ignored = makes && statement.has(&["REFERENCES"]) && !statement.has(&["FOREIGN", "KEY"]);
    (script.engine == Engine::Mysql && ignored).then(|| {
        Advice::error(
            "REFERENCES behind a column makes no foreign key on MySQL, and nothing is said",
            "write FOREIGN KEY (column) REFERENCES ... behind the columns",
        )
    })
}
