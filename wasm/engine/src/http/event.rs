//! What the HTTP client has to tell its host after a call.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Version};

use super::failure::Failure;
use super::limits::{MAX_FIELDS, MAX_HEAD_BYTES};
use crate::wire::Writer;

pub enum Event {
    /// Something of a connection's state is not as it was told before.
    Connection(i32, ConnectionState),
    /// The request's body may go on: one piece, or its end.
    BodyWanted(i32),
    /// Nobody reads the rest of the request's body.
    BodyStopped(i32),
    ResponseHead(i32, ResponseHead),
    /// Pieces, one behind the other.
    ResponseData(i32, Vec<Bytes>),
    ResponseEnd(i32, HeaderMap),
    /// The request, or its response's body, has failed. Nothing follows for this request.
    Failed(i32, Failure),
}

#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct ConnectionState {
    /// Received bytes that the connection does not want to read now: the host stops reading above a limit of its own.
    pub unread: usize,
    /// Bytes to send, waiting to be taken.
    pub output: usize,
    /// No output follows: the host may end its side of the transport.
    pub output_ended: bool,
    /// The server's limit of requests at once.
    pub streams: usize,
    /// A request may be sent now. An h2 connection queues above the server's limit of streams.
    pub ready: bool,
    /// No request will be taken any more.
    pub closed: bool,
    /// The connection is over; nothing that is received now is read.
    pub done: bool,
}

impl ConnectionState {
    pub fn write(&self, connection: i32) -> Vec<u8> {
        let flag = |set: bool, bit: u8| if set { bit } else { 0 };
        let flags = flag(self.output_ended, 1)
            | flag(self.ready, 2)
            | flag(self.closed, 4)
            | flag(self.done, 8);
        handle(connection)
            .u32(u32::try_from(self.unread).unwrap_or(u32::MAX))
            .u32(u32::try_from(self.output).unwrap_or(u32::MAX))
            .u8(flags)
            .u32(u32::try_from(self.streams).unwrap_or(u32::MAX))
            .finish()
    }
}

pub struct ResponseHead {
    pub status: StatusCode,
    pub version: Version,
    pub reason: Vec<u8>,
    pub headers: HeaderMap,
}

impl ResponseHead {
    pub fn is_too_large(&self) -> bool {
        let bytes = |(name, value): (&HeaderName, &HeaderValue)| name.as_str().len() + value.len();
        self.headers.len() > MAX_FIELDS
            || self.headers.iter().map(bytes).sum::<usize>() > MAX_HEAD_BYTES
    }

    pub fn write(&self, request: i32) -> Vec<u8> {
        handle(request)
            .u16(self.status.as_u16())
            .bytes(&self.reason)
            .list(fields(&self.headers).into_iter())
            .finish()
    }
}

/// The encoding of an event that holds nothing but whose it is.
pub fn write_handle(handle: i32) -> Vec<u8> {
    self::handle(handle).finish()
}

pub fn write_end(request: i32, trailers: &HeaderMap) -> Vec<u8> {
    handle(request).list(fields(trailers).into_iter()).finish()
}

fn handle(handle: i32) -> Writer {
    let mut writer = Writer::default();
    writer.u32(handle.unsigned_abs());
    writer
}

/// Names and values by turns.
fn fields(headers: &HeaderMap) -> Vec<&[u8]> {
    headers
        .iter()
        .flat_map(|(name, value)| [name.as_str().as_bytes(), value.as_bytes()])
        .collect()
}

/// The events of a call, in order.
#[derive(Clone, Default)]
pub struct Events(Rc<RefCell<VecDeque<Event>>>);

impl Events {
    pub fn push(&self, event: Event) {
        self.0.borrow_mut().push_back(event);
    }

    pub fn pop(&self) -> Option<Event> {
        self.0.borrow_mut().pop_front()
    }
}
