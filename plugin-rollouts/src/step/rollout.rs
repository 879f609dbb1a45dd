//! Picks the few facts the gate needs out of the argument of a step call.
//!
//! Lossy on this wire: a zero behind a Go pointer, an empty map and an empty string arrive as absent (research/argo.md
//! A4), so nothing here tells "unset" from "zero". Nothing else of the Rollout is looked at, whatever it holds.

use goplugin_wire::{Interest, Value};

use crate::{gate::AskingRollout, template::PodTemplate};

/// A step call, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepCall {
    /// Who asks.
    pub rollout: AskingRollout,
    /// The step's `config` in the Rollout: JSON, or nothing.
    pub config: Vec<u8>,
    /// The status kept from the last answer: JSON, or nothing.
    pub status: Vec<u8>,
}

/// The argument is not what Argo Rollouts sends.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadArgument {
    /// The Rollout pointer was nil.
    #[error("Argo Rollouts sent no Rollout with this call; restart its controller if this repeats")]
    NilRollout,
    /// A field that every stored object has is absent.
    #[error("the Rollout has no {field}; only Rollouts stored in a cluster can be judged")]
    Nameless {
        /// The field.
        field: &'static str,
    },
}

/// All that [`pick`] reads: of a Rollout's hundreds of values no other is kept.
pub static PICKED: Interest = {
    use Interest::{Fields, Whole};
    const META: Interest = Fields(&[("Namespace", Whole), ("Name", Whole), ("UID", Whole)]);
    const LABELLED: Interest = Fields(&[("Labels", Whole), ("Annotations", Whole)]);
    const POD: Interest = Fields(&[("Containers", Fields(&[("Image", Whole)]))]);
    const TEMPLATE: Interest = Fields(&[("ObjectMeta", LABELLED), ("Spec", POD)]);
    const STATUS: Interest = Fields(&[("StableRS", Whole), ("CurrentPodHash", Whole), ("CurrentStepIndex", Whole)]);
    const ROLLOUT: Interest =
        Fields(&[("ObjectMeta", META), ("Spec", Fields(&[("Template", TEMPLATE)])), ("Status", STATUS)]);
    Fields(&[("Rollout", ROLLOUT), ("Context", Fields(&[("Config", Whole), ("Status", Whole)]))])
};

/// Reads the argument of Run, Terminate or Abort. What it reads is listed in [`PICKED`].
///
/// # Errors
/// [`BadArgument`]; a field of a wrong type counts as absent.
pub fn pick(argument: &Value) -> Result<StepCall, BadArgument> {
    let rollout = argument.field("Rollout").filter(|value| !value.is_nil()).ok_or(BadArgument::NilRollout)?;
    let context = |name| argument.at(&["Context", name]).and_then(Value::as_bytes).unwrap_or_default().to_vec();
    Ok(StepCall { rollout: asking(rollout)?, config: context("Config"), status: context("Status") })
}

fn asking(rollout: &Value) -> Result<AskingRollout, BadArgument> {
    let meta = |name: &'static str| {
        let found = text(rollout, &["ObjectMeta", name]);
        if found.is_empty() { Err(BadArgument::Nameless { field: name }) } else { Ok(found.to_owned()) }
    };
    Ok(AskingRollout {
        namespace: meta("Namespace")?,
        name: meta("Name")?,
        uid: meta("UID")?,
        template: template(rollout),
        stable_pod_hash: text(rollout, &["Status", "StableRS"]).to_owned(),
        canary_pod_hash: text(rollout, &["Status", "CurrentPodHash"]).to_owned(),
        step_index: rollout
            .at(&["Status", "CurrentStepIndex"])
            .and_then(Value::as_i64)
            .and_then(|index| i32::try_from(index).ok()),
    })
}

/// A Rollout with a workloadRef usually arrives with the template resolved (Argo Rollouts keeps it in memory only). A
/// template without containers is one that was not.
fn template(rollout: &Value) -> Option<PodTemplate> {
    let template = rollout.at(&["Spec", "Template"])?;
    let containers = template.at(&["Spec", "Containers"]).and_then(Value::as_slice)?;
    let image = containers.first().map_or("", |first| text(first, &["Image"]));
    Some(PodTemplate::new(
        pairs(template, &["ObjectMeta", "Labels"]),
        pairs(template, &["ObjectMeta", "Annotations"]),
        image,
    ))
}

fn text<'a>(value: &'a Value, path: &[&str]) -> &'a str {
    value.at(path).and_then(Value::as_str).unwrap_or_default()
}

fn pairs<'a>(value: &'a Value, path: &[&str]) -> impl Iterator<Item = (&'a str, &'a str)> {
    let pairs = value.at(path).and_then(Value::as_map).unwrap_or_default();
    pairs.iter().filter_map(|(key, value)| Some((key.as_str()?, value.as_str()?)))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    fn map(pairs: &[(&str, &str)]) -> Value {
        Value::Map(pairs.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect())
    }

    /// A Rollout as it leaves the wire: zero fields are absent.
    pub(crate) fn rollout_value() -> Value {
        let meta = [("Name", "shop".into()), ("Namespace", "store".into()), ("UID", "uid-1".into())];
        let labels = map(&[("app", "shop"), ("database.phasegate.dev/customers", "")]);
        let annotations = map(&[("supports.phasegate.dev/customers", "split-full-name")]);
        let pod_meta = Value::record("ObjectMeta", [("Labels", labels), ("Annotations", annotations)]);
        let container = Value::record("Container", [("Name", "shop".into()), ("Image", "shop:v2".into())]);
        let pod = Value::record("PodSpec", [("Containers", vec![container].into())]);
        let template = Value::record("PodTemplateSpec", [("ObjectMeta", pod_meta), ("Spec", pod)]);
        let status =
            [("StableRS", "66c5f".into()), ("CurrentPodHash", "7d4b9".into()), ("CurrentStepIndex", Value::Int(2))];
        Value::record(
            "Rollout",
            [
                ("ObjectMeta", Value::record("ObjectMeta", meta)),
                ("Spec", Value::record("RolloutSpec", [("Template", template)])),
                ("Status", Value::record("RolloutStatus", status)),
            ],
        )
    }

    pub(crate) fn argument(rollout: Value, config: &str) -> Value {
        let context = [("PluginName", "phasegate/gate".into()), ("Config", config.as_bytes().to_vec().into())];
        let context = Value::record("RpcStepContext", context);
        Value::interface("step.RunArgs", Value::record("RunArgs", [("Rollout", rollout), ("Context", context)]))
    }

    #[test]
    fn the_facts_are_picked_from_a_rollout_as_it_leaves_the_wire() {
        let call = pick(&argument(rollout_value(), "{}")).unwrap();
        assert_eq!(call.config, b"{}");
        assert_eq!(call.status, b"");
        let rollout = call.rollout;
        assert_eq!(
            (rollout.namespace.as_str(), rollout.name.as_str(), rollout.uid.as_str()),
            ("store", "shop", "uid-1")
        );
        assert_eq!((rollout.stable_pod_hash.as_str(), rollout.canary_pod_hash.as_str()), ("66c5f", "7d4b9"));
        assert_eq!(rollout.step_index, Some(2));
        let template = rollout.template.unwrap();
        assert_eq!(template.databases().collect::<Vec<_>>(), [("customers", "")]);
        assert_eq!(template.supports("customers"), "split-full-name");
        assert_eq!(template.image(), "shop:v2");
    }

    fn without(value: &Value, path: &[&str]) -> Value {
        let Value::Struct(record) = value else { return value.clone() };
        let mut record = record.clone();
        match path {
            [] => {}
            [last] => record.fields.retain(|(name, _)| &**name != *last),
            [first, rest @ ..] => {
                for (name, field) in &mut record.fields {
                    if &**name == *first {
                        *field = without(field, rest);
                    }
                }
            }
        }
        Value::Struct(record)
    }

    /// What the wire leaves of a value when it keeps only so much.
    fn kept(value: &Value, interest: &Interest) -> Value {
        let (Interest::Fields(wanted), Value::Struct(record)) = (interest, value) else {
            let inner = |value: &Value| kept(value, interest);
            return match value {
                Value::List(values) => Value::List(values.iter().map(inner).collect()),
                Value::Interface(Some(held)) => Value::interface(held.name.clone(), inner(&held.value)),
                other => other.clone(),
            };
        };
        let mut record = record.clone();
        record.fields.retain(|(name, _)| wanted.iter().any(|(field, _)| *field == &**name));
        for (name, field) in &mut record.fields {
            let (_, interest) = wanted.iter().find(|(wanted, _)| *wanted == &**name).unwrap();
            *field = kept(field, interest);
        }
        Value::Struct(record)
    }

    #[test]
    fn the_wire_keeps_all_that_is_picked() {
        let mut whole = argument(rollout_value(), "{}");
        let Value::Interface(Some(held)) = &mut whole else { panic!() };
        let Value::Struct(arguments) = &mut held.value else { panic!() };
        let Value::Struct(context) = &mut arguments.fields[1].1 else { panic!() };
        context.fields.push(("Status".into(), b"{\"version\": 1}".to_vec().into()));
        let less = kept(&whole, &PICKED);
        assert_eq!(less.at(&["Context", "PluginName"]), None, "and nothing else");
        assert_eq!(pick(&less), pick(&whole));
        assert!(!pick(&less).unwrap().status.is_empty());
    }

    #[test]
    fn what_is_absent_is_named_and_never_guessed() {
        let context = Value::record("RunArgs", [("Context", Value::record("RpcStepContext", []))]);
        for nil in [Value::nil(), context, Value::record("RunArgs", []), Value::from("text"), Value::Int(7)] {
            assert_eq!(pick(&nil), Err(BadArgument::NilRollout));
        }
        for field in ["Namespace", "Name", "UID"] {
            let rollout = without(&rollout_value(), &["ObjectMeta", field]);
            assert_eq!(pick(&argument(rollout, "")), Err(BadArgument::Nameless { field }));
        }
        let empty = pick(&argument(Value::record("Rollout", []), ""));
        assert_eq!(empty, Err(BadArgument::Nameless { field: "Namespace" }));
    }

    #[test]
    fn zeros_that_go_leaves_out_are_no_errors() {
        let mut rollout = rollout_value();
        for path in [["Status", "StableRS"], ["Status", "CurrentStepIndex"], ["Status", "CurrentPodHash"]] {
            rollout = without(&rollout, &path);
        }
        let asking = pick(&argument(rollout, "")).unwrap().rollout;
        assert_eq!(
            (asking.stable_pod_hash.as_str(), asking.canary_pod_hash.as_str(), asking.step_index),
            ("", "", None)
        );
    }

    #[test]
    fn a_template_without_containers_was_not_resolved() {
        for path in [&["Spec"][..], &["Spec", "Template"], &["Spec", "Template", "Spec"]] {
            let asking = pick(&argument(without(&rollout_value(), path), "")).unwrap().rollout;
            assert_eq!(asking.template, None, "{path:?}");
        }
        let bare = without(&rollout_value(), &["Spec", "Template", "ObjectMeta"]);
        let template = pick(&argument(bare, "")).unwrap().rollout.template.unwrap();
        assert_eq!(template.databases().count(), 0);
    }

    #[test]
    fn fields_of_wrong_types_are_absent() {
        let odd = Value::record("Rollout", [("ObjectMeta", Value::Int(1)), ("Spec", Value::Bool(true))]);
        assert_eq!(pick(&argument(odd, "")), Err(BadArgument::Nameless { field: "Namespace" }));
    }
}
