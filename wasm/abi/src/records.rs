//! `records_…`: the records of TLS connections after their handshakes, and the way between them and HTTP in the same instance.

use std::cell::RefCell;

use mtls_engine::tls::records::{full_records, RecordKeys};

use crate::handles::Handles;
use crate::http;
use crate::imports::{emit, lend, Emission};
use crate::memory::{input, take_buffer};
use crate::{FAILED, OK, UNKNOWN_HANDLE};

const APPLICATION_DATA: u8 = 23;
/// What the host may write in front of sealed records: the twin is in `src/tls/ciphers/record-engine.ts`.
const ROOM: usize = 8;

thread_local! {
    static KEYS: Handles<RecordKeys> = const { Handles::new() };
    /// The records that were sealed last.
    static SEALED: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Input: see [`RecordKeys::read`]. Returns a handle.
#[no_mangle]
extern "C" fn records_keys_new(pointer: *const u8, len: usize) -> i32 {
    match RecordKeys::read(input(pointer, len)) {
        Ok(keys) => KEYS.with(|all| all.insert(keys)),
        Err(_) => FAILED,
    }
}

/// Wipes the keys.
#[no_mangle]
extern "C" fn records_keys_free(keys: i32) {
    KEYS.with(|all| all.remove(keys));
}

/// Opens the whole records in [`crate::memory::mtls_buffer`], the first of which has the number of the two halves. Gives their application data to the HTTP
/// connection, or emits it (0); then emits the rest (`Opened::write`).
#[no_mangle]
extern "C" fn records_open(
    keys: i32,
    high: u32,
    low: u32,
    connection: i32,
    _: *const u8,
    len: usize,
) -> i32 {
    let mut buffer = take_buffer();
    let Some(records) = buffer.as_mut().get_mut(..len) else {
        return FAILED;
    };
    let Some(opened) = KEYS.with(|all| all.with(keys, |it| it.open(number(high, low), records)))
    else {
        return UNKNOWN_HANDLE;
    };
    emit(Emission::RecordsOpened, &opened.write(records));
    if connection > 0 {
        http::receive(connection, buffer.into_bytes(opened.data_bytes));
    } else if opened.data_bytes > 0 {
        let data = records.get(..opened.data_bytes).unwrap_or_default();
        emit(Emission::RecordContent, data);
    }
    OK
}

/// Seals what is in [`crate::memory::mtls_buffer`]. Lends the records, with [`ROOM`] in front; returns how many there are.
#[no_mangle]
extern "C" fn records_seal(
    keys: i32,
    high: u32,
    low: u32,
    kind: u32,
    _: *const u8,
    len: usize,
) -> i32 {
    let buffer = take_buffer();
    let kind = u8::try_from(kind).unwrap_or_default();
    let Some(content) = buffer.as_ref().get(..len) else {
        return FAILED;
    };
    let sealed = seal(keys, number(high, low), kind, full_records(content));
    lend_sealed(sealed);
    sealed
}

/// Seals what the HTTP connection has to send. Lends the records, with [`ROOM`] in front; returns how many there are.
#[no_mangle]
extern "C" fn records_seal_http(keys: i32, high: u32, low: u32, connection: i32) -> i32 {
    let Some(output) = http::take(connection) else {
        return UNKNOWN_HANDLE;
    };
    let sealed = seal(keys, number(high, low), APPLICATION_DATA, output.records());
    http::report();
    // Last: what is lent is good until something is allocated.
    lend_sealed(sealed);
    sealed
}

fn seal<'a>(keys: i32, first: u64, kind: u8, contents: impl Iterator<Item = &'a [u8]>) -> i32 {
    let sealed = SEALED.with_borrow_mut(|out| {
        out.clear();
        out.resize(ROOM, 0);
        KEYS.with(|all| all.with(keys, |it| it.seal_into(first, kind, contents, out)))
    });
    match sealed {
        Some(Some(count)) => i32::try_from(count).unwrap_or(FAILED),
        Some(None) => FAILED,
        None => UNKNOWN_HANDLE,
    }
}

fn lend_sealed(sealed: i32) {
    if sealed >= 0 {
        SEALED.with_borrow_mut(|out| lend(Emission::Ciphertext, out, ROOM));
    }
}

fn number(high: u32, low: u32) -> u64 {
    u64::from(high) << 32 | u64::from(low)
}
