//! The number of a response's stream, which hyper does not tell: a field that `frames.rs` adds to the head for h2, and that is
//! taken out of it again.

use http::HeaderMap;

const NAME: &str = "browser-mtls-stream";

/// The field as it is on the wire: a literal that the compression table does not remember (RFC 7541 section 6.2.2).
pub fn field(stream: u32) -> Vec<u8> {
    let value = stream.to_string();
    let mut field = vec![0, NAME.len() as u8];
    field.extend_from_slice(NAME.as_bytes());
    field.push(value.len() as u8);
    field.extend_from_slice(value.as_bytes());
    field
}

/// A server's own field of this name comes before it.
pub fn take(headers: &mut HeaderMap) -> Option<u32> {
    let number = headers.get_all(NAME).iter().next_back()?.to_str().ok();
    let number = number?.parse().ok();
    headers.remove(NAME);
    number
}
