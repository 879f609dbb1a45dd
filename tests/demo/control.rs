//! The control: the same seed, app and change, and nothing between the canary and the schema.
//!
//! The canary takes its share as soon as it is up, and the contract runs while the old version lives, as when nobody
//! tells the one of the other.

use std::{path::Path, time::Duration};

use anyhow::Context;

use crate::{
    account::{self, Account},
    app::Shape,
    cluster::Cluster,
    runner,
    show::{Show, Tone},
    story::{Setting, V1_PODS, seeded},
};

/// Tells it, and returns what became of the writes.
///
/// # Errors
/// When a part of the stage breaks; a lost write is no error here.
pub(crate) async fn tell(setting: &Setting, directory: &Path, show: &Show) -> anyhow::Result<Account> {
    show.heading("The control: no gate. The canary starts at once, the contract does not ask who lives.");
    std::fs::create_dir_all(directory)?;
    let stage = seeded(setting, directory).await?;
    let mut cluster = Cluster::start(directory, setting.seed).await?;
    let manifests = |delivery: &str| setting.rollout_of(delivery);
    let v1 = cluster.apply_rollout(manifests("1-app")?)?;
    for _ in 0..V1_PODS {
        cluster.start_pod(&v1, Shape::V1, &stage.file)?;
    }
    show.event(Tone::Plain, "apps", "v1 serves");
    tokio::time::sleep(Duration::from_millis(500)).await;

    let v2 = cluster.apply_rollout(manifests("2-migrate")?)?;
    cluster.start_pod(&v2, Shape::V2, &stage.file)?;
    show.event(Tone::Held, "apps", "v2 serves beside it, on a schema that is still pending");
    // Nobody remembers v1: the old version is not among those that the runner is told of.
    let told = directory.join("live.yaml");
    std::fs::write(&told, "versions: [{name: v2, supports: split-full-name}]\n")?;
    for delivery in ["2-migrate", "5-contract"] {
        let process = runner::by_hand(&setting.binaries, &setting.delivery(delivery), &stage.url, &told)?;
        runner::follow(process, show).await?;
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    cluster.stop().await?;
    let mut database = crate::app::connect(&stage.file).await?;
    let mut result = account::account(directory, &mut database, Shape::V2).await?;
    result.lost += stage.untouched_lost(&mut database).await?;
    for (why, times) in account::refusals(directory).context("count the refusals")?.into_iter().take(3) {
        show.event(Tone::Bad, "apps", format_args!("{times} times: {why}"));
    }
    Ok(result)
}
