//! `createTable`: purely additive.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    Alone, Engine, Loss, Step,
    declared::{Complaints, Ordered, check_column, check_expression, check_table, check_type, same_column, suggest},
    dialect::{
        Dialect, literal, mysql,
        mysql_type::{Class, MysqlType},
    },
    expression::Expression,
    refactoring::{Leg, Site, traces::Promise},
};

/// Create a table.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schemars(rename = "CreateTable")]
pub(crate) struct CreateTableForm {
    /// The name of the table.
    table: String,
    /// Its columns, in order.
    columns: Ordered<ColumnForm>,
    /// The columns of its primary key, in order, when they are several.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    primary_key: Vec<String>,
}

/// A column of a new table.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schemars(rename = "CreateTableColumn")]
struct ColumnForm {
    /// Its type.
    #[serde(rename = "type")]
    sql_type: String,
    /// Whether it accepts NULL.
    #[serde(default = "yes")]
    nullable: bool,
    /// Its default, as an SQL expression: text stands in quotes of its own, for example "'new'".
    #[serde(skip_serializing_if = "Option::is_none")]
    default: Option<String>,
    /// Whether it is the primary key.
    #[serde(default)]
    primary_key: bool,
    /// Whether the engine numbers the rows.
    #[serde(default)]
    identity: bool,
    /// Whether no two rows may have the same value.
    #[serde(default)]
    unique: bool,
    /// The column of another table that its values must be found in.
    #[serde(skip_serializing_if = "Option::is_none")]
    references: Option<ReferenceForm>,
}

/// What a foreign key points to.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schemars(rename = "Reference")]
struct ReferenceForm {
    /// The other table.
    table: String,
    /// Its column.
    column: String,
    /// What becomes of a row when the one it points to goes.
    #[serde(skip_serializing_if = "Option::is_none")]
    on_delete: Option<OnDelete>,
}

/// What becomes of a row when the one it points to goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
enum OnDelete {
    /// The other row cannot go.
    Restrict,
    /// It goes as well.
    Cascade,
    /// It points to nothing any more.
    SetNull,
}

fn yes() -> bool {
    true
}

/// A table to be created.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CreateTable {
    pub(crate) table: String,
    columns: Vec<Column>,
    primary_key: Vec<String>,
    pub(crate) written: CreateTableForm,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Column {
    name: String,
    form: ColumnForm,
    default: Option<Expression>,
}

impl CreateTableForm {
    pub(crate) fn check(self, complaints: &mut Complaints<'_>, engine: Engine) -> Option<CreateTable> {
        let here = |field| ["spec", "createTable", field];
        check_table(complaints, &here("table"), &self.table, engine);
        let mut columns: Vec<Column> = Vec::new();
        for (name, form) in &self.columns.0 {
            let same = |other: &&Column| same_column(engine, &other.name, name);
            if let Some(other) = columns.iter().find(same) {
                let path = ["spec", "createTable", "columns", name];
                complaints.add(&path, format!("the column `{}` is there already", other.name), "give it another name");
            }
            columns.push(form.check(complaints, name, engine));
        }
        let marked: Vec<String> =
            columns.iter().filter(|column| column.form.primary_key).map(|column| column.name.clone()).collect();
        let primary_key = self.check_key(complaints, marked);
        if let Some(column) = columns.iter().find(|column| column.form.identity) {
            let alone = primary_key == [column.name.clone()];
            let integer = column.form.sql_type.trim().eq_ignore_ascii_case("integer");
            if engine == Engine::Sqlite && !(alone && integer) {
                complaints.add(
                    &["spec", "createTable", "columns", &column.name, "identity"],
                    "sqlite numbers rows only in an integer column that is the whole primary key",
                    "write `type: integer` and `primaryKey: true`, or leave identity out",
                );
            }
        }
        if Dialect::of(engine).commits_ddl() {
            check_keys_alone(complaints, &columns, &primary_key);
        }
        Some(CreateTable { table: self.table.clone(), columns, primary_key, written: self })
    }

    fn check_key(&self, complaints: &mut Complaints<'_>, marked: Vec<String>) -> Vec<String> {
        let here = |field| ["spec", "createTable", field];
        match (self.primary_key.is_empty(), marked.len()) {
            (true, 0) => complaints.add(
                &here("columns"),
                "the table has no primary key, so no later change could fill its rows",
                "mark a column with `primaryKey: true`, or list several under primaryKey",
            ),
            (true, 1) | (false, 0) => {}
            (true, _) => complaints.add(
                &here("columns"),
                "several columns are marked as the primary key",
                "list them under primaryKey instead, in the order they are to have",
            ),
            (false, _) => complaints.add(&here("primaryKey"), "the primary key is given twice", "keep one of the two"),
        }
        for (at, name) in self.primary_key.iter().enumerate() {
            if !self.columns.0.iter().any(|(column, _)| column == name) {
                let known: Vec<&str> = self.columns.0.iter().map(|(column, _)| column.as_str()).collect();
                complaints.add(
                    &here("primaryKey"),
                    format!("there is no column `{name}`"),
                    suggest(name, known.iter().copied()),
                );
            }
            if self.primary_key.iter().take(at).any(|before| before == name) {
                complaints.add(&here("primaryKey"), format!("`{name}` stands there twice"), "remove one of the two");
            }
        }
        if self.primary_key.is_empty() { marked } else { self.primary_key.clone() }
    }
}

impl ColumnForm {
    fn check(&self, complaints: &mut Complaints<'_>, name: &str, engine: Engine) -> Column {
        let at = |field| ["spec", "createTable", "columns", name, field];
        check_column(complaints, &["spec", "createTable", "columns", name], name);
        check_type(complaints, &at("type"), &self.sql_type);
        let default =
            self.default.as_deref().and_then(|text| check_expression(complaints, &at("default"), text, engine));
        if self.identity && self.default.is_some() {
            complaints.add(&at("default"), "the engine numbers this column already", "remove the default, or identity");
        }
        if let Some(reference) = &self.references {
            check_table(complaints, &at("references"), &reference.table, engine);
            check_column(complaints, &at("references"), &reference.column);
        }
        Column { name: name.to_owned(), form: self.clone(), default }
    }
}

impl CreateTable {
    /// Its columns: name, type as written, whether it takes NULL, and whether it has a default. What is in the primary key
    /// is told by the key.
    pub(crate) fn shapes(&self) -> impl Iterator<Item = (&str, &str, Option<bool>, bool)> {
        self.columns.iter().map(|column| {
            let keyed = self.primary_key.contains(&column.name);
            let has_default = column.default.as_ref().is_some_and(|default| !default.is_null());
            let nullable = (!keyed && !column.form.identity).then_some(column.form.nullable);
            (column.name.as_str(), column.form.sql_type.trim(), nullable, has_default)
        })
    }

    /// What its rows are promised besides their columns.
    pub(crate) fn promises(&self) -> Vec<Promise> {
        let key = Promise::PrimaryKey(self.primary_key.clone());
        let unique = |column: &&Column| column.form.unique;
        let mut all = vec![key];
        all.extend(self.columns.iter().filter(unique).map(|column| Promise::Unique(column.name.clone())));
        all.extend(self.columns.iter().filter_map(|column| {
            let table = column.form.references.as_ref()?.table.clone();
            Some(Promise::ForeignKey { column: column.name.clone(), table })
        }));
        all
    }

    pub(crate) fn steps(&self, site: &Site<'_>, leg: Leg) -> Vec<Step> {
        let table = site.dialect.quote(&self.table);
        if site.dialect.commits_ddl() {
            return self.steps_alone(site, leg, &table);
        }
        match leg {
            Leg::Expand => {
                vec![Step::Transaction {
                    what: format!("create {}", self.table),
                    tables: self.locked(),
                    statements: self.create(site, &table),
                }]
            }
            Leg::UndoExpand => vec![Step::Transaction {
                what: format!("drop {}", self.table),
                tables: vec![self.table.clone()],
                statements: vec![format!("DROP TABLE {table}")],
            }],
            Leg::Sync | Leg::Migrate | Leg::Contract | Leg::UndoSync | Leg::UndoMigrate => Vec::new(),
        }
    }

    /// The tables it points to, which must not change meanwhile.
    fn locked(&self) -> Vec<String> {
        let references = self.columns.iter().filter_map(|column| column.form.references.as_ref());
        let mut locked: Vec<String> = references.map(|reference| reference.table.clone()).collect();
        locked.retain(|other| *other != self.table);
        locked.sort_unstable();
        locked.dedup();
        locked
    }

    fn steps_alone(&self, site: &Site<'_>, leg: Leg, table: &str) -> Vec<Step> {
        let there = format!("FROM information_schema.tables WHERE {}", mysql::place("table", &self.table));
        let comment = mysql::literal(&site.comment());
        let one = |what: String, tables: Vec<String>, statement: String, present: String| {
            vec![Step::Alone(Alone { what, tables, statement, otherwise: Vec::new(), present: Some(present) })]
        };
        match leg {
            Leg::Expand => one(
                format!("create {}", self.table),
                self.locked(),
                self.create(site, table).concat(),
                format!("SELECT count(*) {there} AND table_comment = {comment}"),
            ),
            Leg::UndoExpand => one(
                format!("drop {}", self.table),
                vec![self.table.clone()],
                format!("DROP TABLE {table}"),
                format!("SELECT count(*) = 0 {there}"),
            ),
            Leg::Sync | Leg::Migrate | Leg::Contract | Leg::UndoSync | Leg::UndoMigrate => Vec::new(),
        }
    }

    fn create(&self, site: &Site<'_>, table: &str) -> Vec<String> {
        let dialect = site.dialect;
        let mut lines: Vec<String> = self.columns.iter().map(|column| self.column(dialect, column)).collect();
        let key = dialect.quote_all("", self.primary_key.iter().map(String::as_str));
        lines.push(format!("PRIMARY KEY ({})", key.join(", ")));
        if dialect.commits_ddl() {
            lines.extend(self.columns.iter().filter_map(|column| foreign_key(dialect, column)));
        }
        let lines = lines.join(",\n  ");
        match dialect {
            Dialect::Postgres => vec![
                format!("CREATE TABLE {table} (\n  {lines}\n)"),
                format!("COMMENT ON TABLE {table} IS {}", literal(&site.comment())),
            ],
            Dialect::Sqlite => vec![format!("CREATE TABLE {table} ( /* {} */\n  {lines}\n)", site.comment())],
            Dialect::Mysql | Dialect::Mariadb => {
                vec![format!("CREATE TABLE {table} (\n  {lines}\n) COMMENT = {}", mysql::literal(&site.comment()))]
            }
        }
    }

    fn column(&self, dialect: Dialect, column: &Column) -> String {
        let form = &column.form;
        let mut text = format!("{} {}", dialect.quote(&column.name), form.sql_type.trim());
        if form.identity && dialect == Dialect::Postgres {
            text.push_str(" GENERATED BY DEFAULT AS IDENTITY");
        }
        // SQLite lets NULL into a primary key that is not an integer, unless told otherwise.
        let numbered = form.identity && dialect == Dialect::Sqlite;
        if !form.nullable || (self.primary_key.contains(&column.name) && !numbered) {
            text.push_str(" NOT NULL");
        }
        if dialect.commits_ddl() && form.nullable && !self.primary_key.contains(&column.name) {
            text.push_str(" NULL");
        }
        if let Some(default) = &column.default {
            // MySQL takes no plain default for text.
            let expression = dialect == Dialect::Mysql
                && matches!(MysqlType::of(&form.sql_type).class, Class::Text(_) | Class::Json);
            let plain = dialect.commits_ddl() && default.is_constant(dialect.engine()) && !expression;
            let value = default.over(|_| None);
            text.push_str(&if plain { format!(" DEFAULT {value}") } else { format!(" DEFAULT ({value})") });
        }
        if form.identity && dialect.commits_ddl() {
            text.push_str(" AUTO_INCREMENT");
        }
        if form.unique {
            text.push_str(" UNIQUE");
        }
        // MySQL reads REFERENCES behind a column and forgets it.
        if !dialect.commits_ddl() {
            text.extend(form.references.as_ref().map(|reference| reference.clause(dialect)));
        }
        text
    }

    pub(crate) fn loss(&self, site: &Site<'_>, leg: Leg) -> Vec<Loss> {
        if leg != Leg::UndoExpand || !site.catalog.contains_key(&self.table) {
            return Vec::new();
        }
        vec![Loss {
            what: format!("rows of {}", self.table),
            count: format!("SELECT count(*) FROM {}", site.dialect.quote(&self.table)),
        }]
    }
}

impl ReferenceForm {
    fn clause(&self, dialect: Dialect) -> String {
        let Self { table, column, on_delete } = self;
        let on_delete = match on_delete {
            Some(OnDelete::Restrict) => " ON DELETE RESTRICT",
            Some(OnDelete::Cascade) => " ON DELETE CASCADE",
            Some(OnDelete::SetNull) => " ON DELETE SET NULL",
            None => "",
        };
        format!(" REFERENCES {} ({}){on_delete}", dialect.quote(table), dialect.quote(column))
    }
}

fn foreign_key(dialect: Dialect, column: &Column) -> Option<String> {
    let reference = column.form.references.as_ref()?;
    Some(format!("FOREIGN KEY ({}){}", dialect.quote(&column.name), reference.clause(dialect)))
}

/// What MariaDB and MySQL want of columns in a key, and of those they number.
fn check_keys_alone(complaints: &mut Complaints<'_>, columns: &[Column], primary_key: &[String]) {
    for Column { name, form, .. } in columns {
        let at = |field| ["spec", "createTable", "columns", name.as_str(), field];
        let class = MysqlType::of(&form.sql_type).class;
        let keyed = form.unique || primary_key.contains(name);
        if keyed && matches!(class, Class::Text(_) | Class::Json) {
            let message = format!("the engine cannot index a `{}` as a whole", form.sql_type.trim());
            complaints.add(&at("type"), message, "use varchar with a length, for example varchar(80)");
        }
        if form.identity && !(form.unique || primary_key.first() == Some(name)) {
            let message = "the engine numbers rows only in a column that is unique, or first in the primary key";
            complaints.add(&at("identity"), message, "write `primaryKey: true`, or leave identity out");
        }
    }
}
