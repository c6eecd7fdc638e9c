//! Memory that the host owns.

use zeroize::Zeroize;

/// Memory for `len` bytes, until [`mtls_free`].
#[no_mangle]
extern "C" fn mtls_alloc(len: usize) -> *mut u8 {
    Box::into_raw(vec![0u8; len].into_boxed_slice()).cast()
}

/// Wipes and gives back what [`mtls_alloc`] gave.
///
/// # Safety
/// `pointer` and `len` are those of one earlier `mtls_alloc`, and not yet freed.
#[no_mangle]
unsafe extern "C" fn mtls_free(pointer: *mut u8, len: usize) {
    let mut memory = Box::from_raw(std::ptr::slice_from_raw_parts_mut(pointer, len));
    memory.zeroize();
}

/// Makes sure that the next `len` bytes of allocations do not grow the linear memory: growth cannot be rolled back.
#[no_mangle]
extern "C" fn mtls_reserve(len: usize) {
    drop(std::hint::black_box(Vec::<u8>::with_capacity(len)));
}

/// The host's input of a call.
pub fn input<'a>(pointer: *const u8, len: usize) -> &'a [u8] {
    if len == 0 {
        return &[];
    }
    // SAFETY: the host passes memory from `mtls_alloc` and neither frees nor writes it during the call.
    unsafe { std::slice::from_raw_parts(pointer, len) }
}
