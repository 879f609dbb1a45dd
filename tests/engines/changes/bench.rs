//! One database of either engine, its catalog, and a stand-in for the runner that carries steps out one by one.

use std::collections::BTreeMap;

use schema_changes::{
    Alone, Catalog, ColumnFacts, Engine, IndexFacts, Plan, SchemaChange, Step, TableFacts, loss, quote, steps,
    sync_objects,
};
use schema_phases::{Move, SchemaPhase};
use sqlx::{
    AssertSqlSafe, Connection, Executor, MySqlConnection, PgConnection, Row, SqliteConnection,
    sqlite::{SqliteConnectOptions, SqliteJournalMode},
};
use tempfile::TempDir;
use tests::mariadb::Flavour;

pub(crate) type Cell = Option<String>;

enum Link {
    Sqlite(SqliteConnection, TempDir),
    Postgres(PgConnection),
    /// Or MySQL.
    Mariadb(MySqlConnection, tests::mariadb::Database),
}

/// The mode of the runner's sessions, which triggers keep.
const SQL_MODE: &str = "SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION,ERROR_FOR_DIVISION_BY_ZERO'";

/// A database with one connection.
pub(crate) struct Bench {
    link: Link,
}

impl Bench {
    pub(crate) async fn new(engine: Engine) -> Self {
        let link = match engine {
            Engine::Sqlite => {
                let directory = tempfile::tempdir().unwrap();
                let options = SqliteConnectOptions::new()
                    .filename(directory.path().join("app.db"))
                    .create_if_missing(true)
                    .journal_mode(SqliteJournalMode::Wal);
                Link::Sqlite(SqliteConnection::connect_with(&options).await.unwrap(), directory)
            }
            Engine::Postgres => Link::Postgres(tests::postgres::database().await.unwrap().connect().await.unwrap()),
            Engine::Mariadb | Engine::Mysql => {
                let flavour = if engine == Engine::Mariadb { Flavour::Mariadb } else { Flavour::Mysql };
                let database = flavour.shared().unwrap().database().await.unwrap();
                let mut link = database.connect().await.unwrap();
                sqlx::raw_sql(SQL_MODE).execute(&mut link).await.unwrap();
                Link::Mariadb(link, database)
            }
        };
        Self { link }
    }

    pub(crate) fn engine(&self) -> Engine {
        match &self.link {
            Link::Sqlite(..) => Engine::Sqlite,
            Link::Postgres(_) => Engine::Postgres,
            Link::Mariadb(_, database) => match database.flavour() {
                Flavour::Mariadb => Engine::Mariadb,
                Flavour::Mysql => Engine::Mysql,
            },
        }
    }

    /// Another connection to the same SQLite file.
    pub(crate) async fn second(&self) -> SqliteConnection {
        let Link::Sqlite(_, directory) = &self.link else { panic!("sqlite only") };
        let options = SqliteConnectOptions::new().filename(directory.path().join("app.db"));
        SqliteConnection::connect_with(&options).await.unwrap()
    }

    /// The MariaDB or MySQL database, for more connections and users.
    pub(crate) fn mariadb(&self) -> tests::mariadb::Database {
        let Link::Mariadb(_, database) = &self.link else { panic!("mariadb only") };
        database.clone()
    }

    /// One statement, prepared as a driver does it.
    pub(crate) async fn run(&mut self, sql: &str) -> Result<(), String> {
        match &mut self.link {
            Link::Sqlite(link, _) => sqlx::query(AssertSqlSafe(sql)).execute(link).await.map(|_| ()),
            Link::Postgres(link) => sqlx::query(AssertSqlSafe(sql)).execute(link).await.map(|_| ()),
            // Not all DDL can be prepared there.
            Link::Mariadb(link, _) => sqlx::raw_sql(AssertSqlSafe(spoken(sql))).execute(link).await.map(|_| ()),
        }
        .map_err(|error| error.to_string())
    }

    pub(crate) async fn must(&mut self, sql: &str) {
        self.run(sql).await.unwrap_or_else(|why| panic!("{why}\n{sql}"));
    }

    /// The rows as text.
    pub(crate) async fn rows(&mut self, sql: &str) -> Vec<Vec<Cell>> {
        match &mut self.link {
            Link::Sqlite(link, _) => {
                let rows =
                    link.fetch_all(sqlx::raw_sql(AssertSqlSafe(sql))).await.unwrap_or_else(|e| panic!("{e}\n{sql}"));
                let cell = |row: &sqlx::sqlite::SqliteRow, at| {
                    row.try_get_unchecked::<Option<String>, _>(at).unwrap_or_else(|e| panic!("{e}\n{sql}"))
                };
                rows.iter().map(|row| (0..row.len()).map(|at| cell(row, at)).collect()).collect()
            }
            Link::Postgres(link) => {
                // The simple protocol gives every value as text.
                let rows =
                    link.fetch_all(sqlx::raw_sql(AssertSqlSafe(sql))).await.unwrap_or_else(|e| panic!("{e}\n{sql}"));
                let cell = |row: &sqlx::postgres::PgRow, at| {
                    row.try_get_unchecked::<Option<String>, _>(at).unwrap_or_else(|e| panic!("{e}\n{sql}"))
                };
                rows.iter().map(|row| (0..row.len()).map(|at| cell(row, at)).collect()).collect()
            }
            Link::Mariadb(link, _) => {
                let rows = link
                    .fetch_all(sqlx::raw_sql(AssertSqlSafe(spoken(sql))))
                    .await
                    .unwrap_or_else(|e| panic!("{e}\n{sql}"));
                let cell = |row: &sqlx::mysql::MySqlRow, at| {
                    let bytes: Option<Vec<u8>> = row.try_get_unchecked(at).unwrap_or_else(|e| panic!("{e}\n{sql}"));
                    bytes.map(|bytes| String::from_utf8(bytes).unwrap())
                };
                rows.iter().map(|row| (0..row.len()).map(|at| cell(row, at)).collect()).collect()
            }
        }
    }

    pub(crate) async fn number(&mut self, sql: &str) -> u64 {
        self.rows(sql).await[0][0].as_deref().unwrap().parse().unwrap()
    }

    /// What the catalog says of one table, as far as the refactorings ask.
    pub(crate) async fn catalog(&mut self, table: &str) -> Catalog {
        let plain = table.rsplit('.').next().unwrap().replace('\'', "''");
        let mut facts = TableFacts::default();
        let yes = |cell: &Cell| cell.as_deref().is_some_and(|text| text == "1" || text == "t");
        match self.engine() {
            Engine::Sqlite => {
                let mut key = BTreeMap::new();
                for row in self
                    .rows(&format!(
                        "SELECT name, type, \"notnull\" || '', dflt_value, pk || '' FROM pragma_table_xinfo('{plain}')"
                    ))
                    .await
                {
                    let name = row[0].clone().unwrap();
                    let place: usize = row[4].as_deref().unwrap().parse().unwrap();
                    if place > 0 {
                        key.insert(place, name.clone());
                    }
                    let (sql_type, default) = (row[1].clone().unwrap(), row[3].clone());
                    facts.columns.push(ColumnFacts {
                        name,
                        sql_type,
                        nullable: !yes(&row[2]),
                        default,
                        generated: false,
                    });
                }
                facts.primary_key = key.into_values().collect();
                facts.definition =
                    self.rows(&format!("SELECT sql FROM sqlite_schema WHERE name = '{plain}'")).await[0][0].clone();
                for row in self.rows(&format!("SELECT l.name, i.name, l.\"unique\" || '' FROM pragma_index_list('{plain}') l JOIN pragma_index_info(l.name) i WHERE l.origin <> 'pk'")).await {
                    facts.indexes.push(IndexFacts { name: row[0].clone().unwrap(), columns: vec![row[1].clone().unwrap()], unique: yes(&row[2]), valid: true, ..IndexFacts::default() });
                }
            }
            Engine::Postgres => {
                let id = format!("'{}'::regclass", quote(Engine::Postgres, table).replace('\'', "''"));
                for row in self.rows(&format!("SELECT attname, format_type(atttypid, atttypmod), attnotnull, pg_get_expr(adbin, adrelid) FROM pg_attribute LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum WHERE attrelid = {id} AND attnum > 0 AND NOT attisdropped ORDER BY attnum")).await {
                    let (name, sql_type) = (row[0].clone().unwrap(), row[1].clone().unwrap());
                    facts.columns.push(ColumnFacts { name, sql_type, nullable: !yes(&row[2]), default: row[3].clone(), generated: false });
                }
                let key = self.rows(&format!("SELECT attname FROM pg_index JOIN pg_attribute ON attrelid = indrelid AND attnum = ANY (indkey) WHERE indrelid = {id} AND indisprimary ORDER BY attnum")).await;
                facts.primary_key = key.into_iter().map(|row| row[0].clone().unwrap()).collect();
                facts.schema = self
                    .rows(&format!("SELECT relnamespace::regnamespace::text FROM pg_class WHERE oid = {id}"))
                    .await[0][0]
                    .clone();
            }
            Engine::Mysql | Engine::Mariadb => self.mariadb_facts(&plain, &mut facts).await,
        }
        [(table.to_owned(), facts)].into()
    }

    async fn mariadb_facts(&mut self, table: &str, facts: &mut TableFacts) {
        let yes = |cell: &Cell| cell.as_deref() == Some("1");
        let here = format!("table_schema = DATABASE() AND table_name = '{table}'");
        let of_runner = include_str!("../../../schema-runner/src/sql/mysql_columns.sql");
        let of_runner = of_runner.replacen('?', "NULL", 1).replacen('?', &format!("'{table}'"), 1);
        let of_mariadb = format!(
            "SELECT column_name, concat(column_type, ifnull(concat(' CHARACTER SET ', character_set_name, ' COLLATE ', collation_name), '')), is_nullable = 'YES', nullif(column_default, 'NULL'), ifnull(generation_expression, '') <> '' FROM information_schema.columns WHERE {here} ORDER BY ordinal_position"
        );
        let columns = if self.engine() == Engine::Mysql { of_runner } else { of_mariadb };
        for row in self.rows(&columns).await {
            let (name, sql_type) = (row[0].clone().unwrap(), row[1].clone().unwrap());
            facts.columns.push(ColumnFacts {
                name,
                sql_type,
                nullable: yes(&row[2]),
                default: row[3].clone(),
                generated: yes(&row[4]),
            });
        }
        for row in self.rows(&format!("SELECT index_name, column_name, non_unique = 0 FROM information_schema.statistics WHERE {here} ORDER BY index_name, seq_in_index")).await {
            let (name, column) = (row[0].clone().unwrap(), row[1].clone().unwrap());
            if name == "PRIMARY" {
                facts.primary_key.push(column);
            } else {
                facts.indexes.push(IndexFacts { name, columns: vec![column], unique: yes(&row[2]), valid: true, ..IndexFacts::default() });
            }
        }
        facts.definition = self.rows(&format!("SHOW CREATE TABLE `{}`", table.replace('`', "``"))).await[0][1].clone();
    }

    async fn catalog_of(&mut self, change: &SchemaChange) -> Catalog {
        let table = change.profile.tables.first().unwrap().clone();
        let known = match self.engine() {
            Engine::Postgres => {
                format!("SELECT count(*) FROM pg_class WHERE oid = to_regclass('{}')", quote(Engine::Postgres, &table))
            }
            Engine::Sqlite => format!("SELECT count(*) || '' FROM sqlite_schema WHERE name = '{table}'"),
            Engine::Mysql | Engine::Mariadb => format!(
                "SELECT count(*) FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name = '{table}'"
            ),
        };
        if self.number(&known).await == 0 { Catalog::new() } else { self.catalog(&table).await }
    }

    /// Carries out one move, as the runner would.
    pub(crate) async fn step(&mut self, change: &SchemaChange, from: SchemaPhase, to: SchemaPhase) {
        self.try_step(change, from, to).await.unwrap_or_else(|why| panic!("{from} to {to}: {why}"));
    }

    /// How often `customers` was read from end to end.
    pub(crate) async fn scans(&mut self) -> u64 {
        self.must("SELECT pg_stat_force_next_flush()").await;
        self.number("SELECT pg_stat_get_numscans('customers'::regclass)").await
    }

    /// Carries out a move whose last step is a transaction; gives the scans there were before that.
    pub(crate) async fn scans_before_last_step(
        &mut self,
        change: &SchemaChange,
        from: SchemaPhase,
        to: SchemaPhase,
    ) -> u64 {
        let catalog = self.catalog_of(change).await;
        let all = steps(change, Move::new(from, to).unwrap(), self.engine(), &catalog).unwrap();
        let transactions: Vec<&Vec<String>> = all
            .iter()
            .filter_map(|step| if let Step::Transaction { statements, .. } = step { Some(statements) } else { None })
            .collect();
        let (last, others) = transactions.split_last().unwrap();
        for statements in others {
            self.transaction(statements).await.unwrap();
        }
        let before = self.scans().await;
        self.transaction(last).await.unwrap();
        before
    }

    pub(crate) async fn try_step(
        &mut self,
        change: &SchemaChange,
        from: SchemaPhase,
        to: SchemaPhase,
    ) -> Result<(), String> {
        let catalog = self.catalog_of(change).await;
        let engine = self.engine();
        for step in
            steps(change, Move::new(from, to).unwrap(), engine, &catalog).map_err(|refused| refused.to_string())?
        {
            self.one(&step).await?;
        }
        if to == SchemaPhase::Synced || to == SchemaPhase::Migrated {
            self.check_objects(change).await;
        }
        Ok(())
    }

    /// The steps of a move, as they are planned now.
    pub(crate) async fn planned(&mut self, change: &SchemaChange, from: SchemaPhase, to: SchemaPhase) -> Vec<Step> {
        let catalog = self.catalog_of(change).await;
        steps(change, Move::new(from, to).unwrap(), self.engine(), &catalog).unwrap()
    }

    /// One step.
    pub(crate) async fn one(&mut self, step: &Step) -> Result<(), String> {
        match step {
            Step::Transaction { statements, .. } | Step::Hide { statements, .. } => self.transaction(statements).await,
            Step::Alone(alone) | Step::HideAlone(alone) => self.alone(alone).await,
            Step::Backfill(fill) => {
                let table = quote(self.engine(), &fill.table);
                self.run(&format!("UPDATE {table} SET {} WHERE {}", fill.assignments, fill.unfilled)).await
            }
            Step::Verify(verify) => match self.number(&text_count(&verify.lenient)).await {
                0 => Ok(()),
                count => Err(format!("{count} rows disagree")),
            },
        }
    }

    /// One statement outside of a transaction, or one of those that do the same.
    async fn alone(&mut self, alone: &Alone) -> Result<(), String> {
        if let Some(present) = &alone.present
            && self.number(&text_count(present)).await == 1
        {
            return Ok(());
        }
        let mut done = self.run(&alone.statement).await;
        for other in &alone.otherwise {
            if done.is_err() {
                done = self.run(other).await;
            }
        }
        done.map_err(|why| format!("{why}\n{}", alone.statement))
    }

    async fn transaction(&mut self, statements: &[String]) -> Result<(), String> {
        self.must(if self.engine() == Engine::Sqlite { "BEGIN IMMEDIATE" } else { "BEGIN" }).await;
        for statement in statements {
            if let Err(why) = self.run(statement).await {
                self.must("ROLLBACK").await;
                return Err(format!("{why}\n{statement}"));
            }
        }
        self.run("COMMIT").await
    }

    pub(crate) async fn missing_objects(&mut self, change: &SchemaChange) -> Vec<String> {
        let catalog = self.catalog_of(change).await;
        let mut missing = Vec::new();
        for object in sync_objects(change, self.engine(), &catalog).unwrap() {
            if self.number(&text_count(&object.present)).await != 1 {
                missing.push(object.name);
            }
        }
        missing
    }

    async fn check_objects(&mut self, change: &SchemaChange) {
        assert_eq!(self.missing_objects(change).await, Vec::<String>::new());
    }

    /// The counts of what a move loses.
    pub(crate) async fn losses(&mut self, change: &SchemaChange, from: SchemaPhase, to: SchemaPhase) -> Vec<u64> {
        let catalog = self.catalog_of(change).await;
        let mut counts = Vec::new();
        for loss in loss(change, Move::new(from, to).unwrap(), self.engine(), &catalog).unwrap() {
            counts.push(self.number(&text_count(&loss.count)).await);
        }
        counts
    }
}

/// The same for MariaDB and MySQL, which cast to char and not to text.
fn spoken(sql: &str) -> String {
    sql.replace("AS text)", "AS char)")
}

/// SQLite's driver gives numbers as numbers.
fn text_count(sql: &str) -> String {
    format!("SELECT CAST((SELECT * FROM ({sql}) AS counted) AS text)")
}

/// The literal of a value.
pub(crate) fn value(cell: &Cell) -> String {
    cell.as_ref().map_or_else(|| "NULL".to_owned(), |text| format!("'{}'", text.replace('\'', "''")))
}

/// One change, from what stands in its `spec` below the target.
pub(crate) fn change(engine: Engine, name: &str, refactoring: &str) -> SchemaChange {
    let spec: String = refactoring.lines().map(|line| format!("  {line}\n")).collect();
    let database = format!(
        "apiVersion: phasegate.dev/v1alpha1\nkind: Database\nmetadata: {{name: d}}\nspec:\n  engine: {engine}\n  \
         runner: {{secretRef: {{name: owner, key: url}}}}\n  gate: {{secretRef: {{name: reader, key: url}}}}\n"
    );
    let text = format!(
        "apiVersion: phasegate.dev/v1alpha1\nkind: SchemaChange\nmetadata: {{name: {name}}}\nspec:\n  database: d\n  target: migrated\n{spec}"
    );
    let files = [("phasegate.yaml".to_owned(), database), ("changes/1.yaml".to_owned(), text)].into();
    Plan::read(&files).unwrap_or_else(|errors| panic!("{errors:#?}")).changes.remove(0)
}
