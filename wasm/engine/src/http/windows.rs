//! The windows of the bodies that an h2 client receives (RFC 9113 section 6.9). Each begins small and grows with the path: to
//! twice what its reader takes in a round trip, or fourfold if that is about the whole window on a longer path. A
//! transfer over a distance need not wait for it, and a reader that stops holds little. The next body begins with the window
//! that the last one needed, as far as there is room: the request says so.
//!
//! h2 gives all streams one window, and hyper fixes it. So h2 is told a limit that nothing reaches, the server is told
//! [`START`], and what readers have taken is granted from here: `sent.rs` keeps the two apart.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::time::{Duration, Instant};

const MIB: u32 = 1024 * 1024;
/// The window of a stream at first, and at most.
pub const START: u32 = MIB;
pub const MAX: u32 = 16 * MIB;
/// By how much the streams of a connection may grow in all.
const MAX_GROWTH: u32 = 32 * MIB;
/// What the unread bodies of a connection may hold: every stream that the host begins at once (`MAX_STREAMS` of
/// `src/http/connection/http-connection.ts`) may be full without stopping another one.
pub const CONNECTION: u32 = 64 * START + MAX_GROWTH;
/// The limit of h2 itself, which nothing reaches. It counts what it grants in larger steps: up to a third of this is not counted yet.
pub const LIMIT: u32 = 2 * MAX;

/// Room that has to be given back before a WINDOW_UPDATE says so.
const LEAST_GRANT: u32 = START / 16;
/// What is granted at once of a large window: what waits for more is missing at the server.
const LARGEST_STEP: u32 = MIB;
/// The share of what is left of [`MAX_GROWTH`] that one request may take before its response needs it.
const SHARE_AHEAD: u32 = 2;
/// Of shorter paths the queues of relay and server are the longer part, and what they take changes with their load.
const SHORTEST_ROUND_TRIP: Duration = Duration::from_millis(20);
/// More streams than can be open; those that nobody claims are forgotten.
const MOST_STREAMS: usize = 256;

/// Room for the server on a stream, or (0) on the connection.
#[derive(Debug, PartialEq, Eq)]
pub struct Grant {
    pub stream: u32,
    pub bytes: u32,
}

/// What becomes of a piece of a body.
#[derive(Debug, PartialEq, Eq)]
pub enum Piece {
    Fits,
    /// The first that is beyond its window: the stream is to be reset.
    Beyond,
    /// One behind that.
    Late,
}

/// The window that the last larger body needed, on any connection of the client: they share the way to the relay.
pub type Needed = Rc<Cell<u32>>;

/// Of one connection.
#[derive(Default)]
pub struct Windows {
    streams: BTreeMap<u32, Window>,
    /// Streams that were reset because the server sent more than it may.
    overrun: BTreeSet<u32>,
    /// Of the connection's window, taken by what came on those.
    dropped: u32,
    growth: u32,
    needed: Needed,
    asked_at: Option<Instant>,
    round_trip: Option<Duration>,
}

struct Window {
    size: u32,
    /// What the server may still send.
    left: u32,
    /// Taken by the reader, or padding, and not granted again.
    unclaimed: u32,
    /// The response's head has come.
    answered: bool,
    /// Somebody reads the body.
    claimed: bool,
    /// The server sends no more of it.
    ended: bool,
    round: Option<Round>,
    /// By what it has taken in a round trip.
    needed: u32,
}

/// What a reader takes in a round trip.
#[derive(Clone, Copy)]
struct Round {
    since: Instant,
    bytes: u32,
    /// The window's size when it began.
    size: u32,
}

impl Windows {
    pub fn new(needed: Needed) -> Self {
        Self {
            needed,
            ..Self::default()
        }
    }

    /// Our settings leave.
    pub fn note_settings(&mut self, now: Instant) {
        self.asked_at.get_or_insert(now);
    }

    /// The server has acknowledged them. It does so at once, when nothing else is on its way yet.
    pub fn note_acknowledgement(&mut self, now: Instant) {
        let asked_at = *self.asked_at.get_or_insert(now);
        let took = now.saturating_duration_since(asked_at);
        self.round_trip.get_or_insert(took.max(SHORTEST_ROUND_TRIP));
    }

    /// A request leaves: gives the room for its response beyond [`START`].
    pub fn begin(&mut self, stream: u32) -> Option<Grant> {
        let share = (MAX_GROWTH - self.growth) / SHARE_AHEAD;
        let bytes = self.needed.get().saturating_sub(START).min(share);
        if bytes < LEAST_GRANT || self.streams.len() >= MOST_STREAMS {
            return None;
        }
        self.growth += bytes;
        self.streams.insert(stream, Window::new(START + bytes));
        Some(Grant { stream, bytes })
    }

    /// A response's head has come.
    pub fn open(&mut self, stream: u32) {
        if self.streams.len() >= MOST_STREAMS {
            let mut all = self.streams.iter();
            let unclaimed = all.find(|(_, it)| it.answered && !it.claimed);
            if let Some(forgotten) = unclaimed.map(|(stream, _)| *stream) {
                self.release(forgotten);
            }
        }
        let new = || Window::new(START);
        self.streams.entry(stream).or_insert_with(new).answered = true;
    }

    /// Somebody is going to read the body.
    pub fn claim(&mut self, stream: u32) {
        if let Some(window) = self.streams.get_mut(&stream) {
            window.claimed = true;
        }
    }

    /// The server sends a piece of a body.
    pub fn receive(&mut self, stream: u32, bytes: u32) -> Piece {
        if self.overrun.contains(&stream) {
            self.dropped += bytes;
            return Piece::Late;
        }
        let Some(window) = self.streams.get_mut(&stream) else {
            return Piece::Fits;
        };
        if let Some(left) = window.left.checked_sub(bytes) {
            window.left = left;
            return Piece::Fits;
        }
        window.ended = true;
        self.dropped += bytes;
        if self.overrun.len() >= MOST_STREAMS {
            self.overrun.pop_first();
        }
        self.overrun.insert(stream);
        Piece::Beyond
    }

    /// Whether the server has sent more on this stream than it may.
    pub fn is_overrun(&self, stream: u32) -> bool {
        self.overrun.contains(&stream)
    }

    /// h2 does not count what it does not get.
    pub fn give_back(&mut self) -> Option<Grant> {
        if self.dropped < LEAST_GRANT {
            return None;
        }
        let bytes = std::mem::take(&mut self.dropped);
        Some(Grant { stream: 0, bytes })
    }

    /// Nothing more comes, or nobody reads any more of it.
    pub fn end(&mut self, stream: u32) {
        match self.streams.get_mut(&stream) {
            Some(window) if window.answered => window.ended = true,
            // There is no body.
            _ => self.release(stream),
        }
    }

    pub fn release(&mut self, stream: u32) {
        if let Some(window) = self.streams.remove(&stream) {
            self.growth -= window.size - START;
            if window.needed >= START {
                self.needed.set(window.needed);
            }
        }
    }

    /// Padding is room taken too, which nobody reads.
    pub fn pad(&mut self, stream: u32, bytes: u32) -> Option<Grant> {
        let window = self.streams.get_mut(&stream)?;
        window.unclaimed += bytes;
        window.grant(stream)
    }

    /// The reader has taken so much.
    pub fn take(&mut self, stream: u32, bytes: u32, now: Instant) -> Option<Grant> {
        let window = self.streams.get_mut(&stream)?;
        window.unclaimed += bytes;
        if let Some(round_trip) = self.round_trip {
            let room = MAX_GROWTH - self.growth;
            window.count(round_trip, (now, bytes));
            // A short body needs no grant.
            let expected = if window.is_due() {
                self.needed.get()
            } else {
                0
            };
            self.growth += window.grow(expected, room);
        }
        window.grant(stream)
    }
}

impl Window {
    fn new(size: u32) -> Self {
        Self {
            size,
            left: size,
            unclaimed: 0,
            answered: false,
            claimed: false,
            ended: false,
            round: None,
            needed: 0,
        }
    }

    /// Counts what is read in a round trip.
    fn count(&mut self, round_trip: Duration, (now, bytes): (Instant, u32)) {
        let new = Round {
            since: now,
            bytes: 0,
            size: self.size,
        };
        let last = self.round.unwrap_or(new);
        let is_over = now.saturating_duration_since(last.since) >= round_trip;
        let mut round = if is_over { new } else { last };
        round.bytes = round.bytes.saturating_add(bytes);
        self.round = Some(round);
        // What is left of a window that holds the server up is less than a step of granting.
        let is_full = round.bytes >= round.size / 4 * 3 && round_trip > SHORTEST_ROUND_TRIP;
        let wanted = if is_full {
            round.size.saturating_mul(4)
        } else {
            round.bytes.saturating_mul(2)
        };
        self.needed = self.needed.max(wanted.min(MAX));
    }

    /// Grows to what is needed, or expected to be; tells by how much.
    fn grow(&mut self, expected: u32, room: u32) -> u32 {
        let wanted = self.needed.max(expected);
        let growth = wanted.saturating_sub(self.size).min(room);
        self.size += growth;
        self.unclaimed += growth;
        growth
    }

    fn is_due(&self) -> bool {
        self.unclaimed >= LARGEST_STEP.min(self.size / 4)
    }

    /// Grants in steps of a quarter at most, so that the server hears of it before it has to wait.
    fn grant(&mut self, stream: u32) -> Option<Grant> {
        if self.ended || !self.is_due() {
            return None;
        }
        let bytes = std::mem::take(&mut self.unclaimed);
        self.left += bytes;
        Some(Grant { stream, bytes })
    }
}
