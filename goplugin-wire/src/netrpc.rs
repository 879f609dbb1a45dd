//! Go's net/rpc over one stream: a header and a body, both gob, for every request and every response. Either end, as a
//! state machine over bytes. Which methods there are is not known here.

use std::collections::VecDeque;

use thiserror::Error;

use crate::gob::decode::{DecodeError, Decoder};
use crate::gob::encode::{EncodeError, Encoder, TypeIds};
use crate::gob::interest::Interest;
use crate::gob::schema::{Schema, StructDef};
use crate::gob::value::Value;
use crate::limits::Limits;

/// Why a net/rpc stream cannot go on. What is wrong with one argument alone is told in the [`Request`] instead.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum RpcError {
    /// The bytes where a header should be are none.
    #[error("cannot decode the header of a net/rpc {what}")]
    Header {
        /// Request or response.
        what: &'static str,
        /// What is wrong with it.
        #[source]
        cause: DecodeError,
    },
    /// A gob value came where a header should be.
    #[error("the header of a net/rpc {what} is another type")]
    NotAHeader {
        /// Request or response.
        what: &'static str,
    },
    /// The stream's own framing is lost.
    #[error("a net/rpc stream is lost")]
    Lost(#[source] DecodeError),
    /// A response to a request that was never made.
    #[error("a net/rpc response to request {seq}, which was not made")]
    Unasked {
        /// As found.
        seq: u64,
    },
}

/// What a response repeats of its request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestHeader {
    /// `Object.Method`.
    pub service_method: String,
    /// The caller's number for the request.
    pub seq: u64,
}

/// One request as it came in.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// What is asked, and by which number.
    pub header: RequestHeader,
    /// The argument, or why it could not be decoded; then the request is to be answered with that.
    pub argument: Result<Value, DecodeError>,
    /// About how much memory the argument takes.
    pub cost: usize,
}

/// The answering end of a stream.
#[derive(Debug)]
pub struct Answerer {
    decoder: Decoder,
    encoder: Encoder,
    header: Option<RequestHeader>,
    schema: Schema,
    nothing: Schema,
}

impl Answerer {
    /// The end of a stream at its start.
    pub fn new(limits: Limits) -> Self {
        let schema = StructDef::new("Response")
            .field("ServiceMethod", Schema::String)
            .field("Seq", Schema::Uint)
            .field("Error", Schema::String);
        Self {
            decoder: Decoder::new(limits),
            encoder: Encoder::new(),
            header: None,
            schema: schema.into(),
            nothing: Schema::empty_struct(),
        }
    }

    /// Takes the next bytes of the stream, cut anywhere.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.decoder.feed(bytes);
    }

    /// The next complete request. `interest` says by the method how much of its argument to keep.
    pub fn next_request(
        &mut self,
        interest: impl FnOnce(&str) -> &'static Interest,
    ) -> Result<Option<Request>, RpcError> {
        let what = "request";
        if self.header.is_none() {
            let decoded = self.decoder.next_value().map_err(|cause| RpcError::Header { what, cause })?;
            let Some(decoded) = decoded else { return Ok(None) };
            let value = decoded.value.as_struct().ok_or(RpcError::NotAHeader { what })?;
            self.header = Some(RequestHeader {
                service_method: value.field("ServiceMethod").and_then(Value::as_str).unwrap_or_default().to_owned(),
                seq: value.field("Seq").and_then(Value::as_u64).unwrap_or_default(),
            });
        }
        let method = self.header.as_ref().map_or("", |header| &header.service_method);
        let (argument, cost) = match self.decoder.next_value_of(interest(method)) {
            Ok(None) => return Ok(None),
            Ok(Some(decoded)) => (Ok(decoded.value), decoded.cost),
            Err(cause) if self.decoder.is_broken() => return Err(RpcError::Lost(cause)),
            Err(cause) => (Err(cause), 0),
        };
        Ok(self.header.take().map(|header| Request { header, argument, cost }))
    }

    /// The bytes of a response, header and body in one piece. A value that does not fit its schema becomes an error for
    /// the caller.
    pub fn respond(
        &mut self,
        ids: &mut TypeIds,
        to: &RequestHeader,
        result: Result<(&Schema, &Value), &str>,
    ) -> Vec<u8> {
        let mut out = Vec::new();
        let failed = match result {
            Ok((schema, value)) => {
                let mark = self.encoder.mark(&out);
                match self.put(ids, to, "", schema, value, &mut out) {
                    Ok(()) => return out,
                    Err(error) => {
                        self.encoder.undo(mark, &mut out);
                        error.to_string()
                    }
                }
            }
            Err(error) => error.to_owned(),
        };
        // net/rpc tells an error from a success by its text alone, so there must be one.
        let failed = if failed.is_empty() { "the call failed without saying why".to_owned() } else { failed };
        let nothing = self.nothing.clone();
        if let Err(error) = self.put(ids, to, &failed, &nothing, &Value::record("", []), &mut out) {
            tracing::error!(error = %error, "a net/rpc error could not be encoded");
        }
        out
    }

    /// To be asked when the stream has ended: did it end between two requests?
    pub fn finish(&self) -> Result<(), DecodeError> {
        if self.header.is_some() { Err(DecodeError::HalfMessage) } else { self.decoder.finish() }
    }

    fn put(
        &mut self,
        ids: &mut TypeIds,
        to: &RequestHeader,
        error: &str,
        schema: &Schema,
        value: &Value,
        out: &mut Vec<u8>,
    ) -> Result<(), EncodeError> {
        let header = Value::record(
            "Response",
            [("ServiceMethod", to.service_method.as_str().into()), ("Seq", to.seq.into()), ("Error", error.into())],
        );
        self.encoder.encode(ids, &self.schema, &header, out)?;
        self.encoder.encode(ids, schema, value, out)
    }
}

/// One response as it came in.
#[derive(Clone, Debug, PartialEq)]
pub struct Response {
    /// The number of the request it answers.
    pub seq: u64,
    /// The result, or the error's text.
    pub result: Result<Value, String>,
}

/// The asking end of a stream.
#[derive(Debug)]
pub struct Asker {
    decoder: Decoder,
    encoder: Encoder,
    next_seq: u64,
    asked: VecDeque<u64>,
    header: Option<(u64, String)>,
    schema: Schema,
}

impl Asker {
    /// The end of a stream at its start.
    pub fn new(limits: Limits) -> Self {
        let schema = StructDef::new("Request").field("ServiceMethod", Schema::String).field("Seq", Schema::Uint);
        Self {
            decoder: Decoder::new(limits),
            encoder: Encoder::new(),
            next_seq: 0,
            asked: VecDeque::new(),
            header: None,
            schema: schema.into(),
        }
    }

    /// Appends a request to `out` and returns its number.
    pub fn ask(
        &mut self,
        ids: &mut TypeIds,
        service_method: &str,
        schema: &Schema,
        argument: &Value,
        out: &mut Vec<u8>,
    ) -> Result<u64, EncodeError> {
        let seq = self.next_seq;
        let header = Value::record("Request", [("ServiceMethod", service_method.into()), ("Seq", seq.into())]);
        let mark = self.encoder.mark(out);
        let result = self
            .encoder
            .encode(ids, &self.schema, &header, out)
            .and_then(|()| self.encoder.encode(ids, schema, argument, out));
        if let Err(error) = result {
            self.encoder.undo(mark, out);
            return Err(error);
        }
        self.next_seq += 1;
        self.asked.push_back(seq);
        Ok(seq)
    }

    /// Takes the next bytes of the stream, cut anywhere.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.decoder.feed(bytes);
    }

    /// The next complete response.
    pub fn next_response(&mut self) -> Result<Option<Response>, RpcError> {
        let what = "response";
        if self.header.is_none() {
            let decoded = self.decoder.next_value().map_err(|cause| RpcError::Header { what, cause })?;
            let Some(decoded) = decoded else { return Ok(None) };
            let value = decoded.value.as_struct().ok_or(RpcError::NotAHeader { what })?;
            let seq = value.field("Seq").and_then(Value::as_u64).unwrap_or_default();
            let place = self.asked.iter().position(|asked| *asked == seq).ok_or(RpcError::Unasked { seq })?;
            self.asked.remove(place);
            self.header = Some((seq, value.field("Error").and_then(Value::as_str).unwrap_or_default().to_owned()));
        }
        let body = match self.decoder.next_value() {
            Ok(None) => return Ok(None),
            Ok(Some(decoded)) => Ok(decoded.value),
            Err(cause) if self.decoder.is_broken() => return Err(RpcError::Lost(cause)),
            Err(cause) => Err(format!("cannot decode the result: {cause}")),
        };
        Ok(self.header.take().map(|(seq, error)| Response {
            seq,
            // An error's body says nothing, but is always there.
            result: if error.is_empty() { body } else { Err(error) },
        }))
    }
}
