//! Project Wycheproof's vectors.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use mtls_chacha20poly1305::{Key, NotAuthentic, NONCE_BYTES, TAG_BYTES};
use wycheproof::aead::{TestName, TestSet};
use wycheproof::TestResult;

/// In front of what is opened, all alignments among them.
const OFFSETS: std::ops::Range<usize> = 0..17;

#[test]
fn every_vector_is_opened_and_sealed_or_refused() {
    let set = TestSet::load(TestName::ChaCha20Poly1305).unwrap();
    let (mut valid, mut invalid, mut other_nonces) = (0, 0, 0);
    for group in set.test_groups {
        assert_eq!((group.key_size, group.tag_size), (256, 8 * TAG_BYTES));
        for test in group.tests {
            let place = format!("{}: {}", test.tc_id, test.comment);
            let key = Key::new(test.key[..].try_into().unwrap());
            let Ok(nonce) = <[u8; NONCE_BYTES]>::try_from(&test.nonce[..]) else {
                // The types refuse them.
                assert_eq!(test.result, TestResult::Invalid, "{place}");
                other_nonces += 1;
                continue;
            };
            for from in OFFSETS {
                let mut buffer = [&vec![0xaa; from], &test.ct[..], &test.tag].concat();
                let opened = key.open_within(&nonce, &test.aad, &mut buffer, from);
                match test.result {
                    TestResult::Invalid => {
                        assert_eq!(opened, Err(NotAuthentic), "{place}");
                        assert_eq!(buffer[..test.ct.len()], vec![0; test.ct.len()], "{place}");
                    }
                    _ => assert_eq!(opened.unwrap(), &test.pt[..], "{place}"),
                }
            }
            let mut data = test.pt.to_vec();
            let tag = key.seal(&nonce, &test.aad, &mut data);
            let is_same = data == test.ct[..] && tag[..] == test.tag[..];
            assert_eq!(is_same, test.result == TestResult::Valid, "{place}");
            match test.result {
                TestResult::Invalid => invalid += 1,
                _ => valid += 1,
            }
        }
    }
    // So that none is missed.
    assert_eq!((valid, invalid, other_nonces), (256, 60, 9));
}
