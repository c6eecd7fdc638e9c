//! The path search beside that of rustls-webpki: of random chains both find the same. What webpki does not do (names of other kinds in
//! constraints, self-issued certificates, authorities in place of a server, purposes of the anchor) is not in these chains.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod hosts;
mod support;

use hosts::Forgetful;
use mtls_engine::trust::evaluate::evaluate_encoded;
use mtls_engine::wire::Writer;
use rcgen::{
    date_time_ymd, BasicConstraints, CertificateParams, CertificateRevocationListParams,
    CidrSubnet, CrlDistributionPoint, CrlIssuingDistributionPoint, CrlScope, DistinguishedName,
    DnType, ExtendedKeyUsagePurpose, GeneralSubtree, IsCa, Issuer, KeyIdMethod, KeyPair,
    KeyUsagePurpose, NameConstraints, RevokedCertParams, SanType, SerialNumber,
};
use rustls::pki_types::{CertificateDer, UnixTime};
use support::Random;
use webpki::{
    anchor_from_trusted_cert, BorrowedCertRevocationList, CertRevocationList, EndEntityCert,
    ExpirationPolicy, KeyUsage, RevocationCheckDepth, RevocationOptionsBuilder,
    UnknownStatusPolicy,
};

const CHAINS: usize = 800;
const NOW: u32 = 1_800_000_000;
/// Two authorities with the same name in each.
const LEVELS: usize = 3;
const NAMES: [&str; 6] = [
    "a.example",
    "b.a.example",
    "*.a.example",
    "c.b.a.example",
    "other.test",
    "*.other.test",
];
const CONSTRAINTS: [&str; 6] = [
    "example",
    "a.example",
    ".a.example",
    "b.a.example",
    "test",
    "",
];
const ADDRESSES: [[u8; 4]; 2] = [[192, 0, 2, 1], [198, 51, 100, 1]];

struct World {
    random: Random,
    keys: Vec<KeyPair>,
    certificates: Vec<Vec<u8>>,
    lists: Vec<Vec<u8>>,
}

struct Authority {
    params: CertificateParams,
    /// Index among the keys.
    key: usize,
}

impl World {
    fn params(&mut self, name: String) -> CertificateParams {
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, name);
        params.serial_number = Some(SerialNumber::from(1 + self.random.below(6) as u64));
        let ends = if self.random.one_in(20) { 2026 } else { 2040 };
        params.not_before = date_time_ymd(2025, 1, 1);
        params.not_after = date_time_ymd(ends, 1, 1);
        if self.random.one_in(12) {
            let purpose = [
                ExtendedKeyUsagePurpose::ServerAuth,
                ExtendedKeyUsagePurpose::ClientAuth,
            ];
            params.extended_key_usages = vec![purpose[self.random.below(2)].clone()];
        }
        params
    }

    fn subtrees(&mut self) -> Vec<GeneralSubtree> {
        let count = self.random.below(3);
        let subtree = |random: &mut Random| match random.below(3) {
            0 => GeneralSubtree::IpAddress(CidrSubnet::V4([192, 0, 2, 0], [255, 255, 255, 0])),
            _ => GeneralSubtree::DnsName(random.pick(&CONSTRAINTS).into()),
        };
        (0..count).map(|_| subtree(&mut self.random)).collect()
    }

    fn authority(&mut self, level: usize) -> Authority {
        let mut params = self.params(format!("Level {level}"));
        params.is_ca = IsCa::Ca(match self.random.below(6) {
            0 => BasicConstraints::Constrained(self.random.below(LEVELS) as u8),
            _ => BasicConstraints::Unconstrained,
        });
        if self.random.one_in(25) {
            params.is_ca = IsCa::ExplicitNoCa;
        }
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        if self.random.one_in(4) {
            let constraints = NameConstraints {
                permitted_subtrees: self.subtrees(),
                excluded_subtrees: self.subtrees(),
            };
            // An empty extension is refused here, and not by webpki.
            let is_empty = constraints.permitted_subtrees.is_empty()
                && constraints.excluded_subtrees.is_empty();
            params.name_constraints = (!is_empty).then_some(constraints);
        }
        Authority {
            params,
            key: self.random.below(self.keys.len()),
        }
    }

    /// Now and then with a key that is not the issuer's.
    fn issue(&mut self, params: &CertificateParams, key: usize, issuer: &Authority) -> Vec<u8> {
        let signing = match self.random.one_in(15) {
            true => self.random.below(self.keys.len()),
            false => issuer.key,
        };
        let issuer = Issuer::from_params(&issuer.params, &self.keys[signing]);
        let certificate = params.signed_by(&self.keys[key], &issuer).unwrap();
        certificate.der().to_vec()
    }

    fn list(&mut self, issuer: &Authority) {
        let revoked = (0..self.random.below(4)).map(|_| RevokedCertParams {
            serial_number: SerialNumber::from(1 + self.random.below(6) as u64),
            revocation_time: date_time_ymd(2026, 1, 1),
            reason_code: None,
            invalidity_date: None,
        });
        let revoked_certs = revoked.collect();
        let scopes = [
            None,
            Some(CrlScope::UserCertsOnly),
            Some(CrlScope::CaCertsOnly),
        ];
        let scope = scopes[self.random.below(3)];
        let ends = if self.random.one_in(8) { 2026 } else { 2040 };
        let params = CertificateRevocationListParams {
            this_update: date_time_ymd(2025, 1, 1),
            next_update: date_time_ymd(ends, 1, 1),
            crl_number: SerialNumber::from(1),
            issuing_distribution_point: scope.map(|scope| CrlIssuingDistributionPoint {
                distribution_point: CrlDistributionPoint {
                    uris: vec!["http://crl.example/".into()],
                },
                scope: Some(scope),
            }),
            revoked_certs,
            key_identifier_method: KeyIdMethod::Sha256,
        };
        let key = match self.random.one_in(8) {
            true => self.random.below(self.keys.len()),
            false => issuer.key,
        };
        let issuer = Issuer::from_params(&issuer.params, &self.keys[key]);
        self.lists
            .push(params.signed_by(&issuer).unwrap().der().to_vec());
    }

    /// A certificate in front, authorities in no particular order behind it, the root last.
    fn grow(&mut self) -> Vec<u8> {
        let mut root = self.authority(0);
        root.params.not_after = date_time_ymd(2040, 1, 1);
        root.params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        root.params.extended_key_usages = Vec::new();
        let anchor = root.params.self_signed(&self.keys[root.key]).unwrap();
        let mut above = vec![root];
        for level in 1..=self.random.below(LEVELS + 1) {
            let next: Vec<Authority> = (0..2).map(|_| self.authority(level)).collect();
            for authority in &next {
                let issuer = self.random.below(above.len());
                let der = self.issue(&authority.params, authority.key, &above[issuer]);
                let at = self.random.below(self.certificates.len() + 1);
                self.certificates.insert(at, der);
            }
            if self.random.one_in(4) {
                self.list(&above[0]);
            }
            above = next;
        }
        if self.random.one_in(4) {
            self.list(&above[0]);
        }
        let mut leaf = self.params("Leaf".into());
        for _ in 0..=self.random.below(2) {
            leaf.subject_alt_names.push(match self.random.below(4) {
                0 => SanType::IpAddress(ADDRESSES[self.random.below(2)].into()),
                _ => SanType::DnsName(self.random.pick(&NAMES).try_into().unwrap()),
            });
        }
        let issuer = self.random.below(above.len());
        let leaf = self.issue(&leaf, 0, &above[issuer]);
        self.certificates.insert(0, leaf);
        anchor.der().to_vec()
    }
}

fn trusted_here(anchor: &[u8], certificates: &[Vec<u8>], lists: &[Vec<u8>]) -> (bool, String) {
    let policy = Writer::default()
        .list([anchor].iter())
        .list(lists.iter())
        .u32(0)
        .finish();
    let pins = Writer::default().u8(0).u32(0).finish();
    let demand = Writer::default()
        .str("")
        .u32(NOW)
        .u32(0)
        .u8(0)
        .bytes(&[])
        .bytes(&pins)
        .u8(u8::MAX)
        .finish();
    let encoded = Writer::default()
        .bytes(&policy)
        .list(certificates.iter())
        .bytes(&demand)
        .finish();
    match evaluate_encoded(&encoded, &Forgetful).unwrap().refusal {
        None => (true, String::new()),
        Some(refusal) => (false, refusal.message),
    }
}

fn trusted_by_webpki(
    anchor: &[u8],
    certificates: &[Vec<u8>],
    lists: &[Vec<u8>],
) -> Result<(), webpki::Error> {
    let anchor = CertificateDer::from(anchor);
    let anchors = [anchor_from_trusted_cert(&anchor).unwrap()];
    let ders: Vec<CertificateDer<'_>> = certificates
        .iter()
        .map(|it| CertificateDer::from(it.as_slice()))
        .collect();
    let own = EndEntityCert::try_from(&ders[0]).unwrap();
    let lists: Vec<CertRevocationList<'_>> = lists
        .iter()
        .map(|it| BorrowedCertRevocationList::from_der(it).unwrap().into())
        .collect();
    let lists: Vec<&CertRevocationList<'_>> = lists.iter().collect();
    let revocation = RevocationOptionsBuilder::new(&lists).ok().map(|it| {
        it.with_depth(RevocationCheckDepth::Chain)
            .with_status_policy(UnknownStatusPolicy::Allow)
            .with_expiration_policy(ExpirationPolicy::Enforce)
            .build()
    });
    let provider = rustls::crypto::ring::default_provider();
    own.verify_for_usage(
        provider.signature_verification_algorithms.all,
        &anchors,
        &ders[1..],
        UnixTime::since_unix_epoch(std::time::Duration::from_secs(NOW.into())),
        KeyUsage::server_auth(),
        revocation,
        None,
    )
    .map(|_| ())
}

#[test]
fn finds_of_random_chains_what_webpki_finds() {
    let mut random = Random(4158);
    let keys: Vec<KeyPair> = (0..6).map(|_| KeyPair::generate().unwrap()).collect();
    let mut world = World {
        random: Random(random.next()),
        keys,
        certificates: Vec::new(),
        lists: Vec::new(),
    };
    let mut trusted = 0;
    for chain in 0..CHAINS {
        world.certificates.clear();
        world.lists.clear();
        let anchor = world.grow();
        let (here, message) = trusted_here(&anchor, &world.certificates, &world.lists);
        let webpki = trusted_by_webpki(&anchor, &world.certificates, &world.lists);
        assert_eq!(here, webpki.is_ok(), "chain {chain}: {message}; {webpki:?}");
        trusted += usize::from(here);
    }
    // Otherwise the chains would say little.
    assert!(
        (CHAINS / 10..CHAINS * 9 / 10).contains(&trusted),
        "{trusted}"
    );
}
