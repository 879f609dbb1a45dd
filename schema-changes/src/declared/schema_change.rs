//! `changes/*.yaml`: one `SchemaChange` a file.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::LazyLock,
};

use schema_phases::{ChangeName, ChangeProfile, PhaseWindow, SchemaPhase, Target};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::{
    AcceptedLoss, Database, Engine, FileError, SchemaChange,
    declared::{
        Complaints, check_table,
        complaints::suggest,
        database::{ApiVersion, Metadata},
        schema::schema_change_schema,
        shape,
        soak::check_soak,
        yaml,
    },
    refactoring::{
        Form, Promise, Refactoring, add_column::AddColumnForm, create_table::CreateTableForm, plain_sql::PlainSqlForm,
        rename_column::RenameColumnForm, split_column::SplitColumnForm,
    },
};

static SCHEMA: LazyLock<serde_json::Value> = LazyLock::new(schema_change_schema);

/// One change of the schema of one database, from the old shape to the new one and back.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schemars(rename = "SchemaChange")]
pub(crate) struct SchemaChangeFile {
    /// The format of this file.
    #[serde(rename = "apiVersion")]
    _api_version: ApiVersion,
    /// What the file declares.
    #[serde(rename = "kind")]
    _kind: SchemaChangeKind,
    /// Its name.
    metadata: Metadata,
    /// What is changed, and how far.
    spec: SchemaChangeSpec,
}

#[derive(Debug, Deserialize, JsonSchema)]
enum SchemaChangeKind {
    SchemaChange,
}

/// What is changed, and how far. Exactly one of the refactorings, and `target` or `revertTo`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct SchemaChangeSpec {
    /// The Database it belongs to.
    database: String,
    /// The phase to go forward to. It never goes back.
    target: Option<DeclaredPhase>,
    /// The phase to go back to, instead of a target. Nothing goes back from contracted.
    revert_to: Option<RevertPhase>,
    /// Rows whose loss is accepted, as `phasegate plan` counted them.
    #[serde(default)]
    accept_loss: DeclaredLoss,
    /// For how long a contract keeps the old shape hidden before it takes it away: a number and a unit (30m, 12h, 7d), or
    /// `held`, until a commit takes this line away. Hidden, it can be brought back at once and with nothing lost: by
    /// `target: migrated`, or by a version of the old shape that comes in. Without it, contract takes it away at once.
    soak: Option<String>,
    /// Create a table.
    create_table: Option<CreateTableForm>,
    /// Add a column.
    add_column: Option<AddColumnForm>,
    /// Rename a column, with both names usable until contract.
    rename_column: Option<RenameColumnForm>,
    /// Split a column into several, with both shapes usable until contract.
    split_column: Option<SplitColumnForm>,
    /// Run plain SQL files. Wants `windows` and `tables` as well.
    sql: Option<PlainSqlForm>,
    /// The phases in which old and new versions work. For `sql` only.
    windows: Option<DeclaredWindows>,
    /// The tables it touches. For `sql` only.
    tables: Option<Vec<String>>,
}

/// A phase of a schema change.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum DeclaredPhase {
    /// Nothing of it is in the database.
    Pending,
    /// The new shape stands beside the old one, empty.
    Expanded,
    /// Every write keeps both shapes equal.
    Synced,
    /// The rows written before agree as well.
    Migrated,
    /// The old shape is gone.
    Contracted,
}

/// A phase to go back to.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum RevertPhase {
    /// Nothing of it is in the database.
    Pending,
    /// The new shape stands beside the old one, empty.
    Expanded,
    /// Every write keeps both shapes equal.
    Synced,
    /// The rows written before agree as well.
    Migrated,
}

/// Rows whose loss is accepted.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct DeclaredLoss {
    /// Rows that lose something when the old shape goes.
    #[serde(default)]
    contract: u64,
    /// Rows that lose something when the new shape goes.
    #[serde(default)]
    revert: u64,
}

/// The phases in which versions work, each written FIRST..LAST.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct DeclaredWindows {
    /// For versions built for the old shape, for example `pending..migrated`.
    old: String,
    /// For versions built for the new shape, for example `migrated..contracted`.
    new: String,
}

/// What the other files of a plan say that one change needs.
pub(crate) struct Surroundings<'a> {
    /// The database; `None` when its own file cannot be read.
    pub(crate) database: Option<&'a Database>,
    /// Every file, by path.
    pub(crate) files: &'a BTreeMap<String, String>,
    /// Its place among the changes.
    pub(crate) order: u32,
}

/// Reads one change. Also tells which SQL files belong to it.
///
/// # Errors
/// Everything that is wrong with it.
pub(crate) fn read_schema_change(
    file: &str,
    text: &str,
    around: &Surroundings<'_>,
) -> Result<(SchemaChange, BTreeSet<String>), Vec<FileError>> {
    let tree = yaml::tree(text).map_err(|bad| vec![bad.in_file(file)])?;
    let mut complaints = Complaints::new(file, &tree);
    shape::check(&mut complaints, &SCHEMA, &tree);
    if !complaints.is_empty() {
        return Err(complaints.into_errors());
    }
    let SchemaChangeFile { metadata, spec, .. } = yaml::typed(text).map_err(|bad| vec![bad.in_file(file)])?;
    let name = check_name(&mut complaints, &metadata.name);
    let target = check_target(&mut complaints, &spec);
    check_database(&mut complaints, &spec.database, around.database);
    let engine = around.database.map_or(Engine::Postgres, |database| database.engine);
    let accept_loss = AcceptedLoss { contract: spec.accept_loss.contract, revert: spec.accept_loss.revert };
    let soak = spec.soak.clone();
    let mut foreign = Vec::new();
    let refactoring = check_refactoring(&mut complaints, &mut foreign, spec, engine, around.files);
    let soak = check_soak(&mut complaints, soak.as_deref(), refactoring.as_ref());
    let mut errors = complaints.into_errors();
    errors.append(&mut foreign);
    match (name, target, refactoring) {
        (Some(name), Some(target), Some(refactoring)) if errors.is_empty() => {
            let Promise { tables, old_window, new_window, conversion } = refactoring.promise();
            let profile = ChangeProfile { name, order: around.order, tables, old_window, new_window, conversion };
            let files = refactoring.files();
            let definition = refactoring.definition();
            let change =
                SchemaChange { profile, file: file.to_owned(), target, accept_loss, soak, definition, refactoring };
            Ok((change, files))
        }
        _ => Err(errors),
    }
}

fn check_name(complaints: &mut Complaints<'_>, name: &str) -> Option<ChangeName> {
    let path = ["metadata", "name"];
    if ["since", "tables"].contains(&name) {
        complaints.add(
            &path,
            format!("`{name}` means something else in the supports annotation"),
            "choose another name",
        );
        return None;
    }
    match name.parse() {
        Ok(name) => Some(name),
        Err(why) => {
            complaints.add(&path, why, "for example split-full-name");
            None
        }
    }
}

fn check_target(complaints: &mut Complaints<'_>, spec: &SchemaChangeSpec) -> Option<Target> {
    match (spec.target, spec.revert_to) {
        (Some(phase), None) => Some(Target::Reach(match phase {
            DeclaredPhase::Pending => SchemaPhase::Pending,
            DeclaredPhase::Expanded => SchemaPhase::Expanded,
            DeclaredPhase::Synced => SchemaPhase::Synced,
            DeclaredPhase::Migrated => SchemaPhase::Migrated,
            DeclaredPhase::Contracted => SchemaPhase::Contracted,
        })),
        (None, Some(phase)) => Some(Target::RevertTo(match phase {
            RevertPhase::Pending => SchemaPhase::Pending,
            RevertPhase::Expanded => SchemaPhase::Expanded,
            RevertPhase::Synced => SchemaPhase::Synced,
            RevertPhase::Migrated => SchemaPhase::Migrated,
        })),
        (Some(_), Some(_)) => {
            let path = ["spec", "revertTo"];
            complaints.add(&path, "the change has a target and a revertTo", "keep the one that is wanted now");
            None
        }
        (None, None) => {
            let path = ["spec"];
            complaints.add(&path, "the change has no target", "say `target: migrated`, or how far it should go now");
            None
        }
    }
}

fn check_database(complaints: &mut Complaints<'_>, name: &str, database: Option<&Database>) {
    if let Some(database) = database.filter(|database| database.name != name) {
        let message = format!("the change belongs to `{name}`, and phasegate.yaml declares `{}`", database.name);
        let remedy = format!("write `database: {}`, or move the change to the other plan", database.name);
        complaints.add(&["spec", "database"], message, remedy);
    }
}

fn check_refactoring(
    complaints: &mut Complaints<'_>,
    foreign: &mut Vec<FileError>,
    spec: SchemaChangeSpec,
    engine: Engine,
    files: &BTreeMap<String, String>,
) -> Option<Refactoring> {
    let SchemaChangeSpec { create_table, add_column, rename_column, split_column, sql, windows, tables, .. } = spec;
    let mut forms: Vec<Form> = Vec::new();
    forms.extend(create_table.map(Form::CreateTable));
    forms.extend(add_column.map(Form::AddColumn));
    forms.extend(rename_column.map(Form::RenameColumn));
    forms.extend(split_column.map(Form::SplitColumn));
    forms.extend(sql.map(Form::Sql));
    let all = Form::FIELDS.join(", ");
    if let [first, second, ..] = forms.as_slice() {
        let message = format!("the change has {} and {}", first.field(), second.field());
        complaints.add(&["spec", second.field()], message, "make two changes of it, in files of their own");
        return None;
    }
    let Some(form) = forms.pop() else {
        complaints.add(&["spec"], "the change changes nothing", format!("add one of {all}"));
        return None;
    };
    let field = form.field();
    if let Form::Sql(form) = form {
        let windows = check_windows(complaints, windows);
        let tables = check_tables(complaints, tables, engine);
        return form.check(complaints, foreign, windows, tables, engine, files).map(Refactoring::Sql);
    }
    if windows.is_some() {
        complaints.add(
            &["spec", "windows"],
            format!("the windows of {field} are known"),
            "remove them; they are for sql only",
        );
    }
    if tables.is_some() {
        complaints.add(
            &["spec", "tables"],
            format!("the tables of {field} are known"),
            "remove them; they are for sql only",
        );
    }
    form.check(complaints, engine)
}

fn check_windows(
    complaints: &mut Complaints<'_>,
    windows: Option<DeclaredWindows>,
) -> Option<(PhaseWindow, PhaseWindow)> {
    let Some(DeclaredWindows { old, new }) = windows else {
        let remedy = "for example `windows: {old: pending..migrated, new: migrated..contracted}`";
        complaints.add(&["spec"], "plain SQL needs `windows`: only its author knows which versions work when", remedy);
        return None;
    };
    let old = check_window(complaints, &["spec", "windows", "old"], &old);
    let new = check_window(complaints, &["spec", "windows", "new"], &new);
    let (old, new) = (old?, new?);
    if old.first() != SchemaPhase::Pending {
        complaints.add(
            &["spec", "windows", "old"],
            format!("the old window begins at {}, but old versions live before the change does", old.first()),
            format!("write pending..{}", old.last()),
        );
    }
    if new.last() != SchemaPhase::Contracted {
        complaints.add(
            &["spec", "windows", "new"],
            format!("the new window ends at {}, but new versions live on after the change", new.last()),
            format!("write {}..contracted", new.first()),
        );
    }
    if !old.meets(new) {
        complaints.add(
            &["spec", "windows"],
            format!("no phase is in both {old} and {new}, so no version could ever follow another"),
            "widen one of them: for example old: pending..migrated, new: migrated..contracted",
        );
    }
    Some((old, new))
}

fn check_window(complaints: &mut Complaints<'_>, path: &[&str], text: &str) -> Option<PhaseWindow> {
    match text.parse() {
        Ok(window) => Some(window),
        Err(schema_phases::UnreadableWindow::Phase(unknown)) => {
            let phases = SchemaPhase::ALL.map(SchemaPhase::as_str);
            complaints.add(path, &unknown, suggest(&unknown.found, phases));
            None
        }
        Err(why) => {
            complaints.add(path, why, "write FIRST..LAST, for example pending..migrated");
            None
        }
    }
}

fn check_tables(
    complaints: &mut Complaints<'_>,
    tables: Option<Vec<String>>,
    engine: Engine,
) -> Option<BTreeSet<String>> {
    let Some(tables) = tables.filter(|tables| !tables.is_empty()) else {
        let remedy = "for example `tables: [customers]`: versions and later changes are judged by them";
        complaints.add(&["spec"], "plain SQL needs `tables`: the tables it touches", remedy);
        return None;
    };
    for table in &tables {
        check_table(complaints, &["spec", "tables"], table, engine);
    }
    Some(tables.into_iter().collect())
}
