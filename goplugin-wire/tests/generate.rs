//! The committed bindings are what `proto/plugin.proto` says; with UPDATE_GOLDEN set (`make proto`) they are written anew.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failed test should panic")]

use std::{fs, path::Path};

const FILES: [&str; 2] = ["plugin.rs", "plugin.bin"];

fn generate_into(directory: &Path) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("proto");
    let file = root.join("plugin.proto");
    let descriptors = protox::compile([&file], [&root]).expect("the .proto file is sound");
    tonic_prost_build::configure()
        .out_dir(directory)
        .build_client(false)
        .emit_rerun_if_changed(false)
        .compile_fds(descriptors)
        .expect("bindings can be written");
    let mut compiler = protox::Compiler::new([&root]).expect("the folder exists");
    compiler.include_imports(true).open_file(&file).expect("the .proto file is sound");
    fs::write(directory.join("plugin.bin"), compiler.encode_file_descriptor_set()).expect("descriptors can be written");
}

#[test]
#[expect(clippy::disallowed_methods, reason = "a test is told by the environment to write what it would compare")]
fn the_committed_bindings_are_what_the_proto_file_says() {
    let committed = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/generated");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        generate_into(&committed);
    }
    let fresh = tempfile::tempdir().expect("a temporary directory");
    generate_into(fresh.path());
    for file in FILES {
        let read = |directory: &Path| fs::read(directory.join(file)).expect("the bindings exist");
        assert!(read(fresh.path()) == read(&committed), "src/generated is out of date; run `make proto` and commit it");
    }
}
