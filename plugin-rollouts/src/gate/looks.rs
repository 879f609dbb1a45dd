//! `Looks`: one look answers everybody who asked before it began.
//!
//! A thousand rollouts that wait for one database ask at the same time. They may share a look, but none may be answered
//! by a look that began before its question: the gate must see every intent that was written before its version
//! appeared (DESIGN section 1). So who asks while a look is under way waits for the next one; and where many ask one after
//! the other, the next look waits a moment for more of them (`crowd`).

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures::future::BoxFuture;
use schema_phases::{Because, Moment};
use tokio::{
    sync::oneshot,
    time::{Instant, timeout},
};

use super::clock::Clock;

mod crowd;

pub use crowd::Asker;
use crowd::{Crowd, ENOUGH, GATHER};

/// What one look saw.
#[derive(Clone, Debug)]
pub struct Look<T> {
    /// What, or why nothing.
    pub outcome: Result<T, Because>,
    /// When it began.
    pub at: Moment,
    /// Whether it began before the question.
    pub remembered: bool,
}

/// Whether an earlier look will do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Memory {
    /// A recent one will: for answers that only say wait.
    Allowed,
    /// Only a look that begins after the question will.
    Forbidden,
}

/// How one kind of look is made.
#[derive(Clone, Copy, Debug)]
pub struct Manner<T> {
    /// A look that takes longer has failed.
    pub limit: Duration,
    /// How long what it saw may be remembered. Failures never are.
    pub keep: fn(&T) -> Duration,
}

/// Looks of one kind, by what is looked at.
pub struct Looks<K, T> {
    inner: Arc<Inner<K, T>>,
}

struct Inner<K, T> {
    groups: Mutex<HashMap<K, Group<T>>>,
    manner: Manner<T>,
    clock: Clock,
}

struct Group<T> {
    waiting: Vec<oneshot::Sender<Look<T>>>,
    running: bool,
    last: Option<(Instant, Look<T>)>,
    asked: Instant,
    crowd: Crowd,
    /// Ends the gathering before its time.
    enough: Option<oneshot::Sender<()>>,
}

impl<K, T> Looks<K, T>
where
    K: Clone + Eq + Hash + Send + 'static,
    T: Clone + Send + 'static,
{
    /// No looks yet.
    pub fn new(manner: Manner<T>, clock: Clock) -> Self {
        Self { inner: Arc::new(Inner { groups: Mutex::default(), manner, clock }) }
    }

    /// Looks at `key`, by calling `how`. Equal keys must mean equal looks: one caller's `how` serves all.
    pub async fn look<F>(&self, key: K, memory: Memory, how: F) -> Look<T>
    where
        F: Fn(&K) -> BoxFuture<'static, Result<T, Because>> + Send + 'static,
    {
        self.look_for(None, key, memory, how).await
    }

    /// The same for somebody who may be one of a crowd. Then the look begins a moment later, so that more of them share it.
    pub async fn look_for<F>(&self, asker: Option<Asker>, key: K, memory: Memory, how: F) -> Look<T>
    where
        F: Fn(&K) -> BoxFuture<'static, Result<T, Because>> + Send + 'static,
    {
        if memory == Memory::Allowed
            && let Some(look) = self.remembered(&key)
        {
            return look;
        }
        let (sender, receiver) = oneshot::channel();
        {
            let mut groups = self.inner.lock();
            let group = groups.entry(key.clone()).or_insert_with(Group::new);
            group.asked = Instant::now();
            group.waiting.push(sender);
            if let Some(asker) = asker {
                group.crowd.note(asker, group.asked);
            }
            if group.waiting.len() >= ENOUGH
                && let Some(gathering) = group.enough.take()
            {
                // It has ended by itself if nobody takes this.
                let _ = gathering.send(());
            }
            if !group.running {
                group.running = true;
                // A task of its own: the first asker may lose patience, and others still wait.
                tokio::spawn(Driver { inner: Arc::clone(&self.inner), key }.run(how));
            }
        }
        let gone = || Because::Unreachable("the look was broken off".to_owned());
        receiver.await.unwrap_or_else(|_| Look { outcome: Err(gone()), at: self.inner.clock.now(), remembered: false })
    }

    /// The last look at `key`, if it may still be remembered. Most who may rest on one do, and cost no more than this.
    fn remembered(&self, key: &K) -> Option<Look<T>> {
        let now = Instant::now();
        let mut groups = self.inner.lock();
        let group = groups.get_mut(key)?;
        group.asked = now;
        let (_, last) = group.last.as_ref().filter(|(until, _)| *until > now)?;
        Some(Look { remembered: true, ..last.clone() })
    }

    /// How many things are known or looked at.
    pub fn known(&self) -> usize {
        self.inner.lock().len()
    }

    /// Forgets what nobody has asked for this long.
    pub fn forget_idle(&self, idle: Duration) {
        let now = Instant::now();
        self.inner.lock().retain(|_, group| group.running || now.duration_since(group.asked) < idle);
    }
}

impl<K, T> Inner<K, T> {
    fn lock(&self) -> MutexGuard<'_, HashMap<K, Group<T>>> {
        self.groups.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Group<T> {
    fn new() -> Self {
        Self {
            waiting: Vec::new(),
            running: false,
            last: None,
            asked: Instant::now(),
            crowd: Crowd::default(),
            enough: None,
        }
    }
}

/// Makes looks at one key, one after the other, until nobody waits.
struct Driver<K: Eq + Hash, T> {
    inner: Arc<Inner<K, T>>,
    key: K,
}

impl<K, T> Driver<K, T>
where
    K: Clone + Eq + Hash,
    T: Clone,
{
    async fn run<F>(self, how: F)
    where
        F: Fn(&K) -> BoxFuture<'static, Result<T, Because>>,
    {
        loop {
            if let Some(enough) = self.gathering() {
                // Both ends are good ones.
                let _ = timeout(GATHER, enough).await;
            }
            let Some(waiting) = self.next_askers() else { return };
            let at = self.inner.clock.now();
            let limit = self.inner.manner.limit;
            let outcome = timeout(limit, how(&self.key)).await.unwrap_or(Err(Because::TimedOut(limit)));
            let look = Look { outcome, at, remembered: false };
            self.remember(&look);
            for asker in waiting {
                // An asker that lost patience is gone.
                let _ = asker.send(look.clone());
            }
        }
    }

    /// What ends a gathering; none when there is nobody to gather.
    fn gathering(&self) -> Option<oneshot::Receiver<()>> {
        let mut groups = self.inner.lock();
        let group = groups.get_mut(&self.key)?;
        let gathers = (1..ENOUGH).contains(&group.waiting.len()) && group.crowd.is_one(Instant::now());
        gathers.then(|| {
            let (sender, receiver) = oneshot::channel();
            group.enough = Some(sender);
            receiver
        })
    }

    /// Everybody who asked until now; none ends the driver.
    fn next_askers(&self) -> Option<Vec<oneshot::Sender<Look<T>>>> {
        let mut groups = self.inner.lock();
        let group = groups.get_mut(&self.key)?;
        group.enough = None;
        let mut waiting = std::mem::take(&mut group.waiting);
        waiting.retain(|asker| !asker.is_closed());
        if waiting.is_empty() {
            group.running = false;
            return None;
        }
        Some(waiting)
    }

    fn remember(&self, look: &Look<T>) {
        let until = look.outcome.as_ref().ok().map(|value| Instant::now() + (self.inner.manner.keep)(value));
        if let Some(group) = self.inner.lock().get_mut(&self.key) {
            group.last = until.map(|until| (until, look.clone()));
        }
    }
}

/// A look that panics must not leave its key without a driver for ever.
impl<K: Eq + Hash, T> Drop for Driver<K, T> {
    fn drop(&mut self) {
        if let Some(group) = self.inner.lock().get_mut(&self.key).filter(|group| group.running) {
            group.running = false;
            group.waiting.clear();
        }
    }
}

#[cfg(test)]
mod tests;
