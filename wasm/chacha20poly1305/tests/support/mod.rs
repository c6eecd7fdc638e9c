//! Inputs, and what ring makes of them.
// Each file of tests uses some of it.
#![allow(dead_code)]

use mtls_chacha20poly1305::{Key, NotAuthentic, KEY_BYTES, NONCE_BYTES};
use ring::aead::{Aad, LessSafeKey, Nonce, UnboundKey, CHACHA20_POLY1305};

/// The same numbers from the same seed (SplitMix64).
pub struct Numbers(pub u64);

impl Numbers {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }

    /// Random ones; or of bits that are nearly all set, where sums carry most.
    pub fn bytes(&mut self, length: usize) -> Vec<u8> {
        let often = [0, 0, 0xff, 0xff, 0xfe][self.below(5)];
        (0..length).map(|_| self.next() as u8 | often).collect()
    }
}

pub struct Case {
    pub key: [u8; KEY_BYTES],
    pub nonce: [u8; NONCE_BYTES],
    pub additional: Vec<u8>,
    pub data: Vec<u8>,
}

impl Case {
    pub fn new(numbers: &mut Numbers, additional: usize, length: usize) -> Self {
        Self {
            key: numbers.bytes(KEY_BYTES).try_into().unwrap(),
            nonce: numbers.bytes(NONCE_BYTES).try_into().unwrap(),
            additional: numbers.bytes(additional),
            data: numbers.bytes(length),
        }
    }

    pub fn by_ring(&self) -> Vec<u8> {
        let key = LessSafeKey::new(UnboundKey::new(&CHACHA20_POLY1305, &self.key).unwrap());
        let nonce = Nonce::assume_unique_for_key(self.nonce);
        let mut sealed = self.data.clone();
        key.seal_in_place_append_tag(nonce, Aad::from(&self.additional), &mut sealed)
            .unwrap();
        sealed
    }

    /// The same, but with this ciphertext: Poly1305 takes numbers of its author's choice.
    pub fn with_ciphertext(mut self, ciphertext: &[u8]) -> Self {
        self.data = vec![0; ciphertext.len()];
        let keystream = self.by_ring();
        self.data = ciphertext
            .iter()
            .zip(keystream)
            .map(|(it, key)| it ^ key)
            .collect();
        self
    }

    /// The ciphertext and its tag, made at a place of some alignment.
    pub fn sealed(&self, alignment: usize) -> Vec<u8> {
        let mut buffer = [&vec![0; alignment], &self.data[..]].concat();
        let place = &mut buffer[alignment..];
        let tag = Key::new(&self.key).seal(&self.nonce, &self.additional, place);
        [place, &tag[..]].concat()
    }

    /// Opened from behind `from` bytes; and what is in the buffer afterwards.
    pub fn opened(&self, sealed: &[u8], from: usize) -> (Result<Vec<u8>, NotAuthentic>, Vec<u8>) {
        let mut buffer = [&vec![0xaa; from], sealed].concat();
        let key = Key::new(&self.key);
        let opened = key.open_within(&self.nonce, &self.additional, &mut buffer, from);
        (opened.map(|it| it.to_vec()), buffer)
    }

    /// With one changed bit nothing is opened, and zeros are left.
    pub fn refuse_changed(&self, bit: usize, from: usize) {
        let mut changed = self.sealed(0);
        let place = format!("bit {bit} of {}, from {from}", changed.len());
        changed[bit / 8] ^= 1 << (bit % 8);
        let (opened, left) = self.opened(&changed, from);
        assert_eq!(opened, Err(NotAuthentic), "{place}");
        assert!(
            left[..self.data.len()].iter().all(|&byte| byte == 0),
            "{place}"
        );
    }

    pub fn compare(&self, numbers: &mut Numbers) {
        let place = format!("{} of {}", self.data.len(), self.additional.len());
        let sealed = self.sealed(numbers.below(16));
        assert!(sealed == self.by_ring(), "sealed, {place}");
        let from = numbers.below(600);
        assert!(
            self.opened(&sealed, from).0.unwrap() == self.data,
            "{place}"
        );
    }
}
