#![no_main]
use libfuzzer_sys::fuzz_target;
use mtls_engine::host::{Answer, Host, QuestionKind};
use mtls_engine::trust::evaluate::evaluate_encoded;

#[derive(Debug)]
struct Forgetful;

impl Host for Forgetful {
    fn ask(&self, _: QuestionKind, _: &[u8]) -> Answer {
        Answer::Pending
    }
}

// Policy, chain and demand as they cross the ABI.
fuzz_target!(|input: &[u8]| {
    let _ = evaluate_encoded(input, &Forgetful);
});
