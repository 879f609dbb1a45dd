//! `Mapping`: one column of the old shape, its counterparts in the new one, and the conversions between them.

use crate::{
    Refused, TableFacts,
    dialect::{Dialect, mysql_table, mysql_type::MysqlType, postgres, sqlite_table},
    expression::Expression,
    refactoring::{Leg, Site, suggest_or},
};

/// A mapping, resolved against the live catalog.
pub(crate) struct Mapping<'a> {
    pub(crate) dialect: Dialect,
    pub(crate) table: &'a str,
    pub(crate) facts: &'a TableFacts,
    pub(crate) old: OldColumn<'a>,
    pub(crate) new: Vec<NewColumn<'a>>,
    pub(crate) back: Back<'a>,
}

/// The column of the old shape.
#[derive(Clone)]
pub(crate) struct OldColumn<'a> {
    /// As it stands in the table now: another name while it is hidden.
    pub(crate) name: &'a str,
    /// As it stands in Git.
    pub(crate) declared: &'a str,
    pub(crate) sql_type: String,
    /// Whether the old shape forbids NULL.
    pub(crate) required: bool,
    pub(crate) default: Option<String>,
}

/// A column of the new shape.
#[derive(Clone)]
pub(crate) struct NewColumn<'a> {
    pub(crate) name: &'a str,
    pub(crate) sql_type: String,
    pub(crate) forward: Forward<'a>,
}

/// How a new column follows from the old one.
#[derive(Clone, Copy)]
pub(crate) enum Forward<'a> {
    /// It is the same.
    Same,
    /// It is the part at `index` between separators; the last part is all the rest.
    Part { separator: &'a str, index: usize, last: bool },
    /// As somebody wrote it.
    Written(&'a Expression),
}

/// How the old column follows from the new ones.
#[derive(Clone, Copy)]
pub(crate) enum Back<'a> {
    /// It is the same.
    Same,
    /// The parts that are not NULL, with the separator between them; NULL when there are none.
    Join { separator: &'a str },
    /// As somebody wrote it.
    Written(&'a Expression),
}

impl<'a> Mapping<'a> {
    /// The same mapping while the old column has another name.
    pub(crate) fn with_old<'b>(&'b self, name: &'b str) -> Mapping<'b>
    where
        'a: 'b,
    {
        Mapping { old: OldColumn { name, ..self.old.clone() }, new: self.new.clone(), ..*self }
    }

    /// The old column of a row: `NEW.`, `OLD.` or the row at hand.
    pub(crate) fn old_of(&self, row: &str) -> String {
        format!("{row}{}", self.dialect.quote(self.old.name))
    }

    /// The new columns of a row.
    pub(crate) fn new_of(&self, row: &str) -> Vec<String> {
        self.dialect.quote_all(row, self.new.iter().map(|column| column.name))
    }

    pub(crate) fn back_is_same(&self) -> bool {
        matches!(self.back, Back::Same)
    }

    /// Whether a row without any new value gets '' in the old column, which forbids NULL.
    pub(crate) fn fills_blank(&self) -> bool {
        self.old.required && !self.back_is_same() && self.dialect.is_text(&self.old.sql_type)
    }

    /// Whether somebody wrote one of the conversions.
    pub(crate) fn is_written(&self) -> bool {
        matches!(self.back, Back::Written(_))
            || self.new.iter().any(|column| matches!(column.forward, Forward::Written(_)))
    }

    /// Whether two values of the old column differ.
    pub(crate) fn old_differ(&self, one: &str, other: &str) -> String {
        self.dialect.differ_as(&[&self.old.sql_type], &[one.to_owned()], &[other.to_owned()])
    }

    /// Whether any of the new columns differs between two rows.
    pub(crate) fn new_differ(&self, one: &[String], other: &[String]) -> String {
        let types: Vec<&str> = self.new.iter().map(|column| column.sql_type.as_str()).collect();
        self.dialect.differ_as(&types, one, other)
    }

    /// Whether a part of an old value is sure to fit into a new column.
    fn part_fits(&self, column: &NewColumn<'_>) -> bool {
        self.dialect.commits_ddl() && MysqlType::of(&self.old.sql_type).fits(&MysqlType::of(&column.sql_type))
    }

    /// The new values that follow from an old one.
    pub(crate) fn forward(&self, old: &str) -> Vec<String> {
        let value = |column: &NewColumn<'_>| match column.forward {
            Forward::Same => old.to_owned(),
            Forward::Part { separator, index, last } if self.part_fits(column) => {
                self.part(old, separator, index, last)
            }
            Forward::Part { separator, index, last } => {
                self.dialect.cast(&self.part(old, separator, index, last), &column.sql_type)
            }
            Forward::Written(expression) => {
                let text = expression.over(|name| self.is(name, self.old.declared).then(|| old.to_owned()));
                self.dialect.cast(&format!("({text})"), &column.sql_type)
            }
        };
        self.new.iter().map(value).collect()
    }

    /// The old value that follows from new ones.
    pub(crate) fn backward(&self, new: &[String]) -> String {
        let value = match &self.back {
            Back::Same => return new.concat(),
            Back::Join { separator } => self.joined(new, separator),
            Back::Written(expression) => {
                let column = |name: &str| {
                    self.new
                        .iter()
                        .zip(new)
                        .find(|(column, _)| self.is(name, column.name))
                        .map(|(_, value)| value.clone())
                };
                format!("({})", expression.over(column))
            }
        };
        let value = if self.fills_blank() { format!("coalesce({value}, '')") } else { value };
        self.dialect.cast(&value, &self.old.sql_type)
    }

    fn is(&self, name: &str, column: &str) -> bool {
        crate::declared::same_column(self.dialect.engine(), name, column)
    }

    fn part(&self, old: &str, separator: &str, index: usize, last: bool) -> String {
        if self.dialect.commits_ddl() {
            return self.part_by_index(old, separator, index, last);
        }
        let mark = self.dialect.literal(separator);
        let length = separator.chars().count();
        if self.dialect == Dialect::Postgres {
            return part_in_postgres(old, &mark, length, index, last);
        }
        let mut text = old.to_owned();
        for _ in 0..index {
            let found = format!("instr({text}, {mark})");
            text = format!("CASE WHEN {found} > 0 THEN substr({text}, {found} + {length}) END");
        }
        if last {
            return text;
        }
        let found = format!("instr({text}, {mark})");
        format!("CASE WHEN {found} > 0 THEN substr({text}, 1, {found} - 1) ELSE {text} END")
    }

    /// SUBSTRING_INDEX looks for the separator byte by byte, where INSTR follows the collation.
    fn part_by_index(&self, old: &str, separator: &str, index: usize, last: bool) -> String {
        let mark = self.dialect.literal(separator);
        let head = |parts: usize| format!("SUBSTRING_INDEX({old}, {mark}, {parts})");
        if index == 0 {
            return head(1);
        }
        let before = format!("CHAR_LENGTH({})", head(index));
        let from = separator.chars().count().saturating_add(1);
        let text = if last { old.to_owned() } else { head(index.saturating_add(1)) };
        format!("CASE WHEN {before} < CHAR_LENGTH({old}) THEN SUBSTRING({text}, {before} + {from}) END")
    }

    fn joined(&self, new: &[String], separator: &str) -> String {
        let mark = self.dialect.literal(separator);
        let nothing = crate::dialect::all_null(new);
        match self.dialect {
            Dialect::Postgres | Dialect::Mysql | Dialect::Mariadb => {
                let concat_ws = if self.dialect == Dialect::Postgres { "pg_catalog.concat_ws" } else { "concat_ws" };
                format!("CASE WHEN NOT ({nothing}) THEN {concat_ws}({mark}, {}) END", new.join(", "))
            }
            // concat_ws came with SQLite 3.44.
            Dialect::Sqlite => {
                let parts: Vec<String> = new.iter().map(|part| format!("coalesce({mark} || {part}, '')")).collect();
                let from = separator.chars().count().saturating_add(1);
                format!("CASE WHEN NOT ({nothing}) THEN substr({}, {from}) END", parts.join(" || "))
            }
        }
    }
}

/// Names say their schema, as these expressions stand in triggers that run under any writer's `search_path`. Searching
/// text under a nondeterministic collation is an error in PostgreSQL before 18.
fn part_in_postgres(old: &str, mark: &str, length: usize, index: usize, last: bool) -> String {
    let operator = |sign: &str| format!("OPERATOR(pg_catalog.{sign})");
    let (above, minus, plus) = (operator(">"), operator("-"), operator("+"));
    let mut text = postgres::bytes(old);
    if index == 0 && !last {
        return format!("pg_catalog.split_part({text}, {mark}, 1)");
    }
    for _ in 0..index {
        let found = format!("pg_catalog.strpos({text}, {mark})");
        text = format!("CASE WHEN {found} {above} 0 THEN pg_catalog.substr({text}, {found} {plus} {length}) END");
    }
    if last {
        return text;
    }
    let found = format!("pg_catalog.strpos({text}, {mark})");
    format!("CASE WHEN {found} {above} 0 THEN pg_catalog.substr({text}, 1, {found} {minus} 1) ELSE {text} END")
}

/// What the catalog says of the old column, unless the column cannot be mapped.
pub(crate) fn old_column<'a>(
    site: &Site<'a>,
    table: &str,
    facts: &'a TableFacts,
    declared: &'a str,
    leg: Leg,
) -> Result<OldColumn<'a>, Refused> {
    let hidden = site.hidden_name();
    let Some(column) = facts.column(declared).or_else(|| facts.column(&hidden)) else {
        let name = declared;
        if leg == Leg::Contract {
            // It is gone already: this move was carried out, and only its record is missing.
            return Ok(OldColumn { name, declared, sql_type: "text".into(), required: false, default: None });
        }
        let known = facts.columns.iter().map(|column| column.name.as_str());
        return site.refuse(
            format!("the table `{table}` has no column `{name}`"),
            suggest_or(name, known, "correct the name"),
        );
    };
    let name = column.name.as_str();
    if leg.is_forward() {
        check_mappable(site, table, facts, name, column.generated)?;
    }
    let aside =
        facts.definition.as_deref().is_some_and(|definition| sqlite_table::has_not_null_aside(definition, site.change));
    Ok(OldColumn {
        name,
        declared,
        sql_type: column.sql_type.clone(),
        required: !column.nullable || aside,
        default: column.default.clone(),
    })
}

fn check_mappable(
    site: &Site<'_>,
    table: &str,
    facts: &TableFacts,
    name: &str,
    generated: bool,
) -> Result<(), Refused> {
    let is = |column: &String| column == name;
    if generated {
        return site.refuse(
            format!("`{table}.{name}` is generated, so no trigger can write it"),
            "change what it is generated from instead",
        );
    }
    if facts.primary_key.iter().any(is) {
        return site.refuse(
            format!("`{table}.{name}` is part of the primary key, which finds the rows to fill"),
            "give the table another key first",
        );
    }
    if let Some(foreign) = facts.foreign_keys.iter().find(|foreign| foreign.columns.iter().any(is)) {
        return site.refuse(
            format!(
                "`{table}.{name}` is in a foreign key to `{}`, which the new shape would not have",
                foreign.references
            ),
            "drop the foreign key in a change of its own first",
        );
    }
    if facts.referenced_columns.iter().any(is) {
        return site.refuse(
            format!("foreign keys point to `{table}.{name}`, and would lose what they point to"),
            "point them elsewhere in a change of its own first",
        );
    }
    let definition = facts.definition.as_deref().filter(|_| site.dialect.commits_ddl());
    if let Some((why, remedy)) = definition.and_then(|definition| mysql_table::unmappable(definition, name)) {
        return site.refuse(format!("`{table}.{name}` {why}"), remedy);
    }
    if let Some(index) = facts.indexes.iter().find(|index| index.unique && index.columns.iter().any(is)) {
        return site.refuse(
            format!("`{table}.{name}` is in the unique index `{}`, which the new shape would not have", index.name),
            "drop it first, and build one on the new shape in a sql change",
        );
    }
    Ok(())
}
