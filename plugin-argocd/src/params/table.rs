//! The one table of parameters: what is announced, what is the default, what is applied.

use std::collections::BTreeMap;

use super::{AppManifests, Given, Params, Toleration};
use crate::kubernetes_syntax::{is_key, is_label_name, is_label_value, is_object_name, is_quantity, is_schedule};

/// One parameter.
pub(crate) struct Parameter {
    pub(crate) name: &'static str,
    pub(crate) title: &'static str,
    pub(crate) tooltip: &'static str,
    pub(crate) default: Preset,
    /// As it would stand after `--set NAME=`; applies, and differs from the default.
    pub(crate) example: &'static str,
    set: Set,
}

/// What a parameter is when nobody gives it; its shape too.
pub(crate) enum Preset {
    Text(&'static str),
    List(&'static [&'static str]),
    Map(&'static [(&'static str, &'static str)]),
}

/// The three shapes Argo CD knows, by its own words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    Text,
    List,
    Map,
}

type Pairs = BTreeMap<String, String>;

enum Set {
    Text(fn(&mut Params, &str) -> Result<(), String>),
    List(fn(&mut Params, &[String]) -> Result<(), String>),
    Map(fn(&mut Params, &Pairs) -> Result<(), String>),
}

impl Preset {
    pub(crate) const fn shape(&self) -> Shape {
        match self {
            Self::Text(_) => Shape::Text,
            Self::List(_) => Shape::List,
            Self::Map(_) => Shape::Map,
        }
    }

    pub(crate) fn to_given(&self) -> Given {
        match self {
            Self::Text(text) => Given::Text((*text).to_owned()),
            Self::List(list) => Given::List(list.iter().map(|item| (*item).to_owned()).collect()),
            Self::Map(map) => Given::Map(map.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()),
        }
    }
}

impl Shape {
    const fn noun(self) -> &'static str {
        match self {
            Self::Text => "a text",
            Self::List => "a list",
            Self::Map => "a map",
        }
    }
}

impl Parameter {
    /// Sets the parameter's field.
    ///
    /// # Errors
    /// What is wrong with the value.
    pub(crate) fn apply(&self, params: &mut Params, given: &Given) -> Result<(), String> {
        let found = match (&self.set, given) {
            (Set::Text(set), Given::Text(text)) => return set(params, text.trim()),
            (Set::List(set), Given::List(list)) => return set(params, list),
            (Set::Map(set), Given::Map(map)) => return set(params, map),
            (Set::List(_) | Set::Map(_), Given::Text(_)) => Shape::Text,
            (Set::Text(_) | Set::Map(_), Given::List(_)) => Shape::List,
            (Set::Text(_) | Set::List(_), Given::Map(_)) => Shape::Map,
        };
        Err(format!("it is {}, not {}", self.default.shape().noun(), found.noun()))
    }
}

/// Every parameter, in the order in which Argo CD's UI shows them.
pub(crate) const TABLE: &[Parameter] = &[
    Parameter {
        name: "image",
        title: "Runner image",
        tooltip: "The image that holds the binary phasegate. Pin a digest to make a release reproducible.",
        default: Preset::Text(concat!("ghcr.io/phasegate/phasegate:", env!("CARGO_PKG_VERSION"))),
        example: "registry.example.org/phasegate:1",
        set: Set::Text(|params, text| {
            let bad = text.is_empty() || !text.chars().all(|c| c.is_ascii_graphic());
            if bad { Err("it is no image reference".to_owned()) } else { put(&mut params.image, text.to_owned()) }
        }),
    },
    Parameter {
        name: "image-pull-policy",
        title: "Image pull policy",
        tooltip: "Always, IfNotPresent or Never; empty leaves it to Kubernetes.",
        default: Preset::Text(""),
        example: "IfNotPresent",
        set: Set::Text(|params, text| match text {
            "" => put(&mut params.image_pull_policy, None),
            "Always" | "IfNotPresent" | "Never" => put(&mut params.image_pull_policy, Some(text.to_owned())),
            other => Err(format!("`{other}` is none of Always, IfNotPresent, Never")),
        }),
    },
    Parameter {
        name: "image-pull-secrets",
        title: "Image pull secrets",
        tooltip: "Names of Secrets in the application's namespace.",
        default: Preset::List(&[]),
        example: "registry-login",
        set: Set::List(|params, list| {
            list.iter().try_for_each(|name| object_name(name).map(|_| ()))?;
            put(&mut params.image_pull_secrets, list.to_vec())
        }),
    },
    Parameter {
        name: "service-account",
        title: "Service account",
        tooltip: "An existing one to use; empty renders one of our own. The Role is bound to it either way.",
        default: Preset::Text(""),
        example: "migrations",
        set: Set::Text(|params, text| put(&mut params.service_account, optional_name(text)?)),
    },
    Parameter {
        name: "service-account-annotations",
        title: "Service account annotations",
        tooltip: "For IAM: annotations of the service account that is rendered.",
        default: Preset::Map(&[]),
        example: "eks.amazonaws.com/role-arn=arn:aws:iam::1:role/migrations",
        set: Set::Map(|params, map| {
            annotation_keys(map)?;
            put(&mut params.service_account_annotations, map.clone())
        }),
    },
    Parameter {
        name: "resources",
        title: "Resources",
        tooltip: "Keys requests.<resource> and limits.<resource>. Merged into the defaults; an empty value removes one.",
        default: Preset::Map(&[("requests.cpu", "50m"), ("requests.memory", "64Mi"), ("limits.memory", "256Mi")]),
        example: "limits.memory=512Mi",
        set: Set::Map(resources),
    },
    Parameter {
        name: "run-as-user",
        title: "User id",
        tooltip: "The user the runner runs as; empty leaves it to the platform (OpenShift picks one per namespace).",
        default: Preset::Text("65532"),
        example: "1000",
        set: Set::Text(|params, text| match optional_number(text)? {
            Some(0) => Err("0 is root, which the restricted Pod Security Standard refuses".to_owned()),
            user => put(&mut params.run_as_user, user),
        }),
    },
    Parameter {
        name: "tolerations",
        title: "Tolerations",
        tooltip: "As kubectl writes a taint: key=value:Effect, key:Effect or key.",
        default: Preset::List(&[]),
        example: "spot=true:NoSchedule",
        set: Set::List(|params, list| {
            let tolerations = list.iter().map(|text| toleration(text)).collect::<Result<_, _>>()?;
            put(&mut params.tolerations, tolerations)
        }),
    },
    Parameter {
        name: "node-selector",
        title: "Node selector",
        tooltip: "Labels a node must have.",
        default: Preset::Map(&[]),
        example: "kubernetes.io/arch=amd64",
        set: Set::Map(|params, map| {
            label_pairs(map)?;
            put(&mut params.node_selector, map.clone())
        }),
    },
    Parameter {
        name: "priority-class",
        title: "Priority class",
        tooltip: "The PriorityClass of the runner's pods.",
        default: Preset::Text(""),
        example: "system-cluster-critical",
        set: Set::Text(|params, text| put(&mut params.priority_class, optional_name(text)?)),
    },
    Parameter {
        name: "pod-labels",
        title: "Pod labels",
        tooltip: "Further labels of the runner's pods.",
        default: Preset::Map(&[]),
        example: "team=shop",
        set: Set::Map(|params, map| {
            label_pairs(map)?;
            let ours = |key: &&String| key.contains("phasegate.dev/") || key.as_str() == "app.kubernetes.io/managed-by";
            if let Some(key) = map.keys().find(ours) {
                return Err(format!("`{key}` is our own; a runner that carries it would count as a live version"));
            }
            put(&mut params.pod_labels, map.clone())
        }),
    },
    Parameter {
        name: "pod-annotations",
        title: "Pod annotations",
        tooltip: "For example sidecar.istio.io/inject: \"false\", karpenter.sh/do-not-disrupt: \"true\".",
        default: Preset::Map(&[]),
        example: "sidecar.istio.io/inject=false",
        set: Set::Map(|params, map| {
            annotation_keys(map)?;
            if let Some(key) = map.keys().find(|key| key.contains("phasegate.dev/")) {
                return Err(format!("`{key}` is our own"));
            }
            put(&mut params.pod_annotations, map.clone())
        }),
    },
    Parameter {
        name: "grace-period-seconds",
        title: "Grace period",
        tooltip: "Seconds the runner has to finish its statement and to write its cursor.",
        default: Preset::Text("60"),
        example: "120",
        set: Set::Text(|params, text| put(&mut params.grace_period_seconds, i64::from(number(text)?))),
    },
    Parameter {
        name: "schedule",
        title: "Schedule",
        tooltip: "When the CronJob repeats the run, which retries what was blocked; cron, in the cluster's time zone.",
        default: Preset::Text("*/5 * * * *"),
        example: "*/2 * * * *",
        set: Set::Text(|params, text| {
            let bad = || format!("`{text}` is no cron schedule of five fields");
            if is_schedule(text) { put(&mut params.schedule, text.to_owned()) } else { Err(bad()) }
        }),
    },
    Parameter {
        name: "backoff-limit",
        title: "Backoff limit",
        tooltip: "How often a crashed runner is started again by its Job; exit code 75 does not count.",
        default: Preset::Text("6"),
        example: "3",
        set: Set::Text(|params, text| put(&mut params.backoff_limit, number(text)?)),
    },
    Parameter {
        name: "active-deadline-seconds",
        title: "Deadline",
        tooltip: "Seconds after which the Job is stopped; empty is never. The next run resumes.",
        default: Preset::Text(""),
        example: "86400",
        set: Set::Text(|params, text| match optional_number(text)? {
            Some(0) => Err("0 seconds would stop every run at once".to_owned()),
            seconds => put(&mut params.active_deadline_seconds, seconds),
        }),
    },
    Parameter {
        name: "log",
        title: "Log filter",
        tooltip: "The runner's PHASEGATE_LOG: a level, or a filter as tracing writes it.",
        default: Preset::Text(""),
        example: "debug",
        set: Set::Text(|params, text| put(&mut params.log, (!text.is_empty()).then(|| text.to_owned()))),
    },
    Parameter {
        name: "sync-wave",
        title: "Sync wave",
        tooltip: "The wave of everything rendered. Leave it in the application's last wave, or the sync waits for the Job.",
        default: Preset::Text(""),
        example: "5",
        set: Set::Text(|params, text| {
            let wave = if text.is_empty() { None } else { Some(text.parse().map_err(|_| not_whole(text))?) };
            put(&mut params.sync_wave, wave)
        }),
    },
    Parameter {
        name: "manifests",
        title: "The app's manifests",
        tooltip: "pass: the folder's other manifests are part of the output; ignore: another source renders them.",
        default: Preset::Text("pass"),
        example: "ignore",
        set: Set::Text(|params, text| match text {
            "pass" => put(&mut params.manifests, AppManifests::PassThrough),
            "ignore" => put(&mut params.manifests, AppManifests::Ignore),
            other => Err(format!("`{other}` is not pass or ignore")),
        }),
    },
    Parameter {
        name: "exclude",
        title: "Excluded paths",
        tooltip: "Files and folders to leave unread, relative to the application's path.",
        default: Preset::List(&[]),
        example: "docs,hack/kind.yaml",
        set: Set::List(|params, list| put(&mut params.exclude, list.to_vec())),
    },
];

fn put<T>(field: &mut T, value: T) -> Result<(), String> {
    *field = value;
    Ok(())
}

fn not_whole(text: &str) -> String {
    format!("`{text}` is not a whole number")
}

fn number(text: &str) -> Result<i32, String> {
    text.parse().ok().filter(|number| *number >= 0).ok_or_else(|| format!("{} from 0", not_whole(text)))
}

fn optional_number(text: &str) -> Result<Option<i64>, String> {
    if text.is_empty() { Ok(None) } else { number(text).map(|number| Some(i64::from(number))) }
}

fn object_name(text: &str) -> Result<String, String> {
    if is_object_name(text) { Ok(text.to_owned()) } else { Err(format!("`{text}` cannot name a Kubernetes object")) }
}

fn optional_name(text: &str) -> Result<Option<String>, String> {
    if text.is_empty() { Ok(None) } else { object_name(text).map(Some) }
}

fn label_pairs(map: &Pairs) -> Result<(), String> {
    for (key, value) in map {
        if !is_key(key) {
            return Err(format!("`{key}` cannot be the key of a label"));
        }
        if !is_label_value(value) {
            return Err(format!("`{value}` cannot be the value of a label"));
        }
    }
    Ok(())
}

fn annotation_keys(map: &Pairs) -> Result<(), String> {
    for key in map.keys() {
        if !is_key(key) {
            return Err(format!("`{key}` cannot be the key of an annotation"));
        }
        if key.starts_with("argocd.argoproj.io/") {
            return Err(format!("`{key}` would make a hook of it or change how it is synced"));
        }
    }
    Ok(())
}

fn resources(params: &mut Params, map: &Pairs) -> Result<(), String> {
    for (key, quantity) in map {
        let (side, resource) = match key.split_once('.') {
            Some(("requests", resource)) => (&mut params.requests, resource),
            Some(("limits", resource)) => (&mut params.limits, resource),
            Some(_) | None => return Err(format!("`{key}` begins with neither requests. nor limits.")),
        };
        if !is_key(resource) {
            return Err(format!("`{key}` names no resource"));
        }
        if quantity.is_empty() {
            side.remove(resource);
        } else if is_quantity(quantity) {
            side.insert(resource.to_owned(), quantity.clone());
        } else {
            return Err(format!("`{quantity}` is no quantity"));
        }
    }
    Ok(())
}

fn toleration(text: &str) -> Result<Toleration, String> {
    let (taint, effect) = match text.split_once(':') {
        Some((taint, effect)) => (taint, Some(effect)),
        None => (text, None),
    };
    if let Some(bad) = effect.filter(|effect| !["NoSchedule", "PreferNoSchedule", "NoExecute"].contains(effect)) {
        return Err(format!("`{bad}` is none of NoSchedule, PreferNoSchedule, NoExecute"));
    }
    let (key, value) = match taint.split_once('=') {
        Some((key, value)) => (key, Some(value)),
        None => (taint, None),
    };
    let whole_name = is_key(key) || is_label_name(key);
    if !whole_name || value.is_some_and(|value| !is_label_value(value)) {
        return Err(format!("`{text}` is no toleration"));
    }
    Ok(Toleration { key: key.to_owned(), value: value.map(str::to_owned), effect: effect.map(str::to_owned) })
}
