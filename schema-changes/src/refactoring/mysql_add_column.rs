//! `addColumn` where DDL commits by itself. The number of steps follows from the change alone.

use crate::{
    Refused, Step, SyncObject, TableFacts,
    declared::same_column,
    dialect::{
        mysql::{self, Trigger, Writer},
        mysql_table,
    },
    refactoring::{Leg, Site, add_column::AddColumn},
};

impl AddColumn {
    pub(super) fn steps_alone(&self, site: &Site<'_>, facts: &TableFacts, leg: Leg) -> Result<Vec<Step>, Refused> {
        let (table, column) = (&self.table, &self.column);
        if leg.is_forward() {
            self.check_alone(site, facts)?;
        }
        let add = || {
            let what = format!("add {column} to {table}");
            let columns = [(column.clone(), self.column_text(self.fills()))];
            Step::Alone(mysql::add_columns(site, what, table, &columns))
        };
        let drop =
            || Step::Alone(mysql::drop_columns(site.dialect, format!("drop {column} from {table}"), table, &[column]));
        let triggers = self.triggers(site, facts);
        let drop_triggers = || {
            triggers.iter().rev().map(|trigger| {
                let what = format!("stop filling {column} of {table} at each {}", trigger.event.to_ascii_lowercase());
                Step::Alone(mysql::drop_trigger(site, what, table, trigger.suffix))
            })
        };
        Ok(match leg {
            Leg::Expand => vec![add()],
            Leg::UndoExpand => vec![drop()],
            Leg::Sync | Leg::Migrate | Leg::Contract | Leg::UndoSync | Leg::UndoMigrate if !self.fills() => Vec::new(),
            Leg::Sync => match self.default_text() {
                Some(default) => vec![self.set_default(site, &default)],
                None => {
                    let mut all = vec![self.probe(site, facts)];
                    all.extend(triggers.iter().map(|trigger| {
                        let event = trigger.event.to_ascii_lowercase();
                        let what = format!("fill {column} of {table} at each {event}");
                        Step::Alone(mysql::create_trigger(site, what, table, trigger))
                    }));
                    all
                }
            },
            Leg::Migrate => {
                vec![Step::Backfill(self.backfill_of(site, facts)), Step::Verify(self.verification(site, facts))]
            }
            Leg::Contract => {
                let mut all = Vec::new();
                if !self.nullable {
                    let action = format!(
                        "MODIFY COLUMN {} {} COMMENT {}",
                        site.dialect.quote(column),
                        self.column_text(false),
                        mysql::literal(&site.comment())
                    );
                    let what = format!("forbid NULL in {column} of {table}");
                    all.push(Step::Verify(self.verification(site, facts)));
                    all.push(Step::Alone(mysql::alter(site.dialect, what, table, &[action], None)));
                }
                all.extend(drop_triggers());
                all
            }
            Leg::UndoSync => {
                let mut all: Vec<Step> = drop_triggers().collect();
                all.extend([drop(), add()]);
                all
            }
            Leg::UndoMigrate => Vec::new(),
        })
    }

    /// What no trigger can see, or see in time.
    fn check_alone(&self, site: &Site<'_>, facts: &TableFacts) -> Result<(), Refused> {
        let Some(backfill) = &self.backfill else { return Ok(()) };
        let key = facts.primary_key.iter().map(String::as_str);
        mysql::check_names(site, backfill.names().chain([self.column.as_str()]).chain(key))?;
        let definition = facts.definition.as_deref().unwrap_or_default();
        for named in facts
            .columns
            .iter()
            .filter(|column| backfill.names().any(|name| same_column(site.dialect.engine(), name, &column.name)))
        {
            let name = &named.name;
            if mysql_table::is_cascaded(definition, name) {
                return site.refuse(
                    format!("a foreign key changes `{}.{name}` by itself, which fires no trigger", self.table),
                    "leave it out of `backfill`, or drop its ON UPDATE and ON DELETE SET NULL first",
                );
            }
            if mysql_table::is_numbered(definition, name) {
                return site.refuse(
                    format!("`{}.{name}` has no value yet when the trigger of an INSERT runs", self.table),
                    "leave it out of `backfill`",
                );
            }
            if named.generated {
                return site.refuse(
                    format!("`{}.{name}` is generated, and may have no value yet when a trigger runs", self.table),
                    "use what it is generated from instead",
                );
            }
        }
        Ok(())
    }

    /// The type and what follows it; without constraints for as long as rows have to be filled.
    fn column_text(&self, bare: bool) -> String {
        let null = if self.nullable || bare { "NULL" } else { "NOT NULL" };
        let default =
            self.default_clause().filter(|_| !bare).map(|text| format!(" DEFAULT {text}")).unwrap_or_default();
        format!("{} {null}{default}", self.sql_type)
    }

    /// A literal as it is, since a column with an expression cannot be added at once; anything else in parentheses.
    fn default_clause(&self) -> Option<String> {
        self.default_text().map(|text| if self.constant { text } else { format!("({text})") })
    }

    fn set_default(&self, site: &Site<'_>, default: &str) -> Step {
        let action = format!("ALTER COLUMN {} SET DEFAULT ({default})", site.dialect.quote(&self.column));
        let what = format!("fill {} in new rows of {}", self.column, self.table);
        Step::Alone(mysql::alter(site.dialect, what, &self.table, &[action], None))
    }

    /// Reads no row, and fails when the backfill names what does not exist.
    fn probe(&self, site: &Site<'_>, facts: &TableFacts) -> Step {
        let table = site.dialect.quote(&self.table);
        Step::Transaction {
            what: format!("look whether the backfill of {} can be run", self.column),
            tables: Vec::new(),
            statements: vec![format!("SELECT {} FROM {table} LIMIT 0", self.fill(site, facts, ""))],
        }
    }

    /// In the order in which they are made; none where a default fills new rows.
    fn triggers(&self, site: &Site<'_>, facts: &TableFacts) -> Vec<Trigger> {
        if !self.fills() || self.default.is_some() {
            return Vec::new();
        }
        let column = site.dialect.quote(&self.column);
        let (before, now) = (self.fill(site, facts, "OLD."), self.fill(site, facts, "NEW."));
        let writer = Writer { written: true };
        let set = writer.set_or_keep("    ", &[format!("NEW.{column}")], std::slice::from_ref(&now));
        let trigger = |suffix, event, condition: String| Trigger {
            suffix,
            event,
            body: format!("{}  IF {condition} THEN\n{set}  END IF;\n", writer.handler()),
        };
        // A value that somebody set to NULL stays so: only what could not be filled before is filled later.
        let late =
            format!("NEW.{column} IS NULL AND OLD.{column} IS NULL AND ({before}) IS NULL AND ({now}) IS NOT NULL");
        vec![trigger("_u", "UPDATE", late), trigger("_i", "INSERT", format!("NEW.{column} IS NULL"))]
    }

    pub(super) fn objects_alone(&self, site: &Site<'_>, facts: &TableFacts) -> Vec<SyncObject> {
        self.triggers(site, facts).iter().map(|trigger| mysql::object(site, &self.table, trigger)).collect()
    }
}
