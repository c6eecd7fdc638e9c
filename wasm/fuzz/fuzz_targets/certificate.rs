#![no_main]
use libfuzzer_sys::fuzz_target;
use mtls_engine::pki::certificate::Certificate;

fuzz_target!(|input: &[u8]| {
    let _ = Certificate::describe(input);
});
