//! Certificates, a revocation list and OCSP responses as openssl writes them, with random damage: every one is taken for an
//! answer, and none is trusted for its damage.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod hosts;
mod support;

use hosts::Forgetful;
use mtls_engine::trust::evaluate::evaluate_encoded;
use mtls_engine::trust::refusal::Reason;
use mtls_engine::wire::Writer;
use support::Random;

/// `O=Tests`: a root with every field in its authorityKeyIdentifier, an authority with name constraints of every kind, a certificate
/// with every kind of name, all valid from 2026 to 2050; of the authority a list (with an issuingDistributionPoint) that lacks
/// the certificate, and two responses about it.
const ROOT: &[u8] = include_bytes!("data/root.der");
const MIDDLE: &[u8] = include_bytes!("data/middle.der");
const LEAF: &[u8] = include_bytes!("data/leaf.der");
const LIST: &[u8] = include_bytes!("data/list.crl");
const GOOD: &[u8] = include_bytes!("data/good.ocsp");
const REVOKED: &[u8] = include_bytes!("data/revoked.ocsp");

const INPUTS: usize = 2_500;
const NOW: u32 = 1_800_000_000;

#[derive(Clone, Copy)]
struct Asked<'a> {
    root: &'a [u8],
    middle: &'a [u8],
    leaf: &'a [u8],
    list: &'a [u8],
    staple: &'a [u8],
}

const REAL: Asked<'_> = Asked {
    root: ROOT,
    middle: MIDDLE,
    leaf: LEAF,
    list: LIST,
    staple: GOOD,
};

/// `None`: trusted.
fn reason(asked: &Asked<'_>) -> Option<Reason> {
    let policy = Writer::default()
        .list([asked.root].iter())
        .list([asked.list].iter())
        .u32(0)
        .finish();
    let pins = Writer::default().u8(0).u32(0).finish();
    let demand = Writer::default()
        .str("a.server.example")
        .u32(NOW)
        .u32(0)
        .u8(0)
        .bytes(asked.staple)
        .bytes(&pins)
        .u8(u8::MAX)
        .finish();
    let encoded = Writer::default()
        .bytes(&policy)
        .list([asked.leaf, asked.middle].iter())
        .bytes(&demand)
        .finish();
    let found = evaluate_encoded(&encoded, &Forgetful).unwrap();
    found.refusal.map(|it| it.reason)
}

/// What becomes of damaged copies of `seed`.
fn damaged(seed: &[u8], random: u64, ask: impl Fn(&[u8]) -> Option<Reason>) -> Vec<Option<Reason>> {
    let mut random = Random(random);
    let mut outcomes = Vec::new();
    while outcomes.len() < INPUTS {
        let bytes = random.mutated(seed);
        if bytes != seed && !bytes.is_empty() {
            outcomes.push(ask(&bytes));
        }
    }
    outcomes
}

fn count(outcomes: &[Option<Reason>], wanted: Option<Reason>) -> usize {
    outcomes.iter().filter(|it| **it == wanted).count()
}

#[test]
fn undamaged_they_are_what_they_say() {
    assert_eq!(reason(&REAL), None);
    let revoked = Asked {
        staple: REVOKED,
        ..REAL
    };
    assert_eq!(reason(&revoked), Some(Reason::Revoked));
}

#[test]
fn no_damaged_certificate_is_trusted() {
    let leaf = damaged(LEAF, 1, |leaf| reason(&Asked { leaf, ..REAL }));
    assert_eq!(count(&leaf, None), 0);
    let middle = damaged(MIDDLE, 2, |middle| reason(&Asked { middle, ..REAL }));
    assert_eq!(count(&middle, None), 0);
}

/// Nobody signs for an anchor, so that some damage makes no difference.
#[test]
fn a_damaged_anchor_is_read_or_refused() {
    let outcomes = damaged(ROOT, 3, |root| reason(&Asked { root, ..REAL }));
    assert!(count(&outcomes, Some(Reason::Malformed)) > INPUTS / 10);
    assert!(count(&outcomes, Some(Reason::Untrusted)) > INPUTS / 100);
}

#[test]
fn a_damaged_list_is_of_no_use() {
    let outcomes = damaged(LIST, 4, |list| reason(&Asked { list, ..REAL }));
    let malformed = count(&outcomes, Some(Reason::Malformed));
    let unsigned = count(&outcomes, Some(Reason::RevocationUnknown));
    assert!(
        malformed > INPUTS / 10 && unsigned > INPUTS / 20,
        "{malformed} {unsigned}"
    );
    // A list that names another issuer, or another distribution point, is a list about others.
    let of_others = count(&outcomes, None);
    assert_eq!(malformed + unsigned + of_others, INPUTS);
}

#[test]
fn no_damage_makes_a_response_that_revokes_a_good_one() {
    let outcomes = damaged(REVOKED, 5, |staple| reason(&Asked { staple, ..REAL }));
    let unknown = count(&outcomes, Some(Reason::RevocationUnknown));
    assert!(unknown > INPUTS / 2);
    // The certificates in a response are not under its signature.
    assert_eq!(unknown + count(&outcomes, Some(Reason::Revoked)), INPUTS);
    let good = damaged(GOOD, 6, |staple| reason(&Asked { staple, ..REAL }));
    let unknown = count(&good, Some(Reason::RevocationUnknown));
    assert!(unknown > INPUTS / 2);
    assert_eq!(unknown + count(&good, None), INPUTS);
}
