use bytes::Bytes;

use super::peer::{exchange, finish, Client, Server, CHUNK};
use crate::http::connection::Protocol;
use crate::http::failure::FailureKind;

const BOTH: [Protocol; 2] = [Protocol::H1, Protocol::H2];

fn pair(protocol: Protocol) -> (Client, Server) {
    (Client::new(protocol), Server::new(protocol, 100))
}

#[test]
fn gets_a_response() {
    for protocol in BOTH {
        let (mut client, mut server) = pair(protocol);
        let request = client.get("/hello");
        finish(&mut client, &mut server, request);
        let outcome = client.outcome(request);
        let head = outcome.head.as_ref().unwrap();
        assert_eq!(head.status, 200);
        assert_eq!(head.headers["content-length"], "5");
        assert_eq!(outcome.body, b"hello");
        let reason: &[u8] = if protocol == Protocol::H1 { b"OK" } else { b"" };
        assert_eq!(head.reason, reason);
        assert_eq!(*server.seen.requests.borrow(), ["GET /hello"]);
    }
}

#[test]
fn uses_a_connection_again() {
    for protocol in BOTH {
        let (mut client, mut server) = pair(protocol);
        for _ in 0..3 {
            assert!(client.state.ready);
            let request = client.get("/stream/3");
            finish(&mut client, &mut server, request);
            assert_eq!(client.outcome(request).body.len(), 3 * CHUNK);
        }
        assert!(client.state.ready && !client.state.closed);
        assert!(client.http.exchanges.is_empty());
    }
}

#[test]
fn an_empty_response_ends_with_one_pull() {
    for protocol in BOTH {
        let (mut client, mut server) = pair(protocol);
        let request = client.begin("HEAD", "/empty", Some(0));
        exchange(&mut client, &mut server, usize::MAX);
        client.pull(request);
        let outcome = client.outcome(request);
        let failure = &outcome.failure;
        assert!(
            outcome.trailers.is_some(),
            "{protocol:?} {failure:?} {:?}",
            outcome.body
        );
        assert!(client.state.ready);
    }
}

#[test]
fn streams_a_body_of_unknown_length() {
    for protocol in BOTH {
        let (mut client, mut server) = pair(protocol);
        let request = client.begin("POST", "/echo", None);
        let mut sent = Vec::new();
        for piece in 0..20u8 {
            exchange(&mut client, &mut server, usize::MAX);
            assert_eq!(client.outcome(request).wanted, usize::from(piece) + 1);
            let bytes = vec![piece; 5_000];
            assert!(client.http.send(request, Bytes::copy_from_slice(&bytes)));
            client.collect();
            sent.extend(bytes);
        }
        client.http.send_end(request);
        client.collect();
        finish(&mut client, &mut server, request);
        assert!(client.outcome(request).body == sent);
        assert!(client.http.exchanges.is_empty());
    }
}

#[test]
fn streams_a_body_of_known_length() {
    for protocol in BOTH {
        let (mut client, mut server) = pair(protocol);
        let request = client.begin("PUT", "/echo", Some(10));
        exchange(&mut client, &mut server, usize::MAX);
        assert!(
            !client.http.send(request, vec![0; 11].into()),
            "more than announced"
        );
        assert!(client.http.send(request, "0123456789".into()));
        client.http.send_end(request);
        client.collect();
        finish(&mut client, &mut server, request);
        assert_eq!(client.outcome(request).body, b"0123456789");
    }
}

#[test]
fn takes_no_more_of_a_body_than_the_server_reads() {
    for protocol in BOTH {
        let (mut client, _server) = pair(protocol);
        let request = client.begin("POST", "/never", None);
        let mut accepted = 0;
        // Nobody takes the output.
        while client.http.send(request, vec![7; CHUNK].into()) {
            client.collect();
            accepted += CHUNK;
            assert!(accepted < 4 << 20, "{protocol:?} swallows everything");
        }
        assert!(client.state.output <= 256 * 1024);
    }
}

#[test]
fn holds_no_more_of_a_response_than_its_limits() {
    for protocol in BOTH {
        let (mut client, mut server) = pair(protocol);
        let request = client.get("/stream/2000");
        exchange(&mut client, &mut server, 128 * 1024);
        let made = server.seen.chunks_made.get() * CHUNK;
        assert!(made < 3 << 20, "{protocol:?} let {made} bytes be made");
        assert_eq!(client.outcome(request).body.len(), 0, "nothing was pulled");
        finish(&mut client, &mut server, request);
        let body = client.body_of(request);
        assert_eq!(body.len(), 2000 * CHUNK);
        assert!(body
            .chunks(CHUNK)
            .enumerate()
            .all(|(at, chunk)| chunk == [at as u8; CHUNK]));
    }
}

#[test]
fn many_streams_share_a_connection_and_wait_for_the_servers_limit() {
    let mut client = Client::new(Protocol::H2);
    let mut server = Server::new(Protocol::H2, 8);
    let first = client.get("/hello");
    finish(&mut client, &mut server, first);
    let waiting: Vec<i32> = (0..8).map(|_| client.get("/never")).collect();
    let requests: Vec<i32> = (0..50)
        .map(|at| client.get(&format!("/stream/{at}")))
        .collect();
    exchange(&mut client, &mut server, usize::MAX);
    assert_eq!(server.seen.requests.borrow().len(), 9, "8 streams at once");
    for request in waiting {
        client.http.cancel(request);
        client.collect();
    }
    for (at, request) in requests.into_iter().enumerate() {
        finish(&mut client, &mut server, request);
        assert_eq!(client.outcome(request).body.len(), at * CHUNK);
    }
    assert_eq!(server.seen.requests.borrow().len(), 59);
    assert!(client.http.exchanges.is_empty());
}

#[test]
fn cancelling_ends_an_h2_stream_alone() {
    let (mut client, mut server) = pair(Protocol::H2);
    let cancelled = client.get("/stream/2000");
    let other = client.get("/stream/100");
    let unanswered = client.begin("POST", "/sink", None);
    exchange(&mut client, &mut server, usize::MAX);
    for request in [cancelled, unanswered] {
        assert!(client.http.cancel(request));
        client.collect();
    }
    finish(&mut client, &mut server, other);
    assert_eq!(client.outcome(other).body.len(), 100 * CHUNK);
    assert!(server.seen.chunks_made.get() < 2000);
    assert!(server.seen.body_failed.get());
    assert!(client.state.ready);
}

#[test]
fn cancelling_closes_an_h1_connection() {
    for path in ["/stream/2000", "/never"] {
        let (mut client, mut server) = pair(Protocol::H1);
        let request = client.get(path);
        exchange(&mut client, &mut server, 64 * 1024);
        assert!(client.http.cancel(request));
        client.collect();
        exchange(&mut client, &mut server, usize::MAX);
        assert!(client.state.closed && client.state.output_ended, "{path}");
    }
}

#[test]
fn giving_the_body_up_fails_the_exchange() {
    for protocol in BOTH {
        let (mut client, mut server) = pair(protocol);
        let request = client.begin("POST", "/sink", None);
        exchange(&mut client, &mut server, usize::MAX);
        client.http.send(request, "part".into());
        client.http.send_abort(request);
        client.collect();
        exchange(&mut client, &mut server, usize::MAX);
        let failure = client.outcome(request).failure.clone().unwrap();
        assert_eq!(
            failure.kind,
            FailureKind::BodyAborted,
            "{protocol:?}: {failure:?}"
        );
        assert!(server.seen.body_failed.get());
    }
}

#[test]
fn closing_lets_what_runs_end() {
    for protocol in BOTH {
        let (mut client, mut server) = pair(protocol);
        let request = client.get("/stream/20");
        client.http.close(client.connection);
        client.collect();
        assert!(client.state.closed);
        let late = client.try_begin("GET", "/hello", Some(0)).unwrap_err();
        assert_eq!(late.kind, FailureKind::Unprocessed);
        finish(&mut client, &mut server, request);
        assert_eq!(client.outcome(request).body.len(), 20 * CHUNK);
        exchange(&mut client, &mut server, usize::MAX);
        assert!(
            client.state.done && client.state.output_ended,
            "{protocol:?}"
        );
    }
}

#[test]
fn the_server_may_ask_for_the_connections_end() {
    let (mut client, mut server) = pair(Protocol::H1);
    let request = client.get("/close");
    finish(&mut client, &mut server, request);
    assert_eq!(client.outcome(request).body, b"bye");
    assert!(client.state.closed && client.state.output_ended);
}

#[test]
fn a_101_gives_the_transport_back_with_what_came_behind_it() {
    let head =
        b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n";
    for split in [head.len(), head.len() - 1, head.len() + 2] {
        let mut client = Client::new(Protocol::H1);
        let request = client.upgrade();
        client.take();
        let bytes = [&head[..], b"\x81\x02hi"].concat();
        client.receive(&bytes[..split]);
        client.receive(&bytes[split..]);
        let status = client.outcome(request).head.as_ref().map(|it| it.status);
        assert_eq!(status.map(|it| it.as_u16()), Some(101));
        assert!(client.state.closed);
        let rest = client.http.take_rest(client.connection).unwrap();
        // What is received after the head was told is the host's affair.
        let told = split.max(head.len());
        let known = if split < head.len() {
            bytes.len()
        } else {
            told
        };
        assert_eq!(rest, &bytes[head.len()..known]);
    }
}
