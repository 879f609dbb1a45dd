//! What a move does to a database: data for the runner, which adds locks, fences, ranges and patience.

/// One step of a move. The runner does them in order and remembers each by its index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Statements in one short transaction, under an exclusive lock on `tables`.
    Transaction {
        /// What it does, for people: `add first_name and last_name to customers`.
        what: String,
        /// Existing tables it locks.
        tables: Vec<String>,
        /// The statements; none keeps the place of a step that has nothing to do.
        statements: Vec<String>,
    },
    /// The old shape hidden, in one short transaction like the others; [`crate::restore`] brings it back. What follows
    /// depends on the catalog after it: ask for the steps again.
    Hide {
        /// What it does, for people.
        what: String,
        /// Existing tables it locks.
        tables: Vec<String>,
        /// The statements.
        statements: Vec<String>,
    },
    /// The same, where the engine commits it by itself.
    HideAlone(Alone),
    /// One statement that cannot be in a transaction.
    Alone(Alone),
    /// Rows filled range by range.
    Backfill(Backfill),
    /// Rows counted that must not exist.
    Verify(Verification),
}

/// One statement whose effect the engine keeps by itself, so that a crash may fall between it and its record.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Alone {
    /// What it does, for people.
    pub what: String,
    /// Existing tables that nobody can use for the moment it takes; empty when it is not known.
    pub tables: Vec<String>,
    /// The statement.
    pub statement: String,
    /// What to run instead, in order, each when the engine has refused the one before it: the same by a slower way.
    /// A refused statement has done nothing.
    pub otherwise: Vec<String>,
    /// A query of one number, asked first each time: 1 when the effect is there already and nothing is to be run.
    /// Without it the statement does no harm twice, or only its author knows.
    pub present: Option<String>,
}

/// How a hidden old shape is brought back, exactly as it was at `migrated`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WayBack {
    /// Statements in one short transaction, under an exclusive lock on `tables`.
    Together {
        /// What it does, for people.
        what: String,
        /// Existing tables it locks.
        tables: Vec<String>,
        /// The statements.
        statements: Vec<String>,
    },
    /// Statements that commit by themselves, in this order. The first of them brings it back; whoever stops behind any of
    /// them does no harm, and whoever begins anew finds what is done.
    Apart(Vec<Alone>),
}

impl Step {
    /// Whether it only keeps the place of a step that has nothing to do.
    pub fn is_empty(&self) -> bool {
        matches!(self, Self::Transaction { statements, .. } if statements.is_empty())
    }
}

/// One plain UPDATE, to be cut into ranges of the primary key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backfill {
    /// The table.
    pub table: String,
    /// The columns of its primary key.
    pub key: Vec<String>,
    /// What stands after SET: expressions over the row itself.
    pub assignments: String,
    /// Which rows still need it: new side all NULL, and not what the old side converts to.
    pub unfilled: String,
}

/// Queries that each return one number; zero is what must come out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verification {
    /// What must hold, for people: `every row of customers has the same name in both shapes`.
    pub what: String,
    /// Counts the rows with new <> f(old): for as long as no version of the new shape can have written.
    pub strict: String,
    /// Counts the rows with new <> f(old) and old <> b(new): afterwards.
    pub lenient: String,
}

/// What a move loses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loss {
    /// What is lost, for people: `rows of customers whose full_name cannot be rebuilt`.
    pub what: String,
    /// The query that counts it: one number.
    pub count: String,
}

/// An object that sync relies on, as it must be found in the catalog.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyncObject {
    /// The table it stands on.
    pub table: String,
    /// Its name.
    pub name: String,
    /// The statement that made it.
    pub definition: String,
    /// A query that returns 1 when it is there, enabled and unaltered, and 0 otherwise.
    pub present: String,
}
