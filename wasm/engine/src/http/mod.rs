//! The HTTP client: hyper's h1 and h2, polled by the host's calls.
//!
//! Plaintext from a TLS connection goes in by [`Http::receive`], plaintext for it comes out by [`Http::take`]; requests
//! and responses pass piece by piece, each on demand, so that no side buffers more than fixed limits. What happened is
//! told by [`Event`]s: after every call, take them all.

pub mod body;
mod clock;
pub mod connection;
mod connection_fields;
pub mod event;
mod exchange;
pub mod failure;
mod fault;
mod faults;
mod frames;
mod head_fields;
mod huffman;
mod limits;
pub mod output;
mod passed;
mod pipe;
mod sent;
mod stream_number;
#[cfg(test)]
mod tests;
mod windows;

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use futures_executor::LocalPool;
use futures_util::future::{abortable, AbortHandle};
use futures_util::task::LocalSpawnExt;
use http::header::UPGRADE;
use http::{HeaderName, HeaderValue, Method, Request, Uri};

use self::body::{BodySource, H2_FRAME_BYTES};
use self::clock::Clock;
use self::connection::{Connection, Ping, Protocol};
use self::event::{Event, Events};
use self::exchange::{Demand, Reporter};
use self::failure::Failure;
use self::output::Output;
use self::windows::Needed;
use crate::wire::{Malformed, Reader};

#[derive(Default)]
pub struct Http {
    pool: LocalPool,
    events: Events,
    clock: Clock,
    needed_window: Needed,
    last_handle: i32,
    connections: BTreeMap<i32, Connection>,
    exchanges: BTreeMap<i32, Exchange>,
}

struct Exchange {
    connection: i32,
    body: BodySource,
    demand: Demand,
    abort: AbortHandle,
    response_done: bool,
    body_done: bool,
}

/// A request as the host describes it.
pub struct RequestHead<'a> {
    pub method: &'a str,
    /// Absolute.
    pub uri: &'a str,
    /// Names and values by turns.
    pub headers: Vec<&'a [u8]>,
    /// `Some(0)`: there is none; `None`: unknown.
    pub body_length: Option<u64>,
}

impl<'a> RequestHead<'a> {
    pub fn read(input: &'a [u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(input);
        let (method, uri, headers) = (reader.str()?, reader.str()?, reader.list()?);
        let known = reader.u8()? != 0;
        let length = u64::from(reader.u32()?) | u64::from(reader.u32()?) << 32;
        reader.finish()?;
        Ok(Self {
            method,
            uri,
            headers,
            body_length: known.then_some(length),
        })
    }

    fn build(&self) -> Result<Request<()>, Failure> {
        let mut request = Request::new(());
        *request.method_mut() = Method::from_bytes(self.method.as_bytes())
            .map_err(|_| Failure::misuse("the method cannot be sent"))?;
        *request.uri_mut() = self
            .uri
            .parse::<Uri>()
            .map_err(|_| Failure::misuse("the address cannot be sent"))?;
        for field in self.headers.chunks(2) {
            let (name, value) = header(field)
                .ok_or_else(|| Failure::misuse("a header's name or value cannot be sent"))?;
            request.headers_mut().append(name, value);
        }
        Ok(request)
    }
}

fn header(field: &[&[u8]]) -> Option<(HeaderName, HeaderValue)> {
    let [name, value] = field else { return None };
    let name = HeaderName::from_bytes(name).ok()?;
    Some((name, HeaderValue::from_bytes(value).ok()?))
}

impl Http {
    /// What has happened since the last call, in order. Call until there is nothing more.
    pub fn next_event(&mut self) -> Option<Event> {
        let event = self.events.pop()?;
        match &event {
            Event::ResponseEnd(request, _) | Event::Failed(request, _) => {
                self.settle(*request, |exchange| exchange.response_done = true);
            }
            Event::BodyStopped(request) => {
                self.settle(*request, |exchange| exchange.body_done = true);
            }
            _ => {}
        }
        Some(event)
    }

    /// `ping`: whether and when to ask a silent h2 server for a sign of life.
    pub fn open(&mut self, protocol: Protocol, ping: Option<Ping>) -> Option<i32> {
        let connection = match protocol {
            Protocol::H1 => Connection::h1(&self.pool.spawner()),
            Protocol::H2 => {
                let needed = self.needed_window.clone();
                Connection::h2(&self.pool.spawner(), needed, (&self.clock, ping))
            }
        }?;
        let handle = self.new_handle();
        self.connections.insert(handle, connection);
        self.run();
        Some(handle)
    }

    /// Time has passed.
    pub fn advance(&mut self, time: Duration) {
        self.clock.advance(time);
        self.run();
    }

    /// Gives a connection up, with everything on it.
    pub fn abandon(&mut self, connection: i32) {
        if let Some(connection) = self.connections.remove(&connection) {
            connection.pipe.abandon();
        }
        self.run();
    }

    /// Lets the requests in progress end, takes no further one, and then ends the connection.
    pub fn close(&mut self, connection: i32) -> bool {
        self.with(connection, Connection::close)
    }

    pub fn receive(&mut self, connection: i32, bytes: Bytes) -> bool {
        self.with(connection, |it| it.pipe.receive(bytes))
    }

    /// The peer has ended its side cleanly.
    pub fn receive_end(&mut self, connection: i32) -> bool {
        self.read_ahead(connection);
        self.with(connection, |it| it.pipe.end())
    }

    /// The transport has failed.
    pub fn receive_failed(&mut self, connection: i32) -> bool {
        self.read_ahead(connection);
        self.with(connection, |it| it.pipe.fail())
    }

    /// What is to be sent now.
    pub fn take(&mut self, connection: i32) -> Option<Output> {
        let output = self.connections.get(&connection)?.pipe.take();
        self.run();
        Some(output)
    }

    /// What was received behind a 101, which ends the connection's HTTP (RFC 9110 section 7.8): the transport is the host's again.
    pub fn take_rest(&mut self, connection: i32) -> Option<Vec<u8>> {
        Some(self.connections.get(&connection)?.pipe.take_rest())
    }

    /// Begins an exchange. `None`: there is no such connection.
    pub fn request(
        &mut self,
        connection: i32,
        head: &RequestHead<'_>,
    ) -> Option<Result<i32, Failure>> {
        let (handle, on) = (self.new_handle(), connection);
        let connection = self.connections.get_mut(&connection)?;
        let request = match head.build().and_then(|it| connection.prepare(it)) {
            Ok(request) => request,
            Err(failure) => return Some(Err(failure)),
        };
        let upgrades = request.headers().contains_key(UPGRADE);
        let frame_bytes = match connection.protocol() {
            Protocol::H1 => usize::MAX,
            Protocol::H2 => H2_FRAME_BYTES,
        };
        let body = BodySource::new(handle, head.body_length, frame_bytes, self.events.clone());
        connection.pipe.note_request();
        let answer = connection.send(request.map(|()| body.body()))?;
        let reporter = Reporter {
            request: handle,
            events: self.events.clone(),
            pipe: connection.pipe.clone(),
            body: body.clone(),
            upgrades,
            received_before: (connection.protocol() == Protocol::H1)
                .then(|| connection.pipe.received()),
        };
        let demand = Demand::default();
        let (task, abort) = abortable(exchange::run(answer, demand.clone(), reporter));
        let _ = self.pool.spawner().spawn_local(async {
            let _ = task.await;
        });
        self.exchanges.insert(
            handle,
            Exchange {
                connection: on,
                body,
                demand,
                abort,
                response_done: false,
                body_done: head.body_length == Some(0),
            },
        );
        self.run();
        Some(Ok(handle))
    }

    /// A piece of the request's body, which [`Event::BodyWanted`] has asked for.
    pub fn send(&mut self, request: i32, bytes: Bytes) -> bool {
        let sent = self
            .exchanges
            .get(&request)
            .is_some_and(|exchange| exchange.body.send(bytes));
        self.run();
        sent
    }

    pub fn send_end(&mut self, request: i32) -> bool {
        let known = self.exchanges.contains_key(&request);
        self.settle(request, |exchange| {
            exchange.body.end();
            exchange.body_done = true;
        });
        self.run();
        known
    }

    /// The request's body cannot be completed: the exchange fails.
    pub fn send_abort(&mut self, request: i32) -> bool {
        let known = self.exchanges.contains_key(&request);
        self.settle(request, |exchange| {
            exchange.body.abort();
            exchange.body_done = true;
        });
        self.run();
        known
    }

    /// Asks for one more piece of the response's body.
    pub fn pull(&mut self, request: i32) -> bool {
        let known = self.exchanges.get(&request).map(|it| it.demand.pull());
        self.run();
        known.is_some()
    }

    /// Ends an exchange at once: h2 resets the stream, h1 loses the connection. Nothing more is told about it.
    pub fn cancel(&mut self, request: i32) -> bool {
        let known = self.exchanges.remove(&request).map(|exchange| {
            exchange.body.abort();
            exchange.abort.abort();
        });
        self.run();
        known.is_some()
    }

    /// Gives the host all that has come of responses, for nothing more comes. As soon as h2 learns of that, it forgets which of them
    /// were complete, beside a body that is still on its way up.
    fn read_ahead(&mut self, connection: i32) {
        let is_h2 = |it: &Connection| it.protocol() == Protocol::H2;
        if !self.connections.get(&connection).is_some_and(is_h2) {
            return;
        }
        let here = self
            .exchanges
            .values()
            .filter(|it| it.connection == connection);
        here.filter(|it| !it.body_done)
            .for_each(|it| it.demand.pull_all());
        self.run();
    }

    fn with(&mut self, connection: i32, act: impl FnOnce(&mut Connection)) -> bool {
        let known = self.connections.get_mut(&connection).map(act);
        self.run();
        known.is_some()
    }

    /// Forgets an exchange when nothing of it is left.
    fn settle(&mut self, request: i32, change: impl FnOnce(&mut Exchange)) {
        let over = self.exchanges.get_mut(&request).is_some_and(|exchange| {
            change(exchange);
            exchange.response_done && exchange.body_done
        });
        if over {
            self.exchanges.remove(&request);
        }
    }

    fn new_handle(&mut self) -> i32 {
        self.last_handle += 1;
        self.last_handle
    }

    fn run(&mut self) {
        self.pool.run_until_stalled();
        for (handle, connection) in &mut self.connections {
            if let Some(state) = connection.changed_state() {
                self.events.push(Event::Connection(*handle, state));
            }
        }
    }
}
