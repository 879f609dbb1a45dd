//! A Prometheus that lies in every way it can: over plain TCP and over TLS, byte by byte what the test says.

use std::{fs, sync::Arc};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer},
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpListener,
    sync::Mutex,
};
use tokio_rustls::TlsAcceptor;

use super::*;

const PATIENCE: Duration = Duration::from_millis(700);

/// Answers every request with the next of its answers, the last one again and again.
struct Liar {
    port: u16,
    asked: Arc<Mutex<Vec<String>>>,
    directory: tempfile::TempDir,
}

/// One answer: head and body, or silence.
#[derive(Clone)]
enum Says {
    Body(&'static str, String),
    Silence,
}

fn json(body: &str) -> Says {
    Says::Body("200 OK", body.to_owned())
}

fn vector(values: &[&str]) -> Says {
    let series: Vec<String> = values
        .iter()
        .enumerate()
        .map(|(at, value)| format!(r#"{{"metric":{{"pod":"{at}"}},"value":[1700000000.5,"{value}"]}}"#))
        .collect();
    json(&format!(r#"{{"status":"success","data":{{"resultType":"vector","result":[{}]}}}}"#, series.join(",")))
}

/// A range of points with these values, a second apart, the last at the moment of the vector.
fn matrix(values: &[&str], series: usize) -> Says {
    let first = 1_700_000_001 - values.len();
    let points: Vec<String> = values
        .iter()
        .enumerate()
        .filter(|(_, value)| !value.is_empty())
        .map(|(at, value)| format!(r#"[{},"{value}"]"#, first + at))
        .collect();
    let one = format!(r#"{{"metric":{{}},"values":[{}]}}"#, points.join(","));
    let all = vec![one; series].join(",");
    json(&format!(r#"{{"status":"success","data":{{"resultType":"matrix","result":[{all}]}}}}"#))
}

/// An authority of these tests, in PEM, and what it signed for a host and some years: certificate and key.
fn signed(host: &str, until: i32) -> (String, CertificateDer<'static>, PrivateKeyDer<'static>) {
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority_key = KeyPair::generate().unwrap();
    let text = servers::base64(authority.self_signed(&authority_key).unwrap().der());
    let pem = format!("-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n");
    let issuer = Issuer::new(authority, authority_key);
    let mut params = CertificateParams::new(vec![host.to_owned()]).unwrap();
    params.not_before = rcgen::date_time_ymd(2020, 1, 1);
    params.not_after = rcgen::date_time_ymd(until, 1, 1);
    let key = KeyPair::generate().unwrap();
    let certificate = params.signed_by(&key, &issuer).unwrap();
    (pem, certificate.der().clone(), PrivatePkcs8KeyDer::from(key.serialize_der()).into())
}

impl Liar {
    async fn start(says: Vec<Says>, certificate: Option<(CertificateDer<'static>, PrivateKeyDer<'static>)>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let asked: Arc<Mutex<Vec<String>>> = Arc::default();
        let acceptor = certificate.map(|(certificate, key)| {
            let provider = Arc::new(rustls::crypto::ring::default_provider());
            let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
            let config = config.with_no_client_auth().with_single_cert(vec![certificate], key).unwrap();
            TlsAcceptor::from(Arc::new(config))
        });
        let (log, says) = (Arc::clone(&asked), Arc::new(Mutex::new(says)));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (log, says, acceptor) = (Arc::clone(&log), Arc::clone(&says), acceptor.clone());
                tokio::spawn(async move {
                    match acceptor {
                        None => answer(stream, &log, &says).await,
                        Some(acceptor) => match acceptor.accept(stream).await {
                            Ok(stream) => answer(stream, &log, &says).await,
                            Err(_) => None,
                        },
                    }
                });
            }
        });
        Self { port, asked, directory: tempfile::tempdir().unwrap() }
    }

    /// A source that knows this server.
    fn source(&self, scheme: &str, more: &str) -> Prometheus {
        let file = self.directory.path().join("prometheus.yaml");
        let url = format!("{scheme}://127.0.0.1:{}", self.port);
        fs::write(&file, format!("servers:\n- name: main\n  url: {url}\n{more}")).unwrap();
        Prometheus::new(Some(file), PATIENCE)
    }

    fn file(&self, name: &str, text: &str) -> String {
        let path = self.directory.path().join(name);
        fs::write(&path, text).unwrap();
        path.display().to_string()
    }
}

async fn answer(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    log: &Mutex<Vec<String>>,
    says: &Mutex<Vec<Says>>,
) -> Option<()> {
    let mut read = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&read).into_owned();
        let whole = text.split_once("\r\n\r\n").filter(|(head, body)| {
            let length =
                head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ").map(str::to_owned));
            length.and_then(|length| length.parse().ok()).is_none_or(|length: usize| body.len() >= length)
        });
        if whole.is_none() {
            let mut chunk = [0; 4096];
            let count = stream.read(&mut chunk).await.ok().filter(|count| *count > 0)?;
            read.extend_from_slice(&chunk[..count]);
            continue;
        }
        log.lock().await.push(text);
        read.clear();
        let next = {
            let mut says = says.lock().await;
            if says.len() > 1 { says.remove(0) } else { says[0].clone() }
        };
        let Says::Body(status, body) = next else { return std::future::pending().await };
        let head = format!(
            "HTTP/1.1 {status}\r\ncontent-type: application/json\r\nlocation: http://elsewhere.example/\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes()).await.ok()?;
        stream.write_all(body.as_bytes()).await.ok()?;
    }
}

const QUERY: &str = "sum(errors) > 0";

async fn told(source: &Prometheus, back: u64) -> Result<Measured, String> {
    source.measure(None, QUERY, Duration::from_secs(back)).await.map_err(|because| match because {
        Because::Unreachable(why) => format!("unreachable: {why}"),
        Because::NotPermitted(why) => format!("not permitted: {why}"),
        Because::Untrusted(why) => format!("untrusted: {why}"),
        Because::NotThere(why) => format!("not there: {why}"),
        Because::TimedOut(_) | Because::Stale { .. } => "another".to_owned(),
    })
}

#[tokio::test]
async fn one_number_is_a_measure_and_the_query_arrives_whole() {
    let liar = Liar::start(vec![vector(&["0.25"])], None).await;
    assert_eq!(told(&liar.source("http", ""), 0).await, Ok(Measured { now: 0.25, before: vec![] }));
    let asked = liar.asked.lock().await.join("");
    assert!(
        asked.starts_with("POST /api/v1/query ") && asked.contains("query=sum%28errors%29+%3E+0&timeout=700ms"),
        "{asked}"
    );
    let scalar = json(r#"{"status":"success","data":{"resultType":"scalar","result":[1.0,"7"]}}"#);
    let liar = Liar::start(vec![scalar], None).await;
    assert_eq!(told(&liar.source("http", ""), 0).await, Ok(Measured { now: 7.0, before: vec![] }));
}

#[tokio::test]
async fn whatever_else_it_says_is_a_missing_fact() {
    let huge = format!(r#"{{"status":"success","data":"{}"}}"#, "x".repeat(LONGEST_ANSWER));
    let rows = [
        (vector(&[]), "not there: Prometheus server main has no value for the query"),
        (vector(&["NaN"]), "untrusted: Prometheus server main: the query answers NaN"),
        (vector(&["1", "2"]), "untrusted: Prometheus server main: the query answers 2 series and must answer one"),
        (vector(&["zero"]), "untrusted: Prometheus server main: its answer is none of Prometheus'"),
        (matrix(&["1"], 1), "untrusted: Prometheus server main: the query answers a range"),
        (json(r#"{"status":"success","data":{"resultType":"string","result":[1,"a"]}}"#), "its answer is none"),
        (json(r#"{"status":"success"}"#), "its answer is none"),
        (json("[]"), "its answer is none"),
        (json(""), "its answer is none"),
        (json("<html>"), "its answer is none"),
        (json(&"[".repeat(100_000)), "its answer is none"),
        (json(&huge), "untrusted: Prometheus server main: its answer is too long"),
        (
            Says::Body("400 Bad Request", r#"{"status":"error","errorType":"bad_data","error":"parse\nerror"}"#.into()),
            "untrusted: Prometheus server main: it does not take the query: parseerror",
        ),
        (Says::Body("401 Unauthorized", "no".into()), "not permitted: Prometheus server main answers 401; correct its"),
        (Says::Body("403 Forbidden", "no".into()), "not permitted: "),
        (Says::Body("302 Found", String::new()), "untrusted: Prometheus server main: it answers 302; correct its url"),
        (Says::Body("404 Not Found", String::new()), "untrusted: Prometheus server main: it answers 404"),
        (Says::Body("503 Busy", String::new()), "unreachable: Prometheus server main answers 503"),
        (Says::Body("429 Slow down", String::new()), "unreachable: "),
        (Says::Silence, "unreachable: Prometheus server main: "),
    ];
    for (says, want) in rows {
        let liar = Liar::start(vec![says], None).await;
        let told = told(&liar.source("http", ""), 0).await.expect_err(want);
        assert!(told.contains(want), "{want}: {told}");
    }
    let liar = Liar::start(vec![vector(&["1"])], None).await;
    let source = liar.source("http", "");
    drop(liar.asked);
    fs::write(liar.directory.path().join("prometheus.yaml"), "servers:\n- {name: main, url: 'http://127.0.0.1:1'}\n")
        .unwrap();
    assert!(told(&source, 0).await.unwrap_err().starts_with("unreachable: "), "nobody listens there");
}

#[tokio::test]
async fn what_was_before_is_every_point_of_the_time_or_it_is_none() {
    const NAN: f64 = f64::NAN;
    let rows: [(Says, Result<&[f64], &str>); 6] = [
        (matrix(&["1", "2", "3"], 1), Ok(&[1.0, 2.0, 3.0])),
        (matrix(&["", "2", "3"], 1), Ok(&[NAN, 2.0, 3.0])),
        (matrix(&["1", "NaN", "3"], 1), Ok(&[1.0, NAN, 3.0])),
        (matrix(&[], 0), Ok(&[NAN, NAN, NAN])),
        (matrix(&["1", "2", "3"], 2), Err("answered 2 series in turn")),
        (vector(&["1"]), Err("it answers a range query with no range")),
    ];
    for (says, want) in rows {
        let liar = Liar::start(vec![vector(&["3"]), says], None).await;
        let found = told(&liar.source("http", ""), 2).await;
        match (found, want) {
            (Ok(measured), Ok(want)) => {
                assert_eq!(format!("{:?}", measured.before), format!("{want:?}"));
                let asked = liar.asked.lock().await.join("");
                assert!(
                    asked.contains("/api/v1/query_range") && asked.contains("start=1699999998&end=1700000000&step=1"),
                    "{asked}"
                );
            }
            (Err(told), Err(want)) => assert!(told.contains(want), "{told}"),
            (found, want) => panic!("{found:?} {want:?}"),
        }
    }
    assert_eq!(Range::until(1000.9, Duration::from_secs(3600)), Range { start: -2600, end: 1000, step: 120 });
    assert_eq!(Range::until(1000.0, Duration::from_secs(31)), Range { start: 968, end: 1000, step: 2 });
}

#[tokio::test]
async fn credentials_go_along_and_are_read_anew() {
    let liar = Liar::start(vec![vector(&["1"])], None).await;
    let token = liar.file("token", "one\n");
    let source = liar.source("http", &format!("  bearerTokenFile: {token}\n"));
    told(&source, 0).await.unwrap();
    liar.file("token", "two\n");
    told(&source, 2).await.expect_err("the second answer is no range");
    let asked = liar.asked.lock().await.clone();
    let header =
        |at: usize| asked[at].to_lowercase().lines().find(|line| line.starts_with("authorization")).unwrap().to_owned();
    assert_eq!(
        [header(0), header(1), header(2)],
        ["authorization: bearer one", "authorization: bearer two", "authorization: bearer two"]
    );
    let password = liar.file("password", "s3cret");
    told(&liar.source("http", &format!("  basic: {{username: gate, passwordFile: {password}}}\n")), 0).await.unwrap();
    assert!(liar.asked.lock().await[3].contains("Basic Z2F0ZTpzM2NyZXQ="));
    for (more, want) in [
        ("  bearerTokenFile: /nowhere\n".to_owned(), "/nowhere cannot be read"),
        (format!("  bearerTokenFile: {}\n", liar.file("empty", "\n")), "empty is empty"),
        (format!("  bearerTokenFile: {}\n", liar.file("odd", "a\nb")), "characters that none has"),
        (
            format!("  bearerTokenFile: {token}\n  basic: {{username: a, passwordFile: {password}}}\n"),
            "remove one of them",
        ),
        ("  token: s3cret\n".to_owned(), "cannot be read: "),
    ] {
        let told = told(&liar.source("http", &more), 0).await.unwrap_err();
        assert!(told.contains(want) && !told.contains("s3cret"), "{want}: {told}");
    }
}

#[tokio::test]
async fn only_a_certificate_that_is_trusted_and_in_time_and_of_this_host_is_taken() {
    const HERE: &str = "127.0.0.1";
    for (host, until, trusted, good) in [
        (HERE, 2120, true, true),
        (HERE, 2120, false, false),
        (HERE, 2021, true, false),
        ("elsewhere.example", 2120, true, false),
    ] {
        let (authority, certificate, key) = signed(host, until);
        let liar = Liar::start(vec![vector(&["1"])], Some((certificate, key))).await;
        let more = if trusted { format!("  caFile: {}\n", liar.file("ca", &authority)) } else { String::new() };
        let told = told(&liar.source("https", &more), 0).await;
        assert_eq!(told.is_ok(), good, "{host} {until} {trusted}: {told:?}");
        if let Err(why) = told {
            assert!(why.starts_with("unreachable: Prometheus server main: ") && why.contains("ertificate"), "{why}");
            assert_eq!(liar.asked.lock().await.len(), 0, "nothing was said to it");
        }
    }
    let liar = Liar::start(vec![vector(&["1"])], None).await;
    let no_certificate = format!("  caFile: {}\n", liar.file("ca", "hello"));
    assert!(told(&liar.source("https", &no_certificate), 0).await.unwrap_err().contains("caFile holds no certificate"));
}

#[tokio::test]
async fn a_step_chooses_a_name_and_never_an_address() {
    let liar = Liar::start(vec![vector(&["1"])], None).await;
    let source = liar.source("http", "- {name: other, url: 'http://user:pass@127.0.0.1:1'}\n");
    let of = |server: &'static str| source.measure(Some(server), QUERY, Duration::ZERO);
    assert_eq!(of("main").await, Ok(Measured { now: 1.0, before: vec![] }));
    let Err(Because::NotThere(why)) = of("http://127.0.0.1").await else { panic!() };
    assert!(why.contains("has no server http://127.0.0.1; it has main, other"), "{why}");
    let Err(Because::Untrusted(why)) = of("other").await else { panic!() };
    assert!(why.contains("without credentials") && !why.contains("pass@"), "{why}");
    let none = Prometheus::new(None, PATIENCE);
    assert!(told(&none, 0).await.unwrap_err().contains("start it with --prometheus FILE"));
    let absent = Prometheus::new(Some("/nowhere".into()), PATIENCE);
    assert!(told(&absent, 0).await.unwrap_err().contains("/nowhere cannot be read"));
}
