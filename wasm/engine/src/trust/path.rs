//! The search for a path from the certificate in question to an anchor (RFC 5280 section 6, RFC 4158).

use std::cell::RefCell;

use super::budget::Budget;
use super::certificate_rules::{self, Limits};
use super::confirmation;
use super::identifiers::name_each_other;
use super::name_constraints::{self, MAX_COMPARISONS};
use super::path_rules;
use super::policy::Policy;
use super::refusal::{Reason, Refusal};
use super::revocation;
use super::signatures::Signed;
use crate::pki::certificate::Certificate;

/// Between the certificate in question and the anchor.
const MAX_INTERMEDIATES: usize = 6;
/// Bounds the signatures that are verified by certificates which are not anchors: a server may send any number of them.
const MAX_STRANGERS: usize = 16;

pub struct Search<'a> {
    policy: &'a Policy,
    limits: &'a Limits<'a>,
    /// Those that may stand between; what cannot be read leads nowhere.
    others: Vec<Certificate<'a>>,
    strangers: Budget,
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
        limits: &'a Limits<'a>,
        others: impl Iterator<Item = &'a [u8]>,
    ) -> Self {
        Self {
            policy,
            limits,
            others: others.filter_map(|it| Certificate::read(it).ok()).collect(),
            strangers: Budget::new(MAX_STRANGERS),
            comparisons: Budget::new(MAX_COMPARISONS),
            found: RefCell::new(None),
        }
    }

    /// The first path that is acceptable, from the certificate in question to the anchor, DER.
    pub fn run(self, own: &'a [u8]) -> Result<Vec<Vec<u8>>, Refusal> {
        let certificate = Certificate::read(own).map_err(|_| certificate_rules::unreadable())?;
        certificate_rules::check_certificate(&certificate, self.limits)?;
        certificate_rules::check_handshakes(&certificate)?;
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
        let Some(last) = path.last().cloned() else {
            return false;
        };
        for anchor in self.policy.anchors_named(last.issuer()) {
            let Ok(issuer) = Certificate::read(&anchor.der) else {
                continue;
            };
            if !self.has_signed(&issuer, &last) {
                continue;
            }
            path.push(issuer);
            if self.accept(path, anchor.is_public) {
                return true;
            }
            path.pop();
        }
        let issuers = || {
            self.others
                .iter()
                .filter(|it| it.subject() == last.issuer())
        };
        if path.len() > MAX_INTERMEDIATES {
            if issuers().next().is_some() {
                let message = format!(
                    "more than {MAX_INTERMEDIATES} authorities stand between it and the trust anchors"
                );
                self.note(Refusal::new(Reason::Untrusted, message), false);
            }
            return false;
        }
        // Issuers whose key the certificate names come first, so that others of the same name cost nothing.
        for is_named in [true, false] {
            for issuer in issuers().filter(|it| name_each_other(&last, it) == is_named) {
                if self.go_on(path, &last, issuer) {
                    return true;
                }
            }
        }
        false
    }

    /// Extends the path by an issuer that is no anchor, if it has signed the last of it.
    fn go_on(
        &self,
        path: &mut Vec<Certificate<'a>>,
        last: &Certificate<'a>,
        issuer: &Certificate<'a>,
    ) -> bool {
        let is_loop =
            |it: &Certificate<'_>| it.subject() == issuer.subject() && it.spki() == issuer.spki();
        if path.iter().any(is_loop) {
            return false;
        }
        let is_over = self.strangers.spend(1).map_err(|it| self.note(it, true));
        if is_over.is_err() || !self.has_signed(issuer, last) {
            return false;
        }
        // Worth telling only of one that did issue the certificate.
        if let Err(refusal) = certificate_rules::check_certificate(issuer, self.limits) {
            self.note(refusal, true);
            return false;
        }
        path.push(issuer.clone());
        let is_good = self.extend(path);
        if !is_good {
            path.pop();
        }
        is_good
    }

    /// Of a path with its anchor.
    fn accept(&self, path: &[Certificate<'_>], is_public: bool) -> bool {
        let limits = self.limits;
        let checked = path_rules::check_path(path, limits)
            .and_then(|()| check_public(path, is_public))
            .and_then(|()| name_constraints::check(path, &self.comparisons))
            .and_then(|()| revocation::check(path, self.policy.lists(), limits))
            .and_then(|()| confirmation::check(path, limits));
        match checked {
            Ok(()) => true,
            Err(refusal) => {
                self.note(refusal, true);
                false
            }
        }
    }

    fn has_signed(&self, issuer: &Certificate<'_>, certificate: &Certificate<'_>) -> bool {
        let signatures = self.limits.signatures;
        match signatures.verify(&Signed::from(certificate), issuer.spki()) {
            Ok(Ok(())) => return true,
            Ok(Err(message)) => {
                let message = format!("{} {message}", certificate.display_name());
                self.note(Refusal::new(Reason::Untrusted, message), false);
            }
            Err(refusal) => self.note(refusal, true),
        }
        false
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

/// Applies the rules that hold only for chains to public authorities.
fn check_public(path: &[Certificate<'_>], is_public: bool) -> Result<(), Refusal> {
    match path.split_last() {
        Some((_, below)) if is_public => below.iter().try_for_each(certificate_rules::check_public),
        _ => Ok(()),
    }
}
