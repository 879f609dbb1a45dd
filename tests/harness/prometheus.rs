//! A real Prometheus for tests. It scrapes nothing: PromQL computes every number that a test needs.

use std::{
    fs,
    net::TcpListener,
    path::PathBuf,
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};

use crate::guardian::{Guarded, guard};

const PROGRAM: &str = "/usr/bin/prometheus";
/// Many tests start servers at once on few cores.
const START: Duration = Duration::from_secs(60);

/// A running server. Dropping it stops it and removes its files.
#[derive(Debug)]
pub struct Prometheus {
    port: u16,
    _guarded: Guarded,
}

impl Prometheus {
    /// Starts one with this configuration of its web server (empty for plain HTTP), and waits until it answers on its port.
    ///
    /// # Errors
    /// What is missing, or what it said.
    pub fn start(web: &str) -> Result<Self> {
        Self::start_with("global: {scrape_interval: 1s}\n", web)
    }

    /// The same with a configuration of its own.
    ///
    /// # Errors
    /// What is missing, or what it said.
    pub fn start_with(config: &str, web: &str) -> Result<Self> {
        if !PathBuf::from(PROGRAM).is_file() {
            bail!("Prometheus is not installed: run tests/setup/debian, or apt-get install prometheus");
        }
        let directory = tempfile::Builder::new().prefix("phasegate-prometheus-").tempdir()?.keep();
        let (config_file, web_file) = (directory.join("prometheus.yml"), directory.join("web.yml"));
        fs::write(&config_file, config)?;
        fs::write(&web_file, web)?;
        // Another process may take the free port before the server does: then with another one.
        for _ in 0..5 {
            let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
            let mut server = Command::new(PROGRAM);
            server.arg("--config.file").arg(&config_file).arg("--web.config.file").arg(&web_file);
            server.arg("--storage.tsdb.path").arg(directory.join("data"));
            server.arg(format!("--web.listen-address=127.0.0.1:{port}"));
            let guarded = guard(&server, &directory, "KILL").context("cannot start Prometheus")?;
            let log = || fs::read_to_string(directory.join("log")).unwrap_or_default();
            let began = Instant::now();
            while began.elapsed() < START {
                if log().contains("Server is ready to receive web requests") {
                    return Ok(Self { port, _guarded: guarded });
                }
                if log().contains("level=error") {
                    break;
                }
                std::thread::sleep(Duration::from_millis(20));
            }
            let said = log();
            if !said.contains("address already in use") {
                bail!("Prometheus does not start: {said}");
            }
            fs::create_dir_all(&directory)?;
            fs::write(&config_file, config)?;
            fs::write(&web_file, web)?;
        }
        bail!("Prometheus finds no free port on 127.0.0.1")
    }

    /// Its port on 127.0.0.1.
    pub const fn port(&self) -> u16 {
        self.port
    }
}
