//! `phasegate doctor` and what `run` asks of it; `phasegate adopt`; a real PgBouncer; checkpoints.

use std::{
    fs,
    io::{BufRead, BufReader},
    net::TcpListener,
    os::unix::fs::{PermissionsExt, chown},
    path::Path,
    process::{Child, Command, Stdio},
};

use serde_json::Value;
use tests::mariadb::Flavour;

use crate::{
    binary::{Said, phasegate, run, said},
    database::Database,
    on_each,
    project::{Project, V1, V2},
};

async fn ask(database: &Database, project: &Project, command: &str, more: &[&str]) -> Said {
    let first = [command, "--plan", project.plan.to_str().unwrap()];
    said(phasegate(&database.url(), &[&first, more].concat())).await
}

on_each!(a_healthy_database_is_told_with_its_sizes, healthy);
async fn healthy(database: Database) {
    database.customers(2_000).await;
    if database.is_postgres() {
        database.execute("ANALYZE customers").await;
    }
    if database.is_mariadb() {
        database.execute("ANALYZE TABLE customers").await;
    }
    let project = Project::split(&database, "target: migrated");
    ask(&database, &project, "doctor", &[]).await.expect(0, &["customers: 0 blockers", "customers, ", " k rows, "]);
    let json = ask(&database, &project, "doctor", &["--output", "json"]).await.expect(0, &[]);
    let json: Value = serde_json::from_str(&json.stdout).unwrap();
    // InnoDB counts some pages and guesses the rest.
    let rows = json["tables"][0]["rows"].as_i64().unwrap();
    let about = if database.is_mariadb() { 1_000..=3_000 } else { 2_000..=2_000 };
    assert!(about.contains(&rows), "{json:#}");
    assert_eq!(json["exit"], 0);
    // Nothing was changed.
    assert_eq!(database.phase("split-full-name").await, "unknown");
}

on_each!(a_view_on_the_old_column_is_told_and_stops_the_contract_before_it_begins, view);
async fn view(database: Database) {
    database.customers(100).await;
    database.execute("CREATE VIEW letters AS SELECT id, full_name FROM customers").await;
    let project = Project::split(&database, "target: migrated");
    project.live(&[V1]);
    ask(&database, &project, "doctor", &[]).await.expect(0, &["warning", "letters", "customers.full_name"]);
    run(&database, &project).await.expect(0, &["is migrated"]);
    project.live(&[V2]);
    project.goal("target: contracted");
    ask(&database, &project, "doctor", &[]).await.expect(78, &["BLOCKER", "letters"]);
    run(&database, &project).await.expect(78, &["letters", "change it to the new columns first"]);
    assert_eq!(database.phase("split-full-name").await, "migrated");
    database.execute("DROP VIEW letters").await;
    run(&database, &project).await.expect(0, &["is contracted"]);
}

on_each!(a_table_without_a_key_is_refused_before_anything_changes, keyless);
async fn keyless(database: Database) {
    // Neither a key that may be NULL, nor one of an expression's or a part's, finds each row.
    database.execute("CREATE TABLE customers (id bigint, full_name text, UNIQUE (id))").await;
    let project = Project::split(&database, "target: migrated");
    project.live(&[V1]);
    let add = if database.is_mariadb() { "ALTER TABLE `customers` ADD UNIQUE" } else { "CREATE UNIQUE INDEX" };
    let told = ["the table `customers` has no primary key and no UNIQUE key over columns that are NOT NULL", add];
    ask(&database, &project, "doctor", &[]).await.expect(78, &[&["BLOCKER"], &told[..]].concat());
    ask(&database, &project, "plan", &["--live", project.live.to_str().unwrap()]).await.expect(0, &told);
    run(&database, &project).await.expect(78, &told);
    assert_eq!(database.phase("split-full-name").await, "pending");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_postgres_replicates_or_forbids_is_told() {
    let database = Database::postgres().await;
    database.customers(100).await;
    let project = Project::split(&database, "target: migrated");
    project.live(&[V1]);
    database
        .execute(
            "CREATE PUBLICATION half FOR TABLE customers (id, full_name);
             CREATE FUNCTION late() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;
             CREATE TRIGGER zzz_zebra BEFORE UPDATE ON customers FOR EACH ROW EXECUTE FUNCTION late();
             CREATE TRIGGER audit AFTER UPDATE ON customers FOR EACH ROW EXECUTE FUNCTION late()",
        )
        .await;
    let told = [
        "2 blockers",
        "the trigger zzz_zebra runs after those of Phasegate",
        "rename it, so that it sorts before zzz_phasegate",
        "the trigger audit runs for each row",
        "the publication half publishes some of its columns only",
        "row level security is forced",
    ];
    database.execute("ALTER TABLE customers ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY").await;
    // A superuser sees every row, so the role of an ordinary runner asks.
    let role = runner_role(&database).await;
    database.execute(&format!("ALTER TABLE customers OWNER TO {role}")).await;
    let url = as_role(&database, &role);
    let plan = project.plan.to_str().unwrap();
    said(phasegate(&url, &["doctor", "--plan", plan])).await.expect(78, &told);
    let live = project.live.to_str().unwrap();
    let refused = said(phasegate(&url, &["run", "--plan", plan, "--live", live])).await;
    refused.expect(78, &["zzz_zebra", "`phasegate doctor` tells more"]);
    assert_eq!(database.phase("split-full-name").await, "pending");
    database.execute("DROP TRIGGER zzz_zebra ON customers; ALTER TABLE customers NO FORCE ROW LEVEL SECURITY").await;
    said(phasegate(&url, &["run", "--plan", plan, "--live", live])).await.expect(0, &["is migrated"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rights_that_a_move_would_miss_half_way_are_told_first() {
    let database = Database::postgres().await;
    database.customers(100).await;
    let project = Project::split(&database, "target: migrated");
    let role = runner_role(&database).await;
    database
        .execute(&format!(
            "GRANT SELECT, UPDATE ON customers TO {role}; REVOKE CREATE ON SCHEMA public FROM {role}, PUBLIC"
        ))
        .await;
    let url = as_role(&database, &role);
    let plan = project.plan.to_str().unwrap();
    let told = ["may not alter it: it belongs to", "may not create the trigger's function in the schema public"];
    said(phasegate(&url, &["doctor", "--plan", plan])).await.expect(78, &told);
    said(phasegate(&url, &["run", "--plan", plan])).await.expect(78, &told);
    assert_eq!(database.phase("split-full-name").await, "pending");
}

/// A role that may make the ledger, and has no other right.
async fn runner_role(database: &Database) -> String {
    let role = format!("runner_{:x}", fastrand::u32(..));
    let password = tests::postgres::PASSWORD;
    database
        .execute(&format!(
            "CREATE ROLE {role} LOGIN PASSWORD '{password}';
             DO $$ BEGIN EXECUTE format('GRANT CREATE ON DATABASE %I TO {role}', current_database()); END $$;
             GRANT CREATE, USAGE ON SCHEMA public TO {role}"
        ))
        .await;
    role
}

fn as_role(database: &Database, role: &str) -> String {
    database.url().replacen("postgres://postgres:", &format!("postgres://{role}:"), 1)
}

on_each!(a_database_without_a_ledger_is_adopted_where_it_stands, adopted);
async fn adopted(database: Database) {
    database.customers(500).await;
    let project = Project::split(&database, "target: migrated");
    project.live(&[V1]);
    // Nothing of it is there.
    ask(&database, &project, "adopt", &["--dry-run"])
        .await
        .expect(0, &["split-full-name: pending", "Nothing was written"]);
    assert_eq!(database.phase("split-full-name").await, "unknown");
    run(&database, &project).await.expect(0, &["is migrated"]);
    ask(&database, &project, "adopt", &[])
        .await
        .expect(78, &["has a ledger already, in which split-full-name is migrated"]);

    // The ledger is lost, its objects stay.
    forget(&database).await;
    run(&database, &project).await.expect(78, &["phasegate adopt"]);
    ask(&database, &project, "adopt", &["--dry-run"])
        .await
        .expect(0, &["split-full-name: migrated: both shapes are there"]);
    let json = ask(&database, &project, "adopt", &["--output", "json"]).await.expect(0, &[]);
    let json: Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!((&json["written"], &json["changes"][0]["phase"]), (&true.into(), &"migrated".into()), "{json:#}");
    assert_eq!(database.phase("split-full-name").await, "migrated");
    ask(&database, &project, "verify", &[]).await.expect(0, &["as the ledger says"]);
    project.live(&[V2]);
    project.goal("target: contracted");
    run(&database, &project).await.expect(0, &["is contracted"]);

    // Contracted, and the ledger lost again.
    forget(&database).await;
    ask(&database, &project, "adopt", &[]).await.expect(0, &["split-full-name: contracted: its new shape is there"]);
    run(&database, &project).await.expect(0, &["1 as Git asks, 0 blocked, 0 failed"]);
}

on_each!(what_is_half_there_is_named_and_nothing_is_written, half);
async fn half(database: Database) {
    database.customers(100).await;
    let project = Project::split(&database, "target: migrated");
    project.live(&[V1]);
    database.execute("ALTER TABLE customers ADD COLUMN first_name text").await;
    let told = ["split-full-name: HALF THERE", "it is not expanded: customers.last_name", "Nothing was written"];
    ask(&database, &project, "adopt", &[]).await.expect(78, &told);
    assert_eq!(database.phase("split-full-name").await, "unknown");
    database.execute("ALTER TABLE customers DROP COLUMN first_name").await;
    run(&database, &project).await.expect(0, &["is migrated"]);
    forget(&database).await;
    // One trigger of several is gone.
    database.execute(&crate::verify::drop_a_trigger(&database).1).await;
    ask(&database, &project, "adopt", &[]).await.expect(78, &["HALF THERE: of what keeps its shapes equal"]);
    // The others belong to nobody once Git does not know their change.
    fs::remove_file(project.plan.join("changes/0001-split-full-name.yaml")).unwrap();
    ask(&database, &project, "adopt", &[]).await.expect(78, &["UNEXPLAINED: zzz_phasegate_split_full_name_i"]);
    assert_eq!(database.phase("split-full-name").await, "unknown");
}

on_each!(plain_sql_is_adopted_where_it_is_stated_to_be, stated);
async fn stated(database: Database) {
    database.customers(10).await;
    let project = Project::new(&database);
    let spec = "  target: contracted\n  tables: [customers]\n  windows: {old: pending..contracted, new: pending..contracted}\n  sql:\n    expand: i.sql\n    reverse: {expand: r.sql}";
    project.sql(
        "index-city",
        spec,
        &[("i.sql", "CREATE INDEX by_city ON customers (city);\n"), ("r.sql", "DROP INDEX by_city;\n")],
    );
    let city = if database.engine() == "mysql" { "city(20)" } else { "city" };
    database.execute(&format!("CREATE INDEX by_city ON customers ({city})")).await;
    ask(&database, &project, "adopt", &[]).await.expect(78, &["--at index-city=contracted"]);
    ask(&database, &project, "adopt", &["--at", "index-cty=contracted"])
        .await
        .expect(78, &["no change of the plan has this name"]);
    ask(&database, &project, "adopt", &["--at", "index-city=contracted"]).await.expect(0, &["as stated by --at"]);
    run(&database, &project).await.expect(0, &["1 as Git asks"]);
}

/// Loses the ledger, as a dump of one schema does.
async fn forget(database: &Database) {
    if database.is_postgres() {
        return database.execute("DROP SCHEMA phasegate CASCADE").await;
    }
    if database.is_mariadb() {
        let tables = "SELECT table_name FROM information_schema.tables \
                      WHERE table_schema = database() AND table_name LIKE 'phasegate%'";
        for table in database.rows(tables).await {
            database.execute(&format!("SET foreign_key_checks = 0; DROP TABLE {}", table[0])).await;
        }
        return;
    }
    let tables = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name LIKE 'phasegate_%'";
    for table in database.rows(tables).await {
        database.execute(&format!("DROP TABLE {}", table[0])).await;
    }
}

on_each!(a_contract_is_preceded_by_its_checkpoint_or_does_not_happen, checkpoint);
async fn checkpoint(database: Database) {
    database.customers(300).await;
    let project = Project::split(&database, "target: migrated");
    project.live(&[V2]);
    let dumps = database.directory.path().join("dumps");
    let file = project.plan.join("phasegate.yaml");
    let declared = fs::read_to_string(&file).unwrap();
    let declare = |directory: &Path| {
        fs::write(&file, format!("{declared}  checkpoint: {{dump: {{directory: {}}}}}\n", directory.display()))
            .unwrap();
    };
    // A place where nothing can be written.
    declare(Path::new("/proc/phasegate"));
    run(&database, &project).await.expect(0, &["is migrated"]);
    project.goal("target: contracted");
    run(&database, &project).await.expect(78, &["there is no contract without its checkpoint", "/proc/phasegate"]);
    assert_eq!(database.phase("split-full-name").await, "migrated");

    declare(&dumps);
    let out = with_tools(&database, &project, &["--output", "json"]).await.expect(0, &["is contracted"]);
    let event = out.stdout.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let event = event.into_iter().find(|event| event["event"] == "checkpoint").unwrap();
    let path = event["path"].as_str().unwrap();
    let bytes = fs::read(path).unwrap();
    assert_eq!(event["bytes"], bytes.len());
    let names: Vec<_> = fs::read_dir(&dumps).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names.len(), 1, "{names:?}");
    let history = if database.is_postgres() { "phasegate.history" } else { "phasegate_history" };
    let recorded = database.rows(&format!("SELECT detail FROM {history} WHERE event = 'checkpoint'")).await;
    assert!(recorded[0][0].contains(event["sha256"].as_str().unwrap()), "{recorded:?}");

    // Restored, the old shape is there again, with every row; and the ledger says so.
    if database.is_postgres() {
        let other = Database::postgres().await;
        let url = other.url();
        let tool = tool("pg_restore");
        let done = Command::new(tool).args(["--no-owner", "--dbname", &url, path]).output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        assert_eq!(
            other.number("SELECT count(*) FROM customers WHERE full_name = first_name || ' ' || last_name").await,
            300
        );
        assert_eq!(other.phase("split-full-name").await, "migrated");
    } else if database.is_mariadb() {
        let flavour = database.flavour().unwrap();
        let other = Database::of(flavour).await;
        let owner = database.owner();
        // The triggers belong to the runner's user, which must be there.
        let password = tests::mariadb::PASSWORD;
        let done = flavour
            .client()
            .unwrap()
            .args(["--no-defaults", "--comments", "--protocol=TCP", "--host=127.0.0.1"])
            .args([format!("--port={}", other.port().unwrap()), "--user=admin".to_owned(), other.name()])
            .env("MYSQL_PWD", password)
            .stdin(fs::File::open(path).unwrap())
            .output()
            .unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        let whole = "SELECT count(*) FROM customers WHERE full_name = first_name || ' ' || last_name";
        assert_eq!(other.number(whole).await, 300);
        assert_eq!(other.phase("split-full-name").await, "migrated");
        let definers =
            "SELECT count(*) FROM information_schema.triggers WHERE trigger_schema = database() AND definer LIKE";
        assert_eq!(other.number(&format!("{definers} '{owner}@%'")).await, 2);
    } else {
        let url = format!("sqlite://{path}");
        said(phasegate(&url, &["status"])).await.expect(0, &["split-full-name  migrated"]);
    }
}

/// The folder of the PostgreSQL tools, as the tests' setup installs them.
fn tool(name: &str) -> String {
    format!("/usr/lib/postgresql/15/bin/{name}")
}

/// A run that finds `pg_dump`.
async fn with_tools(database: &Database, project: &Project, more: &[&str]) -> Said {
    let mut command = crate::binary::run_command(database, project, more);
    command
        .env("PATH", database.flavour().map_or_else(|| "/usr/lib/postgresql/15/bin:/usr/bin:/bin".to_owned(), tools));
    said(command).await
}

/// Where the tools of a server are found: its own first.
pub(crate) fn tools(flavour: Flavour) -> String {
    match flavour {
        Flavour::Mariadb => "/usr/bin:/bin".to_owned(),
        Flavour::Mysql => format!("{}:/usr/bin:/bin", tests::mysql::programs().unwrap().display()),
    }
}

/// A PgBouncer in front of a database, in transaction mode. Ends with the test.
struct Bouncer {
    child: Child,
    port: u16,
}

impl Drop for Bouncer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn bouncer(database: &Database, ignore: &str) -> Bouncer {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let url = database.url();
    let server = url.rsplit('@').next().unwrap();
    let (address, name) = server.split_once('/').unwrap();
    let (host, server_port) = address.rsplit_once(':').unwrap();
    let directory = database.directory.path();
    fs::set_permissions(directory, fs::Permissions::from_mode(0o755)).unwrap();
    let (users, config) = (directory.join("users.txt"), directory.join("pgbouncer.ini"));
    fs::write(&users, format!("\"postgres\" \"{}\"\n", tests::postgres::PASSWORD)).unwrap();
    fs::write(
        &config,
        format!(
            "[databases]\n{name} = host={host} port={server_port} dbname={name}\n[pgbouncer]\nlisten_addr = 127.0.0.1\n\
             listen_port = {port}\nauth_type = plain\nauth_file = {}\npool_mode = transaction\n{ignore}",
            users.display()
        ),
    )
    .unwrap();
    let mut command = Command::new("/usr/sbin/pgbouncer");
    // It refuses to be root.
    if fs::metadata("/proc/self").map(|own| std::os::unix::fs::MetadataExt::uid(&own)).unwrap() == 0 {
        use std::os::unix::process::CommandExt;
        for path in [&users, &config] {
            chown(path, Some(65_534), Some(65_534)).unwrap();
        }
        command.uid(65_534).gid(65_534);
    }
    let mut child = command
        .arg(&config)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("pgbouncer is needed: tests/setup/debian installs it");
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let up = lines.find(|line| line.as_ref().is_ok_and(|line| line.contains("process up")));
    assert!(up.is_some(), "pgbouncer does not start");
    // Its log must go on being read.
    std::thread::spawn(move || lines.count());
    Bouncer { child, port }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_real_pgbouncer_is_recognised_and_refused() {
    let database = Database::postgres().await;
    database.customers(10).await;
    let project = Project::split(&database, "target: migrated");
    project.live(&[V1]);
    let (plan, live) = (project.plan.to_str().unwrap(), project.live.to_str().unwrap());
    // As it comes; and told to swallow the settings that would give it away.
    for ignore in ["", "ignore_startup_parameters = extra_float_digits,options,phasegate.connection\n"] {
        let bouncer = bouncer(&database, ignore);
        let url = database.url();
        let (head, tail) = url.rsplit_once('@').unwrap();
        let name = tail.split_once('/').unwrap().1;
        let url = format!("{head}@127.0.0.1:{}/{name}", bouncer.port);
        let told = ["connection pooler that shares server sessions", "use the server's own address"];
        said(phasegate(&url, &["run", "--plan", plan, "--live", live])).await.expect(78, &told);
        said(phasegate(&url, &["doctor", "--plan", plan])).await.expect(78, &told);
        assert_eq!(database.phase("split-full-name").await, "unknown");
        // A gate only reads, and may sit behind it.
        said(phasegate(&url, &["status"])).await.expect(0, &["no ledger"]);
    }
}
