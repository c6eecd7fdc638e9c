//! What was wrong with the frames of an h2 server. h2 decides what is refused; this can say why.

use std::collections::{BTreeMap, VecDeque};

use super::fault::{Details, Fault};
use super::head_fields::HeadFields;

/// More streams than can be open; what is known of older ones is forgotten.
const MOST_STREAMS: usize = 256;
/// An increment that alone brings a window near its limit.
const HUGE_GROWTH: u32 = 1 << 30;

#[derive(Default)]
pub struct Faults {
    /// Since h2 had read everything for the last time: what it has read and lived on with is no fault.
    fresh: Fresh,
    /// By its stream, whether a head has come that is not informational.
    answered: BTreeMap<u32, bool>,
    /// Of the last trailers with a fault. Bodies, which fail by it, may be read later.
    trailers: Option<Details>,
    /// Streams are numbered below this one (RFC 9113 section 5.1.1).
    next_stream: u32,
    acknowledged: bool,
    last_farewell: Option<u32>,
}

#[derive(Default)]
struct Fresh {
    /// The first.
    connection: Option<Details>,
    /// In the order in which requests fail by them.
    heads: VecDeque<Details>,
    has_block: bool,
    has_data: bool,
    has_large_head: bool,
    has_huge_growth: bool,
}

impl Faults {
    /// At most one stream more is open.
    pub fn note_request(&mut self) {
        self.next_stream = self.next_stream.max(1).saturating_add(2);
    }

    /// h2 has read everything.
    pub fn note_read(&mut self) {
        self.fresh = Fresh::default();
    }

    pub fn note_connection(&mut self, fault: impl Into<Details>) {
        self.fresh.connection.get_or_insert_with(|| fault.into());
    }

    /// A head has had more frames than h2 takes.
    pub fn note_endless_head(&mut self) {
        self.fresh.has_large_head = true;
    }

    pub fn note_acknowledgement(&mut self) {
        if self.acknowledged {
            self.note_connection(Fault::Acknowledgement);
        }
        self.acknowledged = true;
    }

    /// A GOAWAY.
    pub fn note_farewell(&mut self, stream: u32) {
        if self.last_farewell.is_some_and(|last| stream > last) {
            self.note_connection(Fault::LaterFarewell);
        }
        self.last_farewell = Some(stream);
    }

    /// A WINDOW_UPDATE.
    pub fn note_growth(&mut self, stream: u32, increment: u32) {
        self.fresh.has_huge_growth |= increment >= HUGE_GROWTH;
        self.note_stream(stream);
    }

    pub fn note_data(&mut self, stream: u32) {
        self.fresh.has_data = true;
        self.note_stream(stream);
        if !self.has_answer(stream) {
            self.note_connection(Fault::DataBeforeHead);
        }
    }

    /// Whether the head of a stream's body has come.
    pub fn has_answer(&self, stream: u32) -> bool {
        self.answered.get(&stream) == Some(&true)
    }

    /// A frame on this stream.
    pub fn note_stream(&mut self, stream: u32) {
        if stream != 0 && (stream.is_multiple_of(2) || stream >= self.next_stream) {
            self.note_connection(Fault::UnopenedStream);
        }
    }

    /// A HEADERS or CONTINUATION. `ends`: the block is complete, and whether the stream is.
    pub fn note_block(&mut self, stream: u32, fields: &HeadFields, ends: Option<bool>) {
        self.fresh.has_block = true;
        self.fresh.has_large_head |= fields.is_too_large();
        self.note_stream(stream);
        let fault = fields.fault.as_ref();
        if let Some(details) = fault.filter(|it| it.fault.is_some_and(Fault::ends_connection)) {
            self.note_connection(details.clone());
        }
        let Some(ends) = ends else { return };
        while self.answered.len() >= MOST_STREAMS {
            self.answered.pop_first();
        }
        let answered = self.answered.entry(stream).or_default();
        let before = *answered;
        *answered |= fields.is_final();
        let found = fault.cloned();
        let found = found.or_else(|| Some(fields.fault_as_head(before, ends)?.into()));
        match found {
            Some(details) if before => self.trailers = Some(details),
            Some(details) => self.fresh.heads.push_back(details),
            None => {}
        }
    }

    /// What h2 has refused on the connection.
    pub fn of_connection(&mut self) -> Details {
        let found = self.fresh.connection.clone();
        found.unwrap_or_else(|| {
            // The only fault that is not looked for.
            let by_block = self.fresh.has_block.then_some(Fault::Compression);
            by_block.unwrap_or(Fault::Other).into()
        })
    }

    /// A PRIORITY that fails its stream.
    pub fn note_stream_fault(&mut self, fault: Fault) {
        self.fresh.heads.push_back(fault.into());
    }

    /// What h2 has refused in the head of a response.
    pub fn of_head(&mut self) -> Details {
        let found = self.fresh.heads.pop_front();
        found.unwrap_or(Fault::Other.into())
    }

    /// What h2 has refused behind the head of a response.
    pub fn of_trailers(&mut self) -> Details {
        self.trailers.take().unwrap_or(Fault::Other.into())
    }

    /// What h2 has had too much of.
    pub fn of_flood(&mut self) -> Details {
        let fault = if self.fresh.has_large_head {
            Fault::TooLarge
        } else if self.fresh.has_data {
            Fault::TinyPieces
        } else {
            Fault::TooManyFaults
        };
        fault.into()
    }

    /// By what flow control was violated.
    pub fn of_window(&mut self) -> Details {
        let fault = if self.fresh.has_huge_growth {
            Fault::WindowOverflow
        } else {
            Fault::BeyondWindow
        };
        fault.into()
    }
}
