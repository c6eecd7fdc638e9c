//! The fields of an HTTP/1.1 connection in heads of h2 (RFC 9113 section 8.2.2). Servers pass them on from their backends and
//! browsers bear them, but h2 fails the stream.
//!
//! On the way to h2 the last letter of such a name becomes another one, in place: pieces of a head may be of any size, and its
//! compression table counts as the server's does. [`remove`] then takes the fields out of the head.

use http::HeaderMap;

use super::head_fields::HeadFields;
use super::huffman::Decoder;

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

/// Follows a header block (RFC 7541 section 6), and renames. What is wrong with its compression is h2's to find.
#[derive(Default)]
pub struct Block {
    pub fields: HeadFields,
    /// Whether any field was ever renamed.
    pub renamed: bool,
    step: Step,
    /// An integer goes on with the next byte, before the step is taken.
    more: bool,
    /// That integer is a field's index.
    is_index: bool,
    shift: u32,
    /// What is left of a text, or an index.
    len: usize,
    /// A text in Huffman's code.
    decoder: Option<Decoder>,
    name: [u8; LONGEST_NAME],
    name_len: usize,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Step {
    #[default]
    Field,
    NameLength,
    Name,
    ValueLength,
    Value,
}

impl Block {
    pub fn begin(&mut self) {
        self.step = Step::Field;
        self.more = false;
        self.fields = HeadFields::default();
    }

    pub fn pass(&mut self, byte: &mut u8) {
        if self.more {
            let digits = usize::from(*byte & 0x7f).wrapping_shl(self.shift);
            self.len = self.len.wrapping_add(digits);
            self.shift = self.shift.wrapping_add(7);
            self.more = *byte >= 0x80;
            if self.is_index && !self.more {
                self.name_by_index();
            }
            return;
        }
        match self.step {
            Step::Field => self.begin_field(*byte),
            Step::NameLength => {
                self.name_len = 0;
                self.remember(*byte);
                self.step = self.begin_text(*byte, Step::Name, Step::ValueLength);
                if self.step == Step::ValueLength {
                    self.fields.name();
                }
            }
            Step::ValueLength => {
                self.step = self.begin_text(*byte, Step::Value, Step::Field);
                if self.step == Step::Field {
                    self.fields.value();
                }
            }
            Step::Name => {
                self.remember(*byte);
                self.read(*byte);
                if self.len == 0 {
                    self.fields.name();
                    self.rename(byte);
                    self.step = Step::ValueLength;
                }
            }
            Step::Value => {
                self.read(*byte);
                if self.len == 0 {
                    self.fields.value();
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
        self.shift = 0;
        self.len = usize::from(index);
        self.step = match (literal, index) {
            (false, _) => Step::Field,
            (true, 0) => Step::NameLength,
            (true, _) => Step::ValueLength,
        };
        self.is_index = byte >= 0x80 || self.step == Step::ValueLength;
        if self.is_index && !self.more {
            self.name_by_index();
        }
    }

    fn name_by_index(&mut self) {
        self.fields.index(self.len, self.step == Step::Field);
    }

    fn begin_text(&mut self, byte: u8, text: Step, behind: Step) -> Step {
        self.len = usize::from(byte & 0x7f);
        self.more = self.len == 0x7f;
        self.is_index = false;
        self.shift = 0;
        self.decoder = (byte >= 0x80).then(Decoder::default);
        if self.len == 0 {
            behind
        } else {
            text
        }
    }

    fn read(&mut self, byte: u8) {
        self.len = self.len.wrapping_sub(1);
        match &mut self.decoder {
            Some(decoder) => decoder.pass(byte, |byte| self.fields.text(byte)),
            None => self.fields.text(byte),
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
