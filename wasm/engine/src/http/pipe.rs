//! The transport under a hyper connection: memory that the host fills and drains.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use bytes::{Buf, Bytes};
use hyper::rt::{Read, ReadBufCursor, Write};

use super::fault::Details;
use super::faults::Faults;
use super::frames::{growth_of, length_of_frame, Frames};
use super::output::{Output, OUTPUT_LIMIT};
use super::sent::{Sent, StreamEvent, HEAD_BYTES};
use super::windows::Needed;

/// From this much on, more is likely to follow.
const BULK_BYTES: usize = 4096;

/// The host's end. [`Pipe::io`] gives hyper's.
#[derive(Clone, Default)]
pub struct Pipe(Rc<RefCell<State>>);

#[derive(Default)]
struct State {
    incoming: VecDeque<Bytes>,
    unread: usize,
    /// Of the frame that h2 has begun to read.
    left_of_frame: usize,
    received: u64,
    end: End,
    outgoing: Output,
    /// What was received and not read by an HTTP that has ended.
    rest: Vec<u8>,
    output_ended: bool,
    released: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
    /// Of an h2 client: what it receives, and what it sends.
    frames: Option<Frames>,
    sent: Sent,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum End {
    #[default]
    Open,
    /// The peer has ended its side as it should.
    Clean,
    /// The transport has failed; the host knows why.
    Failed,
}

impl Pipe {
    /// That of an h2 client.
    pub fn h2(needed: Needed) -> Self {
        let pipe = Self::default();
        pipe.0.borrow_mut().frames = Some(Frames::new(needed));
        pipe
    }

    pub fn io(&self) -> PipeIo {
        PipeIo(self.clone())
    }

    pub fn receive(&self, bytes: Bytes) {
        let mut state = self.0.borrow_mut();
        if state.end != End::Open || state.released || bytes.is_empty() {
            return;
        }
        state.received += bytes.len() as u64;
        let all_read = state.unread == 0;
        match &mut state.frames {
            Some(frames) => {
                if all_read {
                    frames.faults.note_read();
                }
                let passed = frames.pass(bytes);
                let answers = std::mem::take(&mut frames.answers);
                state.answer(&answers);
                state.incoming.extend(passed);
            }
            None => state.incoming.push_back(bytes),
        }
        state.unread = state.incoming.iter().map(Bytes::len).sum();
        if state.unread > 0 {
            wake(&mut state.reader);
        }
    }

    pub fn end(&self) {
        self.finish(End::Clean);
    }

    /// The transport is dead. What was received before can still be read.
    pub fn fail(&self) {
        self.finish(End::Failed);
    }

    /// The host gives the connection up.
    pub fn abandon(&self) {
        {
            let mut state = self.0.borrow_mut();
            state.incoming.clear();
            state.unread = 0;
        }
        self.fail();
    }

    fn finish(&self, end: End) {
        let mut state = self.0.borrow_mut();
        if state.end == End::Failed {
            return;
        }
        state.end = end;
        wake(&mut state.reader);
        wake(&mut state.writer);
    }

    /// Whether more may be received.
    pub fn open(&self) -> bool {
        self.0.borrow().end == End::Open
    }

    pub fn failed(&self) -> bool {
        self.0.borrow().end == End::Failed
    }

    /// What hyper has written since the last call.
    pub fn take(&self) -> Output {
        let mut state = self.0.borrow_mut();
        wake(&mut state.writer);
        if let Some(frames) = &mut state.frames {
            frames.windows.note_settings(Instant::now());
        }
        let output = std::mem::take(&mut state.outgoing);
        let State { sent, outgoing, .. } = &mut *state;
        sent.go_on(outgoing);
        state.follow_streams();
        output
    }

    /// The body of a response over h2 is going to be read.
    pub fn flow(&self, stream: u32) -> Flow {
        if let Some(frames) = &mut self.0.borrow_mut().frames {
            frames.windows.claim(stream);
        }
        Flow {
            pipe: self.clone(),
            stream,
        }
    }

    /// hyper's last act after a 101: what it read too far, and what it left, are no HTTP any more.
    pub fn give_back(&self, read_too_far: &[u8]) {
        let mut state = self.0.borrow_mut();
        let mut rest = read_too_far.to_vec();
        for piece in std::mem::take(&mut state.incoming) {
            rest.extend_from_slice(&piece);
        }
        state.unread = 0;
        state.rest = rest;
    }

    /// The bytes behind a 101 that were received before the host knew of it.
    pub fn take_rest(&self) -> Vec<u8> {
        std::mem::take(&mut self.0.borrow_mut().rest)
    }

    /// Bytes that hyper has not read yet.
    pub fn unread(&self) -> usize {
        self.0.borrow().unread
    }

    /// All bytes ever received.
    pub fn received(&self) -> u64 {
        self.0.borrow().received
    }

    /// Whether heads may have fields that have got another name.
    pub fn has_renamed(&self) -> bool {
        let state = self.0.borrow();
        state.frames.as_ref().is_some_and(Frames::has_renamed)
    }

    /// A request is about to be sent.
    pub fn note_request(&self) {
        if let Some(frames) = &mut self.0.borrow_mut().frames {
            frames.faults.note_request();
        }
    }

    /// What h2 has refused, by the error that it gives.
    pub fn fault(&self, find: impl FnOnce(&mut Faults) -> Details) -> Details {
        let mut state = self.0.borrow_mut();
        let frames = state.frames.as_mut();
        frames.map_or_else(Details::default, |it| find(&mut it.faults))
    }

    /// Bytes that wait for [`Pipe::take`].
    pub fn output(&self) -> usize {
        self.0.borrow().outgoing.len()
    }

    /// No output follows what waits now.
    pub fn output_ended(&self) -> bool {
        let state = self.0.borrow();
        state.output_ended || state.released
    }

    /// hyper has given the connection up.
    pub fn released(&self) -> bool {
        self.0.borrow().released
    }
}

impl State {
    /// Gives hyper the next piece of what has come, and tells whether another may follow. h2 gets a frame as a whole, or else its
    /// head, and makes room for the rest then: what it has of a frame in a smaller buffer, it copies once more.
    fn read(&mut self, buffer: &mut ReadBufCursor<'_>) -> bool {
        let Some(first) = self.incoming.front_mut() else {
            return false;
        };
        let room = buffer.remaining();
        let left = match self.frames {
            Some(_) if self.left_of_frame == 0 => length_of_frame(first),
            Some(_) => self.left_of_frame,
            None => room,
        };
        let is_head = self.left_of_frame == 0 && left > room;
        let wanted = if is_head { HEAD_BYTES } else { left };
        let len = wanted.min(room).min(first.len());
        if len == 0 {
            return false;
        }
        buffer.put_slice(first.get(..len).unwrap_or_default());
        first.advance(len);
        if first.is_empty() {
            self.incoming.pop_front();
        }
        self.unread -= len;
        if self.frames.is_some() {
            self.left_of_frame = left - len;
        }
        !is_head
    }

    fn write(&mut self, pieces: &[IoSlice<'_>], cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if self.end == End::Failed {
            // Over HTTP/1.1 hyper would give up what it has yet to read, and learns of the failure behind that.
            return match self.frames {
                Some(_) => Poll::Ready(Err(failure())),
                None => Poll::Pending,
            };
        }
        let wanted: usize = pieces.iter().map(|piece| piece.len()).sum();
        let mut room = OUTPUT_LIMIT.saturating_sub(self.outgoing.len());
        if room == 0 && wanted > 0 {
            self.writer = Some(cx.waker().clone());
            return Poll::Pending;
        }
        if self.outgoing.is_empty() && wanted >= BULK_BYTES {
            self.outgoing.reserve(OUTPUT_LIMIT);
        }
        let mut written = 0;
        for piece in pieces {
            let passed = match self.frames {
                Some(_) => self.sent.pass(piece, &mut self.outgoing),
                None => {
                    let accepted = piece.get(..room.min(piece.len())).unwrap_or_default();
                    self.outgoing.extend_from_slice(accepted);
                    room -= accepted.len();
                    accepted.len()
                }
            };
            written += passed;
            if passed < piece.len() {
                break;
            }
        }
        self.follow_streams();
        if written == 0 && wanted > 0 {
            self.writer = Some(cx.waker().clone());
            return Poll::Pending;
        }
        Poll::Ready(Ok(written))
    }

    /// Tells the windows which streams begin and end here.
    fn follow_streams(&mut self) {
        let Some(frames) = &mut self.frames else {
            return;
        };
        // What is added may let the head of another request pass.
        while let Some(event) = self.sent.next_event() {
            match event {
                StreamEvent::Begins(stream) => {
                    if let Some(grant) = frames.windows.begin(stream) {
                        self.sent.add(&growth_of(grant), &mut self.outgoing);
                    }
                }
                StreamEvent::IsReset(stream) => frames.windows.release(stream),
            }
        }
    }

    fn answer(&mut self, frames: &[u8]) {
        self.sent.add(frames, &mut self.outgoing);
        self.follow_streams();
    }
}

/// The reading of one body over h2, for its window.
pub struct Flow {
    pipe: Pipe,
    stream: u32,
}

impl Flow {
    pub fn take(&self, bytes: usize) {
        let mut state = self.pipe.0.borrow_mut();
        let Some(frames) = &mut state.frames else {
            return;
        };
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        if let Some(grant) = frames.windows.take(self.stream, bytes, Instant::now()) {
            state.answer(&growth_of(grant));
        }
    }

    /// Whether the server has sent more than the window allows.
    pub fn is_overrun(&self) -> bool {
        let state = self.pipe.0.borrow();
        let frames = state.frames.as_ref();
        frames.is_some_and(|it| it.windows.is_overrun(self.stream))
    }
}

impl Drop for Flow {
    fn drop(&mut self) {
        if let Some(frames) = &mut self.pipe.0.borrow_mut().frames {
            frames.windows.release(self.stream);
        }
    }
}

pub struct PipeIo(Pipe);

impl Drop for PipeIo {
    fn drop(&mut self) {
        let mut state = self.0 .0.borrow_mut();
        state.released = true;
        state.incoming.clear();
        state.unread = 0;
    }
}

impl Read for PipeIo {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let mut state = self.0 .0.borrow_mut();
        let room = buffer.remaining();
        while state.read(&mut buffer) {}
        if buffer.remaining() < room {
            return Poll::Ready(Ok(()));
        }
        match state.end {
            End::Open => {
                state.reader = Some(cx.waker().clone());
                Poll::Pending
            }
            End::Clean => Poll::Ready(Ok(())),
            End::Failed => Poll::Ready(Err(failure())),
        }
    }
}

impl Write for PipeIo {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.0 .0.borrow_mut().write(&[IoSlice::new(bytes)], cx)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.0 .0.borrow_mut().write(pieces, cx)
    }

    /// So that hyper does not join what it writes.
    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0 .0.borrow_mut().output_ended = true;
        Poll::Ready(Ok(()))
    }
}

fn failure() -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionAborted, "the transport failed")
}

fn wake(waker: &mut Option<Waker>) {
    if let Some(waker) = waker.take() {
        waker.wake();
    }
}
