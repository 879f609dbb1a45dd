//! The driver of the ledger for MariaDB and MySQL, on a real server of each.

use std::{error::Error, process::Command, time::Duration};

use phase_ledger::{
    Cell, DatabaseUrl, LedgerEngine, LedgerReader, ReadError, Reading, Session, Statement, Transaction, WriteError,
    conformance::{Bench, Broken, Tamper, Tampered, write_golden},
    ledger_conformance, open_reader, open_session,
};
use sqlx::MySqlConnection;
use tests::mariadb::{Database, Flavour, PASSWORD, Server};
use tokio::{
    sync::Mutex,
    time::{Instant, sleep},
};

/// A ledger as a release left it, from each server's own tool.
const fn golden(flavour: Flavour) -> &'static str {
    match flavour {
        Flavour::Mariadb => include_str!("../../golden/ledger/format-2.mariadb.sql"),
        Flavour::Mysql => include_str!("../../golden/ledger/format-2.mysql.sql"),
    }
}

struct MariadbBench {
    database: Database,
    held: Mutex<Option<MySqlConnection>>,
}

impl MariadbBench {
    async fn new(flavour: Flavour) -> Self {
        Self::on(flavour.shared().unwrap().database().await.unwrap()).await
    }

    async fn on(database: Database) -> Self {
        database.execute("CREATE TABLE items (id bigint PRIMARY KEY)").await.unwrap();
        Self { database, held: Mutex::new(None) }
    }

    fn url(&self) -> DatabaseUrl {
        self.database.url().parse().unwrap()
    }

    async fn texts(&self, sql: &str) -> Vec<String> {
        let rows = self.database.rows(sql).await.unwrap();
        rows.into_iter().filter_map(|row| row.into_iter().next().flatten()).collect()
    }
}

#[async_trait::async_trait]
impl Bench for MariadbBench {
    fn reader(&self) -> Box<dyn LedgerReader> {
        open_reader(&self.url()).unwrap()
    }

    async fn session(&self) -> Result<Box<dyn Session>, Broken> {
        Ok(open_session(&self.url()).await?)
    }

    async fn tamper(&self, what: Tamper) -> Result<Tampered, Broken> {
        let sql = match what {
            Tamper::Format(format) => format!("UPDATE phasegate_ledger SET format = {format}"),
            Tamper::ForeignFormat(format) => format!(
                "DROP TABLE IF EXISTS phasegate_changes, phasegate_ledger;
                 CREATE TABLE phasegate_ledger (format int, epoch int);
                 INSERT INTO phasegate_ledger VALUES ({format}, 1)"
            ),
            Tamper::Artefact => {
                "CREATE TRIGGER zzz_phasegate_items BEFORE INSERT ON items FOR EACH ROW SET NEW.id = NEW.id".to_owned()
            }
            Tamper::DropLedger => "DROP TABLE IF EXISTS phasegate_ledger, phasegate_changes, phasegate_done,
                                                        phasegate_backfills, phasegate_ranges, phasegate_history"
                .to_owned(),
            Tamper::OtherServer => "UPDATE phasegate_ledger SET server = '1'".to_owned(),
            Tamper::Missing(table) => format!("DROP TABLE phasegate_{table}"),
            Tamper::Golden(2) => golden(self.database.flavour()).to_owned(),
            // No release kept a ledger of another format here.
            Tamper::Golden(_) => return Ok(Tampered::NotPossible),
            Tamper::Junk(cell) => {
                let (table, column) = (cell.table, cell.column);
                // What a server would refuse there, a restore from elsewhere may bring.
                let widen = if cell.literal.starts_with('\'') && column != "name" {
                    format!("ALTER TABLE phasegate_{table} MODIFY `{column}` LONGTEXT;")
                } else {
                    String::new()
                };
                format!("{widen} UPDATE phasegate_{table} SET `{column}` = {}", cell.literal)
            }
        };
        self.database.execute(&sql).await.map_err(Broken::new)?;
        Ok(Tampered::Done)
    }

    async fn items(&self) -> Result<u64, Broken> {
        Ok(self.texts("SELECT count(*) FROM items").await[0].parse().unwrap())
    }

    async fn history(&self) -> Result<Vec<String>, Broken> {
        let sql = "SELECT CONCAT_WS(' ', generation, `change`, event) FROM phasegate_history ORDER BY line";
        Ok(self.texts(sql).await)
    }

    async fn hold(&self) -> Result<(), Broken> {
        let mut connection = self.database.connect().await.map_err(Broken::new)?;
        let sql = "START TRANSACTION; SELECT count(*) FROM items";
        sqlx::raw_sql(sql).execute(&mut connection).await.map_err(Broken::new)?;
        *self.held.lock().await = Some(connection);
        Ok(())
    }

    async fn release(&self) -> Result<(), Broken> {
        let mut connection = self.held.lock().await.take().unwrap();
        sqlx::raw_sql("ROLLBACK").execute(&mut connection).await.map_err(Broken::new)?;
        Ok(())
    }

    fn ddl_is_transactional(&self) -> bool {
        false
    }

    fn slow(&self) -> Option<Statement> {
        Some(Statement::plain("SELECT SLEEP(1)"))
    }
}

ledger_conformance!(MariadbBench::new(Flavour::Mariadb));

mod of_mysql {
    use super::*;

    ledger_conformance!(MariadbBench::new(Flavour::Mysql));
}

fn chain(error: &dyn Error) -> String {
    let mut text = format!("{error} {error:?}");
    let mut next = error.source();
    while let Some(source) = next {
        text.push_str(&format!(": {source} {source:?}"));
        next = source.source();
    }
    text
}

fn work(sql: &[&str]) -> Transaction {
    let lock_timeout = Duration::from_secs(1);
    Transaction { work: sql.iter().map(|sql| Statement::plain(*sql)).collect(), lock_timeout, ..Transaction::default() }
}

tests::on_both!(a_user_who_may_only_select_can_be_the_gate);
async fn a_user_who_may_only_select_can_be_the_gate(flavour: Flavour) {
    let bench = MariadbBench::new(flavour).await;
    let database = &bench.database;
    let user = database.user("gate").await.unwrap();
    let url: DatabaseUrl = database.url_as(&user).parse().unwrap();
    let reader = open_reader(&url).unwrap();
    let error = reader.read().await.unwrap_err();
    assert!(matches!(error, ReadError::Unreachable { .. }) && chain(&error).contains("1044"), "{}", chain(&error));

    // It sees the database, and nothing of the ledger: whether there is one stays unknown.
    database.grant(&user, "SELECT", "items").await.unwrap();
    let refused = |error: &ReadError, named: &str| {
        matches!(error, ReadError::NotPermitted { table } if table == named)
            && error.to_string().contains("grant SELECT")
    };
    let error = reader.read().await.unwrap_err();
    assert!(refused(&error, "phasegate_ledger"), "{error:?}");
    bench.session().await.unwrap().take_over("a test").await.unwrap();
    let error = reader.read().await.unwrap_err();
    assert!(refused(&error, "phasegate_ledger"), "{error:?}");
    let tables = ["ledger", "changes", "done", "backfills"].map(|table| format!("phasegate_{table}"));
    for table in &tables {
        database.grant(&user, "SELECT", table).await.unwrap();
    }
    assert!(matches!(reader.read().await.unwrap(), Reading::Ledger(_)));
    database.execute(&format!("REVOKE SELECT ON {} FROM '{user}'@'127.0.0.1'", tables[2])).await.unwrap();
    let error = reader.read().await.unwrap_err();
    assert!(refused(&error, "phasegate_done"), "{error:?}");

    // It can write nothing of it.
    let mut session = open_session(&url).await.unwrap();
    for sql in
        ["UPDATE phasegate_ledger SET generation = 9", "DELETE FROM phasegate_changes", "CREATE TABLE more (id int)"]
    {
        let error = session.query(&Statement::plain(sql)).await.unwrap_err();
        assert!(chain(&error).contains("denied"), "{}", chain(&error));
    }
    assert!(session.take_over("the gate").await.is_err());
}

tests::on_both!(a_comment_of_a_runner_is_an_artefact_too);
async fn a_comment_of_a_runner_is_an_artefact_too(flavour: Flavour) {
    let bench = MariadbBench::new(flavour).await;
    bench.database.execute("ALTER TABLE items ADD COLUMN more int COMMENT 'phasegate: split-full-name'").await.unwrap();
    let error = bench.reader().read().await.unwrap_err();
    let named = |objects: &str| objects.contains("items.more") && objects.contains("phasegate: split-full-name");
    assert!(matches!(&error, ReadError::Unexplained { objects } if named(objects)), "{error:?}");
    bench.database.execute("ALTER TABLE items MODIFY COLUMN more int COMMENT 'about phasegate: no'").await.unwrap();
    assert_eq!(bench.reader().read().await.unwrap(), Reading::NotBegun);
}

tests::on_both!(who_died_while_the_ledger_was_made_left_nothing_in_the_way);
async fn who_died_while_the_ledger_was_made_left_nothing_in_the_way(flavour: Flavour) {
    let bench = MariadbBench::new(flavour).await;
    bench.session().await.unwrap().take_over("a test").await.unwrap();
    // All is there but the last step.
    bench.database.execute("RENAME TABLE phasegate_ledger TO phasegate_ledger_new").await.unwrap();
    bench.database.execute("DELETE FROM phasegate_ledger_new; DROP TABLE phasegate_done").await.unwrap();
    assert_eq!(bench.reader().read().await.unwrap(), Reading::NotBegun);
    let mut session = bench.session().await.unwrap();
    let generation = session.take_over("the next").await.unwrap();
    session.commit(generation, &work(&["INSERT INTO items VALUES (1)"])).await.unwrap();
    assert!(matches!(bench.reader().read().await.unwrap(), Reading::Ledger(_)));
    // With changes in it, it was a ledger.
    let row = "INSERT INTO phasegate_changes VALUES ('c', 1, 'v1', 'pending..migrated', 'migrated..contracted', 'rows',
               'd', 'pending', NULL, 0, 0)";
    bench.database.execute(row).await.unwrap();
    bench.database.execute("DROP TABLE phasegate_ledger").await.unwrap();
    for error in [bench.reader().read().await.unwrap_err(), session.read().await.unwrap_err()] {
        assert!(matches!(&error, ReadError::Damaged { table, .. } if table == "phasegate_ledger"), "{error:?}");
    }
}

tests::on_both!(a_server_of_its_own_that_is_read_only_or_set_strangely);
async fn a_server_of_its_own_that_is_read_only_or_set_strangely(flavour: Flavour) {
    let server = Server::start_as(
        flavour,
        &[
            "--autocommit=0",
            "--transaction-isolation=SERIALIZABLE",
            "--sql-mode=ANSI_QUOTES,PIPES_AS_CONCAT",
            "--group-concat-max-len=4",
            "--character-set-server=latin1",
            "--lock-wait-timeout=86400",
        ],
    )
    .unwrap();
    let database = server.database().await.unwrap();
    database.execute("SET autocommit = 1; CREATE TABLE items (id bigint PRIMARY KEY)").await.unwrap();
    let bench = MariadbBench { database, held: Mutex::new(None) };

    // Nothing of it reaches the ledger: a gate's next read is a new one, and lists are whole.
    let mut session = bench.session().await.unwrap();
    assert!(session.try_lock().await.unwrap());
    let reader = bench.reader();
    assert_eq!(reader.read().await.unwrap(), Reading::NotBegun);
    drop(session);
    let mut session = bench.session().await.unwrap();
    write_golden(session.as_mut()).await.unwrap();
    let Reading::Ledger(seen) = reader.read().await.unwrap() else { panic!("no ledger") };
    assert_eq!(Reading::Ledger(seen.clone()), session.read().await.unwrap());
    assert_eq!(seen.generation.0, 2);
    let shown = "SELECT CONCAT_WS(' ', @@autocommit, @@sql_mode, @@wait_timeout, @@lock_wait_timeout,
                                  @@innodb_lock_wait_timeout, {}, @@character_set_client)";
    let (isolation, on) = match flavour {
        Flavour::Mariadb => ("@@tx_isolation", "ON"),
        Flavour::Mysql => ("@@transaction_isolation", "1"),
    };
    let shown = shown.replace("{}", isolation);
    assert_eq!(
        session.query(&Statement::plain(shown.as_str())).await.unwrap(),
        [[Cell::Text(format!("{on} STRICT_TRANS_TABLES,NO_ENGINE_SUBSTITUTION 60 5 5 READ-COMMITTED utf8mb4"))]]
    );

    // A replica shows yesterday's phase.
    bench.database.execute("SET GLOBAL read_only = 1").await.unwrap();
    for reader in [&reader, &bench.reader()] {
        assert!(matches!(reader.read().await, Err(ReadError::Standby)));
    }
    assert!(matches!(session.read().await, Err(ReadError::Standby)));
    let mut session = bench.session().await.unwrap();
    assert!(matches!(session.try_lock().await, Err(WriteError::Read(ReadError::Standby))));
    assert!(matches!(session.take_over("a test").await, Err(WriteError::Read(ReadError::Standby))));
    let empty = server.database().await.unwrap();
    let reader = open_reader(&empty.url().parse().unwrap()).unwrap();
    assert!(matches!(reader.read().await, Err(ReadError::Standby)), "nor does one without a ledger answer");

    // And when it is away, that passes.
    drop(server);
    let error = reader.read().await.unwrap_err();
    assert!(matches!(error, ReadError::Unreachable { .. }) && error.is_transient(), "{error:?}");
    assert!(!chain(&error).contains(PASSWORD));
}

tests::on_both!(the_lock_is_held_for_as_long_as_a_dead_runners_statement_runs);
async fn the_lock_is_held_for_as_long_as_a_dead_runners_statement_runs(flavour: Flavour) {
    let bench = MariadbBench::new(flavour).await;
    let mut old = bench.session().await.unwrap();
    assert!(old.try_lock().await.unwrap());
    let generation = old.take_over("a test").await.unwrap();
    let sleeping = Statement::plain("INSERT INTO items SELECT SLEEP(2) + 7");
    let begun =
        tokio::time::timeout(Duration::from_millis(500), old.run_alone(generation, &sleeping, Duration::from_secs(1)));
    assert!(begun.await.is_err(), "it still runs");
    drop(old);
    let mut new = bench.session().await.unwrap();
    let began = Instant::now();
    while !new.try_lock().await.unwrap() {
        assert!(began.elapsed() < Duration::from_secs(20), "the server did not notice");
        sleep(Duration::from_millis(25)).await;
    }
    assert_eq!(bench.items().await.unwrap(), 1, "it was over before the lock was free");
    new.take_over("the next").await.unwrap();
}

tests::on_both!(a_lost_lock_and_a_swapped_session_are_noticed);
async fn a_lost_lock_and_a_swapped_session_are_noticed(flavour: Flavour) {
    let bench = MariadbBench::new(flavour).await;
    let mut session = bench.session().await.unwrap();
    assert!(session.try_lock().await.unwrap());
    let generation = session.take_over("a test").await.unwrap();
    session.heartbeat().await.unwrap();
    session.query(&Statement::plain("SELECT RELEASE_ALL_LOCKS()")).await.unwrap();
    let alone = Statement::plain("INSERT INTO items VALUES (1)");
    let error = session.run_alone(generation, &alone, Duration::ZERO).await.unwrap_err();
    assert!(matches!(error, WriteError::Transient { .. }), "{error:?}");
    assert!(session.try_lock().await.is_err(), "and the session does not come back");

    // As behind a proxy that resets a session, or hands out another.
    let mut session = bench.session().await.unwrap();
    let generation = session.take_over("a test").await.unwrap();
    session.query(&Statement::plain("SELECT @phasegate_mark := 'another'")).await.unwrap();
    let pooler = |error: &WriteError| matches!(error, WriteError::Read(ReadError::Pooler));
    assert!(pooler(&session.try_lock().await.unwrap_err()));
    assert!(pooler(&session.commit(generation, &work(&["INSERT INTO items VALUES (1)"])).await.unwrap_err()));
    assert!(pooler(&session.run_alone(generation, &alone, Duration::ZERO).await.unwrap_err()));
    assert!(pooler(&session.take_over("a test").await.unwrap_err()));
    assert_eq!(bench.items().await.unwrap(), 0);
}

tests::on_both!(each_database_has_a_lock_of_its_own);
async fn each_database_has_a_lock_of_its_own(flavour: Flavour) {
    let (one, two) = (MariadbBench::new(flavour).await, MariadbBench::new(flavour).await);
    let (mut first, mut second) = (one.session().await.unwrap(), two.session().await.unwrap());
    assert!(first.try_lock().await.unwrap() && second.try_lock().await.unwrap());
}

tests::on_both!(what_passes_by_itself_is_told_from_what_does_not);
async fn what_passes_by_itself_is_told_from_what_does_not(flavour: Flavour) {
    let bench = MariadbBench::new(flavour).await;
    let mut session = bench.session().await.unwrap();
    let generation = session.take_over("a test").await.unwrap();
    session.commit(generation, &work(&["INSERT INTO items VALUES (1), (2)"])).await.unwrap();

    // A row that somebody writes.
    let mut app = bench.database.connect().await.unwrap();
    sqlx::raw_sql("START TRANSACTION; UPDATE items SET id = 3 WHERE id = 1").execute(&mut app).await.unwrap();
    let write = work(&["UPDATE items SET id = 4 WHERE id = 1"]);
    let error = session.commit(generation, &write).await.unwrap_err();
    assert!(
        matches!(&error, WriteError::LockNotAvailable { blocker: Some(who), .. } if who.contains("admin")),
        "{error:?}"
    );
    // A deadlock: each has what the other wants.
    let ours = ["UPDATE items SET id = 5 WHERE id = 2", "SELECT SLEEP(0.5)", "UPDATE items SET id = 6 WHERE id = 1"];
    let ours = work(&ours);
    let (ours, theirs) = tokio::join!(session.commit(generation, &ours), async {
        sleep(Duration::from_millis(250)).await;
        sqlx::raw_sql("UPDATE items SET id = 7 WHERE id = 2").execute(&mut app).await
    });
    let deadlocks = [ours.as_ref().is_err_and(WriteError::is_transient), theirs.is_err()];
    assert!(deadlocks.contains(&true), "{ours:?} {theirs:?}");
    sqlx::raw_sql("ROLLBACK").execute(&mut app).await.unwrap();
    // The server, or somebody, ends the session; then another one goes on.
    bench.database.execute("INSERT INTO items VALUES (8)").await.unwrap();
    let thread = session.query(&Statement::plain("SELECT CAST(CONNECTION_ID() AS CHAR)")).await.unwrap();
    let [row] = thread.as_slice() else { panic!("{thread:?}") };
    let Cell::Text(thread) = &row[0] else { panic!("{row:?}") };
    bench.database.execute(&format!("KILL {thread}")).await.unwrap();
    let error = session.commit(generation, &work(&["INSERT INTO items VALUES (9)"])).await.unwrap_err();
    assert!(error.is_transient(), "{error:?}");
    assert!(session.commit(generation, &work(&["INSERT INTO items VALUES (9)"])).await.is_err());
    let mut session = bench.session().await.unwrap();
    // The server itself is short of something: a file of its own that is gone, its disk, its engine, a table.
    for (number, what) in
        [(6, "files it can read"), (1021, "disk space"), (1030, "files it can read"), (1114, "disk space")]
    {
        let planted = format!(
            "CREATE FUNCTION short_of_{number}() RETURNS int DETERMINISTIC NO SQL BEGIN SIGNAL SQLSTATE 'HY000' \
             SET MYSQL_ERRNO = {number}, MESSAGE_TEXT = 'planted'; RETURN 1; END"
        );
        bench.database.execute(&planted).await.unwrap();
        let sql = format!("SELECT short_of_{number}()");
        let error = session.query(&Statement::plain(sql.as_str())).await.unwrap_err();
        assert!(matches!(error, ReadError::Passing { .. }) && error.is_transient(), "{number}: {error:?}");
        assert!(chain(&error).contains(&format!("the server is short of {what}")), "{error:?}");
        let error = session.commit(generation, &work(&[&sql])).await.unwrap_err();
        assert!(matches!(error, WriteError::Transient { .. }), "{number}: {error:?}");
    }
    // What no waiting cures, and what would leave the fence.
    for sql in [
        "INSERT INTO items VALUES ('x')",
        "INSERT INTO nowhere VALUES (1)",
        "SET autocommit = 1",
        "ALTER TABLE items ADD COLUMN a int",
        "LOCK TABLES items WRITE",
        "/*!50000 COMMIT */",
        "INSERT INTO items VALUES (10); COMMIT",
        "INSERT INTO items VALUES (1 + 'it\\'s'); COMMIT; --'",
    ] {
        let error = session.commit(generation, &work(&["INSERT INTO items VALUES (11)", sql])).await.unwrap_err();
        assert!(matches!(error, WriteError::Refused { .. }), "{sql}: {error:?}");
    }
    for sql in ["LOCK TABLES items WRITE", "SET wait_timeout = 1", "COMMIT", "ALTER TABLE items ADD a int; COMMIT"] {
        let error = session.run_alone(generation, &Statement::plain(sql), Duration::ZERO).await.unwrap_err();
        assert!(matches!(error, WriteError::Refused { .. }), "{sql}: {error:?}");
    }
    let left = bench.texts("SELECT id FROM items WHERE id > 8").await;
    assert!(left.is_empty(), "{left:?}");
    // DDL and triggers, each alone.
    for sql in [
        "ALTER TABLE items ADD COLUMN a int, ALGORITHM=INSTANT",
        "CREATE TRIGGER t BEFORE INSERT ON items FOR EACH ROW BEGIN SET NEW.a = 1; SET NEW.a = NEW.a + 1; END",
        "DROP TRIGGER t",
        "CREATE INDEX i ON items (a)",
        "DROP INDEX i ON items",
    ] {
        session.run_alone(generation, &Statement::plain(sql), Duration::ZERO).await.unwrap();
    }
}

tests::on_both!(an_application_that_comes_after_ddl_is_stalled_for_no_longer_than_its_timeout);
async fn an_application_that_comes_after_ddl_is_stalled_for_no_longer_than_its_timeout(flavour: Flavour) {
    let bench = MariadbBench::new(flavour).await;
    bench.database.execute("INSERT INTO items VALUES (1)").await.unwrap();
    let mut session = bench.session().await.unwrap();
    let generation = session.take_over("a test").await.unwrap();
    bench.hold().await.unwrap();
    let mut app = bench.database.connect().await.unwrap();
    let alter = Statement::plain("ALTER TABLE items ADD COLUMN more int, ALGORITHM=INSTANT");
    for bound in [0, 50, 200] {
        let stalled = async {
            let mut worst = Duration::ZERO;
            for _ in 0..20 {
                let began = Instant::now();
                sqlx::raw_sql("SELECT id FROM items").execute(&mut app).await.unwrap();
                worst = worst.max(began.elapsed());
                sleep(Duration::from_millis(10)).await;
            }
            worst
        };
        let alter = session.run_alone(generation, &alter, Duration::from_millis(bound));
        let (outcome, worst) = tokio::join!(alter, stalled);
        assert!(matches!(outcome, Err(WriteError::LockNotAvailable { .. })), "{outcome:?}");
        println!("DDL that may wait for {bound} ms: the longest statement behind it took {worst:?}");
    }
    bench.release().await.unwrap();
    session.run_alone(generation, &alter, Duration::from_millis(50)).await.unwrap();
}

tests::on_both!(values_of_every_kind_go_both_ways);
async fn values_of_every_kind_go_both_ways(flavour: Flavour) {
    let bench = MariadbBench::new(flavour).await;
    let mut session = bench.session().await.unwrap();
    // MySQL has no such type.
    let uuid = if flavour == Flavour::Mariadb { "uuid" } else { "char(36)" };
    bench
        .database
        .execute(
            &"CREATE TABLE kinds (a tinyint, b smallint unsigned, c mediumint, d int unsigned, e bigint, f bigint unsigned,
                                 g boolean, h float, i double, j decimal(20,5), k char(3), l varchar(9), m text, n binary(2),
                                 o varbinary(9), p blob, q enum('x','y'), r UUID, s varchar(9) COLLATE utf8mb4_bin,
                                 t varchar(9) CHARACTER SET latin1);
             INSERT INTO kinds VALUES (-1, 65535, -5, 4294967295, -9223372036854775808, 18446744073709551615, true, 0.5, 0.25,
                                       1.5, 'abc', 'v', 't', x'00ff', x'ff', x'0001', 'y',
                                       '5f0c7f0e-8f5a-4f5e-9d5c-0123456789ab', 'Bin', 'ü')"
            .replace("UUID", uuid),
        )
        .await
        .unwrap();
    let text = |text: &str| Cell::Text(text.to_owned());
    let expected = [
        Cell::Int(-1),
        Cell::Int(65_535),
        Cell::Int(-5),
        Cell::Int(4_294_967_295),
        Cell::Int(i64::MIN),
        text("18446744073709551615"),
        Cell::Int(1),
        Cell::Real(0.5),
        Cell::Real(0.25),
        text("1.50000"),
        text("abc"),
        text("v"),
        text("t"),
        Cell::Bytes(vec![0, 255]),
        Cell::Bytes(vec![255]),
        Cell::Bytes(vec![0, 1]),
        text("y"),
        text("5f0c7f0e-8f5a-4f5e-9d5c-0123456789ab"),
        text("Bin"),
        text("ü"),
    ];
    let rows = session.query(&Statement::plain("SELECT * FROM kinds")).await.unwrap();
    assert_eq!(rows.as_slice(), std::slice::from_ref(&expected.to_vec()));
    // What was read is what finds the row again.
    for (column, cell) in ["a", "b", "c", "d", "e", "f", "j", "k", "l", "n", "o", "q", "r", "s", "t"]
        .into_iter()
        .zip([0, 1, 2, 3, 4, 5, 9, 10, 11, 13, 14, 16, 17, 18, 19].map(|at: usize| expected[at].clone()))
    {
        let sql = format!("SELECT COUNT(*) FROM kinds WHERE {column} >= ? AND {column} <= ?");
        let rows = session.query(&Statement { sql, binds: vec![cell.clone(), cell.clone()] }).await.unwrap();
        assert_eq!(rows, [[Cell::Int(1)]], "{column}: {cell:?}");
    }
    let error = session.query(&Statement::plain("SELECT NOW() AS moment")).await.unwrap_err();
    assert!(chain(&error).contains("column moment"), "{}", chain(&error));
    assert!(chain(&error).contains("cast the column to text"), "{}", chain(&error));
    assert_eq!(
        session.query(&Statement::plain("SELECT NULL, SUM(a) FROM kinds")).await.unwrap(),
        [[Cell::Null, text("-1")]]
    );
}

tests::on_both!(the_address_may_call_it_mysql_and_must_say_which_database);
async fn the_address_may_call_it_mysql_and_must_say_which_database(flavour: Flavour) {
    let bench = MariadbBench::new(flavour).await;
    let url = bench.database.url().replace("mariadb://", "mysql://");
    let mut session = open_session(&url.parse().unwrap()).await.unwrap();
    assert!(session.try_lock().await.unwrap());
    let (other, told) = match flavour {
        Flavour::Mariadb => (LedgerEngine::Mysql, "MySQL was declared, and the server is MariaDB 10.11"),
        Flavour::Mysql => (LedgerEngine::Mariadb, "MariaDB was declared, and the server is MySQL "),
    };
    let declared = url.parse::<DatabaseUrl>().unwrap().expecting(other).unwrap();
    let error = open_session(&declared).await.err().unwrap();
    assert!(error.to_string().contains(told), "{error}");
    let error = open_reader(&declared).unwrap().read().await.unwrap_err();
    assert!(matches!(error, ReadError::Unsupported { .. }) && !error.is_transient(), "{error:?}");
    // MariaDB has no TLS here, and MySQL's certificate is of its own making: who demands more does not get in without,
    // and no password is in the message.
    let modes: &[&str] = match flavour {
        Flavour::Mariadb => &["required", "verify_ca", "verify_identity"],
        Flavour::Mysql => &["verify_ca", "verify_identity"],
    };
    for mode in modes {
        let url: DatabaseUrl = format!("{url}?ssl-mode={mode}").parse().unwrap();
        let error = open_reader(&url).unwrap().read().await.unwrap_err();
        assert!(
            matches!(error, ReadError::Unreachable { .. }) && !chain(&error).contains(PASSWORD),
            "{}",
            chain(&error)
        );
    }
    let wrong: DatabaseUrl = url.replace("admin:", "admin:not").parse().unwrap();
    let error = open_session(&wrong).await.err().unwrap();
    assert!(chain(&error).contains("denied") && !chain(&error).contains(PASSWORD), "{}", chain(&error));
}

tests::on_both!(a_new_ledger_has_the_tables_of_its_format);
async fn a_new_ledger_has_the_tables_of_its_format(flavour: Flavour) {
    let columns =
        "SELECT CONCAT_WS(' ', table_name, ordinal_position, column_name, column_type, is_nullable, column_key,
                                    collation_name)
                     FROM information_schema.columns WHERE table_schema = DATABASE() AND table_name <> 'items'
                    ORDER BY table_name, ordinal_position";
    let (new, golden) = (MariadbBench::new(flavour).await, MariadbBench::new(flavour).await);
    new.session().await.unwrap().take_over("a test").await.unwrap();
    golden.tamper(Tamper::Golden(2)).await.unwrap();
    assert_eq!(new.texts(columns).await, golden.texts(columns).await, "another table needs another format");
}

/// `cargo test -p tests --test ledger -- --ignored renews_the_golden`, for a format that has no dump yet.
#[tokio::test]
#[ignore = "writes the file that the other tests read"]
async fn renews_the_golden() {
    for (flavour, tool) in [
        (Flavour::Mariadb, "mariadb-dump".into()),
        (Flavour::Mysql, tests::mysql::programs().unwrap().join("mysqldump")),
    ] {
        let bench = MariadbBench::new(flavour).await;
        write_golden(bench.session().await.unwrap().as_mut()).await.unwrap();
        bench.database.execute("DROP TABLE items").await.unwrap();
        let dump = Command::new(tool)
            .args(["--no-defaults", "--skip-comments", "--skip-extended-insert", "--skip-add-drop-table"])
            .args(["--skip-add-locks", "--skip-opt", "--create-options", "--protocol=tcp", "--host=127.0.0.1"])
            .args(if flavour == Flavour::Mysql { &["--no-tablespaces", "--set-gtid-purged=OFF"][..] } else { &[] })
            .arg("--user=admin")
            .arg(format!("--port={}", flavour.shared().unwrap().port()))
            .arg(format!("--password={PASSWORD}"))
            .arg(bench.database.name())
            .output()
            .unwrap();
        assert!(dump.status.success(), "{}", String::from_utf8_lossy(&dump.stderr));
        let version = bench.texts("SELECT SUBSTRING_INDEX(@@version, '-', 1)").await.remove(0);
        let head = format!(
            "-- A ledger of format 2, as written by phase_ledger::conformance::write_golden. Recipe: there, and in\n\
             -- tests/engines/ledger/mariadb.rs. {} {version}.\n",
            if flavour == Flavour::Mariadb { "MariaDB" } else { "MySQL" }
        );
        let path = format!("{}/golden/ledger/format-2.{}.sql", env!("CARGO_MANIFEST_DIR"), flavour.as_str());
        std::fs::write(path, format!("{head}{}", String::from_utf8(dump.stdout).unwrap())).unwrap();
    }
}

tests::on_both!(a_gates_read_costs_a_millisecond_or_so);
/// Prints what a gate pays for a question: `cargo test -p tests --test ledger -- --nocapture costs`.
async fn a_gates_read_costs_a_millisecond_or_so(flavour: Flavour) {
    let bench = MariadbBench::new(flavour).await;
    bench.tamper(Tamper::Golden(2)).await.unwrap();
    bench.session().await.unwrap().take_over("a test").await.unwrap();
    let reader = bench.reader();
    let mut times = Vec::new();
    for _ in 0..1_000 {
        let began = Instant::now();
        reader.read().await.unwrap();
        times.push(began.elapsed());
    }
    times.sort();
    println!("a read on MariaDB: median {:?}, 99th of 100 {:?}", times[500], times[990]);
}
