//! How many signatures an evaluation verifies, whatever a server sends.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod hosts;

use hosts::Remembering;
use mtls_engine::trust::evaluate::{evaluate_encoded, Evaluation};
use mtls_engine::wire::Writer;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};

const NOW: u32 = 1_800_000_000;
const MOST_BY_STRANGERS: usize = 16;

type Authority = Issuer<'static, KeyPair>;

fn params(name: &str, is_authority: bool) -> CertificateParams {
    let mut params = CertificateParams::new(vec![]).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    params.use_authority_key_identifier_extension = true;
    if is_authority {
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    }
    params
}

fn root(name: &str) -> (Vec<u8>, Authority) {
    let (params, key) = (params(name, true), KeyPair::generate().unwrap());
    let der = params.self_signed(&key).unwrap().der().to_vec();
    (der, Issuer::new(params, key))
}

fn below(name: &str, by: &Authority) -> (Vec<u8>, Authority) {
    let (params, key) = (params(name, true), KeyPair::generate().unwrap());
    let der = params.signed_by(&key, by).unwrap().der().to_vec();
    (der, Issuer::new(params, key))
}

fn leaf(by: &Authority, names_key: bool) -> Vec<u8> {
    let mut params = params("Leaf", false);
    params.use_authority_key_identifier_extension = names_key;
    let key = KeyPair::generate().unwrap();
    params.signed_by(&key, by).unwrap().der().to_vec()
}

fn strangers(name: &str, count: usize) -> Vec<Vec<u8>> {
    let params = params(name, true);
    let one = || {
        let key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384).unwrap();
        params.self_signed(&key).unwrap().der().to_vec()
    };
    (0..count).map(|_| one()).collect()
}

fn evaluate(anchors: &[Vec<u8>], chain: &[Vec<u8>], host: &Remembering) -> Evaluation {
    let policy = Writer::default()
        .list(anchors.iter())
        .u32(0)
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
        .list(chain.iter())
        .bytes(&demand)
        .finish();
    evaluate_encoded(&encoded, host).unwrap()
}

#[test]
fn many_issuers_of_one_name_cost_a_few() {
    let (root, by) = root("Root");
    let (_, unknown) = below("Issuer", &by);
    let chain: Vec<_> = [leaf(&unknown, true)]
        .into_iter()
        .chain(strangers("Issuer", 110))
        .collect();
    let host = Remembering::default();
    let found = evaluate(&[root], &chain, &host);
    assert_eq!(
        found.refusal.unwrap().message,
        "the chain is too complicated to be honest"
    );
    assert_eq!(host.verifications(), MOST_BY_STRANGERS);
}

#[test]
fn the_issuer_whose_key_is_named_costs_one() {
    let (root, by) = root("Root");
    let (issuer, key) = below("Issuer", &by);
    let mut chain = vec![leaf(&key, true)];
    chain.extend(strangers("Issuer", 110));
    chain.push(issuer.clone());
    let host = Remembering::default();
    let found = evaluate(std::slice::from_ref(&root), &chain, &host);
    assert_eq!(found.refusal, None);
    assert_eq!(found.path, [chain[0].clone(), issuer, root]);
    // Two signatures, and webpki's confirmation.
    assert_eq!(host.verifications(), 3);
}

#[test]
fn the_issuer_whose_key_is_not_named_is_found_among_a_few() {
    let (root, by) = root("Root");
    let (issuer, key) = below("Issuer", &by);
    let mut chain = vec![leaf(&key, false)];
    chain.extend(strangers("Issuer", MOST_BY_STRANGERS - 1));
    chain.push(issuer);
    let found = evaluate(&[root], &chain, &Remembering::default());
    assert_eq!(found.refusal, None);
}

#[test]
fn anchors_of_one_name_are_all_looked_at() {
    let (anchors, keys): (Vec<_>, Vec<_>) = (0..60).map(|_| root("Device")).unzip();
    for key in [&keys[0], &keys[59]] {
        let found = evaluate(&anchors, &[leaf(key, false)], &Remembering::default());
        assert_eq!(found.refusal, None);
    }
}

#[test]
fn another_attempt_costs_none() {
    let (root, by) = root("Root");
    let (issuer, key) = below("Issuer", &by);
    let (_, unknown) = below("Issuer", &by);
    for chain in [
        vec![leaf(&key, true), issuer.clone()],
        vec![leaf(&unknown, true), issuer],
        [vec![leaf(&unknown, true)], strangers("Issuer", 20)].concat(),
    ] {
        let host = Remembering::default();
        let first = evaluate(std::slice::from_ref(&root), &chain, &host);
        let verifications = host.verifications();
        assert!(verifications > 0);
        let second = evaluate(std::slice::from_ref(&root), &chain, &host);
        assert_eq!(host.verifications(), verifications);
        assert_eq!((first.refusal, first.path), (second.refusal, second.path));
    }
}
