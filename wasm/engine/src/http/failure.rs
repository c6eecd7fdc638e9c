//! Why an exchange failed, told apart as far as the host acts on it.

use std::error::Error;
use std::{fmt, io};

use h2::Reason;

use super::fault::Fault;
use super::pipe::Pipe;
use crate::wire::Writer;

/// Stable numbers of the ABI (`src/engine/abi.ts`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum FailureKind {
    /// The server does not speak HTTP as it should.
    Protocol = 1,
    /// The connection ended in the middle of a response.
    Incomplete = 2,
    /// The connection ended with nothing received for this request, which may have been processed.
    Closed = 3,
    /// The server has not processed the request, for sure: it may be sent again.
    Unprocessed = 4,
    /// The response's head is beyond our limits.
    TooLarge = 5,
    /// The host gave the request's body up.
    BodyAborted = 6,
    /// The transport failed; the host knows why.
    Transport = 7,
    /// The server reset the stream (h2); `code` is its reason.
    Reset = 8,
    /// The request is not one that can be sent.
    Misuse = 9,
    /// The server was silent, and did not answer a ping (h2).
    Silent = 10,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    pub kind: FailureKind,
    /// The h2 error code (RFC 9113 section 7), or 0.
    pub code: u32,
    /// A [`Fault`], or 0. Where h2 has refused something, the message is the name of the field, if it is one.
    pub fault: u8,
    pub message: String,
}

/// The host gave the body up.
#[derive(Debug)]
pub struct Aborted;

impl fmt::Display for Aborted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the request's body was given up")
    }
}

impl Error for Aborted {}

/// How far the exchange had come when it failed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Nothing of a response was received.
    Nothing,
    /// Part of a response was.
    Responding,
}

impl Failure {
    pub fn misuse(message: &str) -> Self {
        Self::new(FailureKind::Misuse, message)
    }

    pub fn unprocessed() -> Self {
        Self::new(
            FailureKind::Unprocessed,
            "the connection was closed before the request was sent",
        )
    }

    pub fn body_aborted() -> Self {
        Self::new(FailureKind::BodyAborted, "the request's body was given up")
    }

    pub fn transport() -> Self {
        Self::new(FailureKind::Transport, "the transport failed")
    }

    pub fn too_large() -> Self {
        Self::new(FailureKind::TooLarge, "the response's head is too large")
    }

    pub fn protocol(message: &str) -> Self {
        Self::new(FailureKind::Protocol, message)
    }

    /// A body is longer than its window allows.
    pub fn beyond_window() -> Self {
        Self {
            fault: Fault::BeyondWindow as u8,
            ..Self::protocol("")
        }
    }

    pub fn silent() -> Self {
        Self::new(FailureKind::Silent, "the server does not answer any more")
    }

    pub fn other_length() -> Self {
        Self::new(
            FailureKind::Incomplete,
            "the body has not the length that the server announced",
        )
    }

    pub fn given_up() -> Self {
        Self::new(
            FailureKind::Reset,
            "the server gave the response up before its end, by NO_ERROR or CANCEL",
        )
    }

    fn new(kind: FailureKind, message: &str) -> Self {
        Self {
            kind,
            code: 0,
            fault: 0,
            message: message.to_owned(),
        }
    }

    /// Says what hyper's error means. But for a field's name, messages hold nothing that the server wrote.
    pub fn of(error: &hyper::Error, stage: Stage, pipe: &Pipe) -> Self {
        if error.is_timeout() {
            return Self::silent();
        }
        if let Some(error) = source::<h2::Error>(error) {
            return of_h2(error, stage, pipe);
        }
        if source::<Aborted>(error).is_some() || error.is_body_write_aborted() {
            return Self::body_aborted();
        }
        // hyper has a method for this, but only with its server (which the tests have).
        if error.is_parse() && error.to_string() == "message head is too large" {
            return Self::too_large();
        }
        if error.is_parse() {
            // The host says which line it is.
            return Self::protocol("the response's head is not valid HTTP/1.1");
        }
        if error.is_user() {
            return Self::protocol("the request cannot be sent on this connection");
        }
        // Bad framing of an h1 body is told by these kinds; the others come from the transport or its end.
        match source::<io::Error>(error).map(io::Error::kind) {
            Some(io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput) => Self::protocol(
                "the response's body is not in valid chunks, or its trailers are too long",
            ),
            _ => Self::cut(stage),
        }
    }

    fn cut(stage: Stage) -> Self {
        match stage {
            Stage::Nothing => Self::new(
                FailureKind::Closed,
                "the connection was closed without a response",
            ),
            Stage::Responding => Self::new(
                FailureKind::Incomplete,
                "the connection was closed in the middle of the response",
            ),
        }
    }

    pub fn write(&self, request: i32) -> Vec<u8> {
        Writer::default()
            .u32(request.unsigned_abs())
            .u8(self.kind as u8)
            .u32(self.code)
            .u8(self.fault)
            .str(&self.message)
            .finish()
    }
}

fn of_h2(error: &h2::Error, stage: Stage, pipe: &Pipe) -> Failure {
    if error.is_io() {
        return Failure::cut(stage);
    }
    let reason = error.reason().unwrap_or(Reason::INTERNAL_ERROR);
    let mut failure = if error.is_remote() {
        // A GOAWAY fails only the streams that it says were not processed (RFC 9113 section 6.8).
        let unprocessed = error.is_go_away() || reason == Reason::REFUSED_STREAM;
        let kind = match stage {
            Stage::Nothing if unprocessed => FailureKind::Unprocessed,
            _ => FailureKind::Reset,
        };
        let message = if error.is_go_away() {
            "the server closes the connection"
        } else {
            "the server gave the request up"
        };
        Failure {
            fault: Fault::GivenUp as u8,
            ..Failure::new(kind, message)
        }
    } else {
        refused(error, stage, pipe)
    };
    failure.code = reason.into();
    failure
}

/// What h2 itself found fault with.
fn refused(error: &h2::Error, stage: Stage, pipe: &Pipe) -> Failure {
    let details = pipe.fault(|faults| match error.reason() {
        Some(Reason::ENHANCE_YOUR_CALM) => faults.of_flood(),
        Some(Reason::FLOW_CONTROL_ERROR) => faults.of_window(),
        _ if !error.is_reset() => faults.of_connection(),
        _ if stage == Stage::Nothing => faults.of_head(),
        _ => faults.of_trailers(),
    });
    match details.fault.unwrap_or(Fault::Other) {
        Fault::TooLarge => Failure::too_large(),
        Fault::BodyLength => Failure::other_length(),
        fault => Failure {
            fault: fault as u8,
            ..Failure::protocol(&details.name.into_iter().map(char::from).collect::<String>())
        },
    }
}

/// Whether h2 itself found fault with one stream, not with the connection.
pub fn is_fault_of_stream(error: &hyper::Error) -> bool {
    source::<h2::Error>(error).is_some_and(|it| {
        it.is_library() && it.is_reset() && it.reason() == Some(Reason::PROTOCOL_ERROR)
    })
}

/// Whether an h1 body is whole, and its trailers alone cannot be read: the lines of a field without a colon, say. Nobody is given those.
pub fn is_fault_of_trailers(error: &hyper::Error) -> bool {
    source::<io::Error>(error)
        .and_then(io::Error::get_ref)
        .is_some_and(|it| it.is::<httparse::Error>())
}

fn source<E: Error + 'static>(error: &hyper::Error) -> Option<&E> {
    let mut cause = error.source();
    while let Some(error) = cause {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        cause = error.source();
    }
    None
}
