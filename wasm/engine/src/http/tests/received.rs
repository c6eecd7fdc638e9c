//! What h2 gets of the frames that a server sends: in which pieces, and how often it is copied.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::task::noop_waker_ref;
use hyper::rt::{Read, ReadBuf};

use super::faults::frame;
use super::h2_peer::DATA;
use crate::http::frames::Frames;
use crate::http::pipe::{Pipe, PipeIo};
use crate::http::sent::HEAD_BYTES;
use crate::http::windows::Needed;

/// What h2's buffer has room for at first.
const FIRST_ROOM: usize = 8_192;

#[test]
fn data_passes_where_it_lies() {
    let bytes = Bytes::from(frame(DATA, 1, &[7; 8_192]).repeat(3));
    let passed = Frames::default().pass(bytes.clone());
    assert_eq!(passed, std::slice::from_ref(&bytes));
    assert_eq!(passed[0].as_ptr(), bytes.as_ptr());
}

#[test]
fn the_head_of_a_frame_that_is_cut_passes_in_one_piece() {
    let bytes = Bytes::from(frame(DATA, 1, &[7; 100]));
    for cut in 1..HEAD_BYTES {
        let mut frames = Frames::default();
        assert!(frames.pass(bytes.slice(..cut)).is_empty());
        let passed = frames.pass(bytes.slice(cut..));
        assert_eq!(
            passed,
            [bytes.slice(..HEAD_BYTES), bytes.slice(HEAD_BYTES..)]
        );
    }
}

fn read(io: &mut PipeIo, room: usize) -> Vec<u8> {
    let mut memory = vec![0; room];
    let mut buffer = ReadBuf::new(&mut memory);
    let mut cx = Context::from_waker(noop_waker_ref());
    let read = Pin::new(io).poll_read(&mut cx, buffer.unfilled());
    assert!(matches!(read, Poll::Ready(Ok(()))));
    buffer.filled().to_vec()
}

#[test]
fn a_read_ends_behind_a_frame_or_behind_the_head_of_one_for_which_there_is_no_room() {
    let lengths = [8_192, 5, 0, 16_384, 16_384, 4_000, 4_000, 8_183, 8_184, 100];
    let frames: Vec<_> = lengths.map(|it| frame(DATA, 1, &vec![7; it])).into();
    let ends: Vec<_> = frames
        .iter()
        .scan(0, |end, frame| {
            *end += frame.len();
            Some(*end)
        })
        .collect();
    let sent = frames.concat();
    for piece in [10, 1_000, 240_000] {
        let pipe = Pipe::h2(Needed::default());
        for bytes in sent.chunks(piece) {
            pipe.receive(Bytes::copy_from_slice(bytes));
        }
        let (mut io, mut at, mut room) = (pipe.io(), 0, FIRST_ROOM);
        while at < sent.len() {
            let got = read(&mut io, room);
            assert_eq!(got, sent[at..at + got.len()]);
            at += got.len();
            let end = ends.iter().find(|end| **end >= at).unwrap();
            room = if *end == at {
                FIRST_ROOM
            } else {
                assert!(
                    ends.contains(&(at - HEAD_BYTES)) || at == HEAD_BYTES,
                    "{at}"
                );
                end - at
            };
        }
        assert_eq!(pipe.unread(), 0);
    }
}
