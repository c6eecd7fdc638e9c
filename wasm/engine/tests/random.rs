//! Inputs that nobody has written on purpose: the readers must take any bytes for an answer. The same ones in each run.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use mtls_engine::pki::certificate::Certificate;
use mtls_engine::pki::derivation::Derivation;
use mtls_engine::pki::{name, pbe};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, KeyPair};

const INPUTS: usize = 150_000;
/// Larger counts are for the host to refuse.
const ITERATIONS: u32 = 64;

/// SplitMix64: numbers that look random and are the same each time.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % limit as u64).unwrap()
    }

    /// Some bytes changed, some left out, some repeated.
    fn mutated(&mut self, seed: &[u8]) -> Vec<u8> {
        let mut bytes = seed.to_vec();
        for _ in 0..=self.below(4) {
            if bytes.is_empty() {
                break;
            }
            let at = self.below(bytes.len());
            let until = (at + self.below(12)).min(bytes.len());
            match self.below(5) {
                0 => bytes[at] = self.next() as u8,
                1 => bytes[at] ^= 1 << self.below(8),
                2 => drop(bytes.drain(at..until)),
                3 => bytes.truncate(at),
                _ => {
                    let piece = bytes[at..until].to_vec();
                    let target = self.below(bytes.len());
                    bytes.splice(target..target, piece);
                }
            }
        }
        bytes
    }
}

fn certificate() -> Vec<u8> {
    let mut params =
        CertificateParams::new(vec![String::from("a.example"), String::from("::1")]).unwrap();
    params
        .distinguished_name
        .push(DnType::CommonName, "Ada, Countess");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(1));
    let key = KeyPair::generate().unwrap();
    params.self_signed(&key).unwrap().der().to_vec()
}

#[test]
fn certificates_and_names() {
    let seed = certificate();
    let mut random = Random(5280);
    let mut read = 0;
    for _ in 0..INPUTS {
        let input = random.mutated(&seed);
        read += usize::from(
            Certificate::read(&input)
                .and_then(|it| it.describe())
                .is_ok(),
        );
        let from = random.below(input.len() + 1);
        let _ = name::read(&input[from..]);
    }
    // Otherwise the mutations would not get past the first bytes.
    assert!(read > INPUTS / 100, "{read}");
}

#[test]
fn derivations_and_ciphers() {
    let mut random = Random(7292);
    for _ in 0..INPUTS {
        let mut derivation = vec![1 + random.below(3) as u8, 1 + random.below(8) as u8];
        let mut cipher = vec![1 + random.below(8) as u8, 40, 0];
        for _ in 0..random.below(60) {
            derivation.push((random.below(8) * random.below(40)) as u8);
            cipher.push((random.below(3) * random.below(30)) as u8);
        }
        if let Ok(mut derivation) = Derivation::read(&derivation) {
            derivation.advance(ITERATIONS);
        }
        let _ = pbe::decrypt(&cipher);
    }
}
