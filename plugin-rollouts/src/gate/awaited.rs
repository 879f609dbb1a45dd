//! `Awaited`: what a question still waits for, so that one whose time is over can say what hangs.

use std::{
    fmt,
    future::Future,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// One thing that is looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum What {
    Canary,
    Stable,
    /// Where this database is.
    Place(String),
    /// The ledger of this database.
    Ledger(String),
    /// The check of this name.
    Check(String),
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Canary => write!(f, "the ReplicaSet of the canary"),
            Self::Stable => write!(f, "the ReplicaSet of the stable version"),
            Self::Place(database) => write!(f, "the ConfigMap and the Secret of database {database}"),
            Self::Ledger(database) => write!(f, "the ledger of database {database}"),
            Self::Check(name) => write!(f, "the check `{name}`"),
        }
    }
}

/// What one question waits for.
#[derive(Debug, Default)]
pub(super) struct Awaited(Mutex<Vec<What>>);

impl Awaited {
    /// Looks, and remembers meanwhile at what. A look that is given up stays remembered: it is the one that hung.
    pub(super) async fn on<T>(&self, what: What, look: impl Future<Output = T>) -> T {
        self.lock().push(what.clone());
        let seen = look.await;
        let mut awaited = self.lock();
        if let Some(place) = awaited.iter().position(|it| *it == what) {
            awaited.swap_remove(place);
        }
        seen
    }

    /// What is waited for now, for people, in an order that does not depend on chance.
    pub(super) fn told(&self) -> Vec<String> {
        let mut told: Vec<String> = self.lock().iter().map(What::to_string).collect();
        told.sort_unstable();
        told
    }

    fn lock(&self) -> MutexGuard<'_, Vec<What>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
