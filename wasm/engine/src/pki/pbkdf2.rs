//! PBKDF2 (RFC 8018, section 5.2) with the hashes that WebCrypto lacks, in slices like [`super::kdf`].

use zeroize::Zeroizing;

use super::hash::{Hash, KeyedMac};
use crate::wire::{Malformed, Reader};

/// More than any cipher's or MAC's key.
const MAX_OUTPUT: usize = 128;

pub struct Pbkdf2 {
    prf: Box<dyn KeyedMac>,
    salt: Vec<u8>,
    iterations: u32,
    wanted: usize,
    /// U of the block in progress, and the sum of all U so far.
    chain: Zeroizing<Vec<u8>>,
    sum: Zeroizing<Vec<u8>>,
    iterated: u32,
    blocks: u32,
    output: Zeroizing<Vec<u8>>,
}

impl Pbkdf2 {
    /// Input: hash, iterations, wanted bytes (u32), password, salt.
    pub fn read(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        let hash = Hash::from_number(reader.u8()?).ok_or(Malformed)?;
        let iterations = reader.u32()?.max(1);
        let wanted = usize::try_from(reader.u32()?).map_err(|_| Malformed)?;
        let (password, salt) = (reader.bytes()?, reader.bytes()?);
        if wanted == 0 || wanted > MAX_OUTPUT {
            return Err(Malformed);
        }
        Ok(Self {
            prf: hash.hmac(password).ok_or(Malformed)?,
            salt: salt.to_vec(),
            iterations,
            wanted,
            chain: Zeroizing::default(),
            sum: Zeroizing::default(),
            iterated: 0,
            blocks: 0,
            output: Zeroizing::new(Vec::with_capacity(2 * MAX_OUTPUT)),
        })
    }

    /// Goes on for about as many iterations. Gives the key once it is complete.
    pub fn advance(&mut self, iterations: u32) -> Option<&[u8]> {
        let mut budget = iterations.max(1);
        while budget > 0 && self.output.len() < self.wanted {
            if self.iterated == 0 {
                self.blocks += 1;
                *self.chain = self.prf.mac(&[&self.salt, &self.blocks.to_be_bytes()]);
                self.sum.clone_from(&self.chain);
                self.iterated = 1;
                budget -= 1;
            }
            let times = budget.min(self.iterations - self.iterated);
            self.prf.iterate(&mut self.chain, &mut self.sum, times);
            self.iterated += times;
            budget -= times;
            if self.iterated == self.iterations {
                self.output.extend_from_slice(&self.sum);
                self.iterated = 0;
            }
        }
        self.output.get(..self.wanted)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::wire::Writer;

    fn derive(hash: u8, iterations: u32, wanted: u32, slice: u32) -> Vec<u8> {
        let input = Writer::default()
            .u8(hash)
            .u32(iterations)
            .u32(wanted)
            .bytes(b"password")
            .bytes(b"salt")
            .finish();
        let mut pbkdf2 = Pbkdf2::read(&mut Reader::new(&input)).unwrap();
        loop {
            if let Some(key) = pbkdf2.advance(slice) {
                return key.to_vec();
            }
        }
    }

    #[test]
    fn derives_known_keys() {
        // RFC 6070.
        let sha1 = [
            0x4b, 0x00, 0x79, 0x01, 0xb7, 0x65, 0x48, 0x9a, 0xbe, 0xad, 0x49, 0xd9, 0x26, 0xf7,
            0x21, 0xd0, 0x65, 0xa4, 0x29, 0xc1,
        ];
        assert_eq!(derive(1, 4096, 20, u32::MAX), sha1);
        // By OpenSSL's PBKDF2 with SHA-512/256.
        let sha512_256 = [
            0xf2, 0xfb, 0xe5, 0xf8, 0xec, 0x36, 0x18, 0xbb, 0x14, 0x52, 0x79, 0xa8, 0xc6, 0xa8,
            0xdf, 0xa4, 0x76, 0xc2, 0x82, 0xa3, 0xed, 0x53, 0xd8, 0xc2, 0x57, 0xd5, 0x1c, 0xe0,
            0x21, 0xd3, 0x87, 0x7d, 0x3b, 0x50, 0xc8, 0x4a, 0x7f, 0x91, 0x58, 0xd4,
        ];
        assert_eq!(derive(7, 4096, 40, u32::MAX), sha512_256);
    }

    #[test]
    fn gives_the_same_in_slices_as_at_once() {
        for hash in 1..=8 {
            assert_eq!(
                derive(hash, 1000, 100, 7),
                derive(hash, 1000, 100, u32::MAX)
            );
        }
    }
}
