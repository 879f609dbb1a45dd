//! `phasegate.yaml`: one `Database`.

use std::sync::LazyLock;

use schema_phases::Supports;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::{
    Checkpoint, Consumer, Database, Engine, FileError, IntegrityQuery, Replica, SecretKey,
    declared::{Complaints, backfill, schema::database_schema, shape, yaml},
};

static SCHEMA: LazyLock<serde_json::Value> = LazyLock::new(database_schema);

/// A database whose schema Phasegate moves.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schemars(rename = "Database")]
pub(crate) struct DatabaseFile {
    /// The format of this file.
    #[serde(rename = "apiVersion")]
    _api_version: ApiVersion,
    /// What the file declares.
    #[serde(rename = "kind")]
    _kind: DatabaseKind,
    /// Its name.
    metadata: Metadata,
    /// What is declared of it.
    spec: DatabaseSpec,
}

/// The format of a file.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) enum ApiVersion {
    /// The only one so far.
    #[serde(rename = "phasegate.dev/v1alpha1")]
    V1Alpha1,
}

#[derive(Debug, Deserialize, JsonSchema)]
enum DatabaseKind {
    Database,
}

/// The name of what a file declares.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Metadata {
    /// 1 to 63 characters of a-z, 0-9 and -, starting and ending with a letter or digit; of a Database at most 40.
    pub(crate) name: String,
}

/// One database, and how to reach it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct DatabaseSpec {
    /// The engine it runs on.
    engine: DeclaredEngine,
    /// The URL with the rights to change the schema.
    runner: Credential,
    /// The URL with the right to read the ledger, and no other.
    gate: Credential,
    /// What the applications use to reach it.
    #[serde(default)]
    apps: Apps,
    /// Namespaces besides its own in which its applications live.
    #[serde(default)]
    namespaces: Vec<String>,
    /// What is made before each contract.
    checkpoint: Option<DeclaredCheckpoint>,
    /// Versions that run outside this cluster. They count as live: declare them before they start, remove them after
    /// they stop.
    #[serde(default)]
    consumers: Vec<DeclaredConsumer>,
    /// Queries that say whether the data is whole. The gate asks them, as its own role, before it lets a version in.
    #[serde(default)]
    integrity: Vec<DeclaredQuery>,
    /// Copies of the database that its applications read from: a version is let in when each has followed as far as it
    /// needs.
    #[serde(default)]
    replicas: Vec<DeclaredReplica>,
    /// How rows are filled, and when not.
    #[serde(default)]
    backfill: backfill::BackfillSpec,
}

/// A database engine.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum DeclaredEngine {
    /// PostgreSQL 14 or newer.
    Postgres,
    /// MySQL 8.
    Mysql,
    /// MariaDB 10.6 or newer.
    Mariadb,
    /// SQLite, for a laptop and for demos.
    Sqlite,
}

/// Where a database URL is kept.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Credential {
    /// The key of a Secret that holds the URL.
    secret_ref: SecretRef,
}

/// A key of a Secret in the Database's namespace.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct SecretRef {
    /// The Secret's name.
    name: String,
    /// The key in it.
    key: String,
}

/// What the applications use to reach the database.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Apps {
    /// The names of the Secrets with their URLs.
    #[serde(default)]
    secret_refs: Vec<String>,
    /// The database's roles (MariaDB, MySQL: users) that they log in as; on MariaDB and MySQL the gate's too. A `*` at the
    /// end stands for any ending. In a cluster a session of any other role blocks a contract while it may touch the
    /// tables.
    users: Option<Vec<String>>,
}

/// What is made before each contract: whoever declares it does not contract without it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct DeclaredCheckpoint {
    /// A dump of the whole database by the engine's own tool.
    dump: DeclaredDump,
}

/// Where the dump goes.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct DeclaredDump {
    /// The directory, an absolute path where the runner runs.
    directory: String,
    /// The name of a PersistentVolumeClaim that the rendered Job mounts at the directory.
    volume: Option<String>,
}

/// A version that runs outside this cluster.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct DeclaredConsumer {
    /// What people call it.
    name: String,
    /// What it supports, as in the annotation `supports.phasegate.dev/...`.
    #[serde(default)]
    supports: String,
    /// The database's roles (MariaDB, MySQL: users) that it logs in as, so that its sessions are known as its own.
    #[serde(default)]
    users: Vec<String>,
}

/// A query that says whether the data is whole.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct DeclaredQuery {
    /// What people call it: 1 to 40 characters of a-z, 0-9 and -.
    name: String,
    /// One SELECT. The gate's role needs the right to read what it reads.
    query: String,
    /// It answers one number, which is at most this. Without it, it must answer no row.
    at_most: Option<u64>,
}

/// A copy of the database that its applications read from.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct DeclaredReplica {
    /// What people call it: 1 to 40 characters of a-z, 0-9 and -.
    name: String,
    /// The gate's URL of this copy.
    secret_ref: SecretRef,
}

/// Asked one after the other, at each question of a canary that would be let in.
const MOST_QUERIES: usize = 20;
const MOST_REPLICAS: usize = 8;
const LONGEST_QUERY: usize = 4_000;

/// Reads `phasegate.yaml`.
///
/// # Errors
/// Everything that is wrong with it.
pub(crate) fn read_database(file: &str, text: &str) -> Result<Database, Vec<FileError>> {
    let tree = yaml::tree(text).map_err(|bad| vec![bad.in_file(file)])?;
    let mut complaints = Complaints::new(file, &tree);
    shape::check(&mut complaints, &SCHEMA, &tree);
    if !complaints.is_empty() {
        return Err(complaints.into_errors());
    }
    let DatabaseFile { metadata, spec, .. } = yaml::typed(text).map_err(|bad| vec![bad.in_file(file)])?;
    let database = checked(&mut complaints, metadata, spec);
    if complaints.is_empty() { Ok(database) } else { Err(complaints.into_errors()) }
}

fn checked(complaints: &mut Complaints<'_>, metadata: Metadata, spec: DatabaseSpec) -> Database {
    let DatabaseSpec { engine, runner, gate, apps, namespaces, checkpoint, consumers, integrity, replicas, backfill } =
        spec;
    if !is_label(&metadata.name) || metadata.name.len() > 40 {
        complaints.add(
            &["metadata", "name"],
            format!("`{}` cannot name a database", start(&metadata.name)),
            "use 1 to 40 characters of a-z, 0-9 and -, starting and ending with a letter or digit",
        );
    }
    for (field, secret) in [("runner", &runner.secret_ref), ("gate", &gate.secret_ref)] {
        check_secret_name(complaints, &["spec", field, "secretRef", "name"], &secret.name);
        check_key(complaints, &["spec", field, "secretRef", "key"], &secret.key);
    }
    check_integrity(complaints, &integrity);
    check_replicas(complaints, engine, &replicas);
    for name in &apps.secret_refs {
        check_secret_name(complaints, &["spec", "apps", "secretRefs"], name);
    }
    for (at, user) in apps.users.iter().flatten().enumerate() {
        check_user(complaints, &["spec", "apps", "users", &at.to_string()], user);
    }
    for name in &namespaces {
        if !is_label(name) {
            complaints.add(
                &["spec", "namespaces"],
                format!("`{}` cannot name a namespace", start(name)),
                "use the name of a Kubernetes namespace",
            );
        }
    }
    let checkpoint =
        checkpoint.map(|declared| Checkpoint { directory: declared.dump.directory, volume: declared.dump.volume });
    if let Some(Checkpoint { directory, volume }) = &checkpoint {
        let taken = ["/", "/tmp", "/etc", "/etc/phasegate", "/etc/phasegate/plan", "/etc/phasegate/prometheus"];
        let whole = directory.trim_end_matches('/');
        if !directory.starts_with('/') || taken.contains(&whole) || whole.is_empty() || directory.contains(['\0', ':'])
        {
            complaints.add(
                &["spec", "checkpoint", "dump", "directory"],
                format!("`{}` cannot hold dumps", start(directory)),
                "write an absolute path of its own, for example /var/lib/phasegate",
            );
        }
        if let Some(volume) = volume {
            check_secret_name(complaints, &["spec", "checkpoint", "dump", "volume"], volume);
        }
    }
    for (at, consumer) in consumers.iter().enumerate() {
        let place = at.to_string();
        if consumer.name.trim().is_empty() {
            complaints.add(
                &["spec", "consumers", &place, "name"],
                "the name is empty",
                "say who runs outside this cluster",
            );
        }
        if let Err(why) = consumer.supports.parse::<Supports>() {
            complaints.add(
                &["spec", "consumers", &place, "supports"],
                why,
                "write it as in the annotation supports.phasegate.dev",
            );
        }
        for (nth, user) in consumer.users.iter().enumerate() {
            check_user(complaints, &["spec", "consumers", &place, "users", &nth.to_string()], user);
        }
    }
    let engine = match engine {
        DeclaredEngine::Postgres => Engine::Postgres,
        DeclaredEngine::Mysql => Engine::Mysql,
        DeclaredEngine::Mariadb => Engine::Mariadb,
        DeclaredEngine::Sqlite => Engine::Sqlite,
    };
    Database {
        name: metadata.name,
        engine,
        backfill: backfill::checked(complaints, engine, backfill),
        runner: secret_key(runner),
        gate: secret_key(gate),
        app_secrets: apps.secret_refs,
        app_users: apps.users,
        checkpoint,
        namespaces,
        consumers: consumers
            .into_iter()
            .map(|DeclaredConsumer { name, supports, users }| Consumer { name, supports, users })
            .collect(),
        integrity: integrity
            .into_iter()
            .map(|DeclaredQuery { name, query, at_most }| IntegrityQuery { name, query, at_most })
            .collect(),
        replicas: replicas
            .into_iter()
            .map(|DeclaredReplica { name, secret_ref }| Replica { name, gate: secret_key(Credential { secret_ref }) })
            .collect(),
    }
}

fn check_integrity(complaints: &mut Complaints<'_>, integrity: &[DeclaredQuery]) {
    check_names(complaints, "integrity", integrity.iter().map(|query| query.name.as_str()), MOST_QUERIES);
    for (at, DeclaredQuery { query, .. }) in integrity.iter().enumerate() {
        let begins = query.trim_start().get(..6).is_some_and(|word| {
            word.eq_ignore_ascii_case("select") || word.get(..4).is_some_and(|word| word.eq_ignore_ascii_case("with"))
        });
        if !begins || query.len() > LONGEST_QUERY {
            complaints.add(
                &["spec", "integrity", &at.to_string(), "query"],
                "it is no query",
                "write one SELECT of at most 4000 characters",
            );
        }
    }
}

fn check_replicas(complaints: &mut Complaints<'_>, engine: DeclaredEngine, replicas: &[DeclaredReplica]) {
    if matches!(engine, DeclaredEngine::Sqlite) && !replicas.is_empty() {
        complaints.add(&["spec", "replicas"], "an SQLite file has no replicas", "remove the field");
    }
    check_names(complaints, "replicas", replicas.iter().map(|replica| replica.name.as_str()), MOST_REPLICAS);
    for (at, DeclaredReplica { secret_ref, .. }) in replicas.iter().enumerate() {
        let at = at.to_string();
        check_secret_name(complaints, &["spec", "replicas", &at, "secretRef", "name"], &secret_ref.name);
        check_key(complaints, &["spec", "replicas", &at, "secretRef", "key"], &secret_ref.key);
    }
}

fn check_names<'a>(
    complaints: &mut Complaints<'_>,
    list: &str,
    names: impl ExactSizeIterator<Item = &'a str>,
    most: usize,
) {
    if names.len() > most {
        complaints.add(
            &["spec", list],
            format!("the list has {} entries", names.len()),
            format!("name at most {most}"),
        );
    }
    let mut seen = std::collections::BTreeSet::new();
    for (at, name) in names.enumerate() {
        let path = ["spec", list, &at.to_string(), "name"];
        if !is_label(name) || name.len() > 40 {
            complaints.add(&path, format!("`{}` is no name", start(name)), "use 1 to 40 characters of a-z, 0-9 and -");
        } else if !seen.insert(name) {
            complaints.add(&path, format!("`{name}` stands there twice"), "rename one");
        }
    }
}

/// A bare `*` would explain everybody.
fn check_user(complaints: &mut Complaints<'_>, path: &[&str], user: &str) {
    let fixed = user.strip_suffix('*').unwrap_or(user);
    if fixed.is_empty() || fixed.contains('*') || user.len() > 128 || user.chars().any(char::is_control) {
        complaints.add(
            path,
            format!("`{}` names no database role", start(user)),
            "write the name of a role, or its beginning and one `*`",
        );
    }
}

fn check_key(complaints: &mut Complaints<'_>, path: &[&str], key: &str) {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if key.is_empty() || key.len() > 253 || !key.chars().all(allowed) {
        complaints.add(
            path,
            format!("`{}` cannot be a key of a Secret", start(key)),
            "use letters, digits, -, _ and .",
        );
    }
}

fn secret_key(Credential { secret_ref: SecretRef { name, key } }: Credential) -> SecretKey {
    SecretKey { name, key }
}

pub(crate) fn check_secret_name(complaints: &mut Complaints<'_>, path: &[&str], name: &str) {
    if name.len() > 253 || !name.split('.').all(is_label) {
        complaints.add(
            path,
            format!("`{}` cannot name a Secret", start(name)),
            "use the name of a Secret in the Database's namespace",
        );
    }
}

/// A DNS label, as Kubernetes names are made of.
fn is_label(name: &str) -> bool {
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    (1..=63).contains(&name.len()) && name.chars().all(inner) && !name.starts_with('-') && !name.ends_with('-')
}

fn start(text: &str) -> String {
    text.chars().take(80).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "\
apiVersion: phasegate.dev/v1alpha1
kind: Database
metadata: {name: customers}
spec:
  engine: postgres
  runner: {secretRef: {name: customers-owner, key: url}}
  gate:   {secretRef: {name: customers-reader, key: url}}
  apps:   {secretRefs: [customers-app], users: [customers_app, v-app-*]}
  namespaces: [shop]
  consumers:
    - {name: nightly export, supports: since=split-full-name, users: [export]}
  integrity:
    - {name: orphans, query: SELECT count(*) FROM orders WHERE customer IS NULL, atMost: 0}
    - {name: doubles, query: SELECT id FROM orders GROUP BY id HAVING count(*) > 1}
  replicas:
    - {name: reports, secretRef: {name: customers-replica, key: url}}
";

    fn told(text: &str) -> String {
        let told = read_database("phasegate.yaml", text).unwrap_err();
        told.iter().map(|error| format!("{error}\n")).collect()
    }

    #[test]
    fn the_example_of_the_design_is_read() {
        let database = read_database("phasegate.yaml", GOOD).unwrap();
        assert_eq!(database.engine, Engine::Postgres);
        assert_eq!(database.runner, SecretKey { name: "customers-owner".into(), key: "url".into() });
        assert_eq!(database.app_secrets, ["customers-app"]);
        assert_eq!(database.app_users.as_deref(), Some(&["customers_app".to_owned(), "v-app-*".to_owned()][..]));
        assert_eq!(database.consumers[0].users, ["export"]);
        assert_eq!(database.consumers[0].supports, "since=split-full-name");
        assert_eq!(database.integrity.iter().map(|query| query.at_most).collect::<Vec<_>>(), [Some(0), None]);
        assert_eq!(database.replicas[0].gate.name, "customers-replica");
    }

    #[test]
    fn each_mistake_is_named_with_its_line_and_its_remedy() {
        let rows = [
            (
                "engine: postgres",
                "engine: postgre",
                "phasegate.yaml:5: spec.engine: `postgre` is not known here; did you mean postgres",
            ),
            ("engine: postgres", "engin: postgres", "spec.engin: there is no such field; did you mean engine?"),
            (
                "engine: postgres",
                "engin: postgres",
                "spec: the field `engine` is missing; add it: The engine it runs on",
            ),
            (
                "kind: Database",
                "kind: Databas",
                "phasegate.yaml:2: kind: `Databas` is not known here; did you mean Database?",
            ),
            ("v1alpha1", "v1", "did you mean phasegate.dev/v1alpha1?"),
            ("name: customers}", "name: Customers}", "cannot name a database"),
            ("name: customers}", "name: 7}", "text is wanted, and here is a number; put it in quotes"),
            (
                "key: url}}\n  gate",
                "key: 'u r l'}}\n  gate",
                "phasegate.yaml:6: spec.runner.secretRef.key: `u r l` cannot be a key",
            ),
            ("name: customers-owner", "name: Owner", "cannot name a Secret"),
            ("[customers-app]", "customers-app", "a list is wanted, and here is text"),
            ("v-app-*", "'*'", "phasegate.yaml:8: spec.apps.users.1: `*` names no database role; write the name"),
            ("v-app-*", "v-*-app", "`v-*-app` names no database role"),
            ("[export]", "['']", "phasegate.yaml:11: spec.consumers.0.users.0: `` names no database role"),
            ("[shop]", "[Shop]", "cannot name a namespace"),
            ("since=split-full-name", "'a,'", "phasegate.yaml:11: spec.consumers.0.supports"),
            ("since=split-full-name", "'x=contracted..migrated'", "write migrated..contracted"),
            ("{name: nightly export", "{name: ''", "the name is empty"),
            ("query: SELECT id", "query: DELETE FROM id", "phasegate.yaml:14: spec.integrity.1.query: it is no query"),
            ("name: doubles", "name: orphans", "spec.integrity.1.name: `orphans` stands there twice"),
            ("name: doubles", "name: Doubles", "`Doubles` is no name"),
            ("atMost: 0", "atMost: -1", "spec.integrity.0.atMost: a whole number from 0 is wanted"),
            ("engine: postgres", "engine: sqlite", "spec.replicas: an SQLite file has no replicas; remove the field"),
            ("name: customers-replica", "name: Replica", "spec.replicas.0.secretRef.name: `Replica` cannot name"),
            (
                "customers-replica, key: url",
                "customers-replica, key: u/l",
                "spec.replicas.0.secretRef.key: `u/l` cannot",
            ),
        ];
        for (from, to, want) in rows {
            assert!(GOOD.contains(from), "{from}");
            let told = told(&GOOD.replacen(from, to, 1));
            assert!(told.contains(want), "{to}: {told}");
        }
    }

    #[test]
    fn all_mistakes_of_a_file_are_told_at_once() {
        let told =
            told(&GOOD.replace("engine: postgres", "engine: oracle").replace("gate: ", "gat: ").replace("url", "7"));
        for want in ["oracle", "spec.gat:", "`gate` is missing", "spec.runner.secretRef.key"] {
            assert!(told.contains(want), "{want} in {told}");
        }
    }
}
