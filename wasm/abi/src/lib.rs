//! The C ABI of the engine. A function's prefix names its subject; handles are positive, negative results are stable codes.
//!
//! Inputs are (pointer, length) pairs into memory that the host got from [`mtls_alloc`]. Results other than a number
//! leave by the host's import `emit` before the call returns. All `unsafe` of the engine is in [`memory`], [`imports`] and [`_initialize`].

mod handles;
mod http;
mod imports;
mod memory;
mod pki;
mod records;
mod tls;
mod trust;

/// Raised whenever a function's meaning or an encoding changes; the host refuses to run another version than its own.
const ABI_VERSION: u32 = 3;

/// The call worked.
const OK: i32 = 0;
/// The call failed; what and why was emitted, or the handle is unknown.
const FAILED: i32 = -1;
const UNKNOWN_HANDLE: i32 = -2;

#[no_mangle]
extern "C" fn mtls_abi_version() -> u32 {
    ABI_VERSION
}

extern "C" {
    fn __wasm_call_ctors();
}

/// Called once by the host before anything else. (Without it the linker would run the constructors in every call.)
#[no_mangle]
extern "C" fn _initialize() {
    // SAFETY: the linker provides the function, and the host calls this once.
    unsafe { __wasm_call_ctors() }
}
