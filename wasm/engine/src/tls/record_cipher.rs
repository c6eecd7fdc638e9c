//! The ciphers of records: AES-GCM by ring; ChaCha20-Poly1305 by this workspace's crate, or by ring with the feature
//! `ring-chacha20-poly1305`.

use mtls_chacha20poly1305 as chacha20_poly1305;
use ring::aead::{self, Aad, LessSafeKey, Nonce, UnboundKey};

use super::external::{AES_GCM, CHACHA20_POLY1305};

/// Whether ring's ChaCha20-Poly1305 takes the place of this workspace's, which is left out of the build then.
const BY_RING: bool = cfg!(feature = "ring-chacha20-poly1305");

pub const TAG_BYTES: usize = 16;
pub const NONCE_BYTES: usize = 12;

#[derive(Clone, Copy)]
pub enum Algorithm {
    Ring(&'static aead::Algorithm),
    ChaCha20Poly1305,
}

impl Algorithm {
    /// By its number in the ABI.
    pub fn new(number: u8, key_bytes: usize) -> Option<Self> {
        match (number, key_bytes) {
            (AES_GCM, 16) => Some(Self::Ring(&aead::AES_128_GCM)),
            (AES_GCM, 32) => Some(Self::Ring(&aead::AES_256_GCM)),
            (CHACHA20_POLY1305, 32) => Some(Self::ChaCha20Poly1305),
            _ => None,
        }
    }

    /// For one call: ring's own copy of a key is not wiped, and would stay in the heap.
    pub fn with_key(self, key: &[u8]) -> Option<RecordCipher> {
        Some(match self {
            Self::Ring(algorithm) => RecordCipher::ring(algorithm, key)?,
            Self::ChaCha20Poly1305 if BY_RING => RecordCipher::ring(&aead::CHACHA20_POLY1305, key)?,
            Self::ChaCha20Poly1305 => {
                RecordCipher::ChaCha20Poly1305(chacha20_poly1305::Key::new(key.try_into().ok()?))
            }
        })
    }
}

/// For one call, and on its stack.
#[allow(clippy::large_enum_variant)]
pub enum RecordCipher {
    Ring(LessSafeKey),
    ChaCha20Poly1305(chacha20_poly1305::Key),
}

impl RecordCipher {
    fn ring(algorithm: &'static aead::Algorithm, key: &[u8]) -> Option<Self> {
        let key = UnboundKey::new(algorithm, key).ok()?;
        Some(Self::Ring(LessSafeKey::new(key)))
    }

    /// Opens what begins at `from` and ends with the tag. The plaintext goes to the beginning of the buffer. `None`: not authentic.
    pub fn open_within<'a>(
        &self,
        (nonce, additional): ([u8; NONCE_BYTES], &[u8]),
        buffer: &'a mut [u8],
        from: usize,
    ) -> Option<&'a mut [u8]> {
        match self {
            Self::Ring(key) => {
                let nonce = Nonce::assume_unique_for_key(nonce);
                key.open_within(nonce, Aad::from(additional), buffer, from..)
                    .ok()
            }
            Self::ChaCha20Poly1305(_) if BY_RING => None,
            Self::ChaCha20Poly1305(key) => key.open_within(&nonce, additional, buffer, from).ok(),
        }
    }

    /// Encrypts in place and gives the tag.
    pub fn seal(
        &self,
        (nonce, additional): ([u8; NONCE_BYTES], &[u8]),
        data: &mut [u8],
    ) -> Option<[u8; TAG_BYTES]> {
        match self {
            Self::Ring(key) => {
                let nonce = Nonce::assume_unique_for_key(nonce);
                let tag = key.seal_in_place_separate_tag(nonce, Aad::from(additional), data);
                tag.ok()?.as_ref().try_into().ok()
            }
            Self::ChaCha20Poly1305(_) if BY_RING => None,
            Self::ChaCha20Poly1305(key) => Some(key.seal(&nonce, additional, data)),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn either_chacha20_poly1305_opens_what_the_other_one_sealed() {
        let key = [7; 32];
        let place = ([9; NONCE_BYTES], &b"head"[..]);
        let chosen = Algorithm::new(CHACHA20_POLY1305, key.len()).unwrap();
        assert!(Algorithm::new(CHACHA20_POLY1305, 16).is_none());
        let chosen = || chosen.with_key(&key).unwrap();
        assert_eq!(matches!(chosen(), RecordCipher::Ring(_)), BY_RING);
        let by_ring = || RecordCipher::ring(&aead::CHACHA20_POLY1305, &key).unwrap();
        for (sealing, opening) in [(chosen(), by_ring()), (by_ring(), chosen())] {
            let mut buffer = b"text".to_vec();
            let tag = sealing.seal(place, &mut buffer).unwrap();
            buffer.extend_from_slice(&tag);
            buffer.splice(..0, *b"front");
            let opened = opening.open_within(place, &mut buffer, 5);
            assert_eq!(opened.unwrap(), b"text");
            *buffer.last_mut().unwrap() ^= 1;
            assert!(opening.open_within(place, &mut buffer, 5).is_none());
        }
    }
}
