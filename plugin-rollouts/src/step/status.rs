//! `StepStatus`: what Argo keeps for us between two questions, in the Rollout's status. People and dashboards read it;
//! the gate itself takes it as a hint for its messages and never for a decision.
//!
//! It outlives the process: fields are only added, and a reader skips a version it does not know.

use std::collections::BTreeMap;

use schema_phases::{Fit, Moment, Reason, Span};
use serde::{Deserialize, Serialize};

use crate::{
    gate::{DatabaseSeen, View},
    span_of_time::span_of_time,
};

/// The version written here.
const VERSION: u32 = 1;
/// Argo writes it into the Rollout and logs every patch in full.
const LONGEST: usize = 3_900;

/// The status, version 1.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StepStatus {
    /// Always 1.
    pub version: u32,
    /// proceed, wait or refuse.
    pub verdict: String,
    /// The words of the reasons, each once.
    #[serde(default)]
    pub reasons: Vec<String>,
    /// When this was seen, in seconds since the Unix epoch, by the clock of the gate.
    #[serde(default)]
    pub seen_at: u64,
    /// The changes by database.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub phases: BTreeMap<String, BTreeMap<String, ChangeStatus>>,
    /// Changes left out for want of room.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub left_out: usize,
}

/// One change, as it was seen.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ChangeStatus {
    /// The phase last reached.
    pub phase: String,
    /// Where it moves, or is about to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub moving_to: Option<String>,
    /// Whether that move has begun.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acting: Option<bool>,
    /// What the canary needs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub canary: Option<String>,
    /// What the stable version needs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stable: Option<String>,
    /// Rows of the backfill that are done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows_done: Option<u64>,
    /// Rows there were.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows_total: Option<u64>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands out references")]
const fn is_zero(count: &usize) -> bool {
    *count == 0
}

impl StepStatus {
    /// What was answered, as far as it fits.
    pub fn of(verdict: &str, why: &[Reason], view: &View) -> Self {
        let mut reasons: Vec<String> = Vec::new();
        for reason in why {
            if !reasons.iter().any(|known| known == reason.as_str()) {
                reasons.push(reason.as_str().to_owned());
            }
        }
        let mut status = Self {
            version: VERSION,
            verdict: verdict.to_owned(),
            reasons,
            seen_at: view.at.unix_millis() / 1000,
            phases: BTreeMap::new(),
            left_out: 0,
        };
        let mut all: Vec<(bool, &str, String, ChangeStatus)> = view.databases.iter().flat_map(changes).collect();
        // What holds the canary comes first; the rest as far as there is room.
        all.sort_by_key(|(fits, ..)| *fits);
        for (_, database, change, seen) in all {
            if status.left_out == 0 {
                status.phases.entry(database.to_owned()).or_default().insert(change.clone(), seen);
                if status.to_json().len() <= LONGEST {
                    continue;
                }
                status.forget(database, &change);
            }
            status.left_out += 1;
        }
        status
    }

    fn forget(&mut self, database: &str, change: &str) {
        if let Some(changes) = self.phases.get_mut(database) {
            changes.remove(change);
            if changes.is_empty() {
                self.phases.remove(database);
            }
        }
    }

    /// The bytes handed to Argo: a JSON object.
    pub fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_else(|_| b"{}".to_vec())
    }

    /// What Argo handed back; none when it is no status of a known version.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        if bytes.len() > 64 * 1024 {
            return None;
        }
        serde_json::from_slice::<Self>(bytes).ok().filter(|status| status.version == VERSION)
    }

    /// `last seen 40 s ago: split-full-name synced`. The clocks of two machines may differ: this is for people only.
    pub fn last_seen(&self, now: Moment) -> Option<String> {
        let all = self.phases.values().flatten().take(3);
        let phases: Vec<String> = all.map(|(change, seen)| format!("{change} {}", seen.phase)).collect();
        if phases.is_empty() {
            return None;
        }
        let age = (now.unix_millis() / 1000).saturating_sub(self.seen_at);
        Some(format!("Last seen {} ago: {}", span_of_time(age), phases.join(", ")))
    }
}

fn changes(database: &DatabaseSeen) -> Vec<(bool, &str, String, ChangeStatus)> {
    let Some(ledger) = &database.ledger else { return Vec::new() };
    let live = ledger.live_changes();
    let canary = database.canary.windows(&live).ok();
    let stable = database.stable.as_ref().and_then(|stable| stable.windows(&live).ok());
    let told = ledger.changes.iter().enumerate().map(|(index, entry)| {
        let window = canary.as_ref().and_then(|windows| windows.get(index)).copied();
        let (moving_to, acting) = match entry.span {
            Span::AtRest(_) => (None, None),
            Span::Intended(step) => (Some(step.to()), Some(false)),
            Span::Acting(step) => (Some(step.to()), Some(true)),
        };
        let status = ChangeStatus {
            phase: entry.span.at().as_str().to_owned(),
            moving_to: moving_to.map(|phase| phase.as_str().to_owned()),
            acting,
            canary: window.map(|window| window.to_string()),
            stable: stable.as_ref().and_then(|windows| windows.get(index)).map(ToString::to_string),
            rows_done: entry.backfill.as_ref().map(|backfill| backfill.rows_done),
            rows_total: entry.backfill.as_ref().map(|backfill| backfill.rows_total),
        };
        let fits = window.is_some_and(|window| window.fit(entry.span) == Fit::Inside);
        (fits, database.name.as_str(), entry.profile.name.to_string(), status)
    });
    told.collect()
}

#[cfg(test)]
mod tests;
