//! The secrets of connections as lines of an SSLKEYLOGFILE (RFC 9850), for whoever analyses recorded traffic.

use std::sync::{Mutex, PoisonError};

use zeroize::Zeroizing;

#[derive(Default)]
pub(super) struct KeyLines(Mutex<Zeroizing<Vec<u8>>>);

impl KeyLines {
    /// Adds a line: the label, the client's random and the secret in lower-case hex.
    pub(super) fn add(&self, label: &str, client_random: &[u8], secret: &[u8]) {
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // The whole line at once: memory that grows leaves copies behind.
        let len = label.len() + 2 * (client_random.len() + secret.len()) + 3;
        let mut grown = Zeroizing::new(Vec::with_capacity(lines.len() + len));
        grown.extend_from_slice(&lines);
        grown.extend_from_slice(label.as_bytes());
        grown.push(b' ');
        push_hex(&mut grown, client_random);
        grown.push(b' ');
        push_hex(&mut grown, secret);
        grown.push(b'\n');
        *lines = grown;
    }

    pub(super) fn take(&self) -> Zeroizing<Vec<u8>> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn push_hex(out: &mut Vec<u8>, bytes: &[u8]) {
    for byte in bytes {
        out.extend([byte >> 4, byte & 15].map(|digit| match digit {
            0..=9 => b'0' + digit,
            _ => b'a' + digit - 10,
        }));
    }
}
