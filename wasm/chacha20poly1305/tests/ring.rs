//! Compared with ring's.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod support;

use mtls_chacha20poly1305::{Key, NotAuthentic, KEY_BYTES, TAG_BYTES};
use support::{Case, Numbers};

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
        for bit in 0..8 * (length + TAG_BYTES) {
            case.refuse_changed(bit, bit % 40);
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
