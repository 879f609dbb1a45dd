//! The committed bindings are what the `.proto` files say; with UPDATE_GOLDEN set (`make proto`) they are written anew.
//! Neither needs protoc.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failed test should panic")]

use std::{fs, path::Path};

const FILE: &str = "phasegate.step.v1.rs";
/// What reflection tells: the same in the form that clients read.
const DESCRIPTORS: &str = "phasegate.step.v1.bin";

fn generate_into(directory: &Path) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let descriptors = protox::compile([root.join("step/v1/step.proto")], [root]).expect("the .proto files are sound");
    tonic_prost_build::configure()
        .out_dir(directory)
        .btree_map(".")
        .emit_rerun_if_changed(false)
        .compile_fds(descriptors)
        .expect("bindings can be written");
    let mut compiler = protox::Compiler::new([root]).expect("the folder exists");
    compiler.include_imports(true).open_file(root.join("step/v1/step.proto")).expect("the .proto files are sound");
    fs::write(directory.join(DESCRIPTORS), compiler.encode_file_descriptor_set()).expect("descriptors can be written");
}

fn committed() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src/generated")
}

#[test]
#[expect(clippy::disallowed_methods, reason = "a test is told by the environment to write what it would compare")]
fn the_committed_bindings_are_what_the_proto_files_say() {
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        generate_into(&committed());
    }
    let fresh = tempfile::tempdir().expect("a temporary directory");
    generate_into(fresh.path());
    for file in [FILE, DESCRIPTORS] {
        let read = |directory: &Path| fs::read(directory.join(file)).expect("the bindings exist");
        assert!(
            read(fresh.path()) == read(&committed()),
            "src/generated is out of date; run `make proto` and commit it"
        );
    }
}
