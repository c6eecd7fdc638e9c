//! The examples of RFC 8439.
#![allow(clippy::unwrap_used)]

use super::*;
use chacha20::{ChaCha20, BATCH_BYTES, BLOCK_PIECES};
use lanes::Lanes;
use piece::PIECE_BYTES;
use poly1305::Poly1305;

fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> = hex.bytes().filter(u8::is_ascii_hexdigit).collect();
    let pairs = digits.chunks(2).map(|it| std::str::from_utf8(it).unwrap());
    pairs
        .map(|it| u8::from_str_radix(it, 16).unwrap())
        .collect()
}

fn array<const N: usize>(hex: &str) -> [u8; N] {
    bytes(hex).try_into().unwrap()
}

/// The second block of a stream, whose counter is 1.
fn second_block(key: &[u8; 32], nonce: &str) -> Vec<u8> {
    let mut cipher = ChaCha20::new(key, &array(nonce));
    let keystream = cipher.next(&mut Poly1305::default(), &[]);
    let block = keystream.into_iter().skip(BLOCK_PIECES);
    block
        .take(BLOCK_PIECES)
        .flat_map(|piece| piece.store())
        .collect()
}

#[test]
fn blocks_of_section_2_3_2_and_appendix_a_1() {
    let counting = std::array::from_fn(|at| at as u8);
    assert_eq!(
        second_block(&counting, "000000090000004a00000000"),
        bytes(
            "10f1e7e4d13b5915500fdd1fa32071c4c7d1f4c733c068030422aa9ac3d46c4e
             d2826446079faa0914c2d705d98b02a2b5129cd1de164eb9cbd083e8a2503c4e"
        )
    );
    assert_eq!(
        second_block(&[0; 32], "000000000000000000000000"),
        bytes(
            "9f07e7be5551387a98ba977c732d080dcb0f29a048e3656912c6533e32ee7aed
             29b721769ce64e43d57133b074d839d531ed1f28510afb45ace10a1f4b794d6f"
        )
    );
    let mut last = [0; 32];
    last[31] = 1;
    assert_eq!(
        second_block(&last, "000000000000000000000000"),
        bytes(
            "3aeb5224ecf849929b9d828db1ced4dd832025e8018b8160b82284f3c949aa5a
             8eca00bbb4a73bdad192b5c42f73f2fd4e273644c8b36125a64addeb006c13a0"
        )
    );
}

#[test]
fn counters_go_on_from_batch_to_batch() {
    let mut cipher = ChaCha20::new(&[7; 32], &[9; 12]);
    let mut all = Vec::new();
    for _ in 0..3 {
        all.extend(cipher.next(&mut Poly1305::default(), &[]).map(Lanes::store));
    }
    all.sort_unstable();
    all.dedup();
    assert_eq!(all.len(), 3 * BATCH_BYTES / PIECE_BYTES);
}

/// Poly1305 of whole pieces without the lengths at the end.
fn tag(r: &str, s: &str, data: &str) -> Vec<u8> {
    let mut mac = Poly1305::new(array(r), array(s));
    mac.absorb(&bytes(data));
    mac.tag().to_vec()
}

/// Those of appendix A.3 that consist of whole pieces: sums that reach 2^128 or 2^130 - 5.
#[test]
fn tags_of_appendix_a_3() {
    let zero = "00000000000000000000000000000000";
    let ones = "ffffffffffffffffffffffffffffffff";
    let one = "01000000000000000000000000000000";
    let two = "02000000000000000000000000000000";
    let four = "01000000000000000400000000000000";
    let cases = [
        (zero, zero, zero.repeat(4), zero),
        (two, zero, ones.into(), "03000000000000000000000000000000"),
        (two, ones, two.into(), "03000000000000000000000000000000"),
        (
            one,
            zero,
            [ones, "f0ffffffffffffffffffffffffffffff", "11000000000000000000000000000000"].concat(),
            "05000000000000000000000000000000",
        ),
        (
            one,
            zero,
            [ones, "fbfefefefefefefefefefefefefefefe", "01010101010101010101010101010101"].concat(),
            zero,
        ),
        (
            two,
            zero,
            "fdffffffffffffffffffffffffffffff".into(),
            "faffffffffffffffffffffffffffffff",
        ),
        (
            four,
            zero,
            "e33594d7505e43b900000000000000003394d7505e4379cd01000000000000000000000000000000000000000000000001000000000000000000000000000000".into(),
            "14000000000000005500000000000000",
        ),
        (
            four,
            zero,
            "e33594d7505e43b900000000000000003394d7505e4379cd010000000000000000000000000000000000000000000000".into(),
            "13000000000000000000000000000000",
        ),
    ];
    for (r, s, data, expected) in cases {
        assert_eq!(tag(r, s, &data), bytes(expected), "{data}");
    }
}

/// A number below 2^131: what is above 2^128, and the rest.
type Number = (u128, u128);

/// Of numbers below 2^130 - 5.
fn modular_sum((a, b): Number, (c, d): Number) -> Number {
    let (low, carry) = b.overflowing_add(d);
    let high = a + c + u128::from(carry);
    let (less, borrow) = low.overflowing_sub(u128::MAX - 4);
    match high.checked_sub(3 + u128::from(borrow)) {
        Some(high) => (high, less),
        None => (high, low),
    }
}

/// Bit by bit.
fn tag_by_additions(r: u128, s: u128, pieces: &[u128]) -> u128 {
    let product = |factor| {
        (0..124).rev().fold((0, 0), |product, bit| {
            let double = modular_sum(product, product);
            match r >> bit & 1 {
                1 => modular_sum(double, factor),
                _ => double,
            }
        })
    };
    let of_pieces = |sum, piece: &u128| product(modular_sum(sum, (1, *piece)));
    pieces.iter().fold((0, 0), of_pieces).1.wrapping_add(s)
}

/// Nothing overflows: the tests of this crate are built with checks of that.
#[test]
fn tags_of_the_largest_numbers() {
    let r = 0x0fff_fffc_0fff_fffc_0fff_fffc_0fff_ffff;
    let low = u128::from(u32::MAX);
    for r in [r, r & low, r & !low, r & (low << 32), r & (low << 96)] {
        for piece in [u128::MAX, u128::MAX - 4, low, !low, low << 64, 0] {
            for count in [1, 2, 3, 100] {
                let pieces = vec![piece; count];
                let mut mac = Poly1305::new(r.to_le_bytes(), u128::MAX.to_le_bytes());
                pieces.iter().for_each(|it| mac.absorb(&it.to_le_bytes()));
                let expected = tag_by_additions(r, u128::MAX, &pieces);
                assert_eq!(u128::from_le_bytes(mac.tag()), expected, "{r:x} {piece:x}");
            }
        }
    }
}

#[test]
fn sealed_as_in_section_2_8_2() {
    let key: [u8; 32] = std::array::from_fn(|at| 0x80 + at as u8);
    let nonce = array("070000004041424344454647");
    let additional = bytes("50515253c0c1c2c3c4c5c6c7");
    let text: &[u8] = b"Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, sunscreen would be it.";
    let mut data = text.to_vec();
    let tag = Key::new(&key).seal(&nonce, &additional, &mut data);
    assert_eq!(
        data,
        bytes(
            "d31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d6
             3dbea45e8ca9671282fafb69da92728b1a71de0a9e060b2905d6a5b67ecd3b36
             92ddbd7f2d778b8c9803aee328091b58fab324e4fad675945585808b4831d7bc
             3ff4def08e4b7a9de576d26586cec64b6116"
        )
    );
    assert_eq!(tag.to_vec(), bytes("1ae10b594f09e26a7e902ecbd0600691"));
    data.extend_from_slice(&tag);
    let opened = Key::new(&key).open_within(&nonce, &additional, &mut data, 0);
    assert_eq!(opened.map(|it| it.to_vec()), Ok(text.to_vec()));
}

#[test]
fn opened_as_in_appendix_a_5() {
    let key = array("1c9240a5eb55d38af333888604f6b5f0473917c1402b80099dca5cbc207075c0");
    let nonce = array("000000000102030405060708");
    let additional = bytes("f33388860000000000004e91");
    let mut data = bytes(
        "64a0861575861af460f062c79be643bd5e805cfd345cf389f108670ac76c8cb2
         4c6cfc18755d43eea09ee94e382d26b0bdb7b73c321b0100d4f03b7f355894cf
         332f830e710b97ce98c8a84abd0b948114ad176e008d33bd60f982b1ff37c855
         9797a06ef4f0ef61c186324e2b3506383606907b6a7c02b0f9f6157b53c867e4
         b9166c767b804d46a59b5216cde7a4e99040c5a40433225ee282a1b0a06c523e
         af4534d7f83fa1155b0047718cbc546a0d072b04b3564eea1b422273f548271a
         0bb2316053fa76991955ebd63159434ecebb4e466dae5a1073a6727627097a10
         49e617d91d361094fa68f0ff77987130305beaba2eda04df997b714d6c6f2c29
         a6ad5cb4022b02709beead9d67890cbb22392336fea1851f38",
    );
    let key = Key::new(&key);
    let opened = key.open_within(&nonce, &additional, &mut data, 0).unwrap();
    let text = std::str::from_utf8(opened).unwrap();
    assert_eq!(text.len(), 265);
    assert!(
        text.starts_with("Internet-Drafts are draft documents valid for a maximum of six months")
    );
}
