//! `trust_…`.

use mtls_engine::trust::evaluate::{evaluate_encoded, Evaluation};

use crate::imports::{emit, Embedder, Emission};
use crate::memory::input;
use crate::{FAILED, OK};

/// Input: [`evaluate_encoded`]. Emits [`Evaluation::write`]; fails when the input is malformed.
#[no_mangle]
extern "C" fn trust_evaluate(pointer: *const u8, len: usize) -> i32 {
    match evaluate_encoded(input(pointer, len), &Embedder)
        .as_ref()
        .map(Evaluation::write)
    {
        Ok(evaluation) => {
            emit(Emission::Evaluation, &evaluation);
            OK
        }
        Err(_) => FAILED,
    }
}
