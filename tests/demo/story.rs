//! The story with the gate: held, let in, aborted, reverted, taken forward again, let in, refused, contracted.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, bail, ensure};
use k8s_openapi::ByteString;
use serde_json::{Value, json};
use sqlx::{Connection, SqliteConnection};

use crate::{
    account::{self, Account},
    app::Shape,
    cluster::{Cluster, NAMESPACE},
    gate::{Gate, Passage},
    job::Container,
    repository::Repository,
    runner::{self, Ran},
    show::{Show, Tone},
};

/// Processes of v1.
pub(crate) const V1_PODS: usize = 2;

/// How long a canary may be held.
const PATIENCE: Duration = Duration::from_secs(45);

/// How long versions serve side by side at each point of the story.
const SIDE_BY_SIDE: Duration = Duration::from_millis(900);

/// What is the same for every telling.
#[derive(Clone, Debug)]
pub(crate) struct Setting {
    /// Seed of everything the app chooses.
    pub(crate) seed: u64,
    /// Customers at the start.
    pub(crate) rows: u32,
    /// Where the three binaries are.
    pub(crate) binaries: PathBuf,
    /// The example repository, a folder a delivery.
    pub(crate) example: PathBuf,
}

impl Setting {
    /// The folder of one delivery.
    pub(crate) fn delivery(&self, name: &str) -> PathBuf {
        self.example.join(name)
    }

    /// The Rollout of one delivery.
    ///
    /// # Errors
    /// When there is none.
    pub(crate) fn rollout_of(&self, delivery: &str) -> anyhow::Result<Value> {
        let path = self.delivery(delivery).join("rollout.yaml");
        let text = std::fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
        serde_saphyr::from_str(&text).with_context(|| format!("{} is YAML", path.display()))
    }
}

/// A database with customers in it.
#[derive(Debug)]
pub(crate) struct Stage {
    /// Its file.
    pub(crate) file: PathBuf,
    /// Its URL.
    pub(crate) url: String,
    untouched: BTreeMap<i64, Option<String>>,
}

impl Stage {
    /// Rows nobody wrote to whose name is no longer what it was.
    ///
    /// # Errors
    /// When the new shape is not there.
    pub(crate) async fn untouched_lost(&self, database: &mut SqliteConnection) -> anyhow::Result<u64> {
        let now = account::untouched(database, Shape::V2).await?;
        let lost = now.iter().filter(|(id, name)| self.untouched.get(id) != Some(name)).count();
        Ok(u64::try_from(lost)?)
    }
}

/// Makes the database of one telling.
///
/// # Errors
/// When the file cannot be made.
pub(crate) async fn seeded(setting: &Setting, directory: &Path) -> anyhow::Result<Stage> {
    let file = directory.join("customers.db");
    let url = format!("sqlite://{}", file.display());
    let create = sqlx::sqlite::SqliteConnectOptions::new().filename(&file).create_if_missing(true);
    let mut database = SqliteConnection::connect_with(&create).await?;
    account::seed(&mut database, setting.rows, &mut fastrand::Rng::with_seed(setting.seed)).await?;
    let untouched = account::untouched(&mut database, Shape::V1).await?;
    database.close().await?;
    Ok(Stage { file, url, untouched })
}

/// What a program can check.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// Canaries that were held.
    pub(crate) held: u32,
    /// Canaries that were let in.
    pub(crate) released: u32,
    /// Contracts refused.
    pub(crate) contract_refused: u32,
    /// Contracts done.
    pub(crate) contracted: u32,
    /// Reverts to pending.
    pub(crate) reverted: u32,
    /// What became of the writes.
    pub(crate) account: Account,
}

impl Outcome {
    /// Whether it is what Phasegate promises.
    pub(crate) fn is_good(&self) -> bool {
        let Account { writes, failed, lost } = self.account;
        let told = (self.held, self.released, self.contract_refused, self.contracted, self.reverted);
        told == (2, 2, 1, 1, 1) && writes > 0 && failed == 0 && lost == 0
    }
}

/// Tells it.
///
/// # Errors
/// When a part of the stage breaks, or the story takes another turn than it must.
pub(crate) async fn tell(setting: &Setting, directory: &Path, show: &Show) -> anyhow::Result<Outcome> {
    show.heading("With Phasegate: the same seed, the same app, the same change.");
    std::fs::create_dir_all(directory)?;
    let stage = seeded(setting, directory).await?;
    let cluster = Cluster::start(directory, setting.seed).await?;
    let repository = Repository::create(directory.join("repository"), &setting.binaries).await?;
    let gate =
        Gate::start(&setting.binaries.join("phasegate-rollouts"), &cluster.api.kubeconfig, &directory.join("gate.log"))
            .await?;
    show.event(Tone::Plain, "gate", format_args!("loaded as Argo Rollouts does: {}", gate.line()));
    show.event(Tone::Plain, "gate", "asked every 0.4 s here, so that the story is short; Argo asks every 15 s or so");
    let mut teller = Teller { setting, show, directory, stage, cluster, repository, gate, outcome: Outcome::default() };
    let told = teller.tell().await;
    teller.cluster.stop().await?;
    told?;
    teller.finish().await
}

struct Teller<'a> {
    setting: &'a Setting,
    show: &'a Show,
    directory: &'a Path,
    stage: Stage,
    cluster: Cluster,
    repository: Repository,
    gate: Gate,
    outcome: Outcome,
}

/// The name of the Rollout in the example.
const ROLLOUT: &str = "customers";

/// A delivery that was applied: the ReplicaSet of its Rollout, and its Job.
struct Delivered {
    replica_set: String,
    job: Value,
}

impl Teller<'_> {
    async fn tell(&mut self) -> anyhow::Result<()> {
        self.secrets()?;
        let v1 = self.deliver("1-app", "customers v1").await?;
        for _ in 0..V1_PODS {
            self.cluster.start_pod(&v1.replica_set, Shape::V1, &self.stage.file)?;
        }
        self.show.event(Tone::Plain, "apps", "v1 serves; it knows full_name only");

        let v2 = self.deliver("2-migrate", "split full_name; v2 knows only the new shape").await?;
        self.hold_and_release(&v2).await?;
        self.table().await?;

        self.show.event(Tone::Plain, "person", "aborts the canary");
        self.cluster.stop_pods(&v2.replica_set).await?;
        let told = self.gate.abort(&self.cluster, ROLLOUT).await?;
        self.show.event(Tone::Plain, "gate", format_args!("abort: {}", told.message));
        let back = self.deliver("3-revert", "take the change back, v1 again").await?;
        ensure!(back.replica_set == v1.replica_set, "the revert brings v1's template back");
        self.run(&back.job).await?;
        if self.phase().await? == "pending" {
            self.outcome.reverted += 1;
        }
        self.table().await?;

        let again = self.deliver("4-migrate-again", "forward again, v2 again").await?;
        self.hold_and_release(&again).await?;

        let contract = self.deliver("5-contract", "contract").await?;
        let ran = self.run(&contract.job).await?;
        if ran.code == 0 && ran.was_blocked() && self.phase().await? == "migrated" {
            self.outcome.contract_refused += 1;
        }
        self.table().await?;

        self.cluster.set_status(ROLLOUT, "stableRS", template_hash_of(&contract.replica_set).into())?;
        self.cluster.start_pod(&contract.replica_set, Shape::V2, &self.stage.file)?;
        self.cluster.stop_pods(&v1.replica_set).await?;
        self.show.event(Tone::Plain, "person", "promotes v2; the last pod of v1 is gone");
        self.show.event(Tone::Plain, "cronjob", "runs the same command again");
        self.run(&contract.job).await?;
        if self.phase().await? == "contracted" {
            self.outcome.contracted += 1;
        }
        tokio::time::sleep(SIDE_BY_SIDE).await;
        self.table().await
    }

    async fn finish(mut self) -> anyhow::Result<Outcome> {
        let mut database = crate::app::connect(&self.stage.file).await?;
        self.outcome.account = account::account(self.directory, &mut database, Shape::V2).await?;
        self.outcome.account.lost += self.stage.untouched_lost(&mut database).await?;
        for (why, times) in account::refusals(self.directory)?.into_iter().take(3) {
            self.show.event(Tone::Bad, "apps", format_args!("{times} times: {why}"));
        }
        self.gate.quit().await?;
        Ok(self.outcome)
    }

    /// What a platform team keeps outside Git.
    fn secrets(&self) -> anyhow::Result<()> {
        let url = serde_json::to_value(ByteString(self.stage.url.clone().into_bytes()))?;
        for name in ["customers-owner", "customers-reader", "customers-app"] {
            self.cluster
                .apply(json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "data": {"url": url}}));
        }
        Ok(())
    }

    /// Commits a delivery, renders it and applies what came out, as Argo CD would.
    async fn deliver(&mut self, delivery: &str, message: &str) -> anyhow::Result<Delivered> {
        let commit = self.repository.deliver(&self.setting.delivery(delivery), message).await?;
        self.show.heading(format_args!("git {commit}: {message}"));
        let objects = self.repository.render().await?;
        let kinds: Vec<&str> = objects.iter().filter_map(|object| object.get("kind").and_then(Value::as_str)).collect();
        self.show.event(Tone::Plain, "argocd", format_args!("rendered {}", kinds.join(", ")));
        let (mut replica_set, mut job) = (None, None);
        for object in objects {
            match object.get("kind").and_then(Value::as_str) {
                Some("Rollout") => replica_set = Some(self.cluster.apply_rollout(object)?),
                Some("Job") => {
                    job = Some(object.clone());
                    self.cluster.apply(object);
                }
                _ => self.cluster.apply(object),
            }
        }
        Ok(Delivered {
            replica_set: replica_set.context("the delivery has a Rollout")?,
            job: job.context("the renderer made a Job")?,
        })
    }

    /// The canary waits at the gate while the Job runs, and starts once it is let in.
    async fn hold_and_release(&mut self, delivered: &Delivered) -> anyhow::Result<()> {
        let container = self.container(&delivered.job)?;
        let process = container.start(&self.cluster.api.kubeconfig)?;
        let (ran, passage) = tokio::join!(
            runner::follow(process, self.show),
            self.gate.pass(&self.cluster, ROLLOUT, PATIENCE, self.show)
        );
        let ran = ran?;
        ensure!(ran.code == 0, "the runner ended with {}", ran.code);
        match passage? {
            Passage::Released { held } => {
                self.outcome.held += u32::from(held > 0);
                self.outcome.released += 1;
            }
            Passage::Refused(why) => bail!("the gate refused: {why}"),
        }
        self.cluster.start_pod(&delivered.replica_set, Shape::V2, &self.stage.file)?;
        self.show.event(Tone::Good, "apps", "v2 serves beside v1; it knows first_name and last_name only");
        tokio::time::sleep(SIDE_BY_SIDE).await;
        Ok(())
    }

    async fn run(&self, job: &Value) -> anyhow::Result<Ran> {
        let process = self.container(job)?.start(&self.cluster.api.kubeconfig)?;
        let ran = runner::follow(process, self.show).await?;
        ensure!(ran.code == 0, "the runner ended with {}", ran.code);
        Ok(ran)
    }

    fn container(&self, job: &Value) -> anyhow::Result<Container> {
        let root =
            self.directory.join("mounts").join(job.pointer("/metadata/name").and_then(Value::as_str).unwrap_or("job"));
        let container = Container::of(job, &self.cluster.api.objects, &root, &self.setting.binaries)?;
        self.show.event(Tone::Plain, "job", "starts the runner:");
        self.show.block(&container.describe(self.directory));
        Ok(container)
    }

    /// Where the change is, as `phasegate status` tells programs.
    async fn phase(&self) -> anyhow::Result<String> {
        let told = runner::status(&self.setting.binaries, &self.stage.url, "json").await?;
        let told: Value = serde_json::from_str(&told).context("phasegate status --output json prints JSON")?;
        let change = told.pointer("/ledger/changes/0").context("the ledger holds the change")?;
        let text = |field: &str| change.get(field).and_then(Value::as_str).unwrap_or_default();
        ensure!(text("state") == "at rest", "the change is {}", text("state"));
        Ok(text("phase").to_owned())
    }

    /// Phases and versions as they are now.
    async fn table(&self) -> anyhow::Result<()> {
        self.show.event(Tone::Plain, "status", "the schema, and who serves on it:");
        self.show.block(&runner::status(&self.setting.binaries, &self.stage.url, "table").await?);
        let mut counted: BTreeMap<&str, usize> = BTreeMap::new();
        for (_, replica_set) in self.cluster.pods() {
            *counted.entry(replica_set).or_default() += 1;
        }
        for (replica_set, pods) in counted {
            let object = self.cluster.api.objects.get("replicasets", NAMESPACE, replica_set).unwrap_or_default();
            let image = object.pointer("/spec/template/spec/containers/0/image").and_then(Value::as_str);
            self.show.block(&format!("{} ({replica_set}): {pods} serving", image.unwrap_or("?")));
        }
        Ok(())
    }
}

fn template_hash_of(replica_set: &str) -> &str {
    replica_set.rsplit('-').next().unwrap_or(replica_set)
}
