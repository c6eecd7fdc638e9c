//! HPACK's Huffman code (RFC 7541 appendix B), which is canonical: lengths and order of its symbols say it all.

const LONGEST: usize = 30;

/// How many symbols have a code of so many bits, up to [`LONGEST`].
const COUNTS: [u8; LONGEST] = [
    0, 0, 0, 0, 10, 26, 32, 6, 0, 5, 3, 2, 6, 2, 3, 0, 0, 0, 3, 8, 13, 26, 29, 12, 4, 15, 19, 29,
    0, 4,
];

/// The octets in the order of their codes. Behind them comes the end of the string, which is not in one.
const SYMBOLS: &[u8; 256] = b"012aceiost %-./3456789=A_bdfghlmnpru:BCDEFGHIJKLMNOPQRSTUVWYjkqvwxyz&*,;XZ\
!\x22()?'+|#>\x00$@[]~^}<`{\x5c\xc3\xd0\x80\x82\x83\xa2\xb8\xc2\xe0\xe2\x99\xa1\xa7\xac\xb0\xb1\xb3\xd1\
\xd8\xd9\xe3\xe5\xe6\x81\x84\x85\x86\x88\x92\x9a\x9c\xa0\xa3\xa4\xa9\xaa\xad\xb2\xb5\xb9\xba\xbb\xbd\xbe\
\xc4\xc6\xe4\xe8\xe9\x01\x87\x89\x8a\x8b\x8c\x8d\x8f\x93\x95\x96\x97\x98\x9b\x9d\x9e\xa5\xa6\xa8\xae\xaf\
\xb4\xb6\xb7\xbc\xbf\xc5\xe7\xef\x09\x8e\x90\x91\x94\x9f\xab\xce\xd7\xe1\xec\xed\xc7\xcf\xea\xeb\xc0\xc1\
\xc8\xc9\xca\xcd\xd2\xd5\xda\xdb\xee\xf0\xf2\xf3\xff\xcb\xcc\xd3\xd4\xd6\xdd\xde\xdf\xf1\xf4\xf5\xf6\xf7\
\xf8\xfa\xfb\xfc\xfd\xfe\x02\x03\x04\x05\x06\x07\x08\x0b\x0c\x0e\x0f\x10\x11\x12\x13\x14\x15\x17\x18\x19\
\x1a\x1b\x1c\x1d\x1e\x1f\x7f\xdc\xf9\x0a\x0d\x16";

/// Decodes one string, byte by byte.
#[derive(Default)]
pub struct Decoder {
    bits: usize,
    code: u32,
    /// The first code of this length, and how many symbols are shorter.
    first: u32,
    shorter: u32,
}

impl Decoder {
    pub fn pass(&mut self, byte: u8, mut give: impl FnMut(u8)) {
        for shift in (0..8).rev() {
            self.code |= u32::from(byte >> shift & 1);
            let count = COUNTS.get(self.bits).copied().map_or(0, u32::from);
            let at = self.code.wrapping_sub(self.first);
            if at < count {
                let symbol = SYMBOLS.get(self.shorter.wrapping_add(at) as usize);
                symbol.into_iter().for_each(|symbol| give(*symbol));
                *self = Self::default();
            } else {
                self.shorter = self.shorter.wrapping_add(count);
                self.first = self.first.wrapping_add(count).wrapping_shl(1);
                self.code = self.code.wrapping_shl(1);
                self.bits = self.bits.wrapping_add(1);
            }
        }
    }
}
