#![no_main]
use libfuzzer_sys::fuzz_target;
use mtls_engine::pki::pbe;

fuzz_target!(|input: &[u8]| {
    let _ = pbe::decrypt(input);
});
