//! What is wrong with the fields of an h2 head (RFC 9113 section 8.2 and 8.3), of which h2 says no more than that something is.

use super::fault::{Details, Fault};
use super::limits::MAX_HEAD_BYTES;

/// As much of a name is told, and as much of a value is looked at.
const KEPT_BYTES: usize = 64;
/// What a field counts for beside its text (RFC 7541 section 4.1), and what one of the dynamic table may count for.
const FIELD_BYTES: usize = 32;
const MOST_INDEXED_BYTES: usize = 4096;
/// The first index of the dynamic table.
const DYNAMIC: usize = 62;

/// The fields of one head, as they come.
#[derive(Default)]
pub struct HeadFields {
    /// The first thing that is wrong.
    pub fault: Option<Details>,
    /// `Some(0)`: that of the dynamic table, most likely.
    status: Option<u16>,
    /// What `content-length` says.
    length: Option<Vec<u8>>,
    field: Field,
    name: Vec<u8>,
    text: Vec<u8>,
    /// Of the text.
    has_upper_case: bool,
    has_no_token: bool,
    has_controls: bool,
    /// Pseudo-header fields so far, a bit each.
    pseudos: u32,
    has_others: bool,
    /// At most.
    bytes: usize,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Field {
    #[default]
    Other,
    /// In the dynamic table.
    Unknown,
    Length,
    TransferEncoding,
    Status,
    /// By their first index in the static table.
    Pseudo(u32),
}

impl HeadFields {
    /// A field of the table, or its name alone.
    pub fn index(&mut self, index: usize, whole: bool) {
        const STATUSES: [u16; 7] = [200, 204, 206, 304, 400, 404, 500];
        self.name.clear();
        self.field = match index {
            1 => Field::Pseudo(1),
            2 | 3 => Field::Pseudo(2),
            4 | 5 => Field::Pseudo(4),
            6 | 7 => Field::Pseudo(6),
            8..=14 => Field::Status,
            28 => Field::Length,
            57 => Field::TransferEncoding,
            DYNAMIC.. => Field::Unknown,
            _ => Field::Other,
        };
        self.bytes = self.bytes.saturating_add(if index < DYNAMIC {
            KEPT_BYTES
        } else {
            MOST_INDEXED_BYTES
        });
        self.begin_field();
        if whole && self.field == Field::Status {
            let at = index.wrapping_sub(8);
            self.status = STATUSES.get(at).copied();
        }
        if whole && self.field == Field::Unknown && self.pseudos == 0 && !self.has_others {
            self.status = Some(0);
        }
    }

    /// One octet of a name or a value.
    pub fn text(&mut self, byte: u8) {
        self.bytes = self.bytes.saturating_add(1);
        if self.text.len() < KEPT_BYTES {
            self.text.push(byte);
        }
        self.has_upper_case |= byte.is_ascii_uppercase();
        self.has_controls |= byte.is_ascii_control() && byte != b'\t';
        self.has_no_token |= !byte.is_ascii_alphanumeric() && !b"!#$%&'*+-.^_`|~".contains(&byte);
    }

    /// The text was a field's name.
    pub fn name(&mut self) {
        self.bytes = self.bytes.saturating_add(FIELD_BYTES);
        self.name = std::mem::take(&mut self.text);
        self.field = match &*self.name {
            b"content-length" => Field::Length,
            b"transfer-encoding" => Field::TransferEncoding,
            b":status" => Field::Status,
            b":authority" => Field::Pseudo(1),
            b":method" => Field::Pseudo(2),
            b":path" => Field::Pseudo(4),
            b":scheme" => Field::Pseudo(6),
            b":protocol" => Field::Pseudo(8),
            _ => Field::Other,
        };
        if self.field == Field::Other {
            match self.name.first() {
                None => self.fail(Fault::EmptyName),
                Some(b':') => self.fail(Fault::UnknownPseudo),
                _ if self.has_upper_case => self.fail(Fault::UpperCaseName),
                _ if self.has_no_token => self.fail(Fault::InvalidName),
                _ => {}
            }
        }
        self.begin_field();
        self.forget_text();
    }

    /// The text was a field's value.
    pub fn value(&mut self) {
        match self.field {
            Field::Status => {
                let text = std::str::from_utf8(&self.text).unwrap_or_default();
                self.status = text.parse().ok();
                if text.len() != 3 || self.status.is_none_or(|it| it < 100) {
                    self.fail(Fault::InvalidStatus);
                }
            }
            Field::Length => self.note_length(),
            _ if self.has_controls => self.fail(Fault::InvalidValue),
            _ => {}
        }
        self.forget_text();
    }

    pub fn is_too_large(&self) -> bool {
        self.bytes > MAX_HEAD_BYTES
    }

    /// Whether this is the head of a response that is not informational.
    pub fn is_final(&self) -> bool {
        self.status.is_some() && !self.is_informational()
    }

    /// What is wrong with all of it. `answered`: another head was the response's; `ends`: nothing follows.
    pub fn fault_as_head(&self, answered: bool, ends: bool) -> Option<Fault> {
        let length = self.length.as_deref();
        let fault = match self.status {
            Some(_) if self.is_informational() && ends => Fault::InformationalEnd,
            _ if answered && self.pseudos != 0 => Fault::TrailersWithPseudo,
            None if !answered => Fault::NoStatus,
            None if !ends => Fault::TrailersGoOn,
            _ if self.is_too_large() => Fault::TooLarge,
            _ if ends && length.is_some_and(|it| it != b"0") => Fault::BodyLength,
            _ => return None,
        };
        Some(fault)
    }

    fn is_informational(&self) -> bool {
        self.status.is_some_and(|it| it / 100 == 1)
    }

    fn note_length(&mut self) {
        let text = std::str::from_utf8(&self.text).unwrap_or_default();
        if text.parse::<u64>().is_err() || text.starts_with('+') {
            self.fail(Fault::InvalidLength);
        }
        if self.length.as_ref().is_some_and(|it| *it != self.text) {
            self.fail(Fault::OtherLength);
        }
        self.length = Some(std::mem::take(&mut self.text));
    }

    fn begin_field(&mut self) {
        let bit = match self.field {
            Field::Status => 1,
            Field::Pseudo(first) => 1 << first,
            Field::TransferEncoding => return self.fail(Fault::ConnectionField),
            Field::Unknown => return,
            Field::Other | Field::Length => {
                self.has_others = true;
                return;
            }
        };
        if self.has_others {
            self.fail(Fault::LatePseudo);
        } else if self.pseudos & bit != 0 {
            self.fail(Fault::RepeatedPseudo);
        }
        self.pseudos |= bit;
    }

    fn forget_text(&mut self) {
        self.text.clear();
        self.has_upper_case = false;
        self.has_no_token = false;
        self.has_controls = false;
    }

    fn fail(&mut self, fault: Fault) {
        if self.fault.is_none() {
            self.fault = Some(Details {
                fault: Some(fault),
                name: self.name.clone(),
            });
        }
    }
}
