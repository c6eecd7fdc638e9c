use std::time::{Duration, Instant};

use super::faults::{flagged_frame, frame, SETTINGS};
use super::h2_peer::{begun, CONTINUATION, DATA, END_HEADERS, END_STREAM, HEADERS, STATUS_200};
use crate::http::output::Output;
use crate::http::sent::{Sent, StreamEvent};
use crate::http::windows::{Grant, Needed, Piece, Windows, CONNECTION, LIMIT, MAX, START};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const SETTINGS_TYPE: u8 = 4;
const RST_STREAM: u8 = 3;
const WINDOW_UPDATE: u8 = 8;
const ACK: u8 = 1;
const PADDED: u8 = 8;

/// A stream whose path has this round trip, with a reader that takes pieces of a quarter of [`START`].
struct Path {
    windows: Windows,
    now: Instant,
}

impl Path {
    fn new(round_trip: Duration) -> Self {
        Self::knowing(Needed::default(), round_trip)
    }

    fn knowing(needed: Needed, round_trip: Duration) -> Self {
        let mut path = Self {
            windows: Windows::new(needed),
            now: Instant::now(),
        };
        path.windows.note_settings(path.now);
        path.windows.note_acknowledgement(path.now + round_trip);
        path
    }

    fn open(&mut self, stream: u32) {
        self.windows.open(stream);
        self.windows.claim(stream);
    }

    /// What the server may send more, when `bytes` are read, all at once.
    fn read(&mut self, stream: u32, bytes: u32) -> u32 {
        let mut granted = 0;
        for _ in 0..bytes / (START / 4) {
            assert_ne!(self.windows.receive(stream, START / 4), Piece::Beyond);
            let grant = self.windows.take(stream, START / 4, self.now);
            granted += grant.map_or(0, |it| it.bytes);
        }
        granted
    }

    /// The most that a server may send at once, whose reader takes all that comes in each round trip.
    fn window_after(&mut self, stream: u32, round_trips: u32, round_trip: Duration) -> u32 {
        let (mut window, mut most) = (START, START);
        for _ in 0..round_trips {
            let taken = window - window % (START / 4);
            window = window - taken + self.read(stream, taken);
            most = most.max(window);
            self.now += round_trip;
        }
        most
    }
}

#[test]
fn a_window_grows_fourfold_in_each_round_trip_that_it_fills_up_to_its_limit() {
    let round_trip = Duration::from_millis(50);
    let mut path = Path::new(round_trip);
    // But for what a step has not reached yet.
    for (stream, round_trips, expected) in [(1, 1, 4 * START), (3, 2, 16 * START)] {
        path.open(stream);
        let window = path.window_after(stream, round_trips, round_trip);
        assert!((expected / 4 * 3..=expected).contains(&window), "{window}");
        path.windows.release(stream);
    }
    path.open(5);
    let window = path.window_after(5, 20, round_trip);
    assert!((MAX / 4 * 3..=MAX).contains(&window), "{window}");
}

#[test]
fn a_larger_body_begins_with_the_window_that_the_last_one_needed() {
    let round_trip = Duration::from_millis(50);
    let mut path = Path::new(round_trip);
    path.open(1);
    path.window_after(1, 4, round_trip);
    path.windows.release(1);
    path.open(3);
    assert_eq!(path.windows.take(3, START / 8, path.now), None);
    path.windows.release(3);
    path.open(5);
    let granted = path.read(5, START / 4);
    assert!(granted > 6 * START, "{granted}");
}

/// On another connection than the path's, what a body has needed that fills its window.
fn needed_by_a_full_body(round_trip: Duration) -> Needed {
    let needed = Needed::default();
    let mut path = Path::knowing(needed.clone(), round_trip);
    path.open(1);
    path.window_after(1, 4, round_trip);
    path.windows.release(1);
    assert_eq!(needed.get(), MAX);
    needed
}

#[test]
fn a_request_gives_room_for_what_the_last_larger_body_needed() {
    let round_trip = Duration::from_millis(50);
    let mut path = Path::knowing(needed_by_a_full_body(round_trip), round_trip);
    // All that the last one needed, then half of the 17 MiB that are left.
    let grant = |stream, bytes| Some(Grant { stream, bytes });
    assert_eq!(path.windows.begin(3), grant(3, 15 * START));
    assert_eq!(path.windows.begin(5), grant(5, 17 * START / 2));
    path.open(3);
    assert_eq!(path.windows.receive(3, MAX), Piece::Fits);
    assert_eq!(path.windows.receive(3, 1), Piece::Beyond);
    // Whatever becomes of them, their room is given back: a reset before the answer, and one after it.
    path.windows.end(5);
    path.windows.release(3);
    assert_eq!(path.windows.begin(7), grant(7, 15 * START));
}

#[test]
fn requests_at_once_leave_room_for_each_other() {
    let round_trip = Duration::from_millis(50);
    let mut path = Path::knowing(needed_by_a_full_body(round_trip), round_trip);
    let streams = || (1..).step_by(2).take(64);
    let ahead: u32 = streams()
        .filter_map(|stream| path.windows.begin(stream))
        .map(|it| it.bytes)
        .sum();
    assert!(ahead < 32 * START, "{ahead}");
    streams().for_each(|stream| path.open(stream));
    let granted: u32 = streams().map(|stream| path.read(stream, START / 2)).sum();
    assert!(ahead + granted <= 32 * START + 64 * START / 2, "{granted}");
}

#[test]
fn a_window_stays_where_the_reader_is_slower_than_the_path() {
    let round_trip = Duration::from_millis(50);
    let mut path = Path::new(round_trip);
    path.open(1);
    for _ in 0..100 {
        // A quarter of what would fill it.
        assert_eq!(path.read(1, START / 4), START / 4);
        path.now += round_trip;
    }
}

#[test]
fn a_fast_reader_grows_its_window_on_a_short_path_too() {
    let mut path = Path::new(Duration::from_millis(1));
    path.open(1);
    let mut granted = 0;
    for _ in 0..12 {
        granted += path.read(1, START / 4);
        path.now += Duration::from_millis(1);
    }
    assert!((6 * START..=8 * START).contains(&granted), "{granted}");
}

#[test]
fn the_streams_of_a_connection_grow_no_more_than_it_can_hold() {
    let round_trip = Duration::from_millis(100);
    let mut path = Path::new(round_trip);
    let streams = || (1..).step_by(2).take(64);
    streams().for_each(|stream| path.open(stream));
    let granted = |path: &mut Path, stream| path.window_after(stream, 12, round_trip);
    let all: u32 = streams().map(|stream| granted(&mut path, stream)).sum();
    assert!(all <= CONNECTION, "{all}");
    assert!(all > CONNECTION - START, "{all}");
    // What one gives back another may have.
    path.windows.release(1);
    path.open(129);
    assert!(granted(&mut path, 129) > 8 * START);
}

#[test]
fn nothing_is_granted_behind_the_end_of_a_body() {
    let mut path = Path::new(Duration::from_millis(1));
    path.open(1);
    path.windows.end(1);
    assert_eq!(path.read(1, START), 0);
    path.windows.release(1);
    assert_eq!(path.read(1, START), 0);
}

#[test]
fn a_body_beyond_its_window_is_dropped_and_the_connections_room_given_back() {
    let mut path = Path::new(Duration::from_millis(1));
    path.open(1);
    assert_eq!(path.windows.receive(1, START), Piece::Fits);
    assert_eq!(path.windows.receive(1, 1), Piece::Beyond);
    path.windows.release(1);
    assert_eq!(path.windows.receive(1, START), Piece::Late);
    assert!(path.windows.is_overrun(1));
    let given = path.windows.give_back().unwrap();
    assert_eq!((given.stream, given.bytes), (0, START + 1));
    assert_eq!(path.windows.give_back(), None);
}

#[test]
fn responses_that_nobody_reads_are_forgotten_before_those_that_are_read() {
    let mut path = Path::new(Duration::from_millis(1));
    path.open(1);
    (3..2_000)
        .step_by(2)
        .for_each(|stream| path.windows.open(stream));
    assert_eq!(path.read(1, START / 4), START / 4);
    assert_eq!(path.read(3, START / 4), 0);
    assert_eq!(path.read(1_999, START / 4), START / 4);
}

fn setting(id: u8, value: u32) -> Vec<u8> {
    let mut bytes = vec![0, id];
    bytes.extend(value.to_be_bytes());
    bytes
}

#[test]
fn what_h2_sends_passes_in_any_pieces_but_for_its_windows() {
    let growth = |stream, bytes: u32| frame(WINDOW_UPDATE, stream, &bytes.to_be_bytes());
    let settings = |window| [setting(2, 0), setting(4, window), setting(6, 7)].concat();
    let written = [
        PREFACE.to_vec(),
        frame(SETTINGS_TYPE, 0, &settings(LIMIT)),
        growth(0, 70_000),
        flagged_frame((HEADERS, END_HEADERS), 1, b"a head"),
        growth(1, 80_000),
        flagged_frame((SETTINGS_TYPE, ACK), 0, &[]),
        frame(DATA, 1, &[7; 300]),
    ];
    let passed = [
        PREFACE.to_vec(),
        frame(SETTINGS_TYPE, 0, &settings(START)),
        growth(0, 70_000),
        flagged_frame((HEADERS, END_HEADERS), 1, b"a head"),
        flagged_frame((SETTINGS_TYPE, ACK), 0, &[]),
        frame(DATA, 1, &[7; 300]),
    ];
    for piece in [1, 2, 9, 13, 1_000] {
        let (mut sent, mut output) = (Sent::default(), Output::default());
        for bytes in written.concat().chunks(piece) {
            sent.pass(bytes, &mut output);
        }
        assert_eq!(output.into_bytes(), passed.concat(), "in pieces of {piece}");
    }
}

#[test]
fn a_grant_waits_for_the_end_of_the_frame() {
    let update = frame(WINDOW_UPDATE, 5, &[0, 0, 0, 9]);
    let data = frame(DATA, 1, &[7; 300]);
    let (mut sent, mut output) = (Sent::default(), Output::default());
    sent.pass(PREFACE, &mut output);
    sent.add(&update, &mut output);
    sent.pass(data.get(..4).unwrap(), &mut output);
    sent.add(&update, &mut output);
    sent.pass(data.get(4..100).unwrap(), &mut output);
    sent.add(&update, &mut output);
    sent.pass(data.get(100..).unwrap(), &mut output);
    let expected = [
        PREFACE.to_vec(),
        update.clone(),
        data,
        update.clone(),
        update,
    ];
    assert_eq!(output.into_bytes(), expected.concat());
}

#[test]
fn a_grant_waits_for_the_end_of_a_head_in_several_frames() {
    let update = frame(WINDOW_UPDATE, 5, &[0, 0, 0, 9]);
    let head = frame(HEADERS, 1, b"a head");
    let rest = flagged_frame((CONTINUATION, END_HEADERS), 1, b"that goes on");
    let (mut sent, mut output) = (Sent::default(), Output::default());
    sent.pass(PREFACE, &mut output);
    sent.pass(&head, &mut output);
    sent.add(&update, &mut output);
    sent.pass(&rest, &mut output);
    assert_eq!(
        output.into_bytes(),
        [PREFACE.to_vec(), head, rest, update].concat()
    );
}

#[test]
fn what_h2_sends_tells_which_streams_begin_and_are_reset() {
    let head = |stream| flagged_frame((HEADERS, END_HEADERS), stream, b"a head");
    let written = [
        PREFACE.to_vec(),
        head(1),
        frame(DATA, 1, &[7; 300]),
        head(1),
        head(3),
        frame(RST_STREAM, 1, &[0, 0, 0, 8]),
    ];
    for piece in [1, 9, 1_000] {
        let (mut sent, mut output) = (Sent::default(), Output::default());
        for bytes in written.concat().chunks(piece) {
            sent.pass(bytes, &mut output);
        }
        let expected = [
            StreamEvent::Begins(1),
            StreamEvent::Begins(3),
            StreamEvent::IsReset(1),
        ];
        let events: Vec<_> = std::iter::from_fn(|| sent.next_event()).collect();
        assert_eq!(events, expected);
    }
}

/// The WINDOW_UPDATE frames of streams in what was sent.
fn growths(mut sent: &[u8]) -> Vec<(u32, u32)> {
    let mut growths = Vec::new();
    while let Some((head, rest)) = sent.split_first_chunk::<9>() {
        let [a, b, c, kind, _, d, e, f, g] = *head;
        let (payload, rest) = rest.split_at(u32::from_be_bytes([0, a, b, c]) as usize);
        let stream = u32::from_be_bytes([d, e, f, g]);
        if kind == WINDOW_UPDATE && stream != 0 {
            growths.push((stream, u32::from_be_bytes(payload.try_into().unwrap())));
        }
        sent = rest;
    }
    growths
}

#[test]
fn what_is_read_of_a_body_and_its_padding_are_granted_again() {
    let (mut client, request) = begun("/", None);
    client.receive(&flagged_frame((SETTINGS_TYPE, ACK), 0, &[]));
    client.take();
    client.receive(&flagged_frame((HEADERS, END_HEADERS), 1, &[STATUS_200]));
    let mut padded = vec![100];
    padded.extend([7; 16_000]);
    padded.extend([0; 100]);
    for _ in 0..17 {
        client.receive(&flagged_frame((DATA, PADDED), 1, &padded));
        client.pull(request);
        client.pull(request);
    }
    assert_eq!(client.body_of(request).len(), 17 * 16_000);
    let [(stream, bytes)] = growths(&client.take())[..] else {
        panic!("one step was taken");
    };
    assert_eq!(stream, 1);
    assert!(bytes >= START / 4 && bytes % 16_101 < 16_001, "{bytes}");
}

#[test]
fn a_request_behind_a_larger_body_gives_its_response_more_room() {
    let (mut client, request) = begun("/", None);
    client.receive(&flagged_frame((SETTINGS_TYPE, ACK), 0, &[]));
    client.receive(&flagged_frame((HEADERS, END_HEADERS), 1, &[STATUS_200]));
    let mut body = frame(DATA, 1, &[7; 16_000]).repeat(60);
    body.extend(flagged_frame((DATA, END_STREAM), 1, &[7; 16_000]));
    client.receive(&body);
    (0..5).for_each(|_| client.pull(request));
    assert!(client.outcome(request).trailers.is_some());
    client.take();
    client.get("/");
    let [(stream, bytes)] = growths(&client.take())[..] else {
        panic!("the request gives room");
    };
    assert_eq!(stream, 3);
    // Twice what was taken, less the first MiB.
    assert!((START / 16..=START).contains(&bytes), "{bytes}");
}

#[test]
fn the_number_of_a_stream_is_no_field_of_the_response() {
    let (mut client, request) = begun("/", None);
    // In two pieces, behind an informational head, and before trailers.
    client.receive(&flagged_frame(
        (HEADERS, END_HEADERS),
        1,
        &[8, 3, b'1', b'0', b'3'],
    ));
    client.receive(&frame(HEADERS, 1, &[STATUS_200]));
    let field = [0, 1, b'x', 1, b'y'];
    client.receive(&flagged_frame((CONTINUATION, END_HEADERS), 1, &field));
    client.receive(&frame(DATA, 1, b"body"));
    client.receive(&flagged_frame(
        (HEADERS, END_HEADERS | END_STREAM),
        1,
        &field,
    ));
    client.pull(request);
    client.pull(request);
    let outcome = client.outcome(request);
    assert!(outcome.failure.is_none(), "{:?}", outcome.failure);
    assert_eq!(outcome.head.as_ref().unwrap().headers.len(), 1);
    assert_eq!(outcome.body, b"body");
    assert_eq!(outcome.trailers.as_ref().unwrap().len(), 1);
}

#[test]
fn a_head_with_an_empty_name_fails_all_the_same() {
    let (mut client, request) = begun("/", None);
    let block = [STATUS_200, 0, 0, 1, b'x'];
    client.receive(&flagged_frame((HEADERS, END_HEADERS), 1, &block));
    assert!(client.outcome(request).failure.is_some());
}

#[test]
fn a_servers_own_field_of_the_numbers_name_misleads_nobody() {
    let (mut client, request) = begun("/", None);
    let mut block = vec![STATUS_200, 0, 19];
    block.extend(b"browser-mtls-stream\x0299");
    client.receive(&flagged_frame((HEADERS, END_HEADERS), 1, &block));
    for _ in 0..20 {
        client.receive(&frame(DATA, 1, &[7; 16_000]));
        client.pull(request);
    }
    assert!(client
        .outcome(request)
        .head
        .as_ref()
        .unwrap()
        .headers
        .is_empty());
    let sent = client.take();
    assert_eq!(growths(&sent).first().unwrap().0, 1);
    client.receive(&SETTINGS);
}
