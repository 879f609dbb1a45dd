//! Whatever is wrong: nothing on stdout, a message that names file, line and remedy on stderr, exit code 1.

use std::{fs, os::unix::fs::symlink, path::Path};

use crate::common::{copy, phasegate_argocd, root, write};

fn refused(prepare: impl FnOnce(&Path), arguments: &[&str], environment: &[(&str, &str)]) -> String {
    let dir = tempfile::tempdir().unwrap();
    copy(&root().join("examples/customers-split/2-canary"), dir.path());
    prepare(dir.path());
    let made = phasegate_argocd(dir.path(), arguments, environment);
    let said = String::from_utf8(made.stderr).unwrap();
    assert_eq!(made.status.code(), Some(1), "{said}");
    assert!(made.stdout.is_empty(), "half an output");
    assert!(said.lines().all(|line| line.contains("; ")), "every line has a remedy: {said}");
    assert!(!said.contains("hunter2") && !said.contains("panicked"), "{said}");
    said
}

fn with_files(files: &[(&str, &str)]) -> String {
    refused(|dir| write(dir, files), &["generate", "--namespace", "shop"], &[])
}

fn with_edit(file: &str, from: &str, to: &str) -> String {
    let edit = |dir: &Path| {
        let text = fs::read_to_string(dir.join(file)).unwrap();
        assert!(text.contains(from), "{file} has no {from}");
        fs::write(dir.join(file), text.replace(from, to)).unwrap();
    };
    refused(edit, &["generate", "--namespace", "shop"], &[])
}

fn starts(said: &str, start: &str) {
    assert!(said.lines().any(|line| line.starts_with(start)), "wanted: {start}\nsaid: {said}");
}

const CHANGE: &str = "changes/0001-split-full-name.yaml";

#[test]
fn a_bad_declaration_names_its_file_and_line() {
    starts(&with_edit("phasegate.yaml", "engine: postgres", "engine: postgre"), "phasegate.yaml:7: spec.engine: ");
    starts(&with_edit("phasegate.yaml", "  engine:", "  engin:"), "phasegate.yaml:7: spec.engin: ");
    starts(&with_edit("phasegate.yaml", "kind: Database", "kind: ["), "phasegate.yaml:");
    starts(&with_edit(CHANGE, "target: migrated", "target: migratd"), &format!("{CHANGE}:8: "));
    starts(&with_edit(CHANGE, "database: customers", "database: orders"), &format!("{CHANGE}:"));
    starts(&with_edit(CHANGE, "column: full_name", "colum: full_name"), &format!("{CHANGE}:"));
}

#[test]
fn a_database_in_a_folder_is_named_with_its_folder() {
    let said = with_files(&[(
        "billing/phasegate.yaml",
        "apiVersion: phasegate.dev/v1alpha1\nkind: Database\nmetadata: {name: b}\n",
    )]);
    starts(&said, "billing/phasegate.yaml:");
    let twice = fs::read_to_string(root().join("examples/customers-split/2-canary/phasegate.yaml")).unwrap();
    starts(
        &with_files(&[("other/phasegate.yaml", &twice)]),
        "other/phasegate.yaml: the database customers is declared in phasegate.yaml too; ",
    );
    starts(
        &with_files(&[("db/phasegate.yml", &twice)]),
        "db/phasegate.yml: the file of a Database is called phasegate.yaml; ",
    );
}

#[test]
fn a_bad_manifest_is_named_and_its_content_is_not_shown() {
    let secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData:\n  url: \"postgres://u:hunter2@db/x\n";
    starts(&with_files(&[("secret.yaml", secret)]), "secret.yaml:");
    starts(&with_files(&[("values.yaml", "password: hunter2\n")]), "values.yaml:1: it has no kind");
    starts(
        &with_files(&[("twice.yaml", "apiVersion: v1\nkind: Secret\nkind: Secret\ndata: {a: hunter2}\n")]),
        "twice.yaml:3: it is no YAML",
    );
    starts(
        &with_files(&[("kustomization.yaml", "resources: [rollout.yaml]\n")]),
        "kustomization.yaml: the folder is a Kustomization",
    );
    let mut bomb = "apiVersion: v1\nkind: X\na0: &a0 [x,x,x,x,x,x,x,x,x,x]\n".to_owned();
    for level in 1..12 {
        bomb.push_str(&format!("a{level}: &a{level} [{}]\n", vec![format!("*a{}", level - 1); 10].join(",")));
    }
    starts(&with_files(&[("bomb.yaml", &bomb)]), "bomb.yaml");
    let deep = format!("apiVersion: v1\nkind: X\na: {}{}\n", "[".repeat(20_000), "]".repeat(20_000));
    starts(&with_files(&[("deep.yaml", &deep)]), "deep.yaml:");
    starts(
        &refused(|dir| fs::write(dir.join("latin.yaml"), b"a: \xfc").unwrap(), &["generate", "--namespace=shop"], &[]),
        "latin.yaml: it is not UTF-8",
    );
}

#[test]
fn two_objects_of_one_name_are_refused_since_argo_cd_would_drop_one() {
    let map = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: phasegate-customers}\n";
    starts(
        &with_files(&[("mine.yaml", map)]),
        "mine.yaml: ConfigMap/phasegate-customers in namespace shop is in what Phasegate renders too; ",
    );
    let hooks = "apiVersion: batch/v1\nkind: Job\nmetadata: {generateName: x-}\n---\napiVersion: batch/v1\nkind: Job\nmetadata: {generateName: x-}\n---\n";
    let both = with_files(&[("mine.yaml", map), ("hooks.yaml", hooks)]);
    assert_eq!(both.lines().count(), 1, "two generated names are no clash: {both}");
    let service = "apiVersion: v1\nkind: Service\nmetadata: {name: customers, namespace: shop}\n";
    starts(
        &with_files(&[("more.yaml", service)]),
        "service.yaml: Service/customers in namespace shop is in more.yaml too; ",
    );
}

#[test]
fn a_file_too_long_for_a_config_map_is_named() {
    let sql = "INSERT INTO cities VALUES ('x');\n".repeat(10_000);
    let change = "apiVersion: phasegate.dev/v1alpha1\nkind: SchemaChange\nmetadata: {name: cities}\nspec:\n  database: customers\n  target: expanded\n  windows: {old: pending..contracted, new: expanded..contracted}\n  tables: [cities]\n  sql: {expand: cities.sql, reverse: {expand: none.sql}}\n";
    let said = with_files(&[
        ("changes/0002-cities.yaml", change),
        ("changes/cities.sql", &sql),
        ("changes/none.sql", "SELECT 1;\n"),
    ]);
    starts(
        &said,
        "changes/cities.sql: it has 330000 bytes, and a file of a plan travels in a ConfigMap of 204800 at most; ",
    );
}

#[test]
fn nothing_to_render_is_an_error_since_argo_cd_would_prune_everything() {
    let empty = |dir: &Path| {
        fs::remove_dir_all(dir.join("changes")).and_then(|()| fs::remove_file(dir.join("phasegate.yaml"))).unwrap()
    };
    starts(
        &refused(empty, &["generate", "--namespace=shop"], &[]),
        ".: there is no phasegate.yaml in this folder or below it",
    );
    starts(&refused(|_| {}, &["generate", "nowhere", "--namespace=shop"], &[]), "nowhere: cannot open the folder");
}

#[test]
fn links_that_leave_the_repository_and_too_many_files_are_refused() {
    starts(
        &refused(|dir| symlink("/etc/hostname", dir.join("h.yaml")).unwrap(), &["generate", "--namespace=shop"], &[]),
        "h.yaml: it is a link that leaves the repository; ",
    );
    starts(
        &refused(|dir| symlink("..", dir.join("up")).unwrap(), &["generate", "--namespace=shop"], &[]),
        "up: it is a link to a folder",
    );
    let many = |dir: &Path| {
        fs::create_dir(dir.join("many")).unwrap();
        (0..10_000).for_each(|number| fs::write(dir.join(format!("many/{number}.yaml")), "").unwrap());
    };
    starts(
        &refused(many, &["generate", "--namespace=shop"], &[]),
        "many: there are more than 10000 files and folders; ",
    );
}

#[test]
fn a_namespace_is_needed_and_checked() {
    starts(&refused(|_| {}, &["generate"], &[]), "namespace: nobody says which namespace to render for; ");
    starts(&refused(|_| {}, &["generate"], &[("ARGOCD_APP_NAMESPACE", "")]), "namespace: nobody says");
    starts(
        &refused(|_| {}, &["generate"], &[("ARGOCD_APP_NAMESPACE", "a b")]),
        "namespace: `a b` cannot name a namespace; ",
    );
}

#[test]
fn bad_parameters_are_named_and_their_values_are_not_shown() {
    let given = |json: &str| refused(|_| {}, &["generate", "--namespace=shop"], &[("ARGOCD_APP_PARAMETERS", json)]);
    starts(
        &given(r#"[{"name":"imge","string":"hunter2"}]"#),
        "parameter imge: there is no such parameter; did you mean image",
    );
    starts(
        &given(r#"[{"name":"image","string":"hunter2"#),
        "ARGOCD_APP_PARAMETERS: it is no JSON list of parameters (column ",
    );
    starts(
        &given(r#"[{"name":"tolerations","string":"hunter2"}]"#),
        "parameter tolerations: it is a list, not a text; ",
    );
}

#[test]
fn wrong_usage_is_exit_code_2() {
    let dir = tempfile::tempdir().unwrap();
    for arguments in [&["generat"][..], &[], &["lint", "--output", "xml"], &["lint", "--wait", "soon"]] {
        let said = phasegate_argocd(dir.path(), arguments, &[]);
        assert_eq!(said.status.code(), Some(2), "{arguments:?}");
        assert!(said.stdout.is_empty());
    }
}

#[test]
fn lint_reports_what_keeps_generate_from_working() {
    let dir = tempfile::tempdir().unwrap();
    copy(&root().join("examples/customers-split/2-canary"), dir.path());
    write(dir.path(), &[("values.yaml", "a: 1\n")]);
    let said = phasegate_argocd(dir.path(), &["lint"], &[]);
    assert_eq!(said.status.code(), Some(1));
    starts(&String::from_utf8(said.stdout).unwrap(), "error[declarations] values.yaml:1: it has no kind");
}
