//! Scenarios that break what all share. `run` starts them one by one, when nothing else runs.

use std::{path::Path, time::Duration};

use crate::{
    delivery::{CHANGE, Delivery},
    kubectl::{kubectl, until},
    shop::{SERVICES, SOON, Shop},
};

const ROWS: u32 = 5_000;
/// Ends the process of that name beside which it is started, or fails. The image has a shell and little else.
const KILL: &str = "found=1; for p in /proc/[0-9]*; do read -r name <$p/comm; \
                    if [ \"$name\" = gate ]; then kill -9 ${p#/proc/}; found=0; fi; done; exit $found";
/// How often a controller is looked at for a plugin it starts when it needs it.
const LOOKS: u32 = 5;

/// What dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Victim {
    /// Every pod of the runner there is.
    Runner,
    RolloutsController,
    /// The gate, below a controller that lives on.
    PluginProcess,
    RepoServer,
    Database,
    ApiServer,
}

const ALL: [Victim; 6] = [
    Victim::Runner,
    Victim::RolloutsController,
    Victim::PluginProcess,
    Victim::RepoServer,
    Victim::Database,
    Victim::ApiServer,
];

#[tokio::test]
async fn whatever_dies_and_whenever_the_run_ends_where_git_wants_it_and_no_row_is_lost() {
    let seed = variable("PHASEGATE_E2E_SEED").and_then(|text| text.parse().ok()).unwrap_or_else(|| fastrand::u64(..));
    let mut random = fastrand::Rng::with_seed(seed);
    let synced = Delivery::example("1-expand").with(CHANGE, "target: migrated", "target: synced");
    let shop = Shop::serving("killed", ROWS, &synced).await;
    shop.line.note(format!("PHASEGATE_E2E_SEED={seed}"));
    shop.change_is("synced").await;

    let somebody = shop.somebody_writes_the_last_row().await;
    shop.deliver("version 2, and what it needs", &Delivery::example("2-canary")).await;
    shop.gate_says("holds version 2", |step| step.phase == "Running").await;
    shop.is_in_mid_backfill().await;
    let mut killed = kill_all(&shop, &mut random, ALL.len()).await;
    shop.somebody_is_done(somebody).await;
    shop.change_is("migrated").await;
    shop.rollout_is("Healthy").await;
    shop.the_last_row_goes().await;

    let commit = shop.commit("contract", &Delivery::example("3-contract")).await;
    killed.extend(kill_all(&shop, &mut random, 3).await);
    shop.synced(&commit).await;
    shop.change_is("contracted").await;
    shop.rollout_is("Healthy").await;
    shop.line.note(format!("killed {}", killed.join(", ")));
    shop.users_are_content(ROWS).await;
    shop.close().await;
}

/// So many different ones, in any order, with pauses of any length; what was there to be killed.
async fn kill_all(shop: &Shop, random: &mut fastrand::Rng, count: usize) -> Vec<String> {
    let mut victims = ALL;
    random.shuffle(&mut victims);
    // Who makes a runner wait ends with the database, and then it is done soon: it dies before, or not at all.
    let place = |wanted| victims.iter().position(|victim| *victim == wanted).unwrap();
    let (first, second) = (place(Victim::Runner), place(Victim::Database));
    if second < first {
        victims.swap(first, second);
    }
    let mut killed = Vec::new();
    for victim in victims.into_iter().take(count) {
        tokio::time::sleep(Duration::from_millis(random.u64(0..3_000))).await;
        let what = match victim {
            Victim::Runner => shop.runners_die().await,
            Victim::RolloutsController => shop.pods_die("argo-rollouts", "app.kubernetes.io/name=argo-rollouts").await,
            Victim::PluginProcess => plugin_process(shop).await,
            Victim::RepoServer => shop.pods_die("argocd", "app.kubernetes.io/name=argocd-repo-server").await,
            Victim::Database => database(shop).await,
            Victim::ApiServer => api_server().await,
        };
        shop.tell(format_args!("killed: {victim:?} ({what})"));
        killed.push(format!("{victim:?} ({what})"));
    }
    killed
}

/// From a container of its own that shares the controller's processes: neither image has a shell.
async fn plugin_process(shop: &Shop) -> String {
    let controllers = until("a controller runs", SOON, async || {
        let found = shop.running("argo-rollouts", "app.kubernetes.io/name=argo-rollouts").await;
        if found.is_empty() { Err("none runs".to_owned()) } else { Ok(found) }
    })
    .await;
    let pod = &controllers[0];
    for _ in 0..LOOKS {
        let container = format!("killer-{:08x}", fastrand::u32(..));
        let debug = [
            "debug",
            "-n",
            "argo-rollouts",
            &format!("pod/{pod}"),
            "--image=docker.io/local/argo-cd:3.5.7",
            "--image-pull-policy=IfNotPresent",
            "--target=argo-rollouts",
            "--profile=restricted",
            &format!("--container={container}"),
            "--",
            "/bin/sh",
            "-c",
            KILL,
        ];
        kubectl(&debug).await.unwrap_or_else(|error| panic!("{error}"));
        let code = until("the container beside the controller has ended", SOON, async || {
            let found = shop.api.get("pod", "argo-rollouts", pod).await?;
            let states = found["status"]["ephemeralContainerStatuses"].as_array().cloned().unwrap_or_default();
            let state = states.into_iter().find(|state| state["name"] == container.as_str()).unwrap_or_default();
            state["state"]["terminated"]["exitCode"].as_i64().ok_or_else(|| state.to_string())
        })
        .await;
        if code == 0 {
            return format!("below {pod}");
        }
    }
    format!("{pod} had not started it yet")
}

/// At once, as if its machine had lost power; its disk stays. The users know of it until somebody serves them again.
async fn database(shop: &Shop) -> String {
    shop.outage_begins().await;
    let stop = ["pg_ctl", "stop", "-D", "/data/db", "-m", "immediate"];
    // It takes the session that asks along.
    let _ = kubectl(&[&["exec", "-n", SERVICES, "deployment/postgres", "--"][..], &stop].concat()).await;
    until("the database is up again", SOON, async || shop.ledger("SELECT 1").await).await;
    shop.users_go_on(50).await;
    shop.outage_ends().await;
    "it recovered".to_owned()
}

/// Only where it is ours.
async fn api_server() -> String {
    if variable("PHASEGATE_E2E_KUBECONFIG").is_some() {
        return "left alone, as the cluster is not ours".to_owned();
    }
    let cluster = Path::new(env!("CARGO_MANIFEST_DIR")).join("cluster/cluster");
    let ended = tokio::process::Command::new(cluster).args(["outage", "3"]).status().await.unwrap();
    assert!(ended.success(), "the API server did not come back");
    "away for 3 s and its start".to_owned()
}

fn variable(name: &str) -> Option<String> {
    #[expect(clippy::disallowed_methods, reason = "how tests/cluster/run and whoever looks into a failure say it")]
    std::env::var(name).ok().filter(|text| !text.is_empty())
}
