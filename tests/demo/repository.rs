//! The Git repository of the story, made on the spot out of `examples/`, and the real renderer run on its checkout.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
};

use anyhow::{Context, bail};
use serde_json::Value;
use tokio::process::Command;

use crate::cluster::NAMESPACE;

/// A repository whose one folder is what an Argo CD Application would point at.
#[derive(Debug)]
pub(crate) struct Repository {
    checkout: PathBuf,
    renderer: PathBuf,
}

impl Repository {
    /// An empty repository at `checkout`.
    ///
    /// # Errors
    /// When git fails.
    pub(crate) async fn create(checkout: PathBuf, binaries: &Path) -> anyhow::Result<Self> {
        std::fs::create_dir_all(&checkout)?;
        let this = Self { checkout, renderer: binaries.join("phasegate-argocd") };
        this.git(&["init", "--quiet", "--initial-branch=main"]).await?;
        Ok(this)
    }

    /// Puts the files of `delivery` in place of what was there, commits them, and returns the short commit.
    ///
    /// # Errors
    /// When a file cannot be copied, or git fails.
    pub(crate) async fn deliver(&self, delivery: &Path, message: &str) -> anyhow::Result<String> {
        for entry in std::fs::read_dir(&self.checkout)? {
            let entry = entry?;
            if entry.file_name() == ".git" {
                continue;
            }
            if entry.file_type()?.is_dir() {
                std::fs::remove_dir_all(entry.path())?;
            } else {
                std::fs::remove_file(entry.path())?;
            }
        }
        copy(delivery, &self.checkout).with_context(|| format!("copy {}", delivery.display()))?;
        self.git(&["add", "--all"]).await?;
        let author = ["-c", "user.name=Demo", "-c", "user.email=demo@example.com", "-c", "commit.gpgsign=false"];
        self.git(&[&author[..], &["commit", "--quiet", "--allow-empty", "-m", message]].concat()).await?;
        Ok(self.git(&["rev-parse", "--short", "HEAD"]).await?.trim().to_owned())
    }

    /// What Argo CD would apply: the renderer's output for this checkout, object by object.
    ///
    /// # Errors
    /// When the renderer refuses; its message is in the error.
    pub(crate) async fn render(&self) -> anyhow::Result<Vec<Value>> {
        let output = Command::new(&self.renderer)
            .arg("generate")
            .current_dir(&self.checkout)
            .env_clear()
            .env("ARGOCD_APP_NAME", "customers")
            .env("ARGOCD_APP_NAMESPACE", NAMESPACE)
            .stdin(Stdio::null())
            .output()
            .await
            .with_context(|| format!("run {}", self.renderer.display()))?;
        if !output.status.success() {
            bail!("the renderer refused:\n{}", String::from_utf8_lossy(&output.stderr));
        }
        let text = String::from_utf8(output.stdout).context("manifests are UTF-8")?;
        serde_saphyr::from_multiple(&text).context("manifests are YAML")
    }

    async fn git(&self, arguments: &[&str]) -> anyhow::Result<String> {
        let output = Command::new("git")
            .args(arguments)
            .current_dir(&self.checkout)
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .stdin(Stdio::null())
            .output()
            .await
            .context("run git")?;
        if !output.status.success() {
            bail!("git {}: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr));
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }
}

fn copy(from: &Path, to: &Path) -> std::io::Result<()> {
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            std::fs::create_dir_all(&target)?;
            copy(&entry.path(), &target)?;
        } else {
            std::fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}
