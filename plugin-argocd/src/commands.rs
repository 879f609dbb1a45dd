//! What each subcommand does, as one value: what goes to stdout, what to stderr, and the exit code.

use std::{
    fmt::Write as _,
    io::{self, Write as _},
    path::Path,
    process::ExitCode,
};

use clap::CommandFactory as _;

use crate::{
    args::{Args, Command, DeclaredKind, Generate, Lint, Matrix, Output, Source},
    checkout::{self, Limits},
    declared::{Declared, declared, what_can_be_read},
    emit, lint, matrix,
    params::{self, Params},
    problem::Problem,
    render::{Namespace, render},
};

/// What a run said and how it ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// For stdout; empty whenever something is wrong with the declarations and manifests were asked for.
    pub stdout: Vec<u8>,
    /// For stderr, which Argo CD shows to users.
    pub stderr: String,
    /// The exit code.
    pub code: u8,
}

/// Runs one command. Reads the checkout, and writes nothing.
pub fn execute(args: &Args) -> Outcome {
    let result = match &args.command {
        Command::Generate(asked) => generate(asked),
        Command::Lint(asked) => lint(asked),
        Command::Matrix(asked) => matrix(asked),
        Command::Parameters => params::announcement().map(Outcome::done).map_err(|error| unwritable(&error)),
        Command::Schema(asked) => schema(asked.kind),
        Command::Completions { shell } => {
            let mut bytes = Vec::new();
            clap_complete::generate(*shell, &mut Args::command(), "phasegate-argocd", &mut bytes);
            Ok(Outcome::done(bytes))
        }
    };
    result.unwrap_or_else(|problems| Outcome::wrong(&problems))
}

/// Writes what was said, and gives the exit code.
pub fn report(outcome: &Outcome) -> ExitCode {
    // A closed stderr has nobody to tell.
    let _ = io::stderr().write_all(outcome.stderr.as_bytes());
    match emit::to_stdout(&outcome.stdout) {
        Ok(()) => ExitCode::from(outcome.code),
        Err(error) => {
            let _ = writeln!(io::stderr(), "cannot write to stdout: {}", error.kind());
            ExitCode::FAILURE
        }
    }
}

impl Outcome {
    fn done(stdout: Vec<u8>) -> Self {
        Self { stdout, ..Self::default() }
    }

    fn wrong(problems: &[Problem]) -> Self {
        let mut stderr = String::new();
        for problem in problems {
            let _ = writeln!(stderr, "{problem}");
        }
        Self { stdout: Vec::new(), stderr, code: 1 }
    }
}

fn generate(asked: &Generate) -> Result<Outcome, Vec<Problem>> {
    let params = parameters(&asked.source)?;
    let namespace = Namespace::new(asked.namespace.as_deref()).map_err(|problem| vec![problem])?;
    let declared = head(&asked.source, &params)?;
    let objects = render(&declared, &params, &namespace)?;
    let bytes = emit::manifests(&objects).map_err(|error| unwritable(&error))?;
    Ok(Outcome::done(bytes))
}

fn lint(asked: &Lint) -> Result<Outcome, Vec<Problem>> {
    let params = parameters(&asked.source)?;
    let findings = match head(&asked.source, &params) {
        Ok(now) => {
            let base = base(&asked.source, asked.base.as_deref(), &params)?;
            let context = lint::Context {
                now: &now,
                base: base.as_ref().map(|base| &base.declared),
                params: &params,
                step: &asked.step,
                wait_seconds: asked.wait,
            };
            let mut findings = lint::lint(&context);
            findings.extend(base.into_iter().flat_map(|base| base.unreadable).map(lint::Finding::not_compared));
            findings
        }
        Err(problems) => problems.into_iter().map(lint::Finding::from_problem).collect(),
    };
    let failed = findings.iter().any(|finding| finding.severity == lint::Severity::Error);
    let stdout = match asked.output {
        Output::Text => lint::as_text(&findings).into_bytes(),
        Output::Json => lint::as_json(&findings).map_err(|error| unwritable(&error))?,
    };
    Ok(Outcome { stdout, stderr: String::new(), code: u8::from(failed) })
}

fn matrix(asked: &Matrix) -> Result<Outcome, Vec<Problem>> {
    let params = parameters(&asked.source)?;
    let now = head(&asked.source, &params)?;
    let base = base(&asked.source, asked.base.as_deref(), &params)?;
    let rows = matrix::rows(&now, base.as_ref().map(|base| &base.declared));
    let stdout = match asked.output {
        Output::Text => matrix::as_text(&rows).into_bytes(),
        Output::Json => matrix::as_json(&rows).map_err(|error| unwritable(&error))?,
    };
    let unreadable = base.map(|base| base.unreadable).unwrap_or_default();
    Ok(Outcome { stdout, code: 0, ..Outcome::wrong(&unreadable) })
}

fn schema(kind: DeclaredKind) -> Result<Outcome, Vec<Problem>> {
    let schema = match kind {
        DeclaredKind::Database => schema_changes::database_schema(),
        DeclaredKind::SchemaChange => schema_changes::schema_change_schema(),
    };
    let mut json = serde_json::to_vec_pretty(&schema).map_err(|error| unwritable(&error))?;
    json.push(b'\n');
    Ok(Outcome::done(json))
}

fn parameters(source: &Source) -> Result<Params, Vec<Problem>> {
    let mut given = params::from_argo(source.parameters.as_deref().unwrap_or_default())?;
    params::add_flags(&mut given, &source.set)?;
    Params::read(&given)
}

fn head(source: &Source, params: &Params) -> Result<Declared, Vec<Problem>> {
    let checkout =
        checkout::read_directory(&source.path, source.place.as_deref().map(Path::new), &params.exclude, Limits::USUAL)?;
    declared(&checkout, params.manifests)
}

/// Another commit, as far as it can be read: what is wrong in it may be what this commit corrects.
struct Base {
    declared: Declared,
    unreadable: Vec<Problem>,
}

fn base(source: &Source, reference: Option<&str>, params: &Params) -> Result<Option<Base>, Vec<Problem>> {
    let Some(reference) = reference else { return Ok(None) };
    let checkout = checkout::git::read_commit(&source.path, reference, &params.exclude, Limits::USUAL)?;
    let (declared, problems) = what_can_be_read(&checkout, params.manifests);
    let there = |problem: Problem| Problem { place: format!("{reference}:{}", problem.place), ..problem };
    Ok(Some(Base { declared, unreadable: problems.into_iter().map(there).collect() }))
}

fn unwritable(error: &serde_json::Error) -> Vec<Problem> {
    vec![Problem::new("output", format!("cannot write it: {error}"), "report this")]
}
