//! What a connection has to send, and where the TLS records end that it is to be sent in.

/// The most that a record carries (RFC 8446 section 5.1).
pub const RECORD_BYTES: usize = 16_384;
/// How much hyper may write before the host has to take it: with what records add, it fits into a message of the tunnel.
pub const OUTPUT_LIMIT: usize = 15 * RECORD_BYTES;

/// Bytes for TLS records, which are full unless what follows is to be kept in one.
#[derive(Default)]
pub struct Output {
    bytes: Vec<u8>,
    /// Where a record ends although it has room.
    ends: Vec<usize>,
}

impl Output {
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    pub fn reserve(&mut self, additional: usize) {
        self.bytes.reserve(additional);
    }

    pub fn extend_from_slice(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// The next so many bytes begin a record, unless they have room in the one that is begun.
    pub fn keep_together(&mut self, bytes: usize) {
        let start = self.ends.last().copied().unwrap_or_default();
        let used = (self.bytes.len() - start) % RECORD_BYTES;
        if used > 0 && used + bytes > RECORD_BYTES {
            self.ends.push(self.bytes.len());
        }
    }

    /// What each record carries.
    pub fn records(&self) -> impl Iterator<Item = &[u8]> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        let ends = self.ends.iter().copied().chain([self.bytes.len()]);
        let parts = starts.zip(ends);
        parts.flat_map(|(start, end)| {
            let part = self.bytes.get(start..end).unwrap_or_default();
            part.chunks(RECORD_BYTES)
        })
    }

    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}
