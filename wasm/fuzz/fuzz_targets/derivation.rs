#![no_main]
use libfuzzer_sys::fuzz_target;
use mtls_engine::pki::derivation::Derivation;

/// Larger counts are for the host to refuse.
const ITERATIONS: u32 = 1_000;

fuzz_target!(|input: &[u8]| {
    if let Ok(mut derivation) = Derivation::read(input) {
        derivation.advance(ITERATIONS);
    }
});
