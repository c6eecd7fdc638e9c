//! A request's body, handed over by the host piece by piece.

use std::cell::RefCell;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};

use super::event::{Event, Events};
use super::failure::Aborted;
use super::output::RECORD_BYTES;
use super::sent::HEAD_BYTES;

/// What is given to an h2 connection at once: a frame that fills a TLS record.
pub const H2_FRAME_BYTES: usize = RECORD_BYTES - HEAD_BYTES;

/// The host's end of a body. Holds at most the pieces that it was asked for.
#[derive(Clone)]
pub struct BodySource(Rc<RefCell<State>>);

struct State {
    request: i32,
    events: Events,
    /// What is given to hyper at once.
    frame_bytes: usize,
    piece: Option<Bytes>,
    ended: bool,
    aborted: bool,
    /// The host knows that the next piece is wanted.
    wanted: bool,
    /// What is left of the length that is announced; `None`: there is none.
    remaining: Option<u64>,
    reader: Option<Waker>,
}

impl BodySource {
    pub fn new(request: i32, length: Option<u64>, frame_bytes: usize, events: Events) -> Self {
        Self(Rc::new(RefCell::new(State {
            request,
            events,
            frame_bytes,
            piece: None,
            ended: length == Some(0),
            aborted: false,
            wanted: false,
            remaining: length,
            reader: None,
        })))
    }

    pub fn body(&self) -> RequestBody {
        RequestBody(self.clone())
    }

    /// False if this piece was not asked for, or does not fit the announced length.
    pub fn send(&self, bytes: Bytes) -> bool {
        let mut state = self.0.borrow_mut();
        let fits = state
            .remaining
            .is_none_or(|room| bytes.len() as u64 <= room);
        if state.ended || state.piece.is_some() || !fits {
            return false;
        }
        state.wanted = false;
        state.piece = Some(bytes);
        state.wake();
        true
    }

    pub fn end(&self) {
        let mut state = self.0.borrow_mut();
        state.ended = true;
        state.wake();
    }

    /// The body can't be completed: the exchange fails.
    pub fn abort(&self) {
        let mut state = self.0.borrow_mut();
        state.aborted = true;
        state.wake();
    }

    pub fn aborted(&self) -> bool {
        self.0.borrow().aborted
    }
}

impl State {
    fn wake(&mut self) {
        if let Some(waker) = self.reader.take() {
            waker.wake();
        }
    }
}

/// hyper's end.
pub struct RequestBody(BodySource);

impl Body for RequestBody {
    type Data = Bytes;
    type Error = Aborted;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Aborted>>> {
        let mut state = self.0 .0.borrow_mut();
        if state.aborted {
            return Poll::Ready(Some(Err(Aborted)));
        }
        if let Some(mut piece) = state.piece.take() {
            let data = piece.split_to(piece.len().min(state.frame_bytes));
            let len = data.len() as u64;
            state.remaining = state.remaining.map(|left| left.saturating_sub(len));
            state.piece = Some(piece).filter(|rest| !rest.is_empty());
            return Poll::Ready(Some(Ok(Frame::data(data))));
        }
        if state.ended {
            return Poll::Ready(None);
        }
        if !state.wanted {
            state.wanted = true;
            state.events.push(Event::BodyWanted(state.request));
        }
        state.reader = Some(cx.waker().clone());
        Poll::Pending
    }

    fn is_end_stream(&self) -> bool {
        let state = self.0 .0.borrow();
        state.ended && state.piece.is_none() && !state.aborted
    }

    fn size_hint(&self) -> SizeHint {
        self.0
             .0
            .borrow()
            .remaining
            .map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

impl Drop for RequestBody {
    fn drop(&mut self) {
        let state = self.0 .0.borrow();
        if !state.ended && !state.aborted {
            state.events.push(Event::BodyStopped(state.request));
        }
    }
}
