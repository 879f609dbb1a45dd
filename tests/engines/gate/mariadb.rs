//! MariaDB and MySQL: the account of `phasegate gate-role` reads the ledger, has statements prepared, and writes nothing.

use std::{io::Write, process::Stdio};

use phase_ledger::{
    Prepared, Probe, ProbeError, QueryAnswer, Reading, TableName, open_probe, open_reader, open_session,
};
use schema_changes::Engine;
use schema_runner::{GateRole, gate_role};
use sqlx::AssertSqlSafe;
use tests::mariadb::{Database, Flavour, PASSWORD, Server, goodbye};

use crate::BOUND;

/// As the code of the product names it.
pub(crate) const fn engine(flavour: Flavour) -> Engine {
    match flavour {
        Flavour::Mariadb => Engine::Mariadb,
        Flavour::Mysql => Engine::Mysql,
    }
}

/// With the server's own client, as an administrator does it: the SQL has DELIMITER in it.
pub(crate) fn administer(server: &Server, database: &Database, sql: &str) {
    let mut client = database.flavour().client().unwrap();
    client.args(["--no-defaults", "--protocol=tcp", "--host=127.0.0.1", "--user=admin"]);
    client.arg(format!("--port={}", server.port())).arg(database.name()).env("MYSQL_PWD", PASSWORD);
    let mut child = client.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(sql.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// A database with a ledger, an app's tables, functions and the gate's account; the account and its URL.
async fn shop(flavour: Flavour) -> (Database, String, String) {
    let server = flavour.shared().unwrap();
    let database = server.database().await.unwrap();
    let mut session = open_session(&database.url().parse().unwrap()).await.unwrap();
    assert!(session.try_lock().await.unwrap());
    session.take_over("a test").await.unwrap();
    database
        .execute(
            "CREATE TABLE customers (id bigint PRIMARY KEY, full_name varchar(100) NOT NULL, note text); \
             INSERT INTO customers VALUES (1, 'Ada Lovelace', NULL); CREATE TABLE ran (at int); \
             CREATE TABLE many (id bigint PRIMARY KEY); INSERT INTO many \
               SELECT 1 + a.d + 10 * b.d + 100 * c.d + 1000 * e.d + 10000 * f.d \
                 FROM (SELECT 0 AS d UNION SELECT 1 UNION SELECT 2 UNION SELECT 3 UNION SELECT 4 UNION SELECT 5 \
                       UNION SELECT 6 UNION SELECT 7 UNION SELECT 8 UNION SELECT 9) a, TEN b, TEN c, TEN e, TEN f"
                .replace(
                    "TEN",
                    "(SELECT 0 AS d UNION SELECT 1 UNION SELECT 2 UNION SELECT 3 UNION SELECT 4 UNION SELECT 5 \
                       UNION SELECT 6 UNION SELECT 7 UNION SELECT 8 UNION SELECT 9)",
                )
                .as_str(),
        )
        .await
        .unwrap();
    let functions = "DELIMITER $$\n\
        CREATE FUNCTION writes() RETURNS varchar(20) DETERMINISTIC MODIFIES SQL DATA \
          BEGIN INSERT INTO ran VALUES (1); RETURN '/a'; END$$\n\
        CREATE FUNCTION tells() RETURNS varchar(20) DETERMINISTIC READS SQL DATA \
          RETURN (SELECT full_name FROM customers LIMIT 1)$$\n\
        CREATE PROCEDURE harms() DELETE FROM customers$$\n";
    // Whether functions may be made with the binary log on is not what is tested here.
    administer(server, &database, &format!("SET SESSION sql_log_bin = 0;\n{functions}"));
    let gate = format!("gate_of_{}", database.name());
    let sql = gate_role(&GateRole {
        engine: engine(flavour),
        role: gate.clone(),
        runner: "admin".to_owned(),
        database: database.name().to_owned(),
        schemas: vec![],
    })
    .unwrap();
    administer(server, &database, &sql);
    // It may be run again.
    administer(server, &database, &sql);
    let unlock = format!("ALTER USER '{gate}'@'%' IDENTIFIED BY '{PASSWORD}'; ALTER USER '{gate}'@'%' ACCOUNT UNLOCK");
    database.execute(&unlock).await.unwrap();
    let url = database.url_as(&gate);
    (database, gate, url)
}

async fn probe(url: &str) -> Box<dyn Probe> {
    open_probe(&url.parse().unwrap(), BOUND).await.unwrap()
}

/// All there is in the database, and all who may do what.
async fn everything(database: &Database) -> Vec<Vec<Option<String>>> {
    let sql = format!(
        "SELECT 'rows', (SELECT GROUP_CONCAT(id, full_name, IFNULL(note, '')) FROM {0}.customers), \
                (SELECT COUNT(*) FROM {0}.ran), (SELECT generation FROM {0}.phasegate_ledger) \
         UNION ALL SELECT 'routines', GROUP_CONCAT(routine_name ORDER BY routine_name), '', '' \
           FROM information_schema.routines WHERE routine_schema = '{0}' \
         UNION ALL SELECT 'triggers', COUNT(*), '', '' FROM information_schema.triggers WHERE trigger_schema = '{0}' \
         UNION ALL SELECT 'users', COUNT(*), '', '' FROM mysql.user WHERE user LIKE '%{0}%'",
        database.name()
    );
    let mut rows = database.rows(&sql).await.unwrap();
    let columns = format!(
        "SELECT table_name, column_name, column_type FROM information_schema.columns WHERE table_schema = '{}' ORDER BY 1, 2",
        database.name()
    );
    rows.extend(database.rows(&columns).await.unwrap());
    rows
}

/// What somebody who stole the gate's password would try, as it stands and as the argument of the procedure.
const HARM: [&str; 29] = [
    "UPDATE phasegate_ledger SET generation = 99",
    "INSERT INTO phasegate_done VALUES ('a', 1)",
    "DELETE FROM phasegate_changes",
    "DROP TABLE phasegate_ledger",
    "ALTER TABLE phasegate_ledger ADD COLUMN mine int",
    "SELECT * FROM customers",
    "SELECT full_name FROM customers INTO OUTFILE '/tmp/phasegate-mine'",
    "INSERT INTO customers VALUES (2, 'x', NULL)",
    "REPLACE INTO customers VALUES (1, 'x', NULL)",
    "UPDATE customers SET note = 'x'",
    "DELETE FROM customers",
    "TRUNCATE TABLE customers",
    "ALTER TABLE customers ADD COLUMN mine int",
    "DROP TABLE customers",
    "CREATE TABLE mine (a int)",
    "CREATE VIEW mine AS SELECT * FROM customers",
    "CREATE INDEX mine ON customers (full_name)",
    "RENAME TABLE customers TO mine",
    "CREATE TRIGGER mine BEFORE INSERT ON customers FOR EACH ROW SET NEW.note = 'x'",
    "CREATE PROCEDURE mine() DELETE FROM customers",
    "SELECT writes()",
    "DO writes()",
    "CALL harms()",
    "LOCK TABLES customers WRITE",
    "LOAD DATA INFILE '/etc/passwd' INTO TABLE customers",
    "CREATE USER mine",
    "GRANT ALL ON *.* TO CURRENT_USER()",
    "SET GLOBAL max_connections = 10",
    "CREATE DATABASE mine",
];

tests::on_both!(the_printed_account_reads_the_ledger_and_writes_nothing);
async fn the_printed_account_reads_the_ledger_and_writes_nothing(flavour: Flavour) {
    let (database, gate, url) = shop(flavour).await;
    let reader = open_reader(&url.parse().unwrap()).unwrap();
    assert!(matches!(reader.read().await.unwrap(), Reading::Ledger(_)));
    let before = everything(&database).await;
    let mut connection = database.connect_as(&gate).await.unwrap();
    for harm in HARM {
        let told = sqlx::raw_sql(AssertSqlSafe(harm)).execute(&mut connection).await;
        let error = told.expect_err(harm).to_string();
        assert!(
            ["denied", "Access denied", "SUPER privilege"].iter().any(|word| error.contains(word)),
            "{harm}: {error}"
        );
    }
    assert_eq!(everything(&database).await, before);
    // The account that lends its rights lets nobody in.
    let lender = format!("{gate}_probe");
    let (locked, yes) = match flavour {
        Flavour::Mariadb => ("JSON_VALUE(priv, '$.account_locked') FROM mysql.global_priv", "1"),
        Flavour::Mysql => ("account_locked FROM mysql.user", "Y"),
    };
    let locked = database.rows(&format!("SELECT {locked} WHERE user = '{lender}'")).await.unwrap();
    assert_eq!(locked, [[Some(yes.to_owned())]]);
}

tests::on_both!(what_is_prepared_for_it_is_never_run_and_nothing_of_it_stays);
async fn what_is_prepared_for_it_is_never_run_and_nothing_of_it_stays(flavour: Flavour) {
    let (database, gate, _) = shop(flavour).await;
    let before = everything(&database).await;
    let mut connection = database.connect_as(&gate).await.unwrap();
    for harm in HARM {
        // Understood or refused: whichever, it is not run. Most of these the gate does not even pass on.
        let _ = sqlx::query("CALL phasegate_prepare(?)").bind(harm).execute(&mut connection).await;
    }
    assert_eq!(everything(&database).await, before);
    assert!(!std::path::Path::new("/tmp/phasegate-mine").exists());
    // The definer's rights end with the procedure: were its statement left behind, it would run with the caller's.
    let prepare = match flavour {
        Flavour::Mariadb => "PREPARE phasegate_told FROM told",
        Flavour::Mysql => "SET @told = told; PREPARE phasegate_told FROM @told",
    };
    let left = format!(
        "DELIMITER $$\nCREATE DEFINER = '{gate}_probe'@'localhost' PROCEDURE leaves(IN told LONGTEXT) \
         BEGIN {prepare}; END$$\nDELIMITER ;\nGRANT EXECUTE ON PROCEDURE leaves TO '{gate}'@'%';\n\
         GRANT EXECUTE ON PROCEDURE leaves TO '{gate}_probe'@'localhost';"
    );
    administer(flavour.shared().unwrap(), &database, &left);
    let before = everything(&database).await;
    for harm in
        ["DELETE FROM customers", "UPDATE customers SET note = 'x'", "INSERT INTO customers VALUES (2, 'x', '')"]
    {
        for (sql, fails) in [
            (format!("CALL leaves(\"{harm}\")"), None),
            ("EXECUTE phasegate_told".to_owned(), Some("command denied")),
            (format!("CALL phasegate_prepare(\"{harm}\")"), None),
            ("EXECUTE phasegate_told".to_owned(), Some("Unknown prepared statement")),
        ] {
            let told = sqlx::raw_sql(AssertSqlSafe(sql.clone())).execute(&mut connection).await.map(drop);
            let told = told.map_err(|error| error.to_string());
            assert!(
                match (&told, fails) {
                    (Ok(()), None) => true,
                    (Err(why), Some(word)) => why.contains(word),
                    (Ok(()), Some(_)) | (Err(_), None) => false,
                },
                "{sql}: {told:?}"
            );
        }
    }
    assert_eq!(everything(&database).await, before);
}

tests::on_both!(a_statement_is_understood_or_refused_and_tells_nothing_of_the_rows);
async fn a_statement_is_understood_or_refused_and_tells_nothing_of_the_rows(flavour: Flavour) {
    let (_database, _, url) = shop(flavour).await;
    let mut probe = probe(&url).await;
    for understood in [
        "SELECT full_name FROM customers WHERE id = ?",
        "SELECT 'it''s', \"x\", `id` FROM customers -- all of them",
        "INSERT INTO customers (id, full_name) VALUES (?, ?) ON DUPLICATE KEY UPDATE note = VALUES(note)",
        match flavour {
            Flavour::Mariadb => "INSERT INTO customers (id, full_name) VALUES (?, ?) RETURNING id",
            Flavour::Mysql => {
                "INSERT INTO customers (id, full_name) VALUES (?, ?) AS new ON DUPLICATE KEY UPDATE note = new.id"
            }
        },
        "REPLACE INTO customers (id, full_name) VALUES (?, 'Ünïcøde 🚢')",
        "UPDATE customers SET note = ? WHERE id = ?",
        "DELETE FROM customers",
        "SELECT id FROM customers WHERE id = ? FOR UPDATE",
        "WITH x AS (SELECT id FROM customers) SELECT count(*) FROM x",
    ] {
        assert_eq!(probe.prepare(understood).await.unwrap(), Prepared::Understood, "{understood}");
    }
    for (refused, why) in [
        ("SELECT first_name FROM customers", "Unknown column 'first_name'"),
        ("SELECT * FROM nobody", "nobody' doesn't exist"),
        ("INSERT INTO customers (first_name) VALUES (?)", "Unknown column 'first_name'"),
        ("UPDATE customers SET first_name = ?", "Unknown column 'first_name'"),
        ("DELETE FROM customers WHERE first_name = ?", "Unknown column 'first_name'"),
        ("(SELECT first_name FROM customers)", "Unknown column 'first_name'"),
        ("WITH x AS (SELECT first_name FROM customers) SELECT * FROM x", "Unknown column 'first_name'"),
        ("INSERT INTO customers (id, full_name) VALUES (?, ?) ON DUPLICATE KEY UPDATE first_name = 1", "first_name"),
        ("INSERT INTO customers VALUES (?, ?)", "Column count doesn't match"),
        ("SELECT FROM", "error in your SQL syntax"),
        ("SELECT 1; DELETE FROM customers", "error in your SQL syntax"),
        ("SELECT 1; COMMIT; DROP TABLE customers", "error in your SQL syntax"),
        ("SELECT 'x'); DROP TABLE customers; -- ", "error in your SQL syntax"),
        ("SELECT 1 FROM customers WHERE note = 'a'; DEALLOCATE PREPARE phasegate_told", "error in your SQL syntax"),
    ] {
        match probe.prepare(refused).await.unwrap() {
            Prepared::Refused(told) => assert!(told.contains(why), "{refused}: {told}"),
            Prepared::Understood => panic!("{refused}"),
        }
    }
    // What takes more rights than a gate should be lent, or might be worked out meanwhile: nothing is known of it.
    for unknown in [
        "SELECT nothing(1)",
        "SELECT tells()",
        "SELECT extractvalue('<a/>', writes())",
        "SELECT extractvalue('<a/>', concat('~', tells()))",
        "CALL harms()",
        "CALL nobody()",
        "DROP TABLE nobody",
        "",
        "/*! DROP TABLE customers */",
        "x'); DROP TABLE customers; -- ",
        "SET STATEMENT max_statement_time = 1 FOR SELECT 1",
        "LOCK TABLES customers WRITE",
        "DROP TABLE customers",
        "CREATE TABLE mine (a int)",
        "ALTER TABLE customers ADD COLUMN mine int",
        "SELECT full_name FROM customers INTO OUTFILE '/tmp/phasegate-mine'",
        "PREPARE x FROM 'DELETE FROM customers'",
        "EXECUTE IMMEDIATE 'DELETE FROM customers'",
    ] {
        let told = probe.prepare(unknown).await;
        assert!(matches!(&told, Err(ProbeError::NotPreparable { .. })), "{unknown}: {told:?}");
        assert!(!format!("{told:?}").contains("Lovelace"), "{told:?}");
    }
    // Nor does any error tell what stands in a row.
    for curious in [
        "SELECT extractvalue('<a/>', concat('~', (SELECT full_name FROM customers LIMIT 1)))",
        "SELECT updatexml('<a/>', concat('~', (SELECT full_name FROM customers LIMIT 1)), 'x')",
        "SELECT 1 FROM customers WHERE id = (SELECT full_name FROM customers LIMIT 1) + 0",
        "SELECT CAST((SELECT full_name FROM customers LIMIT 1) AS DATE)",
        "SELECT CONVERT((SELECT full_name FROM customers LIMIT 1) USING latin1) COLLATE latin1_bin",
        "SELECT * FROM customers LIMIT (SELECT full_name FROM customers)",
    ] {
        let told = format!("{:?}", probe.prepare(curious).await);
        assert!(!told.contains("Lovelace"), "{curious}: {told}");
    }
}

tests::on_both!(columns_that_nothing_fills_are_named);
async fn columns_that_nothing_fills_are_named(flavour: Flavour) {
    let (database, _, url) = shop(flavour).await;
    database
        .execute(
            "CREATE TABLE all_kinds (id bigint AUTO_INCREMENT PRIMARY KEY, plain text NOT NULL, `Odd` int NOT NULL, \
               filled varchar(9) NOT NULL DEFAULT '', nullable text, chosen enum('a', 'b') NOT NULL, \
               computed varchar(9) GENERATED ALWAYS AS ('x') STORED); \
             CREATE TABLE triggered (plain text NOT NULL); \
             CREATE TRIGGER fill BEFORE INSERT ON triggered FOR EACH ROW SET NEW.plain = 'x'; \
             CREATE VIEW seen AS SELECT plain FROM all_kinds",
        )
        .await
        .unwrap();
    let mut probe = probe(&url).await;
    let table =
        |schema: Option<&str>, name: &str| TableName { schema: schema.map(str::to_owned), name: name.to_owned() };
    for schema in [None, Some(database.name())] {
        let found = probe.required_columns(&table(schema, "all_kinds")).await.unwrap();
        assert_eq!(found, ["plain", "Odd"]);
    }
    for nothing in ["triggered", "nobody", "seen", "ALL_KINDS", "' OR '1' = '1"] {
        assert_eq!(probe.required_columns(&table(None, nothing)).await.unwrap(), [""; 0], "{nothing}");
    }
    database.execute("DROP TRIGGER fill").await.unwrap();
    assert_eq!(probe.required_columns(&table(None, "triggered")).await.unwrap(), ["plain"]);
}

tests::on_both!(an_integrity_query_reads_within_its_rights_and_its_time);
async fn an_integrity_query_reads_within_its_rights_and_its_time(flavour: Flavour) {
    let (database, gate, url) = shop(flavour).await;
    let mut asker = probe(&url).await;
    let denied = asker.ask("SELECT count(*) FROM customers").await;
    assert!(matches!(&denied, Err(ProbeError::NotPermitted { what }) if what.contains("customers")), "{denied:?}");
    for table in ["customers", "many"] {
        database.execute(&format!("GRANT SELECT ON {}.{table} TO '{gate}'@'%'", database.name())).await.unwrap();
    }
    for (query, want) in [
        ("SELECT count(*) FROM customers -- all of them", QueryAnswer::Number(1.0)),
        ("SELECT count(*) FROM customers;", QueryAnswer::Number(1.0)),
        ("SELECT sum(id) FROM customers", QueryAnswer::Number(1.0)),
        ("SELECT 1.5", QueryAnswer::Number(1.5)),
        ("SELECT 1.5e0", QueryAnswer::Number(1.5)),
        ("SELECT cast(7 AS unsigned)", QueryAnswer::Number(7.0)),
        ("SELECT id < 5 FROM customers", QueryAnswer::Number(1.0)),
        ("WITH x AS (SELECT -7 AS n) SELECT * FROM x", QueryAnswer::Number(-7.0)),
        ("SELECT id FROM customers WHERE false", QueryAnswer::NoRow),
        ("SELECT note FROM customers", QueryAnswer::Null),
        ("SELECT full_name FROM customers", QueryAnswer::Other("varchar, and no number".into())),
        ("SELECT '7'", QueryAnswer::Other("varchar, and no number".into())),
        ("SELECT 1, 2", QueryAnswer::Other("more than one column".into())),
        ("SELECT id FROM many", QueryAnswer::Other("more than one row".into())),
    ] {
        assert_eq!(asker.ask(query).await.unwrap(), want, "{query}");
    }
    for query in
        ["SELECT 1) q; DELETE FROM customers; --", "DELETE FROM customers", "SELECT nobody", "SELECT 1; SELECT 2"]
    {
        let answer = asker.ask(query).await;
        assert!(matches!(answer, Err(ProbeError::Refused { .. })), "{query}: {answer:?}");
    }
    let slow = asker.ask("SELECT count(*) FROM many a JOIN many b JOIN many c WHERE a.id * b.id * c.id < 0").await;
    assert!(
        matches!(&slow, Err(ProbeError::Slow { what }) if what.contains("max_statement_time") || what.contains("maximum statement execution time")),
        "{slow:?}"
    );
    // What failed leaves the connection as it was.
    assert_eq!(asker.ask("SELECT 1").await.unwrap(), QueryAnswer::Number(1.0));
}

tests::on_both!(a_lock_in_the_way_a_lying_procedure_and_a_server_that_is_gone_are_no_answers);
async fn a_lock_in_the_way_a_lying_procedure_and_a_server_that_is_gone_are_no_answers(flavour: Flavour) {
    let (database, gate, url) = shop(flavour).await;
    let mut asker = probe(&url).await;
    let understood = "SELECT * FROM customers";
    // Somebody reads, an ALTER waits for that, and everybody else for the ALTER.
    let mut reading = database.connect().await.unwrap();
    sqlx::raw_sql("BEGIN; SELECT * FROM customers").execute(&mut reading).await.unwrap();
    let altered = database.clone();
    let altering = tokio::spawn(async move { altered.execute("ALTER TABLE customers ADD COLUMN later int").await });
    let waits = "SELECT COUNT(*) FROM information_schema.processlist WHERE state = 'Waiting for table metadata lock'";
    while database.rows(waits).await.unwrap() == [[Some("0".to_owned())]] {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let answer = asker.prepare(understood).await;
    assert!(matches!(&answer, Err(ProbeError::Slow { what }) if what.contains("ock wait timeout")), "{answer:?}");
    goodbye(reading).await;
    altering.await.unwrap().unwrap();
    assert_eq!(asker.prepare(understood).await.unwrap(), Prepared::Understood);
    // And it holds none itself: what comes after it gets the table, as soon as the server has looked at its new pages.
    database.execute("SET SESSION lock_wait_timeout = 10; ALTER TABLE customers ADD COLUMN more int").await.unwrap();

    let right = format!("REVOKE INSERT ON `{}`.* FROM '{gate}_probe'@'localhost'", database.name().replace('_', "\\_"));
    database.execute(&right).await.unwrap();
    let mut later = probe(&url).await;
    let answer = later.prepare("INSERT INTO customers (id, full_name) VALUES (?, ?)").await;
    assert!(matches!(&answer, Err(ProbeError::NotPermitted { what }) if what.contains("INSERT")), "{answer:?}");

    // A procedure that says yes to everything, one that is not there, and one that may not be called.
    let lies = format!(
        "DROP PROCEDURE {0}.phasegate_prepare; \
                        CREATE PROCEDURE {0}.phasegate_prepare(IN told LONGTEXT) DO 1",
        database.name()
    );
    database.execute(&lies).await.unwrap();
    let grant = format!("GRANT EXECUTE ON PROCEDURE {}.phasegate_prepare TO '{gate}'@'%'", database.name());
    database.execute(&grant).await.unwrap();
    let answer = probe(&url).await.prepare(understood).await;
    assert!(
        matches!(&answer, Err(ProbeError::Refused { what }) if what.contains("no server understands")),
        "{answer:?}"
    );
    database.execute("DROP PROCEDURE phasegate_prepare").await.unwrap();
    let answer = probe(&url).await.prepare(understood).await;
    assert!(matches!(&answer, Err(ProbeError::NotPermitted { .. })), "{answer:?}");
    assert!(answer.unwrap_err().to_string().contains("`phasegate gate-role` prints"));

    let gone =
        open_probe(&"mariadb://gate:s3cret@127.0.0.1:1/shop".parse().unwrap(), BOUND).await.map(drop).unwrap_err();
    assert!(matches!(gone, ProbeError::Unreachable { .. }) && !format!("{gone:?}").contains("s3cret"), "{gone:?}");
}
