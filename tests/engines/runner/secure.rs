//! A MariaDB, and a MySQL, that lets its owner in by TLS only, from the first move to a contract with its checkpoint.

use std::fs;

use tests::mariadb::{Flavour, Server};

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
