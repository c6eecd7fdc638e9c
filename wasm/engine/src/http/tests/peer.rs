//! A client and a server, joined by hand.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::rc::Rc;

use bytes::Bytes;
use futures_executor::{LocalPool, LocalSpawner};
use futures_util::stream;
use futures_util::task::LocalSpawnExt;
use http::{HeaderMap, Request, Response};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;

use crate::http::connection::{Ping, Protocol};
use crate::http::event::{ConnectionState, Event, ResponseHead};
use crate::http::failure::Failure;
use crate::http::output::Output;
use crate::http::pipe::Pipe;
use crate::http::{Http, RequestHead};

pub const CHUNK: usize = 16 * 1024;

type Reply = Response<UnsyncBoxBody<Bytes, std::io::Error>>;

/// What came of a request.
#[derive(Default)]
pub struct Outcome {
    pub head: Option<ResponseHead>,
    pub body: Vec<u8>,
    pub trailers: Option<HeaderMap>,
    pub failure: Option<Failure>,
    pub wanted: usize,
    pub stopped: bool,
}

/// The client with one connection.
pub struct Client {
    pub http: Http,
    pub connection: i32,
    pub state: ConnectionState,
    pub outcomes: BTreeMap<i32, Outcome>,
}

impl Client {
    pub fn new(protocol: Protocol) -> Self {
        Self::pinging(protocol, None)
    }

    pub fn pinging(protocol: Protocol, ping: Option<Ping>) -> Self {
        let mut http = Http::default();
        let connection = http.open(protocol, ping).unwrap();
        let mut client = Self {
            http,
            connection,
            state: ConnectionState::default(),
            outcomes: BTreeMap::new(),
        };
        client.collect();
        client
    }

    pub fn collect(&mut self) {
        while let Some(event) = self.http.next_event() {
            match event {
                Event::Connection(_, state) => self.state = state,
                Event::BodyWanted(it) => self.outcome(it).wanted += 1,
                Event::BodyStopped(it) => self.outcome(it).stopped = true,
                Event::ResponseHead(it, head) => self.outcome(it).head = Some(head),
                Event::ResponseData(it, data) => self.outcome(it).body.extend(data.concat()),
                Event::ResponseEnd(it, trailers) => self.outcome(it).trailers = Some(trailers),
                Event::Failed(it, failure) => self.outcome(it).failure = Some(failure),
            }
        }
    }

    pub fn outcome(&mut self, request: i32) -> &mut Outcome {
        self.outcomes.entry(request).or_default()
    }

    pub fn try_begin(
        &mut self,
        method: &str,
        path: &str,
        body_length: Option<u64>,
    ) -> Result<i32, Failure> {
        let uri = format!("https://server.test{path}");
        self.try_request(&RequestHead {
            method,
            uri: &uri,
            headers: vec![b"accept", b"*/*"],
            body_length,
        })
    }

    /// Asks for another protocol.
    pub fn upgrade(&mut self) -> i32 {
        let head = RequestHead {
            method: "GET",
            uri: "https://server.test/",
            headers: vec![b"connection", b"upgrade", b"upgrade", b"websocket"],
            body_length: Some(0),
        };
        self.try_request(&head).unwrap()
    }

    fn try_request(&mut self, head: &RequestHead<'_>) -> Result<i32, Failure> {
        let begun = self.http.request(self.connection, head).unwrap();
        self.collect();
        begun
    }

    pub fn begin(&mut self, method: &str, path: &str, body_length: Option<u64>) -> i32 {
        self.try_begin(method, path, body_length).unwrap()
    }

    pub fn get(&mut self, path: &str) -> i32 {
        self.begin("GET", path, Some(0))
    }

    pub fn receive(&mut self, bytes: &[u8]) {
        self.http
            .receive(self.connection, Bytes::copy_from_slice(bytes));
        self.collect();
    }

    pub fn receive_end(&mut self) {
        self.http.receive_end(self.connection);
        self.collect();
    }

    pub fn receive_failed(&mut self) {
        self.http.receive_failed(self.connection);
        self.collect();
    }

    pub fn pull(&mut self, request: i32) {
        self.http.pull(request);
        self.collect();
    }

    pub fn take(&mut self) -> Vec<u8> {
        self.take_output().into_bytes()
    }

    pub fn take_output(&mut self) -> Output {
        let output = self.http.take(self.connection).unwrap_or_default();
        self.collect();
        output
    }

    pub fn body_of(&mut self, request: i32) -> Vec<u8> {
        std::mem::take(&mut self.outcome(request).body)
    }
}

/// hyper's server on its own executor.
pub struct Server {
    pool: LocalPool,
    pub pipe: Pipe,
    pub seen: Rc<Seen>,
}

/// What the server saw of its requests.
#[derive(Default)]
pub struct Seen {
    pub requests: RefCell<Vec<String>>,
    pub body_bytes: Cell<usize>,
    pub body_failed: Cell<bool>,
    pub chunks_made: Cell<usize>,
}

impl Server {
    pub fn new(protocol: Protocol, max_streams: u32) -> Self {
        let pool = LocalPool::new();
        let pipe = Pipe::default();
        let seen = Rc::new(Seen::default());
        let shared = seen.clone();
        let service = service_fn(move |request| answer(request, shared.clone()));
        let spawner = pool.spawner();
        match protocol {
            Protocol::H1 => {
                let connection = http1::Builder::new().serve_connection(pipe.io(), service);
                pool.spawner()
                    .spawn_local(async {
                        let _ = connection.await;
                    })
                    .unwrap();
            }
            Protocol::H2 => {
                let connection = http2::Builder::new(Local(spawner))
                    .max_concurrent_streams(max_streams)
                    .serve_connection(pipe.io(), service);
                pool.spawner()
                    .spawn_local(async {
                        let _ = connection.await;
                    })
                    .unwrap();
            }
        }
        Self { pool, pipe, seen }
    }

    pub fn run(&mut self) {
        self.pool.run_until_stalled();
    }
}

#[derive(Clone)]
struct Local(LocalSpawner);

impl<F: std::future::Future<Output = ()> + 'static> hyper::rt::Executor<F> for Local {
    fn execute(&self, future: F) {
        self.0.spawn_local(future).unwrap();
    }
}

/// `/echo` gives the body back; `/sink` reads it; `/empty` has no body; `/stream/N` makes N chunks of `CHUNK`;
/// `/cut` fails in the middle of its body; `/never` does not answer; `/close` asks for the connection's end.
async fn answer(request: Request<Incoming>, seen: Rc<Seen>) -> Result<Reply, Infallible> {
    let path = request.uri().path().to_owned();
    seen.requests
        .borrow_mut()
        .push(format!("{} {path}", request.method()));
    let (name, count) = path[1..].split_once('/').unwrap_or((&path[1..], "0"));
    let chunks = count.parse().unwrap_or(0);
    Ok(match name {
        "echo" => {
            let sent = request.into_body().collect().await;
            seen.body_failed.set(sent.is_err());
            text(sent.map(|it| it.to_bytes()).unwrap_or_default())
        }
        "sink" => {
            let mut body = request.into_body();
            while let Some(frame) = body.frame().await {
                match frame {
                    Ok(frame) => {
                        let len = frame.data_ref().map_or(0, Bytes::len);
                        seen.body_bytes.set(seen.body_bytes.get() + len);
                    }
                    Err(_) => {
                        seen.body_failed.set(true);
                        break;
                    }
                }
            }
            text(Bytes::from_static(b"done"))
        }
        "stream" => Response::new(made(chunks, false, seen)),
        "cut" => Response::new(made(chunks, true, seen)),
        "empty" => text(Bytes::new()),
        "never" => std::future::pending().await,
        "close" => {
            let mut reply = text(Bytes::from_static(b"bye"));
            reply
                .headers_mut()
                .insert("connection", http::HeaderValue::from_static("close"));
            reply
        }
        _ => text(Bytes::from_static(b"hello")),
    })
}

fn text(bytes: Bytes) -> Reply {
    Response::new(
        Full::new(bytes)
            .map_err(|never| match never {})
            .boxed_unsync(),
    )
}

fn made(count: usize, cut: bool, seen: Rc<Seen>) -> UnsyncBoxBody<Bytes, std::io::Error> {
    // The seen counter is not Send, so the chunks are counted through a plain channel of this thread.
    thread_local! {
        static MADE: RefCell<Option<Rc<Seen>>> = const { RefCell::new(None) };
    }
    MADE.with(|it| *it.borrow_mut() = Some(seen));
    let chunks = stream::iter((0..count).map(move |at| {
        MADE.with(|it| {
            if let Some(seen) = it.borrow().as_ref() {
                seen.chunks_made.set(seen.chunks_made.get() + 1);
            }
        });
        if cut && at + 1 == count {
            return Err(std::io::Error::other("cut"));
        }
        Ok(Frame::data(Bytes::from(vec![at as u8; CHUNK])))
    }));
    StreamBody::new(chunks).boxed_unsync()
}

/// Carries bytes both ways until nothing moves, as long as the client wants to read.
pub fn exchange(client: &mut Client, server: &mut Server, unread_limit: usize) {
    loop {
        server.run();
        let mut moved = false;
        if client.state.output > 0 {
            server.pipe.receive(client.take().into());
            moved = true;
        }
        if client.state.output_ended && client.state.output == 0 {
            server.pipe.end();
        }
        server.run();
        if server.pipe.output() > 0 && client.state.unread < unread_limit {
            let bytes = server.pipe.take().into_bytes();
            client.receive(&bytes);
            moved = true;
        }
        if server.pipe.output_ended() && server.pipe.output() == 0 {
            client.receive_end();
        }
        if !moved {
            return;
        }
    }
}

/// Reads a response to its end.
pub fn finish(client: &mut Client, server: &mut Server, request: i32) {
    for _ in 0..100_000 {
        exchange(client, server, usize::MAX);
        let outcome = client.outcome(request);
        if outcome.trailers.is_some() || outcome.failure.is_some() {
            return;
        }
        client.pull(request);
    }
    panic!("the response does not end");
}
