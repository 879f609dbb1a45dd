//! What only a server can do wrong, and what its refusals are turned into.

use std::{error::Error, time::Duration};

use phase_ledger::{Cell, ReadError, Reading, Statement, Transaction, WriteError, open_reader, open_session};
use tests::postgres::{Cluster, PASSWORD, PASSWORD_ENCODED, database, shared};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional},
    net::{TcpListener, TcpStream},
    time::{Instant, sleep, timeout},
};

use super::*;

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
    let lock_timeout = Duration::from_millis(300);
    Transaction { work: sql.iter().map(|sql| Statement::plain(*sql)).collect(), lock_timeout, ..Transaction::default() }
}

#[tokio::test]
async fn a_role_that_may_only_select_can_be_the_gate() {
    let bench = PostgresBench::new().await;
    let database = &bench.database;
    let role = database.role("gate").await.unwrap();
    let url: DatabaseUrl = database.url_as(&role).parse().unwrap();
    let reader = open_reader(&url).unwrap();
    assert_eq!(reader.read().await.unwrap(), Reading::NotBegun);

    bench.session().await.unwrap().take_over("a test").await.unwrap();
    let refused = |error: &ReadError, named: &str| {
        matches!(error, ReadError::NotPermitted { table } if table.contains(named))
            && error.to_string().contains("grant SELECT")
    };
    let error = reader.read().await.unwrap_err();
    assert!(refused(&error, "phasegate.ledger (and USAGE on the schema)"), "{error:?}");
    database.execute(&format!("GRANT USAGE ON SCHEMA phasegate TO {role}")).await.unwrap();
    let error = reader.read().await.unwrap_err();
    assert!(refused(&error, "phasegate.ledger"), "{error:?}");
    database.execute(&format!("GRANT SELECT ON ALL TABLES IN SCHEMA phasegate TO {role}")).await.unwrap();
    assert!(matches!(reader.read().await.unwrap(), Reading::Ledger(_)));
    database.execute(&format!("REVOKE SELECT ON phasegate.done FROM {role}")).await.unwrap();
    let error = reader.read().await.unwrap_err();
    assert!(refused(&error, "phasegate.done"), "{error:?}");

    // It can write nothing of it, and it sees what a lost ledger left behind.
    let mut session = open_session(&url).await.unwrap();
    for sql in
        ["UPDATE phasegate.ledger SET generation = 9", "DELETE FROM phasegate.changes", "CREATE TABLE phasegate.x ()"]
    {
        let error = session.query(&Statement::plain(sql)).await.unwrap_err();
        assert!(chain(&error).contains("permission denied"), "{}", chain(&error));
    }
    assert!(session.take_over("the gate").await.is_err());
    bench.tamper(Tamper::Artefact).await.unwrap();
    bench.tamper(Tamper::DropLedger).await.unwrap();
    let error = reader.read().await.unwrap_err();
    let named = |objects: &str| {
        objects.contains("trigger zzz_phasegate_items") && objects.contains("function zzz_phasegate_items")
    };
    assert!(matches!(&error, ReadError::Unexplained { objects } if named(objects)), "{error:?}");
}

#[tokio::test]
async fn a_comment_of_a_runner_is_an_artefact_too() {
    let bench = PostgresBench::new().await;
    bench.database.execute("COMMENT ON COLUMN items.id IS 'phasegate: split-full-name'").await.unwrap();
    let error = bench.reader().read().await.unwrap_err();
    assert!(
        matches!(&error, ReadError::Unexplained { objects } if objects.contains("phasegate: split-full-name")),
        "{error:?}"
    );
    bench.database.execute("COMMENT ON COLUMN items.id IS 'about phasegate: nothing'").await.unwrap();
    assert_eq!(bench.reader().read().await.unwrap(), Reading::NotBegun);
}

#[tokio::test]
async fn a_standby_answers_nobody() {
    let primary = Cluster::start().unwrap();
    let there = primary.database().await.unwrap();
    let url: DatabaseUrl = there.url().parse().unwrap();
    open_session(&url).await.unwrap().take_over("a test").await.unwrap();
    let empty = primary.database().await.unwrap();
    let standby = primary.standby().unwrap();
    let ledger: DatabaseUrl = standby.existing(there.name()).url().parse().unwrap();
    let nothing: DatabaseUrl = standby.existing(empty.name()).url().parse().unwrap();
    for url in [&ledger, &nothing] {
        let reader = open_reader(url).unwrap();
        assert!(matches!(reader.read().await, Err(ReadError::Standby)), "the gate at {url}");
        let mut session = open_session(url).await.unwrap();
        assert!(matches!(session.read().await, Err(ReadError::Standby)), "the runner at {url}");
        assert!(matches!(session.try_lock().await, Err(WriteError::Read(ReadError::Standby))), "the lock at {url}");
        assert!(matches!(session.take_over("a test").await, Err(WriteError::Read(ReadError::Standby))), "at {url}");
    }
    // The same identity, so that nothing but the standby's own word tells them apart.
    assert!(matches!(open_reader(&url).unwrap().read().await.unwrap(), Reading::Ledger(_)));
}

/// What stands between a client and the server.
#[derive(Clone, Copy, PartialEq)]
enum Between {
    /// Opens the server session without the client's settings, as a pooler that ignores `options`.
    DropsOptions,
    /// Refuses the packet, as PgBouncer does when it was not told to ignore them.
    RefusesOptions,
    /// Takes the connection and says nothing.
    Silent,
    /// Hands everything through.
    Transparent,
}

/// Listens on a free port. Speaks just enough of the protocol's first packet.
async fn between(what: Between) -> u16 {
    let server = shared().unwrap().port();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            tokio::spawn(serve(client, server, what));
        }
    });
    port
}

async fn serve(mut client: TcpStream, server: u16, what: Between) -> std::io::Result<()> {
    if what == Between::Silent {
        return std::future::pending().await;
    }
    let packet = loop {
        let length = client.read_u32().await? as usize;
        let mut body = vec![0; length - 4];
        client.read_exact(&mut body).await?;
        if body.len() == 4 {
            client.write_all(b"N").await?; // no TLS here
        } else {
            break body;
        }
    };
    let mut fields: Vec<&[u8]> = packet[4..].split(|byte| *byte == 0).collect();
    if let Some(at) = fields.iter().position(|field| *field == b"options") {
        match what {
            Between::RefusesOptions => {
                let error = b"SFATAL\0C08P01\0Munsupported startup parameter: options\0\0";
                client.write_u8(b'E').await?;
                client.write_u32(error.len() as u32 + 4).await?;
                return client.write_all(error).await;
            }
            Between::DropsOptions => drop(fields.drain(at..at + 2)),
            Between::Silent | Between::Transparent => {}
        }
    }
    let rest = fields.join(&0);
    let mut upstream = TcpStream::connect(("127.0.0.1", server)).await?;
    upstream.write_u32(rest.len() as u32 + 8).await?;
    upstream.write_all(&packet[..4]).await?;
    upstream.write_all(&rest).await?;
    copy_bidirectional(&mut client, &mut upstream).await.map(drop)
}

#[tokio::test]
async fn a_runner_behind_a_pooler_is_turned_away_and_a_gate_is_not() {
    let database = database().await.unwrap();
    let at = |port| database.url_at("postgres", port).parse::<DatabaseUrl>().unwrap();

    let direct = at(between(Between::Transparent).await);
    assert!(open_session(&direct).await.unwrap().try_lock().await.unwrap());

    let drops = at(between(Between::DropsOptions).await);
    let error = open_session(&drops).await.err().unwrap();
    assert!(matches!(error, ReadError::Pooler), "{error:?}");
    assert_eq!(open_reader(&drops).unwrap().read().await.unwrap(), Reading::NotBegun);

    let refuses = at(between(Between::RefusesOptions).await);
    let error = open_session(&refuses).await.err().unwrap();
    assert!(matches!(error, ReadError::Pooler), "{error:?}");
    assert_eq!(open_reader(&refuses).unwrap().read().await.unwrap(), Reading::NotBegun);
}

/// The real one, in transaction mode: the stand-ins above behave as it does.
#[tokio::test]
async fn a_real_pgbouncer_is_recognised() {
    let bench = PostgresBench::new().await;
    bench.session().await.unwrap().take_over("a test").await.unwrap();
    for ignored in ["extra_float_digits", "extra_float_digits, options"] {
        let directory = tempfile::tempdir().unwrap();
        let port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
        let settings = format!(
            "[databases]\n* = host=127.0.0.1 port={} user=postgres password='{PASSWORD}'\n[pgbouncer]\n\
             listen_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\nauth_type = any\n\
             pool_mode = transaction\nignore_startup_parameters = {ignored}\n",
            shared().unwrap().port()
        );
        std::fs::write(directory.path().join("bouncer.ini"), settings).unwrap();
        let mut bouncer = tokio::process::Command::new("/usr/sbin/pgbouncer");
        // It refuses to be root.
        if std::fs::metadata("/proc/self").map(|own| std::os::unix::fs::MetadataExt::uid(&own)).unwrap() == 0 {
            bouncer.args(["-u", "nobody"]);
        }
        bouncer.args(["-q", "bouncer.ini"]).current_dir(directory.path()).kill_on_drop(true);
        let _bouncer = bouncer.spawn().expect("pgbouncer is needed: tests/setup/debian installs it");
        let url: DatabaseUrl = bench.database.url_at("postgres", port).parse().unwrap();
        let reader = open_reader(&url).unwrap();
        let mut reading = reader.read().await;
        for _ in 0..50 {
            if matches!(&reading, Err(ReadError::Unreachable { .. })) {
                sleep(Duration::from_millis(100)).await;
                reading = reader.read().await;
            }
        }
        assert!(matches!(reading.unwrap(), Reading::Ledger(_)), "a gate may sit behind it");
        let refused = match open_session(&url).await {
            Err(error) => error,
            Ok(mut session) => match session.try_lock().await {
                Err(WriteError::Read(error)) => error,
                other => panic!("{other:?}"),
            },
        };
        assert!(matches!(refused, ReadError::Pooler), "{refused:?}");
    }
}

#[tokio::test]
async fn nobody_there_is_an_answer_within_seconds_and_without_the_password() {
    let database = database().await.unwrap();
    let silent = between(Between::Silent).await;
    let wrong = database.url().replace(PASSWORD_ENCODED, "another%2Fs3cret");
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let urls = [
        database.url_at("postgres", silent),
        database.url_at("postgres", closed),
        database.url_as("nobody_of_this_name"),
        database.url().replace(database.name(), "no_such_database"),
        database.url().replace("127.0.0.1", "no-such-host.invalid"),
        wrong,
    ];
    for text in urls {
        let url: DatabaseUrl = text.parse().unwrap();
        let began = Instant::now();
        let error = open_reader(&url).unwrap().read().await.unwrap_err();
        assert!(matches!(error, ReadError::Unreachable { .. }) && error.is_transient(), "{text}: {error:?}");
        let session = open_session(&url).await.err().unwrap();
        assert!(matches!(session, ReadError::Unreachable { .. }), "{text}: {session:?}");
        assert!(began.elapsed() < Duration::from_secs(12), "{text}: {:?}", began.elapsed());
        for shown in [chain(&error), chain(&session), format!("{url} {url:?}")] {
            for secret in [PASSWORD, PASSWORD_ENCODED, "another/s3cret", "another%2Fs3cret"] {
                assert!(!shown.contains(secret), "{shown}");
            }
        }
    }
}

#[tokio::test]
async fn a_reader_finds_its_way_back_by_itself() {
    let bench = PostgresBench::new().await;
    bench.session().await.unwrap().take_over("a test").await.unwrap();
    let reader = bench.reader();
    let before = reader.read().await.unwrap();
    for _ in 0..3 {
        let ended = bench.texts("SELECT pg_terminate_backend(pid)::text FROM pg_stat_activity WHERE application_name = 'phasegate' AND datname = current_database()").await;
        assert!(!ended.is_empty());
        assert_eq!(reader.read().await.unwrap(), before);
    }
    // A read that its caller gave up leaves no half-read answer to the next one.
    bench.database.execute("CREATE TABLE blocker ()").await.unwrap();
    let mut other = bench.database.connect().await.unwrap();
    sqlx::raw_sql("BEGIN; LOCK TABLE phasegate.changes").execute(&mut other).await.unwrap();
    assert!(timeout(Duration::from_millis(100), reader.read()).await.is_err());
    let began = Instant::now();
    let error = reader.read().await.unwrap_err();
    assert!(matches!(error, ReadError::Unreachable { .. }), "{error:?}");
    assert!(began.elapsed() < Duration::from_secs(6), "{:?}", began.elapsed());
    sqlx::raw_sql("ROLLBACK").execute(&mut other).await.unwrap();
    assert_eq!(reader.read().await.unwrap(), before);
}

#[tokio::test]
async fn who_stands_in_the_way_is_named() {
    let bench = PostgresBench::new().await;
    bench.database.execute("INSERT INTO items VALUES (1), (2)").await.unwrap();
    let mut session = bench.session().await.unwrap();
    let generation = session.take_over("a test").await.unwrap();
    let held = |error: WriteError| {
        let WriteError::LockNotAvailable { table, blocker } = error else { panic!("{error:?}") };
        (table, blocker)
    };
    let mut other = bench.database.connect().await.unwrap();
    sqlx::raw_sql("BEGIN; UPDATE items SET id = id WHERE id = 1").execute(&mut other).await.unwrap();
    for lock_timeout in [Duration::ZERO, Duration::from_millis(30)] {
        let transaction =
            Transaction { lock_tables: vec!["public.items".to_owned()], lock_timeout, ..Transaction::default() };
        let (table, blocker) = held(session.commit(generation, &transaction).await.unwrap_err());
        let blocker = blocker.unwrap();
        assert_eq!(table, "public.items");
        assert!(
            blocker.starts_with("pid ") && blocker.contains("(a test, idle in transaction, transaction "),
            "{blocker}"
        );
    }
    // A row, not a table: the statement is named, and no value of it.
    let update = Statement {
        sql: "UPDATE items SET id = id WHERE id = $1 OR $2::text = 'x'".to_owned(),
        binds: vec![Cell::Int(1), Cell::Text("s3cret".to_owned())],
    };
    let transaction = Transaction { work: vec![update], ..work(&[]) };
    let error = session.commit(generation, &transaction).await.unwrap_err();
    assert!(!chain(&error).contains("s3cret"));
    assert_eq!(held(error).0, "UPDATE items SET id = id WHERE id = $1 OR $2::text = 'x'");
    sqlx::raw_sql("PREPARE TRANSACTION 'forgotten'").execute(&mut other).await.unwrap();
    let transaction = Transaction { lock_tables: vec!["items".to_owned()], ..Transaction::default() };
    let (_, blocker) = held(session.commit(generation, &transaction).await.unwrap_err());
    assert_eq!(blocker.as_deref(), Some("a prepared transaction"));
    sqlx::raw_sql("ROLLBACK PREPARED 'forgotten'").execute(&mut other).await.unwrap();
    session.commit(generation, &transaction).await.unwrap();

    // A runner that hangs in its own transaction stands in the way of a takeover; that wait has an end.
    sqlx::raw_sql("BEGIN; SELECT FROM phasegate.ledger FOR UPDATE").execute(&mut other).await.unwrap();
    let (table, blocker) = held(session.commit(generation, &work(&[])).await.unwrap_err());
    assert_eq!(table, "phasegate.ledger");
    assert!(blocker.is_some_and(|blocker| blocker.contains("a test")));
}

#[tokio::test]
async fn what_may_pass_is_told_from_what_will_not() {
    let bench = PostgresBench::new().await;
    bench.database.execute("INSERT INTO items VALUES (1), (2)").await.unwrap();
    let mut session = bench.session().await.unwrap();
    let generation = session.take_over("a test").await.unwrap();
    for state in ["40001", "40P01", "53100", "53200", "57014", "58030", "25006"] {
        let raise = format!("DO $$ BEGIN RAISE SQLSTATE '{state}'; END $$");
        let error = session.commit(generation, &work(&[&raise])).await.unwrap_err();
        assert!(matches!(error, WriteError::Transient { .. }), "{state}: {error:?}");
        let error = session.query(&Statement::plain(raise.as_str())).await.unwrap_err();
        assert!(matches!(error, ReadError::Passing { .. }) && error.is_transient(), "{state}: {error:?}");
    }
    for state in ["22012", "23505", "42501", "42P01"] {
        let raise = format!("DO $$ BEGIN RAISE SQLSTATE '{state}'; END $$");
        let error = session.commit(generation, &work(&[&raise])).await.unwrap_err();
        assert!(matches!(&error, WriteError::Refused { statement, .. } if *statement == raise), "{state}: {error:?}");
    }
    // A constraint that speaks up at the end only.
    bench
        .database
        .execute("CREATE TABLE late (id bigint REFERENCES items DEFERRABLE INITIALLY DEFERRED)")
        .await
        .unwrap();
    let error = session.commit(generation, &work(&["INSERT INTO late VALUES (7)"])).await.unwrap_err();
    assert!(matches!(&error, WriteError::Refused { statement, .. } if statement == "COMMIT"), "{error:?}");
    // A real deadlock. The other side's patience is longer, so that it is ours that is ended.
    let mut other = bench.database.connect().await.unwrap();
    let sql = "SET deadlock_timeout = '1min'; BEGIN; UPDATE items SET id = id WHERE id = 2";
    sqlx::raw_sql(sql).execute(&mut other).await.unwrap();
    let ours = Transaction {
        lock_timeout: Duration::from_secs(20),
        ..work(&["UPDATE items SET id = id WHERE id = 1", "UPDATE items SET id = id WHERE id = 2"])
    };
    let theirs = async {
        sleep(Duration::from_millis(200)).await;
        sqlx::raw_sql("UPDATE items SET id = id WHERE id = 1; COMMIT").execute(&mut other).await
    };
    let (ours, theirs) = tokio::join!(session.commit(generation, &ours), theirs);
    theirs.unwrap();
    assert!(matches!(ours, Err(WriteError::Transient { .. })), "{ours:?}");
    session.commit(generation, &work(&["UPDATE items SET id = 3 WHERE id = 1"])).await.unwrap();
    // The server ends the session: whatever comes next says so, and a new session goes on.
    let error =
        session.commit(generation, &work(&["SELECT pg_terminate_backend(pg_backend_pid())"])).await.unwrap_err();
    assert!(matches!(error, WriteError::Transient { .. }), "{error:?}");
    assert!(matches!(session.heartbeat().await, Err(WriteError::Transient { .. })));
    assert!(matches!(session.read().await, Err(ReadError::Unreachable { .. })));
    bench.session().await.unwrap().take_over("a test").await.unwrap();
}

#[tokio::test]
async fn the_lock_of_a_dead_runner_is_free_soon_even_while_its_statement_runs() {
    let bench = PostgresBench::new().await;
    let mut old = bench.session().await.unwrap();
    assert!(old.try_lock().await.unwrap());
    let generation = old.take_over("a test").await.unwrap();
    let long = work(&["INSERT INTO items VALUES (1)", "SELECT pg_sleep(60)"]);
    assert!(timeout(Duration::from_millis(300), old.commit(generation, &long)).await.is_err());
    let began = Instant::now();
    drop(old);
    let mut new = bench.session().await.unwrap();
    while !new.try_lock().await.unwrap() {
        assert!(began.elapsed() < Duration::from_secs(10), "the server did not notice");
        sleep(Duration::from_millis(50)).await;
    }
    new.take_over("the next").await.unwrap();
    assert_eq!(bench.items().await.unwrap(), 0);
    println!(
        "the lock was free {:?} after the end of its holder, a minute before that of its statement",
        began.elapsed()
    );
}

#[tokio::test]
async fn a_lost_lock_is_noticed_by_the_next_heartbeat() {
    let bench = PostgresBench::new().await;
    let mut session = bench.session().await.unwrap();
    assert!(session.try_lock().await.unwrap());
    session.heartbeat().await.unwrap();
    // As a pooler or a script would that resets the session.
    session.query(&Statement::plain("SELECT pg_advisory_unlock_all()::text")).await.unwrap();
    assert!(matches!(session.heartbeat().await, Err(WriteError::Transient { .. })));
    assert!(session.try_lock().await.is_err(), "and the session does not come back");
    assert!(bench.session().await.unwrap().try_lock().await.unwrap());
}

#[tokio::test]
async fn each_database_has_a_lock_of_its_own() {
    let (one, two) = (PostgresBench::new().await, PostgresBench::new().await);
    let (mut first, mut second) = (one.session().await.unwrap(), two.session().await.unwrap());
    assert!(first.try_lock().await.unwrap() && second.try_lock().await.unwrap());
}

#[tokio::test]
async fn a_roles_own_settings_do_not_reach_the_runner() {
    let bench = PostgresBench::new().await;
    let role = bench.database.role("owner").await.unwrap();
    for setting in [
        "statement_timeout = '200ms'",
        "default_transaction_isolation = 'serializable'",
        "default_transaction_read_only = on",
        "synchronous_commit = off",
        "lock_timeout = 0",
        "search_path = public",
    ] {
        bench.database.execute(&format!("ALTER ROLE {role} SET {setting}")).await.unwrap();
    }
    let name = bench.database.name();
    bench
        .database
        .execute(&format!("GRANT ALL ON DATABASE {name} TO {role}; ALTER TABLE items OWNER TO {role}"))
        .await
        .unwrap();
    let mut session = open_session(&bench.database.url_as(&role).parse().unwrap()).await.unwrap();
    assert!(session.try_lock().await.unwrap());
    let generation = session.take_over("a test").await.unwrap();
    let shown = "SELECT string_agg(name || ' ' || setting, ', ' ORDER BY name) FROM pg_settings WHERE name IN
                 ('application_name', 'client_connection_check_interval', 'idle_session_timeout', 'lock_timeout',
                  'idle_in_transaction_session_timeout', 'synchronous_commit', 'statement_timeout', 'search_path')";
    let rows = session.query(&Statement::plain(shown)).await.unwrap();
    assert_eq!(
        rows,
        [[Cell::Text(
            "application_name phasegate, client_connection_check_interval 1000, idle_in_transaction_session_timeout 60000, \
             idle_session_timeout 60000, lock_timeout 5000, search_path public, statement_timeout 0, synchronous_commit on"
                .to_owned()
        )]]
    );
    let isolation = "INSERT INTO items SELECT 1 WHERE current_setting('transaction_isolation') = 'read committed'";
    assert_eq!(session.commit(generation, &work(&["SELECT pg_sleep(0.3)", isolation])).await.unwrap(), [1, 1]);
}

#[tokio::test]
async fn values_of_every_kind_go_both_ways() {
    let bench = PostgresBench::new().await;
    let mut session = bench.session().await.unwrap();
    let sql = "SELECT 1::int2, 2::int4, 3::int8, true, 0.5::float4, 0.25::float8, 't'::text, 'v'::varchar, 'n'::name,
               'c'::char(1), '\\x00ff'::bytea, NULL::uuid, 7::oid, 'unknown'";
    let expected = [
        Cell::Int(1),
        Cell::Int(2),
        Cell::Int(3),
        Cell::Int(1),
        Cell::Real(0.5),
        Cell::Real(0.25),
        Cell::Text("t".to_owned()),
        Cell::Text("v".to_owned()),
        Cell::Text("n".to_owned()),
        Cell::Text("c".to_owned()),
        Cell::Bytes(vec![0, 255]),
        Cell::Null,
        Cell::Int(7),
        Cell::Text("unknown".to_owned()),
    ];
    assert_eq!(session.query(&Statement::plain(sql)).await.unwrap(), [expected]);
    let error = session.query(&Statement::plain("SELECT now() AS moment")).await.unwrap_err();
    assert!(chain(&error).contains("`moment`") || chain(&error).contains("column moment"), "{}", chain(&error));
    assert!(chain(&error).contains("cast the column to text"));
    // The same text with values of other types, one after the other; a NULL takes whatever type stands there.
    let uuid = "5f0c7f0e-8f5a-4f5e-9d5c-0123456789ab";
    let sql = "SELECT ($1::uuid)::text, $2::int4, $3::numeric::text, $4::bytea, $5::float8";
    let all = [
        vec![
            Cell::Text(uuid.to_owned()),
            Cell::Int(5),
            Cell::Text("1.50".to_owned()),
            Cell::Bytes(vec![1]),
            Cell::Real(2.5),
        ],
        vec![Cell::Null; 5],
        vec![Cell::Null, Cell::Int(5), Cell::Int(7), Cell::Null, Cell::Int(2)],
    ];
    for binds in all {
        let rows = session.query(&Statement { sql: sql.to_owned(), binds: binds.clone() }).await.unwrap();
        let shown: Vec<Cell> = binds
            .into_iter()
            .enumerate()
            .map(|(at, cell)| match (at, cell) {
                (2, Cell::Int(number)) => Cell::Text(number.to_string()),
                (4, Cell::Int(number)) => Cell::Real(number as f64),
                (_, cell) => cell,
            })
            .collect();
        assert_eq!(rows, [shown]);
    }
    let generation = session.take_over("a test").await.unwrap();
    let insert = |id| Statement {
        sql: "INSERT INTO items (id) SELECT $1::int8 WHERE $1::int8 IS NOT NULL".to_owned(),
        binds: vec![id],
    };
    let transaction = Transaction { work: vec![insert(Cell::Null), insert(Cell::Int(4))], ..work(&[]) };
    assert_eq!(session.commit(generation, &transaction).await.unwrap(), [0, 1]);
}

#[tokio::test]
async fn an_index_is_built_on_the_connection_that_holds_the_lock() {
    let bench = PostgresBench::new().await;
    let mut session = bench.session().await.unwrap();
    assert!(session.try_lock().await.unwrap());
    let generation = session.take_over("a test").await.unwrap();
    let index = Statement::plain("CREATE INDEX CONCURRENTLY items_twice ON items ((id * 2))");
    let error = session.commit(generation, &Transaction { work: vec![index.clone()], ..work(&[]) }).await.unwrap_err();
    assert!(matches!(error, WriteError::Refused { .. }), "{error:?}");
    session.run_alone(generation, &index, Duration::from_secs(1)).await.unwrap();
    session.heartbeat().await.unwrap();
    let valid = "SELECT indisvalid::text FROM pg_index WHERE indexrelid = 'items_twice'::regclass";
    assert_eq!(bench.texts(valid).await, ["true"]);
    // It outwaits the transactions that were there before it: nobody queues behind it, and giving up leaves a ruin.
    bench.hold().await.unwrap();
    let mut snapshot = bench.database.connect().await.unwrap();
    let sql = "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT FROM items";
    sqlx::raw_sql(sql).execute(&mut snapshot).await.unwrap();
    let another = Statement::plain("CREATE INDEX CONCURRENTLY items_thrice ON items ((id * 3))");
    let building = session.run_alone(generation, &another, Duration::from_millis(20));
    let meanwhile = async {
        sleep(Duration::from_millis(500)).await;
        bench.database.execute("SET statement_timeout = '2s'; INSERT INTO items VALUES (5)").await.unwrap();
        sqlx::raw_sql("COMMIT").execute(&mut snapshot).await.unwrap();
        bench.release().await.unwrap();
    };
    let (built, ()) = tokio::join!(building, meanwhile);
    built.unwrap();
    assert_eq!(bench.texts(&valid.replace("items_twice", "items_thrice")).await, ["true"]);
    // A wait for a lock ends here too, and the session's own bound is back afterwards.
    bench.hold().await.unwrap();
    let began = Instant::now();
    let table = Statement::plain("ALTER TABLE items ADD COLUMN more int");
    let error = session.run_alone(generation, &table, Duration::from_millis(50)).await.unwrap_err();
    assert!(matches!(error, WriteError::LockNotAvailable { .. }), "{error:?}");
    assert!(began.elapsed() < Duration::from_secs(2));
    assert_eq!(session.query(&Statement::plain("SHOW lock_timeout")).await.unwrap(), [[Cell::Text("5s".to_owned())]]);
}

#[tokio::test]
async fn a_new_ledger_has_the_tables_of_its_format() {
    let columns =
        "SELECT string_agg(concat_ws(' ', table_name, ordinal_position, column_name, data_type, is_nullable), chr(10)
                                     ORDER BY table_name, ordinal_position)
                     FROM information_schema.columns WHERE table_schema = 'phasegate'";
    let (new, golden) = (PostgresBench::new().await, PostgresBench::new().await);
    new.session().await.unwrap().take_over("a test").await.unwrap();
    golden.tamper(Tamper::Golden(phase_ledger::FORMAT)).await.unwrap();
    assert_eq!(new.texts(columns).await, golden.texts(columns).await, "another table needs another format");
}

/// Prints what a gate pays for a question: `cargo test -p tests --test ledger -- --nocapture costs`.
#[tokio::test]
async fn a_gates_read_costs_a_millisecond_or_so() {
    let bench = PostgresBench::new().await;
    bench.tamper(Tamper::Golden(phase_ledger::FORMAT)).await.unwrap();
    bench.session().await.unwrap().take_over("a test").await.unwrap();
    let reader = bench.reader();
    let began = Instant::now();
    reader.read().await.unwrap();
    let first = began.elapsed();
    let mut times = Vec::new();
    for _ in 0..1_000 {
        let began = Instant::now();
        reader.read().await.unwrap();
        times.push(began.elapsed());
    }
    times.sort();
    println!("a read on PostgreSQL: first {first:?}, median {:?}, 99th of 100 {:?}", times[500], times[990]);
    assert!(times[500] < Duration::from_millis(50), "{:?}", times[500]);
    let began = Instant::now();
    for answer in futures::future::join_all((0..1_000).map(|_| reader.read())).await {
        answer.unwrap();
    }
    println!("a thousand at once: {:?}", began.elapsed());
}
