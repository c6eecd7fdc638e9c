//! Buffers for bulk data on its way through an instance. They serve again: fresh memory costs more than the copy into it.

use std::cell::RefCell;

use bytes::Bytes;

/// What is kept for the next one who needs a buffer.
const MOST_SPARE: usize = 2;
/// A larger buffer is given back to the heap.
const MOST_BYTES: usize = 512 * 1024;

thread_local! {
    static SPARE: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

/// A buffer that others use when it is dropped. Its bytes are not wiped.
#[derive(Default)]
pub struct Bulk(Vec<u8>);

impl Bulk {
    /// A buffer of at least so many bytes, whatever they are.
    pub fn with_room(len: usize) -> Self {
        let mut bytes = SPARE.with_borrow_mut(Vec::pop).unwrap_or_default();
        if bytes.len() < len {
            // Growth would copy what nobody needs.
            bytes.clear();
            bytes.resize(len, 0);
        }
        Self(bytes)
    }

    /// The first `len` bytes. A few in a large buffer are copied: they may have to wait for long.
    pub fn into_bytes(self, len: usize) -> Bytes {
        let len = len.min(self.0.len());
        if len < self.0.len() / 4 {
            return Bytes::copy_from_slice(self.0.get(..len).unwrap_or_default());
        }
        Bytes::from_owner(self).slice(..len)
    }
}

impl AsRef<[u8]> for Bulk {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl AsMut<[u8]> for Bulk {
    fn as_mut(&mut self) -> &mut [u8] {
        &mut self.0
    }
}

impl Drop for Bulk {
    fn drop(&mut self) {
        let bytes = std::mem::take(&mut self.0);
        if bytes.is_empty() || bytes.len() > MOST_BYTES {
            return;
        }
        // At the end of a thread there are no spare ones any longer.
        let _ = SPARE.try_with(|spare| {
            let mut spare = spare.borrow_mut();
            if spare.len() < MOST_SPARE {
                spare.push(bytes);
            }
        });
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_serves_again_when_its_bytes_are_dropped() {
        let mut first = Bulk::with_room(1000);
        first.as_mut()[..4].copy_from_slice(b"data");
        let place = first.as_ref().as_ptr();
        let bytes = first.into_bytes(900);
        assert_eq!(&bytes[..4], b"data");
        let other = Bulk::with_room(1000);
        assert_ne!(other.as_ref().as_ptr(), place);
        let part = bytes.slice(1..3);
        drop(bytes);
        assert_ne!(Bulk::with_room(1000).as_ref().as_ptr(), place);
        drop(part);
        assert_eq!(Bulk::with_room(1000).as_ref().as_ptr(), place);
    }

    #[test]
    fn a_few_bytes_keep_no_large_buffer() {
        let buffer = Bulk::with_room(1000);
        let place = buffer.as_ref().as_ptr();
        let few = buffer.into_bytes(10);
        assert_eq!(few.len(), 10);
        assert_eq!(Bulk::with_room(1000).as_ref().as_ptr(), place);
        assert!(Bulk::with_room(8).into_bytes(usize::MAX).len() < usize::MAX);
    }
}
