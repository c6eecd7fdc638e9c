//! Memory that the host owns.

use std::cell::RefCell;

use mtls_engine::bulk::Bulk;
use zeroize::Zeroize;

thread_local! {
    /// Kept from call to call: memory of its own would have to be cleared for each, twice.
    static BUFFER: RefCell<Bulk> = RefCell::default();
}

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
    // Eight bytes at a time where they are aligned: byte by byte this took longer than the copy.
    // SAFETY: every bit pattern is both a u64 and eight bytes.
    let (start, words, end) = memory.align_to_mut::<u64>();
    start.zeroize();
    words.zeroize();
    end.zeroize();
}

/// Where the host puts `len` bytes of bulk data, the input of the next call alone. They are not wiped.
#[no_mangle]
pub extern "C" fn mtls_buffer(len: usize) -> *mut u8 {
    BUFFER.with_borrow_mut(|buffer| {
        if buffer.as_ref().len() < len {
            *buffer = Bulk::with_room(len);
        }
        buffer.as_mut().as_mut_ptr()
    })
}

/// Takes what the host has put there.
pub fn take_buffer() -> Bulk {
    BUFFER.take()
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
    // SAFETY: the host passes memory from `mtls_alloc`, and neither frees nor writes it during the call.
    unsafe { std::slice::from_raw_parts(pointer, len) }
}
