//! One TLS connection, without I/O: ciphertext in, ciphertext and plaintext out.

use rustls::client::UnbufferedClientConnection;
use rustls::pki_types::ServerName;
use rustls::unbuffered::{
    ConnectionState, EncodeError, EncodeTlsData, EncryptError, UnbufferedStatus, WriteTraffic,
};
use rustls::{HandshakeKind, ProtocolVersion};

use super::config::Config;
use super::external::{self, External};
use super::failure::{Failure, FailureKind};
use crate::trust::pins::Pins;
use crate::wire::{Malformed, Reader, Writer};

/// A record's plaintext (RFC 8446 section 5.1), and what its protection may add to it.
const RECORD_PLAINTEXT: usize = 16_384;
const RECORD_OVERHEAD: usize = 256;

/// The content type of a record that may be queued before an alert.
const CHANGE_CIPHER_SPEC: u8 = 20;
/// That of an alert; in TLS 1.3 none shows it once there are keys.
const ALERT: u8 = 21;

pub struct Connection {
    tls: UnbufferedClientConnection,
    /// Ciphertext not yet processed: at most a record, or a handshake message in progress.
    incoming: Vec<u8>,
    handshake_reported: bool,
    /// Why nothing works any more.
    failure: Option<Failure>,
}

/// Whom to talk to, as it crosses the ABI.
pub struct Target<'a> {
    pub hostname: &'a str,
    /// Names the sessions that may be resumed.
    pub partition: &'a str,
    /// Protocol names in order of preference (RFC 7301); empty: none is offered.
    pub alpn: Vec<&'a [u8]>,
    /// The keys that the server must have.
    pub pins: Pins,
}

impl<'a> Target<'a> {
    pub fn read(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(bytes);
        let target = Self {
            hostname: reader.str()?,
            partition: reader.str()?,
            alpn: reader.list()?,
            pins: Pins::read(reader.bytes()?)?,
        };
        reader.finish()?;
        Ok(target)
    }
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
    pub plaintext: Vec<u8>,
    /// The handshake has just been completed.
    pub handshake: Option<Handshake>,
    /// The peer has sent close_notify: no plaintext follows.
    pub peer_closed: bool,
    pub failure: Option<Failure>,
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
        let tls = UnbufferedClientConnection::new_with_alpn(
            config.for_partition(target.partition, &target.pins),
            name,
            target.alpn.iter().map(|name| name.to_vec()).collect(),
        )?;
        Ok(Self {
            tls,
            incoming: Vec::new(),
            handshake_reported: false,
            failure: None,
        })
    }

    /// Takes ciphertext from the peer; with none, starts the handshake.
    pub fn process(&mut self, ciphertext: &[u8]) -> Progress {
        self.incoming.extend_from_slice(ciphertext);
        self.run(|_, _| Ok(()))
    }

    /// Encrypts plaintext. Fails before the handshake is complete.
    pub fn write(&mut self, plaintext: &[u8]) -> Progress {
        self.run_writing(|traffic, out| {
            plaintext.chunks(RECORD_PLAINTEXT).try_for_each(|record| {
                append(out, record.len(), |room| traffic.encrypt(record, room))
            })
        })
    }

    /// Sends close_notify.
    pub fn close(&mut self) -> Progress {
        self.run_writing(|traffic, out| append(out, 0, |room| traffic.queue_close_notify(room)))
    }

    /// Hands the records over to the host: gives their keys, and the ciphertext not yet processed. Gives the connection
    /// back where that can't be done now.
    pub fn into_external(self) -> Result<Export, Result<Box<Self>, Failure>> {
        let ready =
            self.handshake_reported && self.failure.is_none() && self.has_only_a_partial_record();
        if !ready || !external::is_supported(self.tls.negotiated_cipher_suite()) {
            return Err(Ok(Box::new(self)));
        }
        let (secrets, kernel) = self
            .tls
            .dangerous_into_kernel_connection()
            .map_err(|error| Err(error.into()))?;
        let keys = external::write_secrets(&secrets).map_err(Err)?;
        Ok(Export {
            external: External::new(kernel),
            keys,
            incoming: self.incoming,
        })
    }

    /// rustls keeps a handshake message that came in part, decrypted in place: only rustls can go on with that.
    fn has_only_a_partial_record(&self) -> bool {
        match self.incoming.as_slice() {
            [_, _, _, high, low, body @ ..] => {
                body.len() < usize::from(u16::from_be_bytes([*high, *low]))
            }
            _ => true,
        }
    }

    fn run_writing(
        &mut self,
        mut write: impl FnMut(&mut WriteTraffic<'_, Data>, &mut Vec<u8>) -> Result<(), Failure>,
    ) -> Progress {
        let mut written = false;
        let mut progress = self.run(|traffic, out| {
            if !written {
                written = true;
                write(traffic, out)?;
            }
            Ok(())
        });
        if !written && progress.failure.is_none() {
            progress.failure = Some(Failure::misuse("the connection cannot send now"));
        }
        progress
    }

    /// Runs rustls until it needs more input; `on_writable` is called when application data may be sent.
    fn run(
        &mut self,
        mut on_writable: impl FnMut(&mut WriteTraffic<'_, Data>, &mut Vec<u8>) -> Result<(), Failure>,
    ) -> Progress {
        let mut progress = Progress::default();
        if let Some(failure) = &self.failure {
            progress.failure = Some(failure.clone());
            return progress;
        }
        let result = loop {
            let settled = !self.tls.is_handshaking();
            let UnbufferedStatus { discard, state } =
                self.tls.process_tls_records(&mut self.incoming);
            let step = match state {
                Ok(ConnectionState::EncodeTlsData(mut data)) => {
                    let start = progress.ciphertext.len();
                    let encoded = encode(&mut data, &mut progress.ciphertext);
                    encoded.and_then(|()| match progress.ciphertext.get(start) {
                        // The one alert that rustls sends without failing, in TLS 1.2: no_renegotiation.
                        Some(&ALERT) => Err(Failure::renegotiation()),
                        _ => Ok(Step::Again),
                    })
                }
                Ok(ConnectionState::TransmitTlsData(data)) => {
                    data.done();
                    Ok(Step::Again)
                }
                Ok(ConnectionState::ReadTraffic(mut traffic)) => {
                    read(&mut traffic, &mut progress.plaintext).map(|()| Step::Again)
                }
                Ok(ConnectionState::PeerClosed) => {
                    progress.peer_closed = true;
                    Ok(Step::Again)
                }
                Ok(ConnectionState::WriteTraffic(mut traffic)) => {
                    on_writable(&mut traffic, &mut progress.ciphertext).map(|()| Step::Done)
                }
                Ok(_) => Ok(Step::Done),
                Err(error) if settled => Err(Failure::after_handshake(error)),
                Err(error) => Err(Failure::from(error)),
            };
            self.incoming.drain(..discard);
            match step {
                Ok(Step::Again) => {}
                Ok(Step::Done) => break Ok(()),
                Err(failure) => break Err(failure),
            }
        };
        if let Err(failure) = result {
            self.fail(failure, &mut progress);
        }
        self.report_handshake(&mut progress);
        progress
    }

    /// Collects the alert that rustls queued when it failed. rustls must not see more input after that.
    fn fail(&mut self, failure: Failure, progress: &mut Progress) {
        while let UnbufferedStatus {
            state: Ok(ConnectionState::EncodeTlsData(mut data)),
            ..
        } = self.tls.process_tls_records(&mut self.incoming)
        {
            let start = progress.ciphertext.len();
            let encoded = encode(&mut data, &mut progress.ciphertext);
            if encoded.is_err() || progress.ciphertext.get(start) != Some(&CHANGE_CIPHER_SPEC) {
                break;
            }
        }
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
            _ => return Err(internal("a handshake message could not be encoded")),
        }
    }
}

fn append(
    out: &mut Vec<u8>,
    payload: usize,
    mut seal: impl FnMut(&mut [u8]) -> Result<usize, EncryptError>,
) -> Result<(), Failure> {
    let start = out.len();
    out.resize(start + payload + RECORD_OVERHEAD, 0);
    let sealed = out.get_mut(start..).map(&mut seal);
    match sealed {
        Some(Ok(len)) => {
            out.truncate(start + len);
            Ok(())
        }
        _ => {
            out.truncate(start);
            Err(internal("a record could not be encrypted"))
        }
    }
}

fn read(
    traffic: &mut rustls::unbuffered::ReadTraffic<'_, '_, Data>,
    out: &mut Vec<u8>,
) -> Result<(), Failure> {
    while let Some(record) = traffic.next_record() {
        out.extend_from_slice(record?.payload);
    }
    Ok(())
}

fn internal(message: &str) -> Failure {
    Failure {
        kind: FailureKind::Protocol,
        alert: 0,
        message: message.to_owned(),
    }
}
