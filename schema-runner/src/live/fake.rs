//! Live versions that a test puts there, with a record of when they were looked at.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use schema_phases::{AppVersion, Moment, Sighting};

use super::{LiveVersion, LiveVersions, Presence};

type Look = Box<dyn Fn(usize) + Send + Sync>;

/// The fake. Clones share what they hold.
#[derive(Clone, Default)]
pub struct FakeLive(Arc<Inner>);

#[derive(Default)]
struct Inner {
    versions: Mutex<Vec<LiveVersion>>,
    missing: Mutex<Option<schema_phases::Missing>>,
    looks: Mutex<usize>,
    on_look: Mutex<Option<Look>>,
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl FakeLive {
    /// These versions, by name and annotation, all running.
    pub fn running(versions: &[(&str, &str)]) -> Self {
        let fake = Self::default();
        fake.set(versions);
        fake
    }

    /// Replaces the versions.
    pub fn set(&self, versions: &[(&str, &str)]) {
        *locked(&self.0.versions) = versions
            .iter()
            .map(|(name, annotation)| LiveVersion {
                version: AppVersion { name: (*name).to_owned(), annotation: (*annotation).to_owned() },
                presence: Presence::Running,
            })
            .collect();
    }

    /// From now on nothing can be seen; `None` gives sight back.
    pub fn blind(&self, missing: Option<schema_phases::Missing>) {
        *locked(&self.0.missing) = missing;
    }

    /// What happens during each look, given its number from 1.
    pub fn on_look(&self, hook: impl Fn(usize) + Send + Sync + 'static) {
        *locked(&self.0.on_look) = Some(Box::new(hook));
    }

    /// How often somebody looked.
    pub fn looks(&self) -> usize {
        *locked(&self.0.looks)
    }
}

#[async_trait]
impl LiveVersions for FakeLive {
    async fn look(&self) -> Sighting<Vec<LiveVersion>> {
        let count = {
            let mut looks = locked(&self.0.looks);
            *looks += 1;
            *looks
        };
        if let Some(hook) = locked(&self.0.on_look).as_ref() {
            hook(count);
        }
        match locked(&self.0.missing).clone() {
            Some(missing) => Sighting::Missing(missing),
            None => {
                Sighting::Seen { value: locked(&self.0.versions).clone(), at: Moment::from_unix_millis(count as u64) }
            }
        }
    }

    fn counts_sessions(&self) -> bool {
        false
    }
}
