//! What the host provides. Kinds are stable numbers, listed in `src/engine/abi.ts`.

use mtls_engine::host::{Answer, Host, QuestionKind};

/// What an emitted piece of memory holds.
#[derive(Clone, Copy)]
#[repr(u32)]
pub enum Emission {
    Failure = 1,
    Ciphertext = 2,
    Handshake = 4,
    RecordContent = 5,
    Keys = 6,
    RecordsOpened = 7,
    KeyLog = 8,
    HttpConnection = 16,
    /// What a connection has to send; or, right behind `HttpDataOf`, a piece of that response.
    HttpBytes = 17,
    HttpBodyWanted = 18,
    HttpBodyStopped = 19,
    HttpHead = 20,
    HttpDataOf = 21,
    HttpEnd = 22,
    HttpFailed = 23,
    DerivedKey = 32,
    Decrypted = 33,
    Certificate = 34,
    Name = 35,
    Evaluation = 36,
}

#[link(wasm_import_module = "mtls")]
extern "C" {
    #[link_name = "emit"]
    fn host_emit(kind: u32, pointer: *const u8, len: usize);
    /// Pieces that become one.
    #[link_name = "emit_pieces"]
    fn host_emit_pieces(kind: u32, places: *const Place, count: usize);
    /// Memory that the host may use, and write, until the next call.
    #[link_name = "lend"]
    fn host_lend(kind: u32, pointer: *mut u8, len: usize);
    /// The answer's length; negative: there is none yet.
    #[link_name = "ask"]
    fn host_ask(kind: u32, pointer: *const u8, len: usize) -> i32;
    /// Copies the answer that `ask` has just announced.
    #[link_name = "answer"]
    fn host_answer(pointer: *mut u8, len: usize);
}

pub fn emit(kind: Emission, bytes: &[u8]) {
    // SAFETY: the host reads `len` bytes at `pointer` before it returns.
    unsafe { host_emit(kind as u32, bytes.as_ptr(), bytes.len()) }
}

/// Where a piece is.
#[repr(C)]
struct Place {
    pointer: *const u8,
    len: usize,
}

/// Emits pieces as one.
pub fn emit_pieces<T: AsRef<[u8]>>(kind: Emission, pieces: &[T]) {
    if let [piece] = pieces {
        return emit(kind, piece.as_ref());
    }
    let place = |piece: &T| Place {
        pointer: piece.as_ref().as_ptr(),
        len: piece.as_ref().len(),
    };
    let places: Vec<Place> = pieces.iter().map(place).collect();
    // SAFETY: the host reads `count` places, and what is there, before it returns.
    unsafe { host_emit_pieces(kind as u32, places.as_ptr(), places.len()) }
}

/// Emits without a copy. `bytes` has to stay where it is, and nothing may be allocated, until the call returns; `room` bytes in
/// front are the host's too.
pub fn lend(kind: Emission, bytes: &mut [u8], room: usize) {
    if let Some(lent) = bytes.get_mut(room..) {
        // SAFETY: the host writes inside `bytes` alone, and stops using them before the next call.
        unsafe { host_lend(kind as u32, lent.as_mut_ptr(), lent.len()) }
    }
}

/// The same for who only reads.
pub fn lend_to_read(kind: Emission, bytes: &[u8]) {
    // SAFETY: the host reads inside `bytes` alone, writes nothing, and stops using them before the next call.
    unsafe { host_lend(kind as u32, bytes.as_ptr().cast_mut(), bytes.len()) }
}

/// The one host of this instance.
#[derive(Debug)]
pub struct Embedder;

impl Host for Embedder {
    fn ask(&self, kind: QuestionKind, question: &[u8]) -> Answer {
        // SAFETY: the host reads `len` bytes at `pointer` before it returns.
        let len = unsafe { host_ask(kind as u32, question.as_ptr(), question.len()) };
        let Ok(len) = usize::try_from(len) else {
            return Answer::Pending;
        };
        let mut answer = vec![0; len];
        // SAFETY: the host writes exactly `len` bytes, all of them inside `answer`.
        unsafe { host_answer(answer.as_mut_ptr(), answer.len()) };
        Answer::Known(answer)
    }
}
