//! `addColumn`: additive where it can be, else filled from the row itself.
//!
//! A column that is NULL or constant in old rows needs nothing but expand. One that is filled gets its values for new
//! rows from sync on, for old rows in migrate, and its NOT NULL at contract, after the last version that leaves it out.

use schema_phases::{PhaseWindow, SchemaPhase};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    Backfill, Engine, Loss, Refused, Step, SyncObject, TableFacts, Verification,
    declared::{Complaints, check_column, check_expression, check_table, check_type, same_column},
    dialect::{Dialect, Made, literal, postgres, sqlite, sqlite_table},
    expression::Expression,
    refactoring::{
        Leg, Promise, Site,
        mapping_moves::{checked_not_null, not_null_by_check},
    },
};

/// Add a column.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "AddColumn")]
pub(crate) struct AddColumnForm {
    /// The table, as it stands in the catalog.
    table: String,
    /// The new column.
    column: String,
    /// Its type.
    #[serde(rename = "type")]
    sql_type: String,
    /// Whether it accepts NULL. If not, it needs a default or a backfill.
    #[serde(default = "yes")]
    nullable: bool,
    /// Its default, as an SQL expression: text stands in quotes of its own, for example "'new'".
    #[serde(skip_serializing_if = "Option::is_none")]
    default: Option<String>,
    /// Its value in rows that have none, as an SQL expression over the other columns of the row. It must never fail.
    #[serde(skip_serializing_if = "Option::is_none")]
    backfill: Option<String>,
}

fn yes() -> bool {
    true
}

/// A column to be added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AddColumn {
    pub(super) table: String,
    pub(super) column: String,
    pub(super) sql_type: String,
    pub(super) nullable: bool,
    pub(super) default: Option<Expression>,
    /// Whether all rows can have the default at once, without being written.
    pub(super) constant: bool,
    pub(super) backfill: Option<Expression>,
    pub(crate) written: AddColumnForm,
}

impl AddColumnForm {
    /// The conversions that somebody wrote, and the fields they stand in.
    pub(crate) fn conversions(&self) -> Vec<(&'static str, &str)> {
        self.backfill.as_deref().map(|text| ("backfill", text)).into_iter().collect()
    }

    /// Whether the type takes a constant default: MySQL takes an expression only for some, and then fills every row.
    fn takes_constant(engine: Engine, sql_type: &str) -> bool {
        let lower = sql_type.trim().to_ascii_lowercase();
        engine != Engine::Mysql || !["text", "blob", "json"].iter().any(|word| lower.contains(word))
    }

    pub(crate) fn check(self, complaints: &mut Complaints<'_>, engine: Engine) -> Option<AddColumn> {
        let here = |field| ["spec", "addColumn", field];
        check_table(complaints, &here("table"), &self.table, engine);
        check_column(complaints, &here("column"), &self.column);
        check_type(complaints, &here("type"), &self.sql_type);
        let mut expression = |field: &'static str, text: &Option<String>| {
            text.as_deref().and_then(|text| check_expression(complaints, &here(field), text, engine))
        };
        let default = expression("default", &self.default);
        let backfill = expression("backfill", &self.backfill);
        let constant = default.as_ref().is_some_and(|default| default.is_constant(engine));
        if engine == Engine::Sqlite && default.is_some() && !constant {
            complaints.add(
                &here("default"),
                "sqlite adds no column with a default that is not constant",
                "write a literal, or use backfill",
            );
        }
        if constant && !Self::takes_constant(engine, &self.sql_type) {
            complaints.add(
                &here("default"),
                "mysql gives a column of text no constant default",
                "use varchar, or `backfill` with the same value",
            );
        }
        if !self.nullable && self.default.is_none() && self.backfill.is_none() {
            complaints.add(
                &here("nullable"),
                "old versions insert rows without this column, and so do the rows that exist",
                "add a `default` or a `backfill` that fills them, or leave out `nullable: false`",
            );
        }
        if backfill
            .as_ref()
            .is_some_and(|backfill| backfill.names().any(|name| same_column(engine, name, &self.column)))
        {
            complaints.add(&here("backfill"), "the column is filled from itself", "use the other columns of the row");
        }
        let (table, column, nullable) = (self.table.clone(), self.column.clone(), self.nullable);
        let sql_type = self.sql_type.trim().to_owned();
        Some(AddColumn { table, column, sql_type, nullable, default, constant, backfill, written: self })
    }
}

impl AddColumn {
    pub(crate) fn table(&self) -> &str {
        &self.table
    }

    pub(crate) fn column(&self) -> &str {
        &self.column
    }

    /// Whether rows have to be filled one by one.
    pub(crate) fn fills(&self) -> bool {
        self.backfill.is_some() || (self.default.is_some() && !self.constant)
    }

    pub(crate) fn promise(&self) -> Promise {
        if !self.fills() {
            return Promise::additive(&self.table);
        }
        if self.nullable {
            return Promise {
                old_window: PhaseWindow::WHOLE,
                ..Promise::converting(&self.table, SchemaPhase::Migrated)
            };
        }
        Promise::converting(&self.table, SchemaPhase::Migrated)
    }

    /// The value of an unfilled row; columns of the row are written behind `row`.
    pub(super) fn fill(&self, site: &Site<'_>, facts: &TableFacts, row: &str) -> String {
        let dialect = site.dialect;
        let known = |name: &str| {
            let is = |column: &&str| same_column(dialect.engine(), name, column);
            let column = facts.columns.iter().map(|column| column.name.as_str()).find(is)?;
            Some(format!("{row}{}", dialect.quote(column)))
        };
        let text = |expression: &Expression| dialect.cast(&format!("({})", expression.over(known)), &self.sql_type);
        match (&self.backfill, &self.default) {
            (Some(backfill), Some(default)) => format!("coalesce({}, {})", text(backfill), text(default)),
            (Some(one), None) | (None, Some(one)) => text(one),
            (None, None) => "NULL".into(),
        }
    }

    pub(super) fn default_text(&self) -> Option<String> {
        self.default.as_ref().map(|default| default.over(|_| None))
    }

    pub(crate) fn steps(&self, site: &Site<'_>, leg: Leg) -> Result<Vec<Step>, Refused> {
        let facts =
            if self.fills() && leg.is_forward() { site.keyed_table(&self.table)? } else { site.table(&self.table)? };
        if site.dialect.commits_ddl() {
            return self.steps_alone(site, facts, leg);
        }
        let one = |what: String, statements: Vec<String>| Step::Transaction {
            what,
            tables: vec![self.table.clone()],
            statements,
        };
        let (table, column) = (site.dialect.quote(&self.table), site.dialect.quote(&self.column));
        Ok(match leg {
            Leg::Expand => vec![one(format!("add {} to {}", self.column, self.table), self.add(site))],
            Leg::UndoExpand => {
                let drop = format!("ALTER TABLE {table} DROP COLUMN {column}");
                vec![one(format!("drop {} from {}", self.column, self.table), vec![drop])]
            }
            Leg::Sync | Leg::Migrate | Leg::Contract | Leg::UndoSync | Leg::UndoMigrate if !self.fills() => Vec::new(),
            Leg::Sync => {
                vec![one(format!("fill {} in new rows of {}", self.column, self.table), self.made(site, facts).create)]
            }
            Leg::Migrate => {
                vec![Step::Backfill(self.backfill_of(site, facts)), Step::Verify(self.verification(site, facts))]
            }
            Leg::UndoSync => {
                let mut statements = self.made(site, facts).drop;
                statements.push(format!("ALTER TABLE {table} DROP COLUMN {column}"));
                statements.extend(self.add(site));
                vec![one(format!("stop filling {} of {}, and empty it", self.column, self.table), statements)]
            }
            Leg::Contract => self.contract(site, facts)?,
            Leg::UndoMigrate => Vec::new(),
        })
    }

    fn add(&self, site: &Site<'_>) -> Vec<String> {
        let (table, column) = (site.dialect.quote(&self.table), site.dialect.quote(&self.column));
        let mut constraints = String::new();
        if !self.fills() {
            if !self.nullable {
                constraints.push_str(" NOT NULL");
            }
            constraints.extend(self.default_text().map(|default| format!(" DEFAULT {default}")));
        }
        let sql_type = &self.sql_type;
        match site.dialect {
            Dialect::Postgres => vec![
                format!("ALTER TABLE {table} ADD COLUMN {column} {sql_type}{constraints}"),
                format!("COMMENT ON COLUMN {table}.{column} IS {}", literal(&site.comment())),
            ],
            Dialect::Sqlite => {
                vec![format!(
                    "ALTER TABLE {table} ADD COLUMN {column} /* {} */ {sql_type}{constraints}",
                    site.comment()
                )]
            }
            // Steps of their own.
            Dialect::Mysql | Dialect::Mariadb => Vec::new(),
        }
    }

    /// What fills the column in rows that are written from now on.
    fn made(&self, site: &Site<'_>, facts: &TableFacts) -> Made {
        let (table, column) = (site.dialect.quote(&self.table), site.dialect.quote(&self.column));
        let (before, now) = (self.fill(site, facts, "OLD."), self.fill(site, facts, "NEW."));
        // A value that somebody set to NULL stays so: only what could not be filled before is filled later.
        let late =
            format!("NEW.{column} IS NULL AND OLD.{column} IS NULL AND ({before}) IS NULL AND ({now}) IS NOT NULL");
        match (site.dialect, self.default_text()) {
            (Dialect::Postgres, Some(default)) => Made {
                create: vec![format!("ALTER TABLE {table} ALTER COLUMN {column} SET DEFAULT {default}")],
                drop: vec![format!("ALTER TABLE {table} ALTER COLUMN {column} DROP DEFAULT")],
                objects: Vec::new(),
            },
            (Dialect::Postgres, None) => {
                let body = format!("  NEW.{column} := {now};\n");
                let insert = format!("NEW.{column} IS NULL AND ({now}) IS NOT NULL");
                let names = postgres::Names::LookedUp;
                let work = postgres::Work { names, body: &body, insert: Some(&insert), update: &late };
                postgres::triggers(site, &self.table, facts.schema.as_deref(), &work)
            }
            (Dialect::Sqlite, default) => {
                let row = sqlite::this_row(facts);
                let fill = |value: String| vec![format!("UPDATE {table} SET {column} = {value} WHERE {row}")];
                let value =
                    default.as_ref().map_or_else(|| self.fill(site, facts, ""), |default| format!("({default})"));
                let mut all = vec![sqlite::Trigger {
                    suffix: "_i",
                    event: "AFTER INSERT".into(),
                    when: format!("NEW.{column} IS NULL"),
                    actions: fill(value.clone()),
                }];
                if default.is_none() {
                    all.push(sqlite::Trigger {
                        suffix: "_u",
                        event: "AFTER UPDATE".into(),
                        when: late,
                        actions: fill(value),
                    });
                }
                sqlite::triggers(site, &self.table, all)
            }
            (Dialect::Mysql | Dialect::Mariadb, _) => {
                Made { objects: self.objects_alone(site, facts), ..Made::default() }
            }
        }
    }

    pub(super) fn backfill_of(&self, site: &Site<'_>, facts: &TableFacts) -> Backfill {
        let column = site.dialect.quote(&self.column);
        let value = self.fill(site, facts, "");
        // A default may give another value at each look, a backfill that gives NULL would be tried for ever.
        let unfilled = if self.default.is_some() {
            format!("{column} IS NULL")
        } else {
            format!("{column} IS NULL AND ({value}) IS NOT NULL")
        };
        Backfill {
            table: self.table.clone(),
            key: facts.primary_key.clone(),
            assignments: format!("{column} = {value}"),
            unfilled,
        }
    }

    pub(super) fn verification(&self, site: &Site<'_>, facts: &TableFacts) -> Verification {
        let (table, column) = (site.dialect.quote(&self.table), site.dialect.quote(&self.column));
        if !self.nullable {
            let count = format!("SELECT count(*) FROM {table} WHERE {column} IS NULL");
            let what = format!("every row of {} has a {}", self.table, self.column);
            return Verification { what, strict: count.clone(), lenient: count };
        }
        Verification {
            what: format!("every row of {} that can have a {} has one", self.table, self.column),
            strict: format!("SELECT count(*) FROM {table} WHERE {}", self.backfill_of(site, facts).unfilled),
            // A version of the new shape may mean the NULL it wrote.
            lenient: "SELECT 0".into(),
        }
    }

    fn contract(&self, site: &Site<'_>, facts: &TableFacts) -> Result<Vec<Step>, Refused> {
        let column = site.dialect.quote(&self.column);
        let made = self.made(site, facts);
        let what = format!("finish {} of {}", self.column, self.table);
        let last = |statements| Step::Transaction { what: what.clone(), tables: vec![self.table.clone()], statements };
        // On PostgreSQL the default stays, and there is nothing else to take away.
        let mut leftovers = if made.objects.is_empty() { Vec::new() } else { made.drop };
        if site.dialect == Dialect::Sqlite {
            let mut statements = self.inherit(site, facts)?;
            statements.append(&mut leftovers);
            return Ok(vec![last(statements)]);
        }
        if self.nullable {
            return Ok(if leftovers.is_empty() { Vec::new() } else { vec![last(leftovers)] });
        }
        let mut steps = vec![Step::Verify(self.verification(site, facts))];
        steps.extend(checked_not_null(site, &self.table, &column));
        leftovers.extend(not_null_by_check(site, &self.table, &column));
        steps.push(last(leftovers));
        Ok(steps)
    }

    /// SQLite: the constraints of the column, once its triggers go.
    fn inherit(&self, site: &Site<'_>, facts: &TableFacts) -> Result<Vec<String>, Refused> {
        let mut constraints = Vec::new();
        if !self.nullable {
            constraints.push("NOT NULL".to_owned());
        }
        constraints.extend(self.default_text().map(|default| format!("DEFAULT {default}")));
        if constraints.is_empty() {
            return Ok(Vec::new());
        }
        let Some(from) = facts.definition.as_deref() else {
            return site
                .refuse(format!("the catalog gives no definition of `{}`", self.table), "use a table, not a view");
        };
        let Some(to) = sqlite_table::with_constraint(from, &self.column, &constraints.join(" ")) else {
            return site.refuse(
                format!("the definition of `{}` does not show `{}`", self.table, self.column),
                "alter it back",
            );
        };
        let mut statements = Vec::new();
        if !self.nullable {
            let (table, column) = (site.dialect.quote(&self.table), site.dialect.quote(&self.column));
            let found = format!("EXISTS (SELECT 1 FROM {table} WHERE {column} IS NULL)");
            statements.push(sqlite::fail_when(&found, &format!("{} has rows without {}", self.table, self.column)));
        }
        statements.extend(sqlite::redefine(&self.table, from, &to));
        Ok(statements)
    }

    pub(crate) fn loss(&self, site: &Site<'_>, leg: Leg) -> Result<Vec<Loss>, Refused> {
        if !matches!(leg, Leg::UndoSync | Leg::UndoExpand) || (leg == Leg::UndoSync && !self.fills()) {
            return Ok(Vec::new());
        }
        let facts = site.table(&self.table)?;
        if facts.column(&self.column).is_none() {
            return Ok(Vec::new());
        }
        let (table, column) = (site.dialect.quote(&self.table), site.dialect.quote(&self.column));
        let mut lost = format!("{column} IS NOT NULL");
        // What comes out the same again is no loss; a default such as now() does not.
        if self.default.is_none() || self.constant {
            lost.push_str(&format!(
                " AND {}",
                site.dialect.differ_as(&[&self.sql_type], &[column], &[self.fill(site, facts, "")])
            ));
        }
        Ok(vec![Loss {
            what: format!("rows of {} with a {} of their own", self.table, self.column),
            count: format!("SELECT count(*) FROM {table} WHERE {lost}"),
        }])
    }

    pub(crate) fn sync_objects(&self, site: &Site<'_>) -> Result<Vec<SyncObject>, Refused> {
        if !self.fills() {
            return Ok(Vec::new());
        }
        Ok(self.made(site, site.table(&self.table)?).objects)
    }
}
