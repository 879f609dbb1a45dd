//! What Argo CD's own test/e2e/custom_tool_test.go (3.5.7) demands of a config management plugin and its server, of ours:
//! as far as no cluster is needed. `tests/cluster/README.md` says where the rest of its fourteen behaviours is asserted.

use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
};

use crate::cmp::{RepoServers, VERSIONS, checkout};

/// TestCustomToolWithGitCreds, ...GitCredsTemplate, ...SSHGitCreds, ...SSHGitCredsDisabled: who asks for none gets none.
/// TestCMPDiscoverWithFileName, ...FindGlob, ...FindCommandWithEnv: who discovers nothing is given no other's folder.
#[tokio::test]
async fn no_credential_of_git_is_asked_for_and_no_folder_is_claimed() {
    let (servers, checkout) = (RepoServers::new(), checkout());
    for version in VERSIONS {
        let answer = servers.play(version, checkout.path(), "app", &[]).await.answer();
        for unwanted in ["provideGitCreds", "discoveryConfigured", "isDiscoveryEnabled"] {
            assert_eq!(answer[unwanted], false, "{unwanted}: {answer}");
        }
    }
}

/// TestCustomToolWithEnv: variables arrive, empty ones too, and ours renders from Git and its parameters alone.
#[tokio::test]
async fn variables_of_an_application_arrive_and_change_nothing() {
    let (servers, checkout) = (RepoServers::new(), checkout());
    let plain = servers.manifests(checkout.path(), "app", &[]).await;
    let given = ["--env", "FOO=bar", "--env", "EMPTY=", "--env", "PHASEGATE_LOG=trace", "--env", "PATH=/nowhere"];
    assert_eq!(servers.manifests(checkout.path(), "app", &given).await, plain);
}

/// TestPreserveFileModeForCMP: modes are reset on the way or not, and mean nothing to us.
#[tokio::test]
async fn the_mode_of_a_file_means_nothing() {
    let (servers, checkout) = (RepoServers::new(), checkout());
    let plain = servers.manifests(checkout.path(), "app", &[]).await;
    for (file, mode) in [("phasegate.yaml", 0o755), ("rollout.yaml", 0o600), ("service.yaml", 0o444)] {
        fs::set_permissions(checkout.path().join("app").join(file), fs::Permissions::from_mode(mode)).unwrap();
    }
    assert_eq!(servers.manifests(checkout.path(), "app", &[]).await, plain);
}

/// TestCMPWithSymlinkFolder, ...SymlinkFiles, ...SymlinkPartialFiles.
#[tokio::test]
async fn links_to_the_folder_to_all_files_and_to_some_are_followed() {
    let (servers, checkout) = (RepoServers::new(), checkout());
    let app = checkout.path().join("app");
    let plain = servers.manifests(checkout.path(), "app", &[]).await;

    symlink("app", checkout.path().join("also")).unwrap();
    assert_eq!(servers.manifests(checkout.path(), "also", &[]).await, plain, "the folder itself");

    for file in ["rollout.yaml", "service.yaml"] {
        let hidden = format!(".{file}");
        fs::rename(app.join(file), app.join(&hidden)).unwrap();
        symlink(hidden, app.join(file)).unwrap();
        assert_eq!(servers.manifests(checkout.path(), "app", &[]).await, plain, "some files, then all of the app's");
    }

    // What several apps share.
    fs::rename(app.join(".service.yaml"), checkout.path().join("service.yaml")).unwrap();
    fs::remove_file(app.join("service.yaml")).unwrap();
    symlink("../service.yaml", app.join("service.yaml")).unwrap();
    assert_eq!(servers.manifests(checkout.path(), "app", &[]).await, plain, "a file of the same repository");
}
