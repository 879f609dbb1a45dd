//! Names of what is rendered, their digests and their limits.

use schema_phases::PlanDigest;
use serde::Serialize;
use sha2::{Digest as _, Sha256};

/// A Job's name becomes a label of its pods.
const JOB_LIMIT: usize = 63;
/// A CronJob appends eleven characters to name its Jobs.
const CRON_JOB_LIMIT: usize = 52;

/// The ConfigMap that says where a database is and which plan is wanted. Fixed: the gate looks for it by this name.
pub(crate) fn wanted(database: &str) -> String {
    format!("phasegate-{database}")
}

/// The service account, Role and RoleBinding in the database's own namespace.
pub(crate) fn access(database: &str) -> String {
    format!("phasegate-{database}")
}

/// Role and RoleBinding in another namespace, where another namespace's database of the same name may have its own. A
/// namespace has no dot, so the parts cannot run into each other.
pub(crate) fn access_from(namespace: &str, database: &str) -> String {
    format!("phasegate-{namespace}.{database}")
}

pub(crate) fn cron_job(database: &str) -> String {
    shorten(&format!("phasegate-{database}"), CRON_JOB_LIMIT)
}

/// A Job's pod template is immutable, so another spec is another Job.
pub(crate) fn job(database: &str, spec_digest: &str) -> String {
    let room = JOB_LIMIT.saturating_sub(spec_digest.len() + 1);
    format!("{}-{spec_digest}", shorten(&format!("phasegate-{database}"), room))
}

/// A ConfigMap with a part of the plan, named by what it holds.
pub(crate) fn plan_part(database: &str, content_digest: &str) -> String {
    format!("phasegate-{database}-plan-{content_digest}")
}

/// The first twelve digits: short enough for a label, long enough to tell plans apart.
pub(crate) fn short(digest: &PlanDigest) -> String {
    digest.as_str().chars().take(12).collect()
}

/// Twelve hexadecimal digits of SHA-256 over the value's JSON, whose fields stand in a fixed order.
///
/// # Errors
/// What cannot be written as JSON.
pub(crate) fn digest(value: &impl Serialize) -> serde_json::Result<String> {
    Ok(hex(&serde_json::to_vec(value)?).chars().take(12).collect())
}

fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Cuts a name that is too long, and keeps it unique by a digest of the whole.
fn shorten(name: &str, limit: usize) -> String {
    if name.len() <= limit {
        return name.to_owned();
    }
    let digest: String = hex(name.as_bytes()).chars().take(8).collect();
    let kept: String = name.chars().take(limit.saturating_sub(digest.len() + 1)).collect();
    format!("{}-{digest}", kept.trim_end_matches(['-', '.']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_keeps_its_limit_and_long_ones_stay_apart() {
        for length in 1..=63 {
            let database = "d".repeat(length);
            assert!(job(&database, "0123456789ab").len() <= 63);
            assert!(cron_job(&database).len() <= 52);
        }
        assert_eq!(job("customers", "0123456789ab"), "phasegate-customers-0123456789ab");
        let (one, other) = ("x".repeat(60) + "1", "x".repeat(60) + "2");
        assert_ne!(cron_job(&one), cron_job(&other));
        assert_ne!(job(&one, "0123456789ab"), job(&other, "0123456789ab"));
        let cut_at_a_dash = "a".repeat(32) + "-" + &"b".repeat(30);
        assert!(!cron_job(&cut_at_a_dash).contains("--"));
    }

    #[test]
    fn a_digest_depends_on_the_value_alone() {
        assert_eq!(digest(&"x").unwrap(), digest(&"x").unwrap());
        assert_ne!(digest(&"x").unwrap(), digest(&"y").unwrap());
        assert_eq!(digest(&"x").unwrap().len(), 12);
        assert_ne!(access_from("a-b", "c"), access_from("a", "b-c"));
    }
}
