//! The fields of an HTTP/1.1 connection in heads of h2 (RFC 9113 section 8.2.2). Servers pass them on from their backends and
//! browsers bear them, but h2 fails the stream.
//!
//! On the way to h2 the last letter of such a name becomes another one, in place: pieces of a head may be of any size, and its
//! compression table counts as the server's does. [`remove`] then takes the fields out of the head.

use http::HeaderMap;

use super::event::MAX_DECODED_BYTES;

/// A name as it is on the wire behind its length, raw and in Huffman's code (RFC 7541 section 5.2), and its new last byte.
/// None is in the static table.
const NAMES: [(&[u8], u8); 10] = [
    (b"\x0aconnection", b'_'),
    (b"\x87\x21\xea\xa8\xa4\x49\x8f\x57", 0x17),
    (b"\x0akeep-alive", b'c'),
    (b"\x88\xea\x52\xd6\xb0\xe8\x37\x72\xff", 0x7f),
    (b"\x10proxy-connection", b'l'),
    (
        b"\x8c\xae\xc3\xf9\xf4\xb1\x0f\x55\x45\x22\x4c\x7a\xbf",
        0x3f,
    ),
    (b"\x07upgrade", b'0'),
    (b"\x85\xb6\xb9\xac\x1c\x85", 0x80),
    (b"\x02te", b'c'),
    (b"\x82\x49\x7f", 0x3f),
];
const LONGEST_NAME: usize = 17;

/// The names that come of those.
const RENAMED: [&str; 5] = [
    "connectio_",
    "keep-alivc",
    "proxy-connectiol",
    "upgrad0",
    "tc",
];

pub fn remove(headers: &mut HeaderMap) {
    for name in RENAMED {
        headers.remove(name);
    }
}

const HEADERS: u8 = 1;
const CONTINUATION: u8 = 9;
const PADDED: u8 = 8;
const PRIORITY: u8 = 32;
const PRIORITY_BYTES: usize = 5;
const END_HEADERS: u8 = 4;

/// How many CONTINUATION frames h2 takes before a head's last one: what its limit for decoded heads needs, and a quarter more.
const MAX_CONTINUATIONS: usize = MAX_DECODED_BYTES as usize / FRAME_BYTES / 4 * 5;
const FRAME_BYTES: usize = 16 * 1024;

/// Follows the frames of an h2 connection: renames, and counts the frames of a head.
#[derive(Default)]
pub struct Renamer {
    /// The next frame's head, as far as it is there.
    head: [u8; 9],
    head_len: usize,
    /// What is left of the frame's payload, and how much of that is padding.
    payload: usize,
    padding: usize,
    padded: bool,
    priority: usize,
    is_block: bool,
    block: Block,
    continuations: usize,
    endless: bool,
}

impl Renamer {
    pub fn pass(&mut self, mut bytes: &mut [u8]) {
        while !bytes.is_empty() {
            let passed = if self.payload == 0 {
                self.begin_frame(bytes)
            } else {
                self.go_on(bytes)
            };
            bytes = bytes.get_mut(passed..).unwrap_or_default();
        }
    }

    /// Whether anything was ever renamed.
    pub fn has_renamed(&self) -> bool {
        self.block.renamed
    }

    /// Whether a head has had more frames than h2 takes. It ends the connection then, by an error that it has for other floods too.
    pub fn has_endless_head(&self) -> bool {
        self.endless
    }

    fn begin_frame(&mut self, bytes: &[u8]) -> usize {
        let room = self.head.iter_mut().skip(self.head_len);
        let passed = room.zip(bytes).map(|(to, from)| *to = *from).count();
        self.head_len += passed;
        if self.head_len == self.head.len() {
            let [a, b, c, kind, flags, ..] = self.head;
            let begins = kind == HEADERS;
            self.head_len = 0;
            self.payload = u32::from_be_bytes([0, a, b, c]) as usize;
            self.padding = 0;
            self.padded = begins && flags & PADDED != 0;
            self.priority = if begins && flags & PRIORITY != 0 {
                PRIORITY_BYTES
            } else {
                0
            };
            self.is_block = begins || kind == CONTINUATION;
            self.count(kind == CONTINUATION && flags & END_HEADERS == 0);
            if begins {
                self.block.step = Step::Field;
                self.block.more = false;
            }
        }
        passed
    }

    fn count(&mut self, goes_on: bool) {
        self.continuations = if goes_on { self.continuations + 1 } else { 0 };
        self.endless |= self.continuations > MAX_CONTINUATIONS;
    }

    fn go_on(&mut self, bytes: &mut [u8]) -> usize {
        let passed = bytes.len().min(self.payload);
        if !self.is_block {
            self.payload -= passed;
            return passed;
        }
        for byte in bytes.iter_mut().take(passed) {
            if self.padded {
                self.padded = false;
                self.padding = usize::from(*byte);
            } else if self.priority > 0 {
                self.priority -= 1;
            } else if self.payload > self.padding {
                self.block.pass(byte);
            }
            self.payload -= 1;
        }
        passed
    }
}

/// Where a header block is (RFC 7541 section 6). What is wrong with it is h2's to find: the connection ends then.
#[derive(Default)]
struct Block {
    step: Step,
    /// An integer goes on with the next byte, before the step is taken.
    more: bool,
    shift: u32,
    /// What is left of a text.
    len: usize,
    name: [u8; LONGEST_NAME],
    name_len: usize,
    renamed: bool,
}

#[derive(Clone, Copy, Default)]
enum Step {
    #[default]
    Field,
    NameLength,
    Name,
    ValueLength,
    Value,
}

impl Block {
    fn pass(&mut self, byte: &mut u8) {
        if self.more {
            let digits = usize::from(*byte & 0x7f).wrapping_shl(self.shift);
            self.len = self.len.wrapping_add(digits);
            self.shift = self.shift.wrapping_add(7);
            self.more = *byte >= 0x80;
            return;
        }
        match self.step {
            Step::Field => self.begin_field(*byte),
            Step::NameLength => {
                self.name_len = 0;
                self.remember(*byte);
                self.step = self.begin_text(*byte, Step::Name, Step::ValueLength);
            }
            Step::ValueLength => {
                self.step = self.begin_text(*byte, Step::Value, Step::Field);
            }
            Step::Name => {
                self.remember(*byte);
                self.len = self.len.wrapping_sub(1);
                if self.len == 0 {
                    self.rename(byte);
                    self.step = Step::ValueLength;
                }
            }
            Step::Value => {
                self.len = self.len.wrapping_sub(1);
                if self.len == 0 {
                    self.step = Step::Field;
                }
            }
        }
    }

    /// An index alone, a literal, or the table's new size.
    fn begin_field(&mut self, byte: u8) {
        let (mask, literal) = match byte {
            0x80.. => (0x7f, false),
            0x40.. => (0x3f, true),
            0x20.. => (0x1f, false),
            _ => (0x0f, true),
        };
        let index = byte & mask;
        self.more = index == mask;
        self.step = match (literal, index) {
            (false, _) => Step::Field,
            (true, 0) => Step::NameLength,
            (true, _) => Step::ValueLength,
        };
    }

    fn begin_text(&mut self, byte: u8, text: Step, behind: Step) -> Step {
        self.len = usize::from(byte & 0x7f);
        self.more = self.len == 0x7f;
        self.shift = 0;
        if self.len == 0 {
            behind
        } else {
            text
        }
    }

    fn remember(&mut self, byte: u8) {
        if let Some(place) = self.name.get_mut(self.name_len) {
            *place = byte;
        }
        self.name_len = self.name_len.wrapping_add(1);
    }

    fn rename(&mut self, last: &mut u8) {
        let name = self.name.get(..self.name_len);
        if let Some((_, other)) = NAMES.iter().find(|(wire, _)| name == Some(*wire)) {
            *last = *other;
            self.renamed = true;
        }
    }
}
