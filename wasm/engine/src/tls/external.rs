//! A connection whose records are sealed and opened elsewhere: what is left here are tickets and new keys.

use rustls::client::ClientConnectionData;
use rustls::kernel::KernelConnection;
use rustls::{AlertDescription, ConnectionTrafficSecrets, Error, ExtractedSecrets};
use zeroize::Zeroize;

use super::failure::Failure;
use crate::wire::Writer;

pub struct External(KernelConnection<ClientConnectionData>);

#[derive(Clone, Copy)]
pub enum Direction {
    Send,
    Receive,
}

impl External {
    pub(super) fn new(kernel: KernelConnection<ClientConnectionData>) -> Self {
        Self(kernel)
    }

    /// Keeps a session ticket: the body of a NewSessionTicket message (RFC 8446 section 4.6.1). Fails with the alert for a
    /// malformed one.
    pub fn keep_ticket(&mut self, body: &[u8]) -> Result<(), u8> {
        let alert = match self.0.handle_new_session_ticket(body) {
            Ok(()) => return Ok(()),
            Err(Error::InvalidMessage(invalid)) => invalid.into(),
            Err(_) => AlertDescription::InternalError,
        };
        Err(alert.into())
    }

    /// The keys after a KeyUpdate (RFC 8446 section 4.6.3), as [`write_keys`] writes them.
    pub fn update_keys(&mut self, direction: Direction) -> Result<Vec<u8>, Failure> {
        let (sequence, secrets) = match direction {
            Direction::Send => self.0.update_tx_secret()?,
            Direction::Receive => self.0.update_rx_secret()?,
        };
        let mut writer = Writer::default();
        write_keys(sequence, &secrets, &mut writer)?;
        Ok(writer.finish())
    }
}

/// The keys to send with, then those to receive with.
pub(super) fn write_secrets(secrets: &ExtractedSecrets) -> Result<Vec<u8>, Failure> {
    let mut writer = Writer::default();
    write_keys(secrets.tx.0, &secrets.tx.1, &mut writer)?;
    write_keys(secrets.rx.0, &secrets.rx.1, &mut writer)?;
    Ok(writer.finish())
}

/// Stable numbers of the ABI (`src/tls/ciphers/traffic-keys.ts`).
pub(super) const AES_GCM: u8 = 1;
pub(super) const CHACHA20_POLY1305: u8 = 2;

/// The next record's sequence number (two u32, high first), the algorithm, key and IV as bytes.
fn write_keys(
    sequence: u64,
    secrets: &ConnectionTrafficSecrets,
    writer: &mut Writer,
) -> Result<(), Failure> {
    let (algorithm, key, iv) = match secrets {
        ConnectionTrafficSecrets::Aes128Gcm { key, iv }
        | ConnectionTrafficSecrets::Aes256Gcm { key, iv } => (AES_GCM, key, iv),
        ConnectionTrafficSecrets::Chacha20Poly1305 { key, iv } => (CHACHA20_POLY1305, key, iv),
        _ => return Err(Failure::misuse("not a suite that can be handed over")),
    };
    let [high, low] = [sequence >> 32, sequence & 0xffff_ffff]
        .map(|half| u32::try_from(half).unwrap_or_default());
    let mut iv = iv.as_ref().to_vec();
    writer.u32(high).u32(low).u8(algorithm);
    writer.bytes(key.as_ref()).bytes(&iv);
    iv.zeroize();
    Ok(())
}
