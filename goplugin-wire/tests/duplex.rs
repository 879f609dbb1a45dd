//! Host and plugin over a pipe in memory and in paused time; and a host that says frames by hand, to see and to do what
//! a well-behaved one never would.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a failed test should panic"
)]

use std::time::Duration;

use goplugin_wire::gob::encode::TypeIds;
use goplugin_wire::host::{CallError, Host};
use goplugin_wire::netrpc::{Asker, Response};
use goplugin_wire::{Ended, Limits, Schema, ServeError, Value, serve_connection};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, sleep, timeout};

mod shapes;
mod wire;
use shapes::shapes;
use wire::{ACK, DATA, FIN, Frame, GO_AWAY, PING, RST, SYN, WINDOW_UPDATE, take_frames, unhex};

const WINDOW: usize = 256 * 1024;

type Serving = JoinHandle<Result<Ended, ServeError>>;

fn start(limits: Limits) -> (Host, Serving) {
    let (ours, theirs) = duplex(64 * 1024);
    (Host::connect(ours, Limits::default()), tokio::spawn(serve_connection(theirs, shapes(), limits)))
}

fn remote(text: &str) -> CallError {
    CallError::Remote(text.to_owned())
}

#[tokio::test(start_paused = true)]
async fn two_hundred_calls_run_side_by_side_and_are_answered_out_of_order() {
    let (host, _serving) = start(Limits::default());
    let plugin = host.dispense("shapes").await.unwrap();
    let started = Instant::now();
    let mut calls = JoinSet::new();
    for number in 0..200_i64 {
        let plugin = plugin.clone();
        calls.spawn(async move { plugin.call("Slow", &Schema::Int, Value::Int(1000 - number)).await });
    }
    let mut answered = Vec::new();
    while let Some(answer) = calls.join_next().await {
        answered.push(answer.unwrap().unwrap().as_i64().unwrap());
    }
    assert_eq!(answered, (801..=1000).collect::<Vec<i64>>(), "the one asked last needs the least time");
    assert!(started.elapsed() < Duration::from_millis(1100), "not one after the other: {:?}", started.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_ping_is_answered_at_once_while_calls_hang() {
    let (host, _serving) = start(Limits { max_calls: 50, ..Limits::default() });
    let plugin = host.dispense("shapes").await.unwrap();
    let mut hanging = JoinSet::new();
    // More than may run: the rest waits in the stream, and the ping overtakes it all.
    for _ in 0..100 {
        let plugin = plugin.clone();
        hanging.spawn(async move { plugin.call("Never", &Schema::Bytes, vec![1; 100_000].into()).await });
    }
    sleep(Duration::from_millis(10)).await;
    let asked = Instant::now();
    host.ping().await.unwrap();
    assert_eq!(asked.elapsed(), Duration::ZERO);
    assert!(hanging.try_join_next().is_none());
}

#[tokio::test(start_paused = true)]
async fn quit_is_answered_before_serving_ends_even_while_calls_hang() {
    let (host, serving) = start(Limits::default());
    let plugin = host.dispense("shapes").await.unwrap();
    let hanging = tokio::spawn({
        let plugin = plugin.clone();
        async move { plugin.call("Never", &Schema::Int, Value::Int(1)).await }
    });
    sleep(Duration::from_millis(1)).await;
    let asked = Instant::now();
    host.quit().await.unwrap();
    assert_eq!(serving.await.unwrap().unwrap(), Ended::Quit);
    assert!(asked.elapsed() < Duration::from_secs(2), "a host kills after two seconds");
    assert!(matches!(hanging.await.unwrap(), Err(CallError::ShutDown { .. })));
    assert!(matches!(host.ping().await, Err(CallError::ShutDown { .. })), "the connection is gone");
}

#[tokio::test(start_paused = true)]
async fn serving_ends_when_the_connection_does() {
    let (host, serving) = start(Limits::default());
    host.ping().await.unwrap();
    drop(host);
    assert_eq!(serving.await.unwrap().unwrap(), Ended::Disconnected);
}

#[tokio::test(start_paused = true)]
async fn a_hundred_idle_seconds_change_nothing() {
    let (host, serving) = start(Limits::default());
    let plugin = host.dispense("shapes").await.unwrap();
    sleep(Duration::from_secs(100)).await;
    host.ping().await.unwrap();
    assert_eq!(plugin.call("Slow", &Schema::Int, Value::Int(3)).await, Ok(Value::Int(3)));
    assert!(!serving.is_finished());
}

#[tokio::test(start_paused = true)]
async fn errors_are_worded_as_gos_own() {
    let (host, _serving) = start(Limits::default());
    assert_eq!(host.dispense("circles").await.unwrap_err(), remote("unknown plugin type: circles"));
    let plugin = host.dispense("shapes").await.unwrap();
    let call = |method: &'static str| {
        let plugin = plugin.clone();
        async move { plugin.call(method, &Schema::Int, Value::Int(2)).await }
    };
    assert_eq!(call("Fail").await, Err(remote("no shape has 2 corners")));
    assert_eq!(call("Gone").await, Err(remote("rpc: can't find method Plugin.Gone")));
    assert_eq!(call("Other.Gone").await, Err(remote("rpc: can't find service Plugin.Other.Gone")));
    let misfit = "cannot send the value at `the value itself`: its schema says a struct";
    assert_eq!(call("Misfit").await, Err(remote(misfit)));
    assert!(matches!(call("Panic").await, Err(CallError::Remote(text)) if text.contains("its log says more")));
    assert_eq!(call("Slow").await, Ok(Value::Int(2)), "one call's bug is that call's alone");
}

#[tokio::test(start_paused = true)]
async fn a_megabyte_goes_either_way_through_windows_of_a_quarter() {
    let (host, _serving) = start(Limits::default());
    let plugin = host.dispense("shapes").await.unwrap();
    let big: Vec<u8> = (0..1_048_576_u32).map(|number| (number % 251) as u8).collect();
    let echoed = plugin.call("Echo", &Schema::Bytes, big.clone().into()).await.unwrap();
    assert_eq!(echoed.as_bytes(), Some(big.as_slice()));
    let too_big = plugin.call("Big", &Schema::Int, Value::Int(9 << 20)).await;
    assert!(matches!(&too_big, Err(CallError::ShutDown { why }) if why.contains("9437")), "{too_big:?}");
    host.ping().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_message_that_is_too_long_costs_its_stream_and_no_other() {
    let (host, _serving) = start(Limits { max_message: 1000, ..Limits::default() });
    let plugin = host.dispense("shapes").await.unwrap();
    let lost = plugin.call("Echo", &Schema::Bytes, vec![0; 2000].into()).await;
    assert!(matches!(lost, Err(CallError::ShutDown { .. })), "{lost:?}");
    host.ping().await.unwrap();
    let again = host.dispense("shapes").await.unwrap();
    assert_eq!(again.call("Slow", &Schema::Int, Value::Int(1)).await, Ok(Value::Int(1)));
}

#[tokio::test(start_paused = true)]
async fn an_argument_that_cannot_be_decoded_costs_its_call_and_no_other() {
    let (host, _serving) = start(Limits { max_decoded: 4000, ..Limits::default() });
    let plugin = host.dispense("shapes").await.unwrap();
    let refused = plugin.call("Echo", &Schema::Bytes, vec![0; 5000].into()).await;
    let text = "rpc: cannot decode the argument of Plugin.Echo: too much in one gob stream: more than 4000 bytes of \
                memory for one value";
    assert_eq!(refused, Err(remote(text)));
    assert_eq!(plugin.call("Slow", &Schema::Int, Value::Int(1)).await, Ok(Value::Int(1)));
}

#[tokio::test(start_paused = true)]
async fn no_more_plugins_are_dispensed_than_allowed() {
    let (host, _serving) = start(Limits { max_connections: 3, ..Limits::default() });
    let _held = [host.dispense("shapes").await.unwrap(), host.dispense("shapes").await.unwrap()];
    let error = host.dispense("shapes").await.unwrap_err();
    assert_eq!(error, remote("cannot dispense shapes: too many plugins are dispensed already"));
}

/// A host by hand.
struct Raw {
    pipe: DuplexStream,
    input: Vec<u8>,
    frames: Vec<Frame>,
    ids: TypeIds,
    control: Asker,
    plugin: Asker,
}

impl Raw {
    fn connect(limits: Limits) -> (Self, Serving) {
        let (pipe, theirs) = duplex(8 << 20);
        let serving = tokio::spawn(serve_connection(theirs, shapes(), limits));
        let asker = || Asker::new(Limits { max_message: 64 << 20, max_decoded: 64 << 20, ..Limits::default() });
        let ids = TypeIds::starting_at(64);
        (Self { pipe, input: Vec::new(), frames: Vec::new(), ids, control: asker(), plugin: asker() }, serving)
    }

    async fn open(limits: Limits) -> (Self, Serving) {
        let (mut raw, serving) = Self::connect(limits);
        for stream in [1, 3, 5] {
            raw.send(Frame::new(WINDOW_UPDATE, SYN, stream, 0)).await;
        }
        for stream in [1, 3, 5] {
            assert_eq!(raw.next().await, Some(Frame::new(WINDOW_UPDATE, ACK, stream, 0)));
        }
        (raw, serving)
    }

    /// With a plugin dispensed, on stream 7.
    async fn dispensed(limits: Limits) -> (Self, Serving) {
        let (mut raw, serving) = Self::open(limits).await;
        let number = raw.dispense().await;
        raw.dial(7, number).await;
        assert_eq!(raw.next().await, Some(Frame::new(WINDOW_UPDATE, ACK, 7, 0)));
        assert_eq!(raw.next().await, Some(Frame::data(7, number.to_le_bytes())));
        (raw, serving)
    }

    async fn send(&mut self, frame: Frame) {
        self.pipe.write_all(&frame.bytes()).await.unwrap();
    }

    /// The next frame; `None` when the plugin closed the connection.
    async fn next(&mut self) -> Option<Frame> {
        let mut chunk = vec![0; 65_536];
        while self.frames.is_empty() {
            let count = self.pipe.read(&mut chunk).await.unwrap();
            if count == 0 {
                return None;
            }
            self.input.extend(&chunk[..count]);
            self.frames = take_frames(&mut self.input);
        }
        Some(self.frames.remove(0))
    }

    /// Nothing more comes, unless time passes.
    async fn silent(&mut self) -> bool {
        timeout(Duration::from_millis(1), self.next()).await.is_err()
    }

    async fn ask_control(&mut self, method: &str, schema: Schema, argument: Value) -> Response {
        let mut bytes = Vec::new();
        self.control.ask(&mut self.ids, method, &schema, &argument, &mut bytes).unwrap();
        self.send(Frame::data(1, bytes)).await;
        loop {
            if let Some(response) = self.control.next_response().unwrap() {
                return response;
            }
            let frame = self.next().await.unwrap();
            assert_eq!((frame.kind, frame.stream), (DATA, 1), "{frame:?}");
            self.control.feed(&frame.payload);
        }
    }

    async fn ping(&mut self) {
        let response = self.ask_control("Control.Ping", Schema::Bool, true.into()).await;
        assert_eq!(response.result, Ok(Value::record("", [])));
    }

    async fn dispense(&mut self) -> u32 {
        let response = self.ask_control("Dispenser.Dispense", Schema::String, "shapes".into()).await;
        u32::try_from(response.result.unwrap().as_u64().unwrap()).unwrap()
    }

    async fn dial(&mut self, stream: u32, number: u32) {
        self.send(Frame::new(WINDOW_UPDATE, SYN, stream, 0)).await;
        self.send(Frame::data(stream, number.to_le_bytes())).await;
    }

    fn request(&mut self, method: &str, schema: &Schema, argument: &Value) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.plugin.ask(&mut self.ids, &format!("Plugin.{method}"), schema, argument, &mut bytes).unwrap();
        bytes
    }
}

#[tokio::test(start_paused = true)]
async fn streams_are_acknowledged_before_anything_is_said_on_them_and_pings_go_both_ways() {
    let started = Instant::now();
    let (mut raw, serving) = Raw::open(Limits::default()).await;
    assert!(raw.silent().await);
    raw.send(Frame::new(PING, SYN, 0, 77)).await;
    assert_eq!(raw.next().await, Some(Frame::new(PING, ACK, 0, 77)));
    for number in 1..=3 {
        assert_eq!(raw.next().await, Some(Frame::new(PING, SYN, 0, number)));
        assert_eq!(started.elapsed().as_secs(), u64::from(number) * 30);
        raw.send(Frame::new(PING, ACK, 0, number)).await;
    }
    sleep(Duration::from_secs(10)).await;
    raw.ping().await;
    assert!(!serving.is_finished());
}

#[tokio::test(start_paused = true)]
async fn a_host_that_answers_no_ping_is_left_after_ten_seconds() {
    let (mut raw, serving) = Raw::open(Limits::default()).await;
    let started = Instant::now();
    assert_eq!(raw.next().await, Some(Frame::new(PING, SYN, 0, 1)));
    raw.send(Frame::new(PING, ACK, 0, 2)).await; // an answer, but not to this ping
    let error = serving.await.unwrap().unwrap_err();
    assert_eq!(started.elapsed().as_secs(), 40);
    assert_eq!(error.to_string(), "the session with the host cannot go on");
    let cause = std::error::Error::source(&error).unwrap().to_string();
    assert_eq!(cause, "the peer did not answer a yamux ping within 10 s");
}

#[tokio::test(start_paused = true)]
async fn a_reply_stops_at_the_window_until_the_host_grants_more() {
    let (mut raw, _serving) = Raw::dispensed(Limits::default()).await;
    let request = raw.request("Big", &Schema::Int, &Value::Int(1 << 20));
    raw.send(Frame::data(7, request)).await;
    let mut received = 0;
    let mut granted = WINDOW - 4; // the greeting was data too
    let mut response = None;
    while response.is_none() {
        while received < granted {
            let Ok(frame) = timeout(Duration::from_millis(1), raw.next()).await else { break };
            let frame = frame.unwrap();
            assert_eq!((frame.kind, frame.stream), (DATA, 7));
            received += frame.payload.len();
            raw.plugin.feed(&frame.payload);
        }
        assert!(received <= granted, "{received} bytes where {granted} were granted");
        response = raw.plugin.next_response().unwrap();
        if response.is_none() {
            assert_eq!(received, granted, "all that was granted is used");
            assert!(raw.silent().await, "and not a byte more");
            // The rest of the session is not held up.
            raw.ping().await;
            raw.send(Frame::new(WINDOW_UPDATE, 0, 7, 100_000)).await;
            granted += 100_000;
        }
    }
    assert_eq!(response.unwrap().result.unwrap().as_bytes().map(<[u8]>::len), Some(1 << 20));
}

#[tokio::test(start_paused = true)]
async fn a_stream_with_too_much_to_do_is_not_granted_more() {
    let (mut raw, serving) = Raw::dispensed(Limits { max_calls: 3, ..Limits::default() }).await;
    let requests: Vec<u8> =
        (0..2000).flat_map(|_| raw.request("Never", &Schema::Bytes, &Value::Bytes(vec![0; 2000]))).collect();
    let mut rest = requests.as_slice();
    let mut window = WINDOW - 4; // the greeting was data too
    // As a host does: send what is granted, until nothing more is.
    while window > 0 {
        let (piece, after) = rest.split_at(window.min(32 * 1024).min(rest.len()));
        assert!(!piece.is_empty(), "four megabytes were taken for calls that cannot be made");
        rest = after;
        window -= piece.len();
        raw.send(Frame::data(7, piece)).await;
        while let Ok(frame) = timeout(Duration::from_millis(1), raw.next()).await {
            let frame = frame.unwrap();
            assert_eq!((frame.kind, frame.stream), (WINDOW_UPDATE, 7));
            window += frame.length as usize;
        }
    }
    let sent = requests.len() - rest.len();
    assert!((WINDOW - 4..2 * WINDOW).contains(&sent), "{sent} bytes were taken");
    raw.ping().await;
    assert!(!serving.is_finished());
}

#[tokio::test(start_paused = true)]
async fn a_frame_beyond_its_window_ends_the_session_before_its_bytes_come() {
    let (mut raw, serving) = Raw::open(Limits::default()).await;
    raw.send(Frame::new(DATA, 0, 1, WINDOW as u32 + 1)).await;
    assert_eq!(raw.next().await, Some(Frame::new(GO_AWAY, 0, 0, 1)), "a protocol error, and why we leave");
    assert_eq!(raw.next().await, None);
    let error = serving.await.unwrap().unwrap_err();
    let cause = std::error::Error::source(&error).unwrap().to_string();
    assert_eq!(cause, "a yamux frame of 262145 bytes on stream 1, where 262144 were granted");
}

#[tokio::test(start_paused = true)]
async fn what_is_not_yamux_ends_the_session_with_a_reason() {
    for (frame, cause) in [
        ("GET / HTTP/1.1\r\n\r\n".as_bytes().to_vec(), "a yamux frame of version 71, which is not spoken here"),
        (unhex("000900000000000100000000"), "a yamux frame of unknown kind 9"),
        (Frame::new(WINDOW_UPDATE, SYN, 2, 0).bytes(), "the peer cannot open yamux stream 2"),
        (Frame::new(WINDOW_UPDATE, SYN, 1, 0).bytes(), "the peer cannot open yamux stream 1"),
        (Frame::new(WINDOW_UPDATE, 0, 1, u32::MAX).bytes(), "the yamux window of stream 1 overflows"),
        (Frame::new(GO_AWAY, 0, 0, 2).bytes(), "the peer ended the yamux session with error 2"),
    ] {
        let (mut raw, serving) = Raw::open(Limits::default()).await;
        raw.pipe.write_all(&frame).await.unwrap();
        let error = serving.await.unwrap().unwrap_err();
        assert_eq!(std::error::Error::source(&error).unwrap().to_string(), cause);
    }
}

#[tokio::test(start_paused = true)]
async fn garbage_on_a_plugins_stream_resets_that_stream_and_no_other() {
    for garbage in ["f7", "fcffffffff", "0003ff8200", "03ff8200", "040c000178"] {
        let (mut raw, serving) = Raw::dispensed(Limits::default()).await;
        raw.send(Frame::data(7, unhex(garbage))).await;
        assert_eq!(raw.next().await, Some(Frame::new(WINDOW_UPDATE, RST, 7, 0)), "{garbage}");
        // What was under way when the stream was reset is thrown away.
        raw.send(Frame::data(7, vec![0; 1000])).await;
        raw.ping().await;
        let number = raw.dispense().await;
        raw.dial(9, number).await;
        assert_eq!(raw.next().await, Some(Frame::new(WINDOW_UPDATE, ACK, 9, 0)));
        assert!(!serving.is_finished());
    }
}

#[tokio::test(start_paused = true)]
async fn half_a_message_and_then_the_end_of_its_stream_is_the_end_of_that_stream_alone() {
    let (mut raw, _serving) = Raw::dispensed(Limits::default()).await;
    let request = raw.request("Slow", &Schema::Int, &Value::Int(1));
    raw.send(Frame::data(7, &request[..request.len() - 2])).await;
    raw.send(Frame::new(WINDOW_UPDATE, FIN, 7, 0)).await;
    assert_eq!(raw.next().await, Some(Frame::new(WINDOW_UPDATE, FIN, 7, 0)));
    raw.ping().await;
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_the_host_ended_is_ended_when_its_calls_are_answered() {
    let (mut raw, _serving) = Raw::dispensed(Limits::default()).await;
    let request = raw.request("Slow", &Schema::Int, &Value::Int(500));
    raw.send(Frame::data(7, request)).await;
    raw.send(Frame::new(WINDOW_UPDATE, FIN, 7, 0)).await;
    let frame = raw.next().await.unwrap();
    raw.plugin.feed(&frame.payload);
    assert_eq!(raw.plugin.next_response().unwrap().unwrap().result, Ok(Value::Int(500)));
    assert_eq!(raw.next().await, Some(Frame::new(WINDOW_UPDATE, FIN, 7, 0)));
}

#[tokio::test(start_paused = true)]
async fn a_stream_must_say_in_five_seconds_what_was_dispensed_in_the_last_five() {
    let (mut raw, _serving) = Raw::open(Limits::default()).await;
    let started = Instant::now();
    raw.send(Frame::new(WINDOW_UPDATE, SYN, 7, 0)).await;
    assert_eq!(raw.next().await, Some(Frame::new(WINDOW_UPDATE, ACK, 7, 0)));
    raw.send(Frame::data(7, [1, 0])).await;
    assert_eq!(raw.next().await, Some(Frame::new(WINDOW_UPDATE, RST, 7, 0)));
    assert_eq!(started.elapsed().as_secs(), 5);

    let number = raw.dispense().await;
    sleep(Duration::from_secs(6)).await;
    raw.dial(9, number).await;
    assert_eq!(raw.next().await, Some(Frame::new(WINDOW_UPDATE, ACK, 9, 0)));
    assert_eq!(raw.next().await, Some(Frame::new(WINDOW_UPDATE, RST, 9, 0)), "too late");

    let number = raw.dispense().await;
    raw.dial(11, number + 1).await;
    assert_eq!(raw.next().await, Some(Frame::new(WINDOW_UPDATE, ACK, 11, 0)));
    assert_eq!(raw.next().await, Some(Frame::new(WINDOW_UPDATE, RST, 11, 0)), "never dispensed");
}

#[tokio::test(start_paused = true)]
async fn one_stream_too_many_is_reset() {
    let (mut raw, _serving) = Raw::open(Limits { max_streams: 4, ..Limits::default() }).await;
    raw.send(Frame::new(WINDOW_UPDATE, SYN, 7, 0)).await;
    assert_eq!(raw.next().await, Some(Frame::new(WINDOW_UPDATE, ACK, 7, 0)));
    raw.send(Frame::new(WINDOW_UPDATE, SYN, 9, 0)).await;
    assert_eq!(raw.next().await, Some(Frame::new(WINDOW_UPDATE, RST, 9, 0)));
    raw.ping().await;
}

#[tokio::test(start_paused = true)]
async fn the_session_ends_with_its_control_stream() {
    for flag in [FIN, RST] {
        let (mut raw, serving) = Raw::open(Limits::default()).await;
        raw.send(Frame::new(WINDOW_UPDATE, flag, 1, 0)).await;
        assert_eq!(serving.await.unwrap().unwrap(), Ended::Disconnected);
    }
    let (mut raw, serving) = Raw::open(Limits::default()).await;
    raw.send(Frame::data(1, unhex("f7"))).await;
    let error = serving.await.unwrap().unwrap_err();
    assert_eq!(error.to_string(), "the control stream of the session cannot go on");
}

#[tokio::test(start_paused = true)]
async fn a_host_that_floods_pings_and_reads_nothing_is_not_read_either() {
    let (mut pipe, theirs) = duplex(64 * 1024);
    let serving = tokio::spawn(serve_connection(theirs, shapes(), Limits::default()));
    let pings: Vec<u8> = (0..10_000).flat_map(|number| Frame::new(PING, SYN, 0, number).bytes()).collect();
    let mut taken = 0_usize;
    // Whole pings, one behind the other, wherever a write stops.
    while let Ok(count) = timeout(Duration::from_secs(1), pipe.write(&pings[taken % pings.len()..])).await {
        taken += count.unwrap();
        assert!(taken < 1 << 20, "the answers pile up in memory");
    }
    assert!(!serving.is_finished());
}
