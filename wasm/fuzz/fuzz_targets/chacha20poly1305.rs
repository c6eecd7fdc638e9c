#![no_main]
use libfuzzer_sys::fuzz_target;
use mtls_chacha20poly1305::Key;
use ring::aead::{Aad, LessSafeKey, Nonce, UnboundKey, CHACHA20_POLY1305};

// Both seal alike, and open alike what was not sealed by either.
fuzz_target!(
    |input: ([u8; 32], [u8; 12], &[u8], u8, usize, &[u8])| {
        let (key, nonce, additional, from, repeated, data) = input;
        let data = data.repeat(1 + repeated % 64);
        let from = usize::from(from);
        let own = Key::new(&key);
        let ring = LessSafeKey::new(UnboundKey::new(&CHACHA20_POLY1305, &key).unwrap());
        let ring_nonce = || Nonce::assume_unique_for_key(nonce);

        let mut sealed = data.clone();
        let tag = own.seal(&nonce, additional, &mut sealed);
        sealed.extend_from_slice(&tag);
        let mut expected = data.clone();
        ring.seal_in_place_append_tag(ring_nonce(), Aad::from(additional), &mut expected)
            .unwrap();
        assert_eq!(sealed, expected);

        let mut buffer = [&vec![0; from], &sealed[..]].concat();
        let opened = own.open_within(&nonce, additional, &mut buffer, from);
        assert_eq!(opened.unwrap(), &data);

        let mut given = data.clone();
        let opened = own.open_within(&nonce, additional, &mut given, from);
        let mut expected = data.clone();
        let by_ring = ring.open_within(ring_nonce(), Aad::from(additional), &mut expected, from..);
        assert_eq!(opened.ok(), by_ring.ok());
    }
);
