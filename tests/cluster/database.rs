//! The two database servers of the cluster, as their administrator uses them: from inside their pods.

use tests::binaries::Target;

use crate::{
    kubectl::{kubectl, kubectl_with, until},
    shop::{SERVICES, SOON, Shop},
};

/// Every role's; the servers end with the cluster.
const PASSWORD: &str = "only-for-tests";

/// Which of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Server {
    Postgres,
    /// With the binary log on, and TLS.
    Mariadb,
}

impl Server {
    /// As a Database declares it; its Deployment and its Service are called so.
    pub(crate) const fn engine(self) -> &'static str {
        match self {
            Self::Postgres => "postgres",
            Self::Mariadb => "mariadb",
        }
    }

    /// Its client in one database, by way of `kubectl exec -i -n phasegate-e2e`. What it prints are values and nothing else.
    pub(crate) fn client(self, database: &str) -> Vec<&str> {
        match self {
            Self::Postgres => [
                &["deployment/postgres", "--", "psql", "-h", "/tmp", "-U", "postgres", "-qAtX"][..],
                &["-v", "ON_ERROR_STOP=1", "-d", database, "-f", "-"],
            ]
            .concat(),
            // Unbuffered: what a transaction that stays open has done so far is done.
            Self::Mariadb => {
                vec![
                    "deployment/mariadb",
                    "--",
                    "mariadb",
                    "--no-defaults",
                    "-S",
                    "/tmp/sock",
                    "-u",
                    "root",
                    "-NBn",
                    database,
                ]
            }
        }
    }

    /// The database that is always there.
    const fn first(self) -> &'static str {
        match self {
            Self::Postgres => "postgres",
            Self::Mariadb => "mysql",
        }
    }

    /// Runs SQL as the administrator, and gives what came back.
    pub(crate) async fn sql(self, database: &str, sql: &str) -> Result<String, String> {
        let exec = ["exec", "-i", "-n", SERVICES];
        kubectl_with(&[&exec[..], &self.client(database)].concat(), sql.as_bytes()).await
    }

    /// The ledger's tables in a query begin so.
    pub(crate) const fn ledger(self) -> &'static str {
        match self {
            Self::Postgres => "phasegate.",
            Self::Mariadb => "phasegate_",
        }
    }

    /// Where the app's tables are, in a query.
    pub(crate) const fn schema(self) -> &'static str {
        match self {
            Self::Postgres => "'public'",
            Self::Mariadb => "DATABASE()",
        }
    }

    /// Who is declared to be connected: the app, and the tests as those who look after the server. MariaDB does not say what
    /// a user may touch, so the gate's is one of them there.
    pub(crate) fn declared_users(self, database: &str) -> String {
        match self {
            Self::Postgres => format!("{database}_app, postgres"),
            Self::Mariadb => format!("{database}_app, {database}_reader, root"),
        }
    }

    /// The address of a database as one of its roles.
    pub(crate) fn url(self, database: &str, role: &str) -> String {
        let (engine, tls) = match self {
            Self::Postgres => ("postgres", "sslmode=disable"),
            Self::Mariadb => ("mariadb", "ssl-mode=required"),
        };
        format!("{engine}://{database}_{role}:{PASSWORD}@{engine}.{SERVICES}.svc.cluster.local/{database}?{tls}")
    }
}

impl Shop {
    /// Takes away the database and the roles of an earlier run.
    pub(crate) async fn clear_database(&self) {
        let name = &self.database;
        let server = self.app.server;
        let sql = match server {
            Server::Postgres => format!(
                "SET client_min_messages = error;
                 DROP DATABASE IF EXISTS {name} WITH (FORCE);
                 DROP ROLE IF EXISTS {name}_owner, {name}_reader, {name}_app, {name}_reports;"
            ),
            Server::Mariadb => format!(
                "DROP DATABASE IF EXISTS {name};
                 DROP USER IF EXISTS {name}_owner, {name}_reader, {name}_app, {name}_reports;"
            ),
        };
        server.sql(server.first(), &sql).await.unwrap_or_else(|error| panic!("{error}"));
    }

    /// The database with the app's tables, and three roles: the owner with the rights that docs/reference/ledger.md asks
    /// for, the reader with those that `phasegate gate-role` prints, and the app's.
    pub(crate) async fn make_database(&self, rows: u32) {
        let name = &self.database;
        let server = self.app.server;
        let gate = self.gate_role().await;
        let app = format!("{name}_app");
        let tables = (self.app.tables)(&app, rows);
        let sql = match server {
            Server::Postgres => format!(
                "CREATE ROLE {name}_owner LOGIN PASSWORD '{PASSWORD}';
                 CREATE ROLE {app} LOGIN PASSWORD '{PASSWORD}';
                 CREATE DATABASE {name} OWNER {name}_owner;
                 \\connect {name}
                 SET ROLE {name}_owner;
                 {tables}
                 RESET ROLE;
                 {gate}
                 ALTER ROLE {name}_reader PASSWORD '{PASSWORD}';
                 ANALYZE;"
            ),
            Server::Mariadb => format!(
                "CREATE USER {name}_owner IDENTIFIED BY '{PASSWORD}';
                 CREATE USER {app} IDENTIFIED BY '{PASSWORD}';
                 CREATE DATABASE {name};
                 USE {name};
                 GRANT CREATE, ALTER, DROP, INDEX, TRIGGER, INSERT, UPDATE, DELETE, SELECT ON {name}.* TO {name}_owner;
                 GRANT PROCESS ON *.* TO {name}_owner;
                 {tables}
                 {gate}
                 ALTER USER {name}_reader IDENTIFIED BY '{PASSWORD}' ACCOUNT UNLOCK;"
            ),
        };
        server.sql(server.first(), &sql).await.unwrap_or_else(|error| panic!("{error}"));
    }

    /// Somebody whom nobody declared, connected for longer than any scenario lasts. Gives the role.
    pub(crate) async fn stranger(&self, name: &str) -> String {
        let role = format!("{}_{name}", self.database);
        let table = self.app.name;
        let server = self.app.server;
        let made = match server {
            Server::Postgres => {
                format!("DROP ROLE IF EXISTS {role}; CREATE ROLE {role} LOGIN; GRANT SELECT ON {table} TO {role};")
            }
            Server::Mariadb => format!("CREATE OR REPLACE USER {role}; GRANT SELECT ON {table} TO {role};"),
        };
        self.ledger(&made).await.unwrap_or_else(|error| panic!("{error}"));
        let (database, sleeps) = (self.database.clone(), role.clone());
        tokio::spawn(async move {
            let client = match server {
                Server::Postgres => {
                    ["psql", "-h", "/tmp", "-U", &sleeps, "-d", &database, "-c", "SELECT pg_sleep(1800)"].to_vec()
                }
                Server::Mariadb => [
                    "mariadb",
                    "--no-defaults",
                    "-S",
                    "/tmp/sock",
                    "-u",
                    &sleeps,
                    &database,
                    "-e",
                    "SELECT SLEEP(1800)",
                ]
                .to_vec(),
            };
            let deployment = format!("deployment/{}", server.engine());
            let exec = ["exec", "-n", SERVICES, &deployment, "--"];
            // It ends when it is told to leave, or with the test.
            let _ = kubectl(&[&exec[..], &client].concat()).await;
        });
        until("the stranger is connected", SOON, async || match self.sessions_of(&role).await?.as_slice() {
            [_] => Ok(()),
            other => Err(other.join(" ")),
        })
        .await;
        self.tell(format_args!("stranger: {role} is connected"));
        role
    }

    async fn sessions_of(&self, role: &str) -> Result<Vec<String>, String> {
        let sql = match self.app.server {
            Server::Postgres => format!("SELECT pid FROM pg_stat_activity WHERE usename = '{role}'"),
            Server::Mariadb => format!("SELECT id FROM information_schema.processlist WHERE user = '{role}'"),
        };
        Ok(self.ledger(&sql).await?.lines().map(str::to_owned).collect())
    }

    /// Ends a session of theirs.
    pub(crate) async fn ends(&self, session: &str) -> Result<String, String> {
        self.ledger(&match self.app.server {
            Server::Postgres => format!("SELECT pg_terminate_backend({session})"),
            Server::Mariadb => format!("KILL {session}"),
        })
        .await
    }

    /// Ends their sessions.
    pub(crate) async fn strangers_leave(&self, role: &str) {
        let sessions = self.sessions_of(role).await.unwrap();
        assert_eq!(sessions.len(), 1, "it stayed until now");
        for session in &sessions {
            self.ends(session).await.unwrap();
        }
        self.tell(format_args!("stranger: {role} is gone"));
    }

    /// What `phasegate gate-role` prints for the reader.
    async fn gate_role(&self) -> String {
        let directory = tempfile::tempdir().unwrap();
        let name = &self.database;
        let declared = format!(
            "apiVersion: phasegate.dev/v1alpha1\nkind: Database\nmetadata: {{name: {}}}\nspec:\n  engine: {}\n  \
             runner: {{secretRef: {{name: owner, key: url}}}}\n  gate: {{secretRef: {{name: reader, key: url}}}}\n  \
             apps: {{secretRefs: [app]}}\n",
            self.app.name,
            self.app.server.engine(),
        );
        std::fs::write(directory.path().join("phasegate.yaml"), declared).unwrap();
        let target = Target::around(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let phasegate = target.ours("phasegate", directory.path()).unwrap_or_else(|error| panic!("{error:#}"));
        let (reader, owner) = (format!("{name}_reader"), format!("{name}_owner"));
        let printed = tokio::process::Command::new(phasegate)
            .args(["gate-role", "--plan"])
            .arg(directory.path())
            .args(["--role", &reader, "--runner", &owner, "--database", name])
            .output()
            .await
            .unwrap();
        assert!(printed.status.success(), "{}", String::from_utf8_lossy(&printed.stderr));
        String::from_utf8(printed.stdout).unwrap()
    }
}
