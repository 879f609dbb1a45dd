//! `renameColumn`: a new column beside the old one, equal until the old one goes.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    Engine, Refused,
    declared::{Complaints, check_column, check_table, same_column},
    dialect::{Dialect, sqlite_table},
    refactoring::{
        Leg, Site,
        mapping::{Back, Forward, Mapping, NewColumn, old_column},
    },
};

/// Rename a column, with both names usable until contract.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "RenameColumn")]
pub(crate) struct RenameColumnForm {
    /// The table, as it stands in the catalog.
    table: String,
    /// The name now.
    from: String,
    /// The name to be.
    to: String,
}

/// A column that gets another name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RenameColumn {
    pub(crate) table: String,
    from: String,
    to: String,
    pub(crate) written: RenameColumnForm,
}

impl RenameColumnForm {
    pub(crate) fn check(self, complaints: &mut Complaints<'_>, engine: Engine) -> Option<RenameColumn> {
        let here = |field| ["spec", "renameColumn", field];
        check_table(complaints, &here("table"), &self.table, engine);
        check_column(complaints, &here("from"), &self.from);
        check_column(complaints, &here("to"), &self.to);
        if same_column(engine, &self.from, &self.to) {
            complaints.add(&here("to"), "both names are the same", "give the name that the column is to have");
        }
        let Self { table, from, to } = self.clone();
        Some(RenameColumn { table, from, to, written: self })
    }
}

impl RenameColumn {
    /// The column of the old shape.
    pub(crate) fn was(&self) -> &str {
        &self.from
    }

    /// The column of the new one.
    pub(crate) fn becomes(&self) -> &str {
        &self.to
    }

    /// The mapping, unless this column cannot be renamed without losing something.
    pub(crate) fn mapping<'a>(&'a self, site: &Site<'a>, leg: Leg) -> Result<Mapping<'a>, Refused> {
        let facts = if leg.is_forward() { site.keyed_table(&self.table)? } else { site.table(&self.table)? };
        let old = old_column(site, &self.table, facts, &self.from, leg)?;
        if leg.is_forward() {
            if let Some(index) =
                facts.indexes.iter().find(|index| index.columns.iter().any(|column| column == old.name))
            {
                return site.refuse(
                    format!(
                        "`{}.{}` is in the index `{}`, which would not follow it",
                        self.table, self.from, index.name
                    ),
                    "use a sql change, which can build the index on the new name",
                );
            }
            let definition = facts.definition.as_deref().filter(|_| site.dialect == Dialect::Sqlite);
            if let Some(word) = definition.and_then(|text| sqlite_table::lost_constraint(text, old.name)) {
                return site.refuse(
                    format!("`{}.{}` has a {word} clause, which would not follow it", self.table, self.from),
                    "use a sql change",
                );
            }
            if old.default.as_deref().is_some_and(|default| default.to_ascii_lowercase().contains("nextval(")) {
                return site.refuse(
                    format!("`{}.{}` takes its values from a sequence that goes with it", self.table, self.from),
                    "use a sql change, which can give the sequence another owner",
                );
            }
        }
        let sql_type = old.sql_type.clone();
        let new = vec![NewColumn { name: &self.to, sql_type, forward: Forward::Same }];
        Ok(Mapping { dialect: site.dialect, table: &self.table, facts, old, new, back: Back::Same })
    }
}
