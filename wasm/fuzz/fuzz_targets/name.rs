#![no_main]
use libfuzzer_sys::fuzz_target;
use mtls_engine::pki::name;

fuzz_target!(|input: &[u8]| {
    let _ = name::read(input);
});
