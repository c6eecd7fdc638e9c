//! `records_…`: the records of TLS connections after their handshakes, and the way between them and HTTP in the same instance.

use mtls_engine::tls::records::RecordKeys;

use crate::handles::Handles;
use crate::http;
use crate::imports::{emit, Emission};
use crate::memory::{input, with_buffer};
use crate::{FAILED, OK, UNKNOWN_HANDLE};

const APPLICATION_DATA: u8 = 23;

thread_local! {
    static KEYS: Handles<RecordKeys> = const { Handles::new() };
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
    with_buffer(|buffer| {
        let Some(records) = buffer.get_mut(..len) else {
            return FAILED;
        };
        let Some(opened) =
            KEYS.with(|all| all.with(keys, |it| it.open(number(high, low), records)))
        else {
            return UNKNOWN_HANDLE;
        };
        emit(Emission::RecordsOpened, &opened.write(records));
        let data = records.get(..opened.data_bytes).unwrap_or_default();
        if connection > 0 {
            http::receive(connection, data);
        } else if !data.is_empty() {
            emit(Emission::RecordContent, data);
        }
        OK
    })
}

/// Seals what is in [`crate::memory::mtls_buffer`]. Emits the records; returns how many there are.
#[no_mangle]
extern "C" fn records_seal(
    keys: i32,
    high: u32,
    low: u32,
    kind: u32,
    _: *const u8,
    len: usize,
) -> i32 {
    with_buffer(|buffer| {
        let kind = u8::try_from(kind).unwrap_or_default();
        let Some(content) = buffer.get(..len) else {
            return FAILED;
        };
        seal(keys, number(high, low), kind, content)
    })
}

/// Seals what the HTTP connection has to send. Emits the records; returns how many there are.
#[no_mangle]
extern "C" fn records_seal_http(keys: i32, high: u32, low: u32, connection: i32) -> i32 {
    let Some(output) = http::take(connection) else {
        return UNKNOWN_HANDLE;
    };
    let sealed = seal(keys, number(high, low), APPLICATION_DATA, &output);
    http::report();
    sealed
}

fn seal(keys: i32, first: u64, kind: u8, content: &[u8]) -> i32 {
    match KEYS.with(|all| all.with(keys, |it| it.seal(first, kind, content))) {
        Some(Some((records, count))) => {
            emit(Emission::Ciphertext, &records);
            i32::try_from(count).unwrap_or(FAILED)
        }
        Some(None) => FAILED,
        None => UNKNOWN_HANDLE,
    }
}

fn number(high: u32, low: u32) -> u64 {
    u64::from(high) << 32 | u64::from(low)
}
