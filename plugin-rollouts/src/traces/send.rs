//! Sends spans to a collector, some seconds of them at a time. One that is away, slow or refuses costs what it would have
//! been told, and one line in the log when that begins and one when it ends.

use std::{mem::take, sync::atomic::Ordering, time::Duration};

use prometheus_source::tls;
use reqwest::{
    Client, Url,
    header::{CONTENT_TYPE, HeaderValue},
    redirect::Policy,
};
use tokio::time::sleep;

use super::{Ended, Spans, otlp};
use crate::chain::chain;

/// How long spans are gathered before they are sent.
const GATHER: Duration = Duration::from_secs(2);
const PATIENCE: Duration = Duration::from_secs(5);
/// In one request.
const MOST: usize = 512;

/// Where spans go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Collector(Url);

/// No collector can be at that address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("--otlp is `{found}`; it must be http://<host>:<port> or https://<host>:<port>, without credentials")]
pub struct BadCollector {
    /// What was typed, cut to 200 characters; nothing, when it may hold a credential.
    found: String,
}

impl Collector {
    /// The collector at this address, to which OTLP's own path is added.
    ///
    /// # Errors
    /// [`BadCollector`].
    pub fn new(address: &str) -> Result<Self, BadCollector> {
        let bad = || BadCollector {
            found: if address.contains('@') { "...".to_owned() } else { address.chars().take(200).collect() },
        };
        let mut url = Url::parse(address).map_err(|_| bad())?;
        let plain = matches!(url.scheme(), "http" | "https") && url.has_host() && url.query().is_none();
        if !plain || url.fragment().is_some() || !url.username().is_empty() || url.password().is_some() {
            return Err(bad());
        }
        let path = format!("{}/v1/traces", url.path().trim_end_matches('/'));
        url.set_path(&path);
        Ok(Self(url))
    }

    fn client(&self) -> Result<Client, String> {
        let builder = Client::builder()
            .tls_backend_preconfigured(tls::client_config(None).map_err(str::to_owned)?)
            .connect_timeout(PATIENCE)
            .timeout(PATIENCE)
            .redirect(Policy::none())
            .no_proxy()
            .pool_max_idle_per_host(1);
        builder.build().map_err(|error| chain(&error))
    }
}

impl Spans {
    /// Sends until nobody gathers any more.
    pub(crate) async fn send_to(mut self, collector: Collector) {
        let client = match collector.client() {
            Ok(client) => client,
            Err(error) => {
                tracing::warn!(error, "no traces are sent");
                return;
            }
        };
        let (mut batch, mut well) = (Vec::with_capacity(MOST), true);
        while self.ended.recv_many(&mut batch, MOST).await > 0 {
            sleep(GATHER).await;
            while let Ok(ended) = self.ended.try_recv() {
                batch.push(ended);
            }
            let all = take(&mut batch);
            for some in all.chunks(MOST) {
                let sent = post(&client, &collector, some).await;
                match (&sent, well) {
                    (Err(error), true) => tracing::warn!(error, "the collector takes no traces; they are dropped"),
                    (Ok(()), false) => {
                        let dropped = self.dropped.load(Ordering::Relaxed);
                        tracing::info!(dropped, "the collector takes traces again");
                    }
                    (Ok(()), true) | (Err(_), false) => {}
                }
                well = sent.is_ok();
                if !well {
                    self.dropped.fetch_add(u64::try_from(some.len()).unwrap_or_default(), Ordering::Relaxed);
                }
            }
        }
    }
}

async fn post(client: &Client, Collector(url): &Collector, spans: &[Ended]) -> Result<(), String> {
    let body = otlp::export(spans).to_string();
    let json = HeaderValue::from_static("application/json");
    let answer = client.post(url.clone()).header(CONTENT_TYPE, json).body(body).send().await;
    let status = answer.map_err(|error| chain(&error))?.status();
    if status.is_success() { Ok(()) } else { Err(format!("it answers {}", status.as_u16())) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_host_and_perhaps_a_path() {
        for (address, want) in [
            ("http://collector:4318", "http://collector:4318/v1/traces"),
            ("https://collector/", "https://collector/v1/traces"),
            ("http://collector:4318/tenant/", "http://collector:4318/tenant/v1/traces"),
        ] {
            assert_eq!(Collector::new(address).unwrap().0.as_str(), want);
        }
        for bad in
            ["collector:4318", "grpc://collector", "http://", "", "http://user:s3cret@a", "http://a?b", "http://a#b"]
        {
            let told = Collector::new(bad).unwrap_err().to_string();
            assert!(told.contains("it must be http://") && !told.contains("s3cret"), "{told}");
        }
    }
}
