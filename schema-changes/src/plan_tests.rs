//! Whole plans: good ones, and every kind of bad input.

use std::collections::BTreeMap;

use proptest::prelude::*;
use schema_phases::{SchemaPhase, Target};

use crate::Plan;

const DATABASE: &str = "\
apiVersion: phasegate.dev/v1alpha1
kind: Database
metadata: {name: customers}
spec:
  engine: postgres
  runner: {secretRef: {name: owner, key: url}}
  gate: {secretRef: {name: reader, key: url}}
";

const SPLIT: &str = "\
apiVersion: phasegate.dev/v1alpha1
kind: SchemaChange
metadata: {name: split-full-name}
spec:
  database: customers
  target: migrated
  splitColumn:
    table: customers
    column: full_name
    into:
      first_name: {type: text}
      last_name: {type: text}
    separator: \" \"
";

const SQL: &str = "\
apiVersion: phasegate.dev/v1alpha1
kind: SchemaChange
metadata: {name: by-hand}
spec:
  database: customers
  target: migrated
  sql:
    expand: there.sql
    reverse: {expand: back.sql}
  windows: {old: pending..migrated, new: migrated..contracted}
  tables: [customers]
";

const CREATE: &str = "\
apiVersion: phasegate.dev/v1alpha1
kind: SchemaChange
metadata: {name: create-orders}
spec:
  database: customers
  target: contracted
  createTable:
    table: orders
    columns:
      id: {type: bigint, primaryKey: true}
      note: {type: text, default: \"'new'\"}
";

fn read(files: &[(&str, &str)]) -> Result<Plan, String> {
    let files: BTreeMap<String, String> = files.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect();
    Plan::read(&files).map_err(|errors| errors.iter().map(|error| format!("{error}\n")).collect())
}

/// What is said of one change beside a good database and two SQL files.
fn told(change: &str) -> String {
    let files = [
        ("phasegate.yaml", DATABASE),
        ("changes/1.yaml", change),
        ("changes/there.sql", "alter table customers add x int;"),
        ("changes/back.sql", "alter table customers drop x;"),
    ];
    read(&files).err().unwrap_or_default()
}

/// One row a mistake: in which file, what is written instead of what, and what must be said.
fn check(good: &str, rows: &[(&str, &str, &str)]) {
    assert_eq!(told(good), "");
    for (from, to, want) in rows {
        assert!(good.contains(from), "{from}");
        let told = told(&good.replacen(from, to, 1));
        assert!(told.contains(want), "{from} -> {to}\nwant {want}\ntold {told}");
        assert!(told.lines().all(|line| line.contains("; ") || !line.starts_with("changes")), "a remedy: {told}");
    }
}

#[test]
fn each_mistake_in_a_change_is_named_with_its_line_and_its_remedy() {
    check(
        SPLIT,
        &[
            (
                "kind: SchemaChange",
                "kind: SchemaChang",
                "changes/1.yaml:2: kind: `SchemaChang` is not known here; did you mean SchemaChange?",
            ),
            (
                "name: split-full-name",
                "name: Split",
                "changes/1.yaml:3: metadata.name: `Split` cannot name a schema change",
            ),
            ("name: split-full-name", "name: since", "`since` means something else"),
            ("name: split-full-name", "name: tables", "`tables` means something else"),
            (
                "database: customers",
                "database: customer",
                "changes/1.yaml:5: spec.database: the change belongs to `customer`",
            ),
            (
                "target: migrated",
                "target: migrate",
                "changes/1.yaml:6: spec.target: `migrate` is not known here; did you mean migrated?",
            ),
            (
                "target: migrated",
                "revertTo: contracted",
                "spec.revertTo: `contracted` is not known here; use one of expanded, migrated, pending, synced",
            ),
            ("target: migrated", "target: migrated\n  revertTo: pending", "keep the one that is wanted now"),
            ("  target: migrated\n", "", "the change has no target"),
            (
                "splitColumn",
                "splitColumns",
                "changes/1.yaml:7: spec.splitColumns: there is no such field; did you mean splitColumn",
            ),
            (
                "    column: full_name\n",
                "",
                "changes/1.yaml:7: spec.splitColumn: the field `column` is missing; add it: The column to split",
            ),
            (
                "column: full_name",
                "colum: full_name",
                "changes/1.yaml:9: spec.splitColumn.colum: there is no such field; did you mean column",
            ),
            ("column: full_name", "column: [a]", "text is wanted, and here is a list"),
            ("column: full_name", "column: first_name", "the column is split into itself"),
            (
                "{type: text}",
                "text",
                "changes/1.yaml:11: spec.splitColumn.into.first_name: a mapping is wanted, and here is text",
            ),
            ("{type: text}", "{type: text not null}", "the constraint NOT"),
            ("{type: text}", "{type: int}", "a part of a text does not fit the type `int`"),
            ("{type: text}", "{type: text, from: \"a; b\"}", "it contains a semicolon"),
            ("      last_name: {type: text}\n", "", "nothing to split into"),
            ("last_name", "first_name", "changes/1.yaml:12: duplicate mapping key"),
            ("    separator: \" \"\n", "", "there is no way back"),
            ("    separator: \" \"\n", "    back: \"first_name\"\n", "nothing says what goes into `first_name`"),
            ("separator: \" \"", "separator: \"\"", "the separator is empty"),
            ("table: customers", "table: a.b.c", "more than one dot"),
            (
                "target: migrated",
                "target: migrated\n  acceptLoss: {contract: -1}",
                "a whole number from 0 is wanted, and here is a negative number",
            ),
            ("target: migrated", "target: migrated\n  acceptLoss: {contracts: 1}", "did you mean contract?"),
            (
                "target: migrated",
                "target: migrated\n  windows: {old: a, new: b}",
                "the windows of splitColumn are known",
            ),
            ("target: migrated", "target: migrated\n  tables: [a]", "the tables of splitColumn are known"),
            (
                "target: migrated",
                "target: migrated\n  renameColumn: {table: a, from: b, to: c}",
                "make two changes of it",
            ),
            ("spec:", "spec: [", "changes/1.yaml:"),
            ("spec:", "spec:\n---", "each document into a file of its own"),
        ],
    );
}

#[test]
fn each_mistake_around_plain_sql_is_named() {
    let windows = "{old: pending..migrated, new: migrated..contracted}";
    check(
        SQL,
        &[
            ("  tables: [customers]\n", "", "plain SQL needs `tables`"),
            ("[customers]", "[]", "plain SQL needs `tables`"),
            ("  windows", "  window", "did you mean windows?"),
            (windows, "{old: pending..migrated}", "the field `new` is missing"),
            (
                windows,
                "{old: migrated..pending, new: migrated..contracted}",
                "changes/1.yaml:10: spec.windows.old: the window migrated..pending is reversed; write pending..migrated",
            ),
            (windows, "{old: pending..migratd, new: migrated..contracted}", "did you mean migrated?"),
            (windows, "{old: expanded..migrated, new: migrated..contracted}", "write pending..migrated"),
            (windows, "{old: pending..migrated, new: synced..migrated}", "write synced..contracted"),
            (windows, "{old: pending..synced, new: migrated..contracted}", "no phase is in both"),
            (
                "expand: there.sql",
                "expand: ther.sql",
                "there is no file changes/ther.sql; add it; did you mean there.sql",
            ),
            ("expand: there.sql", "expand: ../phasegate.yaml", "does not name a file below changes/"),
            ("expand: there.sql", "expand: /etc/passwd", "does not name a file below changes/"),
            ("expand: there.sql", "expand: a/../../there.sql", "does not name a file below changes/"),
            ("expand: there.sql", "expand: a\\there.sql", "does not name a file below changes/"),
            ("    reverse: {expand: back.sql}\n", "", "nothing says how expand is undone"),
            ("{expand: back.sql}", "{expand: back.sql, sync: back.sql}", "there is no sync to undo"),
            (
                "{expand: back.sql}",
                "{expand: back.sql, contract: back.sql}",
                "changes/1.yaml:9: spec.sql.reverse.contract: there is no such field",
            ),
            ("    expand: there.sql\n    reverse: {expand: back.sql}\n", "    {}\n", "there is no file in it"),
            (
                "  sql:\n    expand: there.sql\n    reverse: {expand: back.sql}\n",
                "",
                "the change changes nothing; add one of createTable",
            ),
        ],
    );
    let early = SQL
        .replace("reverse: {", "migrate: there.sql\n    reverse: {migrate: back.sql, ")
        .replace("new: migrated", "new: synced");
    assert!(told(&early).contains("an early write destroys data"), "{}", told(&early));
}

#[test]
fn each_mistake_in_a_sql_file_is_named_in_that_file() {
    let told = |sql: &str| {
        let files = [
            ("phasegate.yaml", DATABASE),
            ("changes/1.yaml", SQL),
            ("changes/there.sql", sql),
            ("changes/back.sql", ""),
        ];
        read(&files).err().unwrap_or_default()
    };
    assert_eq!(told("select 1"), "");
    assert!(told("select 1;\nBEGIN;").starts_with("changes/there.sql:2: `BEGIN` controls transactions"));
    assert!(told("commit").contains("remove it"));
    assert!(told("\nselect 'a").starts_with("changes/there.sql:2: the string that begins here never ends; close it"));
    assert!(told("\\i other.sql").contains("psql"));
    assert!(told(&" ".repeat(1024 * 1024 + 1)).contains("at most 1048576 are read"));
}

#[test]
fn each_mistake_in_a_table_is_named() {
    check(
        CREATE,
        &[
            (", primaryKey: true", "", "the table has no primary key"),
            ("note: {type: text", "note: {type: text, primaryKey: true", "several columns are marked"),
            ("    columns:", "    primaryKey: [id]\n    columns:", "the primary key is given twice"),
            ("note:", "id:", "duplicate mapping key"),
            ("\"'new'\"", "7", "put it in quotes"),
            ("type: bigint", "types: bigint", "the field `type` is missing"),
            (
                "primaryKey: true}",
                "primaryKey: true, identity: true, default: \"1\"}",
                "the engine numbers this column already",
            ),
        ],
    );
    let listed =
        CREATE.replace(", primaryKey: true", "").replace("    columns:", "    primaryKey: [ids]\n    columns:");
    assert!(told(&listed).contains("there is no column `ids`; did you mean id?"), "{}", told(&listed));
}

#[test]
fn each_mistake_in_an_added_column_is_named() {
    let add = SPLIT.split_once("  splitColumn").unwrap().0.to_owned()
        + "  addColumn: {table: t, column: c, type: int, nullable: false, default: \"0\"}\n";
    check(
        &add,
        &[
            (", default: \"0\"", "", "add a `default` or a `backfill`"),
            ("default: \"0\"", "backfill: c + 1", "the column is filled from itself"),
            ("default: \"0\"", "default: \"(select 1)\"", "contains `select`"),
            ("nullable: false", "nullable: no", "true or false is wanted, and here is text"),
        ],
    );
    let sqlite = DATABASE.replace("postgres", "sqlite");
    let called = add.replace("\"0\"", "\"random()\"");
    let told = read(&[("phasegate.yaml", &sqlite), ("changes/1.yaml", &called)]).unwrap_err();
    assert!(told.contains("sqlite adds no column with a default that is not constant"), "{told}");
}

#[test]
fn a_soak_is_read_for_every_engine() {
    for engine in ["postgres", "sqlite", "mysql", "mariadb"] {
        let database = DATABASE.replace("postgres", engine);
        let soaking = SPLIT.replace("target: migrated", "target: migrated\n  soak: 7d");
        let plan = read(&[("phasegate.yaml", &database), ("changes/1.yaml", &soaking)]).unwrap();
        assert_eq!(
            plan.changes[0].soak,
            Some(crate::Soak::For(std::time::Duration::from_secs(7 * 86_400))),
            "{engine}"
        );
    }
}

#[test]
fn mistakes_of_all_files_are_told_at_once() {
    let told = read(&[
        ("phasegate.yaml", &DATABASE.replace("postgres", "postgre")),
        ("changes/1.yaml", &SPLIT.replace("column: ", "colum: ").replace("target: migrated", "target: done")),
        ("changes/2.yaml", "- a"),
        ("changes/3.yml", SPLIT),
        ("changes/deeper/4.yaml", SPLIT),
    ])
    .unwrap_err();
    for want in [
        "phasegate.yaml:5: spec.engine: `postgre`",
        "changes/1.yaml:9: spec.splitColumn.colum",
        "changes/1.yaml:7: spec.splitColumn: the field `column` is missing",
        "changes/1.yaml:6: spec.target: `done`",
        "changes/2.yaml:1: a mapping is wanted, and here is a list",
        "changes/3.yml: a change ends in .yaml; rename it",
        "changes/deeper/4.yaml: a change stands directly below changes/",
    ] {
        assert!(told.contains(want), "{want}\n{told}");
    }
}

#[test]
fn two_changes_of_one_name_are_refused_and_the_order_is_that_of_the_files() {
    let told = read(&[("phasegate.yaml", DATABASE), ("changes/a.yaml", SPLIT), ("changes/b.yaml", SPLIT)]).unwrap_err();
    assert_eq!(
        told,
        "changes/b.yaml: the change `split-full-name` is declared in changes/a.yaml already; give one of the two another name\n"
    );
    let plan =
        read(&[("phasegate.yaml", DATABASE), ("changes/0002.yaml", SPLIT), ("changes/0001.yaml", CREATE)]).unwrap();
    let order: Vec<(u32, &str)> = plan.changes.iter().map(|c| (c.profile.order, c.profile.name.as_str())).collect();
    assert_eq!(order, [(1, "create-orders"), (2, "split-full-name")]);
    assert!(read(&[]).unwrap_err().contains("phasegate.yaml: there is no such file; add it"));
}

#[test]
fn a_plan_is_its_own_files_and_no_others() {
    let files = [
        ("phasegate.yaml", DATABASE),
        ("changes/1.yaml", SQL),
        ("changes/there.sql", "select 1"),
        ("changes/back.sql", ""),
        ("changes/unused.sql", "select 2"),
        ("deploy/rollout.yaml", "a: [b"),
        ("README.md", "hello"),
    ];
    let plan = read(&files).unwrap();
    let own: Vec<&str> = plan.files.keys().map(String::as_str).collect();
    assert_eq!(own, ["changes/1.yaml", "changes/back.sql", "changes/there.sql", "phasegate.yaml"]);
    let again = read(&files[..4]).unwrap();
    assert_eq!(plan.digest, again.digest);
    let mut edited = files;
    edited[2].1 = "select 3";
    assert_ne!(read(&edited).unwrap().digest, plan.digest);
    assert_ne!(read(&edited).unwrap().changes[0].definition, plan.changes[0].definition);
}

#[test]
fn every_target_is_read() {
    for phase in SchemaPhase::ALL {
        let plan = |line: String| {
            read(&[("phasegate.yaml", DATABASE), ("changes/1.yaml", &SPLIT.replace("target: migrated", &line))])
        };
        assert_eq!(plan(format!("target: {phase}")).unwrap().changes[0].target, Target::Reach(phase));
        let back = plan(format!("revertTo: {phase}"));
        if phase == SchemaPhase::Contracted {
            assert!(back.is_err());
        } else {
            assert_eq!(back.unwrap().changes[0].target, Target::RevertTo(phase));
        }
    }
}

#[test]
fn engines_without_steps_are_still_read() {
    for engine in ["mysql", "mariadb"] {
        assert!(read(&[("phasegate.yaml", &DATABASE.replace("postgres", engine)), ("changes/1.yaml", SPLIT)]).is_ok());
    }
}

proptest! {
    #[test]
    fn a_change_cut_and_stirred_anywhere_gives_errors_and_no_panic(
        which in 0_usize..3, at in 0_usize..400, length in 0_usize..60, noise in "[ a-z:{}\\[\\]\"'&*#|\n-]{0,12}",
    ) {
        let text = [SPLIT, SQL, CREATE][which];
        let (start, end) = (at.min(text.len()), (at + length).min(text.len()));
        let stirred = format!("{}{noise}{}", text.get(..start).unwrap(), text.get(end..).unwrap());
        for line in told(&stirred).lines() {
            prop_assert!(!line.is_empty());
        }
    }
}
