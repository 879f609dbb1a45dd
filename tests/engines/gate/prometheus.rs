//! A real Prometheus: its numbers, its errors, its own TLS and passwords.

use std::{fs, time::Duration};

use plugin_rollouts::{ports::Measured, sources::prometheus::Prometheus as Source};
use schema_phases::Because;
use tests::prometheus::Prometheus;

fn source(directory: &std::path::Path, server: &str) -> Source {
    let file = directory.join("servers.yaml");
    fs::write(&file, format!("servers:\n- {server}\n")).unwrap();
    Source::new(Some(file), Duration::from_secs(10))
}

async fn measure(source: &Source, query: &str, back: u64) -> Result<Measured, Because> {
    source.measure(None, query, Duration::from_secs(back)).await
}

#[tokio::test]
async fn one_number_is_a_measure_and_everything_else_is_missing() {
    let server = Prometheus::start("").unwrap();
    let directory = tempfile::tempdir().unwrap();
    let source = source(directory.path(), &format!("{{name: main, url: 'http://127.0.0.1:{}'}}", server.port()));
    for (query, number) in [("vector(0.25)", 0.25), ("scalar(vector(7))", 7.0), ("sum(vector(2) or vector(3))", 2.0)] {
        let measured = measure(&source, query, 0).await;
        assert_eq!(measured, Ok(Measured { now: number, before: vec![] }), "{query}");
    }
    assert!(matches!(measure(&source, "up", 0).await, Err(Because::NotThere(why)) if why.contains("no value")));
    for (query, why) in [
        ("vector(0) / vector(0)", "answers NaN"),
        ("scalar(up)", "answers NaN"),
        (r#"vector(1) or label_replace(vector(2), "a", "b", "", "")"#, "answers 2 series and must answer one"),
        ("up[5m]", "answers a range"),
        ("'text'", "none of Prometheus'"),
        ("sum(", "does not take the query: invalid parameter"),
        ("nothing(1)", "does not take the query: invalid parameter"),
    ] {
        let told = measure(&source, query, 0).await;
        assert!(matches!(&told, Err(Because::Untrusted(told)) if told.contains(why)), "{query}: {told:?}");
    }
}

#[tokio::test]
async fn what_was_before_is_seen_with_its_gaps() {
    let server = Prometheus::start("").unwrap();
    let directory = tempfile::tempdir().unwrap();
    let source = source(directory.path(), &format!("{{name: main, url: 'http://127.0.0.1:{}'}}", server.port()));
    let steady = measure(&source, "vector(0.5)", 300).await.unwrap();
    assert_eq!((steady.now, steady.before.len()), (0.5, 31));
    assert!(steady.before.iter().all(|value| *value == 0.5), "{:?}", steady.before);
    // A number that grows with time, and one that is there on every other evaluation only.
    let growing = measure(&source, "vector(time())", 60).await.unwrap().before;
    assert!(growing.windows(2).all(|pair| pair[1] - pair[0] == 2.0), "{growing:?}");
    let gaps =
        measure(&source, "vector(time()) % 4 < 2 or (vector(1) and on() (vector(time()) > 99999999999))", 60).await;
    match gaps {
        Ok(measured) => assert!(measured.before.iter().any(|value| value.is_nan()), "{:?}", measured.before),
        Err(because) => assert!(matches!(because, Because::NotThere(_)), "at this moment there is none: {because:?}"),
    }
}

/// With coreutils: a crate for one test would be too much.
fn pem(kind: &str, der: &[u8]) -> String {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), der).unwrap();
    let encoded = std::process::Command::new("base64").arg(file.path()).output().unwrap();
    format!("-----BEGIN {kind}-----\n{}-----END {kind}-----\n", String::from_utf8(encoded.stdout).unwrap())
}

#[tokio::test]
async fn its_passwords_and_its_certificates_are_asked_for() {
    let directory = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
    let file = |name: &str, text: &str| {
        let path = directory.path().join(name);
        fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let (certificate, key) = (
        file("cert.pem", &pem("CERTIFICATE", made.cert.der())),
        file("key.pem", &pem("PRIVATE KEY", &made.signing_key.serialize_der())),
    );
    // bcrypt of "s3cret", cost 4.
    let hash = "$2b$04$abcdefghijklmnopqrstuuLZYjhNQAOdpbzt4WxWlUHjv1wsyH5DG";
    let web = format!(
        "tls_server_config: {{cert_file: {certificate}, key_file: {key}}}\nbasic_auth_users: {{gate: '{hash}'}}\n"
    );
    let server = Prometheus::start(&web).unwrap();
    let password = file("password", "s3cret\n");
    let url = format!("https://127.0.0.1:{}", server.port());
    let good = format!(
        "{{name: main, url: '{url}', caFile: {certificate}, basic: {{username: gate, passwordFile: {password}}}}}"
    );
    assert_eq!(measure(&source(directory.path(), &good), "vector(1)", 0).await.unwrap().now, 1.0);
    let wrong = file("wrong", "guess");
    for (server, permitted) in [
        (good.replace(&password, &wrong), false),
        (format!("{{name: main, url: '{url}', caFile: {certificate}}}"), false),
        (good.replace(&format!("caFile: {certificate}, "), ""), true),
    ] {
        let told = measure(&source(directory.path(), &server), "vector(1)", 0).await;
        let refused = matches!(&told, Err(Because::NotPermitted(why)) if why.contains("answers 401"));
        let distrusted = matches!(&told, Err(Because::Unreachable(why)) if why.contains("ertificate"));
        assert!(if permitted { distrusted } else { refused }, "{told:?}");
        assert!(!format!("{told:?}").contains("s3cret"));
    }
}
