//! The password is in no output, whatever is asked and whatever goes wrong.

use tests::postgres::{PASSWORD, PASSWORD_ENCODED};

use crate::{
    binary::{Said, phasegate, said},
    database::Database,
    project::{Project, V1},
};

fn silent(said: &Said) {
    for secret in [PASSWORD, PASSWORD_ENCODED, "s3cret"] {
        assert!(!said.all().contains(secret), "{}", said.all());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_command_and_no_failure_shows_the_password() {
    let database = Database::postgres().await;
    database.customers(100).await;
    let project = Project::split(&database, "target: contracted");
    project.live(&[V1]);
    let (plan, live) = (project.plan.to_str().unwrap(), project.live.to_str().unwrap());
    let good = database.url();
    let urls = [
        good.clone(),
        good.replace("postgres:", "postgres://postgres:").replace("://postgres:////", "://"),
        good.replace(PASSWORD_ENCODED, &format!("{PASSWORD_ENCODED}x")),
        good.replace(PASSWORD_ENCODED, PASSWORD),
        good.replace("127.0.0.1:", "127.0.0.1:1"),
        good.replace("/test_", "/no_such_"),
        good.replace("postgres://", "postgre://"),
        format!("{good}?sslmode=verify-full"),
        format!("{good}?unknown=1"),
    ];
    let file = database.directory.path().join("url");
    for url in urls {
        for arguments in [
            vec!["status"],
            vec!["status", "--output", "json"],
            vec!["plan", "--plan", plan, "--live", live],
            vec!["run", "--plan", plan, "--live", live, "--retry-for", "1s"],
            vec!["run", "--plan", plan, "--live", live, "--retry-for", "1s", "--output", "json"],
            vec!["check", "--database", "customers", "--supports", "split-full-name"],
            vec!["--help"],
            vec!["run", "--nonsense"],
        ] {
            silent(&said(phasegate(&url, &arguments)).await);
        }
        std::fs::write(&file, &url).unwrap();
        let by_file = ["--database-url-file", file.to_str().unwrap(), "--log", "trace", "status"];
        let mut command = phasegate("", &by_file);
        command.env_remove("PHASEGATE_DATABASE_URL");
        silent(&said(command).await);
    }
}
