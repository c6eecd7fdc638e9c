//! One HTTP connection: hyper's sender, and the transport under it.

use std::cell::{Cell, RefCell};
use std::future::{poll_fn, Future};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{ready, Poll};
use std::time::Duration;

use futures_executor::LocalSpawner;
use futures_util::task::LocalSpawnExt;
use futures_util::FutureExt;
use http::header::HOST;
use http::uri::PathAndQuery;
use http::{HeaderValue, Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2, TrySendError};

use super::body::RequestBody;
use super::clock::Clock;
use super::event::ConnectionState;
use super::failure::Failure;
use super::limits::{MAX_DECODED_BYTES, MAX_FIELDS, MAX_HEAD_BYTES};
use super::pipe::Pipe;
use super::windows::{self, Needed};

/// hyper's own buffers: of an h1 connection, and of an h2 stream.
const H1_BUFFER_BYTES: usize = MAX_HEAD_BYTES;
const H2_SEND_BYTES: usize = 256 * 1024;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    H1,
    H2,
}

/// When to ask a silent server for a sign of life, while it owes an answer (RFC 9113 section 6.7).
#[derive(Clone, Copy)]
pub struct Ping {
    /// After this much silence.
    pub interval: Duration,
    /// Without an answer for so long, the connection is dead.
    pub timeout: Duration,
}

pub struct Connection {
    pub pipe: Pipe,
    protocol: Protocol,
    /// Taken away when no request is to be sent any more.
    sender: Option<Sender>,
    reported: Option<ConnectionState>,
    finished: Rc<Cell<bool>>,
}

enum Sender {
    H1(http1::SendRequest<RequestBody>),
    /// And the server's limit of streams.
    H2(http2::SendRequest<RequestBody>, Box<dyn Fn() -> usize>),
}

pub type Answer = Result<Response<Incoming>, TrySendError<Request<RequestBody>>>;
pub type PendingAnswer = Pin<Box<dyn Future<Output = Answer>>>;

impl Connection {
    pub fn h1(spawner: &LocalSpawner) -> Option<Self> {
        let (pipe, finished) = Default::default();
        // Neither handshake waits for the peer: hyper sends its preface into the empty pipe.
        let (sender, connection) = http1::Builder::new()
            .max_buf_size(H1_BUFFER_BYTES)
            .max_header_size(MAX_HEAD_BYTES)
            .max_headers(MAX_FIELDS)
            .handshake(Pipe::io(&pipe))
            .now_or_never()?
            .ok()?;
        let end = Pipe::clone(&pipe);
        spawn(spawner, &finished, async move {
            let parts = connection.without_shutdown().await?;
            end.give_back(&parts.read_buf);
            Ok(())
        });
        Some(Self::with(Protocol::H1, Sender::H1(sender), pipe, finished))
    }

    pub fn h2(
        spawner: &LocalSpawner,
        needed: Needed,
        (clock, ping): (&Clock, Option<Ping>),
    ) -> Option<Self> {
        let (pipe, finished) = (Pipe::h2(needed), Rc::default());
        let mut builder = http2::Builder::new(Executor(spawner.clone()));
        builder
            .initial_stream_window_size(windows::LIMIT)
            .initial_connection_window_size(windows::CONNECTION)
            .max_header_list_size(MAX_DECODED_BYTES)
            .max_send_buf_size(H2_SEND_BYTES);
        if let Some(Ping { interval, timeout }) = ping {
            builder
                .timer(clock.clone())
                .keep_alive_interval(interval)
                .keep_alive_timeout(timeout);
        }
        let (sender, connection) = builder.handshake(Pipe::io(&pipe)).now_or_never()?.ok()?;
        // Let go of once it is over: that fails what still waits in it.
        let connection = Rc::new(RefCell::new(Some(connection)));
        let polled = connection.clone();
        let run = poll_fn(move |cx| {
            let mut running = polled.borrow_mut();
            let result = match running.as_mut() {
                Some(connection) => ready!(connection.poll_unpin(cx)),
                None => Ok(()),
            };
            *running = None;
            Poll::Ready(result)
        });
        spawn(spawner, &finished, run);
        let limit = Box::new(move || {
            let running = connection.borrow();
            running
                .as_ref()
                .map_or(0, http2::Connection::current_max_send_streams)
        });
        Some(Self::with(
            Protocol::H2,
            Sender::H2(sender, limit),
            pipe,
            finished,
        ))
    }

    fn with(protocol: Protocol, sender: Sender, pipe: Pipe, finished: Rc<Cell<bool>>) -> Self {
        Self {
            pipe,
            protocol,
            sender: Some(sender),
            reported: None,
            finished,
        }
    }

    pub fn protocol(&self) -> Protocol {
        self.protocol
    }

    /// Brings a request into this connection's form.
    pub fn prepare(&self, request: Request<()>) -> Result<Request<()>, Failure> {
        match &self.sender {
            Some(Sender::H1(_)) => in_origin_form(request),
            Some(Sender::H2(..)) => Ok(request),
            None => Err(Failure::unprocessed()),
        }
    }

    /// None: the connection takes no request any more.
    pub fn send(&mut self, request: Request<RequestBody>) -> Option<PendingAnswer> {
        Some(match self.sender.as_mut()? {
            Sender::H1(sender) => Box::pin(sender.try_send_request(request)),
            Sender::H2(sender, _) => Box::pin(sender.try_send_request(request)),
        })
    }

    /// Takes no further request; ends when those in progress have.
    pub fn close(&mut self) {
        self.sender = None;
    }

    /// The state, if it is not the one that was told last.
    pub fn changed_state(&mut self) -> Option<ConnectionState> {
        let (ready, closed, streams) = match &self.sender {
            Some(Sender::H1(sender)) => (sender.is_ready(), sender.is_closed(), 1),
            Some(Sender::H2(sender, max_streams)) => {
                (sender.is_ready(), sender.is_closed(), max_streams())
            }
            None => (false, true, 0),
        };
        let state = ConnectionState {
            unread: self.pipe.unread(),
            output: self.pipe.output(),
            output_ended: self.pipe.output_ended(),
            streams,
            ready: ready && !closed,
            closed: closed || self.finished.get(),
            done: self.pipe.released(),
        };
        if self.reported == Some(state) {
            return None;
        }
        self.reported = Some(state);
        Some(state)
    }
}

fn spawn(
    spawner: &LocalSpawner,
    finished: &Rc<Cell<bool>>,
    connection: impl Future<Output = hyper::Result<()>> + 'static,
) {
    let finished = finished.clone();
    // The pool outlives every connection; its result is what the exchanges were told already.
    let _ = spawner.spawn_local(async move {
        let _ = connection.await;
        finished.set(true);
    });
}

/// On h1 the target is a path, and the authority a header (RFC 9112 section 3.2.1).
fn in_origin_form(mut request: Request<()>) -> Result<Request<()>, Failure> {
    let uri = std::mem::take(request.uri_mut()).into_parts();
    let authority = uri
        .authority
        .as_ref()
        .map(|it| it.as_str())
        .unwrap_or_default();
    let host = HeaderValue::from_str(authority)
        .map_err(|_| Failure::misuse("the address cannot be sent"))?;
    request.headers_mut().entry(HOST).or_insert(host);
    *request.uri_mut() = uri
        .path_and_query
        .unwrap_or_else(|| PathAndQuery::from_static("/"))
        .into();
    Ok(request)
}

#[derive(Clone)]
struct Executor(LocalSpawner);

impl<F: Future<Output = ()> + 'static> hyper::rt::Executor<F> for Executor {
    fn execute(&self, future: F) {
        let _ = self.0.spawn_local(future);
    }
}
