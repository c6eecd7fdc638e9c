//! A TLS handshake, without I/O. The records behind it are the host's.

use std::sync::Arc;

use rustls::client::UnbufferedClientConnection;
use rustls::pki_types::ServerName;
use rustls::unbuffered::{ConnectionState, EncodeError, EncodeTlsData, UnbufferedStatus};
use rustls::{HandshakeKind, ProtocolVersion};
use zeroize::Zeroizing;

use super::config::Config;
use super::external::{self, External};
use super::failure::Failure;
use super::last_words::{HandshakeSecret, ALERT, UNEXPECTED_MESSAGE};
use super::target::Target;
use crate::wire::Writer;

const RECORD_HEADER: usize = 5;
/// A record's plaintext (RFC 8446 section 5.1), and what its protection may add to it.
const RECORD_PLAINTEXT: usize = 16_384;
const RECORD_OVERHEAD: usize = 256;

/// The content type of a record that may be queued before an alert.
const CHANGE_CIPHER_SPEC: u8 = 20;
/// The whole record, which says nothing in TLS 1.3.
const COMPATIBILITY_RECORD: &[u8] = &[CHANGE_CIPHER_SPEC, 3, 3, 0, 1, 1];

pub struct Connection {
    tls: UnbufferedClientConnection,
    /// Ciphertext not yet processed.
    incoming: Vec<u8>,
    /// How much of `incoming` rustls has been shown. It sees one record more whenever it needs one, so that it never sees what
    /// comes behind the handshake.
    shown: usize,
    handshake_reported: bool,
    secret: Arc<HandshakeSecret>,
    /// In TLS 1.2: what the client says from here on is protected, by keys that rustls alone has.
    cipher_changed: bool,
    /// Why nothing works any more.
    failure: Option<Failure>,
}

/// A connection whose records the host takes over.
pub struct Export {
    pub external: External,
    /// See [`external::write_secrets`].
    pub keys: Vec<u8>,
    /// Ciphertext that has not been decrypted.
    pub incoming: Vec<u8>,
}

/// What a call made of its input. A failure may come with an alert to send.
#[derive(Default)]
pub struct Progress {
    pub ciphertext: Vec<u8>,
    /// The handshake has just been completed.
    pub handshake: Option<Handshake>,
    pub failure: Option<Failure>,
    /// Lines of the key log, where one is kept.
    pub key_log: Zeroizing<Vec<u8>>,
}

/// What a handshake agreed on.
pub struct Handshake {
    pub version: u16,
    pub cipher_suite: String,
    pub key_exchange: String,
    pub alpn: Vec<u8>,
    pub resumed: bool,
    /// DER, the server's own certificate first.
    pub server_chain: Vec<Vec<u8>>,
}

impl Handshake {
    pub fn write(&self) -> Vec<u8> {
        Writer::default()
            .u16(self.version)
            .str(&self.cipher_suite)
            .str(&self.key_exchange)
            .bytes(&self.alpn)
            .u8(u8::from(self.resumed))
            .list(self.server_chain.iter())
            .finish()
    }
}

impl Connection {
    pub fn new(config: &Config, target: &Target<'_>) -> Result<Self, Failure> {
        let name = ServerName::try_from(target.hostname.to_owned())
            .map_err(|_| Failure::misuse("not a DNS name or an IP address"))?;
        let secret = Arc::new(HandshakeSecret::new(config.logs_keys));
        let tls = UnbufferedClientConnection::new_with_alpn(
            config.for_connection(target, secret.clone()),
            name,
            target.alpn.iter().map(|name| name.to_vec()).collect(),
        )?;
        Ok(Self {
            tls,
            incoming: Vec::new(),
            shown: 0,
            handshake_reported: false,
            secret,
            cipher_changed: false,
            failure: None,
        })
    }

    /// Takes ciphertext from the peer; with none, starts the handshake.
    pub fn process(&mut self, ciphertext: &[u8]) -> Progress {
        let mut progress = Progress::default();
        if let Some(failure) = &self.failure {
            progress.failure = Some(failure.clone());
            return progress;
        }
        self.incoming.extend_from_slice(ciphertext);
        if let Err(failure) = self.run(&mut progress) {
            self.fail(failure, &mut progress);
        }
        // In TLS 1.2 that is the client's one flight behind its hello.
        self.cipher_changed |= !progress.ciphertext.is_empty()
            && self.tls.protocol_version() == Some(ProtocolVersion::TLSv1_2);
        self.report_handshake(&mut progress);
        progress.key_log = self.secret.take_key_log();
        progress
    }

    /// Ends the handshake on the host's account, with the records of an alert. What `ciphertext`, which came last, leads to is not
    /// sent, but for the change_cipher_spec in front of TLS 1.3's first protected record (RFC 8446 appendix D.4). Nothing is said where
    /// that can't be: when it is over, or TLS 1.2 has changed its keys.
    pub fn abandon(&mut self, ciphertext: &[u8], alert: u8) -> Vec<u8> {
        if self.handshake_reported || self.cipher_changed || self.failure.is_some() {
            return Vec::new();
        }
        let unsent = self.process(ciphertext).ciphertext;
        self.failure = Some(Failure::misuse("the handshake was given up"));
        let suite = self.tls.negotiated_cipher_suite().map(|it| it.suite());
        let alert = self.secret.alert(alert, suite).unwrap_or_default();
        let is_tls13 = self.tls.protocol_version() == Some(ProtocolVersion::TLSv1_3);
        match unsent.get(..COMPATIBILITY_RECORD.len()) {
            Some(COMPATIBILITY_RECORD) if is_tls13 => [COMPATIBILITY_RECORD, &alert].concat(),
            _ => alert,
        }
    }

    /// Hands the records over to the host, once the handshake is complete.
    pub fn into_external(self) -> Result<Export, Failure> {
        let (secrets, kernel) = self.tls.dangerous_into_kernel_connection()?;
        Ok(Export {
            external: External::new(kernel),
            keys: external::write_secrets(&secrets)?,
            incoming: self.incoming,
        })
    }

    /// Runs rustls until the handshake is complete, or needs more input.
    fn run(&mut self, progress: &mut Progress) -> Result<(), Failure> {
        loop {
            let shown = self.incoming.get_mut(..self.shown).unwrap_or_default();
            let UnbufferedStatus { discard, state } = self.tls.process_tls_records(shown);
            let step = match state {
                Ok(ConnectionState::EncodeTlsData(mut data)) => {
                    encode(&mut data, &mut progress.ciphertext).map(|()| Step::Again)
                }
                Ok(ConnectionState::TransmitTlsData(data)) => {
                    data.done();
                    Ok(Step::Again)
                }
                Ok(ConnectionState::BlockedHandshake) => Ok(Step::More),
                Ok(_) => Ok(Step::Done),
                Err(error) => Err(Failure::from(error)),
            };
            self.incoming.drain(..discard);
            self.shown = self.shown.saturating_sub(discard);
            match step? {
                Step::Again => {}
                Step::More if self.show_more() => {}
                Step::More | Step::Done => return Ok(()),
            }
        }
    }

    /// Shows rustls the next record, or what there is of it; false: it has seen all.
    fn show_more(&mut self) -> bool {
        let rest = self.incoming.get(self.shown..).unwrap_or_default();
        let record = match rest {
            [_, _, _, high, low, ..] => {
                RECORD_HEADER + usize::from(u16::from_be_bytes([*high, *low]))
            }
            _ => rest.len(),
        };
        self.shown += record.min(rest.len());
        !rest.is_empty()
    }

    /// Collects the alert that rustls queued when it failed. A flight that it had queued before is not sent: it belongs to a
    /// handshake that has failed.
    fn fail(&mut self, failure: Failure, progress: &mut Progress) {
        let mut flight_bytes = 0;
        let mut alert = Vec::new();
        // With the input that rustls has seen, as it may still point into that; and only for what is queued: it would fail once more.
        while self.tls.wants_write() {
            let UnbufferedStatus {
                state: Ok(ConnectionState::EncodeTlsData(mut data)),
                ..
            } = self
                .tls
                .process_tls_records(self.incoming.get_mut(..self.shown).unwrap_or_default())
            else {
                break;
            };
            let mut record = Vec::new();
            if encode(&mut data, &mut record).is_err() {
                break;
            }
            if record.first() == Some(&CHANGE_CIPHER_SPEC) {
                progress.ciphertext.append(&mut record);
            } else {
                flight_bytes += alert.len();
                alert = record;
            }
        }
        // One that is protected counts the records of the flight. What fails behind a flight is a message too many.
        if flight_bytes > 0 && alert.first() != Some(&ALERT) {
            let suite = self.tls.negotiated_cipher_suite().map(|it| it.suite());
            alert = self
                .secret
                .alert(UNEXPECTED_MESSAGE, suite)
                .unwrap_or_default();
        }
        progress.ciphertext.append(&mut alert);
        self.failure = Some(failure.clone());
        progress.failure = Some(failure);
    }

    fn report_handshake(&mut self, progress: &mut Progress) {
        if self.handshake_reported || self.tls.is_handshaking() {
            return;
        }
        let (Some(version), Some(suite)) = (
            self.tls.protocol_version(),
            self.tls.negotiated_cipher_suite(),
        ) else {
            return;
        };
        self.handshake_reported = true;
        progress.handshake = Some(Handshake {
            version: version.into(),
            cipher_suite: standard_name(suite.suite().as_str().unwrap_or_default(), version),
            key_exchange: self
                .tls
                .negotiated_key_exchange_group()
                .and_then(|group| group.name().as_str())
                .unwrap_or_default()
                .to_owned(),
            alpn: self.tls.alpn_protocol().unwrap_or_default().to_vec(),
            resumed: self.tls.handshake_kind() == Some(HandshakeKind::Resumed),
            server_chain: self
                .tls
                .peer_certificates()
                .unwrap_or_default()
                .iter()
                .map(|certificate| certificate.to_vec())
                .collect(),
        });
    }
}

type Data = rustls::client::ClientConnectionData;

enum Step {
    Again,
    /// rustls wants another record.
    More,
    Done,
}

/// rustls spells TLS 1.3 suites `TLS13_…`; the registered names (RFC 8446 appendix B.4) start with `TLS_`.
fn standard_name(name: &str, version: ProtocolVersion) -> String {
    match name.strip_prefix("TLS13_") {
        Some(rest) if version == ProtocolVersion::TLSv1_3 => format!("TLS_{rest}"),
        _ => name.to_owned(),
    }
}

fn encode(data: &mut EncodeTlsData<'_, Data>, out: &mut Vec<u8>) -> Result<(), Failure> {
    let start = out.len();
    let mut room = RECORD_PLAINTEXT + RECORD_OVERHEAD;
    loop {
        out.resize(start + room, 0);
        let encoded = out.get_mut(start..).map(|free| data.encode(free));
        match encoded {
            Some(Ok(len)) => {
                out.truncate(start + len);
                return Ok(());
            }
            Some(Err(EncodeError::InsufficientSize(size))) => room = size.required_size,
            _ => return Err(Failure::internal()),
        }
    }
}
