//! `check-config`: whether the gate will take the config of the steps in a file. Asks nobody.

use std::{fs, io::Write, path::Path};

use anyhow::{Context, bail};
use schema_changes::{FileError, check_step_configs};

/// Checks a file, and tells `out` what it found.
///
/// # Errors
/// A file that cannot be read, or holds no such step, or one whose config is wrong.
pub(crate) fn check_config(file: &Path, step: &str, out: &mut impl Write) -> anyhow::Result<()> {
    let shown = file.display();
    let text = fs::read_to_string(file).with_context(|| format!("cannot read {shown}"))?;
    match check_step_configs(&shown.to_string(), &text, step) {
        Ok(0) => bail!(
            "{shown} holds no step {step}; name the manifest of a Rollout, or a config alone, and with --step what the \
             plugin is called in your cluster"
        ),
        Ok(1) => writeln!(out, "{shown}: the config is good").context("cannot say so"),
        Ok(count) => writeln!(out, "{shown}: all {count} configs are good").context("cannot say so"),
        Err(errors) => {
            let told: Vec<String> = errors.iter().map(FileError::to_string).collect();
            bail!("{}", told.join("\n"))
        }
    }
}

#[cfg(test)]
mod tests {
    use schema_changes::STEP_NAME;

    use super::*;

    fn check(text: &str) -> Result<String, String> {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("rollout.yaml");
        fs::write(&file, text).unwrap();
        let mut out = Vec::new();
        match check_config(&file, STEP_NAME, &mut out) {
            Ok(()) => Ok(String::from_utf8(out).unwrap()),
            Err(error) => Err(format!("{error:#}")),
        }
    }

    #[test]
    fn the_example_of_the_reference_is_good() {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/reference/step-plugin/rollout.yaml");
        let mut out = Vec::new();
        check_config(&file, STEP_NAME, &mut out).unwrap();
        assert!(String::from_utf8(out).unwrap().ends_with("all 2 configs are good\n"));
    }

    #[test]
    fn a_file_is_good_or_every_mistake_is_named() {
        assert!(check("requeueSeconds: 20\n").unwrap().ends_with("rollout.yaml: the config is good\n"));
        assert!(check("kind: Service\n").unwrap_err().contains("holds no step phasegate/gate"));
        let told = check("requeueSeconds: 5\nwatch: {forSeconds: 1}\n").unwrap_err();
        let lines: Vec<&str> = told.lines().collect();
        assert_eq!(lines.len(), 3, "{told}");
        assert!(lines[0].contains("rollout.yaml:1: requeueSeconds: 5 is not from 11 to 300; write a number"), "{told}");
        let absent = check_config(Path::new("/nowhere"), STEP_NAME, &mut Vec::new()).unwrap_err();
        assert!(format!("{absent:#}").starts_with("cannot read /nowhere: "), "{absent:#}");
    }
}
