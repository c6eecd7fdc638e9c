use super::peer::{exchange, finish, Client, Server};
use crate::http::connection::Protocol;
use crate::http::failure::{Failure, FailureKind};

/// An h1 client that has sent `GET /`, and then received `bytes`.
fn answered(bytes: &[u8]) -> (Client, i32) {
    let mut client = Client::new(Protocol::H1);
    let request = client.get("/");
    let sent = String::from_utf8(client.take()).unwrap();
    assert!(sent.starts_with("GET / HTTP/1.1\r\n"), "{sent}");
    assert!(sent.contains("host: server.test\r\n"), "{sent}");
    client.receive(bytes);
    (client, request)
}

fn failure_after(bytes: &[u8]) -> Failure {
    let (mut client, request) = answered(bytes);
    for _ in 0..4 {
        client.pull(request);
    }
    client.receive_end();
    client.pull(request);
    client.outcome(request).failure.clone().unwrap()
}

#[test]
fn tells_the_ends_of_an_h1_connection_apart() {
    let cases: [(&[u8], FailureKind); 9] = [
        (b"", FailureKind::Closed),
        (b"HTTP/1.1 200 OK\r\nconte", FailureKind::Incomplete),
        (
            b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\npart",
            FailureKind::Incomplete,
        ),
        (
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\npart\r\n",
            FailureKind::Incomplete,
        ),
        (
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\npart\r\n",
            FailureKind::Protocol,
        ),
        (
            b"\x16\x03\x01\x02\x00 this is not HTTP\r\n\r\n",
            FailureKind::Protocol,
        ),
        (b"HTTP/1.1 abc OK\r\n\r\n", FailureKind::Protocol),
        (
            b"HTTP/1.1 200 OK\r\nbad header\r\n\r\n",
            FailureKind::Protocol,
        ),
        (
            b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab",
            FailureKind::Protocol,
        ),
    ];
    for (bytes, kind) in cases {
        let failure = failure_after(bytes);
        let text = String::from_utf8_lossy(bytes);
        assert_eq!(failure.kind, kind, "{text}: {failure:?}");
    }
}

#[test]
fn a_body_without_a_length_ends_with_the_connection_only_if_that_ended_well() {
    let head = b"HTTP/1.1 200 OK\r\n\r\nall of it";
    let (mut client, request) = answered(head);
    client.pull(request);
    client.receive_end();
    client.pull(request);
    assert!(client.outcome(request).trailers.is_some());
    assert_eq!(client.outcome(request).body, b"all of it");

    let (mut client, request) = answered(head);
    client.pull(request);
    client.receive_failed();
    client.pull(request);
    let outcome = client.outcome(request);
    assert_eq!(outcome.body, b"all of it");
    assert_eq!(
        outcome.failure.as_ref().unwrap().kind,
        FailureKind::Transport
    );
    assert!(outcome.trailers.is_none());
}

#[test]
fn a_whole_answer_is_given_although_the_connection_fails_beside_an_upload() {
    let mut client = Client::new(Protocol::H1);
    let upload = client.begin("POST", "/", None);
    client.take();
    let mut answer = b"HTTP/1.1 200 OK\r\ncontent-length: 600000\r\n\r\n".to_vec();
    answer.resize(answer.len() + 600_000, b'x');
    client.receive(&answer);
    client.pull(upload);
    client.receive_failed();
    client.http.send(upload, vec![0; 60_000].into());
    client.collect();
    while client.outcome(upload).trailers.is_none() && client.outcome(upload).failure.is_none() {
        client.pull(upload);
    }
    let outcome = client.outcome(upload);
    assert!(outcome.failure.is_none(), "{:?}", outcome.failure);
    assert_eq!(outcome.body.len(), 600_000);
}

#[test]
fn refuses_a_head_beyond_its_limits() {
    let mut long = b"HTTP/1.1 200 OK\r\nx: ".to_vec();
    long.resize(400 * 1024, b'x');
    let mut many = b"HTTP/1.1 200 OK\r\n".to_vec();
    (0..300).for_each(|at| many.extend(format!("x-{at}: y\r\n").into_bytes()));
    many.extend(b"\r\n");
    for bytes in [long, many] {
        assert_eq!(failure_after(&bytes).kind, FailureKind::TooLarge);
    }
}

#[test]
fn refuses_a_head_that_has_two_meanings() {
    let both =
        b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n";
    assert_eq!(failure_after(both).kind, FailureKind::Protocol);
    let switching =
        b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n";
    assert_eq!(failure_after(switching).kind, FailureKind::Protocol);
}

#[test]
fn takes_a_body_whose_trailers_cannot_be_read_and_leaves_the_connection() {
    let body = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nall\r\n0\r\n";
    for trailers in ["no colon", ": no name", "x : y", "x: a\r\n b", "x: \x7f"] {
        let (mut client, request) = answered(format!("{body}{trailers}\r\n\r\n").as_bytes());
        (0..3).for_each(|_| client.pull(request));
        let outcome = client.outcome(request);
        assert!(outcome.failure.is_none(), "{trailers}");
        assert_eq!(outcome.body, b"all");
        assert!(outcome.trailers.is_some());
        assert!(client.state.closed && !client.state.ready);
    }
    // Until their end is there, the body is not whole.
    let failure = failure_after(format!("{body}no colon\r\n").as_bytes());
    assert_eq!(failure.kind, FailureKind::Incomplete);
}

#[test]
fn keeps_a_head_within_its_limits() {
    let mut head = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nx: ".to_vec();
    head.resize(100 * 1024, b'x');
    head.extend(b"\r\n\r\n");
    let (mut client, request) = answered(&head);
    assert!(client.outcome(request).trailers.is_some());
}

#[test]
fn a_failed_transport_fails_everything_on_it() {
    for protocol in [Protocol::H1, Protocol::H2] {
        let mut client = Client::new(protocol);
        let mut server = Server::new(protocol, 100);
        let request = client.get("/stream/100");
        exchange(&mut client, &mut server, 32 * 1024);
        let other = (protocol == Protocol::H2).then(|| client.get("/never"));
        client.receive_failed();
        while client.outcome(request).failure.is_none() {
            client.pull(request);
        }
        for request in [Some(request), other].into_iter().flatten() {
            let failure = client.outcome(request).failure.clone().unwrap();
            assert_eq!(
                failure.kind,
                FailureKind::Transport,
                "{protocol:?} {failure:?}"
            );
        }
        assert!(client.state.closed && client.state.done);
        let late = client.try_begin("GET", "/", Some(0));
        let late = match late {
            Ok(request) => client.outcome(request).failure.clone().unwrap(),
            Err(failure) => failure,
        };
        assert_eq!(late.kind, FailureKind::Unprocessed);
    }
}

#[test]
fn an_abandoned_connection_is_over_at_once() {
    for protocol in [Protocol::H1, Protocol::H2] {
        let mut client = Client::new(protocol);
        let mut server = Server::new(protocol, 100);
        let request = client.get("/stream/100");
        exchange(&mut client, &mut server, 32 * 1024);
        client.http.abandon(client.connection);
        client.collect();
        for _ in 0..200 {
            client.pull(request);
        }
        assert!(client.outcome(request).failure.is_some());
        assert!(client.http.connections.is_empty() && client.http.exchanges.is_empty());
    }
}

#[test]
fn an_h2_connection_that_ends_in_the_middle_is_incomplete() {
    let mut client = Client::new(Protocol::H2);
    let mut server = Server::new(Protocol::H2, 100);
    let answered = client.get("/stream/2000");
    let unanswered = client.get("/never");
    exchange(&mut client, &mut server, usize::MAX);
    client.receive_end();
    while client.outcome(answered).failure.is_none() {
        client.pull(answered);
    }
    assert_eq!(
        client.outcome(answered).failure.as_ref().unwrap().kind,
        FailureKind::Incomplete
    );
    assert_eq!(
        client.outcome(unanswered).failure.as_ref().unwrap().kind,
        FailureKind::Closed
    );
    assert!(client.state.closed);
}

#[test]
fn a_reset_stream_says_its_reason() {
    let mut client = Client::new(Protocol::H2);
    let mut server = Server::new(Protocol::H2, 100);
    let request = client.get("/cut/3");
    finish(&mut client, &mut server, request);
    let failure = client.outcome(request).failure.clone().unwrap();
    assert_eq!((failure.kind, failure.code), (FailureKind::Reset, 2));
    let next = client.get("/hello");
    finish(&mut client, &mut server, next);
    assert_eq!(client.outcome(next).body, b"hello");
}

/// A server's SETTINGS (RFC 9113 section 6.5), empty.
pub const SETTINGS: [u8; 9] = [0, 0, 0, 4, 0, 0, 0, 0, 0];

pub fn frame(kind: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    flagged_frame((kind, 0), stream, payload)
}

pub fn flagged_frame((kind, flags): (u8, u8), stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut frame = length[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

#[test]
fn streams_that_the_server_did_not_process_may_be_sent_again() {
    let mut client = Client::new(Protocol::H2);
    let (first, second) = (client.get("/1"), client.get("/2"));
    client.take();
    client.receive(&SETTINGS);
    // GOAWAY: the last stream processed is 1, no error.
    client.receive(&frame(7, 0, &[0, 0, 0, 1, 0, 0, 0, 0]));
    let failure = client.outcome(second).failure.clone().unwrap();
    assert_eq!(failure.kind, FailureKind::Unprocessed);
    assert!(client.outcome(first).failure.is_none());
    let third = client.get("/3");
    let failure = client.outcome(third).failure.clone().unwrap();
    assert_eq!(failure.kind, FailureKind::Unprocessed);
    client.receive_end();
    assert_eq!(
        client.outcome(first).failure.as_ref().unwrap().kind,
        FailureKind::Closed
    );
}

#[test]
fn a_refused_stream_may_be_sent_again() {
    let mut client = Client::new(Protocol::H2);
    let request = client.get("/");
    client.take();
    client.receive(&SETTINGS);
    client.receive(&frame(3, 1, &[0, 0, 0, 7]));
    let failure = client.outcome(request).failure.clone().unwrap();
    assert_eq!(failure.kind, FailureKind::Unprocessed);
    assert!(client.state.ready);
}

#[test]
fn garbage_instead_of_h2_is_a_protocol_error() {
    let mut client = Client::new(Protocol::H2);
    let request = client.get("/");
    client.take();
    client.receive(b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\n\r\n");
    let failure = client.outcome(request).failure.clone().unwrap();
    assert_eq!(failure.kind, FailureKind::Protocol, "{failure:?}");
    assert!(client.state.closed);
}

#[test]
fn a_connection_closed_while_idle_takes_no_request() {
    for protocol in [Protocol::H1, Protocol::H2] {
        let mut client = Client::new(protocol);
        let mut server = Server::new(protocol, 100);
        let request = client.get("/hello");
        finish(&mut client, &mut server, request);
        client.receive_end();
        assert!(client.state.closed, "{protocol:?}");
    }
}

#[test]
fn what_cannot_be_sent_is_misuse() {
    let mut client = Client::new(Protocol::H1);
    for (method, path) in [("G T", "/"), ("GET", "/a b")] {
        let failure = client.try_begin(method, path, Some(0)).unwrap_err();
        assert_eq!(failure.kind, FailureKind::Misuse);
    }
    assert!(client.http.exchanges.is_empty());
}
