//! The page about speed shows what the benchmark measured, and says why of every aim that is not met.

use std::{fs, path::Path};

use tests::benchmark::Report;

const BEGIN: &str = "<!-- measured: bench-runner.json -->\n";
const END: &str = "<!-- end of what was measured -->";

fn read(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/reference").join(name);
    fs::read_to_string(&path).unwrap_or_else(|cause| panic!("{}: {cause}", path.display()))
}

/// The page's text before, inside and after the part that is made from the measurements.
fn parts(page: &str) -> [&str; 3] {
    let (before, rest) = page.split_once(BEGIN).expect("the page has the part that is made");
    let (made, after) = rest.split_once(END).expect("and its end");
    [before, made, after]
}

#[test]
fn the_table_is_what_the_benchmark_measured() {
    let report: Report = serde_json::from_str(&read("bench-runner.json")).unwrap();
    let page = read("speed.md");
    let [before, made, after] = parts(&page);
    let anew = format!("\n{}\n", report.to_markdown().trim_end());
    if std::env::var_os("UPDATE_GOLDEN").is_some() && made != anew {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/reference/speed.md");
        fs::write(path, [before, BEGIN, &anew, END, after].concat()).unwrap();
    } else {
        assert_eq!(made, anew, "docs/reference/speed.md: run `make golden`");
    }
}

#[test]
fn an_aim_that_is_missed_has_its_reason_on_the_page() {
    let report: Report = serde_json::from_str(&read("bench-runner.json")).unwrap();
    let page = read("speed.md");
    let [before, _, after] = parts(&page);
    let (told, unmeasured) = match after.split_once("\n## Not measured yet\n") {
        Some((first, rest)) => {
            let (section, last) = rest.split_once("\n## ").unwrap_or((rest, ""));
            ([before, first, last].concat(), section)
        }
        None => ([before, after].concat(), ""),
    };
    for name in report.missed() {
        assert!(told.contains(&format!("`{name}`")), "{name} is missed, and the page does not say why");
    }
    for name in report.wanting() {
        let known = report.missed().contains(&name) || unmeasured.contains(&format!("`{name}`"));
        assert!(known, "{name} was not measured, and the page does not say so");
    }
}
