//! The documents are true: what they quote is in the files, what they tell people to run exists, their links lead
//! somewhere.

use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap()
}

/// Every Markdown file of the project.
fn documents() -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut todo = vec![root()];
    while let Some(directory) = todo.pop() {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            if path.is_dir() && !["target", ".git", "node_modules"].contains(&name) {
                todo.push(path);
            } else if name.ends_with(".md") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// The text with every quoted file filled in anew: `<!-- file: PATH -->` before a fenced block.
fn quoted_anew(text: &str) -> String {
    let mut filled = String::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        filled.push_str(line);
        filled.push('\n');
        let Some(path) = line.strip_prefix("<!-- file: ").and_then(|rest| rest.strip_suffix(" -->")) else { continue };
        let fence = lines.next().expect("a fenced block follows");
        assert!(fence.starts_with("```"), "{path}: a fenced block follows");
        lines.by_ref().find(|line| *line == "```").expect("the block ends");
        let content = std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
        filled.push_str(&format!("{fence}\n{}\n```\n", content.trim_end()));
    }
    filled
}

#[test]
fn what_a_document_quotes_is_the_file_as_it_is() {
    for path in documents() {
        let text = std::fs::read_to_string(&path).unwrap();
        let anew = quoted_anew(&text);
        if std::env::var_os("UPDATE_GOLDEN").is_some() && anew != text {
            std::fs::write(&path, anew).unwrap();
        } else {
            assert_eq!(text, anew, "{}: run `make golden`", path.display());
        }
    }
}

#[test]
fn every_make_target_a_document_names_exists() {
    let makefile = std::fs::read_to_string(root().join("Makefile")).unwrap();
    let known: Vec<&str> = makefile.lines().filter_map(|line| line.split_once(": ")?.0.split(' ').next()).collect();
    for path in documents() {
        let text = std::fs::read_to_string(&path).unwrap();
        for piece in text.split("make ").skip(1).zip(text.split("make ")).filter_map(|(after, before)| {
            // Only commands: in backquotes, or alone on an indented line.
            (before.ends_with('`') || before.ends_with("    ")).then_some(after)
        }) {
            let target: String =
                piece.chars().take_while(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || *c == '-').collect();
            assert!(known.contains(&target.as_str()), "{}: make {target}", path.display());
        }
    }
}

#[test]
fn every_relative_link_leads_to_a_file() {
    for path in documents() {
        let text = std::fs::read_to_string(&path).unwrap();
        for piece in text.split("](").skip(1) {
            let link = piece.split(')').next().unwrap();
            if link.contains("://") || link.starts_with('#') {
                continue;
            }
            let target = path.parent().unwrap().join(link.split('#').next().unwrap());
            assert!(target.exists(), "{} links to {link}", path.display());
        }
    }
}

#[test]
fn every_test_that_the_table_of_failures_names_exists() {
    let table = std::fs::read_to_string(root().join("plugin-rollouts/tests/README.md")).unwrap();
    let mut sources = String::new();
    let mut todo =
        ["plugin-rollouts/src", "plugin-rollouts/tests", "prometheus-source/src", "tests/engines", "tests/genuine"]
            .map(|folder| root().join(folder))
            .to_vec();
    while let Some(path) = todo.pop() {
        if path.is_dir() {
            todo.extend(std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            sources.push_str(&std::fs::read_to_string(path).unwrap());
        }
    }
    let rows = table.lines().filter(|line| line.starts_with("| ")).skip(1);
    let mut count = 0;
    for row in rows {
        let cells: Vec<&str> = row.trim_matches('|').split('|').collect();
        assert_eq!(cells.len(), 5, "{row}");
        for cell in &cells[1..] {
            let named: Vec<&str> = cell.split('`').skip(1).step_by(2).collect();
            assert!(!named.is_empty(), "nothing shows it: {row}");
            for test in named {
                assert!(sources.contains(&format!("fn {test}(")), "there is no test {test}");
                count += 1;
            }
        }
    }
    assert!(count > 36, "{count}");
}
