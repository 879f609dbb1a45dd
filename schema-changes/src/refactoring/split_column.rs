//! `splitColumn`: several new columns instead of one, equal in content until the old one goes.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    Engine, Refused,
    declared::{Complaints, Ordered, check_column, check_expression, check_table, check_type, same_column},
    dialect::{Dialect, mysql_type::MysqlType},
    expression::{Expression, is_beyond_catalog},
    refactoring::{
        Leg, Site,
        mapping::{Back, Forward, Mapping, NewColumn, old_column},
    },
};

/// The expressions for the parts grow with their number.
const MAX_PARTS: usize = 4;

/// Split a column into several, with both shapes usable until contract.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "SplitColumn")]
pub(crate) struct SplitColumnForm {
    /// The table, as it stands in the catalog.
    table: String,
    /// The column to split.
    column: String,
    /// The columns it is split into, in order.
    into: Ordered<PartForm>,
    /// What stands between the parts in the old column. The first column gets the text before the first one, the last
    /// column all that remains; a missing part is NULL.
    #[serde(skip_serializing_if = "Option::is_none")]
    separator: Option<String>,
    /// The old value as an SQL expression over the new columns, instead of joining them with the separator. It must
    /// never fail.
    #[serde(skip_serializing_if = "Option::is_none")]
    back: Option<String>,
}

/// A column of the new shape.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "SplitColumnPart")]
struct PartForm {
    /// Its type.
    #[serde(rename = "type")]
    sql_type: String,
    /// Its value as an SQL expression over the old column, instead of the part between separators. It must never fail.
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<String>,
}

/// A column that is split.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SplitColumn {
    pub(crate) table: String,
    column: String,
    into: Vec<Part>,
    separator: Option<String>,
    back: Option<Expression>,
    pub(crate) written: SplitColumnForm,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Part {
    name: String,
    sql_type: String,
    from: Option<Expression>,
}

impl SplitColumnForm {
    /// The conversions that somebody wrote, and the fields they stand in.
    pub(crate) fn conversions(&self) -> Vec<(&'static str, &str)> {
        let forward = self.into.0.iter().filter_map(|(_, part)| part.from.as_deref()).map(|text| ("from", text));
        forward.chain(self.back.as_deref().map(|text| ("back", text))).collect()
    }

    pub(crate) fn check(self, complaints: &mut Complaints<'_>, engine: Engine) -> Option<SplitColumn> {
        let here = |field| ["spec", "splitColumn", field];
        check_table(complaints, &here("table"), &self.table, engine);
        check_column(complaints, &here("column"), &self.column);
        if self.into.0.len() < 2 {
            complaints.add(
                &here("into"),
                "there is nothing to split into",
                "name two columns or more, or use renameColumn",
            );
        }
        if let Some(separator) = &self.separator {
            if separator.is_empty()
                || separator.len() > 16
                || separator.contains("$phasegate")
                || separator.contains('\0')
            {
                complaints.add(
                    &here("separator"),
                    "the separator is empty or too long",
                    "use 1 to 16 characters, for example \" \"",
                );
            }
            if Dialect::of(engine).commits_ddl() && is_beyond_catalog(separator) {
                let message = "the engine's catalog cannot show this separator in a trigger";
                complaints.add(&here("separator"), message, "use another character");
            }
            if self.into.0.len() > MAX_PARTS {
                let message = format!("{} columns are more than a separator can serve", self.into.0.len());
                complaints.add(
                    &here("into"),
                    message,
                    format!("use at most {MAX_PARTS}, or give each column `from`, and `back`"),
                );
            }
        }
        let into = self.into.0.iter().map(|(name, part)| self.part(complaints, engine, name, part)).collect();
        let back = self.back.as_deref().and_then(|text| check_expression(complaints, &here("back"), text, engine));
        if self.back.is_none() && self.separator.is_none() {
            let remedy = "say how the parts make the old value: `separator: \" \"`, or `back` with an expression";
            complaints.add(&["spec", "splitColumn"], "there is no way back to the old column", remedy);
        }
        let (table, column, separator) = (self.table.clone(), self.column.clone(), self.separator.clone());
        Some(SplitColumn { table, column, into, separator, back, written: self })
    }

    fn part(&self, complaints: &mut Complaints<'_>, engine: Engine, name: &str, part: &PartForm) -> Part {
        let here = ["spec", "splitColumn", "into", name];
        let at = |field| ["spec", "splitColumn", "into", name, field];
        check_column(complaints, &here, name);
        check_type(complaints, &at("type"), &part.sql_type);
        if same_column(engine, name, &self.column) {
            complaints.add(&here, "the column is split into itself", "give the new column another name");
        }
        let from = part.from.as_deref().and_then(|text| check_expression(complaints, &at("from"), text, engine));
        if part.from.is_none() {
            if self.separator.is_none() {
                let remedy = "add `separator` to the split, or `from` with an expression to the column";
                complaints.add(&here, format!("nothing says what goes into `{name}`"), remedy);
            } else if engine != Engine::Sqlite && !Dialect::of(engine).is_text(&part.sql_type) {
                let message = format!("a part of a text does not fit the type `{}`", part.sql_type.trim());
                complaints.add(&at("type"), message, "use text or varchar, or give the column `from`");
            }
        }
        Part { name: name.to_owned(), sql_type: part.sql_type.trim().to_owned(), from }
    }
}

impl SplitColumn {
    /// The column of the old shape.
    pub(crate) fn was(&self) -> &str {
        &self.column
    }

    /// The columns of the new one.
    pub(crate) fn becomes(&self) -> impl Iterator<Item = &str> {
        self.into.iter().map(|part| part.name.as_str())
    }

    /// The same, with their types as written.
    pub(crate) fn parts(&self) -> impl Iterator<Item = (&str, &str)> {
        self.into.iter().map(|part| (part.name.as_str(), part.sql_type.as_str()))
    }

    /// The mapping, unless this column cannot be split.
    pub(crate) fn mapping<'a>(&'a self, site: &Site<'a>, leg: Leg) -> Result<Mapping<'a>, Refused> {
        let facts = if leg.is_forward() { site.keyed_table(&self.table)? } else { site.table(&self.table)? };
        let old = old_column(site, &self.table, facts, &self.column, leg)?;
        if leg.is_forward() && self.separator.is_some() && !site.dialect.is_text(&old.sql_type) {
            return site.refuse(
                format!("`{}.{}` is of type {}, in which no separator stands", self.table, self.column, old.sql_type),
                "give each new column `from`, and the split `back`",
            );
        }
        if leg.is_forward()
            && let Some(part) = self.into.iter().find(|part| other_charset(site.dialect, &old.sql_type, &part.sql_type))
        {
            return site.refuse(
                format!(
                    "`{}` has another character set than `{}`, and a value may not fit into both",
                    part.name, self.column
                ),
                "leave the character set out: the new columns have that of the old one",
            );
        }
        let separator = self.separator.as_deref().unwrap_or_default();
        let last = self.into.len().saturating_sub(1);
        let column = |(index, part): (usize, &'a Part)| NewColumn {
            name: &part.name,
            sql_type: with_charset(site.dialect, &old.sql_type, &part.sql_type),
            forward: match &part.from {
                Some(expression) => Forward::Written(expression),
                None => Forward::Part { separator, index, last: index == last },
            },
        };
        let new = self.into.iter().enumerate().map(column).collect();
        let back = self.back.as_ref().map_or(Back::Join { separator }, Back::Written);
        Ok(Mapping { dialect: site.dialect, table: &self.table, facts, old, new, back })
    }
}

/// Whether both are text, in different character sets: such a value cannot always be written back.
fn other_charset(dialect: Dialect, old: &str, new: &str) -> bool {
    match (MysqlType::of(old).charset, MysqlType::of(new).charset) {
        (Some((_, old)), Some((_, new))) => dialect.commits_ddl() && !old.eq_ignore_ascii_case(new),
        (None, _) | (_, None) => false,
    }
}

/// The type of a new column; on MariaDB and MySQL with the character set of the old one, unless it names its own.
fn with_charset(dialect: Dialect, old: &str, new: &str) -> String {
    let known = MysqlType::of(new);
    match MysqlType::of(old).charset {
        Some((clause, _)) if dialect.commits_ddl() && known.is_text() && known.charset.is_none() => {
            format!("{new}{clause}")
        }
        Some(_) | None => new.to_owned(),
    }
}
