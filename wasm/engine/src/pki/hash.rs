//! The hashes of PKCS#12 MACs and key derivations, and HMAC with each of them.

use hmac::{Hmac, KeyInit, Mac};
use md5::Md5;
use sha1::Sha1;
use sha2::{Digest, Sha224, Sha256, Sha384, Sha512, Sha512_224, Sha512_256};

/// Numbered as in `src/p12/decryption/engine.ts`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hash {
    Sha1,
    Sha224,
    Sha256,
    Sha384,
    Sha512,
    Sha512_224,
    Sha512_256,
    Md5,
}

macro_rules! by_hash {
    ($hash:expr, $function:ident ( $($argument:expr),* )) => {
        match $hash {
            Hash::Sha1 => $function::<Sha1>($($argument),*),
            Hash::Sha224 => $function::<Sha224>($($argument),*),
            Hash::Sha256 => $function::<Sha256>($($argument),*),
            Hash::Sha384 => $function::<Sha384>($($argument),*),
            Hash::Sha512 => $function::<Sha512>($($argument),*),
            Hash::Sha512_224 => $function::<Sha512_224>($($argument),*),
            Hash::Sha512_256 => $function::<Sha512_256>($($argument),*),
            Hash::Md5 => $function::<Md5>($($argument),*),
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
            6 => Self::Sha512_224,
            7 => Self::Sha512_256,
            8 => Self::Md5,
            _ => return None,
        })
    }

    /// The length of the hash's input block in bytes.
    pub fn block_len(self) -> usize {
        match self {
            Self::Sha1 | Self::Sha224 | Self::Sha256 | Self::Md5 => 64,
            Self::Sha384 | Self::Sha512 | Self::Sha512_224 | Self::Sha512_256 => 128,
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
        self.hmac(key)
            .is_some_and(|mac| mac.verifies(data, expected))
    }

    /// A HMAC with a key.
    pub fn hmac(self, key: &[u8]) -> Option<Box<dyn KeyedMac>> {
        macro_rules! keyed {
            ($digest:ty) => {
                Box::new(Hmac::<$digest>::new_from_slice(key).ok()?)
            };
        }
        Some(match self {
            Self::Sha1 => keyed!(Sha1),
            Self::Sha224 => keyed!(Sha224),
            Self::Sha256 => keyed!(Sha256),
            Self::Sha384 => keyed!(Sha384),
            Self::Sha512 => keyed!(Sha512),
            Self::Sha512_224 => keyed!(Sha512_224),
            Self::Sha512_256 => keyed!(Sha512_256),
            Self::Md5 => keyed!(Md5),
        })
    }
}

/// A MAC that has its key, for any number of messages.
pub trait KeyedMac {
    fn mac(&self, parts: &[&[u8]]) -> Vec<u8>;

    /// Replaces `chain` by its MAC, so many times, and adds each by exclusive or to `sum` (RFC 8018, section 5.2).
    fn iterate(&self, chain: &mut [u8], sum: &mut [u8], times: u32);

    /// Whether `expected` is the whole MAC of `data`, in constant time.
    fn verifies(&self, data: &[u8], expected: &[u8]) -> bool;
}

impl<M: Mac + Clone> KeyedMac for M {
    fn mac(&self, parts: &[&[u8]]) -> Vec<u8> {
        let mac = parts
            .iter()
            .fold(self.clone(), |mac, part| mac.chain_update(part));
        mac.finalize().into_bytes().to_vec()
    }

    fn iterate(&self, chain: &mut [u8], sum: &mut [u8], times: u32) {
        for _ in 0..times {
            let next = self.clone().chain_update(&*chain).finalize().into_bytes();
            chain.copy_from_slice(&next);
            for (octet, add) in sum.iter_mut().zip(next) {
                *octet ^= add;
            }
        }
    }

    fn verifies(&self, data: &[u8], expected: &[u8]) -> bool {
        self.clone()
            .chain_update(data)
            .verify_slice(expected)
            .is_ok()
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
