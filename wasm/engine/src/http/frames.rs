//! The frames that an h2 client receives, on their way to h2: [`Block`] renames fields in their heads, `stream_number` says there
//! which stream it is, and [`Faults`] remembers what is wrong with them, because h2 does not say it. Empty DATA frames are
//! left out, because h2 bears 100 in the life of a connection.

use std::time::Instant;

use bytes::Bytes;

use super::connection_fields::Block;
use super::fault::Fault;
use super::faults::Faults;
use super::limits::MAX_DECODED_BYTES;
use super::passed::Passed;
use super::stream_number;
use super::windows::{Grant, Needed, Piece, Windows};

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const PRIORITY: u8 = 2;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PUSH_PROMISE: u8 = 5;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;

const FLOW_CONTROL_ERROR: u32 = 3;

const END_STREAM: u8 = 1;
const ACK: u8 = 1;
const END_HEADERS: u8 = 4;
const PADDED: u8 = 8;
const PRIORITISED: u8 = 32;

const HEAD_BYTES: usize = 9;
const PRIORITY_BYTES: usize = 5;
const SETTING_BYTES: usize = 6;
/// What is announced to servers by default (RFC 9113 section 6.5.2).
const MAX_FRAME_BYTES: usize = 16_384;

/// How many CONTINUATION frames h2 takes before a head's last one: what its limit for decoded heads needs, and a quarter more.
const MAX_CONTINUATIONS: usize = MAX_DECODED_BYTES as usize / MAX_FRAME_BYTES / 4 * 5;

/// How many empty DATA frames without any other in between are left out. h2 gets the next ones, and ends the connection.
const MAX_EMPTY_FRAMES: usize = 10_000;

/// Follows the frames of an h2 connection.
#[derive(Default)]
pub struct Frames {
    pub faults: Faults,
    pub windows: Windows,
    /// Frames for the server.
    pub answers: Vec<u8>,
    block: Block,
    /// The next frame's head, as far as it is there.
    head: [u8; HEAD_BYTES],
    head_len: usize,
    frame: Frame,
    /// The stream whose head goes on in the next frame.
    open_block: Option<u32>,
    block_ends_stream: bool,
    /// The head is a response's, and gets its stream's number.
    numbers_block: bool,
    continuations: usize,
    empty_frames: usize,
    /// The end of the setting that is being received.
    setting: [u8; SETTING_BYTES],
}

#[derive(Default)]
struct Frame {
    kind: u8,
    flags: u8,
    stream: u32,
    len: usize,
    /// What is left of the payload, and how much of that is padding.
    left: usize,
    padding: usize,
    padded: bool,
    priority: usize,
    /// The first bytes of the payload.
    start: [u8; 4],
    fault: Option<Fault>,
    /// h2 does not get it.
    dropped: bool,
}

impl Frames {
    pub fn new(needed: Needed) -> Self {
        Self {
            windows: Windows::new(needed),
            ..Self::default()
        }
    }

    /// Gives what h2 is to read, in pieces: the head of a frame once it is whole, and in one piece.
    pub fn pass(&mut self, bytes: Bytes) -> Vec<Bytes> {
        let mut passed = Passed::new(bytes);
        while passed.goes_on() {
            if self.frame.left == 0 {
                self.begin_frame(&mut passed);
            } else {
                self.go_on(&mut passed);
            }
        }
        passed.finish()
    }

    /// Whether anything was ever renamed.
    pub fn has_renamed(&self) -> bool {
        self.block.renamed
    }

    fn begin_frame(&mut self, passed: &mut Passed) {
        let room = self.head.iter_mut().skip(self.head_len);
        let part = room.zip(passed.rest());
        let taken = part.map(|(to, from)| *to = *from).count();
        self.head_len += taken;
        if self.head_len < self.head.len() {
            return passed.leave_out(taken);
        }
        self.head_len = 0;
        let [a, b, c, kind, flags, stream @ ..] = self.head;
        self.frame = Frame::new(kind, flags, u32::from_be_bytes(stream) & 0x7fff_ffff);
        self.frame.len = u32::from_be_bytes([0, a, b, c]) as usize;
        self.frame.left = self.frame.len;
        self.frame.fault = self.fault_of_head();
        if kind == HEADERS {
            self.block.begin();
            self.block_ends_stream = flags & END_STREAM != 0;
            self.numbers_block = !self.faults.has_answer(self.frame.stream);
        }
        self.frame.dropped = self.is_superfluous() || self.is_beyond_window(passed);
        if self.ends_numbered_block() {
            // It gets a number, and goes on in a further frame.
            passed.put(&[a, b, c, kind, flags & !END_HEADERS]);
            passed.put(&stream);
            passed.leave_out(taken);
        } else if self.frame.dropped {
            passed.leave_out(taken);
        } else if taken == HEAD_BYTES {
            passed.keep(taken);
        } else {
            passed.put(&self.head);
            passed.leave_out(taken);
        }
        self.count(kind == CONTINUATION && flags & END_HEADERS == 0);
        if self.frame.len > MAX_FRAME_BYTES || self.frame.left == 0 {
            self.end_frame(passed);
        }
    }

    fn ends_numbered_block(&self) -> bool {
        let Frame {
            kind, flags, fault, ..
        } = &self.frame;
        let ends = matches!(*kind, HEADERS | CONTINUATION) && flags & END_HEADERS != 0;
        ends && self.numbers_block && fault.is_none()
    }

    /// Whether the frame is an empty piece of a body that goes on (RFC 9113 section 6.1): some servers flush nothing.
    fn is_superfluous(&mut self) -> bool {
        let Frame {
            kind,
            flags,
            stream,
            len,
            ref fault,
            ..
        } = self.frame;
        if kind != DATA {
            return false;
        }
        if len > 0 {
            self.empty_frames = 0;
            return false;
        }
        let is_superfluous = flags & (END_STREAM | PADDED) == 0
            && fault.is_none()
            && self.faults.has_answer(stream)
            && self.empty_frames < MAX_EMPTY_FRAMES;
        self.empty_frames += usize::from(is_superfluous);
        is_superfluous
    }

    /// Resets the stream of a body that is longer than its window allows, towards both sides.
    fn is_beyond_window(&mut self, passed: &mut Passed) -> bool {
        if self.frame.kind != DATA || self.frame.fault.is_some() {
            return false;
        }
        let stream = self.frame.stream;
        let len = u32::try_from(self.frame.len).unwrap_or(u32::MAX);
        let piece = self.windows.receive(stream, len);
        if piece == Piece::Beyond {
            let reset = reset_of(stream);
            passed.put(&reset);
            self.answers.extend_from_slice(&reset);
        }
        piece != Piece::Fits
    }

    fn end_dropped(&mut self) {
        let grant = self.windows.give_back();
        self.answers.extend(grant.into_iter().flat_map(growth_of));
    }

    fn count(&mut self, goes_on: bool) {
        self.continuations = if goes_on { self.continuations + 1 } else { 0 };
        if self.continuations > MAX_CONTINUATIONS {
            self.faults.note_endless_head();
        }
    }

    fn go_on(&mut self, passed: &mut Passed) {
        let payload = passed.rest();
        let taken = payload.len().min(self.frame.left);
        let payload = payload.get(..taken).unwrap_or_default();
        if self.frame.dropped {
            self.frame.left -= taken;
            if self.frame.left == 0 {
                self.end_dropped();
            }
            return passed.leave_out(taken);
        }
        let at = self.frame.len - self.frame.left;
        let start = self.frame.start.iter_mut().skip(at);
        start.zip(payload).for_each(|(to, from)| *to = *from);
        if matches!(self.frame.kind, HEADERS | CONTINUATION) {
            let mut payload = payload.to_vec();
            for byte in &mut payload {
                if let Some(byte) = self.frame.of_block(byte) {
                    self.block.pass(byte);
                }
            }
            passed.put(&payload);
            passed.leave_out(taken);
        } else {
            if self.frame.kind == SETTINGS {
                self.read_settings(payload);
            }
            self.frame.left -= taken;
            passed.keep(taken);
        }
        if self.frame.left == 0 {
            self.end_frame(passed);
        }
    }

    fn read_settings(&mut self, payload: &[u8]) {
        let at = self.frame.len - self.frame.left;
        for (at, byte) in (at..).zip(payload) {
            if let Some(place) = self.setting.get_mut(at % SETTING_BYTES) {
                *place = *byte;
            }
            if at % SETTING_BYTES == SETTING_BYTES - 1 {
                let [_, id, value @ ..] = self.setting;
                let value = u32::from_be_bytes(value);
                let valid = match id {
                    2 | 8 => value <= 1,
                    4 => value <= 0x7fff_ffff,
                    5 => (16_384..=0x00ff_ffff).contains(&value),
                    _ => true,
                };
                if !valid {
                    self.frame.fault.get_or_insert(Fault::SettingValue);
                }
            }
        }
    }

    /// What is wrong with a frame that can be seen by its head.
    fn fault_of_head(&self) -> Option<Fault> {
        let Frame {
            kind,
            flags,
            stream,
            len,
            ..
        } = self.frame;
        if len > MAX_FRAME_BYTES {
            return Some(Fault::FrameTooLarge);
        }
        // A head goes on in its own stream, and in nothing else (RFC 9113 section 6.10).
        if (kind == CONTINUATION) != self.open_block.is_some()
            || self.open_block.is_some_and(|open| open != stream)
        {
            return Some(Fault::HeadInterrupted);
        }
        let (on_stream, fits) = match kind {
            DATA | HEADERS | CONTINUATION => (true, true),
            PRIORITY => (true, len == PRIORITY_BYTES),
            RST_STREAM => (true, len == 4),
            SETTINGS => (false, len % SETTING_BYTES == 0),
            PUSH_PROMISE => return Some(Fault::Push),
            PING => (false, len == 8),
            GOAWAY => (false, len >= 8),
            WINDOW_UPDATE => (stream != 0, len == 4),
            _ => return None,
        };
        if on_stream != (stream != 0) {
            return Some(Fault::FrameOnStream);
        }
        if !fits {
            return Some(Fault::FrameLength);
        }
        let acknowledges = kind == SETTINGS && flags & ACK != 0;
        (acknowledges && len > 0).then_some(Fault::FrameLength)
    }

    fn end_frame(&mut self, passed: &mut Passed) {
        if self.ends_numbered_block() {
            // h2 refuses an empty name in a head's last frame alone.
            let details = self.block.fields.fault.as_ref();
            let field = match details.and_then(|it| it.fault) {
                Some(Fault::EmptyName) => vec![0; 3],
                _ => stream_number::field(self.frame.stream),
            };
            let [_, _, _, len] = (field.len() as u32).to_be_bytes();
            passed.put(&[0, 0, len, CONTINUATION, END_HEADERS]);
            passed.put(&self.frame.stream.to_be_bytes());
            passed.put(&field);
        }
        let Frame {
            kind,
            flags,
            stream,
            fault,
            ..
        } = self.frame;
        if let Some(fault) = fault.or_else(|| self.frame.fault_of_payload()) {
            return self.faults.note_connection(fault);
        }
        let start = u32::from_be_bytes(self.frame.start);
        match kind {
            SETTINGS if flags & ACK != 0 => {
                self.faults.note_acknowledgement();
                self.windows.note_acknowledgement(Instant::now());
            }
            GOAWAY => self.faults.note_farewell(start & 0x7fff_ffff),
            WINDOW_UPDATE => self.faults.note_growth(stream, start & 0x7fff_ffff),
            DATA => {
                self.faults.note_data(stream);
                self.note_window(stream, flags);
            }
            RST_STREAM => {
                self.faults.note_stream(stream);
                self.windows.end(stream);
            }
            PRIORITY if start & 0x7fff_ffff == stream => {
                self.faults.note_stream_fault(Fault::SelfDependency);
            }
            HEADERS | CONTINUATION => {
                let complete = flags & END_HEADERS != 0;
                self.open_block = Some(stream).filter(|_| !complete);
                let ends = complete.then_some(self.block_ends_stream);
                self.faults.note_block(stream, &self.block.fields, ends);
                match ends {
                    Some(true) => self.windows.end(stream),
                    Some(false) if self.faults.has_answer(stream) => self.windows.open(stream),
                    _ => {}
                }
            }
            _ => {}
        }
    }

    fn note_window(&mut self, stream: u32, flags: u8) {
        if flags & END_STREAM != 0 {
            self.windows.end(stream);
        } else if flags & PADDED != 0 {
            let [padding, ..] = self.frame.start;
            let grant = self.windows.pad(stream, u32::from(padding) + 1);
            self.answers.extend(grant.into_iter().flat_map(growth_of));
        }
    }
}

/// Head and payload of the frame that begins here.
pub fn length_of_frame(bytes: &[u8]) -> usize {
    match bytes {
        [a, b, c, ..] => HEAD_BYTES + u32::from_be_bytes([0, *a, *b, *c]) as usize,
        _ => bytes.len(),
    }
}

/// A WINDOW_UPDATE.
pub fn growth_of(Grant { stream, bytes }: Grant) -> Vec<u8> {
    control_frame(WINDOW_UPDATE, stream, bytes)
}

/// A RST_STREAM for a violation of flow control.
fn reset_of(stream: u32) -> Vec<u8> {
    control_frame(RST_STREAM, stream, FLOW_CONTROL_ERROR)
}

fn control_frame(kind: u8, stream: u32, payload: u32) -> Vec<u8> {
    let mut frame = vec![0, 0, 4, kind, 0];
    frame.extend_from_slice(&stream.to_be_bytes());
    frame.extend_from_slice(&payload.to_be_bytes());
    frame
}

impl Frame {
    fn new(kind: u8, flags: u8, stream: u32) -> Self {
        let begins = kind == HEADERS;
        Self {
            kind,
            flags,
            stream,
            padded: begins && flags & PADDED != 0,
            priority: if begins && flags & PRIORITISED != 0 {
                PRIORITY_BYTES
            } else {
                0
            },
            ..Self::default()
        }
    }

    /// Takes one byte of the payload; gives it where it is one of a header block.
    fn of_block<'a>(&mut self, byte: &'a mut u8) -> Option<&'a mut u8> {
        let in_block = !self.padded && self.priority == 0 && self.left > self.padding;
        if self.padded {
            self.padded = false;
            self.padding = usize::from(*byte);
        } else if self.priority > 0 {
            self.priority -= 1;
        }
        self.left -= 1;
        in_block.then_some(byte)
    }

    fn fault_of_payload(&self) -> Option<Fault> {
        let [padding, ..] = self.start;
        let padded = matches!(self.kind, DATA | HEADERS) && self.flags & PADDED != 0;
        if padded && usize::from(padding) >= self.len {
            return Some(Fault::Padding);
        }
        let start = u32::from_be_bytes(self.start) & 0x7fff_ffff;
        match self.kind {
            WINDOW_UPDATE if start == 0 => Some(Fault::EmptyGrowth),
            _ => None,
        }
    }
}
