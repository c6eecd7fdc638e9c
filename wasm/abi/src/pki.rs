//! `p12_…` and `x509_…`.

use mtls_engine::pki::certificate::Certificate;
use mtls_engine::pki::derivation::Derivation;
use mtls_engine::pki::hash::Hash;
use mtls_engine::pki::name;
use mtls_engine::pki::pbe;
use mtls_engine::wire::{Malformed, Reader};

use crate::handles::Handles;
use crate::imports::{emit, Emission};
use crate::memory::input;
use crate::{FAILED, OK, UNKNOWN_HANDLE};

thread_local! {
    static KDFS: Handles<Derivation> = const { Handles::new() };
}

/// [`p12_kdf_advance`] has more to do.
const MORE: i32 = 1;

/// Input: [`Derivation::read`]. Returns a handle.
#[no_mangle]
extern "C" fn p12_kdf_new(pointer: *const u8, len: usize) -> i32 {
    match Derivation::read(input(pointer, len)) {
        Ok(kdf) => KDFS.with(|all| all.insert(kdf)),
        Err(Malformed) => FAILED,
    }
}

/// Goes on for so many iterations; emits the key when it is complete.
#[no_mangle]
extern "C" fn p12_kdf_advance(kdf: i32, iterations: u32) -> i32 {
    let status = KDFS.with(|all| {
        all.with(kdf, |kdf| match kdf.advance(iterations) {
            Some(key) => {
                emit(Emission::DerivedKey, key);
                OK
            }
            None => MORE,
        })
    });
    status.unwrap_or(UNKNOWN_HANDLE)
}

#[no_mangle]
extern "C" fn p12_kdf_free(kdf: i32) {
    KDFS.with(|all| all.remove(kdf));
}

/// Input: hash (u8), key, data, expected HMAC. Fails when that is not the HMAC.
#[no_mangle]
extern "C" fn p12_mac_verify(pointer: *const u8, len: usize) -> i32 {
    let verify = || -> Result<bool, Malformed> {
        let mut reader = Reader::new(input(pointer, len));
        let hash = Hash::from_number(reader.u8()?).ok_or(Malformed)?;
        let (key, data, expected) = (reader.bytes()?, reader.bytes()?, reader.bytes()?);
        reader.finish()?;
        Ok(hash.hmac_verifies(key, data, expected))
    };
    match verify() {
        Ok(true) => OK,
        _ => FAILED,
    }
}

/// Input: [`pbe::decrypt`]. Emits the plaintext; fails when key or ciphertext must be wrong.
#[no_mangle]
extern "C" fn p12_decrypt(pointer: *const u8, len: usize) -> i32 {
    match pbe::decrypt(input(pointer, len)) {
        Ok(Some(plaintext)) => {
            emit(Emission::Decrypted, &plaintext);
            OK
        }
        _ => FAILED,
    }
}

/// Input: a certificate's DER. Emits [`Certificate::describe`]; fails when it is none.
#[no_mangle]
extern "C" fn x509_describe(pointer: *const u8, len: usize) -> i32 {
    match Certificate::describe(input(pointer, len)) {
        Ok(description) => {
            emit(Emission::Certificate, &description);
            OK
        }
        Err(_) => FAILED,
    }
}

/// Input: a distinguished name's DER. Emits it in the form of RFC 4514; fails when it is none.
#[no_mangle]
extern "C" fn x509_name(pointer: *const u8, len: usize) -> i32 {
    match name::read(input(pointer, len)) {
        Ok(text) => {
            emit(Emission::Name, text.as_bytes());
            OK
        }
        Err(_) => FAILED,
    }
}
