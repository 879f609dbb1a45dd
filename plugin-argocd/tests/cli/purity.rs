//! The same commit and parameters give the same bytes, wherever and whenever they are rendered.

use std::{fs, process::Command};

use crate::common::{copy, examples, phasegate_argocd, root};

#[test]
fn place_environment_and_order_of_the_files_change_nothing() {
    for folder in examples() {
        let here = phasegate_argocd(&folder, &["generate", "--namespace", "shop"], &[]).stdout;
        assert!(!here.is_empty());

        let elsewhere = tempfile::tempdir().unwrap();
        let deep = elsewhere.path().join("a b/c/übung");
        fs::create_dir_all(&deep).unwrap();
        // Created in another order, among neighbours that do not matter.
        for name in ["zzz.txt", "service.yaml", "rollout.yaml", "README.md"] {
            fs::write(deep.join(name), "").unwrap();
        }
        copy(&folder, &deep);
        let environment = [
            ("ARGOCD_APP_NAMESPACE", "shop"),
            ("ARGOCD_APP_PARAMETERS", "[]"),
            ("ARGOCD_APP_REVISION", "0123456789"),
            ("HOME", "/nonexistent"),
            ("LANG", "tr_TR.UTF-8"),
            ("LC_ALL", "C"),
            ("PHASEGATE_DATABASE_URL", "postgres://owner:hunter2@db/customers"),
            ("PHASEGATE_LOG", "trace"),
            ("RUST_BACKTRACE", "1"),
            ("TZ", "Pacific/Kiritimati"),
        ];
        let there = phasegate_argocd(&deep, &["generate"], &environment);
        assert_eq!(here, there.stdout, "{}", folder.display());
        assert!(there.stderr.is_empty());
        let by_path = phasegate_argocd(&root(), &["generate", deep.to_str().unwrap(), "--namespace=shop"], &[]);
        assert_eq!(here, by_path.stdout, "{}", folder.display());
        assert!(!String::from_utf8(here).unwrap().contains("hunter2"));
    }
}

#[test]
fn no_crate_that_could_reach_a_network_a_cluster_or_a_database_is_linked() {
    let cargo = option_env!("CARGO").unwrap_or("cargo");
    let tree = Command::new(cargo)
        .args(["tree", "-p", "plugin-argocd", "-e", "normal", "--prefix", "none", "--offline"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(tree.status.success(), "{}", String::from_utf8_lossy(&tree.stderr));
    let tree = String::from_utf8(tree.stdout).unwrap();
    assert!(tree.contains("k8s-openapi"), "{tree}");
    let names: Vec<&str> = tree.lines().filter_map(|line| line.split(' ').next()).collect();
    for banned in ["tokio", "sqlx", "kube", "tonic", "hyper", "reqwest", "rustls", "mio", "socket2", "fastrand", "rand"]
    {
        assert!(!names.contains(&banned), "{banned} is linked");
    }
}
