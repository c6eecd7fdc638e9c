//! Handshakes with a rustls server in memory.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::io::Write;
use std::sync::{Arc, Mutex};

use ml_kem::ml_kem_768::EncapsulationKey;
use mtls_engine::host::{Answer, Host, QuestionKind};
use mtls_engine::tls::config::{Config, Settings};
use mtls_engine::tls::connection::{Connection, Handshake};
use mtls_engine::tls::external::Direction;
use mtls_engine::tls::failure::{Failure, FailureKind};
use mtls_engine::tls::post_quantum::X25519MlKem768;
use mtls_engine::tls::target::Target;
use mtls_engine::trust::pins::Pins;
use mtls_engine::wire::{Reader, Writer};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::crypto::{ring, ActiveKeyExchange, CompletedKeyExchange, SupportedKxGroup};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{
    ConnectionTrafficSecrets, HandshakeKind, NamedGroup, RootCertStore, ServerConfig,
    ServerConnection, SignatureScheme, SupportedCipherSuite,
};

struct Pki {
    issuer: Issuer<'static, KeyPair>,
    anchor: CertificateDer<'static>,
}

struct Leaf {
    der: CertificateDer<'static>,
    key: Vec<u8>,
}

impl Pki {
    fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params
            .distinguished_name
            .push(DnType::CommonName, "test CA");
        let anchor = params.self_signed(&key).unwrap().der().clone();
        Self {
            issuer: Issuer::new(params, key),
            anchor,
        }
    }

    fn issue(&self, name: &str, change: impl FnOnce(&mut CertificateParams)) -> Leaf {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        change(&mut params);
        Leaf {
            der: params.signed_by(&key, &self.issuer).unwrap().der().clone(),
            key: key.serialize_der(),
        }
    }

    fn roots(&self) -> Arc<RootCertStore> {
        let mut roots = RootCertStore::empty();
        roots.add(self.anchor.clone()).unwrap();
        Arc::new(roots)
    }
}

/// Answers at once what it has, and keeps the questions.
#[derive(Debug, Default)]
struct TestHost {
    client: Option<(CertificateDer<'static>, Vec<u8>)>,
    silent: Option<QuestionKind>,
    trust: u8,
    signature: u8,
    asked: Mutex<Vec<(QuestionKind, Vec<u8>)>>,
}

impl Host for TestHost {
    fn ask(&self, kind: QuestionKind, question: &[u8]) -> Answer {
        if kind == QuestionKind::Memory {
            return Answer::Pending;
        }
        self.asked.lock().unwrap().push((kind, question.to_vec()));
        if self.silent == Some(kind) {
            return Answer::Pending;
        }
        Answer::Known(match kind {
            QuestionKind::ClientCertificate => self.certificate(),
            QuestionKind::Signature => self.sign(question),
            QuestionKind::HandshakeSignature => vec![self.signature],
            _ => vec![self.trust],
        })
    }
}

impl TestHost {
    fn certificate(&self) -> Vec<u8> {
        let scheme = u16::from(SignatureScheme::ECDSA_NISTP256_SHA256);
        let chain: Vec<&[u8]> = self.client.iter().map(|(der, _)| der.as_ref()).collect();
        Writer::default().list(chain.iter()).u16(scheme).finish()
    }

    fn sign(&self, question: &[u8]) -> Vec<u8> {
        let mut reader = Reader::new(question);
        let scheme = SignatureScheme::from(reader.u16().unwrap());
        let message = reader.bytes().unwrap();
        let (der, key) = self.client.as_ref().unwrap();
        assert_eq!(reader.bytes().unwrap(), der.as_ref());
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.clone()));
        let key = ring::default_provider()
            .key_provider
            .load_private_key(key)
            .unwrap();
        key.choose_scheme(&[scheme]).unwrap().sign(message).unwrap()
    }

    fn questions(&self) -> Vec<QuestionKind> {
        self.asked
            .lock()
            .unwrap()
            .iter()
            .map(|(kind, _)| *kind)
            .collect()
    }
}

struct Scene {
    client: Connection,
    server: ServerConnection,
    handshake: Option<Handshake>,
    failure: Option<Failure>,
}

const TLS12: u8 = 1;
const TLS13: u8 = 2;

fn settings(anchors: &[&CertificateDer<'_>], versions: u8, ask_trust: bool) -> Vec<u8> {
    Writer::default()
        .u8(versions)
        .u8(u8::from(ask_trust))
        .u8(1)
        .u8(0)
        .bytes(
            &Writer::default()
                .list(anchors.iter())
                .u32(0)
                .u32(0)
                .finish(),
        )
        .finish()
}

fn server_config(pki: &Pki, leaf: &Leaf, client_auth: Option<bool>) -> Arc<ServerConfig> {
    let builder = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap();
    let verifier = |required: bool| {
        let provider = Arc::new(ring::default_provider());
        let builder = WebPkiClientVerifier::builder_with_provider(pki.roots(), provider);
        let builder = if required {
            builder
        } else {
            builder.allow_unauthenticated()
        };
        builder.build().unwrap()
    };
    let builder = match client_auth {
        Some(required) => builder.with_client_cert_verifier(verifier(required)),
        None => builder.with_no_client_auth(),
    };
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(leaf.key.clone()));
    let mut config = builder
        .with_single_cert(vec![leaf.der.clone()], key)
        .unwrap();
    config.alpn_protocols = vec![b"h2".to_vec()];
    config.enable_secret_extraction = true;
    Arc::new(config)
}

/// A server's side of X25519MLKEM768.
#[derive(Debug)]
struct ServerGroup;

impl SupportedKxGroup for ServerGroup {
    fn start(&self) -> Result<Box<dyn ActiveKeyExchange>, rustls::Error> {
        unreachable!("a server answers")
    }

    fn start_and_complete(&self, share: &[u8]) -> Result<CompletedKeyExchange, rustls::Error> {
        let (encapsulation, classical) = share.split_at(1184);
        let encapsulation = EncapsulationKey::new(encapsulation.try_into().unwrap()).unwrap();
        let (ciphertext, secret) = encapsulation.encapsulate_deterministic(&[7; 32].into());
        let classical = ring::kx_group::X25519.start_and_complete(classical)?;
        Ok(CompletedKeyExchange {
            group: self.name(),
            pub_key: [ciphertext.as_slice(), &classical.pub_key].concat(),
            secret: [secret.as_slice(), classical.secret.secret_bytes()]
                .concat()
                .into(),
        })
    }

    fn name(&self) -> NamedGroup {
        NamedGroup::X25519MLKEM768
    }
}

fn config(host: &Arc<TestHost>, settings: &[u8]) -> Config {
    Config::new(&Settings::read(settings).unwrap(), host.clone())
        .unwrap_or_else(|failure| panic!("{failure:?}"))
}

impl Scene {
    fn new(config: &Config, server: &Arc<ServerConfig>) -> Self {
        let target = Target {
            hostname: "server.example",
            partition: "",
            alpn: vec![b"h2", b"http/1.1"],
            pins: Pins::default(),
        };
        Self {
            client: Connection::new(config, &target)
                .unwrap_or_else(|failure| panic!("{failure:?}")),
            server: ServerConnection::new(server.clone()).unwrap(),
            handshake: None,
            failure: None,
        }
    }

    /// Lets both sides talk until neither has anything to say.
    fn play(mut self) -> Self {
        let mut to_client = Vec::new();
        loop {
            let to_server = self.deliver(&to_client);
            self.feed_server(&to_server);
            to_client.clear();
            while self.server.wants_write() {
                self.server.write_tls(&mut to_client).unwrap();
            }
            if to_client.is_empty() || self.failure.is_some() {
                return self;
            }
        }
    }

    fn deliver(&mut self, ciphertext: &[u8]) -> Vec<u8> {
        let progress = self.client.process(ciphertext);
        self.handshake = progress.handshake.or(self.handshake.take());
        self.failure = progress.failure;
        progress.ciphertext
    }

    fn feed_server(&mut self, mut ciphertext: &[u8]) {
        while !ciphertext.is_empty() {
            self.server.read_tls(&mut ciphertext).unwrap();
            // A failure leaves an alert to be written.
            let _ = self.server.process_new_packets();
        }
    }

    fn handshake(&self) -> &Handshake {
        self.handshake
            .as_ref()
            .unwrap_or_else(|| panic!("no handshake: {:?}", self.failure))
    }
}

fn failure_kind(scene: &Scene) -> FailureKind {
    scene.failure.as_ref().unwrap().kind
}

#[test]
fn completes_with_and_without_client_certificate() {
    let pki = Pki::new();
    let leaf = pki.issue("server.example", |_| {});
    for (versions, number) in [(TLS12, 0x0303), (TLS13, 0x0304)] {
        for client_auth in [None, Some(false), Some(true)] {
            let client = pki.issue("client", |_| {});
            let host = Arc::new(TestHost {
                client: Some((client.der.clone(), client.key)),
                ..TestHost::default()
            });
            let config = config(&host, &settings(&[&pki.anchor], versions, false));
            let scene = Scene::new(&config, &server_config(&pki, &leaf, client_auth)).play();
            assert_eq!(scene.handshake().version, number);
            assert_eq!(scene.handshake().alpn, b"h2");
            assert_eq!(scene.handshake().server_chain, [leaf.der.to_vec()]);
            assert!(scene.handshake().cipher_suite.contains("CHACHA20_POLY1305"));
            assert_eq!(
                scene.server.peer_certificates().map(<[_]>::to_vec),
                client_auth.map(|_| vec![client.der])
            );
            assert!(!scene.server.is_handshaking() && scene.failure.is_none());
        }
    }
}

#[test]
fn agrees_on_post_quantum_keys_and_falls_back_in_the_same_round_trip() {
    let pki = Pki::new();
    let leaf = pki.issue("server.example", |_| {});
    let config = config(&Arc::default(), &settings(&[&pki.anchor], 3, false));
    let known: [(Vec<&'static dyn SupportedKxGroup>, &str); 3] = [
        (vec![&ServerGroup, ring::kx_group::X25519], "X25519MLKEM768"),
        (vec![ring::kx_group::X25519], "X25519"),
        (vec![ring::kx_group::SECP256R1], "secp256r1"),
    ];
    for (groups, agreed) in known {
        let mut provider = ring::default_provider();
        provider.kx_groups = groups;
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(leaf.key.clone()));
        let server = ServerConfig::builder_with_provider(Arc::new(provider))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![leaf.der.clone()], key)
            .unwrap();
        let scene = Scene::new(&config, &Arc::new(server)).play();
        assert_eq!(scene.handshake().key_exchange, agreed);
        let retried =
            scene.server.handshake_kind() == Some(HandshakeKind::FullWithHelloRetryRequest);
        assert_eq!(retried, agreed == "secp256r1");
    }
}

#[test]
fn a_post_quantum_share_of_the_wrong_length_is_refused() {
    for length in [0, 32, 1088, 1119, 1121] {
        let exchange = X25519MlKem768.start().unwrap();
        assert_eq!(exchange.pub_key().len(), 1184 + 32);
        assert!(exchange.complete(&vec![1; length]).is_err(), "{length}");
    }
}

/// A server with one suite, that answers in the flight with which its handshake ends.
fn eager_server(pki: &Pki, suite: SupportedCipherSuite) -> Arc<ServerConfig> {
    let leaf = pki.issue("server.example", |_| {});
    let mut provider = ring::default_provider();
    provider.cipher_suites = vec![suite];
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(leaf.key));
    let mut config = ServerConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(&[suite.version()])
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![leaf.der], key)
        .unwrap();
    config.enable_secret_extraction = true;
    config.send_half_rtt_data = true;
    Arc::new(config)
}

/// The algorithm's number, key and IV.
fn parts(secrets: &ConnectionTrafficSecrets) -> (u8, &[u8], &[u8]) {
    match secrets {
        ConnectionTrafficSecrets::Aes128Gcm { key, iv }
        | ConnectionTrafficSecrets::Aes256Gcm { key, iv } => (1, key.as_ref(), iv.as_ref()),
        ConnectionTrafficSecrets::Chacha20Poly1305 { key, iv } => (2, key.as_ref(), iv.as_ref()),
        _ => panic!("another suite"),
    }
}

#[test]
fn hands_the_records_over_with_their_keys_and_all_that_follows_the_handshake() {
    let pki = Pki::new();
    let settings = settings(&[&pki.anchor], TLS12 | TLS13, false);
    for suite in ring::ALL_CIPHER_SUITES {
        if format!("{suite:?}").contains("_RSA_") {
            continue;
        }
        let config = config(&Arc::default(), &settings);
        let mut scene = Scene::new(&config, &eager_server(&pki, *suite));
        let mut flight = Vec::new();
        while scene.handshake.is_none() {
            let answer = scene.deliver(&flight);
            scene.feed_server(&answer);
            // In TLS 1.3 that is data before the handshake's end, in TLS 1.2 right behind it.
            scene.server.writer().write_all(b"eager").unwrap();
            flight.clear();
            while scene.server.wants_write() {
                scene.server.write_tls(&mut flight).unwrap();
            }
        }
        let mut export = scene.client.into_external().unwrap();
        let secrets = scene.server.dangerous_extract_secrets().unwrap();
        let mut reader = Reader::new(&export.keys);
        for (sequence, theirs) in [&secrets.rx, &secrets.tx] {
            let (algorithm, key, iv) = parts(theirs);
            let first = u64::from(reader.u32().unwrap()) << 32 | u64::from(reader.u32().unwrap());
            assert!(first <= *sequence, "{suite:?}: {first} > {sequence}");
            assert_eq!(reader.u8().unwrap(), algorithm);
            assert_eq!(reader.bytes().unwrap(), key);
            // In TLS 1.2 each side makes up the explicit part of its own AES-GCM nonces.
            assert_eq!(reader.bytes().unwrap()[..4], iv[..4]);
        }
        reader.finish().unwrap();
        assert_eq!(export.incoming.first(), Some(&23), "{suite:?}");
        let is_tls13 = suite.version() == &rustls::version::TLS13;
        let updated = export.external.update_keys(Direction::Send);
        assert_eq!(updated.is_ok(), is_tls13);
        assert!(export.external.keep_ticket(&[1, 2, 3]).is_err());
    }
}

#[test]
fn does_not_hand_over_in_the_middle_of_a_handshake() {
    let pki = Pki::new();
    let leaf = pki.issue("server.example", |_| {});
    let host = Arc::new(TestHost::default());
    let config = config(&host, &settings(&[&pki.anchor], TLS13, false));
    let mut scene = Scene::new(&config, &server_config(&pki, &leaf, None));
    scene.deliver(&[]);
    assert!(scene.client.into_external().is_err());
}

#[test]
fn a_missing_certificate_is_an_alert() {
    let pki = Pki::new();
    let leaf = pki.issue("server.example", |_| {});
    let host = Arc::new(TestHost::default());
    // In TLS 1.3 it comes behind the handshake.
    let config = config(&host, &settings(&[&pki.anchor], TLS12, false));
    let scene = Scene::new(&config, &server_config(&pki, &leaf, Some(true))).play();
    let failure = scene.failure.unwrap();
    assert_eq!((failure.kind, failure.number), (FailureKind::Alert, 116));
}

#[test]
fn tells_what_is_wrong_with_a_server_certificate() {
    let (pki, other) = (Pki::new(), Pki::new());
    let year = |year| rcgen::date_time_ymd(year, 1, 1);
    let cases = [
        (
            pki.issue("other.example", |_| {}),
            FailureKind::CertificateName,
        ),
        (
            pki.issue("server.example", |params| params.not_after = year(2001)),
            FailureKind::CertificateExpired,
        ),
        (
            pki.issue("server.example", |params| params.not_before = year(2999)),
            FailureKind::CertificateNotYetValid,
        ),
        (
            other.issue("server.example", |_| {}),
            FailureKind::CertificateUntrusted,
        ),
    ];
    for (leaf, kind) in cases {
        let host = Arc::new(TestHost::default());
        let config = config(&host, &settings(&[&pki.anchor], TLS12 | TLS13, false));
        let mut scene = Scene::new(&config, &server_config(&pki, &leaf, None));
        let hello = scene.deliver(&[]);
        scene.feed_server(&hello);
        let mut flight = Vec::new();
        while scene.server.wants_write() {
            scene.server.write_tls(&mut flight).unwrap();
        }
        let answer = scene.deliver(&flight);
        assert_eq!(failure_kind(&scene), kind);
        scene.server.read_tls(&mut answer.as_slice()).unwrap();
        let told = scene.server.process_new_packets().unwrap_err();
        assert!(matches!(told, rustls::Error::AlertReceived(_)), "{told:?}");
    }
}

#[test]
fn the_host_may_trust_what_verification_does_not() {
    let (pki, other) = (Pki::new(), Pki::new());
    let leaf = other.issue("server.example", |_| {});
    for (trust, trusted) in [(1, true), (0, false), (9, false)] {
        let host = Arc::new(TestHost {
            trust,
            ..TestHost::default()
        });
        let config = config(&host, &settings(&[&pki.anchor], TLS13, true));
        let scene = Scene::new(&config, &server_config(&pki, &leaf, None)).play();
        assert_eq!(scene.failure.is_none(), trusted);
        assert_eq!(host.questions(), [QuestionKind::ServerTrust]);
    }
}

#[test]
fn an_unanswered_question_is_asked_once_and_fails_the_call() {
    let pki = Pki::new();
    let leaf = pki.issue("server.example", |_| {});
    let client = pki.issue("client", |_| {});
    for versions in [TLS12, TLS13] {
        let host = Arc::new(TestHost {
            client: Some((client.der.clone(), client.key.clone())),
            silent: Some(QuestionKind::Signature),
            ..TestHost::default()
        });
        let config = config(&host, &settings(&[&pki.anchor], versions, false));
        let scene = Scene::new(&config, &server_config(&pki, &leaf, Some(true))).play();
        assert!(scene.failure.is_some());
        assert_eq!(
            host.questions(),
            [QuestionKind::ClientCertificate, QuestionKind::Signature]
        );
    }
}

#[test]
fn garbage_and_truncation_never_panic() {
    let pki = Pki::new();
    let leaf = pki.issue("server.example", |_| {});
    let host = Arc::new(TestHost::default());
    let config = config(&host, &settings(&[&pki.anchor], TLS12 | TLS13, false));
    let server = server_config(&pki, &leaf, None);
    let flight = {
        let mut scene = Scene::new(&config, &server);
        let hello = scene.deliver(&[]);
        scene.feed_server(&hello);
        let mut flight = Vec::new();
        while scene.server.wants_write() {
            scene.server.write_tls(&mut flight).unwrap();
        }
        flight
    };
    for at in 0..flight.len() {
        let mut scene = Scene::new(&config, &server);
        scene.deliver(&[]);
        scene.deliver(&flight[..at]);
        let mut flipped = flight.clone();
        flipped[at] ^= 0x40;
        let mut scene = Scene::new(&config, &server);
        scene.deliver(&[]);
        scene.deliver(&flipped);
        assert!(scene.handshake.is_none());
    }
}

#[test]
fn misuse_is_told() {
    let pki = Pki::new();
    let host = Arc::new(TestHost::default());
    assert!(Settings::read(&[1, 2, 3]).is_err());
    let broken = Settings::read(&settings(
        &[&CertificateDer::from(vec![1, 2, 3])],
        TLS13,
        false,
    ))
    .map(|settings| Config::new(&settings, host.clone()).is_err());
    assert!(broken.unwrap());
    let config = config(&host, &settings(&[&pki.anchor], TLS13, false));
    let target = Target {
        hostname: "not a host",
        partition: "",
        alpn: vec![],
        pins: Pins::default(),
    };
    assert!(Connection::new(&config, &target).is_err());
}
