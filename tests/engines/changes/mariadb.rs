//! What only MariaDB and MySQL do: statements that commit by themselves, other literals, character sets, definers, strict mode.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

use schema_changes::{Engine, SchemaChange, Step};
use schema_phases::SchemaPhase::{self, Contracted, Expanded, Migrated, Pending, Synced};
use sqlx::{AssertSqlSafe, Executor, MySqlConnection};

use crate::bench::{Bench, Cell, change};

const FORWARD: [SchemaPhase; 5] = [Pending, Expanded, Synced, Migrated, Contracted];
const BACK: [SchemaPhase; 4] = [Migrated, Synced, Expanded, Pending];

const SPLIT: &str = "splitColumn: {table: customers, column: full_name, into: {first_name: {type: text}, last_name: {type: text}}, separator: \" \"}";
const RENAME: &str = "renameColumn: {table: customers, from: mail, to: email}";
const FILLED: &str =
    "addColumn: {table: customers, column: mail_key, type: varchar(99), nullable: false, backfill: lower(mail)}";

async fn expect(bench: &mut Bench, sql: &str, want: &[&[&str]]) {
    let cell = |text: &&str| -> Cell { (*text != "NULL").then(|| (*text).to_owned()) };
    let want: Vec<Vec<Cell>> = want.iter().map(|row| row.iter().map(cell).collect()).collect();
    assert_eq!(bench.rows(sql).await, want, "{sql}");
}

async fn customers(engine: Engine) -> Bench {
    let mut bench = Bench::new(engine).await;
    bench.must("CREATE TABLE customers (id int PRIMARY KEY, full_name varchar(80) NOT NULL, mail varchar(80) NOT NULL DEFAULT 'none', note text)").await;
    bench.must("INSERT INTO customers (id, full_name) VALUES (1, 'Anna Smith'), (2, 'Rob')").await;
    bench
}

/// Through the phases given.
async fn walk(bench: &mut Bench, change: &SchemaChange, phases: &[SchemaPhase]) {
    for pair in phases.windows(2) {
        bench.step(change, pair[0], pair[1]).await;
    }
}

tests::on_both!(names_and_separators_of_any_kind_are_carried_through_a_whole_change, schema_changes::Engine);
async fn names_and_separators_of_any_kind_are_carried_through_a_whole_change(engine: Engine) {
    let mut bench = Bench::new(engine).await;
    bench.must("CREATE TABLE `order` (`Key` int PRIMARY KEY, `Group` text)").await;
    bench.must(r"INSERT INTO `order` VALUES (1, 'a\\b')").await;
    let text = r#"splitColumn: {table: order, column: Group, into: {'select': {type: text}, 'it''s `x`': {type: text}}, separator: '\'}"#;
    let name = format!("long-{}", "name-".repeat(10));
    let name = name.trim_end_matches('-');
    // MySQL shows a trigger with such a name otherwise than it is.
    let (text, odd) = if engine == Engine::Mysql {
        let told = bench.try_step(&change(engine, name, text), Pending, Expanded).await.unwrap_err();
        assert!(told.contains("a backtick in its name"), "{told}");
        (text.replace('`', "-"), "`it's -x-`")
    } else {
        (text.to_owned(), "`it's ``x```")
    };
    let split = change(engine, name, &text);
    walk(&mut bench, &split, &FORWARD[..3]).await;
    bench.must(r"INSERT INTO `order` (`Key`, `Group`) VALUES (2, 'c\\d')").await;
    bench.must(&format!("INSERT INTO `order` (`Key`, {odd}) VALUES (3, 'f')")).await;
    expect(&mut bench, "SELECT `Group` FROM `order` ORDER BY `Key`", &[&["a\\b"], &["c\\d"], &["f"]]).await;
    walk(&mut bench, &split, &FORWARD[2..]).await;
    let all = format!("SELECT `select`, {odd} FROM `order` ORDER BY `Key`");
    expect(&mut bench, &all, &[&["a", "b"], &["c", "d"], &["NULL", "f"]]).await;

    // Escapes that somebody wrote come back from the catalog as we write them.
    let mut bench = customers(engine).await;
    let text = r#"splitColumn:
  table: customers
  column: full_name
  into:
    a: {type: varchar(80), from: "REGEXP_REPLACE(full_name, '\\\\s.*', '')"}
    b: {type: varchar(80), from: "full_name"}
  back: concat(b, "\\", '\'')"#;
    walk(&mut bench, &change(engine, "split", text), &FORWARD[..4]).await;
    expect(&mut bench, "SELECT a, b FROM customers ORDER BY id", &[&["Anna", "Anna Smith"], &["Rob", "Rob"]]).await;
    bench.must("INSERT INTO customers (id, b) VALUES (3, 'x')").await;
    expect(&mut bench, "SELECT full_name FROM customers WHERE id = 3", &[&["x\\'"]]).await;

    // A separator is found byte by byte: the collation takes X for x, and é for e.
    let mut bench = Bench::new(engine).await;
    bench.must("CREATE TABLE customers (id int PRIMARY KEY, full_name varchar(80)) COLLATE utf8mb4_general_ci").await;
    bench.must("INSERT INTO customers VALUES (1, 'axbXcXd'), (2, 'e'), (3, 'X')").await;
    let text = "splitColumn: {table: customers, column: full_name, into: {a: {type: varchar(9)}, b: {type: varchar(9)}, c: {type: varchar(9)}}, separator: X}";
    let split = change(engine, "split", text);
    walk(&mut bench, &split, &FORWARD[..4]).await;
    let all = "SELECT a, b, c FROM customers ORDER BY id";
    expect(&mut bench, all, &[&["axb", "c", "d"], &["e", "NULL", "NULL"], &["", "", "NULL"]]).await;
    let text = "splitColumn: {table: customers, column: a, into: {d: {type: varchar(9)}, e: {type: varchar(9)}}, separator: é}";
    let other = change(engine, "other", text);
    walk(&mut bench, &split, &[Migrated, Contracted]).await;
    walk(&mut bench, &other, &FORWARD[..3]).await;
    bench.must("INSERT INTO customers (id, a) VALUES (4, 'eéx')").await;
    walk(&mut bench, &other, &[Synced, Migrated]).await;
    let all = "SELECT d, e FROM customers WHERE id IN (2, 4) ORDER BY id";
    expect(&mut bench, all, &[&["e", "NULL"], &["e", "x"]]).await;
}

tests::on_both!(rows_are_found_by_keys_of_several_columns_and_moved_keys_are_filled, schema_changes::Engine);
async fn rows_are_found_by_keys_of_several_columns_and_moved_keys_are_filled(engine: Engine) {
    let mut bench = Bench::new(engine).await;
    bench.must("CREATE TABLE customers (a varchar(9), b int, full_name text, PRIMARY KEY (a, b))").await;
    bench.must("INSERT INTO customers VALUES ('x', 1, 'Anna Smith'), ('x', 2, 'Rob Stone')").await;
    let split = change(engine, "split", SPLIT);
    walk(&mut bench, &split, &FORWARD[..3]).await;
    bench.must("UPDATE customers SET b = 3 WHERE a = 'x' AND b = 1").await;
    bench.must("UPDATE customers SET first_name = 'Bob' WHERE b = 2").await;
    bench.must("INSERT INTO customers (a, b, first_name, last_name) VALUES ('y', 1, 'Mary Ann', 'Lee')").await;
    bench.must("UPDATE customers SET a = 'Y' WHERE a = 'y'").await;
    expect(
        &mut bench,
        "SELECT a, b, full_name, first_name, last_name FROM customers ORDER BY 1, 2",
        &[
            &["x", "2", "Bob Stone", "Bob", "Stone"],
            &["x", "3", "Anna Smith", "Anna", "Smith"],
            &["Y", "1", "Mary Ann Lee", "Mary Ann", "Lee"],
        ],
    )
    .await;
    walk(&mut bench, &split, &[Synced, Migrated]).await;
    assert_eq!(bench.losses(&split, Synced, Expanded).await, [1]);
    walk(&mut bench, &split, &[Migrated, Contracted]).await;
}

tests::on_both!(a_change_of_case_or_of_trailing_spaces_is_a_change, schema_changes::Engine);
async fn a_change_of_case_or_of_trailing_spaces_is_a_change(engine: Engine) {
    let mut bench = customers(engine).await;
    let split = change(engine, "split", SPLIT);
    walk(&mut bench, &split, &FORWARD[..4]).await;
    bench.must("UPDATE customers SET full_name = 'anna smith' WHERE id = 1").await;
    bench.must("UPDATE customers SET full_name = 'Rob ' WHERE id = 2").await;
    let all = "SELECT full_name, first_name, last_name FROM customers ORDER BY id";
    expect(&mut bench, all, &[&["anna smith", "anna", "smith"], &["Rob ", "Rob", ""]]).await;
    bench.must("UPDATE customers SET first_name = 'ANNA' WHERE id = 1").await;
    bench.must("UPDATE customers SET last_name = NULL WHERE id = 2").await;
    expect(&mut bench, all, &[&["ANNA smith", "ANNA", "smith"], &["Rob", "Rob", "NULL"]]).await;
}

tests::on_both!(rows_loaded_from_a_file_are_converted, schema_changes::Engine);
async fn rows_loaded_from_a_file_are_converted(engine: Engine) {
    let mut bench = customers(engine).await;
    let split = change(engine, "split", SPLIT);
    walk(&mut bench, &split, &FORWARD[..3]).await;
    let file = bench.mariadb().flavour().shared().unwrap().directory().join(format!("{}.csv", bench.mariadb().name()));
    std::fs::write(&file, "10,Mary Lee\n11,Zoë\n").unwrap();
    let load = |columns: &str| {
        format!(
            "LOAD DATA INFILE '{}' INTO TABLE customers CHARACTER SET utf8mb4 FIELDS TERMINATED BY ',' {columns}",
            file.display()
        )
    };
    bench.must(&load("(id, full_name)")).await;
    let all = "SELECT full_name, first_name, last_name FROM customers WHERE id >= 10 ORDER BY id";
    expect(&mut bench, all, &[&["Mary Lee", "Mary", "Lee"], &["Zoë", "Zoë", "NULL"]]).await;
    bench.must("DELETE FROM customers WHERE id >= 10").await;
    bench.must(&load("(id, last_name)")).await;
    expect(&mut bench, all, &[&["Mary Lee", "NULL", "Mary Lee"], &["Zoë", "NULL", "Zoë"]]).await;
}

tests::on_both!(what_does_not_fit_is_cut_and_counted_and_no_write_fails_under_strict_mode, schema_changes::Engine);
async fn what_does_not_fit_is_cut_and_counted_and_no_write_fails_under_strict_mode(engine: Engine) {
    let mut bench = Bench::new(engine).await;
    bench.must("CREATE TABLE customers (id int PRIMARY KEY, full_name char(12) NOT NULL)").await;
    bench.must("INSERT INTO customers VALUES (1, 'Anna Smith')").await;
    let text = "splitColumn: {table: customers, column: full_name, into: {first_name: {type: varchar(3)}, last_name: {type: tinytext}}, separator: \" \"}";
    let split = change(engine, "split", text);
    walk(&mut bench, &split, &FORWARD[..3]).await;
    bench.must("INSERT INTO customers (id, full_name) VALUES (2, 'Roberta B')").await;
    bench.must("INSERT INTO customers (id, first_name, last_name) VALUES (3, 'Abc', 'and so on, and on')").await;
    bench.must("INSERT INTO customers (id, first_name, last_name) VALUES (4, 'x', '')").await;
    walk(&mut bench, &split, &[Synced, Migrated]).await;
    let all = "SELECT full_name, first_name, last_name FROM customers ORDER BY id";
    expect(
        &mut bench,
        all,
        &[
            &["Anna Smith", "Ann", "Smith"],
            &["Roberta B", "Rob", "B"],
            &["Abc and so o", "Abc", "and so on, and on"],
            &["x", "x", ""],
        ],
    )
    .await;
    assert_eq!(bench.losses(&split, Migrated, Contracted).await, [2]);
    assert_eq!(bench.losses(&split, Synced, Expanded).await, [2]);
}

tests::on_both!(a_conversion_written_by_hand_never_fails_a_write, schema_changes::Engine);
async fn a_conversion_written_by_hand_never_fails_a_write(engine: Engine) {
    let text = "splitColumn:\n  table: parcels\n  column: size\n  into:\n    width: {type: tinyint, from: \"CAST(SUBSTRING_INDEX(size, 'x', 1) AS SIGNED)\"}\n    height: {type: 'decimal(4,1)', from: \"CAST(SUBSTRING_INDEX(size, 'x', -1) AS DECIMAL(4,1))\"}\n  back: concat(width, 'x', height)";
    let mut bench = Bench::new(engine).await;
    bench.must("CREATE TABLE parcels (id int PRIMARY KEY, size varchar(20) NOT NULL)").await;
    bench.must("INSERT INTO parcels VALUES (1, '20x30')").await;
    let split = change(engine, "size", text);
    walk(&mut bench, &split, &FORWARD[..3]).await;
    for (id, size) in [(2, "huge"), (3, "300x1"), (4, "7x99999999"), (5, "")] {
        bench.must(&format!("INSERT INTO parcels (id, size) VALUES ({id}, '{size}')")).await;
    }
    bench.must("UPDATE parcels SET size = 'odd' WHERE id = 1").await;
    bench.must("INSERT INTO parcels (id, width, height) VALUES (6, 3, 4.5)").await;
    bench.must("UPDATE parcels SET height = 5 WHERE id = 6").await;
    let all = "SELECT size, width, height FROM parcels ORDER BY id";
    let rows: [&[&str]; 6] = [
        &["odd", "NULL", "NULL"],
        &["huge", "NULL", "NULL"],
        &["300x1", "NULL", "1.0"],
        // DECIMAL takes the greatest it has; the row counts as lost at contract.
        &["7x99999999", "7", "999.9"],
        &["", "NULL", "NULL"],
        &["3x5.0", "3", "5.0"],
    ];
    expect(&mut bench, all, &rows).await;
    // Half a value has no way back, and the old column wants one: it gets the empty one.
    bench.must("INSERT INTO parcels (id, width) VALUES (7, 1)").await;
    expect(&mut bench, "SELECT size, width, height FROM parcels WHERE id = 7", &[&["", "1", "NULL"]]).await;
}

tests::on_both!(a_missing_or_altered_trigger_another_owner_and_a_later_trigger_are_noticed, schema_changes::Engine);
async fn a_missing_or_altered_trigger_another_owner_and_a_later_trigger_are_noticed(engine: Engine) {
    let mut bench = customers(engine).await;
    bench.must("CREATE TRIGGER before_ours BEFORE INSERT ON customers FOR EACH ROW SET NEW.full_name = coalesce(upper(NEW.full_name), 'none')").await;
    let split = change(engine, "split", SPLIT);
    walk(&mut bench, &split, &FORWARD[..3]).await;
    bench.must("INSERT INTO customers (id, full_name) VALUES (3, 'by trigger')").await;
    expect(&mut bench, "SELECT first_name, last_name FROM customers WHERE id = 3", &[&["BY", "TRIGGER"]]).await;
    assert!(bench.missing_objects(&split).await.is_empty());
    let made = bench.rows("SHOW CREATE TRIGGER zzz_phasegate_split_i").await[0][2].clone().unwrap();

    bench.must("CREATE TRIGGER after_ours BEFORE INSERT ON customers FOR EACH ROW SET NEW.full_name = 'x y'").await;
    assert_eq!(bench.missing_objects(&split).await, ["zzz_phasegate_split_i"]);
    bench.must("DROP TRIGGER after_ours").await;
    assert!(bench.missing_objects(&split).await.is_empty());

    bench.must("DROP TRIGGER zzz_phasegate_split_u").await;
    assert_eq!(bench.missing_objects(&split).await, ["zzz_phasegate_split_u"]);
    bench.must("CREATE TRIGGER zzz_phasegate_split_u BEFORE UPDATE ON customers FOR EACH ROW BEGIN END").await;
    assert_eq!(bench.missing_objects(&split).await, ["zzz_phasegate_split_u"]);

    let other = bench.mariadb().user("other").await.unwrap();
    bench.must("DROP TRIGGER zzz_phasegate_split_i").await;
    let (_, tail) = made.split_once(" TRIGGER ").unwrap();
    bench.must(&format!("CREATE DEFINER = '{other}'@'127.0.0.1' TRIGGER {tail}")).await;
    assert_eq!(bench.missing_objects(&split).await.len(), 2, "whoever drops that user stops every write");
}

tests::on_both!(every_move_is_taken_up_after_a_crash_between_a_statement_and_its_record, schema_changes::Engine);
/// A runner that dies after each statement, before it could remember it.
async fn every_move_is_taken_up_after_a_crash_between_a_statement_and_its_record(engine: Engine) {
    let create = "createTable: {table: orders, columns: {id: {type: int, primaryKey: true}, customer: {type: int, references: {table: customers, column: id}}}}";
    let plain = "addColumn: {table: customers, column: city, type: text}";
    let default = "addColumn: {table: customers, column: made, type: datetime, nullable: false, default: now()}";
    for refactoring in [SPLIT, RENAME, FILLED, plain, default, create] {
        let it = change(engine, "it", refactoring);
        let mut bench = customers(engine).await;
        let before = bench.catalog("customers").await;
        for phases in [&FORWARD[..4], &BACK[..], &FORWARD[..]] {
            for pair in phases.windows(2) {
                let count = bench.planned(&it, pair[0], pair[1]).await.len();
                for at in 0..count {
                    // Twice: the second time nobody knows of the first.
                    for _ in 0..2 {
                        let planned = bench.planned(&it, pair[0], pair[1]).await;
                        assert_eq!(planned.len(), count, "{refactoring}: {pair:?}");
                        bench.one(&planned[at]).await.unwrap_or_else(|why| panic!("{pair:?}, step {at}: {why}"));
                    }
                }
            }
            if phases.last() == Some(&Pending) {
                assert_eq!(bench.catalog("customers").await, before, "{refactoring}");
            }
        }
        let name = if refactoring == SPLIT { "first_name" } else { "full_name" };
        let key = if refactoring == FILLED { ", mail_key" } else { "" };
        let value = if refactoring == FILLED { ", 'k'" } else { "" };
        bench.must(&format!("INSERT INTO customers (id, {name}{key}) VALUES (77, 'x'{value})")).await;
    }
}

tests::on_both!(a_slower_algorithm_is_used_where_the_cheap_one_is_refused_and_a_copy_never, schema_changes::Engine);
async fn a_slower_algorithm_is_used_where_the_cheap_one_is_refused_and_a_copy_never(engine: Engine) {
    let mut bench = customers(engine).await;
    bench.must("ALTER TABLE customers ADD INDEX by_name (full_name), ROW_FORMAT=COMPRESSED").await;
    let split = change(engine, "split", SPLIT);
    walk(&mut bench, &split, &FORWARD).await;
    expect(
        &mut bench,
        "SELECT first_name, last_name FROM customers ORDER BY id",
        &[&["Anna", "Smith"], &["Rob", "NULL"]],
    )
    .await;
    let mut bench = customers(engine).await;
    for pair in FORWARD.windows(2) {
        for refactoring in [SPLIT, RENAME, FILLED] {
            for step in bench.planned(&change(engine, "it", refactoring), pair[0], pair[1]).await {
                let Step::Alone(alone) = step else { continue };
                let all = std::iter::once(&alone.statement).chain(&alone.otherwise);
                for statement in all.filter(|statement| statement.starts_with("ALTER")) {
                    assert!(
                        statement.contains("ALGORITHM=IN") || statement.contains("ALGORITHM=NOCOPY"),
                        "{statement}"
                    );
                }
            }
        }
        if pair[1] != Contracted {
            bench.step(&change(engine, "it", SPLIT), pair[0], pair[1]).await;
        }
    }
}

/// Writes as an application does, until told to stop; counts what failed.
struct Writer {
    stop: Arc<AtomicBool>,
    written: Arc<AtomicU64>,
    task: tokio::task::JoinHandle<Vec<String>>,
}

impl Writer {
    async fn start(bench: &Bench, from: u64, statements: &'static [&'static str]) -> Self {
        let mut link: MySqlConnection = bench.mariadb().connect().await.unwrap();
        let (stop, written) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let (stopped, count) = (Arc::clone(&stop), Arc::clone(&written));
        let task = tokio::spawn(async move {
            let mut failed = Vec::new();
            let mut id = from;
            while !stopped.load(Ordering::Relaxed) {
                id += 1;
                for statement in statements {
                    let sql = statement.replace("ID", &id.to_string());
                    if let Err(why) = link.execute(sqlx::raw_sql(AssertSqlSafe(sql.as_str()))).await {
                        failed.push(format!("{why}: {sql}"));
                    }
                    count.fetch_add(1, Ordering::Relaxed);
                }
            }
            failed
        });
        Self { stop, written, task }
    }

    /// Until it has written so much more.
    async fn more(&self, rows: u64) {
        let until = self.written.load(Ordering::Relaxed) + rows;
        while self.written.load(Ordering::Relaxed) < until {
            tokio::task::yield_now().await;
        }
    }

    async fn end(self) {
        self.stop.store(true, Ordering::Relaxed);
        let failed = self.task.await.unwrap();
        assert!(failed.is_empty(), "{} writes failed, first: {}", failed.len(), failed[0]);
    }
}

const OLD: &[&str] = &[
    "INSERT INTO customers (id, full_name, mail) VALUES (ID, 'Old Name', 'old')",
    "UPDATE customers SET full_name = 'Older Name', mail = 'older' WHERE id = ID",
];
const NEW_SPLIT: &[&str] = &[
    "INSERT INTO customers (id, first_name, last_name) VALUES (ID, 'New', 'Name')",
    "UPDATE customers SET first_name = 'Newer' WHERE id = ID",
];
const NEW_RENAME: &[&str] = &[
    "INSERT INTO customers (id, full_name, email) VALUES (ID, 'n', 'new')",
    "UPDATE customers SET email = 'newer' WHERE id = ID",
];

tests::on_both!(no_write_of_any_version_fails_at_any_moment, schema_changes::Engine);
async fn no_write_of_any_version_fails_at_any_moment(engine: Engine) {
    for (refactoring, new, rows) in [
        (SPLIT, NEW_SPLIT, "SELECT count(*) FROM customers WHERE last_name <> 'Name' AND id > 2"),
        (RENAME, NEW_RENAME, "SELECT count(*) FROM customers WHERE email NOT LIKE '%er' AND id > 2"),
    ] {
        let mut bench = customers(engine).await;
        let it = change(engine, "it", refactoring);
        let old = Writer::start(&bench, 1_000_000, OLD).await;
        for phases in [&FORWARD[..4], &BACK[..], &FORWARD[..4]] {
            for pair in phases.windows(2) {
                old.more(20).await;
                bench.step(&it, pair[0], pair[1]).await;
            }
        }
        let new = Writer::start(&bench, 2_000_000, new).await;
        old.more(50).await;
        new.more(50).await;
        old.end().await;
        bench.step(&it, Migrated, Contracted).await;
        new.more(50).await;
        new.end().await;
        expect(&mut bench, rows, &[&["0"]]).await;
    }
}
