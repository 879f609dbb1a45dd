//! `phasegate-rollouts serve` as a process, with a certificate of the test's own, and tokens for it.

use std::{
    io::{BufRead, BufReader},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex, mpsc},
    time::Duration,
};

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use serde_json::{Value as Json, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_rustls::{
    TlsConnector,
    rustls::{
        ClientConfig, RootCertStore,
        crypto::ring,
        pki_types::{CertificateDer, ServerName, pem::PemObject},
    },
};

pub const ARGO: &str = "system:serviceaccount:argo-rollouts:argo-rollouts";
const BINARY: &str = env!("CARGO_BIN_EXE_phasegate-rollouts");

/// A token that says so of itself, and what an API server that believes it answers.
pub fn token(user: &str, audience: &str) -> (String, Json) {
    let part = |value: &[u8]| URL_SAFE_NO_PAD.encode(value);
    let payload = json!({"aud": [audience], "sub": user, "exp": 4_000_000_000_u64}).to_string();
    let token = format!("{}.{}.{}", part(b"{}"), part(payload.as_bytes()), part(user.as_bytes()));
    let audiences: Vec<&str> = [audience].into_iter().filter(|audience| *audience == "phasegate").collect();
    (token, json!({"authenticated": true, "user": {"username": user}, "audiences": audiences}))
}

/// Writes a certificate for 127.0.0.1 and its key into `directory`; `years` says from when to when it is good.
pub fn certify(directory: &Path, years: (i32, i32)) {
    let mut params = rcgen::CertificateParams::new(vec!["127.0.0.1".to_owned(), "localhost".to_owned()]).unwrap();
    params.not_before = rcgen::date_time_ymd(years.0, 1, 1);
    params.not_after = rcgen::date_time_ymd(years.1, 1, 1);
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = params.self_signed(&key).unwrap();
    std::fs::write(directory.join("tls.crt"), pem("CERTIFICATE", certificate.der())).unwrap();
    std::fs::write(directory.join("tls.key"), pem("PRIVATE KEY", &key.serialize_der())).unwrap();
}

fn pem(kind: &str, der: &[u8]) -> String {
    format!("-----BEGIN {kind}-----\n{}\n-----END {kind}-----\n", STANDARD.encode(der))
}

/// A running server; it is killed when dropped.
pub struct Server {
    child: Child,
    log: Arc<Mutex<String>>,
    pub questions: SocketAddr,
    pub http: SocketAddr,
    pub certificate: PathBuf,
}

impl Server {
    /// Starts it with the certificate in `directory`.
    pub fn start(kubeconfig: &Path, directory: &Path, arguments: &[&str]) -> Self {
        Self::try_start(kubeconfig, directory, arguments).expect("the server starts")
    }

    /// Starts it, or tells what it said.
    pub fn try_start(kubeconfig: &Path, directory: &Path, arguments: &[&str]) -> Result<Self, String> {
        let certificate = directory.join("tls.crt");
        let mut child = Command::new(BINARY)
            .args(["serve", "--http", "127.0.0.1:0", "--drain", "0"])
            .args(if arguments.contains(&"--listen") { &[][..] } else { &["--listen", "127.0.0.1:0"] })
            .arg("--certificate")
            .arg(&certificate)
            .arg("--key")
            .arg(directory.join("tls.key"))
            .args(arguments)
            .env("KUBECONFIG", kubeconfig)
            .env_remove("KUBERNETES_SERVICE_HOST")
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (lines, said) = (BufReader::new(child.stderr.take().unwrap()).lines(), Arc::<Mutex<String>>::default());
        let (log, (sender, serving)) = (Arc::clone(&said), mpsc::channel());
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let told: Json = serde_json::from_str(&line).unwrap_or_default();
                log.lock().unwrap().push_str(&format!("{line}\n"));
                if told["@message"] == "serving" {
                    let _ = sender.send(told);
                }
            }
        });
        let Ok(told) = serving.recv_timeout(Duration::from_secs(20)) else {
            let _ = child.kill();
            let _ = child.wait();
            return Err(said.lock().unwrap().clone());
        };
        let address = |name: &str| told[name].as_str().unwrap().parse().unwrap();
        Ok(Self { child, log: said, questions: address("questions"), http: address("http"), certificate })
    }

    pub fn endpoint(&self) -> String {
        format!("https://{}", self.questions)
    }

    pub fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([&format!("-{name}"), &self.child.id().to_string()]).status().unwrap();
        assert!(sent.success());
    }

    /// Until it has left.
    pub async fn left(mut self) -> ExitStatus {
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// One request over HTTP/1.1 and TLS: status, content type and body.
    pub async fn request(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Told {
        let certificate = std::fs::read(&self.certificate).unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(&certificate).unwrap()).unwrap();
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let stream = TcpStream::connect(self.questions).await.unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        let stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await.expect("the certificate fits");
        exchange(stream, method, path, headers, body).await
    }

    /// One request to the port of the probes.
    pub async fn probe(&self, path: &str) -> Told {
        exchange(TcpStream::connect(self.http).await.unwrap(), "GET", path, &[], "").await
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An answer over HTTP.
#[derive(Debug)]
pub struct Told {
    pub code: u16,
    pub content_type: String,
    pub body: String,
}

impl Told {
    pub fn json(&self) -> Json {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }
}

async fn exchange(
    mut stream: impl AsyncReadExt + AsyncWriteExt + Unpin,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Told {
    let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let length = body.len();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {length}\r\n{headers}\r\n"
    );
    stream.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    // A server may close without TLS's own goodbye.
    let _ = stream.read_to_end(&mut answer).await;
    let answer = String::from_utf8(answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let header = |name: &str| {
        head.lines().find_map(|line| line.split_once(':').filter(|(key, _)| key.eq_ignore_ascii_case(name)))
    };
    Told {
        code: head.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or_default(),
        content_type: header("content-type").map(|(_, value)| value.trim().to_owned()).unwrap_or_default(),
        body: body.to_owned(),
    }
}
