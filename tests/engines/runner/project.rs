//! The files from Git that a test works with, beside its database.

use std::{fs, path::PathBuf};

use crate::database::Database;

/// A plan's directory and a file of live versions.
pub(crate) struct Project {
    pub(crate) plan: PathBuf,
    pub(crate) live: PathBuf,
}

impl Project {
    /// A plan without changes, and nobody live.
    pub(crate) fn new(database: &Database) -> Self {
        let root = database.directory.path();
        let this = Self { plan: root.join("plan"), live: root.join("live.yaml") };
        fs::create_dir_all(this.plan.join("changes")).unwrap();
        let engine = database.engine();
        fs::write(
            this.plan.join("phasegate.yaml"),
            format!(
                "apiVersion: phasegate.dev/v1alpha1\nkind: Database\nmetadata: {{name: customers}}\nspec:\n  engine: \
                 {engine}\n  runner: {{secretRef: {{name: customers-owner, key: url}}}}\n  gate: {{secretRef: {{name: \
                 customers-reader, key: url}}}}\n  apps: {{secretRefs: [customers-app]}}\n"
            ),
        )
        .unwrap();
        this.live(&[]);
        this
    }

    /// The one change of most tests, with this goal: `target: migrated`.
    pub(crate) fn split(database: &Database, goal: &str) -> Self {
        let this = Self::new(database);
        this.goal(goal);
        this
    }

    /// The same change with another goal.
    pub(crate) fn goal(&self, goal: &str) {
        self.change("split-full-name", "customers", goal);
    }

    /// A split of `full_name` of a table.
    pub(crate) fn change(&self, name: &str, table: &str, goal: &str) {
        let text = format!(
            "apiVersion: phasegate.dev/v1alpha1\nkind: SchemaChange\nmetadata: {{name: {name}}}\nspec:\n  database: \
             customers\n  {goal}\n  splitColumn:\n    table: {table}\n    column: full_name\n    into: {{first_name: \
             {{type: text}}, last_name: {{type: text}}}}\n    separator: \" \"\n"
        );
        fs::write(self.plan.join(format!("changes/0001-{name}.yaml")), text).unwrap();
    }

    /// Any one refactoring, as it stands in a change's `spec`.
    pub(crate) fn refactor(&self, name: &str, goal: &str, refactoring: &str) {
        let text = format!(
            "apiVersion: phasegate.dev/v1alpha1\nkind: SchemaChange\nmetadata: {{name: {name}}}\nspec:\n  database: \
             customers\n  {goal}\n  {refactoring}\n"
        );
        fs::write(self.plan.join(format!("changes/0001-{name}.yaml")), text).unwrap();
    }

    /// A change in plain SQL.
    pub(crate) fn sql(&self, name: &str, spec: &str, files: &[(&str, &str)]) {
        let text = format!(
            "apiVersion: phasegate.dev/v1alpha1\nkind: SchemaChange\nmetadata: {{name: {name}}}\nspec:\n  database: \
             customers\n{spec}\n"
        );
        fs::write(self.plan.join(format!("changes/0002-{name}.yaml")), text).unwrap();
        for (file, text) in files {
            fs::write(self.plan.join("changes").join(file), text).unwrap();
        }
    }

    /// Lines added to what the Database says.
    pub(crate) fn add(&self, lines: &str) {
        let file = self.plan.join("phasegate.yaml");
        let text = fs::read_to_string(&file).unwrap();
        fs::write(file, format!("{text}{lines}")).unwrap();
    }

    /// What the Database says of its applications, anew: `secretRefs: [customers-app]` at first.
    pub(crate) fn apps(&self, says: &str) {
        let file = self.plan.join("phasegate.yaml");
        let text = fs::read_to_string(&file).unwrap();
        let kept = text.split("  apps: ").next().unwrap();
        fs::write(file, format!("{kept}  apps: {says}\n")).unwrap();
    }

    /// The live versions: `v1` knows the old shape, everything else what it supports.
    pub(crate) fn live(&self, versions: &[(&str, &str)]) {
        let text: String =
            versions.iter().map(|(name, supports)| format!("- {{name: {name}, supports: '{supports}'}}\n")).collect();
        fs::write(&self.live, text).unwrap();
    }
}

/// The version that knows only the old shape.
pub(crate) const V1: (&str, &str) = ("v1", "");
/// The version that knows only the new shape.
pub(crate) const V2: (&str, &str) = ("v2", "split-full-name");
