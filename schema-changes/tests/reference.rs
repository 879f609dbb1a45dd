//! The reference pages: the schemas are the ones that are enforced, and every example is a file that is read.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a failed test should panic"
)]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use schema_changes::{Engine, Plan, database_schema, schema_change_schema, step_config_schema};
use serde_json::Value;

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// Compares with a file of the repository, or writes it when `UPDATE_GOLDEN` is set.
fn golden(path: &str, text: &str) {
    let file = Path::new(ROOT).join(path);
    #[expect(clippy::disallowed_methods, reason = "a test is told from outside to renew its goldens")]
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&file, text).unwrap();
    }
    let kept = fs::read_to_string(&file).unwrap_or_default();
    assert!(kept == text, "{path} is out of date: run this test with UPDATE_GOLDEN=1 and read what it wrote");
}

#[test]
fn the_published_schemas_are_the_ones_enforced() {
    for (name, schema) in [
        ("database", database_schema()),
        ("schema-change", schema_change_schema()),
        ("step-config", step_config_schema()),
    ] {
        golden(
            &format!("docs/reference/schemas/{name}.json"),
            &(serde_json::to_string_pretty(&schema).unwrap() + "\n"),
        );
    }
}

/// Every object of a schema, with the path to it in a file.
fn objects(root: &Value, schema: &Value, path: &str, found: &mut Vec<(String, BTreeSet<String>)>) {
    if let Some(name) = schema.get("$ref").and_then(Value::as_str) {
        return objects(root, root.pointer(&name[1..]).unwrap(), path, found);
    }
    for one in schema.get("anyOf").and_then(Value::as_array).into_iter().flatten() {
        objects(root, one, path, found);
    }
    if let Some(properties) = schema.get("properties").and_then(Value::as_object) {
        found.push((path.to_owned(), properties.keys().cloned().collect()));
        for (name, one) in properties {
            objects(root, one, &format!("{path}.{name}"), found);
        }
    }
    for key in ["additionalProperties", "items"] {
        if let Some(inner) = schema.get(key).filter(|inner| inner.is_object()) {
            objects(root, inner, &format!("{path}.*"), found);
        }
    }
}

#[test]
fn no_object_of_a_schema_lets_an_unknown_field_in_and_every_field_is_described() {
    for schema in [database_schema(), schema_change_schema(), step_config_schema()] {
        let mut found = Vec::new();
        objects(&schema, &schema, "", &mut found);
        assert!(found.len() >= 4, "{found:?}");
        let text = schema.to_string();
        let open = text.matches("\"properties\":").count() - text.matches("\"additionalProperties\":false").count();
        assert_eq!(open, 0, "an object without additionalProperties: false");
        for definition in schema["$defs"].as_object().unwrap().values().chain([&schema]) {
            for (name, field) in definition.get("properties").and_then(Value::as_object).into_iter().flatten() {
                let described = field.get("description").is_some();
                assert!(described, "the field `{name}` has no description");
            }
        }
    }
}

/// The files below a directory, by relative path.
fn files(directory: &Path) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut open = vec![PathBuf::new()];
    while let Some(below) = open.pop() {
        for entry in fs::read_dir(directory.join(&below)).unwrap() {
            let entry = entry.unwrap();
            let path = below.join(entry.file_name());
            if entry.file_type().unwrap().is_dir() {
                open.push(path);
            } else {
                let text = fs::read_to_string(directory.join(&path)).unwrap();
                found.insert(path.to_str().unwrap().to_owned(), text);
            }
        }
    }
    found
}

#[test]
fn every_example_of_the_reference_is_read_and_stands_in_the_page() {
    let page = fs::read_to_string(Path::new(ROOT).join("docs/reference/refactorings.md")).unwrap();
    let plan = files(&Path::new(ROOT).join("docs/reference/refactorings"));
    let plan = Plan::read(&plan).unwrap_or_else(|errors| panic!("{errors:#?}"));
    assert_eq!(plan.database.engine, Engine::Postgres);
    assert!(plan.changes.len() >= 5, "an example for each refactoring");
    for (path, text) in plan.files.iter().filter(|(path, _)| path.starts_with("changes/")) {
        let shown: String =
            text.lines().map(|line| if line.is_empty() { "\n".into() } else { format!("    {line}\n") }).collect();
        assert!(page.contains(&shown), "docs/reference/refactorings.md does not show {path}");
    }
    assert_eq!(schema_changes::lint(&plan), [], "the examples follow their own advice");
}

#[test]
fn every_plan_among_the_examples_is_read() {
    let mut plans = 0;
    let all = files(&Path::new(ROOT).join("examples"));
    for path in all.keys().filter(|path| path.ends_with("phasegate.yaml")) {
        let directory = path.trim_end_matches("phasegate.yaml");
        let below: BTreeMap<String, String> = all
            .iter()
            .filter_map(|(path, text)| Some((path.strip_prefix(directory)?.to_owned(), text.clone())))
            .collect();
        Plan::read(&below).unwrap_or_else(|errors| panic!("{directory}: {errors:#?}"));
        plans += 1;
    }
    assert!(plans > 0);
}
