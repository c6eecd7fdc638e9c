//! One HTTP connection: hyper's sender, and the transport under it.

use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;

use futures_executor::LocalSpawner;
use futures_util::task::LocalSpawnExt;
use futures_util::FutureExt;
use http::header::HOST;
use http::uri::PathAndQuery;
use http::{HeaderValue, Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2, TrySendError};

use super::body::RequestBody;
use super::event::ConnectionState;
use super::failure::Failure;
use super::pipe::Pipe;

/// Memory that a server can make us hold: one stream's unread body, and all of a connection's. The second is
/// larger so that a few responses that nobody reads do not stop the others.
const STREAM_WINDOW: u32 = 1024 * 1024;
const CONNECTION_WINDOW: u32 = 8 * 1024 * 1024;
/// A response's head: its bytes, and its number of fields (h1).
const MAX_HEAD_BYTES: u32 = 128 * 1024;
const MAX_FIELDS: usize = 256;
/// hyper's own buffers: of an h1 connection, and of an h2 stream.
const BUFFER_BYTES: usize = 256 * 1024;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    H1,
    H2,
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
    H2(http2::SendRequest<RequestBody>),
}

pub type Answer = Result<Response<Incoming>, TrySendError<Request<RequestBody>>>;
pub type PendingAnswer = Pin<Box<dyn Future<Output = Answer>>>;

impl Connection {
    pub fn new(protocol: Protocol, spawner: &LocalSpawner) -> Option<Self> {
        let pipe = Pipe::default();
        let finished = Rc::new(Cell::new(false));
        // Neither handshake waits for the peer: hyper sends its preface into the empty pipe.
        let sender = match protocol {
            Protocol::H1 => {
                let (sender, connection) = http1::Builder::new()
                    .max_buf_size(BUFFER_BYTES)
                    .max_header_size(MAX_HEAD_BYTES as usize)
                    .max_headers(MAX_FIELDS)
                    .handshake(pipe.io())
                    .now_or_never()?
                    .ok()?;
                spawn(spawner, &finished, connection);
                Sender::H1(sender)
            }
            Protocol::H2 => {
                let (sender, connection) = http2::Builder::new(Executor(spawner.clone()))
                    .initial_stream_window_size(STREAM_WINDOW)
                    .initial_connection_window_size(CONNECTION_WINDOW)
                    .max_header_list_size(MAX_HEAD_BYTES)
                    .max_send_buf_size(BUFFER_BYTES)
                    .handshake(pipe.io())
                    .now_or_never()?
                    .ok()?;
                spawn(spawner, &finished, connection);
                Sender::H2(sender)
            }
        };
        Some(Self {
            pipe,
            protocol,
            sender: Some(sender),
            reported: None,
            finished,
        })
    }

    pub fn protocol(&self) -> Protocol {
        self.protocol
    }

    /// Brings a request into this connection's form.
    pub fn prepare(&self, request: Request<()>) -> Result<Request<()>, Failure> {
        match &self.sender {
            Some(Sender::H1(_)) => in_origin_form(request),
            Some(Sender::H2(_)) => Ok(request),
            None => Err(Failure::unprocessed()),
        }
    }

    /// None: the connection takes no request any more.
    pub fn send(&mut self, request: Request<RequestBody>) -> Option<PendingAnswer> {
        Some(match self.sender.as_mut()? {
            Sender::H1(sender) => Box::pin(sender.try_send_request(request)),
            Sender::H2(sender) => Box::pin(sender.try_send_request(request)),
        })
    }

    /// Takes no further request; ends when those in progress have.
    pub fn close(&mut self) {
        self.sender = None;
    }

    /// The state, if it is not the one that was told last.
    pub fn changed_state(&mut self) -> Option<ConnectionState> {
        let (ready, closed) = match &self.sender {
            Some(Sender::H1(sender)) => (sender.is_ready(), sender.is_closed()),
            Some(Sender::H2(sender)) => (sender.is_ready(), sender.is_closed()),
            None => (false, true),
        };
        let state = ConnectionState {
            unread: self.pipe.unread(),
            output: self.pipe.output(),
            output_ended: self.pipe.output_ended(),
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
