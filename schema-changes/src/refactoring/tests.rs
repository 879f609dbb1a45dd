//! Every refactoring in every move, as SQL: goldens that a person reads before accepting.

use std::{collections::BTreeMap, fmt::Write};

use schema_phases::{Conversion, LiveChange, Move, PhaseWindow, SchemaPhase, Span};

use crate::{
    Alone, Catalog, ColumnFacts, Engine, ForeignKeyFacts, IndexFacts, Plan, Refused, SchemaChange, Step, TableFacts,
    loss, steps, sync_conflict, sync_objects,
};

const DATABASE: &str = "\
apiVersion: phasegate.dev/v1alpha1
kind: Database
metadata: {name: customers}
spec:
  engine: ENGINE
  runner: {secretRef: {name: owner, key: url}}
  gate: {secretRef: {name: reader, key: url}}
";

/// One change, from what stands in its `spec` below the target.
fn change(engine: Engine, name: &str, refactoring: &str) -> SchemaChange {
    let spec: String = refactoring.lines().map(|line| format!("  {line}\n")).collect();
    let text = format!(
        "apiVersion: phasegate.dev/v1alpha1\nkind: SchemaChange\nmetadata: {{name: {name}}}\nspec:\n  database: customers\n  target: migrated\n{spec}"
    );
    let files: BTreeMap<String, String> = [
        ("phasegate.yaml".into(), DATABASE.replace("ENGINE", engine.as_str())),
        ("changes/0001.yaml".into(), text),
        (
            "changes/expand.sql".into(),
            "-- an index\nCREATE INDEX CONCURRENTLY i ON customers (id);\nALTER TABLE customers ADD x int;".into(),
        ),
        ("changes/none.sql".into(), "-- nothing".into()),
        ("changes/contract.sql".into(), "ALTER TABLE customers DROP y".into()),
    ]
    .into();
    let mut plan = Plan::read(&files).unwrap_or_else(|errors| panic!("{errors:#?}"));
    plan.changes.remove(0)
}

fn column(name: &str, sql_type: &str, nullable: bool) -> ColumnFacts {
    ColumnFacts { name: name.into(), sql_type: sql_type.into(), nullable, default: None, generated: false }
}

fn mysql(engine: Engine) -> bool {
    matches!(engine, Engine::Mysql | Engine::Mariadb)
}

/// A type as the engine's catalog prints it.
fn printed(engine: Engine, sql_type: &str) -> String {
    let text = ["text", "varchar"].iter().any(|base| sql_type.starts_with(base)) && !sql_type.contains("CHARACTER");
    let set = if mysql(engine) && text { " CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci" } else { "" };
    format!("{sql_type}{set}")
}

fn customers(engine: Engine) -> TableFacts {
    let column = |name: &str, sql_type: &str, nullable| column(name, &printed(engine, sql_type), nullable);
    TableFacts {
        schema: (engine == Engine::Postgres).then(|| "public".to_owned()),
        columns: vec![
            column("id", "bigint", false),
            column("full_name", "text", false),
            ColumnFacts { default: Some("'none'".into()), ..column("mail", "text", false) },
            column("note", "text", true),
        ],
        primary_key: vec!["id".into()],
        definition: (engine == Engine::Sqlite).then(|| {
            "CREATE TABLE customers (id integer PRIMARY KEY, full_name text NOT NULL, mail text NOT NULL DEFAULT 'none', note text)".to_owned()
        }),
        ..TableFacts::default()
    }
}

fn catalog(engine: Engine) -> Catalog {
    [("customers".to_owned(), customers(engine))].into()
}

/// What the catalog says once the new columns are there, as in every phase after `pending`.
fn expanded(engine: Engine, change: &SchemaChange, new: &[(&str, &str)]) -> Catalog {
    let mut catalog = catalog(engine);
    let facts = catalog.get_mut("customers").unwrap();
    for (name, sql_type) in new {
        facts.columns.push(column(name, &printed(engine, sql_type), true));
        if let Some(definition) = &mut facts.definition {
            definition.pop();
            write!(definition, ", \"{name}\" /* phasegate: {} */ {sql_type})", change.profile.name).unwrap();
        }
    }
    catalog
}

const MOVES: [(SchemaPhase, SchemaPhase); 7] = [
    (SchemaPhase::Pending, SchemaPhase::Expanded),
    (SchemaPhase::Expanded, SchemaPhase::Synced),
    (SchemaPhase::Synced, SchemaPhase::Migrated),
    (SchemaPhase::Migrated, SchemaPhase::Contracted),
    (SchemaPhase::Migrated, SchemaPhase::Synced),
    (SchemaPhase::Synced, SchemaPhase::Expanded),
    (SchemaPhase::Expanded, SchemaPhase::Pending),
];

fn moving(from: SchemaPhase, to: SchemaPhase) -> Move {
    Move::new(from, to).unwrap()
}

/// The whole change as text: its promise, and the steps and losses of each move.
fn told(engine: Engine, change: &SchemaChange, new: &[(&str, &str)]) -> String {
    let mut text = String::new();
    let profile = &change.profile;
    writeln!(text, "old {}, new {}, {:?}", profile.old_window, profile.new_window, profile.conversion).unwrap();
    for (from, to) in MOVES {
        let step = moving(from, to);
        let catalog = if from == SchemaPhase::Pending { catalog(engine) } else { expanded(engine, change, new) };
        writeln!(text, "\n==== {step}").unwrap();
        for step in steps(change, step, engine, &catalog).unwrap() {
            match step {
                Step::Transaction { what, tables, statements } => {
                    writeln!(text, "-- {what} (locks {tables:?})").unwrap();
                    for statement in statements {
                        writeln!(text, "{statement};").unwrap();
                    }
                }
                Step::Hide { .. } | Step::HideAlone(_) => panic!("nobody asked for a soak"),
                Step::Alone(Alone { what, tables, statement, otherwise, present }) => {
                    let locks = if tables.is_empty() { String::new() } else { format!(", locks {tables:?}") };
                    writeln!(text, "-- {what} (alone{locks})").unwrap();
                    if let Some(present) = present {
                        writeln!(text, "-- unless 1 = {present};").unwrap();
                    }
                    writeln!(text, "{statement};").unwrap();
                    for other in otherwise {
                        writeln!(text, "-- or, where that is refused:\n{other};").unwrap();
                    }
                }
                Step::Backfill(fill) => {
                    writeln!(text, "-- backfill {} by {:?}", fill.table, fill.key).unwrap();
                    writeln!(text, "set   {}\nwhere {}", fill.assignments, fill.unfilled).unwrap();
                }
                Step::Verify(verify) => {
                    writeln!(text, "-- verify: {}", verify.what).unwrap();
                    writeln!(text, "strict  {};\nlenient {};", verify.strict, verify.lenient).unwrap();
                }
            }
        }
        for loss in loss(change, step, engine, &catalog).unwrap() {
            writeln!(text, "-- loses {}\n{};", loss.what, loss.count).unwrap();
        }
    }
    let objects = sync_objects(change, engine, &expanded(engine, change, new)).unwrap();
    for object in objects {
        writeln!(text, "\n==== present: {} on {}\n{};", object.name, object.table, object.present).unwrap();
    }
    text
}

const SPLIT: &str = "splitColumn:\n  table: customers\n  column: full_name\n  into:\n    first_name: {type: text}\n    last_name: {type: varchar(80)}\n  separator: \" \"";
const SPLIT_NEW: &[(&str, &str)] = &[("first_name", "text"), ("last_name", "varchar(80)")];
const RENAME: &str = "renameColumn: {table: customers, from: mail, to: email}";

/// The same, as it is written for MariaDB and MySQL.
fn in_mysql(refactoring: &str) -> String {
    refactoring
        .replace("coalesce(kind, '') || size", "concat(coalesce(kind, ''), size)")
        .replace("length(note)", "char_length(note)")
        .replace("column: state, type: text", "column: state, type: varchar(20)")
}

#[test]
fn every_refactoring_says_what_it_runs() {
    type Case<'a> = (&'a str, &'a str, &'a [(&'a str, &'a str)]);
    let cases: [Case<'_>; 8] = [
        ("split", SPLIT, SPLIT_NEW),
        (
            "split-written",
            "splitColumn:\n  table: customers\n  column: note\n  into:\n    kind: {type: text, from: \"substr(note, 1, 1)\"}\n    size: {type: bigint, from: \"length(note)\"}\n  back: \"coalesce(kind, '') || size\"",
            &[("kind", "text"), ("size", "bigint")],
        ),
        ("rename", RENAME, &[("email", "text")]),
        ("rename-nullable", "renameColumn: {table: customers, from: note, to: remark}", &[("remark", "text")]),
        ("add-plain", "addColumn: {table: customers, column: city, type: text}", &[("city", "text")]),
        (
            "add-constant",
            "addColumn: {table: customers, column: state, type: text, nullable: false, default: \"'new'\"}",
            &[("state", "text")],
        ),
        (
            "add-filled",
            "addColumn: {table: customers, column: mail_key, type: text, nullable: false, backfill: lower(mail)}",
            &[("mail_key", "text")],
        ),
        (
            "create",
            "createTable:\n  table: orders\n  columns:\n    id: {type: integer, primaryKey: true, identity: true}\n    customer: {type: bigint, nullable: false, references: {table: customers, column: id, onDelete: cascade}}\n    state: {type: text, default: \"'new'\"}\n    code: {type: varchar(8), unique: true}",
            &[],
        ),
    ];
    for engine in Engine::ALL {
        for (name, refactoring, new) in cases {
            let refactoring = if mysql(engine) { in_mysql(refactoring) } else { refactoring.to_owned() };
            let change = change(engine, name, &refactoring);
            insta::assert_snapshot!(format!("{engine}-{name}"), told(engine, &change, new));
        }
    }
}

#[test]
fn plain_sql_runs_one_statement_a_step_and_leaves_other_phases_alone() {
    let text = "sql:\n  expand: expand.sql\n  contract: contract.sql\n  reverse: {expand: none.sql}\nwindows: {old: pending..migrated, new: expanded..contracted}\ntables: [customers]";
    let change = change(Engine::Postgres, "plain", text);
    insta::assert_snapshot!("postgres-plain", told(Engine::Postgres, &change, &[]));
    assert_eq!(change.profile.conversion, Conversion::None);
}

#[test]
fn a_filled_column_whose_default_is_a_call_keeps_it_from_sync_on() {
    let text = "addColumn: {table: customers, column: made_at, type: timestamptz, nullable: false, default: now()}";
    let change = change(Engine::Postgres, "add-default", text);
    insta::assert_snapshot!("postgres-add-default", told(Engine::Postgres, &change, &[("made_at", "timestamptz")]));
}

fn refused(engine: Engine, refactoring: &str, edit: impl Fn(&mut Catalog)) -> Option<Refused> {
    refused_at(engine, refactoring, (SchemaPhase::Pending, SchemaPhase::Expanded), edit)
}

fn refused_at(
    engine: Engine,
    refactoring: &str,
    at: (SchemaPhase, SchemaPhase),
    edit: impl Fn(&mut Catalog),
) -> Option<Refused> {
    let change = change(engine, "change", refactoring);
    let mut catalog = catalog(engine);
    edit(&mut catalog);
    steps(&change, moving(at.0, at.1), engine, &catalog).err()
}

#[test]
fn what_cannot_be_done_safely_is_refused_with_a_remedy() {
    type Edit = fn(&mut TableFacts);
    let index = |unique| IndexFacts {
        name: "by_it".into(),
        columns: vec!["mail".into(), "full_name".into()],
        unique,
        ..IndexFacts::default()
    };
    let rows: [(&str, Edit, &str); 9] = [
        (SPLIT, |t| t.primary_key.clear(), "no primary key"),
        (RENAME, |t| t.primary_key.clear(), "add one of the two first"),
        (RENAME, |t| t.primary_key = vec!["mail".into()], "part of the primary key"),
        (SPLIT, |t| t.columns[1].generated = true, "is generated"),
        (SPLIT, |t| t.columns[1].sql_type = "bigint".into(), "no separator stands"),
        (
            SPLIT,
            |t| {
                t.columns.remove(1);
            },
            "no column `full_name`",
        ),
        (
            RENAME,
            |t| {
                t.foreign_keys.push(ForeignKeyFacts {
                    name: String::new(),
                    columns: vec!["mail".into()],
                    references: "x".into(),
                })
            },
            "foreign key to `x`",
        ),
        (RENAME, |t| t.referenced_columns.push("mail".into()), "foreign keys point to"),
        (RENAME, |t| t.columns[2].default = Some("nextval('s')".into()), "sequence"),
    ];
    for engine in Engine::ALL {
        for (refactoring, edit, want) in rows {
            let told = refused(engine, refactoring, |c| edit(c.get_mut("customers").unwrap())).unwrap().to_string();
            assert!(told.contains(want) && told.contains("; "), "{told}");
        }
        for (refactoring, unique, refuses) in [(SPLIT, false, false), (SPLIT, true, true), (RENAME, false, true)] {
            let told = refused(engine, refactoring, |c| c.get_mut("customers").unwrap().indexes.push(index(unique)));
            assert_eq!(told.is_some(), refuses, "{told:?}");
        }
        let told = refused(engine, RENAME, |c| {
            let facts = c.remove("customers").unwrap();
            c.insert("customer".into(), facts);
        });
        assert_eq!(told.unwrap().remedy, "did you mean customer?");
    }
    let collate = refused(Engine::Sqlite, RENAME, |c| {
        let facts = c.get_mut("customers").unwrap();
        facts.definition = facts.definition.take().map(|text| text.replace("'none'", "'none' COLLATE NOCASE"));
    });
    assert!(collate.unwrap().why.contains("COLLATE"));
}

#[test]
fn what_mysql_cannot_do_safely_is_refused_by_name() {
    let define = |lines: &str| format!("CREATE TABLE `customers` (\n  {lines}\n) ENGINE=InnoDB");
    let filled = "addColumn: {table: customers, column: c, type: varchar(99), backfill: \"concat(id, note)\"}";
    let rows = [
        (RENAME, define("`mail` varchar(80) CHECK (`mail` <> '')"), "CHECK"),
        (
            SPLIT,
            define("`full_name` text, `u` varchar(9) GENERATED ALWAYS AS (left(`full_name`, 9)) VIRTUAL"),
            "generated column `u`",
        ),
        (RENAME, define("`mail` timestamp NULL ON UPDATE current_timestamp()"), "ON UPDATE"),
        (
            filled,
            define("`note` text, CONSTRAINT f FOREIGN KEY (`note`) REFERENCES p (q) ON UPDATE CASCADE"),
            "fires no trigger",
        ),
        (filled, define("`id` bigint NOT NULL AUTO_INCREMENT"), "no value yet"),
    ];
    for engine in [Engine::Mysql, Engine::Mariadb] {
        for (refactoring, definition, want) in &rows {
            let told = refused(engine, refactoring, |c| {
                c.get_mut("customers").unwrap().definition = Some(definition.clone());
            });
            let told = told.unwrap().to_string();
            assert!(told.contains(want) && told.contains("; "), "{told}");
        }
        let point = refused_at(engine, RENAME, (SchemaPhase::Migrated, SchemaPhase::Contracted), |c| {
            let mail = c.get_mut("customers").unwrap().columns.get_mut(2).unwrap();
            (mail.sql_type, mail.default) = ("point".into(), None);
        });
        assert!(point.unwrap().why.contains("no plain default"));
        let set = SPLIT.replace("varchar(80)", "varchar(80) CHARACTER SET latin1");
        assert!(refused(engine, &set, |_| {}).unwrap().why.contains("another character set"));
    }
}

#[test]
fn the_steps_of_a_contract_keep_their_number_when_the_old_column_is_gone() {
    for engine in [Engine::Mysql, Engine::Mariadb] {
        for (refactoring, new, old) in [(SPLIT, SPLIT_NEW, 1), (RENAME, [("email", "text")].as_slice(), 2)] {
            let change = change(engine, "change", refactoring);
            let mut after = expanded(engine, &change, new);
            let step = moving(SchemaPhase::Migrated, SchemaPhase::Contracted);
            let before = steps(&change, step, engine, &after).unwrap();
            after.get_mut("customers").unwrap().columns.remove(old);
            let again = steps(&change, step, engine, &after).unwrap();
            assert_eq!(before.len(), again.len());
            assert_eq!(before.last(), again.last(), "the last step is the one that may have to be recorded");
        }
    }
}

#[test]
fn a_contract_whose_record_was_lost_is_told_again() {
    for engine in [Engine::Postgres, Engine::Sqlite] {
        let change = change(engine, "split", SPLIT);
        let mut after = expanded(engine, &change, SPLIT_NEW);
        after.get_mut("customers").unwrap().columns.remove(1);
        let step = moving(SchemaPhase::Migrated, SchemaPhase::Contracted);
        assert_eq!(steps(&change, step, engine, &after).unwrap().len(), 1);
    }
}

/// The steps of a contract that soaks, and the way back from its middle.
#[test]
fn a_soak_hides_the_old_shape_first_and_can_bring_it_back() {
    let contract = moving(SchemaPhase::Migrated, SchemaPhase::Contracted);
    for engine in [Engine::Postgres, Engine::Sqlite] {
        for (name, refactoring, column, new) in
            [("split", SPLIT, "full_name", SPLIT_NEW), ("rename", RENAME, "mail", &[("email", "text")][..])]
        {
            let mut change = change(engine, name, &format!("soak: 1h\n{refactoring}"));
            assert_eq!(change.soak, Some(crate::Soak::For(std::time::Duration::from_secs(3_600))));
            let before = expanded(engine, &change, new);
            let mut text = String::new();
            let mut tell = |heading: &str, steps: Vec<Step>| {
                writeln!(text, "==== {heading}").unwrap();
                for step in steps {
                    let (Step::Transaction { what, statements, .. } | Step::Hide { what, statements, .. }) = step
                    else {
                        panic!("{step:?}")
                    };
                    writeln!(text, "-- {what}").unwrap();
                    statements.iter().for_each(|statement| writeln!(text, "{statement};").unwrap());
                }
            };
            let all = steps(&change, contract, engine, &before).unwrap();
            let places = all.len();
            assert!(matches!(all[places - 2], Step::Hide { .. }), "{all:?}");
            assert_eq!(crate::restore(&change, engine, &before).unwrap(), None);
            tell("contract", all);

            let hidden_name = format!("zzz_phasegate_{name}_old");
            let mut hidden = before.clone();
            let facts = hidden.get_mut("customers").unwrap();
            facts.columns.iter_mut().find(|one| one.name == column).unwrap().name.clone_from(&hidden_name);
            facts.definition =
                facts.definition.take().map(|text| text.replace(&format!(" {column} "), &format!(" {hidden_name} ")));
            // Whatever Git says by then, the places of the steps stay.
            for soak in [change.soak, Some(crate::Soak::Held)] {
                change.soak = soak;
                assert_eq!(steps(&change, contract, engine, &hidden).unwrap().len(), places);
            }
            tell("once hidden", steps(&change, contract, engine, &hidden).unwrap().split_off(places - 1));
            let Some(crate::WayBack::Together { what, tables, statements }) =
                crate::restore(&change, engine, &hidden).unwrap()
            else {
                panic!("{engine} brings it back in one transaction")
            };
            tell("restore", vec![Step::Transaction { what, tables, statements }]);
            let mut gone = before.clone();
            gone.get_mut("customers").unwrap().columns.retain(|one| one.name != column);
            assert_eq!(steps(&change, contract, engine, &gone).unwrap().len(), places);
            insta::assert_snapshot!(format!("{engine}-{name}-soak"), text);
        }
    }
}

#[test]
fn a_way_back_is_never_refused_for_what_happened_to_the_table_since() {
    for engine in Engine::ALL {
        let change = change(engine, "split", SPLIT);
        let mut catalog = expanded(engine, &change, SPLIT_NEW);
        let index =
            IndexFacts { name: "i".into(), columns: vec!["full_name".into()], unique: true, ..IndexFacts::default() };
        catalog.get_mut("customers").unwrap().indexes.push(index);
        for (from, to) in MOVES.into_iter().filter(|(from, to)| to < from) {
            steps(&change, moving(from, to), engine, &catalog).unwrap();
        }
        assert!(steps(&change, moving(SchemaPhase::Expanded, SchemaPhase::Synced), engine, &catalog).is_err());
    }
}

#[test]
fn one_table_is_kept_in_step_by_one_change_at_a_time() {
    let split = change(Engine::Postgres, "split", SPLIT);
    let rename = change(Engine::Postgres, "rename", RENAME);
    let plain = change(Engine::Postgres, "plain", "addColumn: {table: customers, column: city, type: text}");
    let changes = [split.clone(), rename.clone(), plain.clone()];
    let sync = moving(SchemaPhase::Expanded, SchemaPhase::Synced);
    let at = |span| [LiveChange { profile: split.profile.clone(), span }];
    for phase in SchemaPhase::ALL {
        let live = at(Span::AtRest(phase));
        let busy = matches!(phase, SchemaPhase::Synced | SchemaPhase::Migrated);
        assert_eq!(sync_conflict(&rename, sync, &changes, &live).is_some(), busy, "{phase}");
        assert_eq!(sync_conflict(&split, sync, &changes, &live), None);
        assert_eq!(sync_conflict(&plain, sync, &changes, &live), None);
    }
    let acting = at(Span::Acting(sync));
    assert_eq!(sync_conflict(&rename, sync, &changes, &acting), Some(split.profile.name.clone()));
    let other = moving(SchemaPhase::Pending, SchemaPhase::Expanded);
    assert_eq!(sync_conflict(&rename, other, &changes, &acting), None);
}

#[test]
fn windows_follow_from_what_is_done() {
    let whole = PhaseWindow::WHOLE;
    let rows = [
        (SPLIT, PhaseWindow::until(SchemaPhase::Migrated), Conversion::Rows),
        ("addColumn: {table: customers, column: a, type: text}", whole, Conversion::None),
        (
            "addColumn: {table: customers, column: a, type: int, nullable: false, default: \"0\"}",
            whole,
            Conversion::None,
        ),
        ("addColumn: {table: customers, column: a, type: text, backfill: note}", whole, Conversion::Rows),
        (
            "addColumn: {table: customers, column: a, type: text, nullable: false, backfill: mail}",
            PhaseWindow::until(SchemaPhase::Migrated),
            Conversion::Rows,
        ),
    ];
    for (refactoring, old_window, conversion) in rows {
        let profile = change(Engine::Postgres, "c", refactoring).profile;
        assert_eq!((profile.old_window, profile.conversion), (old_window, conversion), "{refactoring}");
        if conversion == Conversion::Rows {
            assert_eq!(profile.new_window, PhaseWindow::NEW_SHAPE);
        }
    }
}

#[test]
fn the_definition_changes_with_the_statements_and_with_nothing_else() {
    let of = |text: &str| change(Engine::Postgres, "c", text).definition;
    assert_eq!(of(SPLIT), of(&format!("{SPLIT}\nacceptLoss: {{contract: 3}}")));
    assert_eq!(of(SPLIT).len(), 64);
    let swapped = SPLIT.replace(
        "first_name: {type: text}\n    last_name: {type: varchar(80)}",
        "last_name: {type: varchar(80)}\n    first_name: {type: text}",
    );
    assert_ne!(of(SPLIT), of(&swapped));
    assert_ne!(of(SPLIT), of(&SPLIT.replace("\" \"", "\"-\"")));
}

/// The same where each statement stands alone.
#[test]
fn a_soak_where_ddl_commits_by_itself_hides_by_one_statement_and_stops_anywhere() {
    let contract = moving(SchemaPhase::Migrated, SchemaPhase::Contracted);
    for engine in [Engine::Mysql, Engine::Mariadb] {
        for (name, refactoring, column, new) in
            [("split", SPLIT, "full_name", SPLIT_NEW), ("rename", RENAME, "mail", &[("email", "text")][..])]
        {
            let change = change(engine, name, &format!("soak: 1h\n{refactoring}"));
            let before = expanded(engine, &change, new);
            let mut text = String::new();
            let mut tell = |what: &str, alone: &Alone| {
                let present = alone.present.as_deref().unwrap_or("nothing");
                writeln!(text, "-- {what}{}\n-- unless 1 = {present};\n{};", alone.what, alone.statement).unwrap();
            };
            let all = steps(&change, contract, engine, &before).unwrap();
            let mut at_once = change.clone();
            at_once.soak = None;
            // A contract at once has no place in common with what hides, so that a runner can tell the two apart.
            for (place, step) in steps(&at_once, contract, engine, &before).unwrap().iter().enumerate() {
                assert!(all[place].is_empty() || (place == 0 && all[place] == *step), "{place}: {step:?}");
            }
            for step in &all {
                match step {
                    Step::Alone(alone) => tell("", alone),
                    Step::HideAlone(alone) => tell("HIDE: ", alone),
                    Step::Verify(_) => {}
                    empty @ (Step::Transaction { .. } | Step::Hide { .. } | Step::Backfill(_)) => {
                        assert!(empty.is_empty(), "{empty:?}");
                    }
                }
            }

            let hidden_name = format!("zzz_phasegate_{name}_old");
            let mut hidden = before.clone();
            let facts = hidden.get_mut("customers").unwrap();
            facts.columns.iter_mut().find(|one| one.name == column).unwrap().name.clone_from(&hidden_name);
            // Hidden or not, the steps are the same: whoever resumes finds its triggers as they were made.
            assert_eq!(steps(&change, contract, engine, &hidden).unwrap().len(), all.len());
            let made = |steps: &[Step]| -> Vec<String> {
                let alone = |step: &Step| if let Step::Alone(one) = step { Some(one.statement.clone()) } else { None };
                steps.iter().filter_map(alone).filter(|sql| sql.contains("TRIGGER")).collect()
            };
            assert_eq!(made(&steps(&change, contract, engine, &hidden).unwrap()), made(&all));
            let Some(crate::WayBack::Apart(back)) = crate::restore(&change, engine, &hidden).unwrap() else {
                panic!("{engine} brings it back statement by statement")
            };
            back.iter().for_each(|alone| tell("BACK: ", alone));
            // Stopped behind the first of them, it goes on; a column that somebody else made is nobody's to rename.
            assert!(
                crate::is_coming_back(&change, engine, &before) && !crate::is_coming_back(&change, engine, &hidden)
            );
            assert_eq!(crate::restore(&change, engine, &before).unwrap(), Some(crate::WayBack::Apart(back)));
            insta::assert_snapshot!(format!("{engine}-{name}-soak"), text);
        }
    }
}
