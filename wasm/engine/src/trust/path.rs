//! The search for a path from the certificate in question to an anchor (RFC 5280 section 6, RFC 4158).

use std::cell::{Cell, RefCell};

use super::certificate_rules::{self, Limits};
use super::confirmation;
use super::name_constraints::{self, Budget};
use super::path_rules;
use super::policy::Policy;
use super::refusal::{Reason, Refusal};
use super::revocation;
use super::signatures::{self, Signed};
use crate::pki::certificate::Certificate;

/// Between the certificate in question and the anchor.
const MAX_INTERMEDIATES: usize = 6;
/// Of one search: real chains need a few, and what needs more is made to waste time.
const MAX_SIGNATURES: usize = 100;

pub struct Search<'a> {
    policy: &'a Policy,
    limits: Limits<'a>,
    /// Those that may stand between; what cannot be read leads nowhere.
    others: Vec<Certificate<'a>>,
    signatures_left: Cell<usize>,
    comparisons: Budget,
    found: RefCell<Option<Finding>>,
}

/// Why a path was not taken: what is wrong with a path or its certificates says more than that of two names one has signed.
struct Finding {
    is_about_path: bool,
    refusal: Refusal,
}

impl<'a> Search<'a> {
    pub fn new(
        policy: &'a Policy,
        limits: Limits<'a>,
        others: impl Iterator<Item = &'a [u8]>,
    ) -> Self {
        Self {
            policy,
            limits,
            others: others.filter_map(|it| Certificate::read(it).ok()).collect(),
            signatures_left: Cell::new(MAX_SIGNATURES),
            comparisons: Budget::default(),
            found: RefCell::new(None),
        }
    }

    /// The first path that is acceptable, from the certificate in question to the anchor, DER.
    pub fn run(self, own: &'a [u8]) -> Result<Vec<Vec<u8>>, Refusal> {
        let certificate = Certificate::read(own).map_err(|_| certificate_rules::unreadable())?;
        certificate_rules::check_certificate(&certificate, &self.limits)?;
        let mut path = vec![certificate];
        if self.extend(&mut path) {
            return Ok(path.iter().map(|it| it.der().to_vec()).collect());
        }
        match self.found.take() {
            Some(Finding { refusal, .. }) => Err(refusal),
            None => Err(self.unknown_issuer(path.first())),
        }
    }

    /// Whether it could be led to an anchor.
    fn extend(&self, path: &mut Vec<Certificate<'a>>) -> bool {
        let Some(issuer) = path.last().map(Certificate::issuer) else {
            return false;
        };
        for anchor in self.policy.anchors_named(issuer) {
            if self.step(path, anchor, |path| self.accept(path)) {
                return true;
            }
        }
        if path.len() > MAX_INTERMEDIATES {
            if self.others.iter().any(|it| it.subject() == issuer) {
                let message = format!(
                    "more than {MAX_INTERMEDIATES} authorities stand between it and the trust anchors"
                );
                self.note(Refusal::new(Reason::Untrusted, message), false);
            }
            return false;
        }
        for other in self.others.iter().filter(|it| it.subject() == issuer) {
            let is_loop =
                |it: &Certificate<'_>| it.subject() == other.subject() && it.spki() == other.spki();
            if path.iter().any(is_loop) {
                continue;
            }
            match certificate_rules::check_certificate(other, &self.limits) {
                Ok(()) if self.step(path, other.clone(), |path| self.extend(path)) => return true,
                Ok(()) => {}
                // Worth telling only of one that did issue the certificate.
                Err(refusal) => {
                    if path.last().is_some_and(|it| self.has_signed(other, it)) {
                        self.note(refusal, true);
                    }
                }
            }
        }
        false
    }

    /// Goes on with an issuer, if it has signed the last of the path.
    fn step(
        &self,
        path: &mut Vec<Certificate<'a>>,
        issuer: Certificate<'a>,
        go_on: impl Fn(&mut Vec<Certificate<'a>>) -> bool,
    ) -> bool {
        if !path.last().is_some_and(|it| self.has_signed(&issuer, it)) {
            return false;
        }
        path.push(issuer);
        let is_good = go_on(path);
        if !is_good {
            path.pop();
        }
        is_good
    }

    /// Of a path with its anchor.
    fn accept(&self, path: &[Certificate<'_>]) -> bool {
        let checked = path_rules::check_path(path, &self.limits)
            .and_then(|()| name_constraints::check(path, &self.comparisons))
            .and_then(|()| revocation::check(path, self.policy.lists(), self.limits.now))
            .and_then(|()| confirmation::check(path, &self.limits));
        match checked {
            Ok(()) => true,
            Err(refusal) => {
                self.note(refusal, true);
                false
            }
        }
    }

    fn has_signed(&self, issuer: &Certificate<'_>, certificate: &Certificate<'_>) -> bool {
        let Some(left) = self.signatures_left.get().checked_sub(1) else {
            let message = "the chain is too complicated to be honest";
            self.note(Refusal::new(Reason::Untrusted, message), true);
            return false;
        };
        self.signatures_left.set(left);
        match signatures::verify(&Signed::from(certificate), issuer.spki()) {
            Ok(()) => true,
            Err(message) => {
                let message = format!("{} {message}", certificate.display_name());
                self.note(Refusal::new(Reason::Untrusted, message), false);
                false
            }
        }
    }

    fn note(&self, refusal: Refusal, is_about_path: bool) {
        let mut found = self.found.borrow_mut();
        if found
            .as_ref()
            .is_none_or(|it| is_about_path && !it.is_about_path)
        {
            *found = Some(Finding {
                is_about_path,
                refusal,
            });
        }
    }

    fn unknown_issuer(&self, own: Option<&Certificate<'_>>) -> Refusal {
        let message = "it leads to none of the trust anchors (option trust.anchors)";
        Refusal::new(
            Reason::Untrusted,
            match self.others.last().or(own) {
                Some(last) => format!("{message}; the last issuer named is {}", last.issuer_name()),
                None => message.into(),
            },
        )
    }
}
