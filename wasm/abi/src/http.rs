//! `http_connection_…`, `http_request_…` and `http_response_…`: the HTTP client of an instance.
//!
//! Any call may emit events of any connection. Handles of connections and requests come from one sequence.

use std::cell::RefCell;
use std::time::Duration;

use bytes::Bytes;
use mtls_engine::http::connection::{Ping, Protocol};
use mtls_engine::http::event::{write_end, write_handle, Event};
use mtls_engine::http::failure::Failure;
use mtls_engine::http::output::Output;
use mtls_engine::http::{Http, RequestHead};

use crate::imports::{emit, emit_pieces, lend_to_read, Emission};
use crate::memory::{input, take_buffer};
use crate::{FAILED, OK, UNKNOWN_HANDLE};

thread_local! {
    static HTTP: RefCell<Http> = RefCell::default();
    /// The output that was taken last.
    static TAKEN: RefCell<Output> = RefCell::default();
}

/// `protocol`: 1 is HTTP/1.1, 2 is HTTP/2. With HTTP/2 a server that has been silent for `ping_interval_ms` while it owes
/// an answer is pinged, and given up `ping_timeout_ms` later; 0 does not ping. Returns a handle.
#[no_mangle]
extern "C" fn http_connection_new(
    protocol: u32,
    ping_interval_ms: u32,
    ping_timeout_ms: u32,
) -> i32 {
    let protocol = match protocol {
        1 => Protocol::H1,
        2 => Protocol::H2,
        _ => return FAILED,
    };
    let ping = (ping_interval_ms > 0).then(|| Ping {
        interval: Duration::from_millis(ping_interval_ms.into()),
        timeout: Duration::from_millis(ping_timeout_ms.into()),
    });
    run(|http| http.open(protocol, ping)).unwrap_or(FAILED)
}

/// So much time has passed for every connection.
#[no_mangle]
extern "C" fn http_advance(elapsed_ms: u32) -> i32 {
    run(|http| http.advance(Duration::from_millis(elapsed_ms.into())));
    OK
}

/// Gives the connection up at once, with everything on it.
#[no_mangle]
extern "C" fn http_connection_free(connection: i32) {
    run(|http| http.abandon(connection));
}

/// Takes no further request, and ends when those in progress have.
#[no_mangle]
extern "C" fn http_connection_close(connection: i32) -> i32 {
    known(run(|http| http.close(connection)))
}

/// Input, in [`crate::memory::mtls_buffer`]: plaintext from the server.
#[no_mangle]
extern "C" fn http_connection_receive(connection: i32, _: *const u8, len: usize) -> i32 {
    known(receive(connection, take_buffer().into_bytes(len)))
}

/// The server has ended its side as it should.
#[no_mangle]
extern "C" fn http_connection_receive_end(connection: i32) -> i32 {
    known(run(|http| http.receive_end(connection)))
}

/// The transport has failed; what failed is the host's to know.
#[no_mangle]
extern "C" fn http_connection_receive_failed(connection: i32) -> i32 {
    known(run(|http| http.receive_failed(connection)))
}

/// Lends the plaintext to send now: what each record is to carry.
#[no_mangle]
extern "C" fn http_connection_take(connection: i32) -> i32 {
    let Some(output) = take(connection) else {
        return UNKNOWN_HANDLE;
    };
    report();
    // Last: what is lent is good until something is allocated.
    TAKEN.with_borrow_mut(|taken| {
        *taken = output;
        for record in taken.records() {
            lend_to_read(Emission::RecordContent, record);
        }
    });
    OK
}

/// After the head of a 101: emits what was received behind it. The connection has ended, its transport goes on.
#[no_mangle]
extern "C" fn http_connection_take_rest(connection: i32) -> i32 {
    let rest = HTTP.with_borrow_mut(|http| http.take_rest(connection));
    if let Some(rest) = &rest {
        emit(Emission::HttpBytes, rest);
    }
    known(rest.is_some())
}

/// Input: method (string), absolute URL (string), headers (list: names and values by turns), u8 1 if the body's length
/// is known, the length's lower and upper u32. Returns a handle.
#[no_mangle]
extern "C" fn http_request_new(connection: i32, pointer: *const u8, len: usize) -> i32 {
    let begun = match RequestHead::read(input(pointer, len)) {
        Ok(head) => run(|http| http.request(connection, &head)),
        Err(_) => Some(Err(Failure::misuse("a malformed request"))),
    };
    match begun {
        Some(Ok(handle)) => handle,
        Some(Err(failure)) => {
            emit(Emission::HttpFailed, &failure.write(0));
            FAILED
        }
        None => UNKNOWN_HANDLE,
    }
}

/// Input, in [`crate::memory::mtls_buffer`]: the piece of the body that was asked for.
#[no_mangle]
extern "C" fn http_request_send(request: i32, _: *const u8, len: usize) -> i32 {
    let piece = take_buffer().into_bytes(len);
    known(run(|http| http.send(request, piece)))
}

#[no_mangle]
extern "C" fn http_request_send_end(request: i32) -> i32 {
    known(run(|http| http.send_end(request)))
}

/// The body cannot be completed: the exchange fails.
#[no_mangle]
extern "C" fn http_request_send_abort(request: i32) -> i32 {
    known(run(|http| http.send_abort(request)))
}

/// Ends an exchange at once. Nothing more is told about it.
#[no_mangle]
extern "C" fn http_request_cancel(request: i32) -> i32 {
    known(run(|http| http.cancel(request)))
}

/// Asks for one more piece of the response's body.
#[no_mangle]
extern "C" fn http_response_pull(request: i32) -> i32 {
    known(run(|http| http.pull(request)))
}

/// Plaintext from records that this instance has opened.
pub fn receive(connection: i32, plaintext: Bytes) -> bool {
    run(|http| http.receive(connection, plaintext))
}

/// The plaintext to send now; [`report`] is to follow.
pub fn take(connection: i32) -> Option<Output> {
    HTTP.with_borrow_mut(|http| http.take(connection))
}

/// Tells what has happened.
pub fn report() {
    run(|_| ());
}

fn known(known: bool) -> i32 {
    if known {
        OK
    } else {
        UNKNOWN_HANDLE
    }
}

/// Acts, and tells what happened.
fn run<R>(act: impl FnOnce(&mut Http) -> R) -> R {
    HTTP.with_borrow_mut(|http| {
        let result = act(http);
        while let Some(event) = http.next_event() {
            tell(&event);
        }
        result
    })
}

fn tell(event: &Event) {
    match event {
        Event::Connection(connection, state) => {
            emit(Emission::HttpConnection, &state.write(*connection));
        }
        Event::BodyWanted(request) => emit(Emission::HttpBodyWanted, &write_handle(*request)),
        Event::BodyStopped(request) => emit(Emission::HttpBodyStopped, &write_handle(*request)),
        Event::ResponseHead(request, head) => emit(Emission::HttpHead, &head.write(*request)),
        Event::ResponseData(request, data) => {
            emit(Emission::HttpDataOf, &write_handle(*request));
            emit_pieces(Emission::HttpBytes, data);
        }
        Event::ResponseEnd(request, trailers) => {
            emit(Emission::HttpEnd, &write_end(*request, trailers));
        }
        Event::Failed(request, failure) => emit(Emission::HttpFailed, &failure.write(*request)),
    }
}
