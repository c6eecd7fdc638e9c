//! The records that follow a handshake (RFC 8446 section 5.2; RFC 5246 section 6.2.3.3, RFC 5288, RFC 7905), many at a time and in
//! place. What the records say, and the sequence numbers, are the host's (`src/tls/records/record-layer.ts`).

use std::ops::Range;

use zeroize::Zeroizing;

use super::external::AES_GCM;
use super::record_cipher::{Algorithm, RecordCipher, NONCE_BYTES as IV_BYTES, TAG_BYTES};
use crate::wire::{Malformed, Reader, Writer};

const HEADER_BYTES: usize = 5;
/// How much of the nonce of AES-GCM TLS 1.2 sends along: the end of it.
const EXPLICIT_NONCE_BYTES: usize = 8;
const MAX_CONTENT_BYTES: usize = 16_384;
const APPLICATION_DATA: u8 = 23;
const LEGACY_VERSION: [u8; 2] = [3, 3];

/// Stable numbers of the ABI (`src/tls/ciphers/record-engine.ts`).
const TLS_12: u8 = 2;
const TLS_13: u8 = 3;

/// Why a record cannot be opened. Stable numbers of the ABI.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Fault {
    NotAuthentic = 1,
    TooLarge = 2,
    NoType = 3,
}

/// The keys of one direction.
pub struct RecordKeys {
    is_tls13: bool,
    algorithm: Algorithm,
    explicit_nonce_bytes: usize,
    key: Zeroizing<Vec<u8>>,
    iv: Zeroizing<[u8; IV_BYTES]>,
}

/// What came of records, up to the first one that is not application data, or that carries none.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Opened {
    /// How many were opened.
    pub records: u32,
    /// The application data of them all, at the beginning of the buffer.
    pub data_bytes: usize,
    /// Type and place of the content of the last one, where it is not application data.
    pub other: Option<(u8, Range<usize>)>,
    pub fault: Option<Fault>,
}

impl Opened {
    /// As it crosses the ABI: records, length of the application data, fault or 0; then the last one's type or 0, and its content.
    pub fn write(&self, buffer: &[u8]) -> Vec<u8> {
        let (kind, place) = self.other.clone().unwrap_or_default();
        let mut writer = Writer::default();
        writer
            .u32(self.records)
            .u32(u32::try_from(self.data_bytes).unwrap_or(u32::MAX))
            .u8(self.fault.map_or(0, |fault| fault as u8))
            .u8(kind)
            .bytes(buffer.get(place).unwrap_or_default());
        writer.finish()
    }
}

impl RecordKeys {
    /// Input: version, algorithm, key, IV.
    pub fn read(input: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(input);
        let (version, number) = (reader.u8()?, reader.u8()?);
        let (key, iv) = (reader.bytes()?, reader.bytes()?);
        reader.finish()?;
        let is_tls13 = match version {
            TLS_12 => false,
            TLS_13 => true,
            _ => return Err(Malformed),
        };
        let algorithm = Algorithm::new(number, key.len()).ok_or(Malformed)?;
        Ok(Self {
            is_tls13,
            algorithm,
            explicit_nonce_bytes: match (is_tls13, number) {
                (false, AES_GCM) => EXPLICIT_NONCE_BYTES,
                _ => 0,
            },
            key: Zeroizing::new(key.to_vec()),
            iv: Zeroizing::new(iv.try_into().map_err(|_| Malformed)?),
        })
    }

    /// Opens the whole records at the beginning of the buffer, the first of which has this number.
    pub fn open(&self, first: u64, buffer: &mut [u8]) -> Opened {
        let mut opened = Opened::default();
        let Some(key) = self.expand() else {
            opened.fault = Some(Fault::NotAuthentic);
            return opened;
        };
        let mut at = 0;
        while let Some(end) = end_of_record(buffer, at) {
            let sequence = first.wrapping_add(opened.records.into());
            let record = Record { sequence, at, end };
            let (kind, length) = match self.open_record(&key, &record, buffer, opened.data_bytes) {
                Ok(content) => content,
                Err(fault) => {
                    opened.fault = Some(fault);
                    return opened;
                }
            };
            opened.records += 1;
            let content = opened.data_bytes..opened.data_bytes + length;
            if kind != APPLICATION_DATA || length == 0 {
                opened.other = Some((kind, content));
                return opened;
            }
            opened.data_bytes = content.end;
            at = end;
        }
        opened
    }

    /// Moves the content to where the last one ended. Gives its type and length.
    fn open_record(
        &self,
        key: &RecordCipher,
        record: &Record,
        buffer: &mut [u8],
        to: usize,
    ) -> Result<(u8, usize), Fault> {
        let explicit_at = record.at + HEADER_BYTES;
        let sealed_at = explicit_at + self.explicit_nonce_bytes;
        let sealed = record.end.checked_sub(sealed_at);
        let length = sealed
            .and_then(|it| it.checked_sub(TAG_BYTES))
            .ok_or(Fault::NotAuthentic)?;
        let legacy_type = buffer.get(record.at).copied().unwrap_or_default();
        let explicit = buffer.get(explicit_at..sealed_at).unwrap_or_default();
        let nonce = self.nonce(record.sequence, explicit);
        let window = buffer.get_mut(to..record.end).unwrap_or_default();
        let from = sealed_at - to;
        if !self.is_tls13 {
            let data = legacy_additional_data(record.sequence, legacy_type, length);
            key.open_within((nonce, &data), window, from)
                .ok_or(Fault::NotAuthentic)?;
            let fits = length <= MAX_CONTENT_BYTES;
            return fits.then_some((legacy_type, length)).ok_or(Fault::TooLarge);
        }
        let data = header(APPLICATION_DATA, length + TAG_BYTES);
        let inner = key
            .open_within((nonce, &data), window, from)
            .ok_or(Fault::NotAuthentic)?;
        if inner.len() > MAX_CONTENT_BYTES + 1 {
            return Err(Fault::TooLarge);
        }
        let type_at = inner.iter().rposition(|&byte| byte != 0);
        let type_at = type_at.ok_or(Fault::NoType)?;
        Ok((inner.get(type_at).copied().unwrap_or_default(), type_at))
    }

    /// The records for content of any length, the first of which gets this number; and how many there are.
    pub fn seal(&self, first: u64, kind: u8, content: &[u8]) -> Option<(Vec<u8>, u32)> {
        let mut out = Vec::new();
        let records = self.seal_into(first, kind, full_records(content), &mut out)?;
        Some((out, records))
    }

    /// Seals what each record is to carry, behind what `out` has already. Gives how many they are.
    pub fn seal_into<'a>(
        &self,
        first: u64,
        kind: u8,
        contents: impl Iterator<Item = &'a [u8]>,
        out: &mut Vec<u8>,
    ) -> Option<u32> {
        let key = self.expand()?;
        let mut records = 0;
        for content in contents {
            let sequence = first.checked_add(records.into())?;
            self.seal_record(&key, sequence, kind, content, out)?;
            records += 1;
        }
        Some(records)
    }

    fn seal_record(
        &self,
        key: &RecordCipher,
        sequence: u64,
        kind: u8,
        content: &[u8],
        out: &mut Vec<u8>,
    ) -> Option<()> {
        let (inner_type, outer_type): (&[u8], u8) = match self.is_tls13 {
            true => (&[kind], APPLICATION_DATA),
            false => (&[], kind),
        };
        let sealed_bytes = content.len() + inner_type.len() + TAG_BYTES;
        let header = header(outer_type, self.explicit_nonce_bytes + sealed_bytes);
        let nonce = self.nonce(sequence, &[]);
        out.reserve(header.len() + self.explicit_nonce_bytes + sealed_bytes);
        out.extend_from_slice(&header);
        out.extend_from_slice(nonce.get(IV_BYTES - self.explicit_nonce_bytes..)?);
        let start = out.len();
        out.extend_from_slice(content);
        out.extend_from_slice(inner_type);
        let sealed = out.get_mut(start..)?;
        let tag = if self.is_tls13 {
            key.seal((nonce, &header), sealed)
        } else {
            let data = legacy_additional_data(sequence, kind, content.len());
            key.seal((nonce, &data), sealed)
        };
        out.extend_from_slice(&tag?);
        Some(())
    }

    fn expand(&self) -> Option<RecordCipher> {
        self.algorithm.with_key(&self.key)
    }

    /// The IV, with the sequence number added without carry to its last eight bytes; or with the peer's own end.
    fn nonce(&self, sequence: u64, explicit: &[u8]) -> [u8; IV_BYTES] {
        let mut nonce = *self.iv;
        let end = nonce.iter_mut().rev();
        if explicit.is_empty() {
            end.zip(sequence.to_le_bytes())
                .for_each(|(byte, number)| *byte ^= number);
        } else {
            end.zip(explicit.iter().rev())
                .for_each(|(byte, given)| *byte = *given);
        }
        nonce
    }
}

/// As many bytes in each record as it may carry.
pub fn full_records(content: &[u8]) -> impl Iterator<Item = &[u8]> {
    content.chunks(MAX_CONTENT_BYTES)
}

struct Record {
    sequence: u64,
    at: usize,
    end: usize,
}

/// Where the record ends that begins here; `None`: it is not there in full.
fn end_of_record(buffer: &[u8], at: usize) -> Option<usize> {
    let header = buffer.get(at..)?.first_chunk::<HEADER_BYTES>()?;
    let [_, _, _, high, low] = *header;
    let end = at + HEADER_BYTES + usize::from(u16::from_be_bytes([high, low]));
    (end <= buffer.len()).then_some(end)
}

fn header(kind: u8, length: usize) -> [u8; HEADER_BYTES] {
    let [major, minor] = LEGACY_VERSION;
    let [high, low] = u16::try_from(length).unwrap_or(u16::MAX).to_be_bytes();
    [kind, major, minor, high, low]
}

/// RFC 5246 section 6.2.3.3.
fn legacy_additional_data(sequence: u64, kind: u8, length: usize) -> [u8; 8 + HEADER_BYTES] {
    let mut data = [0; 8 + HEADER_BYTES];
    let bytes = sequence
        .to_be_bytes()
        .into_iter()
        .chain(header(kind, length));
    data.iter_mut().zip(bytes).for_each(|(to, byte)| *to = byte);
    data
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::super::external::CHACHA20_POLY1305;
    use super::*;

    const SUITES: [(u8, u8, usize); 6] = [
        (TLS_12, AES_GCM, 16),
        (TLS_12, AES_GCM, 32),
        (TLS_12, CHACHA20_POLY1305, 32),
        (TLS_13, AES_GCM, 16),
        (TLS_13, AES_GCM, 32),
        (TLS_13, CHACHA20_POLY1305, 32),
    ];

    fn keys((version, algorithm, key_bytes): (u8, u8, usize)) -> RecordKeys {
        let mut writer = Writer::default();
        writer
            .u8(version)
            .u8(algorithm)
            .bytes(&vec![7; key_bytes])
            .bytes(&[9; IV_BYTES]);
        RecordKeys::read(&writer.finish()).ok().unwrap()
    }

    fn numbered(length: usize) -> Vec<u8> {
        (0..length).map(|at| (at % 251) as u8).collect()
    }

    #[test]
    fn what_is_sealed_is_opened_up_to_the_first_other_record() {
        for suite in SUITES {
            let keys = keys(suite);
            let content = numbered(3 * MAX_CONTENT_BYTES + 5);
            let first = u64::from(u32::MAX) - 1;
            let (mut sealed, count) = keys.seal(first, APPLICATION_DATA, &content).unwrap();
            assert_eq!(count, 4);
            let (alert, _) = keys.seal(first + 4, 21, &[1, 0]).unwrap();
            sealed.extend_from_slice(&alert);
            let (behind, _) = keys.seal(first + 5, APPLICATION_DATA, &[1]).unwrap();
            sealed.extend_from_slice(&behind);
            let opened = keys.open(first, &mut sealed);
            assert_eq!((opened.records, opened.data_bytes), (5, content.len()));
            assert_eq!(opened.fault, None);
            assert_eq!(&sealed[..content.len()], &content);
            let (kind, place) = opened.other.unwrap();
            assert_eq!((kind, &sealed[place]), (21, &[1, 0][..]));
        }
    }

    #[test]
    fn every_flipped_bit_is_refused_behind_what_came_before() {
        for suite in SUITES {
            let keys = keys(suite);
            let (good, _) = keys.seal(0, APPLICATION_DATA, b"good").unwrap();
            let (evil, _) = keys.seal(1, APPLICATION_DATA, b"evil").unwrap();
            for bit in HEADER_BYTES * 8..evil.len() * 8 {
                let mut flipped = [good.clone(), evil.clone()].concat();
                flipped[good.len() + bit / 8] ^= 1 << (bit % 8);
                let opened = keys.open(0, &mut flipped);
                assert_eq!(opened.fault, Some(Fault::NotAuthentic));
                assert_eq!((opened.records, opened.data_bytes), (1, 4));
                assert_eq!(&flipped[..4], b"good");
            }
        }
    }

    #[test]
    fn records_of_another_number_or_too_short_ones_are_refused() {
        for suite in SUITES {
            let keys = keys(suite);
            let (record, _) = keys.seal(1, APPLICATION_DATA, b"x").unwrap();
            for number in [0, 2, 1 + (1 << 32)] {
                let opened = keys.open(number, &mut record.clone());
                // TLS 1.2 has the number in the additional data as well.
                assert_eq!(opened.fault, Some(Fault::NotAuthentic));
            }
            for length in 0..32 {
                let mut short = [&[23, 3, 3, 0, length as u8][..], &vec![0; length]].concat();
                assert_eq!(keys.open(0, &mut short).fault, Some(Fault::NotAuthentic));
            }
        }
    }

    #[test]
    fn padding_alone_and_too_much_content_are_refused() {
        for suite in SUITES {
            let keys = keys(suite);
            let expanded = keys.expand().unwrap();
            let mut out = Vec::new();
            let content = numbered(MAX_CONTENT_BYTES + 1);
            keys.seal_record(&expanded, 0, 23, &content, &mut out)
                .unwrap();
            assert_eq!(keys.open(0, &mut out).fault, Some(Fault::TooLarge));
            if suite.0 == TLS_13 {
                let (mut padding, _) = keys.seal(0, 0, &[0; 20]).unwrap();
                assert_eq!(keys.open(0, &mut padding).fault, Some(Fault::NoType));
            }
        }
    }

    #[test]
    fn keys_of_another_length_or_version_are_malformed() {
        for (version, algorithm, bytes) in [(1, 1, 16), (3, 1, 24), (3, 2, 16), (3, 3, 32)] {
            let mut writer = Writer::default();
            writer
                .u8(version)
                .u8(algorithm)
                .bytes(&vec![7; bytes])
                .bytes(&[9; IV_BYTES]);
            assert!(RecordKeys::read(&writer.finish()).is_err());
        }
    }
}
