//! Argo Rollouts' own front: the methods of its net/rpc step plugin, each answered by the tonic service. Thin: it picks
//! the argument apart, asks, and puts the answer into Argo's words (argo-rollouts 1.10.2, rollout/steps/plugin/rpc).

use goplugin_wire::{Call, Interest, Reply, Schema, Service, StructDef, Value};
use proto::step::v1::{AbortRequest, TerminateRequest, step_plugin_server::StepPlugin};
use tonic::{Request, Status};

use crate::{
    grpc::convert::{self, BadMessage, Told},
    step::{
        message,
        rollout::{BadArgument, PICKED, StepCall, pick},
    },
};

/// The name of the step plugin set in Argo Rollouts' host.
pub const PLUGIN_SET: &str = "RpcStepPlugin";
/// What this plugin calls itself, and is called in a Rollout's steps.
pub const PLUGIN_NAME: &str = "phasegate/gate";

const METHODS: [&str; 5] = ["InitPlugin", "Type", "Run", "Terminate", "Abort"];

/// The front over a service.
pub struct Front<S> {
    service: S,
    rpc_error: Schema,
    response: Schema,
}

/// Why a call was not decided. All of them reach Argo as the text of an RpcError, which it retries.
#[derive(Debug, thiserror::Error)]
enum Undecided {
    #[error("undecided: {0}")]
    Argument(#[from] BadArgument),
    #[error("undecided: {0}")]
    Message(#[from] BadMessage),
    #[error("undecided: the gate refused the call: {}", .0.message())]
    Status(#[from] Box<Status>),
    /// The service's own words.
    #[error("{0}")]
    Told(String),
}

impl<S: StepPlugin> Front<S> {
    /// A front over this service.
    pub fn new(service: S) -> Self {
        let rpc_error: Schema = StructDef::new("RpcError").field("ErrorString", Schema::String).into();
        let result = StructDef::new("RpcStepResult")
            .field("Phase", Schema::String)
            .field("Message", Schema::String)
            .field("RequeueAfter", Schema::Int)
            .field("Status", Schema::Bytes);
        let response = StructDef::new("Response").field("Result", result).field("Error", rpc_error.clone()).into();
        Self { service, rpc_error, response }
    }

    async fn step(&self, method: &str, argument: &Value) -> Result<Told, Undecided> {
        let call = pick(argument)?;
        match method {
            "Run" => self.run(call).await,
            "Terminate" => {
                let request = TerminateRequest { rollout: Some(convert::rollout_to_wire(call.rollout)) };
                let response = self.service.terminate(Request::new(request)).await.map_err(Box::new)?;
                Ok(convert::told_result(response.into_inner().result)?)
            }
            _ => {
                let request = AbortRequest { rollout: Some(convert::rollout_to_wire(call.rollout)) };
                let response = self.service.abort(Request::new(request)).await.map_err(Box::new)?;
                Ok(convert::told_result(response.into_inner().result)?)
            }
        }
    }

    async fn run(&self, call: StepCall) -> Result<Told, Undecided> {
        let response = self.service.run(Request::new(convert::run_request(call))).await.map_err(Box::new)?;
        convert::told(response.into_inner())?.map_err(Undecided::Told)
    }
}

impl<S: StepPlugin> Service for Front<S> {
    fn methods(&self, plugin: &str) -> Option<&[&str]> {
        (plugin == PLUGIN_SET).then_some(&METHODS)
    }

    fn interest(&self, _plugin: &str, method: &str) -> &'static Interest {
        match method {
            "Run" | "Terminate" | "Abort" => &PICKED,
            _ => &Interest::Whole,
        }
    }

    async fn call(&self, call: Call) -> Result<Reply, String> {
        match call.method.as_str() {
            // Never fails and needs nothing: Argo reports an error of it once and then carries on as if there were none.
            "InitPlugin" => Ok(Reply::new(&self.rpc_error, Value::record("RpcError", []))),
            "Type" => Ok(Reply::new(&Schema::String, PLUGIN_NAME)),
            method @ ("Run" | "Terminate" | "Abort") => {
                Ok(Reply::new(&self.response, response(self.step(method, &call.argument).await)))
            }
            other => Err(format!("there is no method {other}")),
        }
    }
}

fn response(told: Result<Told, Undecided>) -> Value {
    match told {
        Ok(Told { phase, message, requeue_after, status }) => {
            let nanoseconds = requeue_after.map_or(0, |after| i64::try_from(after.as_nanos()).unwrap_or(i64::MAX));
            let result = Value::record(
                "RpcStepResult",
                [
                    ("Phase", phase.as_str().into()),
                    ("Message", message.into()),
                    ("RequeueAfter", Value::Int(nanoseconds)),
                    ("Status", status.into()),
                ],
            );
            Value::record("Response", [("Result", result)])
        }
        Err(why) => {
            let error = Value::record("RpcError", [("ErrorString", message::clipped(&why.to_string()).into())]);
            Value::record("Response", [("Error", error)])
        }
    }
}

#[cfg(test)]
mod tests;
