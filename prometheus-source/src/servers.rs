//! The file that names the Prometheus servers, and the way to each. Only whoever starts the gate writes it: a step may
//! choose a name from it and never an address, or it could have a token sent anywhere.

use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use prometheus_http_query::Client;
use reqwest::{Url, header::HeaderValue, redirect::Policy};
use schema_phases::Because;
use serde::Deserialize;

use crate::{secret_header, tls};

/// Longer files hold no list of servers, no token and no certificates.
const LONGEST: u64 = 1024 * 1024;

/// The servers in a file.
pub(super) struct Servers {
    file: PathBuf,
    /// Made clients, by what they were made of.
    made: Mutex<HashMap<Made, Client>>,
}

/// What a client depends on; another certificate makes another client.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Made {
    url: String,
    certificates: Option<Vec<u8>>,
}

/// The way to one server.
pub(super) struct Reached {
    pub(super) client: Client,
    pub(super) authorization: Option<HeaderValue>,
    pub(super) name: String,
}

/// The file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    servers: Vec<Server>,
}

/// One server.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Server {
    /// What steps call it.
    name: String,
    /// Where it is: `https://prometheus.monitoring:9090`.
    url: String,
    /// A file with a bearer token.
    bearer_token_file: Option<PathBuf>,
    /// A user and a file with the password.
    basic: Option<Basic>,
    /// The certificates to trust, in PEM; by default those of the system.
    ca_file: Option<PathBuf>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Basic {
    username: String,
    password_file: PathBuf,
}

impl Servers {
    pub(super) fn in_file(file: PathBuf) -> Self {
        Self { file, made: Mutex::default() }
    }

    /// The way to the server of this name, or to the first.
    pub(super) fn reach(&self, wanted: Option<&str>, patience: Duration) -> Result<Reached, Because> {
        let server = self.server(wanted)?;
        let authorization = server.authorization()?;
        let certificates = server.ca_file.as_deref().map(read).transpose()?;
        let key = Made { url: server.url.clone(), certificates };
        let made = self.made.lock().unwrap_or_else(PoisonError::into_inner).get(&key).cloned();
        let client = match made {
            Some(client) => client,
            None => {
                let client = server.client(key.certificates.as_deref(), patience)?;
                let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
                // What was made of older certificates is not asked for again.
                made.retain(|other, _| other.url != key.url);
                made.insert(key, client.clone());
                client
            }
        };
        Ok(Reached { client, authorization, name: server.name })
    }

    fn server(&self, wanted: Option<&str>) -> Result<Server, Because> {
        let shown = self.file.display();
        let text = String::from_utf8(read(&self.file)?)
            .map_err(|_| Because::Untrusted(format!("{shown} is no text; write `servers:` and a list")))?;
        let options = serde_saphyr::options! { with_snippet: false };
        let file: File = serde_saphyr::from_str_with_options(&text, options).map_err(|error| {
            let error: String = error.without_snippet().to_string().chars().take(200).collect();
            Because::Untrusted(format!("{shown} cannot be read: {}", error.replace('\n', " ")))
        })?;
        let mut known: Vec<String> = file.servers.iter().map(|server| server.name.clone()).collect();
        known.truncate(10);
        let found = file.servers.into_iter().find(|server| wanted.is_none_or(|wanted| server.name == wanted));
        found.ok_or_else(|| {
            let wanted = wanted.unwrap_or("of any name");
            Because::NotThere(format!("{shown} has no server {wanted}; it has {}", known.join(", ")))
        })
    }
}

impl Server {
    fn untrusted(&self, what: &str) -> Because {
        Because::Untrusted(format!("Prometheus server {}: {what}", self.name))
    }

    fn authorization(&self) -> Result<Option<HeaderValue>, Because> {
        let text = match (&self.bearer_token_file, &self.basic) {
            (None, None) => return Ok(None),
            (Some(file), None) => format!("Bearer {}", secret(file)?),
            (None, Some(Basic { username, password_file })) => {
                format!("Basic {}", base64(format!("{username}:{}", secret(password_file)?).as_bytes()))
            }
            (Some(_), Some(_)) => return Err(self.untrusted("it has a token and a password; remove one of them")),
        };
        secret_header(&text).map(Some).ok_or_else(|| self.untrusted("its credential has characters that none has"))
    }

    fn client(&self, certificates: Option<&[u8]>, patience: Duration) -> Result<Client, Because> {
        let url = Url::parse(&self.url).map_err(|_| self.untrusted("its url is none"))?;
        let plain = matches!(url.scheme(), "http" | "https") && url.query().is_none() && url.has_host();
        if !plain || !url.username().is_empty() || url.password().is_some() {
            return Err(self.untrusted("its url must be http://host:port or https://host:port, without credentials"));
        }
        let made = reqwest::Client::builder()
            .tls_backend_preconfigured(tls::client_config(certificates).map_err(|what| self.untrusted(what))?)
            .connect_timeout(patience)
            .timeout(patience)
            // A redirect could take the credential elsewhere.
            .redirect(Policy::none())
            .no_proxy()
            .pool_max_idle_per_host(2)
            .build();
        let client = made.map_err(|_| self.untrusted("no client can be made for it"))?;
        Client::from(client, &self.url).map_err(|_| self.untrusted("its url is none"))
    }
}

/// A file, bounded.
fn read(path: &Path) -> Result<Vec<u8>, Because> {
    let shown = path.display();
    let size = fs::metadata(path).map_err(|error| Because::NotThere(format!("{shown} cannot be read: {error}")))?.len();
    if size > LONGEST {
        return Err(Because::Untrusted(format!("{shown} has {size} bytes, and none of these files is so long")));
    }
    fs::read(path).map_err(|error| Because::NotThere(format!("{shown} cannot be read: {error}")))
}

/// The text of a file, without the line break at its end.
fn secret(path: &Path) -> Result<String, Because> {
    let text =
        String::from_utf8(read(path)?).map_err(|_| Because::Untrusted(format!("{} holds no text", path.display())))?;
    let text = text.trim();
    if text.is_empty() { Err(Because::Untrusted(format!("{} is empty", path.display()))) } else { Ok(text.to_owned()) }
}

/// The standard alphabet, padded (RFC 4648): fifteen lines, where a crate would be a dependency for one header.
pub(super) fn base64(bytes: &[u8]) -> String {
    const DIGITS: [char; 64] = {
        let text = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        let mut digits = ['='; 64];
        let mut at = 0;
        #[expect(clippy::indexing_slicing, reason = "in a constant: out of bounds would not compile")]
        while at < 64 {
            digits[at] = text[at] as char;
            at += 1;
        }
        digits
    };
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let byte = |at: usize| u32::from(chunk.get(at).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for digit in 0..4_u32 {
            let value = usize::try_from(bits >> (18 - 6 * digit) & 63).unwrap_or(0);
            let used = usize::try_from(digit).is_ok_and(|digit| digit <= chunk.len());
            text.push(if used { DIGITS.get(value).copied().unwrap_or('=') } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_the_reference_is_read() {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/reference/step-plugin/prometheus.yaml");
        let servers = Servers::in_file(file);
        assert_eq!(servers.server(None).unwrap().name, "main");
        assert_eq!(servers.server(Some("shop")).unwrap().basic.unwrap().username, "phasegate");
    }

    #[test]
    fn base64_is_the_standard_one() {
        let rows = [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("a:?>\u{ff}", "YTo/PsO/"),
        ];
        for (text, want) in rows {
            assert_eq!(base64(text.as_bytes()), want);
        }
    }
}
