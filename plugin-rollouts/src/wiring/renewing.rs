//! `renew-token`: once, for a CronJob.

use anyhow::Context;

use super::{Threads, runtime, wall_clock};
use crate::{
    sources::asker_token::{AskerToken, renew},
    telemetry,
};

/// Renews the token, and says until when it is good.
pub(super) fn run(wanted: &AskerToken, level: tracing::Level) -> anyhow::Result<()> {
    telemetry::to_stderr(level, wall_clock);
    let ends = runtime(Threads::One)?.block_on(renew(wanted)).context("the token was not renewed")?;
    tracing::info!(account = wanted.account, secret = wanted.secret, %ends, "the token was renewed");
    Ok(())
}
