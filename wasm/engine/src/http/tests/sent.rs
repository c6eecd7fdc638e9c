//! The frames of uploads, and the TLS records that they come to be in.

use bytes::Bytes;

use super::faults::{frame, SETTINGS};
use super::h2_peer::{DATA, HEADERS};
use super::peer::Client;
use crate::http::connection::Protocol;
use crate::http::output::{Output, OUTPUT_LIMIT, RECORD_BYTES};
use crate::http::sent::{Sent, HEAD_BYTES};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const WINDOW_UPDATE: u8 = 8;
const DEFAULT_WINDOW: u32 = 65_535;
const FULL: usize = RECORD_BYTES - HEAD_BYTES;

/// The lengths of the frames, none of which ends in another record than it began in.
fn lengths_in_records(output: &Output) -> Vec<usize> {
    let mut lengths = Vec::new();
    for mut record in output.records() {
        assert!(record.len() <= RECORD_BYTES);
        while let Some(([a, b, c, ..], rest)) = record.split_first_chunk::<HEAD_BYTES>() {
            let length = u32::from_be_bytes([0, *a, *b, *c]) as usize;
            lengths.push(length);
            record = rest
                .get(length..)
                .expect("a frame goes on in the next record");
        }
        assert!(record.is_empty(), "the head of a frame is cut");
    }
    lengths
}

#[test]
fn no_frame_begins_in_one_record_and_ends_in_the_next() {
    let some = [
        100, 5_000, FULL, 1, FULL, 9_000, 7_000, 8, 16_000, 369, 0, FULL,
    ];
    let lengths = some.repeat(7);
    let frames: Vec<_> = lengths
        .iter()
        .flat_map(|length| frame(DATA, 1, &vec![7; *length]))
        .collect();
    let update = frame(WINDOW_UPDATE, 0, &[0, 0, 0, 9]);
    for piece in [1, 9, 4_097, 1_000_000] {
        let (mut sent, mut output, mut seen) = (Sent::default(), Output::default(), Vec::new());
        assert_eq!(sent.pass(PREFACE, &mut output), PREFACE.len());
        output = Output::default();
        let mut left = &frames[..];
        while !left.is_empty() {
            let passed = sent.pass(&left[..piece.min(left.len())], &mut output);
            left = &left[passed..];
            if passed < piece.min(left.len()) {
                assert!(output.len() > OUTPUT_LIMIT - RECORD_BYTES && output.len() <= OUTPUT_LIMIT);
                seen.extend(lengths_in_records(&std::mem::take(&mut output)));
                sent.go_on(&mut output);
                sent.add(&update, &mut output);
            }
        }
        for _ in 0..2 {
            seen.extend(lengths_in_records(&std::mem::take(&mut output)));
            sent.go_on(&mut output);
        }
        let data: Vec<_> = seen.iter().copied().filter(|it| *it != 4).collect();
        assert_eq!(data, lengths, "in pieces of {piece}");
    }
}

/// A client with a connection to a server that has these windows for bodies, and an upload on it whose head has left.
fn uploading(window: u32) -> (Client, i32) {
    let mut client = Client::new(Protocol::H2);
    let mut settings = SETTINGS.to_vec();
    settings.extend(frame(4, 0, &[&[0, 4][..], &window.to_be_bytes()].concat()));
    if window > DEFAULT_WINDOW {
        settings.extend(frame(WINDOW_UPDATE, 0, &window.to_be_bytes()));
    }
    client.receive(&settings);
    client.take();
    let request = client.begin("POST", "/sink", None);
    let head = client.take();
    assert_eq!(head.get(3), Some(&HEADERS));
    (client, request)
}

#[test]
fn a_body_is_sent_in_frames_that_fill_records() {
    let (mut client, request) = uploading(16 << 20);
    for _ in 0..3 {
        assert!(client.http.send(request, Bytes::from(vec![7; 15 * FULL])));
        client.collect();
        let output = client.take_output();
        assert_eq!(output.len(), OUTPUT_LIMIT);
        assert_eq!(lengths_in_records(&output), [FULL; 15]);
    }
    assert_eq!(client.outcome(request).wanted, 4);
}

#[test]
fn all_that_a_small_window_allows_leaves_at_once() {
    let (mut client, request) = uploading(DEFAULT_WINDOW);
    let mut left = 3;
    for _ in 0..8 {
        // The host gives each piece when it is asked for, and takes the output afterwards.
        while left > 0 && client.http.send(request, Bytes::from(vec![7; 15 * FULL])) {
            client.collect();
            left -= 1;
        }
        let lengths = lengths_in_records(&client.take_output());
        let all: usize = lengths.iter().sum();
        assert_eq!(all, DEFAULT_WINDOW as usize);
        assert!(client.take_output().is_empty());
        for stream in [0, 1] {
            client.receive(&frame(WINDOW_UPDATE, stream, &DEFAULT_WINDOW.to_be_bytes()));
        }
    }
}
