//! Servers whose certificate is over, not yet good, of another host or signed by nobody known: nothing is said to them, and
//! what they would have told is a missing fact. (Of Prometheus: beside its source; of `serve`: in `serve.rs`.)
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a failed test should panic"
)]

mod support;

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use kube::Config;
use phase_ledger::{ReadError, open_reader};
use plugin_rollouts::{
    ports::{DatabaseRef, Databases, Place},
    sources::{kube::Kubernetes, rights::RunsIn},
};
use schema_phases::Because;
use support::server::certify;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        ServerConfig,
        crypto::ring,
        pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    },
};

const GOOD: (i32, i32) = (2020, 2100);
const BAD: [(i32, i32); 2] = [(2000, 2001), (2099, 2100)];

/// What is spoken before TLS begins.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Speaks {
    Http,
    Postgres,
}

/// A server with the certificate in `directory`, which answers every request with 404. Its port, and the bytes that were
/// said to it inside of TLS.
async fn serve(directory: &Path, speaks: Speaks) -> (u16, Arc<AtomicUsize>) {
    let chain = vec![CertificateDer::from_pem_file(directory.join("tls.crt")).unwrap()];
    let key = PrivateKeyDer::from_pem_file(directory.join("tls.key")).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let config = config.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
    let acceptor = TlsAcceptor::from(Arc::new(config.with_single_cert(chain, key).unwrap()));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (port, said) = (listener.local_addr().unwrap().port(), Arc::new(AtomicUsize::new(0)));
    let counter = Arc::clone(&said);
    tokio::spawn(async move {
        while let Ok((mut connection, _)) = listener.accept().await {
            let (acceptor, counter) = (acceptor.clone(), Arc::clone(&counter));
            tokio::spawn(async move {
                if speaks == Speaks::Postgres {
                    // SSLRequest, and the answer that it may.
                    let mut request = [0; 8];
                    connection.read_exact(&mut request).await.ok()?;
                    connection.write_all(b"S").await.ok()?;
                }
                let mut stream = acceptor.accept(connection).await.ok()?;
                let mut chunk = [0; 4096];
                let count = stream.read(&mut chunk).await.ok().filter(|count| *count > 0)?;
                counter.fetch_add(count, Ordering::SeqCst);
                if speaks == Speaks::Http {
                    let body =
                        r#"{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"NotFound","code":404}"#;
                    let head =
                        format!("HTTP/1.1 404 X\r\ncontent-type: application/json\r\ncontent-length: {}", body.len());
                    stream.write_all(format!("{head}\r\n\r\n{body}").as_bytes()).await.ok()?;
                    stream.flush().await.ok()?;
                    let _ = stream.read(&mut chunk).await;
                }
                Some(())
            });
        }
    });
    (port, said)
}

async fn place(port: u16, trusted: &Path) -> Result<Place, Because> {
    let mut config = Config::new(format!("https://127.0.0.1:{port}").parse().unwrap());
    config.root_cert = Some(vec![CertificateDer::from_pem_file(trusted).unwrap().to_vec()]);
    let source = Kubernetes::with_config(config, Duration::from_secs(60), RunsIn::Controller).unwrap();
    let wanted =
        DatabaseRef { name: "customers".to_owned(), namespace: "store".to_owned(), asked_from: "store".to_owned() };
    source.place(&wanted).await
}

#[tokio::test]
async fn an_api_server_is_believed_only_with_a_good_certificate() {
    let directory = tempfile::tempdir().unwrap();
    let trusted = directory.path().join("tls.crt");
    certify(directory.path(), GOOD);
    let (port, said) = serve(directory.path(), Speaks::Http).await;
    assert!(matches!(place(port, &trusted).await, Ok(Place::NotDeclared(_))), "a good one is listened to");
    assert!(said.load(Ordering::SeqCst) > 0);
    for years in BAD {
        certify(directory.path(), years);
        let (port, said) = serve(directory.path(), Speaks::Http).await;
        let told = place(port, &trusted).await;
        assert!(matches!(&told, Err(Because::Unreachable(why)) if why.contains("ertificate")), "{years:?}: {told:?}");
        assert_eq!(said.load(Ordering::SeqCst), 0, "nothing was said to it");
    }
    let other = tempfile::tempdir().unwrap();
    certify(other.path(), GOOD);
    let (port, said) = serve(other.path(), Speaks::Http).await;
    let told = place(port, &trusted).await;
    assert!(matches!(&told, Err(Because::Unreachable(why)) if why.contains("ertificate")), "{told:?}");
    assert_eq!(said.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_database_gets_the_password_only_with_a_good_certificate() {
    let directory = tempfile::tempdir().unwrap();
    let trusted = directory.path().join("tls.crt");
    let read = async |port: u16| {
        let root = trusted.display();
        let url = format!("postgres://gate:s3cret@localhost:{port}/shop?sslmode=verify-full&sslrootcert={root}");
        let told = open_reader(&url.parse().unwrap()).unwrap().read().await;
        assert!(!format!("{told:?}").contains("s3cret"));
        assert!(matches!(told, Err(ReadError::Unreachable { .. })), "{told:?}");
    };
    certify(directory.path(), GOOD);
    let (port, said) = serve(directory.path(), Speaks::Postgres).await;
    // It hangs up then, being none; but it was spoken to.
    read(port).await;
    assert!(said.load(Ordering::SeqCst) > 0);
    for years in BAD {
        certify(directory.path(), years);
        let (port, said) = serve(directory.path(), Speaks::Postgres).await;
        read(port).await;
        assert_eq!(said.load(Ordering::SeqCst), 0, "{years:?}: nothing was said to it");
    }
}
