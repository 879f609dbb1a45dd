//! Scenarios that break what all share. `run` starts them one by one, when nothing else runs.

use std::{path::Path, time::Duration};

use crate::{
    delivery::CHANGE,
    kubectl::{kubectl, until},
    mariadb,
    shop::{App, SERVICES, SOON, Shop},
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
    Postgres,
    Mariadb,
    ApiServer,
}

const ALL: [Victim; 7] = [
    Victim::Runner,
    Victim::RolloutsController,
    Victim::PluginProcess,
    Victim::RepoServer,
    Victim::Postgres,
    Victim::Mariadb,
    Victim::ApiServer,
];

/// One on each server: what both use dies for both.
struct Shops {
    postgres: Shop,
    mariadb: Shop,
}

impl Shops {
    /// Does the same in both, at the same time.
    async fn each<T>(&self, work: impl AsyncFn(&Shop) -> T) -> [T; 2] {
        let (postgres, mariadb) = tokio::join!(work(&self.postgres), work(&self.mariadb));
        [postgres, mariadb]
    }
}

#[tokio::test]
async fn whatever_dies_and_whenever_the_run_ends_where_git_wants_it_and_no_row_is_lost() {
    let seed = variable("PHASEGATE_E2E_SEED").and_then(|text| text.parse().ok()).unwrap_or_else(|| fastrand::u64(..));
    let mut random = fastrand::Rng::with_seed(seed);
    let synced = |app: &App| app.delivery("1-expand").with(CHANGE, "target: migrated", "target: synced");
    let (postgres, mariadb) =
        tokio::join!(Shop::open("killed", ROWS), Shop::open_for(&mariadb::CUSTOMERS, "killed-mariadb", ROWS));
    let shops = Shops { postgres, mariadb };
    shops.postgres.line.note(format!("PHASEGATE_E2E_SEED={seed}"));
    let somebody = shops.each(async |shop| {
        shop.the_last_row_comes().await;
        shop.deliver("version 1", &synced(shop.app)).await;
        shop.rollout_is("Healthy").await;
        shop.users_come(ROWS).await;
        shop.change_is("synced").await;
        let somebody = shop.somebody_writes().await;
        shop.deliver("version 2, and what it needs", &shop.app.delivery("2-canary")).await;
        shop.gate_says("holds version 2", |step| step.phase == "Running").await;
        shop.is_in_mid_backfill().await;
        somebody
    });
    let [on_postgres, on_mariadb] = somebody.await;
    let mut killed = kill_all(&shops, &mut random, ALL.len()).await;
    shops.postgres.somebody_is_done(on_postgres).await;
    shops.mariadb.somebody_is_done(on_mariadb).await;
    let migrated = shops.each(async |shop| {
        shop.change_is("migrated").await;
        shop.rollout_is("Healthy").await;
        shop.the_last_row_goes().await;
        shop.commit("contract", &shop.app.delivery("3-contract")).await
    });
    let [on_postgres, on_mariadb] = migrated.await;

    killed.extend(kill_all(&shops, &mut random, 3).await);
    shops.postgres.line.note(format!("killed {}", killed.join(", ")));
    shops.postgres.synced(&on_postgres).await;
    shops.mariadb.synced(&on_mariadb).await;
    let ended = shops.each(async |shop| {
        shop.change_is("contracted").await;
        shop.rollout_is("Healthy").await;
        shop.users_are_content(ROWS).await;
        shop.close().await;
    });
    ended.await;
}

/// So many different ones, in any order, with pauses of any length; what was there to be killed.
async fn kill_all(shops: &Shops, random: &mut fastrand::Rng, count: usize) -> Vec<String> {
    let mut victims = ALL;
    random.shuffle(&mut victims);
    // Who makes a runner wait ends with the database, and then it is done soon: it dies before, or not at all.
    let place = |wanted| victims.iter().position(|victim| *victim == wanted).unwrap();
    let runner = place(Victim::Runner);
    let first = place(Victim::Postgres).min(place(Victim::Mariadb));
    if first < runner {
        victims.swap(runner, first);
    }
    let mut killed = Vec::new();
    for victim in victims.into_iter().take(count) {
        tokio::time::sleep(Duration::from_millis(random.u64(0..3_000))).await;
        let shop = &shops.postgres;
        let what = match victim {
            Victim::Runner => shops.each(async |shop| shop.runners_die().await).await.join("; "),
            Victim::RolloutsController => shop.pods_die("argo-rollouts", "app.kubernetes.io/name=argo-rollouts").await,
            Victim::PluginProcess => plugin_process(shop).await,
            Victim::RepoServer => shop.pods_die("argocd", "app.kubernetes.io/name=argocd-repo-server").await,
            Victim::Postgres | Victim::Mariadb => database(shops, victim).await,
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
async fn database(shops: &Shops, victim: Victim) -> String {
    let (shop, stop) = if victim == Victim::Postgres {
        (&shops.postgres, &["pg_ctl", "stop", "-D", "/data/db", "-m", "immediate"][..])
    } else {
        (&shops.mariadb, &["/bin/sh", "-c", "kill -9 $(cat /tmp/pid)"][..])
    };
    let before = until("the API tells how often it began", SOON, async || starts(shop).await).await;
    shop.outage_begins().await;
    let server = format!("deployment/{}", shop.app.server.engine());
    // It takes the session that asks along.
    let _ = kubectl(&[&["exec", "-n", SERVICES, &server, "--"][..], stop].concat()).await;
    until("the database has begun anew", SOON, async || match starts(shop).await? {
        starts if starts > before => Ok(()),
        starts => Err(format!("{starts} starts")),
    })
    .await;
    until("the database is up again", SOON, async || shop.ledger("SELECT 1").await).await;
    shop.users_go_on(50).await;
    shop.outage_ends().await;
    "it recovered".to_owned()
}

/// How often the server of that shop was started anew.
async fn starts(shop: &Shop) -> Result<i64, String> {
    let pods = shop.api.list("pod", SERVICES, &format!("app={}", shop.app.server.engine())).await?;
    let [pod] = pods.as_slice() else { return Err(format!("{} pods", pods.len())) };
    pod["status"]["containerStatuses"][0]["restartCount"].as_i64().ok_or_else(|| pod["status"].to_string())
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
