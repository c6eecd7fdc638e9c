//! An h2 server that is frames written by hand.

use std::time::Duration;

use super::faults::{flagged_frame, frame, SETTINGS};
use super::peer::Client;
use crate::http::connection::{Ping, Protocol};
use crate::http::failure::FailureKind;
use crate::http::fault::Fault;

pub const HEADERS: u8 = 1;
pub const DATA: u8 = 0;
const RST_STREAM: u8 = 3;
const SETTINGS_TYPE: u8 = 4;
const PING: u8 = 6;
pub const END_STREAM: u8 = 1;
const ACK: u8 = 1;
pub const END_HEADERS: u8 = 4;
pub const CONTINUATION: u8 = 9;
pub const STATUS_200: u8 = 0x88;

pub fn begun(path: &str, ping: Option<Ping>) -> (Client, i32) {
    let mut client = Client::pinging(Protocol::H2, ping);
    let request = client.get(path);
    client.receive(&SETTINGS);
    client.take();
    (client, request)
}

/// A literal field with a name of its own (RFC 7541 section 6.2.2), shorter than 127 bytes.
fn field(name: &str, value: &str) -> Vec<u8> {
    let mut bytes = vec![0, u8::try_from(name.len()).unwrap()];
    bytes.extend(name.as_bytes());
    bytes.push(u8::try_from(value.len()).unwrap());
    bytes.extend(value.as_bytes());
    bytes
}

fn head(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut block = vec![STATUS_200];
    fields
        .iter()
        .for_each(|(name, value)| block.extend(field(name, value)));
    flagged_frame((HEADERS, END_HEADERS), 1, &block)
}

#[test]
fn a_body_of_another_length_than_announced_is_incomplete() {
    for body in [&b"short"[..], b"far too long"] {
        let (mut client, request) = begun("/", None);
        client.receive(&head(&[("content-length", "8")]));
        client.receive(&flagged_frame((DATA, END_STREAM), 1, body));
        client.pull(request);
        let failure = client.outcome(request).failure.clone().unwrap();
        assert_eq!(failure.kind, FailureKind::Incomplete, "{failure:?}");
        // The connection goes on.
        assert!(client.state.ready);
    }
}

/// What hyper alone takes for the end of a body.
const QUIET_RESETS: [u8; 2] = [0, 8];

#[test]
fn a_reset_in_the_middle_of_a_body_is_no_end() {
    for fields in [&[("content-length", "8")][..], &[]] {
        for reason in QUIET_RESETS {
            let (mut client, request) = begun("/", None);
            client.receive(&head(fields));
            client.receive(&frame(DATA, 1, b"part"));
            client.pull(request);
            client.receive(&frame(RST_STREAM, 1, &[0, 0, 0, reason]));
            client.pull(request);
            let outcome = client.outcome(request);
            assert_eq!(outcome.body, b"part");
            let failure = outcome.failure.clone().unwrap();
            assert_eq!(failure.kind, FailureKind::Reset, "{failure:?}");
            assert!(client.state.ready);
        }
    }
}

#[test]
fn a_reset_behind_the_end_of_a_body_takes_nothing_from_it() {
    for reason in QUIET_RESETS {
        let (mut client, request) = begun("/", None);
        let mut answer = head(&[]);
        answer.extend(flagged_frame((DATA, END_STREAM), 1, b"whole"));
        answer.extend(frame(RST_STREAM, 1, &[0, 0, 0, reason]));
        client.receive(&answer);
        client.pull(request);
        client.pull(request);
        let outcome = client.outcome(request);
        assert_eq!(outcome.body, b"whole");
        assert!(outcome.trailers.is_some() && outcome.failure.is_none());
    }
}

#[test]
fn a_whole_answer_is_given_although_the_connection_ends_beside_an_upload() {
    type Ending = fn(&mut Client);
    let endings: [Ending; 2] = [Client::receive_failed, Client::receive_end];
    for end in endings {
        let mut client = Client::new(Protocol::H2);
        let upload = client.begin("POST", "/", None);
        client.receive(&SETTINGS);
        // Takes our own settings, and with them the window.
        client.receive(&flagged_frame((SETTINGS_TYPE, ACK), 0, &[]));
        let mut answer = head(&[]);
        (0..19).for_each(|_| answer.extend(frame(DATA, 1, &[0; 16_000])));
        answer.extend(flagged_frame((DATA, END_STREAM), 1, &[0; 16_000]));
        client.receive(&answer);
        assert!(!client.outcome(upload).stopped);
        end(&mut client);
        let outcome = client.outcome(upload);
        assert_eq!(outcome.body.len(), 20 * 16_000, "{:?}", outcome.failure);
        assert!(outcome.trailers.is_some() && outcome.failure.is_none());
        assert!(outcome.stopped);
    }
}

#[test]
fn an_answer_that_is_cut_beside_an_upload_fails_behind_what_came_of_it() {
    let mut client = Client::new(Protocol::H2);
    let upload = client.begin("POST", "/", None);
    client.receive(&SETTINGS);
    client.receive(&head(&[]));
    client.receive(&frame(DATA, 1, b"part"));
    client.receive_failed();
    let outcome = client.outcome(upload);
    assert_eq!(outcome.body, b"part");
    let failure = outcome.failure.as_ref().unwrap();
    assert_eq!(failure.kind, FailureKind::Transport);
}

#[test]
fn empty_pieces_of_a_body_are_left_out_however_they_are_cut() {
    const PADDED: u8 = 8;
    for most in [usize::MAX, 1, 4, 9, 10] {
        let (mut client, request) = begun("/", None);
        let mut answer = head(&[]);
        for round in 0..5 {
            (0..1_000).for_each(|_| answer.extend(frame(DATA, 1, &[])));
            answer.extend(frame(DATA, 1, &[b'a' + round]));
        }
        answer.extend(flagged_frame((DATA, PADDED), 1, &[2, b'f', 0, 0]));
        answer.extend(flagged_frame((DATA, END_STREAM), 1, &[]));
        for piece in answer.chunks(most.min(answer.len())) {
            client.receive(piece);
            client.pull(request);
        }
        let outcome = client.outcome(request);
        assert_eq!(outcome.body, b"abcdef", "{:?}", outcome.failure);
        assert!(outcome.trailers.is_some() && client.state.ready);
    }
}

#[test]
fn a_flood_of_empty_pieces_ends_the_connection() {
    let (mut client, request) = begun("/", None);
    client.receive(&head(&[]));
    client.receive(&frame(DATA, 1, &[]).repeat(11_000));
    client.pull(request);
    let failure = client.outcome(request).failure.clone().unwrap();
    assert_eq!(failure.fault, Fault::TinyPieces as u8, "{failure:?}");
    assert!(!client.state.ready);
}

#[test]
fn empty_pieces_where_no_body_is_are_refused() {
    for (stream, fault) in [(1, Fault::DataBeforeHead), (3, Fault::UnopenedStream)] {
        let (mut client, request) = begun("/", None);
        client.receive(&frame(DATA, stream, &[]));
        let failure = client.outcome(request).failure.clone().unwrap();
        assert_eq!(failure.fault, fault as u8, "{failure:?}");
    }
}

#[test]
fn a_head_that_is_too_large_is_told_from_one_that_is_wrong() {
    let (mut client, request) = begun("/", None);
    let many: Vec<_> = (0..300).map(|_| ("x", "y")).collect();
    client.receive(&head(&many));
    let failure = client.outcome(request).failure.clone().unwrap();
    assert_eq!(failure.kind, FailureKind::TooLarge);
    let (mut client, request) = begun("/", None);
    client.receive(&flagged_frame((HEADERS, 0), 1, &[STATUS_200]));
    for _ in 0..41 {
        client.receive(&frame(CONTINUATION, 1, &[]));
    }
    let failure = client.outcome(request).failure.clone().unwrap();
    assert_eq!(failure.kind, FailureKind::TooLarge);
    let (mut client, request) = begun("/", None);
    client.receive(&head(&[("Upper", "case")]));
    let failure = client.outcome(request).failure.clone().unwrap();
    assert_eq!(failure.kind, FailureKind::Protocol);
}

#[test]
fn tells_the_servers_limit_of_streams() {
    let (mut client, _) = begun("/", None);
    assert!(client.state.streams > 1000);
    client.receive(&frame(4, 0, &[0, 3, 0, 0, 0, 7]));
    assert_eq!(client.state.streams, 7);
}

const INTERVAL: Duration = Duration::from_secs(10);
const PINGS: Option<Ping> = Some(Ping {
    interval: INTERVAL,
    timeout: Duration::from_secs(5),
});

fn wait(client: &mut Client, seconds: u64) {
    client.http.advance(Duration::from_secs(seconds));
    client.collect();
}

/// What the client wants to know back, if it has sent a ping.
fn ping_of(client: &mut Client) -> Option<Vec<u8>> {
    let output = client.take();
    (output.get(3) == Some(&PING)).then(|| output[9..17].to_vec())
}

#[test]
fn a_server_that_is_silent_is_pinged_and_given_up() {
    let (mut client, request) = begun("/", PINGS);
    wait(&mut client, 9);
    assert_eq!(ping_of(&mut client), None);
    wait(&mut client, 2);
    let sent = ping_of(&mut client).unwrap();
    client.receive(&flagged_frame((PING, 1), 0, &sent));
    wait(&mut client, 9);
    assert!(client.outcome(request).failure.is_none());
    wait(&mut client, 2);
    ping_of(&mut client).unwrap();
    wait(&mut client, 6);
    let failure = client.outcome(request).failure.clone().unwrap();
    assert_eq!(failure.kind, FailureKind::Silent);
    assert!(client.state.closed && client.state.done);
}

#[test]
fn a_silent_server_fails_a_body_too() {
    let (mut client, request) = begun("/", PINGS);
    client.receive(&head(&[]));
    client.pull(request);
    for _ in 0..3 {
        wait(&mut client, 8);
    }
    let failure = client.outcome(request).failure.clone().unwrap();
    assert_eq!(failure.kind, FailureKind::Silent);
}

#[test]
fn an_idle_connection_is_not_pinged() {
    let (mut client, request) = begun("/", PINGS);
    client.receive(&head(&[]));
    client.receive(&flagged_frame((DATA, END_STREAM), 1, b""));
    client.pull(request);
    client.take();
    for _ in 0..5 {
        wait(&mut client, 8);
        assert_eq!(ping_of(&mut client), None);
    }
    assert!(client.state.ready);
}
