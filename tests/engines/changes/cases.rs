//! Single cases that random writes do not reach: names, keys, rights, other triggers, other refactorings.

use schema_changes::Engine;
use schema_phases::SchemaPhase::{self, Contracted, Expanded, Migrated, Pending, Synced};

use crate::bench::{Bench, Cell, change};

const FORWARD: [SchemaPhase; 5] = [Pending, Expanded, Synced, Migrated, Contracted];
const BOTH: [Engine; 2] = [Engine::Sqlite, Engine::Postgres];
const ALL: [Engine; 4] = [Engine::Sqlite, Engine::Postgres, Engine::Mariadb, Engine::Mysql];
const SPLIT: &str = "splitColumn: {table: customers, column: full_name, into: {first_name: {type: text}, last_name: {type: text}}, separator: \" \"}";
const RENAME: &str = "renameColumn: {table: customers, from: mail, to: email}";

fn cells(row: &[&str]) -> Vec<Cell> {
    row.iter().map(|text| (*text != "NULL").then(|| (*text).to_owned())).collect()
}

async fn expect(bench: &mut Bench, sql: &str, want: &[&[&str]]) {
    let want: Vec<Vec<Cell>> = want.iter().map(|row| cells(row)).collect();
    assert_eq!(bench.rows(sql).await, want, "{sql}");
}

async fn customers(engine: Engine) -> Bench {
    let mut bench = Bench::new(engine).await;
    // There a default of text is an expression.
    let none = if engine == Engine::Mysql { "('none')" } else { "'none'" };
    bench
        .must(&format!("CREATE TABLE customers (id integer PRIMARY KEY, full_name text NOT NULL, mail text NOT NULL DEFAULT {none}, note text)"))
        .await;
    bench.must("INSERT INTO customers (id, full_name) VALUES (1, 'Anna Smith'), (2, 'Rob')").await;
    bench
}

#[tokio::test]
async fn names_of_any_kind_are_carried_through_a_whole_change() {
    for engine in BOTH {
        let mut bench = Bench::new(engine).await;
        bench.must("CREATE TABLE \"order\" (\"Key\" integer PRIMARY KEY, \"Group\" text)").await;
        bench.must("INSERT INTO \"order\" VALUES (1, 'a-b')").await;
        let text = "splitColumn: {table: order, column: Group, into: {'select': {type: text}, 'it''s \"x\"': {type: text}}, separator: '-'}";
        let split = change(engine, format!("long-{}", "name-".repeat(10)).trim_end_matches('-'), text);
        for pair in FORWARD.windows(2) {
            if pair[1] == Migrated {
                bench.must("INSERT INTO \"order\" (\"Key\", \"Group\") VALUES (2, 'c-d')").await;
                bench.must("INSERT INTO \"order\" (\"Key\", \"it's \"\"x\"\"\") VALUES (3, 'f')").await;
                expect(&mut bench, "SELECT \"Group\" FROM \"order\" ORDER BY \"Key\"", &[&["a-b"], &["c-d"], &["f"]])
                    .await;
            }
            bench.step(&split, pair[0], pair[1]).await;
        }
        expect(
            &mut bench,
            "SELECT \"select\", \"it's \"\"x\"\"\" FROM \"order\" ORDER BY \"Key\"",
            &[&["a", "b"], &["c", "d"], &["NULL", "f"]],
        )
        .await;
    }
}

#[tokio::test]
async fn rows_are_found_by_keys_of_several_columns_and_without_rowid() {
    for (engine, tail) in [(Engine::Sqlite, "WITHOUT ROWID"), (Engine::Sqlite, ""), (Engine::Postgres, "")] {
        let mut bench = Bench::new(engine).await;
        bench
            .must(&format!(
                "CREATE TABLE customers (rowid text, b integer, full_name text, PRIMARY KEY (rowid, b)) {tail}"
            ))
            .await;
        bench.must("INSERT INTO customers VALUES ('x', 1, 'Anna Smith'), ('x', 2, 'Rob Stone')").await;
        let split = change(engine, "split", SPLIT);
        bench.step(&split, Pending, Expanded).await;
        bench.step(&split, Expanded, Synced).await;
        // The key of an unfilled row moves, and the row is filled on the way.
        bench.must("UPDATE customers SET b = 3 WHERE rowid = 'x' AND b = 1").await;
        bench.must("UPDATE customers SET first_name = 'Bob' WHERE b = 2").await;
        bench.must("INSERT INTO customers (rowid, b, first_name, last_name) VALUES ('y', 1, 'Mary Ann', 'Lee')").await;
        bench.must("UPDATE customers SET rowid = 'z' WHERE rowid = 'y'").await;
        expect(
            &mut bench,
            "SELECT rowid, CAST(b AS text), full_name, first_name, last_name FROM customers ORDER BY 1, 2",
            &[
                &["x", "2", "Bob Stone", "Bob", "Stone"],
                &["x", "3", "Anna Smith", "Anna", "Smith"],
                &["z", "1", "Mary Ann Lee", "Mary Ann", "Lee"],
            ],
        )
        .await;
        bench.step(&split, Synced, Migrated).await;
        assert_eq!(bench.losses(&split, Synced, Expanded).await, [1]);
        bench.step(&split, Migrated, Contracted).await;
    }
}

#[tokio::test]
async fn a_renamed_column_keeps_its_not_null_and_its_default() {
    for engine in ALL {
        let mut bench = customers(engine).await;
        let before = bench.catalog("customers").await;
        let rename = change(engine, "rename-mail", RENAME);
        for (at, pair) in FORWARD.windows(2).enumerate() {
            bench.step(&rename, pair[0], pair[1]).await;
            if pair[1] == Expanded || pair[1] == Contracted {
                continue;
            }
            let id = 10 * (at + 1);
            bench.must(&format!("INSERT INTO customers (id, full_name, mail) VALUES ({id}, 'o', 'old')")).await;
            bench.must(&format!("INSERT INTO customers (id, full_name, email) VALUES ({id} + 1, 'n', 'new')")).await;
            bench.must(&format!("INSERT INTO customers (id, full_name) VALUES ({id} + 2, 'd')")).await;
            bench.must(&format!("UPDATE customers SET email = 'changed' WHERE id = {id}")).await;
            for bad in ["mail = NULL", "email = NULL", "mail = NULL, email = NULL"] {
                let told = bench.run(&format!("UPDATE customers SET {bad} WHERE id = {id} + 1")).await.unwrap_err();
                assert!(told.to_lowercase().contains("null"), "{told}");
            }
            let both = format!("INSERT INTO customers (id, full_name, mail) VALUES ({id} + 3, 'x', NULL)");
            assert!(bench.run(&both).await.is_err(), "NOT NULL holds while both names stand");
            expect(
                &mut bench,
                &format!("SELECT mail, email FROM customers WHERE id >= {id} ORDER BY id"),
                &[&["changed", "changed"], &["new", "new"], &["none", "none"]],
            )
            .await;
        }
        assert!(bench.run("INSERT INTO customers (id, full_name, email) VALUES (100, 'x', NULL)").await.is_err());
        bench.must("INSERT INTO customers (id, full_name) VALUES (101, 'x')").await;
        expect(&mut bench, "SELECT email FROM customers WHERE id IN (1, 101) ORDER BY id", &[&["none"], &["none"]])
            .await;
        if engine == Engine::Sqlite {
            expect(&mut bench, "PRAGMA integrity_check", &[&["ok"]]).await;
            let mut other = bench.second().await;
            let told = sqlx::query("INSERT INTO customers (id, full_name, email) VALUES (102, 'x', NULL)")
                .execute(&mut other)
                .await;
            assert!(told.unwrap_err().to_string().contains("NOT NULL"), "another connection sees it");
        }

        let mut bench = customers(engine).await;
        for pair in FORWARD[..4].windows(2) {
            bench.step(&rename, pair[0], pair[1]).await;
        }
        for pair in [(Migrated, Synced), (Synced, Expanded), (Expanded, Pending)] {
            assert_eq!(bench.losses(&rename, pair.0, pair.1).await, Vec::<u64>::new());
            bench.step(&rename, pair.0, pair.1).await;
        }
        assert_eq!(bench.catalog("customers").await, before);
        assert!(bench.run("INSERT INTO customers (id, full_name, mail) VALUES (100, 'x', NULL)").await.is_err());
    }
}

#[tokio::test]
async fn an_added_column_is_filled_for_every_row_and_required_in_the_end() {
    for engine in ALL {
        let mut bench = customers(engine).await;
        bench.must("UPDATE customers SET mail = 'A@B' WHERE id = 1").await;
        let add = change(
            engine,
            "add",
            "addColumn: {table: customers, column: mail_key, type: text, nullable: false, backfill: lower(mail)}",
        );
        bench.step(&add, Pending, Expanded).await;
        bench.step(&add, Expanded, Synced).await;
        bench.must("INSERT INTO customers (id, full_name, mail) VALUES (3, 'c', 'C@D')").await;
        bench.must("INSERT INTO customers (id, full_name, mail, mail_key) VALUES (4, 'd', 'E@F', 'own')").await;
        bench.step(&add, Synced, Migrated).await;
        expect(&mut bench, "SELECT mail_key FROM customers ORDER BY id", &[&["a@b"], &["none"], &["c@d"], &["own"]])
            .await;
        assert_eq!(bench.losses(&add, Synced, Expanded).await, [1]);
        bench.must("INSERT INTO customers (id, full_name, mail) VALUES (5, 'e', 'G')").await;
        bench.step(&add, Migrated, Contracted).await;
        assert!(bench.run("INSERT INTO customers (id, full_name) VALUES (6, 'f')").await.is_err(), "NOT NULL holds");
        bench.must("INSERT INTO customers (id, full_name, mail_key) VALUES (6, 'f', 'k')").await;
    }
}

#[tokio::test]
async fn an_added_column_that_may_be_null_is_not_filled_against_the_will_of_its_writer() {
    for engine in ALL {
        let mut bench = customers(engine).await;
        let add = change(
            engine,
            "add",
            "addColumn: {table: customers, column: mark, type: text, backfill: \"substr(note, 1, 1)\"}",
        );
        bench.step(&add, Pending, Expanded).await;
        bench.step(&add, Expanded, Synced).await;
        bench.step(&add, Synced, Migrated).await;
        // Nothing to fill it from, until an old version writes the note.
        bench.must("UPDATE customers SET note = 'note' WHERE id = 1").await;
        expect(&mut bench, "SELECT mark FROM customers ORDER BY id", &[&["n"], &["NULL"]]).await;
        bench.must("UPDATE customers SET mark = NULL WHERE id = 1").await;
        bench.must("UPDATE customers SET note = 'other' WHERE id = 1").await;
        expect(&mut bench, "SELECT mark FROM customers ORDER BY id", &[&["NULL"], &["NULL"]]).await;
        bench.step(&add, Migrated, Contracted).await;
        assert_eq!(bench.missing_objects(&add).await.len(), 2, "no trigger is left");
    }
}

#[tokio::test]
async fn constant_and_called_defaults_reach_old_and_new_rows() {
    for engine in ALL {
        let mut bench = customers(engine).await;
        // MySQL takes no constant default for text, and `addColumn` says so.
        let with_default =
            |text: &str| if engine == Engine::Mysql { text.replace("text", "varchar(9)") } else { text.to_owned() };
        let text = "addColumn: {table: customers, column: state, type: text, nullable: false, default: \"'new'\"}";
        let state = change(engine, "state", &with_default(text));
        for pair in FORWARD.windows(2) {
            bench.step(&state, pair[0], pair[1]).await;
        }
        bench.must("INSERT INTO customers (id, full_name) VALUES (3, 'x')").await;
        expect(&mut bench, "SELECT DISTINCT state FROM customers", &[&["new"]]).await;

        let text = "addColumn: {table: customers, column: code, type: text, nullable: false, default: \"'d'\", backfill: \"'b' || id\"}";
        let text = if matches!(engine, Engine::Mariadb | Engine::Mysql) {
            text.replace("'b' || id", "concat('b', id)")
        } else {
            text.to_owned()
        };
        let code = change(engine, "code", &with_default(&text));
        bench.step(&code, Pending, Expanded).await;
        bench.step(&code, Expanded, Synced).await;
        bench.must("INSERT INTO customers (id, full_name) VALUES (4, 'x')").await;
        bench.step(&code, Synced, Migrated).await;
        bench.step(&code, Migrated, Contracted).await;
        bench.must("INSERT INTO customers (id, full_name) VALUES (5, 'x')").await;
        expect(&mut bench, "SELECT code FROM customers ORDER BY id", &[&["b1"], &["b2"], &["b3"], &["d"], &["d"]])
            .await;
        assert!(bench.run("UPDATE customers SET code = NULL").await.is_err());
    }
    let mut bench = customers(Engine::Postgres).await;
    let made = change(
        Engine::Postgres,
        "made",
        "addColumn: {table: customers, column: made_at, type: timestamptz, nullable: false, default: clock_timestamp()}",
    );
    for pair in FORWARD.windows(2) {
        bench.step(&made, pair[0], pair[1]).await;
    }
    bench.must("INSERT INTO customers (id, full_name) VALUES (3, 'x')").await;
    expect(&mut bench, "SELECT count(*)::text FROM customers WHERE made_at IS NOT NULL", &[&["3"]]).await;
}

#[tokio::test]
async fn a_table_is_created_and_goes_again() {
    for engine in ALL {
        let mut bench = customers(engine).await;
        let text = "createTable:\n  table: orders\n  columns:\n    id: {type: integer, primaryKey: true, identity: true}\n    customer: {type: integer, nullable: false, references: {table: customers, column: id, onDelete: cascade}}\n    state: {type: text, default: \"'new'\"}\n    code: {type: text, unique: true}";
        let text = if matches!(engine, Engine::Mariadb | Engine::Mysql) {
            text.replace("{type: text", "{type: varchar(9)")
        } else {
            text.to_owned()
        };
        let create = change(engine, "create", &text);
        bench.step(&create, Pending, Expanded).await;
        bench.must("INSERT INTO orders (customer) VALUES (1)").await;
        assert!(bench.run("INSERT INTO orders (customer) VALUES (77)").await.is_err());
        expect(&mut bench, "SELECT CAST(id AS text), state FROM orders", &[&["1", "new"]]).await;
        assert_eq!(bench.losses(&create, Expanded, Pending).await, [1]);
        bench.step(&create, Expanded, Pending).await;
        assert!(bench.run("SELECT * FROM orders").await.is_err());
    }
}

#[tokio::test]
async fn an_altered_or_missing_trigger_is_noticed() {
    for engine in BOTH {
        let mut bench = customers(engine).await;
        let split = change(engine, "split", SPLIT);
        bench.step(&split, Pending, Expanded).await;
        bench.step(&split, Expanded, Synced).await;
        if engine == Engine::Sqlite {
            bench.must("DROP TRIGGER zzz_phasegate_split_io").await;
            bench.must("CREATE TRIGGER zzz_phasegate_split_io AFTER INSERT ON customers BEGIN SELECT 1; END").await;
            assert_eq!(bench.missing_objects(&split).await, ["zzz_phasegate_split_io"]);
            continue;
        }
        bench.must("ALTER TABLE customers DISABLE TRIGGER zzz_phasegate_split_u").await;
        assert_eq!(bench.missing_objects(&split).await, ["zzz_phasegate_split_u"]);
        bench.must("ALTER TABLE customers ENABLE ALWAYS TRIGGER zzz_phasegate_split_u").await;
        assert!(bench.missing_objects(&split).await.is_empty());
        bench.must("DROP TRIGGER zzz_phasegate_split_i ON customers").await;
        bench.must("CREATE TRIGGER zzz_phasegate_split_i BEFORE INSERT ON customers FOR EACH ROW WHEN (false) EXECUTE FUNCTION zzz_phasegate_split()").await;
        assert_eq!(bench.missing_objects(&split).await, ["zzz_phasegate_split_i"]);
        bench.must("CREATE OR REPLACE FUNCTION zzz_phasegate_split() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'").await;
        assert_eq!(bench.missing_objects(&split).await.len(), 2);
    }
}

#[tokio::test]
async fn a_conversion_that_names_what_does_not_exist_is_found_before_any_trigger_is() {
    let rows = [
        ("from: nosuch(full_name)", "nosuch"),
        ("from: \"coalesce(full_name, mail)\"", "mail"),
        ("from: \"coalesce(nosuch, full_name)\"", "nosuch"),
    ];
    for engine in ALL {
        for (from, named) in rows {
            let mut bench = customers(engine).await;
            let text = format!(
                "splitColumn: {{table: customers, column: full_name, into: {{a: {{type: text, {from}}}, b: {{type: text, from: full_name}}}}, back: b}}"
            );
            let split = change(engine, "split", &text);
            bench.step(&split, Pending, Expanded).await;
            let told = bench.try_step(&split, Expanded, Synced).await.unwrap_err();
            assert!(told.contains(named), "{told}");
            bench.must("INSERT INTO customers (id, full_name) VALUES (9, 'still works')").await;
        }
    }
}

#[tokio::test]
async fn on_sqlite_what_refers_to_the_table_stays_as_it_is() {
    let mut bench = customers(Engine::Sqlite).await;
    bench.must("PRAGMA foreign_keys = ON").await;
    bench.must("CREATE TABLE orders (id integer PRIMARY KEY, customer integer REFERENCES customers (id) ON DELETE CASCADE)").await;
    bench.must("INSERT INTO orders VALUES (1, 1), (2, 2)").await;
    bench.must("CREATE VIEW mails AS SELECT mail FROM customers").await;
    bench.must("CREATE INDEX by_note ON customers (note)").await;
    bench.must("CREATE INDEX by_name ON customers (full_name)").await;
    bench.must("CREATE TRIGGER theirs AFTER UPDATE OF note ON customers BEGIN UPDATE customers SET full_name = 'by trigger' WHERE id = NEW.id; END").await;
    let split = change(Engine::Sqlite, "split", SPLIT);
    for pair in FORWARD[..4].windows(2) {
        bench.step(&split, pair[0], pair[1]).await;
    }
    bench.must("UPDATE customers SET note = 'n' WHERE id = 2").await;
    expect(&mut bench, "SELECT first_name, last_name FROM customers WHERE id = 2", &[&["by", "trigger"]]).await;
    bench.must("DROP TRIGGER theirs").await;
    bench.step(&split, Migrated, Contracted).await;
    expect(&mut bench, "SELECT count(*) || '' FROM orders", &[&["2"]]).await;
    expect(&mut bench, "SELECT count(*) || '' FROM mails", &[&["2"]]).await;
    expect(&mut bench, "SELECT name FROM sqlite_schema WHERE type = 'index'", &[&["by_note"]]).await;
    expect(&mut bench, "PRAGMA integrity_check", &[&["ok"]]).await;
}

#[tokio::test]
async fn on_sqlite_a_new_row_without_a_name_passes_and_an_old_null_does_not() {
    let mut bench = customers(Engine::Sqlite).await;
    let split = change(Engine::Sqlite, "split", SPLIT);
    bench.step(&split, Pending, Expanded).await;
    assert!(
        bench.run("INSERT INTO customers (id) VALUES (3)").await.is_err(),
        "NOT NULL holds while only old versions write"
    );
    bench.step(&split, Expanded, Synced).await;
    bench.must("INSERT INTO customers (id, mail) VALUES (3, 'x')").await;
    let mut other = bench.second().await;
    sqlx::query("INSERT INTO customers (id, first_name) VALUES (4, 'Zoë')").execute(&mut other).await.unwrap();
    expect(&mut bench, "SELECT full_name FROM customers WHERE id > 2 ORDER BY id", &[&[""], &["Zoë"]]).await;
    let told = bench.run("UPDATE customers SET full_name = NULL WHERE id = 1").await.unwrap_err();
    assert!(told.contains("NOT NULL constraint failed: customers.full_name"), "{told}");
}

#[tokio::test]
async fn on_postgres_a_writer_needs_no_rights_and_no_search_path() {
    let mut bench = customers(Engine::Postgres).await;
    let split = change(Engine::Postgres, "split", SPLIT);
    bench.step(&split, Pending, Expanded).await;
    bench.step(&split, Expanded, Synced).await;
    bench.must("REVOKE ALL ON FUNCTION zzz_phasegate_split() FROM PUBLIC").await;
    bench.must("CREATE ROLE writer_of_case").await;
    bench.must("GRANT INSERT, UPDATE, SELECT ON customers TO writer_of_case").await;
    bench.must("CREATE SCHEMA trap").await;
    bench.must("GRANT USAGE ON SCHEMA trap TO writer_of_case").await;
    for trap in [
        "FUNCTION trap.strpos(text, text) RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "FUNCTION trap.substr(text, int) RETURNS text LANGUAGE sql AS $$ SELECT 'trap' $$",
        "FUNCTION trap.split_part(text, text, int) RETURNS text LANGUAGE sql AS $$ SELECT 'trap' $$",
        "FUNCTION trap.concat_ws(text, text, text) RETURNS text LANGUAGE sql AS $$ SELECT 'trap' $$",
        "FUNCTION trap.same(text, text) RETURNS boolean LANGUAGE sql AS 'SELECT true'",
        "FUNCTION trap.more(int, int) RETURNS boolean LANGUAGE sql AS 'SELECT false'",
        "FUNCTION trap.plus(int, int) RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "OPERATOR trap.= (FUNCTION = trap.same, LEFTARG = text, RIGHTARG = text)",
        "OPERATOR trap.> (FUNCTION = trap.more, LEFTARG = int, RIGHTARG = int)",
        "OPERATOR trap.+ (FUNCTION = trap.plus, LEFTARG = int, RIGHTARG = int)",
        "DOMAIN trap.text AS varchar(1)",
    ] {
        bench.must(&format!("CREATE {trap}")).await;
    }
    bench.must("SET ROLE writer_of_case").await;
    bench.must("SET search_path = trap, pg_catalog, public").await;
    bench.must("INSERT INTO public.customers (id, full_name) VALUES (3, 'Mary Lee')").await;
    bench.must("INSERT INTO public.customers (id, first_name, last_name) VALUES (4, 'Zoë', 'O')").await;
    bench.must("INSERT INTO public.customers (id, full_name) VALUES (5, 'Bob Stone'), (6, 'Eve Moon')").await;
    bench.must("UPDATE public.customers SET full_name = 'Rob Stone' WHERE id = 5").await;
    bench.must("UPDATE public.customers SET last_name = 'Sun' WHERE id = 6").await;
    bench.must("RESET ROLE").await;
    bench.must("RESET search_path").await;
    expect(
        &mut bench,
        "SELECT full_name, first_name, last_name FROM public.customers WHERE id > 2 ORDER BY id",
        &[
            &["Mary Lee", "Mary", "Lee"],
            &["Zoë O", "Zoë", "O"],
            &["Rob Stone", "Rob", "Stone"],
            &["Eve Sun", "Eve", "Sun"],
        ],
    )
    .await;
    bench.must("DROP OWNED BY writer_of_case").await;
    bench.must("DROP ROLE writer_of_case").await;
}

#[tokio::test]
async fn on_postgres_the_triggers_of_others_run_first_and_partitions_take_part() {
    let mut bench = Bench::new(Engine::Postgres).await;
    bench.must("CREATE TABLE customers (id int, full_name varchar(12) NOT NULL, note text, PRIMARY KEY (id)) PARTITION BY RANGE (id)").await;
    bench.must("CREATE TABLE low PARTITION OF customers FOR VALUES FROM (0) TO (100)").await;
    bench.must("CREATE TABLE high PARTITION OF customers FOR VALUES FROM (100) TO (200)").await;
    bench.must("CREATE FUNCTION upper_name() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.full_name := upper(NEW.full_name); RETURN NEW; END $$").await;
    bench.must("CREATE TRIGGER upper_name BEFORE INSERT OR UPDATE ON customers FOR EACH ROW WHEN (NEW.note = 'up') EXECUTE FUNCTION upper_name()").await;
    let split = change(Engine::Postgres, "split", SPLIT);
    bench.step(&split, Pending, Expanded).await;
    bench.step(&split, Expanded, Synced).await;
    bench.must("INSERT INTO customers (id, full_name, note) VALUES (1, 'anna b', 'up'), (2, 'x y', NULL)").await;
    bench.must("UPDATE customers SET note = 'up' WHERE id = 2").await;
    bench.must("INSERT INTO customers (id, first_name, last_name) VALUES (3, 'Mary Ann', 'Lee Longname')").await;
    bench.must("UPDATE customers SET id = id + 100 WHERE id = 3").await;
    bench.must("MERGE INTO customers USING (VALUES (1, 'new one'), (4, 'and four')) AS v (id, n) ON customers.id = v.id WHEN MATCHED THEN UPDATE SET full_name = n, note = NULL WHEN NOT MATCHED THEN INSERT (id, full_name) VALUES (v.id, n)").await;
    // The old column cuts what does not fit: the row is kept, and counted as lost should the change be reverted.
    expect(
        &mut bench,
        "SELECT full_name, first_name, last_name FROM customers ORDER BY id",
        &[
            &["new one", "new", "one"],
            &["X Y", "X", "Y"],
            &["and four", "and", "four"],
            &["Mary Ann Lee", "Mary Ann", "Lee Longname"],
        ],
    )
    .await;
    bench.step(&split, Synced, Migrated).await;
    assert_eq!(bench.losses(&split, Synced, Expanded).await, [1]);
    bench.step(&split, Migrated, Contracted).await;
}

#[tokio::test]
async fn on_postgres_not_null_is_set_without_reading_the_table_under_the_lock() {
    let adds = "addColumn: {table: customers, column: mail_key, type: text, nullable: false, backfill: lower(mail)}";
    for (refactoring, column) in [(RENAME, "email"), (adds, "mail_key")] {
        let mut bench = customers(Engine::Postgres).await;
        let change = change(Engine::Postgres, "it", refactoring);
        for pair in FORWARD[..4].windows(2) {
            bench.step(&change, pair[0], pair[1]).await;
        }
        let before = bench.scans_before_last_step(&change, Migrated, Contracted).await;
        assert_eq!(bench.scans().await, before, "{refactoring}");
        let catalog = bench.catalog("customers").await;
        assert!(!catalog["customers"].column(column).unwrap().nullable);
    }
}

#[tokio::test]
async fn a_conversion_written_by_hand_converts_what_it_can() {
    let text = "splitColumn:\n  table: parcels\n  column: size\n  into:\n    width: {type: int, from: \"CASE WHEN size ~ '^[0-9]{1,6}x[0-9]{1,6}$' THEN split_part(size, 'x', 1)::int END\"}\n    height: {type: int, from: \"CASE WHEN size ~ '^[0-9]{1,6}x[0-9]{1,6}$' THEN split_part(size, 'x', 2)::int END\"}\n  back: width || 'x' || height";
    let mut bench = Bench::new(Engine::Postgres).await;
    bench.must("CREATE SCHEMA app").await;
    bench.must("CREATE TABLE app.parcels (id int PRIMARY KEY, size text)").await;
    bench.must("INSERT INTO app.parcels VALUES (1, '20x30'), (2, 'huge'), (3, NULL), (4, '007x1')").await;
    let split = change(Engine::Postgres, "size", &text.replace("table: parcels", "table: app.parcels"));
    for pair in FORWARD[..4].windows(2) {
        bench.step(&split, pair[0], pair[1]).await;
    }
    bench.must("INSERT INTO app.parcels (id, size) VALUES (5, 'wide')").await;
    bench.must("INSERT INTO app.parcels (id, width, height) VALUES (6, 1, 2)").await;
    bench.must("UPDATE app.parcels SET height = 31 WHERE id = 1").await;
    let all = "SELECT size, width::text, height::text FROM app.parcels ORDER BY id";
    let rows: [&[&str]; 6] = [
        &["20x31", "20", "31"],
        &["huge", "NULL", "NULL"],
        &["NULL", "NULL", "NULL"],
        &["007x1", "7", "1"],
        &["wide", "NULL", "NULL"],
        &["1x2", "1", "2"],
    ];
    expect(&mut bench, all, &rows).await;
    assert_eq!(bench.losses(&split, Migrated, Contracted).await, [3], "huge, wide and 007x1 cannot be rebuilt");
    bench.step(&split, Migrated, Contracted).await;
}
