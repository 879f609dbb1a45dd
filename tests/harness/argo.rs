//! The host's side of a step plugin, as the Argo Rollouts controller has it: a Rollout becomes a gob value under the
//! names Go gives its fields, and a reply becomes the step's result.
//!
//! Only the fields the controller's own types have and a gate may want are sent; gob matches them by name.

use goplugin_wire::{Schema, StructDef, Value};
use serde_json::Value as Json;

/// The magic cookie of step plugins (argo-rollouts, rollout/steps/plugin/client/client.go).
pub const COOKIE: (&str, &str) = ("ARGO_ROLLOUTS_RPC_PLUGIN", "step");
/// The key of step plugins in the plugin set.
pub const PLUGIN: &str = "RpcStepPlugin";

/// What a step plugin answered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StepResult {
    /// `Running`, `Successful`, `Failed` or empty.
    pub phase: String,
    /// The message for people.
    pub message: String,
    /// After how many nanoseconds the controller asks again.
    pub requeue_after: i64,
    /// The status to hand back with the next question: a JSON object.
    pub status: Vec<u8>,
    /// The error, when there is one.
    pub error: Option<String>,
}

/// Reads the reply of `Plugin.Run`, `Plugin.Terminate` or `Plugin.Abort`.
pub fn step_result(reply: &Value) -> StepResult {
    let text = |path: &[&str]| reply.at(path).and_then(Value::as_str).unwrap_or_default().to_owned();
    StepResult {
        phase: text(&["Result", "Phase"]),
        message: text(&["Result", "Message"]),
        requeue_after: reply.at(&["Result", "RequeueAfter"]).and_then(Value::as_i64).unwrap_or_default(),
        status: reply.at(&["Result", "Status"]).and_then(Value::as_bytes).unwrap_or_default().to_vec(),
        error: reply.at(&["Error", "ErrorString"]).and_then(Value::as_str).map(str::to_owned),
    }
}

/// The argument of `Plugin.Run` (`name` is `step.RunArgs`), `Terminate` and `Abort`: type and value.
pub fn step_args(name: &str, rollout: &Json, plugin: &str, config: &Json, status: &[u8]) -> (Schema, Value) {
    let type_name = name.rsplit('.').next().unwrap_or(name);
    let context = StructDef::new("RpcStepContext")
        .field("PluginName", Schema::String)
        .field("Config", Schema::Bytes)
        .field("Status", Schema::Bytes);
    let args = StructDef::new(type_name).pointer("Rollout", rollout_type()).pointer("Context", context);
    let value = Value::record(
        type_name,
        [
            ("Rollout", rollout_value(rollout)),
            (
                "Context",
                Value::record(
                    "RpcStepContext",
                    [
                        ("PluginName", Value::String(plugin.to_owned())),
                        ("Config", Value::Bytes(config.to_string().into_bytes())),
                        ("Status", Value::Bytes(status.to_vec())),
                    ],
                ),
            ),
        ],
    );
    (Schema::interface([(name, args.into())]), Value::interface(name, value))
}

fn string_map() -> Schema {
    Schema::map("map[string]string", Schema::String, Schema::String)
}

fn meta_type() -> StructDef {
    StructDef::new("ObjectMeta")
        .field("Name", Schema::String)
        .field("Namespace", Schema::String)
        .field("UID", Schema::String)
        .field("Labels", string_map())
        .field("Annotations", string_map())
}

fn rollout_type() -> StructDef {
    let container = StructDef::new("Container").field("Name", Schema::String).field("Image", Schema::String);
    let pod = StructDef::new("PodSpec").field("Containers", Schema::slice("[]v1.Container", container));
    let template = StructDef::new("PodTemplateSpec").field("ObjectMeta", meta_type()).field("Spec", pod);
    let spec = StructDef::new("RolloutSpec").field("Template", template);
    let status = StructDef::new("RolloutStatus")
        .field("CurrentPodHash", Schema::String)
        .field("StableRS", Schema::String)
        .pointer("CurrentStepIndex", Schema::Int);
    StructDef::new("Rollout").field("ObjectMeta", meta_type()).field("Spec", spec).field("Status", status)
}

fn text(json: &Json, pointer: &str) -> Value {
    Value::String(json.pointer(pointer).and_then(Json::as_str).unwrap_or_default().to_owned())
}

fn map(json: &Json, pointer: &str) -> Value {
    let entries = json.pointer(pointer).and_then(Json::as_object).into_iter().flatten();
    let entry = |(key, value): (&String, &Json)| {
        (Value::String(key.clone()), Value::String(value.as_str().unwrap_or_default().to_owned()))
    };
    Value::Map(entries.map(entry).collect())
}

fn meta_value(object: &Json) -> Value {
    Value::record(
        "ObjectMeta",
        [
            ("Name", text(object, "/metadata/name")),
            ("Namespace", text(object, "/metadata/namespace")),
            ("UID", text(object, "/metadata/uid")),
            ("Labels", map(object, "/metadata/labels")),
            ("Annotations", map(object, "/metadata/annotations")),
        ],
    )
}

fn rollout_value(rollout: &Json) -> Value {
    let template = rollout.pointer("/spec/template").unwrap_or(&Json::Null);
    let containers = template.pointer("/spec/containers").and_then(Json::as_array).into_iter().flatten();
    let container =
        |json: &Json| Value::record("Container", [("Name", text(json, "/name")), ("Image", text(json, "/image"))]);
    let pod = Value::record("PodSpec", [("Containers", Value::List(containers.map(container).collect()))]);
    let template = Value::record("PodTemplateSpec", [("ObjectMeta", meta_value(template)), ("Spec", pod)]);
    let step = rollout.pointer("/status/currentStepIndex").and_then(Json::as_i64).unwrap_or_default();
    let status = Value::record(
        "RolloutStatus",
        [
            ("CurrentPodHash", text(rollout, "/status/currentPodHash")),
            ("StableRS", text(rollout, "/status/stableRS")),
            ("CurrentStepIndex", Value::Int(step)),
        ],
    );
    Value::record(
        "Rollout",
        [
            ("ObjectMeta", meta_value(rollout)),
            ("Spec", Value::record("RolloutSpec", [("Template", template)])),
            ("Status", status),
        ],
    )
}
