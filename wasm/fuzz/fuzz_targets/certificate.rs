#![no_main]
use libfuzzer_sys::fuzz_target;
use mtls_engine::pki::certificate::Certificate;

fuzz_target!(|input: &[u8]| {
    let _ = Certificate::read(input).and_then(|it| it.describe());
});
