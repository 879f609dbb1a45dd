//! The recorded session of a Go host and a Go plugin (captures/step-plugin-session.txt holds it and its recipe): the
//! host's bytes are fed to our session, and our answers are held against the Go plugin's.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a failed test should panic"
)]

use std::collections::BTreeMap;
use std::time::Duration;

use goplugin_wire::gob::encode::TypeIds;
use goplugin_wire::netrpc::Answerer;
use goplugin_wire::session::{Catalogue, Session};
use goplugin_wire::{Call, Ended, Interest, Limits, Reply, Schema, StructDef, Value};
use proptest::prelude::*;

mod wire;
use wire::{ACK, Frame, From, Recorded, WINDOW_UPDATE, decode_all, payload_of, recorded_session, take_frames};

/// The plugin as recorded.
struct StepPlugin;

impl Catalogue for StepPlugin {
    fn has_plugin(&self, plugin: &str) -> bool {
        plugin == "RpcStepPlugin"
    }

    fn has_method(&self, _: &str, method: &str) -> bool {
        ["InitPlugin", "Run", "Terminate", "Abort", "Type"].contains(&method)
    }
}

fn error_schema() -> Schema {
    StructDef::new("RpcError").field("ErrorString", Schema::String).into()
}

fn response_schema() -> Schema {
    let result = StructDef::new("RpcStepResult")
        .field("Phase", Schema::String)
        .field("Message", Schema::String)
        .field("RequeueAfter", Schema::Int)
        .field("Status", Schema::Bytes);
    StructDef::new("Response").field("Result", result).field("Error", error_schema()).into()
}

fn nanoseconds(duration: Duration) -> Value {
    Value::Int(i64::try_from(duration.as_nanos()).unwrap())
}

/// What the Go plugin said to the same calls.
fn answer(call: &Call) -> Reply {
    assert_eq!(call.plugin, "RpcStepPlugin");
    let response = |fields: Vec<(&str, Value)>| Reply::new(&response_schema(), Value::record("Response", fields));
    match call.method.as_str() {
        "InitPlugin" => {
            assert!(call.argument.is_nil());
            Reply::new(&error_schema(), Value::record("RpcError", []))
        }
        "Run" => {
            assert_eq!(call.argument.interface_name(), Some("step.RunArgs"));
            let name = call.argument.at(&["Rollout", "ObjectMeta", "Name"]).and_then(Value::as_str).unwrap();
            assert_eq!(call.argument.at(&["Context", "Config"]).and_then(Value::as_bytes), Some(&b"{\"x\":1}"[..]));
            let result = [
                ("Phase", "Running".into()),
                ("Message", format!("waiting {name}").into()),
                ("RequeueAfter", nanoseconds(Duration::from_secs(15))),
                ("Status", b"{\"n\":1}".to_vec().into()),
            ];
            response(vec![("Result", Value::record("RpcStepResult", result))])
        }
        "Terminate" => response(Vec::new()),
        "Abort" => {
            assert_eq!(call.argument.at(&["Rollout", "ObjectMeta", "Namespace"]).and_then(Value::as_str), Some("ns"));
            response(vec![("Error", Value::record("RpcError", [("ErrorString", "boom".into())]))])
        }
        "Type" => Reply::new(&Schema::String, "golden"),
        other => panic!("{other}"),
    }
}

fn frames_from(from: From) -> Vec<Frame> {
    recorded_session().into_iter().filter(|recorded| recorded.from == from).map(|recorded| recorded.frame).collect()
}

/// The plugin's values on a stream; on a dispensed plugin's, after the four bytes that greet it.
fn values(frames: &[Frame], stream: u32) -> Vec<Value> {
    let payload = payload_of(frames, stream);
    decode_all(if stream == 7 { payload.strip_prefix(&[1, 0, 0, 0]).unwrap() } else { &payload })
}

/// Header and body of each answer by the number of the request: answers may overtake each other.
fn answers(frames: &[Frame], stream: u32) -> BTreeMap<u64, (Value, Value)> {
    let values = values(frames, stream);
    let pair = |pair: &[Value]| {
        let seq = pair[0].field("Seq").and_then(Value::as_u64).unwrap_or_default();
        (seq, (pair[0].clone(), pair[1].clone()))
    };
    values.chunks(2).map(pair).collect()
}

/// Plays the host's part in the given pieces and answers every call as it comes.
fn play<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> (Vec<Frame>, Vec<Call>, Option<Ended>) {
    let mut session = Session::new(StepPlugin, Limits::default());
    let (mut frames, mut calls, mut out) = (Vec::new(), Vec::new(), Vec::new());
    for piece in pieces {
        session.receive(Duration::ZERO, piece).unwrap();
        while let Some((id, call)) = session.next_call() {
            session.reply(id, &Ok(answer(&call))).unwrap();
            calls.push(call);
        }
        out.extend(session.take_output(usize::MAX).unwrap());
        frames.extend(take_frames(&mut out));
    }
    assert!(out.is_empty(), "only whole frames are sent");
    (frames, calls, session.ended())
}

#[test]
fn our_answers_are_the_go_plugins() {
    let host: Vec<Vec<u8>> = frames_from(From::Host).iter().map(Frame::bytes).collect();
    let (ours, calls, ended) = play(host.iter().map(Vec::as_slice));
    let theirs = frames_from(From::Plugin);
    assert_eq!(values(&ours, 7), values(&theirs, 7), "decoded, on the plugin's stream");
    assert_eq!(payload_of(&ours, 1), payload_of(&theirs, 1), "byte for byte, on the control stream");
    let methods: Vec<&str> = calls.iter().map(|call| call.method.as_str()).collect();
    assert_eq!(methods, ["InitPlugin", "Run", "Run", "Terminate", "Abort", "Type"], "and not the unknown one");
    assert_eq!(ended, Some(Ended::Quit));
}

/// The bytes differ from the recording in the numbers of two types only, because there both ends shared one count.
#[test]
fn our_answers_are_the_go_plugins_byte_for_byte_when_types_are_numbered_as_there() {
    let mut ids = TypeIds::starting_at(65);
    let mut control = Answerer::new(Limits::default());
    let mut plugin = Answerer::new(Limits::default());
    let mut calls = 0;
    let mut expected: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    let mut found: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    for Recorded { call, from, frame } in recorded_session() {
        // The first four bytes on the plugin's stream are its number, in either direction.
        if frame.kind != wire::DATA || frame.length == 4 {
            continue;
        }
        if from == From::Plugin {
            expected.entry(call).or_default().extend(&frame.payload);
            continue;
        }
        let answerer = if frame.stream == 1 { &mut control } else { &mut plugin };
        answerer.feed(&frame.payload);
        while let Some(request) = answerer.next_request(|_| &Interest::Whole).unwrap() {
            calls += 1;
            let header = &request.header;
            let (service, method) = header.service_method.split_once('.').unwrap();
            if call == "Run" {
                ids.skip(314 - 68); // what the host, in the same process, had numbered by then
            }
            let nothing = Ok(Reply::new(&Schema::empty_struct(), Value::record("", [])));
            let result = match (service, method) {
                ("Control", _) => nothing,
                ("Dispenser", _) => Ok(Reply::new(&Schema::Uint, 1_u32)),
                (_, "Nope") => Err("rpc: can't find method Plugin.Nope".to_owned()),
                _ => Ok(answer(&Call {
                    plugin: "RpcStepPlugin".into(),
                    method: method.into(),
                    argument: request.argument.clone().unwrap(),
                })),
            };
            let result = result.as_ref().map(|reply| (&reply.schema, &reply.value)).map_err(String::as_str);
            found.entry(call.clone()).or_default().extend(answerer.respond(&mut ids, header, result));
        }
    }
    assert_eq!(calls, 10);
    assert_eq!(found, expected);
}

#[test]
fn streams_are_acknowledged_at_once_and_in_order() {
    let host: Vec<Vec<u8>> = frames_from(From::Host).iter().map(Frame::bytes).collect();
    let (ours, ..) = play(host.iter().map(Vec::as_slice));
    let acknowledged = |stream| Frame::new(WINDOW_UPDATE, ACK, stream, 0);
    assert_eq!(ours[..3], [acknowledged(1), acknowledged(3), acknowledged(5)], "before anything is said on them");
    let at = ours.iter().position(|frame| *frame == acknowledged(7)).unwrap();
    assert_eq!(ours[at + 1], Frame::data(7, [1, 0, 0, 0]), "the number that was dialled comes back");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn however_the_hosts_bytes_are_cut_the_calls_are_the_same(cuts in proptest::collection::vec(0..40_000_usize, 0..40)) {
        let bytes: Vec<u8> = frames_from(From::Host).iter().flat_map(Frame::bytes).collect();
        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut % bytes.len()).chain([0, bytes.len()]).collect();
        cuts.sort_unstable();
        let (whole, calls, ended) = play([bytes.as_slice()]);
        let (cut, cut_calls, cut_ended) = play(cuts.windows(2).map(|pair| &bytes[pair[0]..pair[1]]));
        prop_assert_eq!(cut_calls, calls);
        prop_assert_eq!(cut_ended, ended);
        for stream in [1, 7] {
            prop_assert_eq!(answers(&cut, stream), answers(&whole, stream));
        }
    }

    #[test]
    fn a_mutated_session_ends_in_an_error_or_in_answers(
        mutations in proptest::collection::vec((0..40_000_usize, any::<u8>()), 1..8),
        piece in 1..5000_usize,
    ) {
        let mut bytes: Vec<u8> = frames_from(From::Host).iter().flat_map(Frame::bytes).collect();
        for (place, byte) in mutations {
            let place = place % bytes.len();
            bytes[place] = byte;
        }
        let mut session = Session::new(StepPlugin, Limits::default());
        for piece in bytes.chunks(piece) {
            if session.receive(Duration::ZERO, piece).is_err() {
                break;
            }
            while let Some((id, call)) = session.next_call() {
                let reply = Reply::new(&Schema::String, call.method);
                if session.reply(id, &Ok(reply)).is_err() {
                    return Ok(());
                }
            }
            if session.take_output(usize::MAX).is_err() {
                return Ok(());
            }
        }
    }
}

/// One byte at a time is the finest cut there is.
#[test]
fn a_session_of_single_bytes_is_the_same_session() {
    let bytes: Vec<u8> = frames_from(From::Host).iter().flat_map(Frame::bytes).collect();
    let (whole, calls, _) = play([bytes.as_slice()]);
    let (single, single_calls, _) = play(bytes.chunks(1));
    assert_eq!(single_calls, calls);
    assert_eq!(answers(&single, 7), answers(&whole, 7));
    assert_eq!(answers(&single, 7).len(), 7);
}
