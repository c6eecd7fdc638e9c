//! The hashes of PKCS#12 MACs and key derivations.

use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use sha2::{Digest, Sha224, Sha256, Sha384, Sha512};

/// Numbered as in `src/p12/engine.ts`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hash {
    Sha1,
    Sha224,
    Sha256,
    Sha384,
    Sha512,
}

macro_rules! by_hash {
    ($hash:expr, $function:ident ( $($argument:expr),* )) => {
        match $hash {
            Hash::Sha1 => $function::<Sha1>($($argument),*),
            Hash::Sha224 => $function::<Sha224>($($argument),*),
            Hash::Sha256 => $function::<Sha256>($($argument),*),
            Hash::Sha384 => $function::<Sha384>($($argument),*),
            Hash::Sha512 => $function::<Sha512>($($argument),*),
        }
    };
}

impl Hash {
    pub fn from_number(number: u8) -> Option<Self> {
        Some(match number {
            1 => Self::Sha1,
            2 => Self::Sha224,
            3 => Self::Sha256,
            4 => Self::Sha384,
            5 => Self::Sha512,
            _ => return None,
        })
    }

    /// The length of the hash's input block in bytes.
    pub fn block_len(self) -> usize {
        match self {
            Self::Sha1 | Self::Sha224 | Self::Sha256 => 64,
            Self::Sha384 | Self::Sha512 => 128,
        }
    }

    pub fn digest(self, parts: &[&[u8]]) -> Vec<u8> {
        by_hash!(self, digest(parts))
    }

    /// Replaces a digest by its digest, `times` times.
    pub fn iterate(self, digest: &mut [u8], times: u32) {
        by_hash!(self, iterate(digest, times))
    }

    /// Whether `expected` is the whole HMAC of `data`, in constant time.
    pub fn hmac_verifies(self, key: &[u8], data: &[u8], expected: &[u8]) -> bool {
        macro_rules! verify {
            ($digest:ty) => {
                Hmac::<$digest>::new_from_slice(key)
                    .is_ok_and(|mac| mac.chain_update(data).verify_slice(expected).is_ok())
            };
        }
        match self {
            Self::Sha1 => verify!(Sha1),
            Self::Sha224 => verify!(Sha224),
            Self::Sha256 => verify!(Sha256),
            Self::Sha384 => verify!(Sha384),
            Self::Sha512 => verify!(Sha512),
        }
    }
}

fn digest<D: Digest>(parts: &[&[u8]]) -> Vec<u8> {
    let hasher = parts.iter().fold(D::new(), Digest::chain_update);
    hasher.finalize().to_vec()
}

fn iterate<D: Digest>(digest: &mut [u8], times: u32) {
    let mut current = D::digest(&*digest);
    for _ in 1..times {
        current = D::digest(&current);
    }
    if times > 0 {
        digest.copy_from_slice(&current);
    }
}
