//! Evaluations of chains made by rcgen: what a changed bit, a cut or other bytes make of them.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod hosts;

use hosts::Forgetful;
use mtls_engine::trust::evaluate::{evaluate_encoded, Evaluation};
use mtls_engine::trust::refusal::Reason;
use mtls_engine::wire::Writer;
use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, DnType, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use sha2::{Digest, Sha256};

const NOW: u32 = 1_800_000_000;
const NAME: &str = "server.example";

struct Chain {
    root: Vec<u8>,
    leaf: Vec<u8>,
    leaf_spki: Vec<u8>,
}

fn chain() -> Chain {
    chain_with(&[])
}

/// With these extensions in the leaf.
fn chain_with(extensions: &[CustomExtension]) -> Chain {
    let mut root = CertificateParams::new(vec![]).unwrap();
    root.distinguished_name.push(DnType::CommonName, "Root");
    root.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    root.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    let root_key = KeyPair::generate().unwrap();
    let root_der = root.self_signed(&root_key).unwrap().der().to_vec();
    let leaf_key = KeyPair::generate().unwrap();
    let mut leaf = CertificateParams::new(vec![NAME.into()]).unwrap();
    leaf.distinguished_name.push(DnType::CommonName, "Leaf");
    leaf.custom_extensions = extensions.to_vec();
    let leaf = leaf
        .signed_by(&leaf_key, &Issuer::new(root, root_key))
        .unwrap();
    Chain {
        root: root_der,
        leaf: leaf.der().to_vec(),
        leaf_spki: rcgen::PublicKeyData::subject_public_key_info(&leaf_key),
    }
}

struct Asked<'a> {
    anchors: &'a [&'a [u8]],
    chain: &'a [&'a [u8]],
    name: &'a str,
    pins: &'a [u8],
    staple: &'a [u8],
}

fn encode(asked: &Asked<'_>) -> Vec<u8> {
    let policy = Writer::default()
        .list(asked.anchors.iter())
        .u32(0)
        .u32(0)
        .finish();
    let demand = Writer::default()
        .str(asked.name)
        .u32(NOW)
        .u32(0)
        .u8(0)
        .bytes(asked.staple)
        .bytes(asked.pins)
        .u8(u8::MAX)
        .finish();
    Writer::default()
        .bytes(&policy)
        .list(asked.chain.iter())
        .bytes(&demand)
        .finish()
}

fn pins(replace_anchors: u8, spki: &[u8]) -> Vec<u8> {
    let digests = [Sha256::digest(spki)];
    Writer::default()
        .u8(replace_anchors)
        .list(digests.iter())
        .finish()
}

fn no_pins() -> Vec<u8> {
    Writer::default().u8(0).u32(0).finish()
}

fn run(asked: &Asked<'_>) -> Evaluation {
    evaluate_encoded(&encode(asked), &Forgetful).unwrap()
}

fn reason(asked: &Asked<'_>) -> Option<Reason> {
    run(asked).refusal.map(|it| it.reason)
}

#[test]
fn finds_the_path() {
    let Chain { root, leaf, .. } = chain();
    let found = run(&Asked {
        anchors: &[&root],
        chain: &[&leaf, &root],
        name: NAME,
        pins: &no_pins(),
        staple: &[],
    });
    assert_eq!(found.refusal, None);
    assert_eq!(found.path, [leaf, root]);
}

#[test]
fn refuses_an_extension_that_is_there_twice() {
    let extension = || CustomExtension::from_oid_content(&[1, 2, 3, 4], vec![5, 0]);
    for (extensions, expected) in [
        (vec![extension()], None),
        (vec![extension(), extension()], Some(Reason::Untrusted)),
    ] {
        let chain = chain_with(&extensions);
        let asked = Asked {
            anchors: &[&chain.root],
            chain: &[&chain.leaf],
            name: NAME,
            pins: &no_pins(),
            staple: &[],
        };
        assert_eq!(reason(&asked), expected);
    }
}

#[test]
fn trusts_no_certificate_with_a_changed_bit_and_none_that_is_cut() {
    let Chain { root, leaf, .. } = chain();
    let trusts = |leaf: &[u8]| {
        reason(&Asked {
            anchors: &[&root],
            chain: &[leaf],
            name: NAME,
            pins: &no_pins(),
            staple: &[],
        })
        .is_none()
    };
    assert!(trusts(&leaf));
    for at in 0..leaf.len() {
        assert!(!trusts(&leaf[..at]));
        for bit in 0..8 {
            let mut changed = leaf.clone();
            changed[at] ^= 1 << bit;
            assert!(!trusts(&changed), "byte {at}, bit {bit}");
        }
    }
}

#[test]
fn pins_add_to_anchors_or_replace_them() {
    let Chain {
        root,
        leaf,
        leaf_spki,
    } = chain();
    let ask = |anchors: &[&[u8]], pins: &[u8], name: &str| {
        reason(&Asked {
            anchors,
            chain: &[&leaf],
            name,
            pins,
            staple: &[],
        })
    };
    let anchors: &[&[u8]] = &[&root];
    assert_eq!(ask(anchors, &pins(0, &leaf_spki), NAME), None);
    assert_eq!(ask(anchors, &pins(0, b"other"), NAME), Some(Reason::Pin));
    assert_eq!(
        ask(&[], &pins(0, &leaf_spki), NAME),
        Some(Reason::Untrusted)
    );
    assert_eq!(ask(&[], &pins(1, &leaf_spki), "other.example"), None);
    assert_eq!(ask(anchors, &pins(1, b"other"), NAME), Some(Reason::Pin));
    // What replaces anchors without naming a key replaces nothing.
    let none = Writer::default().u8(1).u32(0).finish();
    assert_eq!(ask(&[], &none, NAME), Some(Reason::Untrusted));
}

#[test]
fn refuses_what_it_cannot_read() {
    let Chain { root, leaf, .. } = chain();
    let whole = Asked {
        anchors: &[&root],
        chain: &[&leaf],
        name: NAME,
        pins: &no_pins(),
        staple: &[],
    };
    let encoded = encode(&whole);
    for len in 0..encoded.len() {
        assert!(evaluate_encoded(&encoded[..len], &Forgetful).is_err());
    }
    let short_pin = Writer::default().u8(0).list([b"short"].iter()).finish();
    let bad = [
        Asked {
            name: "not a host",
            ..whole
        },
        Asked {
            pins: &short_pin,
            ..whole
        },
    ];
    assert!(bad
        .iter()
        .all(|it| evaluate_encoded(&encode(it), &Forgetful).is_err()));
    let junk: &[&[u8]] = &[&[0x30, 1, 2]];
    assert_eq!(
        reason(&Asked {
            anchors: junk,
            ..whole
        }),
        Some(Reason::Malformed)
    );
    assert_eq!(
        reason(&Asked {
            chain: &[],
            ..whole
        }),
        Some(Reason::Malformed)
    );
    for staple in [&[0x30, 0][..], &[0x30, 3, 0x0a, 1, 0], &[0xff; 40]] {
        assert_eq!(
            reason(&Asked { staple, ..whole }),
            Some(Reason::RevocationUnknown)
        );
    }
}
