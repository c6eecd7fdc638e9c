use crate::decode::{Damaged, Decode, Progress};
use crate::deflate::Deflate;
use flate2::Crc;

const HEADER_BYTES: usize = 10;
const TRAILER_BYTES: usize = 8;
const MAGIC_AND_METHOD: [u8; 3] = [0x1f, 0x8b, 8];
const HAS_HEADER_CRC: u8 = 2;
const HAS_EXTRA: u8 = 4;
const HAS_NAME: u8 = 8;
const HAS_COMMENT: u8 = 16;
const RESERVED: u8 = 0xe0;

/// RFC 1952: one member after the other.
pub struct Gzip {
    part: Part,
    /// What has come of a part of a fixed length.
    pending: Vec<u8>,
    inflate: Deflate,
    crc: Crc,
    flags: u8,
    members: u64,
}

/// What comes next, in this order.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Header,
    ExtraLength,
    Extra(usize),
    Name,
    Comment,
    HeaderCrc,
    Data,
    Trailer,
}

impl Default for Gzip {
    fn default() -> Self {
        Self {
            part: Part::Header,
            pending: Vec::new(),
            inflate: Deflate::new(false),
            crc: Crc::new(),
            flags: 0,
            members: 0,
        }
    }
}

impl Decode for Gzip {
    fn decode(&mut self, input: &[u8], output: &mut [u8]) -> Result<Progress, Damaged> {
        let mut consumed = 0;
        loop {
            let rest = input.get(consumed..).unwrap_or_default();
            if self.part == Part::Data {
                let progress = self.inflate.decode(rest, output)?;
                self.crc
                    .update(output.get(..progress.produced).unwrap_or_default());
                consumed += progress.consumed;
                if self.inflate.is_complete() {
                    self.part = Part::Trailer;
                }
                if progress.produced > 0 || self.part == Part::Data {
                    return Ok(Progress {
                        consumed,
                        produced: progress.produced,
                    });
                }
            } else if rest.is_empty() {
                return Ok(Progress {
                    consumed,
                    produced: 0,
                });
            } else {
                consumed += self.take(rest)?;
            }
        }
    }

    fn is_complete(&mut self) -> bool {
        self.members > 0 && self.part == Part::Header && self.pending.is_empty()
    }
}

impl Gzip {
    /// Goes on with what is not data; gives how much it took.
    fn take(&mut self, input: &[u8]) -> Result<usize, Damaged> {
        let wanted = match self.part {
            Part::Header => HEADER_BYTES,
            Part::ExtraLength | Part::HeaderCrc => 2,
            Part::Trailer => TRAILER_BYTES,
            Part::Extra(left) => return Ok(self.skip(input, left)),
            Part::Name | Part::Comment => return Ok(self.skip_text(input)),
            Part::Data => return Ok(0),
        };
        let taken = input.len().min(wanted - self.pending.len());
        self.pending.extend(input.iter().take(taken));
        if self.pending.len() == wanted {
            let part = std::mem::take(&mut self.pending);
            self.read(&part)?;
        }
        Ok(taken)
    }

    fn skip(&mut self, input: &[u8], left: usize) -> usize {
        let taken = input.len().min(left);
        match left - taken {
            0 => self.after(Part::Extra(0)),
            left => self.part = Part::Extra(left),
        }
        taken
    }

    fn skip_text(&mut self, input: &[u8]) -> usize {
        match input.iter().position(|byte| *byte == 0) {
            Some(end) => {
                self.after(self.part);
                end + 1
            }
            None => input.len(),
        }
    }

    fn read(&mut self, part: &[u8]) -> Result<(), Damaged> {
        match (self.part, part) {
            (Part::Header, [a, b, method, flags, ..]) => {
                if [*a, *b, *method] != MAGIC_AND_METHOD || flags & RESERVED != 0 {
                    return Err(Damaged);
                }
                self.flags = *flags;
                self.after(Part::Header);
            }
            (Part::ExtraLength, [low, high]) => {
                match usize::from(u16::from_le_bytes([*low, *high])) {
                    0 => self.after(Part::Extra(0)),
                    length => self.part = Part::Extra(length),
                }
            }
            (Part::Trailer, [a, b, c, d, e, f, g, h]) => {
                let crc = u32::from_le_bytes([*a, *b, *c, *d]);
                let amount = u32::from_le_bytes([*e, *f, *g, *h]);
                if crc != self.crc.sum() || amount != self.crc.amount() {
                    return Err(Damaged);
                }
                *self = Self {
                    members: self.members + 1,
                    ..Self::default()
                };
            }
            (part, _) => self.after(part),
        }
        Ok(())
    }

    /// The next part that the flags say there is.
    fn after(&mut self, part: Part) {
        let later = [
            (Part::ExtraLength, HAS_EXTRA),
            (Part::Name, HAS_NAME),
            (Part::Comment, HAS_COMMENT),
            (Part::HeaderCrc, HAS_HEADER_CRC),
        ];
        let first = match part {
            Part::Header => 0,
            Part::ExtraLength | Part::Extra(_) => 1,
            Part::Name => 2,
            Part::Comment => 3,
            _ => later.len(),
        };
        self.part = later
            .into_iter()
            .skip(first)
            .find(|(_, flag)| self.flags & flag != 0)
            .map_or(Part::Data, |(next, _)| next);
    }
}
