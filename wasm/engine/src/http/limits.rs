//! What is accepted of a response.

/// Limits of a response's head: its bytes, and its number of fields.
pub const MAX_HEAD_BYTES: usize = 256 * 1024;
pub const MAX_FIELDS: usize = 256;
/// What h2 may decode of a head before it gives the stream up, without saying why: more than is accepted of it, so
/// that what is too large can be told from what is wrong.
pub const MAX_DECODED_BYTES: u32 = 2 * MAX_HEAD_BYTES as u32;
