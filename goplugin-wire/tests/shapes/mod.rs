//! A small plugin to be served: its methods echo, wait, fail, and answer at length.
#![allow(dead_code, reason = "each test file uses its own part")]

use std::sync::Arc;
use std::time::Duration;

use goplugin_wire::{Call, Reply, Schema, Service, StructDef, Value};

pub(crate) struct Shapes;

impl Service for Shapes {
    fn methods(&self, plugin: &str) -> Option<&[&str]> {
        (plugin == "shapes").then_some(&["Echo", "Slow", "Never", "Fail", "Big", "Panic", "Misfit"])
    }

    async fn call(&self, call: Call) -> Result<Reply, String> {
        assert_eq!(call.plugin, "shapes");
        let number = call.argument.as_i64().unwrap_or_default();
        match call.method.as_str() {
            "Echo" => Ok(Reply::new(&Schema::Bytes, call.argument.as_bytes().unwrap_or_default().to_vec())),
            "Slow" => {
                tokio::time::sleep(Duration::from_millis(number.unsigned_abs())).await;
                Ok(Reply::new(&Schema::Int, number))
            }
            "Never" => std::future::pending().await,
            "Fail" => Err(format!("no shape has {number} corners")),
            "Big" => Ok(Reply::new(&Schema::Bytes, vec![7; usize::try_from(number).unwrap()])),
            "Panic" => panic!("a bug in one call"),
            "Misfit" => Ok(Reply::new(&StructDef::new("Shape").field("Area", Schema::Int).into(), Value::Int(1))),
            other => panic!("{other} is not one of the methods"),
        }
    }
}

pub(crate) fn shapes() -> Arc<Shapes> {
    Arc::new(Shapes)
}
