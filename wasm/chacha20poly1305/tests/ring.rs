//! Compared with ring's.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use mtls_chacha20poly1305::{Key, NotAuthentic, KEY_BYTES, NONCE_BYTES, TAG_BYTES};
use ring::aead::{Aad, LessSafeKey, Nonce, UnboundKey, CHACHA20_POLY1305};

/// The same numbers in each run (SplitMix64).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }

    /// Random ones; or of bits that are nearly all set, where sums carry most.
    fn bytes(&mut self, length: usize) -> Vec<u8> {
        let often = [0, 0, 0xff, 0xff, 0xfe][self.below(5)];
        (0..length).map(|_| self.next() as u8 | often).collect()
    }
}

struct Case {
    key: [u8; KEY_BYTES],
    nonce: [u8; NONCE_BYTES],
    additional: Vec<u8>,
    data: Vec<u8>,
}

impl Case {
    fn new(numbers: &mut Numbers, additional: usize, length: usize) -> Self {
        Self {
            key: numbers.bytes(KEY_BYTES).try_into().unwrap(),
            nonce: numbers.bytes(NONCE_BYTES).try_into().unwrap(),
            additional: numbers.bytes(additional),
            data: numbers.bytes(length),
        }
    }

    fn by_ring(&self) -> Vec<u8> {
        let key = LessSafeKey::new(UnboundKey::new(&CHACHA20_POLY1305, &self.key).unwrap());
        let nonce = Nonce::assume_unique_for_key(self.nonce);
        let mut sealed = self.data.clone();
        key.seal_in_place_append_tag(nonce, Aad::from(&self.additional), &mut sealed)
            .unwrap();
        sealed
    }

    /// The ciphertext and its tag, made at a place of some alignment.
    fn sealed(&self, alignment: usize) -> Vec<u8> {
        let mut buffer = [&vec![0; alignment], &self.data[..]].concat();
        let place = &mut buffer[alignment..];
        let tag = Key::new(&self.key).seal(&self.nonce, &self.additional, place);
        [place, &tag[..]].concat()
    }

    /// Opened from behind `from` bytes; and what is in the buffer afterwards.
    fn opened(&self, sealed: &[u8], from: usize) -> (Result<Vec<u8>, NotAuthentic>, Vec<u8>) {
        let mut buffer = [&vec![0xaa; from], sealed].concat();
        let key = Key::new(&self.key);
        let opened = key.open_within(&self.nonce, &self.additional, &mut buffer, from);
        (opened.map(|it| it.to_vec()), buffer)
    }

    fn compare(&self, numbers: &mut Numbers) {
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

#[test]
fn every_short_length() {
    let mut numbers = Numbers(1);
    for length in 0..1_100 {
        let additional = numbers.below(40);
        Case::new(&mut numbers, additional, length).compare(&mut numbers);
    }
}

#[test]
fn every_length_of_additional_data() {
    let mut numbers = Numbers(2);
    for additional in 0..300 {
        let length = numbers.below(100);
        Case::new(&mut numbers, additional, length).compare(&mut numbers);
    }
}

#[test]
fn random_lengths() {
    let mut numbers = Numbers(3);
    for _ in 0..200 {
        let length = numbers.below(65 * 1024);
        let additional = numbers.below(64);
        Case::new(&mut numbers, additional, length).compare(&mut numbers);
    }
}

#[test]
fn every_changed_bit_is_refused_and_leaves_zeros() {
    let mut numbers = Numbers(4);
    for length in [0, 1, 16, 100, 192, 193, 450] {
        let case = Case::new(&mut numbers, 13, length);
        let sealed = case.sealed(0);
        for bit in 0..8 * sealed.len() {
            let mut changed = sealed.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            let from = bit % 40;
            let (opened, left) = case.opened(&changed, from);
            assert_eq!(opened, Err(NotAuthentic));
            assert!(left[..length].iter().all(|&byte| byte == 0));
        }
    }
}

#[test]
fn another_key_nonce_or_additional_data_is_refused() {
    let mut numbers = Numbers(5);
    for bit in 0..8 * KEY_BYTES {
        let mut case = Case::new(&mut numbers, KEY_BYTES, 300);
        let sealed = case.sealed(0);
        let flip = |bytes: &mut [u8]| bytes[bit / 8 % bytes.len()] ^= 1 << (bit % 8);
        flip(&mut case.additional);
        assert!(case.opened(&sealed, 5).0.is_err());
        flip(&mut case.additional);
        flip(&mut case.nonce);
        assert!(case.opened(&sealed, 5).0.is_err());
        flip(&mut case.nonce);
        flip(&mut case.key);
        assert!(case.opened(&sealed, 5).0.is_err());
        flip(&mut case.key);
        case.additional.push(0);
        assert!(case.opened(&sealed, 5).0.is_err());
        case.additional.pop();
        assert!(case.opened(&sealed, 5).0.is_ok());
    }
}

#[test]
fn every_truncation_is_refused() {
    let mut numbers = Numbers(6);
    let case = Case::new(&mut numbers, 5, 300);
    let sealed = case.sealed(0);
    for length in 0..sealed.len() {
        assert!(case.opened(&sealed[..length], 5).0.is_err());
        assert!(case.opened(&sealed[sealed.len() - length..], 0).0.is_err());
    }
    let key = Key::new(&case.key);
    for from in [sealed.len() - TAG_BYTES + 1, sealed.len(), usize::MAX] {
        let mut buffer = sealed.clone();
        let opened = key.open_within(&case.nonce, &[], &mut buffer, from);
        assert_eq!(opened, Err(NotAuthentic));
    }
}
