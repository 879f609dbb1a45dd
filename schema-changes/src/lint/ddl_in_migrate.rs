//! DDL where rows are filled.

use schema_phases::SchemaPhase;

use super::{
    Advice,
    script::{Place, Script},
};
use crate::sql_text::Statement;

pub(super) fn check(script: &Script<'_>, statement: &Statement<'_>) -> Option<Advice> {
    if script.place != Place::Forward(SchemaPhase::Migrated) {
        return None;
    }
    let ddl = ["CREATE", "ALTER", "DROP"].iter().any(|word| statement.begins(&[word]));
    let fitting = statement.has(&["VALIDATE", "CONSTRAINT"]) || statement.has(&["CONCURRENTLY"]);
    (ddl && !fitting).then(|| {
        Advice::warning(
            "migrate fills rows and checks them, and this changes the schema",
            "add in expand, keep equal in sync, take away in contract",
        )
    })
}
