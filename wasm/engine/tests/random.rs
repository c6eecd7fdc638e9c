//! Inputs that nobody has written on purpose: the readers must take any bytes for an answer. The same ones in each run.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod support;

use mtls_engine::pki::certificate::Certificate;
use mtls_engine::pki::derivation::Derivation;
use mtls_engine::pki::{name, pbe};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, KeyPair};
use support::Random;

const INPUTS: usize = 150_000;
/// Larger counts are for the host to refuse.
const ITERATIONS: u32 = 64;

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
        read += usize::from(Certificate::read(&input).is_ok());
        let _ = Certificate::describe(&input);
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
