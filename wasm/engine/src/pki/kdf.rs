//! The key derivation of PKCS#12 (RFC 7292, appendix B.2), in slices: an honest file asks for 600,000 iterations, and the page
//! must stay able to move in between.

use zeroize::Zeroizing;

use super::hash::Hash;
use crate::wire::{Malformed, Reader};

/// More than any cipher's key.
const MAX_OUTPUT: usize = 128;

pub struct Kdf {
    hash: Hash,
    iterations: u32,
    wanted: usize,
    /// The diversifier D.
    diversifier: Vec<u8>,
    /// The concatenation I of salt and password, each repeated to whole blocks.
    input: Zeroizing<Vec<u8>>,
    /// The digest A as far as it has been iterated.
    digest: Zeroizing<Vec<u8>>,
    iterated: u32,
    output: Zeroizing<Vec<u8>>,
}

impl Kdf {
    /// Input: hash, purpose (1 key, 2 IV, 3 MAC key), iterations, wanted bytes (u32), password (BMPString with its two zero
    /// octets, or nothing), salt.
    pub fn read(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        let hash = Hash::from_number(reader.u8()?).ok_or(Malformed)?;
        let purpose = reader.u8()?;
        let iterations = reader.u32()?.max(1);
        let wanted = usize::try_from(reader.u32()?).map_err(|_| Malformed)?;
        let (password, salt) = (reader.bytes()?, reader.bytes()?);
        if wanted == 0 || wanted > MAX_OUTPUT {
            return Err(Malformed);
        }
        let block = hash.block_len();
        let mut blocks = Zeroizing::new(Vec::with_capacity(
            salt.len().next_multiple_of(block) + password.len().next_multiple_of(block),
        ));
        for part in [salt, password] {
            let len = part.len().next_multiple_of(block);
            blocks.extend(part.iter().cycle().take(len));
        }
        Ok(Self {
            hash,
            iterations,
            wanted,
            diversifier: vec![purpose; block],
            input: blocks,
            digest: Zeroizing::default(),
            iterated: 0,
            output: Zeroizing::new(Vec::with_capacity(MAX_OUTPUT + block)),
        })
    }

    /// Goes on for about as many iterations. Gives the key once it is complete.
    pub fn advance(&mut self, iterations: u32) -> Option<&[u8]> {
        let mut budget = iterations.max(1);
        while budget > 0 && self.output.len() < self.wanted {
            if self.iterated == 0 {
                *self.digest = self.hash.digest(&[&self.diversifier, &self.input]);
                self.iterated = 1;
                budget -= 1;
            }
            let times = budget.min(self.iterations - self.iterated);
            self.hash.iterate(&mut self.digest, times);
            self.iterated += times;
            budget -= times;
            if self.iterated == self.iterations {
                self.output.extend_from_slice(&self.digest);
                self.next_block();
            }
        }
        self.output.get(..self.wanted)
    }

    /// Adds B + 1 to each block of I, as one big-endian number modulo its size.
    fn next_block(&mut self) {
        for block in self.input.chunks_mut(self.hash.block_len()) {
            let mut carry = 1;
            let repeated = self.digest.iter().cycle().take(block.len());
            let addend: Zeroizing<Vec<u8>> = Zeroizing::new(repeated.copied().collect());
            for (octet, add) in block.iter_mut().zip(addend.iter()).rev() {
                let sum = u16::from(*octet) + u16::from(*add) + carry;
                *octet = sum as u8;
                carry = sum >> 8;
            }
        }
        self.iterated = 0;
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::wire::Writer;

    fn kdf(purpose: u8, iterations: u32, wanted: u32) -> Kdf {
        // "smeg" as BMPString.
        let password = [0, 0x73, 0, 0x6d, 0, 0x65, 0, 0x67, 0, 0];
        let salt = [0x0a, 0x58, 0xcf, 0x64, 0x53, 0x0d, 0x82, 0x3f];
        let input = Writer::default()
            .u8(1)
            .u8(purpose)
            .u32(iterations)
            .u32(wanted)
            .bytes(&password)
            .bytes(&salt)
            .finish();
        Kdf::read(&mut Reader::new(&input)).unwrap()
    }

    const KEY: [u8; 24] = [
        0x8a, 0xaa, 0xe6, 0x29, 0x7b, 0x6c, 0xb0, 0x46, 0x42, 0xab, 0x5b, 0x07, 0x78, 0x51, 0x28,
        0x4e, 0xb7, 0x12, 0x8f, 0x1a, 0x2a, 0x7f, 0xbc, 0xa3,
    ];

    #[test]
    fn derives_a_known_key() {
        assert_eq!(kdf(1, 1, 24).advance(1000), Some(KEY.as_slice()));
    }

    #[test]
    fn gives_the_same_in_slices_as_at_once() {
        let mut whole = kdf(1, 1000, 60);
        let expected = whole.advance(u32::MAX).unwrap();
        let mut sliced = kdf(1, 1000, 60);
        let mut slices = 0;
        while sliced.advance(7).is_none() {
            slices += 1;
        }
        assert_eq!(sliced.advance(1), Some(expected));
        assert_eq!(slices, 3 * 1000 / 7);
    }

    #[test]
    fn refuses_a_senseless_length() {
        let input = Writer::default()
            .u8(1)
            .u8(1)
            .u32(1)
            .u32(0)
            .bytes(&[])
            .bytes(&[])
            .finish();
        assert!(Kdf::read(&mut Reader::new(&input)).is_err());
    }
}
