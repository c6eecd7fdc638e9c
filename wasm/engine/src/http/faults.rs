//! What was wrong with the frames of an h2 server. h2 decides what is refused; this can say why.

use std::collections::{BTreeMap, VecDeque};

use super::head_fields::HeadFields;

/// Stable numbers of the ABI (`src/engine/abi.ts`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Fault {
    UpperCaseName = 1,
    InvalidName = 2,
    EmptyName = 3,
    InvalidValue = 4,
    UnknownPseudo = 5,
    LatePseudo = 6,
    RepeatedPseudo = 7,
    NoStatus = 8,
    InvalidStatus = 9,
    ConnectionField = 10,
    InvalidLength = 11,
    OtherLength = 12,
    /// Trailers with pseudo-header fields, or a second head instead of them.
    TrailersWithPseudo = 13,
    TrailersGoOn = 14,
    /// An informational response ends the stream.
    InformationalEnd = 15,
    DataBeforeHead = 16,
    Compression = 17,
    FrameTooLarge = 18,
    FrameLength = 19,
    /// A frame for a stream is for the connection, or the other way about.
    FrameOnStream = 20,
    Padding = 21,
    HeadInterrupted = 22,
    Push = 23,
    UnopenedStream = 24,
    SettingValue = 25,
    /// SETTINGS that were never sent are acknowledged.
    Acknowledgement = 26,
    EmptyGrowth = 27,
    WindowOverflow = 28,
    BeyondWindow = 29,
    SelfDependency = 30,
    /// GOAWAY names a later stream than before, or one that was never opened.
    LaterFarewell = 31,
    TinyPieces = 32,
    TooManyFaults = 33,
    /// None that is known.
    Other = 34,
    /// The body is longer or shorter than announced. The host is told by `Failure::other_length`.
    BodyLength = 35,
    /// The head. The host is told by `Failure::too_large`.
    TooLarge = 36,
    /// None: the server has given up the request, or the connection.
    GivenUp = 37,
}

impl Fault {
    /// Of those of a head. h2 takes them for faults of its compression.
    fn ends_connection(self) -> bool {
        matches!(
            self,
            Self::UpperCaseName
                | Self::InvalidName
                | Self::EmptyName
                | Self::InvalidValue
                | Self::UnknownPseudo
                | Self::InvalidStatus
        )
    }
}

/// More streams than can be open; what is known of older ones is forgotten.
const MOST_STREAMS: usize = 256;
/// An increment that alone brings a window near its limit.
const HUGE_GROWTH: u32 = 1 << 30;

#[derive(Clone, Default)]
pub struct Details {
    pub fault: Option<Fault>,
    /// The name of a field, where one is at fault.
    pub name: Vec<u8>,
}

impl From<Fault> for Details {
    fn from(fault: Fault) -> Self {
        Self {
            fault: Some(fault),
            name: Vec::new(),
        }
    }
}

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
