//! The controller's part of a canary step: the real plugin binary behind the real wire, asked again and again.

use std::{path::Path, time::Duration};

use anyhow::{Context, bail};
use goplugin_wire::{
    Handshake, Schema, Value,
    host::{
        Plugin,
        process::{Launch, Process},
    },
};
use serde_json::{Value as Json, json};
use tests::argo::{self, StepResult};

use crate::{
    cluster::Cluster,
    show::{Show, Tone},
};

/// Argo asks no sooner than every 15 seconds; the story cannot wait that long.
const POLL: Duration = Duration::from_millis(400);

/// What became of a canary at the gate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Passage {
    /// It was let in, after this many answers that held it.
    Released {
        /// Answers that said "not yet".
        held: u32,
    },
    /// It was refused for good.
    Refused(String),
}

/// A running plugin.
#[derive(Debug)]
pub(crate) struct Gate {
    process: Process,
    plugin: Plugin,
}

impl Gate {
    /// Starts the binary as Argo Rollouts does: cookie, handshake line, Dispense, InitPlugin.
    ///
    /// # Errors
    /// When it does not come up.
    pub(crate) async fn start(binary: &Path, kubeconfig: &Path, log: &Path) -> anyhow::Result<Self> {
        let mut launch = Launch::new(binary);
        launch.environment.push(("KUBECONFIG".into(), kubeconfig.into()));
        launch.stderr = std::fs::File::create(log)?.into();
        let handshake = Handshake {
            protocol_version: 1,
            cookie_key: argo::COOKIE.0.to_owned(),
            cookie_value: argo::COOKIE.1.to_owned(),
        };
        let process = Process::start(launch, &handshake).await.context("start the gate")?;
        let plugin = process.host().dispense(argo::PLUGIN).await.context("dispense the step plugin")?;
        plugin.call("InitPlugin", &Schema::interface([]), Value::nil()).await.context("InitPlugin")?;
        Ok(Self { process, plugin })
    }

    /// The line it greeted with.
    pub(crate) fn line(&self) -> &str {
        self.process.line()
    }

    /// Asks until the canary is let in or refused, and shows each new message.
    ///
    /// # Errors
    /// When it takes longer than `patience`, or the plugin breaks.
    pub(crate) async fn pass(
        &self,
        cluster: &Cluster,
        rollout: &str,
        patience: Duration,
        show: &Show,
    ) -> anyhow::Result<Passage> {
        let mut held = 0;
        let mut status = Vec::new();
        let mut last = String::new();
        let waiting = async {
            loop {
                let answer = self.ask("step.RunArgs", "Run", &cluster.rollout(rollout)?, &status).await?;
                let told = answer.error.clone().unwrap_or_else(|| answer.message.clone());
                if told != last {
                    let tone = if answer.phase == "Successful" { Tone::Good } else { Tone::Held };
                    show.event(tone, "gate", format_args!("{}: {told}", answer.phase));
                    last = told;
                }
                status = answer.status;
                match answer.phase.as_str() {
                    "Successful" => return anyhow::Ok(Passage::Released { held }),
                    "Failed" => return Ok(Passage::Refused(answer.message)),
                    _ => held += 1,
                }
                tokio::time::sleep(POLL).await;
            }
        };
        match tokio::time::timeout(patience, waiting).await {
            Ok(passage) => passage,
            Err(_) => bail!("the canary was still held after {} s: {last}", patience.as_secs()),
        }
    }

    /// Tells the plugin that the Rollout was aborted.
    ///
    /// # Errors
    /// When the plugin breaks.
    pub(crate) async fn abort(&self, cluster: &Cluster, rollout: &str) -> anyhow::Result<StepResult> {
        self.ask("step.AbortArgs", "Abort", &cluster.rollout(rollout)?, &[]).await
    }

    async fn ask(&self, name: &str, method: &str, rollout: &Json, status: &[u8]) -> anyhow::Result<StepResult> {
        let (schema, value) = argo::step_args(name, rollout, "phasegate/gate", &json!({}), status);
        let reply = self.plugin.call(method, &schema, value).await.with_context(|| format!("call {method}"))?;
        Ok(argo::step_result(&reply))
    }

    /// Ends it as Argo does.
    ///
    /// # Errors
    /// When it does not leave.
    pub(crate) async fn quit(self) -> anyhow::Result<()> {
        drop(self.plugin);
        self.process.quit().await.context("quit the gate")?;
        Ok(())
    }
}
