//! Servers that let their owner in by TLS only, from the first move to a contract with its checkpoint; and servers with a
//! certificate that nobody may believe.

use std::fs;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};
use tests::{
    mariadb::{Flavour, Server},
    postgres::{Cluster, PASSWORD, PASSWORD_ENCODED},
};

use crate::{
    binary::{phasegate, run_with, said},
    database::Database,
    project::{Project, V2},
};

/// With coreutils: a crate for one test would be too much.
fn pem(kind: &str, der: &[u8]) -> String {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), der).unwrap();
    let encoded = std::process::Command::new("base64").arg(file.path()).output().unwrap();
    format!("-----BEGIN {kind}-----\n{}-----END {kind}-----\n", String::from_utf8(encoded.stdout).unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_tls_a_change_goes_to_its_end_and_no_other_server_is_believed() {
    whole(Flavour::Mariadb).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_tls_a_change_goes_to_its_end_and_no_other_server_is_believed_on_mysql() {
    whole(Flavour::Mysql).await;
}

async fn whole(flavour: Flavour) {
    let directory = tempfile::Builder::new().prefix("phasegate-tls-").tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = directory.path().join(name);
        fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let made = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
    let other = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
    let certificate = file("cert.pem", &pem("CERTIFICATE", made.cert.der()));
    let key = file("key.pem", &pem("PRIVATE KEY", &made.signing_key.serialize_der()));
    let another = file("other.pem", &pem("CERTIFICATE", other.cert.der()));
    let server = Server::start_as(
        flavour,
        &[&format!("--ssl-cert={certificate}"), &format!("--ssl-key={key}"), "--log-bin-trust-function-creators=1"],
    )
    .unwrap();
    let database = Database::mariadb_with(&server, "ALL PRIVILEGES").await;
    database.execute(&format!("ALTER USER '{}'@'127.0.0.1' REQUIRE SSL", database.owner())).await;
    database.customers(500).await;
    let project = Project::split(&database, "target: migrated");
    project.live(&[V2]);
    let dumps = database.directory.path().join("dumps");
    project.add(&format!("  checkpoint: {{dump: {{directory: {}}}}}\n", dumps.display()));
    let url = |more: &str| format!("{}?{more}", database.url());
    // Whoever may not be believed is not told the password: MySQL's way to log in sends it by TLS only.
    let refused = if flavour == Flavour::Mariadb { "Access denied" } else { "use TLS" };
    for (more, told) in [
        ("ssl-mode=disabled".to_owned(), refused),
        (format!("ssl-mode=VERIFY_IDENTITY&ssl-ca={another}"), "ertificate"),
    ] {
        said(run_with(&url(&more), &project, &["--retry-for", "0s"])).await.expect(75, &[told]);
        assert_eq!(database.phase("split-full-name").await, "unknown");
    }
    let secure = url(&format!("ssl-mode=VERIFY_IDENTITY&ssl-ca={certificate}"));
    said(run_with(&secure, &project, &[])).await.expect(0, &["is migrated"]);
    said(phasegate(&secure, &["verify", "--plan", project.plan.to_str().unwrap()]))
        .await
        .expect(0, &["as the ledger says"]);
    project.goal("target: contracted");
    let mut run = run_with(&secure, &project, &[]);
    run.env("PATH", crate::doctor::tools(flavour));
    said(run).await.expect(0, &["checkpoint", "is contracted"]);
    let dump = fs::read_dir(&dumps).unwrap().next().unwrap().unwrap().path();
    assert!(fs::read_to_string(dump).unwrap().contains("CREATE TABLE `phasegate_changes`"));
}

/// A CA, as a file of its certificate and as whoever signs.
struct Authority {
    certificate: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new(name: &str) -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        let certificate = pem("CERTIFICATE", params.self_signed(&key).unwrap().der());
        Self { certificate, issuer: Issuer::new(params, key) }
    }

    /// A server's certificate for a host, good until the end of a year, and its key.
    fn signs(&self, host: &str, until: i32) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![host.to_owned()]).unwrap();
        params.not_before = date_time_ymd(2000, 1, 1);
        params.not_after = date_time_ymd(until, 12, 31);
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        (pem("CERTIFICATE", certificate.der()), pem("PRIVATE KEY", &key.serialize_der()))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_tls_postgres_is_believed_with_a_good_certificate_and_with_no_other() {
    let directory = tempfile::Builder::new().prefix("phasegate-tls-").tempdir().unwrap();
    let [ours, other] = ["ours", "other"].map(Authority::new);
    let trusted = |name: &str, authority: &Authority| {
        let path = directory.path().join(name);
        fs::write(&path, &authority.certificate).unwrap();
        path.display().to_string()
    };
    let (ours_file, other_file) = (trusted("ours.pem", &ours), trusted("other.pem", &other));
    let server = |signed: (String, String)| Cluster::start_with_certificate(&signed.0, &signed.1).unwrap();

    let good = server(ours.signs("127.0.0.1", 2099));
    let database = Database::postgres_on(&good).await;
    database.customers(500).await;
    let project = Project::split(&database, "target: migrated");
    project.live(&[V2]);
    let url = |database: &Database, more: &str| format!("{}?{more}", database.url());
    let full = |authority: &str| format!("sslmode=verify-full&sslrootcert={authority}");
    let refused = async |database: &Database, more: String, told: &str| {
        for output in ["table", "json"] {
            let run = run_with(&url(database, &more), &project, &["--retry-for", "0s", "--output", output]);
            let out = said(run).await.expect(75, &[told]);
            for secret in [PASSWORD, PASSWORD_ENCODED, "s3cret"] {
                assert!(!out.all().contains(secret), "{}", out.all());
            }
        }
    };
    let name_the_ca = "the server's certificate is not believed: name the CA that signed it in the address (sslrootcert=FILE on PostgreSQL";
    refused(&database, full(&other_file), name_the_ca).await;
    // Those that every system trusts did not sign it.
    refused(&database, "sslmode=verify-full".to_owned(), name_the_ca).await;
    refused(&database, full("/no/such/file.pem"), "a file that the address names is not there: see to sslrootcert")
        .await;
    for (host, until, told) in [
        ("db.example", 2099, "not believed: use a host name in the address that it is made out for"),
        ("127.0.0.1", 2001, "the server's certificate is not believed: it has expired, so renew it"),
    ] {
        let bad = server(ours.signs(host, until));
        let other = Database::postgres_on(&bad).await;
        refused(&other, full(&ours_file), told).await;
        // That of another host is enough for whoever does not ask for the name.
        if host == "db.example" {
            let lax = url(&other, &format!("sslmode=verify-ca&sslrootcert={ours_file}"));
            said(phasegate(&lax, &["status"])).await.expect(0, &[]);
        }
    }

    assert_eq!(database.phase("split-full-name").await, "unknown");
    let secure = url(&database, &full(&ours_file));
    said(run_with(&secure, &project, &[])).await.expect(0, &["is migrated"]);
    said(phasegate(&secure, &["verify", "--plan", project.plan.to_str().unwrap()]))
        .await
        .expect(0, &["as the ledger says"]);
    let dumps = database.directory.path().join("dumps");
    project.add(&format!("  checkpoint: {{dump: {{directory: {}}}}}\n", dumps.display()));
    project.goal("target: contracted");
    let mut run = run_with(&secure, &project, &[]);
    run.env("PATH", "/usr/lib/postgresql/15/bin:/usr/bin:/bin");
    said(run).await.expect(0, &["checkpoint", "is contracted"]);
    let plain = url(&database, "sslmode=disable");
    said(run_with(&plain, &project, &["--retry-for", "0s"])).await.expect(75, &["no encryption"]);
}
