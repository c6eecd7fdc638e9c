#![no_main]
use libfuzzer_sys::fuzz_target;
use mtls_engine::trust::evaluate::evaluate_encoded;

// Policy, chain and demand as they cross the ABI.
fuzz_target!(|input: &[u8]| {
    let _ = evaluate_encoded(input);
});
