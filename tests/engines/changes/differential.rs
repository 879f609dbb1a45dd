//! Random writes of both shapes against the rules, row by row, through a backfill and back.

use std::collections::BTreeMap;

use fastrand::Rng;
use schema_changes::Engine;
use schema_phases::SchemaPhase::{Contracted, Expanded, Migrated, Pending, Synced};

use crate::{
    bench::{Bench, Cell, change, value},
    oracle::{Person, Rules},
};

const SPLIT: &str = "splitColumn: {table: customers, column: full_name, into: {first_name: {type: text}, last_name: {type: text}}, separator: \" \"}";

const NAMES: [&str; 14] = [
    "",
    " ",
    "Anna",
    "anna",
    "ANNA",
    "Anna Smith",
    "  Anna   Smith ",
    " Anna",
    "Anna ",
    "Mary Ann Lee",
    "Zoë O'Neil",
    "x  y",
    "é",
    "1 2",
];

struct World {
    bench: Bench,
    rules: Rules,
    rng: Rng,
    rows: BTreeMap<i64, Person>,
    next: i64,
    log: Vec<String>,
}

impl World {
    async fn start(engine: Engine, required: bool, collation: &str, seed: u64) -> Self {
        let mut bench = Bench::new(engine).await;
        if engine == Engine::Postgres && !collation.is_empty() {
            bench.must("CREATE COLLATION ci (provider = icu, locale = 'und-u-ks-level2', deterministic = false)").await;
        }
        let not_null = if required { "NOT NULL" } else { "" };
        let id = if engine == Engine::Sqlite { "integer" } else { "bigint" };
        bench
            .must(&format!(
                "CREATE TABLE customers (id {id} PRIMARY KEY, full_name text {collation} {not_null}, note text)"
            ))
            .await;
        let rules = Rules { engine, required };
        let mut world =
            Self { bench, rules, rng: Rng::with_seed(seed), rows: BTreeMap::new(), next: 1, log: Vec::new() };
        for _ in 0..12 {
            let old = world.old();
            let id = world.id();
            world.bench.must(&format!("INSERT INTO customers (id, full_name) VALUES ({id}, {})", value(&old))).await;
            world.rows.insert(id, Person { old, new: [None, None] });
        }
        world
    }

    /// MariaDB or MySQL.
    fn is_mysql(&self) -> bool {
        matches!(self.rules.engine, Engine::Mariadb | Engine::Mysql)
    }

    fn id(&mut self) -> i64 {
        self.next += 1;
        self.next
    }

    fn name(&mut self) -> String {
        NAMES[self.rng.usize(..NAMES.len())].to_owned()
    }

    fn old(&mut self) -> Cell {
        if !self.rules.required && self.rng.u8(..8) == 0 { None } else { Some(self.name()) }
    }

    fn part(&mut self) -> Cell {
        if self.rng.u8(..4) == 0 { None } else { Some(self.name()) }
    }

    fn any_row(&mut self) -> Option<(i64, Person)> {
        let at = self.rng.usize(..self.rows.len().max(1));
        self.rows.iter().nth(at).map(|(id, row)| (*id, row.clone()))
    }

    /// Runs the statement, and checks that it succeeds exactly when the rules say so.
    async fn write(&mut self, sql: String, id: i64, want: Option<Person>) {
        self.log.push(format!("{sql}   -- want {want:?}"));
        let done = self.bench.run(&sql).await;
        assert_eq!(done.is_ok(), want.is_some(), "{done:?}\n{}", self.log.join("\n"));
        if let Some(row) = want {
            self.rows.insert(id, row);
        }
        self.compare().await;
    }

    async fn compare(&mut self) {
        let found = self
            .bench
            .rows("SELECT CAST(id AS text), full_name, first_name, last_name FROM customers ORDER BY id")
            .await;
        let found: BTreeMap<i64, Person> = found
            .into_iter()
            .map(|row| {
                let [id, old, first, last] = row.try_into().unwrap();
                (id.unwrap().parse().unwrap(), Person { old, new: [first, last] })
            })
            .collect();
        assert_eq!(found, self.rows, "\n{}", self.log.join("\n"));
    }

    async fn random_write(&mut self) {
        match self.rng.u8(..13) {
            0 | 1 => self.insert_old().await,
            2 | 3 => self.insert_new().await,
            4 => self.insert_both().await,
            5 | 6 => self.update_old().await,
            7 | 8 => self.update_new().await,
            9 => self.write_back().await,
            10 => self.upsert().await,
            11 => self.move_key().await,
            12 if self.is_mysql() => {
                if self.rng.bool() {
                    self.replace().await
                } else {
                    self.insert_many().await
                }
            }
            _ => self.update_both().await,
        }
    }

    async fn insert_old(&mut self) {
        let (id, old) = (self.id(), self.old());
        let returning = if self.rules.engine == Engine::Mysql { "" } else { " RETURNING id" };
        let sql = format!("INSERT INTO customers (id, full_name) VALUES ({id}, {}){returning}", value(&old));
        self.write(sql, id, self.rules.insert(Person { old, new: [None, None] })).await;
    }

    async fn insert_new(&mut self) {
        let (id, new) = (self.id(), [self.part(), self.part()]);
        let sql = format!(
            "INSERT INTO customers (id, first_name, last_name) VALUES ({id}, {}, {})",
            value(&new[0]),
            value(&new[1])
        );
        self.write(sql, id, self.rules.insert(Person { old: None, new })).await;
    }

    async fn insert_both(&mut self) {
        let (id, old, new) = (self.id(), self.old(), [self.part(), self.part()]);
        let sql = format!(
            "INSERT INTO customers (id, full_name, first_name, last_name) VALUES ({id}, {}, {}, {})",
            value(&old),
            value(&new[0]),
            value(&new[1])
        );
        self.write(sql, id, self.rules.insert(Person { old, new })).await;
    }

    async fn update_old(&mut self) {
        let Some((id, before)) = self.any_row() else { return };
        // Now and then what NOT NULL forbids.
        let old = if self.rng.u8(..10) == 0 { None } else { self.old() };
        let sql = format!("UPDATE customers SET full_name = {}, note = 'o' WHERE id = {id}", value(&old));
        let want = self.rules.update(&before, Person { old, ..before.clone() }, false);
        self.write(sql, id, want).await;
    }

    async fn update_new(&mut self) {
        let Some((id, before)) = self.any_row() else { return };
        let mut row = before.clone();
        let mut set = Vec::new();
        let which = self.rng.u8(1..4);
        for (at, column) in ["first_name", "last_name"].into_iter().enumerate() {
            if which & (1 << at) != 0 {
                row.new[at] = self.part();
                set.push(format!("{column} = {}", value(&row.new[at])));
            }
        }
        let sql = format!("UPDATE customers SET {} WHERE id = {id}", set.join(", "));
        let want = self.rules.update(&before, row, false);
        self.write(sql, id, want).await;
    }

    async fn update_both(&mut self) {
        let Some((id, before)) = self.any_row() else { return };
        let row = Person { old: self.old(), new: [self.part(), self.part()] };
        let sql = format!(
            "UPDATE customers SET full_name = {}, first_name = {}, last_name = {} WHERE id = {id}",
            value(&row.old),
            value(&row.new[0]),
            value(&row.new[1])
        );
        let want = self.rules.update(&before, row, false);
        self.write(sql, id, want).await;
    }

    /// An ORM's save of every column it knows, though only the note changed.
    async fn write_back(&mut self) {
        let Some((id, before)) = self.any_row() else { return };
        let shape =
            if self.rng.bool() { "full_name = full_name" } else { "first_name = first_name, last_name = last_name" };
        let sql = format!("UPDATE customers SET id = id, {shape}, note = 'b' WHERE id = {id}");
        let want = self.rules.update(&before, before.clone(), false);
        self.write(sql, id, want).await;
    }

    async fn upsert(&mut self) {
        let Some((id, before)) = self.any_row() else { return };
        if self.rng.bool() {
            let old = Some(self.name());
            let sql = format!(
                "INSERT INTO customers (id, full_name) VALUES ({id}, {}) ON CONFLICT (id) DO UPDATE SET full_name = excluded.full_name",
                value(&old)
            );
            let want = self.rules.update(&before, Person { old, ..before.clone() }, false);
            self.write(self.upsert_spoken(sql), id, want).await;
        } else {
            let new = [Some(self.name()), self.part()];
            let sql = format!(
                "INSERT INTO customers (id, first_name, last_name) VALUES ({id}, {}, {}) ON CONFLICT (id) DO UPDATE SET first_name = excluded.first_name, last_name = excluded.last_name",
                value(&new[0]),
                value(&new[1])
            );
            let want = self.rules.update(&before, Person { new, ..before.clone() }, false);
            self.write(self.upsert_spoken(sql), id, want).await;
        }
    }

    /// MariaDB's and MySQL's form of it fires the trigger of the insert, then that of the update.
    fn upsert_spoken(&self, sql: String) -> String {
        if !self.is_mysql() {
            return sql;
        }
        let columns = ["full_name", "first_name", "last_name"];
        let values =
            |sql: String, column: &&str| sql.replace(&format!("excluded.{column}"), &format!("VALUES({column})"));
        columns.iter().fold(sql.replace("ON CONFLICT (id) DO UPDATE SET", "ON DUPLICATE KEY UPDATE"), values)
    }

    /// What only MariaDB and MySQL have: a row put in the place of another, and an insert that gives way.
    async fn replace(&mut self) {
        let Some((id, before)) = self.any_row() else { return };
        let row = if self.rng.bool() {
            Person { old: Some(self.name()), new: [None, None] }
        } else {
            Person { old: None, new: [Some(self.name()), self.part()] }
        };
        let values = format!("({id}, {}, {}, {})", value(&row.old), value(&row.new[0]), value(&row.new[1]));
        let verb = if self.rng.bool() { "REPLACE" } else { "INSERT IGNORE" };
        let want = if verb == "REPLACE" { self.rules.insert(row) } else { Some(before) };
        let sql = format!("{verb} INTO customers (id, full_name, first_name, last_name) VALUES {values}");
        self.write(sql, id, want).await;
    }

    /// Several rows in one statement, of both shapes.
    async fn insert_many(&mut self) {
        let mut values = Vec::new();
        let mut last = None;
        for _ in 0..3 {
            let row = if self.rng.bool() {
                Person { old: Some(self.name()), new: [None, None] }
            } else {
                Person { old: None, new: [Some(self.name()), self.part()] }
            };
            let id = self.id();
            values.push(format!("({id}, {}, {}, {})", value(&row.old), value(&row.new[0]), value(&row.new[1])));
            let want = self.rules.insert(row).unwrap();
            self.rows.insert(id, want.clone());
            last = Some((id, want));
        }
        let (id, want) = last.unwrap();
        let sql = format!("INSERT INTO customers (id, full_name, first_name, last_name) VALUES {}", values.join(", "));
        self.write(sql, id, Some(want)).await;
    }

    async fn move_key(&mut self) {
        let Some((id, before)) = self.any_row() else { return };
        let to = self.id();
        let want = self.rules.update(&before, before.clone(), true);
        self.rows.remove(&id);
        self.write(format!("UPDATE customers SET id = {to} WHERE id = {id}"), to, want).await;
    }

    /// What the backfill makes of the rows.
    fn fill(&mut self) {
        for row in self.rows.values_mut().filter(|row| row.new.iter().all(Option::is_none)) {
            row.new = self.rules.forward(&row.old);
        }
    }
}

/// Through a whole change, with random writes all along; then back, or to the end.
async fn play(engine: Engine, required: bool, collation: &str, seed: u64) {
    let split = change(engine, "split-full-name", SPLIT);
    let mut world = World::start(engine, required, collation, seed).await;
    if engine == Engine::Sqlite && seed.is_multiple_of(2) {
        world.bench.must("PRAGMA recursive_triggers = ON").await;
    }
    let definition = world.bench.catalog("customers").await;
    world.bench.step(&split, Pending, Expanded).await;
    world.bench.step(&split, Expanded, Synced).await;
    world.compare().await;
    for _ in 0..60 {
        world.random_write().await;
    }
    world.bench.step(&split, Synced, Migrated).await;
    world.fill();
    world.compare().await;
    for _ in 0..60 {
        world.random_write().await;
    }
    for row in world.rows.values() {
        assert!(world.rules.agrees(row), "{row:?}");
    }
    let lost = world
        .rows
        .values()
        .filter(|row| row.new.iter().any(Option::is_some) && row.new != world.rules.forward(&row.old));
    let lost = u64::try_from(lost.count()).unwrap();
    if seed.is_multiple_of(3) {
        world.bench.step(&split, Migrated, Synced).await;
        assert_eq!(world.bench.losses(&split, Synced, Expanded).await, [lost]);
        world.bench.step(&split, Synced, Expanded).await;
        for row in world.rows.values_mut() {
            row.new = [None, None];
        }
        world.compare().await;
        world.bench.step(&split, Expanded, Pending).await;
        assert_eq!(world.bench.catalog("customers").await, definition, "the way back leads to what was there");
    } else {
        // Joining parts loses nothing of what they were split from.
        assert_eq!(world.bench.losses(&split, Migrated, Contracted).await, [0]);
        world.bench.step(&split, Migrated, Contracted).await;
        let found = world.bench.rows("SELECT first_name, last_name FROM customers ORDER BY id").await;
        let want: Vec<Vec<Cell>> = world.rows.values().map(|row| row.new.to_vec()).collect();
        assert_eq!(found, want);
        world.bench.must("INSERT INTO customers (id, first_name) VALUES (100000, 'Last')").await;
    }
}

#[tokio::test]
async fn every_write_on_sqlite_comes_to_what_the_rules_say() {
    for seed in 0..12 {
        play(Engine::Sqlite, seed % 4 < 2, if seed % 3 == 1 { "COLLATE NOCASE" } else { "" }, seed).await;
    }
}

#[tokio::test]
async fn every_write_on_postgres_comes_to_what_the_rules_say() {
    for seed in 0..12 {
        play(Engine::Postgres, seed % 4 < 2, if seed % 3 == 1 { "COLLATE ci" } else { "" }, seed).await;
    }
}

#[tokio::test]
async fn every_write_on_mariadb_comes_to_what_the_rules_say() {
    let collations = [
        "CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci",
        "CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin",
        "CHARACTER SET latin1 COLLATE latin1_swedish_ci",
    ];
    for seed in 0..12 {
        play(Engine::Mariadb, seed % 4 < 2, collations[usize::try_from(seed % 3).unwrap()], seed).await;
    }
}

#[tokio::test]
async fn every_write_on_mysql_comes_to_what_the_rules_say() {
    let collations =
        ["", "CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_bin", "CHARACTER SET latin1 COLLATE latin1_swedish_ci"];
    for seed in 0..9 {
        play(Engine::Mysql, seed % 4 < 2, collations[usize::try_from(seed % 3).unwrap()], seed).await;
    }
}
