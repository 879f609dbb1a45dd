//! One row a trap: a small edit of a sound checkout, the rule that must find it, and what it says. The sound checkout
//! itself, and the rows of `nothing_is_found`, are what passes.

use std::collections::BTreeMap;

use schema_changes::STEP_NAME;

use super::*;
use crate::{
    checkout::Checkout,
    declared::declared,
    params::{Given, add_flags},
};

const SOUND: [(&str, &str); 5] = [
    (
        "phasegate.yaml",
        "apiVersion: phasegate.dev/v1alpha1
kind: Database
metadata: {name: customers}
spec:
  engine: postgres
  runner: {secretRef: {name: customers-owner, key: url}}
  gate: {secretRef: {name: customers-reader, key: url}}
  apps: {secretRefs: [customers-app]}
",
    ),
    (
        "changes/0001-split.yaml",
        "apiVersion: phasegate.dev/v1alpha1
kind: SchemaChange
metadata: {name: split-full-name}
spec:
  database: customers
  target: migrated
  splitColumn:
    table: customers
    column: full_name
    into: {first_name: {type: text}, last_name: {type: text}}
    separator: ' '
",
    ),
    (
        "rollout.yaml",
        "apiVersion: argoproj.io/v1alpha1
kind: Rollout
metadata: {name: web, annotations: {argocd.argoproj.io/sync-wave: '0'}}
spec:
  progressDeadlineSeconds: 604800
  strategy:
    canary:
      steps:
      - plugin: {name: phasegate/gate}
      - setWeight: 50
      - plugin: {name: phasegate/gate, config: {databases: [customers], requeueSeconds: 20}}
  template:
    metadata:
      labels:
        database.phasegate.dev/customers: ''
      annotations:
        supports.phasegate.dev/customers: split-full-name
    spec:
      initContainers:
      - {name: wait, image: ghcr.io/phasegate/phasegate:1, command: [phasegate, check, --database, customers, --wait]}
      containers:
      - name: web
        image: web:2
        env:
        - {name: URL, valueFrom: {secretKeyRef: {name: customers-app, key: url}}}
",
    ),
    (
        "jobs.yaml",
        "apiVersion: apps/v1
kind: Deployment
metadata: {name: mailer}
spec:
  template:
    metadata: {labels: {database.phasegate.dev/customers: ''}, annotations: {supports.phasegate.dev/customers: tables(mails)}}
    spec: {containers: [{name: mailer, image: mailer:1, envFrom: [{secretRef: {name: customers-app}}]}]}
---
apiVersion: argoproj.io/v1alpha1
kind: Rollout
metadata: {name: blue}
spec:
  strategy:
    blueGreen: {prePromotionAnalysis: {templates: [{templateName: phasegate-gate}]}}
  template:
    metadata: {labels: {database.phasegate.dev/customers: ''}, annotations: {supports.phasegate.dev/customers: split-full-name}}
    spec: {containers: [{name: blue, image: blue:1}]}
---
apiVersion: batch/v1
kind: Job
metadata: {name: by-hand, labels: {x: y}}
spec:
  template:
    spec:
      containers:
      - {name: run, image: phasegate:1, command: [phasegate, run], envFrom: [{secretRef: {name: customers-owner}}]}
",
    ),
    (
        "application.yaml",
        "apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: {name: shop}
spec:
  source: {plugin: {name: phasegate-v1alpha1, parameters: [{name: image, string: x}]}}
  syncPolicy:
    automated: {prune: true}
    syncOptions: [CreateNamespace=true]
",
    ),
];

fn sound() -> BTreeMap<String, String> {
    SOUND.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect()
}

fn edited(edits: &[(&str, &str, &str)]) -> BTreeMap<String, String> {
    let mut files = sound();
    for (path, from, to) in edits {
        let text = files.get_mut(*path).unwrap();
        assert!(text.contains(from), "{path} has no {from:?}");
        *text = text.replace(from, to);
    }
    files
}

fn found(files: BTreeMap<String, String>, base: Option<BTreeMap<String, String>>, set: &[&str]) -> Vec<String> {
    found_where(STEP_NAME, files, base, set)
}

fn found_where(
    step: &str,
    files: BTreeMap<String, String>,
    base: Option<BTreeMap<String, String>>,
    set: &[&str],
) -> Vec<String> {
    let mut given: BTreeMap<String, Given> = BTreeMap::new();
    add_flags(&mut given, &set.iter().map(|flag| (*flag).to_owned()).collect::<Vec<_>>()).unwrap();
    let params = Params::read(&given).unwrap();
    let read = |files| declared(&Checkout { files }, params.manifests).unwrap_or_else(|bad| panic!("{bad:?}"));
    let now = read(files);
    let base = base.map(read);
    let context = Context { now: &now, base: base.as_ref(), params: &params, step, wait_seconds: 604_800 };
    lint(&context).iter().filter(|finding| finding.severity != Severity::Note).map(ToString::to_string).collect()
}

fn check(edits: &[(&str, &str, &str)], start: &str) {
    let found = found(edited(edits), None, &[]);
    assert!(found.iter().any(|line| line.starts_with(start)), "{edits:?}\nwanted {start}\nfound {found:#?}");
}

fn nothing(edits: &[(&str, &str, &str)]) {
    assert_eq!(found(edited(edits), None, &[]), Vec::<String>::new(), "{edits:?}");
}

#[test]
fn nothing_is_found_in_what_is_sound() {
    nothing(&[]);
    // Another way to gate each of them.
    nothing(&[("rollout.yaml", "      - plugin: {name: phasegate/gate}\n", "")]);
    nothing(&[("rollout.yaml", "--wait]", "--wait=2h]")]);
    nothing(&[
        ("jobs.yaml", "{prePromotionAnalysis: {templates: [{templateName: phasegate-gate}]}}", "{}"),
        (
            "jobs.yaml",
            "[{name: blue,",
            "[{name: b, image: b}], initContainers: [{name: x, image: 'phasegate:1', args: [check, --wait]}], ephemeral: [{name: blue,",
        ),
    ]);
    // A weight of zero starts no pod.
    nothing(&[(
        "rollout.yaml",
        "      - plugin: {name: phasegate/gate}\n",
        "      - setWeight: 0\n      - plugin: {name: phasegate/gate}\n",
    )]);
    // A plugin of somebody else.
    nothing(&[(
        "rollout.yaml",
        "      - setWeight: 50\n",
        "      - setWeight: 50\n      - plugin: {name: acme/smoke-test}\n",
    )]);
    // An Application of another plugin may do what it likes.
    nothing(&[
        ("application.yaml", "phasegate-v1alpha1", "helmfile"),
        ("application.yaml", "CreateNamespace", "Replace"),
    ]);
    // The gate's key of a Secret that the runner has too.
    nothing(&[
        ("phasegate.yaml", "customers-reader, key: url", "customers-owner, key: gate"),
        ("rollout.yaml", "name: customers-app, key: url", "name: customers-owner, key: gate"),
    ]);
}

#[test]
fn annotations_are_read_as_the_gate_reads_them() {
    let row = |to: &str, says: &str| {
        check(
            &[("rollout.yaml", "customers: split-full-name", to)],
            &format!("error[annotations] rollout.yaml:17: {says}"),
        );
    };
    row("customers: split-fullname", "supports.phasegate.dev/customers of Rollout/web: ");
    row("customers: split-full-name=migrated..pending", "supports.phasegate.dev/customers of Rollout/web: ");
    row("customers: split-full-name=expanded..contracted", "supports.phasegate.dev/customers of Rollout/web: ");
    row("customers: 'split-full-name,'", "supports.phasegate.dev/customers of Rollout/web: ");
    row("customers: [split-full-name]", "supports.phasegate.dev/customers is not text");
    let near = found(edited(&[("rollout.yaml", "customers: split-full-name", "customers: split-fullname")]), None, &[]);
    assert!(near.iter().any(|line| line.contains("split-full-name")), "the nearest name is named: {near:?}");
}

#[test]
fn marks_that_nobody_would_see_are_found() {
    let row = |from: &str, to: &str, start: &str| check(&[("rollout.yaml", from, to)], start);
    row(
        "        database.phasegate.dev/customers: ''",
        "        app: web",
        "error[labels] rollout.yaml:17: Rollout/web says what it supports of customers, and is not",
    );
    row(
        "database.phasegate.dev/customers",
        "databases.phasegate.dev/customers",
        "error[labels] rollout.yaml:15: nobody reads databases.phasegate.dev/customers",
    );
    row(
        "supports.phasegate.dev",
        "support.phasegate.dev",
        "error[labels] rollout.yaml:17: nobody reads support.phasegate.dev/customers",
    );
    row(
        "annotations: {argocd",
        "annotations: {supports.phasegate.dev/customers: x, argocd",
        "error[labels] rollout.yaml:3: supports.phasegate.dev/customers stands on Rollout/web itself",
    );
    row(
        "        supports.phasegate.dev",
        "        database.phasegate.dev/customers: ''\n        supports.phasegate.dev",
        "error[labels] rollout.yaml:17: database.phasegate.dev/customers is one of the annotations",
    );
    row("dev/customers: ''", "dev/customers: Not A Namespace", "error[labels] rollout.yaml:15: the value of");
    row("dev/customers: ''", "dev/customers:", "error[labels] rollout.yaml:15: the value of");
    row(
        "database.phasegate.dev/customers: ''",
        "database.phasegate.dev/customers: ''\n        database.phasegate.dev/customer: ''",
        "warning[labels] rollout.yaml:16: Rollout/web uses the database customer, which",
    );
}

#[test]
fn a_target_that_a_version_can_never_meet_is_found() {
    let row = |to: &str, says: &str| {
        let start = format!("error[target] rollout.yaml:17: {says}");
        check(&[("changes/0001-split.yaml", "target: migrated", to)], &start);
    };
    row(
        "target: synced",
        "Rollout/web needs split-full-name migrated, and changes/0001-split.yaml asks for synced only",
    );
    row(
        "revertTo: pending",
        "changes/0001-split.yaml reverts split-full-name to pending, and Rollout/web needs migrated",
    );
    check(
        &[
            ("changes/0001-split.yaml", "target: migrated", "target: contracted"),
            ("jobs.yaml", "tables(mails)", "tables(customers)"),
        ],
        "error[target] jobs.yaml:6: changes/0001-split.yaml asks for split-full-name contracted, and Deployment/mailer works only until migrated",
    );
}

#[test]
fn a_version_that_no_old_one_can_serve_beside_is_found() {
    check(
        &[
            ("rollout.yaml", "customers: split-full-name", "customers: split-full-name=contracted..contracted"),
            ("changes/0001-split.yaml", "target: migrated", "target: contracted"),
        ],
        "error[deploy-together] rollout.yaml:17: Rollout/web works with split-full-name in contracted..contracted only",
    );
}

#[test]
fn two_workloads_that_can_never_serve_together_are_found() {
    check(
        &[(
            "jobs.yaml",
            "supports.phasegate.dev/customers: split-full-name",
            "supports.phasegate.dev/customers: split-full-name=pending..synced",
        )],
        "error[deploy-together] rollout.yaml:17: Rollout/web works with split-full-name in migrated..contracted, and Rollout/blue in pending..synced",
    );
}

#[test]
fn consumers_are_judged_like_versions() {
    let with = |supports: &str| {
        format!("  apps: {{secretRefs: [customers-app]}}\n  consumers: [{{name: billing, supports: '{supports}'}}]")
    };
    let row = |supports: &str, start: &str| {
        check(&[("phasegate.yaml", "  apps: {secretRefs: [customers-app]}", &with(supports))], start);
    };
    row("split-full-name=expanded..contracted", "error[consumers] phasegate.yaml: spec.consumers: consumer billing: ");
    row(
        "split-full-name=pending..synced",
        "error[consumers] phasegate.yaml: consumer billing works with split-full-name in pending..synced, and",
    );
    nothing(&[("phasegate.yaml", "  apps: {secretRefs: [customers-app]}", &with(""))]);
}

#[test]
fn the_version_before_is_looked_at_when_there_is_history() {
    let only_old =
        edited(&[("rollout.yaml", "customers: split-full-name", "customers: split-full-name=pending..synced")]);
    let lines = found(sound(), Some(only_old), &[]);
    assert!(
        lines.iter().any(|line| line.starts_with("error[deploy-together] rollout.yaml:17: Rollout/web works with")),
        "{lines:#?}"
    );
    let old = edited(&[("rollout.yaml", "customers: split-full-name", "customers: ''")]);
    assert_eq!(found(sound(), Some(old), &[]), Vec::<String>::new(), "old and new share `migrated`");
}

#[test]
fn a_contract_beside_the_version_that_needs_it_is_found() {
    let contracted = edited(&[("changes/0001-split.yaml", "target: migrated", "target: contracted")]);
    let old_version = edited(&[("rollout.yaml", "customers: split-full-name", "customers: ''")]);
    let lines = found(contracted.clone(), Some(old_version), &[]);
    let start = "error[contract-together] changes/0001-split.yaml: it asks for contracted in the commit that follows Rollout/web";
    assert!(lines.iter().any(|line| line.starts_with(start)), "{lines:#?}");
    assert_eq!(found(contracted.clone(), Some(sound()), &[]), Vec::<String>::new(), "a commit of its own is fine");
    let still_old = edited(&[
        ("changes/0001-split.yaml", "target: migrated", "target: contracted"),
        ("rollout.yaml", "customers: split-full-name", "customers: ''"),
    ]);
    let lines = found(contracted, Some(still_old), &[]);
    assert!(
        lines.iter().all(|line| !line.starts_with("error[contract-together]")),
        "an old contract is old news: {lines:?}"
    );
}

#[test]
fn an_applied_change_must_stay_what_it_was() {
    let at = "changes/0001-split.yaml";
    let row = |to: &[(&str, &str, &str)], was: &[(&str, &str, &str)], start: Option<&str>| {
        let lines = found(edited(to), Some(edited(was)), &[]);
        match start {
            Some(start) => assert!(lines.iter().any(|line| line.starts_with(start)), "{to:?} {start}\n{lines:#?}"),
            None => assert_eq!(lines, Vec::<String>::new(), "{to:?}"),
        }
    };
    let type_edit = [(at, "last_name: {type: text}", "last_name: {type: varchar(80)}")];
    row(&type_edit, &[], Some("error[edited] changes/0001-split.yaml: split-full-name may already be applied"));
    row(&type_edit, &[(at, "target: migrated", "target: pending")], None);
    row(&[(at, "spec:", "# a comment\nspec:")], &[], None);
    row(
        &[],
        &[(at, "target: migrated", "target: contracted")],
        Some(
            "error[target-back] changes/0001-split.yaml: the target of split-full-name went back from contracted to migrated",
        ),
    );
    let back = [
        (at, "target: migrated", "revertTo: pending"),
        ("rollout.yaml", "customers: split-full-name", "customers: ''"),
        ("jobs.yaml", "customers: split-full-name", "customers: ''"),
    ];
    row(&back, &[], None);
    row(
        &back,
        &[(at, "target: migrated", "target: contracted")],
        Some("error[target-back] changes/0001-split.yaml: split-full-name may already be contracted"),
    );
}

#[test]
fn a_change_that_may_be_applied_must_not_vanish_or_be_overtaken() {
    let mut gone = edited(&[
        ("rollout.yaml", "customers: split-full-name", "customers: ''"),
        ("jobs.yaml", "customers: split-full-name", "customers: ''"),
    ]);
    gone.remove("changes/0001-split.yaml");
    let lines = found(gone.clone(), Some(sound()), &[]);
    assert!(
        lines[0].starts_with("error[removed] changes/0001-split.yaml: the change split-full-name is gone"),
        "{lines:#?}"
    );
    let never = edited(&[("changes/0001-split.yaml", "target: migrated", "target: pending")]);
    assert_eq!(found(gone.clone(), Some(never), &[]), Vec::<String>::new());
    gone.remove("phasegate.yaml");
    let lines = found(gone, Some(sound()), &[]);
    assert!(lines.iter().any(|line| line.starts_with("error[removed] phasegate.yaml: the database customers is no longer declared")), "{lines:#?}");

    let mut overtaken = sound();
    let earlier = sound()["changes/0001-split.yaml"].replace("split-full-name", "split-nick").replace("_name", "_nick");
    overtaken.insert("changes/0000-split-nick.yaml".into(), earlier.clone());
    let lines = found(overtaken, Some(sound()), &[]);
    assert!(
        lines.iter().any(|line| line
            .starts_with("error[edited] changes/0000-split-nick.yaml: split-nick now comes before split-full-name")),
        "{lines:#?}"
    );
    let mut behind = sound();
    behind.insert("changes/0002-split-nick.yaml".into(), earlier);
    let lines = found(behind, Some(sound()), &[]);
    assert!(lines.iter().all(|line| !line.starts_with("error")), "what comes after overtakes nothing: {lines:#?}");
}

#[test]
fn apps_with_the_runners_credential_or_without_the_label_are_found() {
    let row = |from: &str, to: &str, start: &str| check(&[("rollout.yaml", from, to)], start);
    row(
        "name: customers-app, key: url",
        "name: customers-owner, key: url",
        "error[credentials] rollout.yaml:25: Rollout/web uses the Secret customers-owner",
    );
    row("        env:", "        envFrom: [{secretRef: {name: customers-owner}}]\n        env:", "error[credentials]");
    row(
        "      containers:",
        "      volumes: [{name: s, secret: {secretName: customers-owner}}]\n      containers:",
        "error[credentials]",
    );
    row(
        "      containers:",
        "      volumes: [{name: s, projected: {sources: [{secret: {name: customers-owner}}]}}]\n      containers:",
        "error[credentials]",
    );
    nothing(&[(
        "rollout.yaml",
        "      containers:",
        "      volumes: [{name: s, secret: {secretName: customers-owner, items: [{key: gate, path: g}]}}]\n      containers:",
    )]);
    check(
        &[(
            "jobs.yaml",
            "{labels: {database.phasegate.dev/customers: ''}, annotations: {supports.phasegate.dev/customers: tables(mails)}}",
            "{}",
        )],
        "error[unlabelled] jobs.yaml:7: Deployment/mailer uses customers through the Secret customers-app",
    );
}

#[test]
fn the_runners_credential_declared_for_apps_is_found() {
    let edit = ("phasegate.yaml", "[customers-app]", "[customers-app, customers-owner]");
    check(&[edit], "error[credentials] phasegate.yaml: applications use `customers-owner`");
}

#[test]
fn every_door_without_a_gate_is_found() {
    check(&[("jobs.yaml", "tables(mails)", "split-full-name")], "error[gate] jobs.yaml:");
    check(&[("jobs.yaml", "tables(mails)", "tables(customers)")], "warning[gate] jobs.yaml:");
    check(
        &[
            ("rollout.yaml", "- plugin: {name: phasegate/gate", "- pause: {duration: 1h, x: y"),
            ("rollout.yaml", "--wait", "--no"),
        ],
        "error[gate] rollout.yaml:7: Rollout/web lets its pods in",
    );
    check(
        &[("jobs.yaml", "templateName: phasegate-gate", "templateName: smoke")],
        "error[blue-green] jobs.yaml:14: Rollout/blue is blue-green",
    );
    check(
        &[
            ("rollout.yaml", "  strategy:", "  rollbackWindow: {revisions: 3}\n  strategy:"),
            ("rollout.yaml", "--wait", "--no"),
        ],
        "warning[doors] rollout.yaml:6: Rollout/web goes back within its rollbackWindow",
    );
}

#[test]
fn the_step_must_be_ours_first_last_and_on() {
    let first = "      - plugin: {name: phasegate/gate}\n      - setWeight: 50\n";
    let row = |from: &str, to: &str, start: &str| check(&[("rollout.yaml", from, to)], start);
    let unheld = |from: &str, to: &str, start: &str| {
        check(&[("rollout.yaml", from, to), ("rollout.yaml", "--wait", "--no")], start);
    };
    unheld(
        first,
        "      - setWeight: 50\n",
        "error[gate-step] rollout.yaml:10: the step phasegate/gate comes after a step that already starts canary pods",
    );
    unheld(
        first,
        "      - setCanaryScale: {replicas: 1}\n",
        "error[gate-step] rollout.yaml:10: the step phasegate/gate comes after",
    );
    row(
        "config: {databases: [customers], requeueSeconds: 20}}",
        "disabled: true}",
        "error[gate-step] rollout.yaml:11: the step phasegate/gate is disabled",
    );
    unheld(
        "      - plugin: {name: phasegate/gate, config: {databases: [customers], requeueSeconds: 20}}\n",
        "",
        "warning[gate-step] rollout.yaml:9: no step phasegate/gate stands after the last weight",
    );
    row(
        "phasegate/gate,",
        "phasegate/gates,",
        "error[gate-step] rollout.yaml:11: Argo Rollouts knows no step plugin phasegate/gates",
    );
    row(
        "phasegate/gate,",
        "phasgate/gate,",
        "error[gate-step] rollout.yaml:11: Argo Rollouts knows no step plugin phasgate/gate",
    );
    let place = "error[gate-step] rollout.yaml:11: spec.strategy.canary.steps.2.plugin.config";
    let config = |from: &str, to: &str, told: &str| row(from, to, &format!("{place}{told}"));
    config("requeueSeconds: 20", "requeueSeconds: 5", ".requeueSeconds: 5 is not from 11 to 300");
    config("requeueSeconds: 20", "requeueSecond: 20", ".requeueSecond: there is no such field; did you mean requeue");
    config("requeueSeconds: 20", "watch: {forSeconds: 60}", ".watch: there is nothing to watch");
    config("[customers]", "[]", ".databases: the list is empty");
    row("[customers]", "[orders]", "error[gate-step] rollout.yaml:11: the step asks about orders, with which");
    check(
        &[
            ("rollout.yaml", "        database.phasegate.dev/customers: ''", "        app: web"),
            ("rollout.yaml", "        supports.phasegate.dev/customers: split-full-name", "        a: b"),
            ("rollout.yaml", "customers-app", "another"),
        ],
        "error[gate-step] rollout.yaml:9: Rollout/web has the step phasegate/gate, and its pods are labelled with no database",
    );
}

#[test]
fn a_plugin_of_another_name_is_the_gate_all_the_same() {
    let renamed = || edited(&[("rollout.yaml", STEP_NAME, "acme/phasegate")]);
    assert_eq!(found_where("acme/phasegate", renamed(), None, &[]), [""; 0]);
    let told = found(renamed(), None, &[]);
    let want = "Argo Rollouts knows no step plugin acme/phasegate; did you mean phasegate/gate? If the plugin has that \
                name in your cluster, give --step acme/phasegate";
    assert!(told[0].contains(want), "{told:#?}");
    let bad = renamed().into_iter().map(|(path, text)| (path, text.replace("requeueSeconds: 20", "requeueSeconds: 5")));
    let told = found_where("acme/phasegate", bad.collect(), None, &[]);
    assert!(told[0].contains("requeueSeconds: 5 is not from 11 to 300"), "{told:#?}");
}

#[test]
fn a_deadline_shorter_than_the_wait_is_found() {
    let row = |to: &str, start: &str| check(&[("rollout.yaml", "  progressDeadlineSeconds: 604800\n", to)], start);
    row(
        "",
        "error[progress-deadline] rollout.yaml:5: progressDeadlineSeconds of Rollout/web is by default 600, and the schema may take 604800",
    );
    row(
        "  progressDeadlineSeconds: 604799\n",
        "error[progress-deadline] rollout.yaml:5: progressDeadlineSeconds of Rollout/web is 604799",
    );
    row(
        "  progressDeadlineSeconds: 604800\n  progressDeadlineAbort: true\n",
        "warning[progress-deadline] rollout.yaml:6: Rollout/web aborts when",
    );
    nothing(&[("rollout.yaml", "progressDeadlineSeconds: 604800", "progressDeadlineSeconds: 999999")]);
    // The analysis of a blue-green Rollout goes on after its deadline, which is 600 here.
    check(
        &[(
            "jobs.yaml",
            "metadata: {name: blue}\nspec:\n",
            "metadata: {name: blue}\nspec:\n  progressDeadlineAbort: true\n",
        )],
        "warning[progress-deadline] jobs.yaml:13: Rollout/blue aborts when",
    );
}

#[test]
fn jobs_by_hand_with_argo_cds_traps_are_found() {
    let row = |from: &str, to: &str, start: &str| check(&[("jobs.yaml", from, to)], start);
    row(
        "labels: {x: y}",
        "annotations: {argocd.argoproj.io/hook: PreSync}",
        "error[runner-jobs] jobs.yaml:21: Job/by-hand is a hook",
    );
    row(
        "labels: {x: y}",
        "annotations: {argocd.argoproj.io/sync-options: 'Force=true,Replace=true'}",
        "error[runner-jobs] jobs.yaml:21: Force=true of Job/by-hand",
    );
    row(
        "labels: {x: y}",
        "annotations: {argocd.argoproj.io/sync-options: Prune=false}",
        "error[runner-jobs] jobs.yaml:21: Prune=false of Job/by-hand",
    );
    row(
        "{name: by-hand,",
        "{generateName: by-hand-,",
        "error[runner-jobs] jobs.yaml:21: Job/by-hand- has no name of its own",
    );
    check(
        &[(
            "jobs.yaml",
            "kind: Job\nmetadata: {name: by-hand, labels: {x: y}}\nspec:\n",
            "kind: Job\nmetadata: {name: by-hand}\nspec:\n  ttlSecondsAfterFinished: 60\n",
        )],
        "error[runner-jobs] jobs.yaml:23: Job/by-hand is deleted after",
    );
}

#[test]
fn waves_that_make_a_sync_wait_are_found() {
    let wave = |files, set: &[&str]| found(files, None, set);
    let later = edited(&[("rollout.yaml", "sync-wave: '0'", "sync-wave: '3'")]);
    let lines = wave(later.clone(), &[]);
    assert!(
        lines[0].starts_with("error[waves] rollout.yaml:3: Rollout/web is in wave 3, after the Job in wave 0"),
        "{lines:#?}"
    );
    let lines = wave(later, &["sync-wave=3"]);
    assert!(lines.iter().all(|line| !line.contains("Rollout/web is in wave")), "{lines:#?}");
    let lines = wave(sound(), &["sync-wave=5"]);
    assert!(
        lines
            .iter()
            .any(|line| line
                .starts_with("error[waves] rollout.yaml:3: Rollout/web is in wave 0, before the Job in wave 5")),
        "{lines:#?}"
    );
    assert_eq!(wave(sound(), &["sync-wave=5", "manifests=ignore"]), Vec::<String>::new());
    check(
        &[("jobs.yaml", "labels: {x: y}", "annotations: {argocd.argoproj.io/hook: PostSync}")],
        "error[waves] jobs.yaml:21: Job/by-hand is a PostSync hook",
    );
    check(
        &[("rollout.yaml", "sync-wave: '0'", "sync-options: PruneLast=true")],
        "error[waves] rollout.yaml:3: PruneLast=true of Rollout/web",
    );
    check(
        &[(
            "jobs.yaml",
            "metadata: {name: mailer}",
            "metadata: {name: mailer, annotations: {argocd.argoproj.io/hook: Sync}}",
        )],
        "warning[waves] jobs.yaml:3: Deployment/mailer is a hook",
    );
}

#[test]
fn applications_that_break_the_job_are_found() {
    let row = |from: &str, to: &str, start: &str| check(&[("application.yaml", from, to)], start);
    for option in ["Replace=true", "PrunePropagationPolicy=orphan", "PruneLast=true", "Prune=false", "Force=true"] {
        row(
            "CreateNamespace=true",
            option,
            &format!("error[application] application.yaml:8: {option} of Application/shop"),
        );
    }
    row(
        "prune: true",
        "prune: false",
        "warning[application] application.yaml:7: Application/shop syncs by itself and prunes nothing",
    );
    row("name: image", "name: imagee", "error[application] application.yaml:5: there is no parameter imagee");
    let set = "kind: ApplicationSet\nmetadata: {name: all}\nspec:\n template:\n  spec: {source: {plugin: {name: phasegate-v1alpha1}}, syncPolicy: {syncOptions: [Replace=true]}}\n---\napiVersion: argoproj.io/v1alpha1\nkind: Application";
    row("kind: Application", set, "error[application] application.yaml:6: Replace=true of ApplicationSet/all");
}

#[test]
fn sqlite_has_no_place_in_a_cluster() {
    check(&[("phasegate.yaml", "postgres", "sqlite")], "warning[engine] phasegate.yaml: customers is on SQLite");
}

#[test]
fn unsafe_sql_is_found_under_the_name_of_its_rule_in_the_folder_of_its_plan() {
    let change = "apiVersion: phasegate.dev/v1alpha1
kind: SchemaChange
metadata: {name: index-emails}
spec:
  database: orders
  target: expanded
  windows: {old: pending..contracted, new: expanded..contracted}
  tables: [emails]
  sql: {expand: up.sql, reverse: {expand: down.sql}}
";
    let mut files = sound();
    let database = sound()["phasegate.yaml"].replace("customers", "orders");
    for (path, text) in [
        ("orders/phasegate.yaml", database.as_str()),
        ("orders/changes/0001-index.yaml", change),
        ("orders/changes/up.sql", "-- an index\nCREATE INDEX emails_at ON emails (at);\n"),
        ("orders/changes/down.sql", "DROP INDEX CONCURRENTLY emails_at;\n"),
    ] {
        files.insert(path.to_owned(), text.to_owned());
    }
    let lines = found(files, None, &[]);
    assert!(lines.iter().any(|line| line.contains("[blocking-index] orders/changes/up.sql:2: ")), "{lines:#?}");
}

#[test]
fn findings_are_counted_and_are_json() {
    let params = Params::read(&BTreeMap::new()).unwrap();
    let files = edited(&[("phasegate.yaml", "postgres", "sqlite"), ("application.yaml", "CreateNamespace", "Replace")]);
    let now = declared(&Checkout { files }, params.manifests).unwrap();
    let findings = lint(&Context { now: &now, base: None, params: &params, step: STEP_NAME, wait_seconds: 604_800 });
    assert!(as_text(&findings).ends_with("1 error, 1 warning, 0 notes\n"), "{}", as_text(&findings));
    let json: serde_json::Value = serde_json::from_slice(&as_json(&findings).unwrap()).unwrap();
    assert_eq!(json[0]["rule"], "application");
    assert_eq!((json[0]["severity"].as_str(), json[0]["line"].as_u64()), (Some("error"), Some(8)));
    assert_eq!(json[1]["file"], "phasegate.yaml");
}

#[test]
fn every_rule_of_the_table_is_tested_above() {
    let source = include_str!("tests.rs");
    for (rule, _) in RULES.iter().filter(|(rule, _)| *rule != "declarations") {
        assert!(source.contains(&format!("[{rule}]")), "no row for {rule}");
    }
}
