//! The alerts by which this side ends a handshake on its own account (RFC 8446 section 6), for which rustls has no call.

use std::fmt;
use std::sync::{Mutex, PoisonError};

use ring::{aead, hkdf};
use rustls::{CipherSuite, KeyLog};
use zeroize::Zeroizing;

use super::key_log::KeyLines;

/// The content type of a record in the clear.
pub(super) const ALERT: u8 = 21;
const APPLICATION_DATA: u8 = 23;

const WARNING: u8 = 1;
const FATAL: u8 = 2;

const CLOSE_NOTIFY: u8 = 0;
pub(super) const UNEXPECTED_MESSAGE: u8 = 10;
const USER_CANCELED: u8 = 90;

const HANDSHAKE_LABEL: &str = "CLIENT_HANDSHAKE_TRAFFIC_SECRET";

/// The secret that protects what the client says up to its Finished (RFC 8446 section 7.1), once TLS 1.3 has it.
#[derive(Default)]
pub(super) struct HandshakeSecret {
    secret: Mutex<Zeroizing<Vec<u8>>>,
    /// Every secret of the connection, where the page asked for them.
    key_log: Option<KeyLines>,
}

impl fmt::Debug for HandshakeSecret {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        Ok(())
    }
}

impl KeyLog for HandshakeSecret {
    fn log(&self, label: &str, client_random: &[u8], secret: &[u8]) {
        if let Some(lines) = &self.key_log {
            lines.add(label, client_random, secret);
        }
        // TLS 1.2 does not ask `will_log` before.
        if label == HANDSHAKE_LABEL {
            *self.secret.lock().unwrap_or_else(PoisonError::into_inner) =
                Zeroizing::new(secret.to_vec());
        }
    }

    fn will_log(&self, label: &str) -> bool {
        label == HANDSHAKE_LABEL || self.key_log.is_some()
    }
}

impl HandshakeSecret {
    pub(super) fn new(logs_keys: bool) -> Self {
        Self {
            secret: Mutex::default(),
            key_log: logs_keys.then(KeyLines::default),
        }
    }

    /// The lines of the key log that are new.
    pub(super) fn take_key_log(&self) -> Zeroizing<Vec<u8>> {
        self.key_log
            .as_ref()
            .map(KeyLines::take)
            .unwrap_or_default()
    }

    /// The records that end a handshake in which nothing protected has been sent yet: in the clear as long as there is no secret.
    /// user_canceled is a warning that close_notify follows.
    pub(super) fn alert(&self, alert: u8, suite: Option<CipherSuite>) -> Option<Vec<u8>> {
        let contents: &[[u8; 2]] = match alert {
            USER_CANCELED => &[[WARNING, USER_CANCELED], [WARNING, CLOSE_NOTIFY]],
            _ => &[[FATAL, alert]],
        };
        let secret = self.secret.lock().unwrap_or_else(PoisonError::into_inner);
        let mut records = Vec::new();
        for (sequence, content) in (0..).zip(contents) {
            if secret.is_empty() {
                records.extend_from_slice(&header(ALERT, content.len()));
                records.extend_from_slice(content);
            } else {
                records.extend(protected(suite?, &secret, (sequence, content))?);
            }
        }
        Some(records)
    }
}

fn header(content_type: u8, len: usize) -> [u8; 5] {
    [content_type, 3, 3, 0, u8::try_from(len).unwrap_or_default()]
}

/// RFC 8446 sections 5.2 and 7.3.
fn protected(
    suite: CipherSuite,
    secret: &[u8],
    (sequence, content): (u8, &[u8; 2]),
) -> Option<Vec<u8>> {
    let (hash, algorithm) = match suite {
        CipherSuite::TLS13_AES_128_GCM_SHA256 => (hkdf::HKDF_SHA256, &aead::AES_128_GCM),
        CipherSuite::TLS13_AES_256_GCM_SHA384 => (hkdf::HKDF_SHA384, &aead::AES_256_GCM),
        CipherSuite::TLS13_CHACHA20_POLY1305_SHA256 => {
            (hkdf::HKDF_SHA256, &aead::CHACHA20_POLY1305)
        }
        _ => return None,
    };
    let secret = hkdf::Prk::new_less_safe(hash, secret);
    let [high, low] = u16::try_from(algorithm.key_len()).ok()?.to_be_bytes();
    let key: aead::UnboundKey = secret
        .expand(&[&[high, low, 9], b"tls13 key", &[0]], algorithm)
        .ok()?
        .into();
    let mut nonce = [0; aead::NONCE_LEN];
    secret
        .expand(&[&[0, 12, 8], b"tls13 iv", &[0]], NonceLength)
        .and_then(|okm| okm.fill(&mut nonce))
        .ok()?;
    if let Some(last) = nonce.last_mut() {
        *last ^= sequence;
    }
    let mut sealed = [content.as_slice(), &[ALERT]].concat();
    let header = header(APPLICATION_DATA, sealed.len() + algorithm.tag_len());
    aead::LessSafeKey::new(key)
        .seal_in_place_append_tag(
            aead::Nonce::assume_unique_for_key(nonce),
            aead::Aad::from(header),
            &mut sealed,
        )
        .ok()?;
    Some([header.as_slice(), &sealed].concat())
}

struct NonceLength;

impl hkdf::KeyType for NonceLength {
    fn len(&self) -> usize {
        aead::NONCE_LEN
    }
}
