//! Every example passes `lint` and `generate`; what comes out is golden.

use std::{fs, time::Instant};

use crate::common::{copy, examples, git, phasegate_argocd, root};

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn every_example_passes_lint_and_generate() {
    for folder in examples() {
        let linted = phasegate_argocd(&folder, &["lint"], &[]);
        assert!(linted.status.success(), "{}:\n{}", folder.display(), text(&linted.stdout));
        let made = phasegate_argocd(&folder, &["generate", "--namespace", "shop"], &[]);
        assert!(made.status.success() && made.stderr.is_empty(), "{}:\n{}", folder.display(), text(&made.stderr));
        let folder = folder.strip_prefix(root()).unwrap().display().to_string().replace('/', "_");
        insta::assert_snapshot!(format!("generate_{folder}"), text(&made.stdout));
    }
}

#[test]
fn what_lint_and_matrix_say_of_the_canary() {
    let folder = root().join("examples/customers-split/2-canary");
    for arguments in [&["lint"][..], &["matrix"], &["matrix", "--output", "json"], &["lint", "--output", "json"]] {
        let said = phasegate_argocd(&folder, arguments, &[]);
        assert!(said.status.success());
        insta::assert_snapshot!(arguments.join("_").replace("--", ""), text(&said.stdout));
    }
}

#[test]
fn what_argo_cd_and_people_are_told() {
    for arguments in [&["parameters"][..], &["--help"], &["generate", "--help"], &["lint", "--help"]] {
        let said = phasegate_argocd(&root(), arguments, &[]);
        assert!(said.status.success());
        insta::assert_snapshot!(arguments.join("_").replace("--", ""), text(&said.stdout));
    }
    for shell in ["bash", "zsh", "fish"] {
        let said = phasegate_argocd(&root(), &["completions", shell], &[]);
        assert!(said.status.success() && text(&said.stdout).contains("phasegate-argocd"), "{shell}");
    }
}

#[test]
fn editors_get_the_schemas_of_both_kinds() {
    for (kind, field) in [("database", "engine"), ("schema-change", "splitColumn")] {
        let said = phasegate_argocd(&root(), &["schema", kind], &[]);
        let schema: serde_json::Value = serde_json::from_slice(&said.stdout).unwrap();
        assert!(schema.to_string().contains(&format!("\"{field}\"")), "{kind}");
    }
}

#[test]
fn the_deliveries_follow_each_other_and_none_may_be_skipped() {
    let repository = tempfile::tempdir().unwrap();
    git(repository.path(), &["init", "-q"]);
    let deploy = repository.path().join("deploy");
    for delivery in ["1-expand", "2-canary", "3-contract"] {
        copy(&root().join("examples/customers-split").join(delivery), &deploy);
        git(repository.path(), &["add", "-A"]);
        git(repository.path(), &["commit", "-q", "-m", delivery]);
        let base: &[&str] = if delivery == "1-expand" { &["lint"] } else { &["lint", "--base", "HEAD~1"] };
        let linted = phasegate_argocd(&deploy, base, &[]);
        assert!(linted.status.success(), "{delivery}: {}", text(&linted.stdout));
    }
    let skipped = phasegate_argocd(&deploy, &["lint", "--base", "HEAD~2"], &[]);
    assert_eq!(skipped.status.code(), Some(1));
    assert!(text(&skipped.stdout).contains("error[contract-together] changes/0001-split-full-name.yaml: "));
    let matrix = phasegate_argocd(&deploy, &["matrix", "--base", "HEAD~2"], &[]);
    insta::assert_snapshot!("matrix_with_base", text(&matrix.stdout));
    // What is broken in the base is what this commit corrects: it keeps nobody from linting.
    fs::write(deploy.join("broken.yaml"), "kind: [").unwrap();
    git(repository.path(), &["add", "-A"]);
    git(repository.path(), &["commit", "-q", "-m", "broken"]);
    fs::remove_file(deploy.join("broken.yaml")).unwrap();
    let corrected = phasegate_argocd(&deploy, &["lint", "--base", "HEAD"], &[]);
    assert!(corrected.status.success() && text(&corrected.stdout).contains("warning[declarations] HEAD:broken.yaml"));
    let unknown = phasegate_argocd(&deploy, &["lint", "--base", "nowhere"], &[]);
    assert_eq!(unknown.status.code(), Some(1));
    assert!(
        text(&unknown.stderr).starts_with("--base nowhere: there is no such commit; "),
        "{}",
        text(&unknown.stderr)
    );
}

#[test]
fn the_manual_names_every_parameter_with_its_default() {
    let manual = fs::read_to_string(root().join("docs/reference/renderer.md")).unwrap();
    let announced = phasegate_argocd(&root(), &["parameters"], &[]);
    let announced: Vec<serde_json::Value> = serde_json::from_slice(&announced.stdout).unwrap();
    for parameter in announced {
        let name = parameter["name"].as_str().unwrap();
        let row = manual.lines().find(|line| line.starts_with(&format!("| `{name}` |")));
        let row = row.unwrap_or_else(|| panic!("docs/reference/renderer.md has no row for {name}"));
        if let Some(default) = parameter["string"].as_str().filter(|default| !default.is_empty() && name != "image") {
            assert!(row.contains(&format!("`{default}`")), "the default of {name}: {row}");
        }
        for default in parameter["map"].as_object().into_iter().flatten() {
            let pair = format!("`{}: {}`", default.0, default.1.as_str().unwrap());
            assert!(row.contains(&pair), "the default of {name}: {row}");
        }
    }
}

#[test]
fn an_example_is_rendered_at_once() {
    let folder = root().join("examples/customers-split/2-canary");
    let mut fastest = u128::MAX;
    for _ in 0..10 {
        let start = Instant::now();
        assert!(phasegate_argocd(&folder, &["generate", "--namespace", "shop"], &[]).status.success());
        fastest = fastest.min(start.elapsed().as_millis());
    }
    assert!(fastest < 50, "the fastest of ten took {fastest} ms, unoptimized");
}
