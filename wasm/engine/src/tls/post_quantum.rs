//! X25519MLKEM768: a key exchange that a quantum computer does not break later (draft-ietf-tls-ecdhe-mlkem).

use ml_kem::kem::{Decapsulate, KeyExport};
use ml_kem::ml_kem_768::DecapsulationKey;
use ml_kem::Seed;
use rustls::crypto::ring::{self, kx_group};
use rustls::crypto::{ActiveKeyExchange, SharedSecret, SupportedKxGroup};
use rustls::ffdhe_groups::FfdheGroup;
use rustls::{Error, NamedGroup, PeerMisbehaved, ProtocolVersion};
use zeroize::Zeroize;

const CIPHERTEXT: usize = 1088;

/// ML-KEM-768 and, as secure today, X25519 beside it. The client's side: servers are not built on this.
#[derive(Debug)]
pub struct X25519MlKem768;

impl SupportedKxGroup for X25519MlKem768 {
    fn start(&self) -> Result<Box<dyn ActiveKeyExchange>, Error> {
        let classical = kx_group::X25519.start()?;
        let mut seed = Seed::default();
        ring::default_provider()
            .secure_random
            .fill(seed.as_mut_slice())?;
        let decapsulation = DecapsulationKey::from_seed(seed);
        seed.zeroize();
        let mut share = decapsulation.encapsulation_key().to_bytes().to_vec();
        share.extend_from_slice(classical.pub_key());
        Ok(Box::new(Active {
            classical,
            decapsulation: Box::new(decapsulation),
            share,
        }))
    }

    fn ffdhe_group(&self) -> Option<FfdheGroup<'static>> {
        None
    }

    fn name(&self) -> NamedGroup {
        NamedGroup::X25519MLKEM768
    }

    fn usable_for_version(&self, version: ProtocolVersion) -> bool {
        version == ProtocolVersion::TLSv1_3
    }
}

struct Active {
    classical: Box<dyn ActiveKeyExchange>,
    decapsulation: Box<DecapsulationKey>,
    /// The encapsulation key, then X25519's public key.
    share: Vec<u8>,
}

impl ActiveKeyExchange for Active {
    fn complete(self: Box<Self>, peer_share: &[u8]) -> Result<SharedSecret, Error> {
        let (ciphertext, classical_share) = peer_share
            .split_at_checked(CIPHERTEXT)
            .ok_or(PeerMisbehaved::InvalidKeyShare)?;
        let mut shared_key = self
            .decapsulation
            .decapsulate_slice(ciphertext)
            .map_err(|_| PeerMisbehaved::InvalidKeyShare)?;
        let classical = self.classical.complete(classical_share)?;
        let secret = [shared_key.as_slice(), classical.secret_bytes()].concat();
        shared_key.zeroize();
        Ok(SharedSecret::from(secret))
    }

    /// X25519's share goes along on its own, for the servers that know nothing newer: it costs them no second round trip.
    fn hybrid_component(&self) -> Option<(NamedGroup, &[u8])> {
        Some((self.classical.group(), self.classical.pub_key()))
    }

    fn complete_hybrid_component(
        self: Box<Self>,
        peer_share: &[u8],
    ) -> Result<SharedSecret, Error> {
        self.classical.complete(peer_share)
    }

    fn pub_key(&self) -> &[u8] {
        &self.share
    }

    fn ffdhe_group(&self) -> Option<FfdheGroup<'static>> {
        None
    }

    fn group(&self) -> NamedGroup {
        NamedGroup::X25519MLKEM768
    }
}
