//! What connections have in common: trust anchors, protocol versions, the session cache.

use std::sync::{Arc, Mutex, PoisonError};

use rustls::client::{ClientConfig, Resumption};
use rustls::crypto::{ring, CryptoProvider};
use rustls::CipherSuite;

use super::credential::AskingResolver;
use super::failure::Failure;
use super::last_words::HandshakeSecret;
use super::post_quantum::X25519MlKem768;
use super::sessions::{Partition, Sessions};
use super::target::Target;
use super::verifier::AskingVerifier;
use crate::host::Host;
use crate::trust::pins::Pins;
use crate::trust::policy::{Policy, PolicySettings};
use crate::wire::{Malformed, Reader};

const VERSION_12: u8 = 1;
const VERSION_13: u8 = 2;

pub struct Config {
    base: ClientConfig,
    sessions: Arc<Sessions>,
    policy: Arc<Policy>,
    host: Arc<dyn Host>,
    ask_trust: bool,
    pub(super) logs_keys: bool,
    /// One for each set of pins. rustls resumes a session only with the very verifier that it was made with.
    verifiers: Mutex<Vec<Arc<AskingVerifier>>>,
}

/// The settings as they cross the ABI.
pub struct Settings<'a> {
    /// Bit set of [`VERSION_12`] and [`VERSION_13`].
    versions: u8,
    /// Whether every server certificate is put before the host, with what verification found.
    ask_trust: bool,
    /// Whether post-quantum keys are offered, which make the ClientHello longer than most segments.
    post_quantum: bool,
    /// Whether connections tell their secrets.
    logs_keys: bool,
    trust: PolicySettings<'a>,
}

impl<'a> Settings<'a> {
    pub fn read(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(bytes);
        let settings = Self {
            versions: reader.u8()?,
            ask_trust: reader.u8()? != 0,
            post_quantum: reader.u8()? != 0,
            logs_keys: reader.u8()? != 0,
            trust: PolicySettings::read(reader.bytes()?)?,
        };
        reader.finish()?;
        Ok(settings)
    }
}

impl Config {
    pub fn new(settings: &Settings<'_>, host: Arc<dyn Host>) -> Result<Self, Failure> {
        let provider = Arc::new(provider(settings.post_quantum));
        let policy = Policy::new(&settings.trust)?;
        let verifier = Arc::new(AskingVerifier {
            policy: policy.clone(),
            pins: Pins::default(),
            algorithms: provider.signature_verification_algorithms,
            host: host.clone(),
            ask: settings.ask_trust,
        });
        let mut base = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&versions(settings.versions))?
            .dangerous()
            .with_custom_certificate_verifier(verifier.clone())
            .with_client_cert_resolver(Arc::new(AskingResolver::new(host.clone())));
        base.enable_secret_extraction = true;
        Ok(Self {
            base,
            sessions: Arc::new(Sessions::default()),
            policy,
            host,
            ask_trust: settings.ask_trust,
            logs_keys: settings.logs_keys,
            verifiers: Mutex::new(vec![verifier]),
        })
    }

    fn verifier(&self, pins: &Pins) -> Arc<AskingVerifier> {
        let mut verifiers = self
            .verifiers
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = verifiers.iter().find(|it| it.pins == *pins) {
            return known.clone();
        }
        let verifier = Arc::new(AskingVerifier {
            policy: self.policy.clone(),
            pins: pins.clone(),
            algorithms: self
                .base
                .crypto_provider()
                .signature_verification_algorithms,
            host: self.host.clone(),
            ask: self.ask_trust,
        });
        verifiers.push(verifier.clone());
        verifier
    }

    /// The configuration of one connection, which resumes sessions of its own partition only.
    pub(super) fn for_connection(
        &self,
        target: &Target<'_>,
        secret: Arc<HandshakeSecret>,
    ) -> Arc<ClientConfig> {
        let mut config = self.base.clone();
        config
            .dangerous()
            .set_certificate_verifier(self.verifier(&target.pins));
        config.key_log = secret;
        config.resumption = Resumption::store(Arc::new(Partition::new(
            self.sessions.clone(),
            target.partition,
        )));
        Arc::new(config)
    }
}

/// ring's provider, ChaCha20-Poly1305 first: its records take the least time of the page, because they are opened where HTTP reads
/// them. Those of AES-GCM go through the host's WebCrypto. Post-quantum keys are offered first.
fn provider(post_quantum: bool) -> CryptoProvider {
    let mut provider = ring::default_provider();
    provider
        .cipher_suites
        .sort_by_key(|suite| (suite.tls13().is_none(), rank(suite.suite())));
    if post_quantum {
        provider.kx_groups.insert(0, &X25519MlKem768);
    }
    provider
}

fn rank(suite: CipherSuite) -> u8 {
    match suite.as_str() {
        Some(name) if name.contains("AES_128_GCM") => 1,
        Some(name) if name.contains("AES_256_GCM") => 2,
        _ => 0,
    }
}

fn versions(bits: u8) -> Vec<&'static rustls::SupportedProtocolVersion> {
    let mut versions = Vec::new();
    if bits & VERSION_13 != 0 {
        versions.push(&rustls::version::TLS13);
    }
    if bits & VERSION_12 != 0 {
        versions.push(&rustls::version::TLS12);
    }
    versions
}
