//! Name constraints (RFC 5280 section 4.2.1.10): the names that an authority may certify.
//!
//! What cannot be compared is refused: a kind of name that is unknown here, a name or a constraint that is malformed.

use super::budget::Budget;
use super::name_forms::{self, Side, Unreadable};
use super::refusal::{Reason, Refusal};
use crate::pki::certificate::Certificate;
use crate::pki::der::{Element, Elements, Malformed, SEQUENCE};
use crate::pki::extension::ExtensionId;

const PERMITTED: u8 = 0xa0;
const EXCLUDED: u8 = 0xa1;
/// Bounds one evaluation: names times constraints.
pub const MAX_COMPARISONS: usize = 250_000;

/// Of a path, the certificate in question first: every name below an issuer has to be within that issuer's constraints. Issuers that
/// certify themselves anew are free of them.
pub fn check(path: &[Certificate<'_>], budget: &Budget) -> Result<(), Refusal> {
    for (at, issuer) in path.iter().enumerate().skip(1) {
        let Some(constraints) = Constraints::of(issuer).map_err(|_| malformed(issuer))? else {
            continue;
        };
        for (depth, below) in path.iter().take(at).enumerate() {
            if depth > 0 && below.is_self_issued() {
                continue;
            }
            let names = names_of(below).map_err(|_| malformed_name(below))?;
            for name in &names {
                constraints.check(name, Pair { below, issuer }, budget)?;
            }
        }
    }
    Ok(())
}

#[derive(Clone, Copy)]
struct Pair<'a, 'b> {
    below: &'a Certificate<'b>,
    issuer: &'a Certificate<'b>,
}

struct Constraints<'a> {
    permitted: Vec<Element<'a>>,
    excluded: Vec<Element<'a>>,
}

impl<'a> Constraints<'a> {
    fn of(issuer: &Certificate<'a>) -> Result<Option<Self>, Malformed> {
        let Some(extension) = issuer.extension(ExtensionId::NameConstraints) else {
            return Ok(None);
        };
        let mut input = Elements::new(extension.value);
        let mut fields = input.expect(SEQUENCE)?.children();
        input.finish()?;
        let permitted = subtrees(fields.optional(PERMITTED)?)?;
        let excluded = subtrees(fields.optional(EXCLUDED)?)?;
        fields.finish()?;
        Ok(Some(Self {
            permitted,
            excluded,
        }))
    }

    fn check(
        &self,
        name: &Element<'_>,
        pair: Pair<'_, '_>,
        budget: &Budget,
    ) -> Result<(), Refusal> {
        let matches = |base: &Element<'_>, side| {
            budget.spend(1)?;
            name_forms::is_within(name, base, side).map_err(|Unreadable| {
                let issuer = pair.issuer.display_name();
                let below = pair.below.display_name();
                Refusal::new(
                    Reason::Untrusted,
                    format!("{below} has a name, or {issuer} a name constraint (nameConstraints), that is malformed or of an unknown kind"),
                )
            })
        };
        let same_kind = |base: &&Element<'_>| name_forms::is_same_kind(name, base);
        for base in self.excluded.iter().filter(same_kind) {
            if matches(base, Side::Excluded)? {
                return Err(outside(pair));
            }
        }
        let mut is_constrained = false;
        for base in self.permitted.iter().filter(same_kind) {
            if matches(base, Side::Permitted)? {
                return Ok(());
            }
            is_constrained = true;
        }
        if is_constrained {
            return Err(outside(pair));
        }
        Ok(())
    }
}

/// The bases of GeneralSubtrees. Their minimum and maximum must not be there.
fn subtrees(tagged: Option<Element<'_>>) -> Result<Vec<Element<'_>>, Malformed> {
    let Some(tagged) = tagged else {
        return Ok(Vec::new());
    };
    let mut bases = Vec::new();
    for subtree in tagged.children() {
        let subtree = subtree?;
        if subtree.tag != SEQUENCE {
            return Err(Malformed);
        }
        let mut fields = subtree.children();
        bases.push(fields.any()?);
        fields.finish()?;
    }
    Ok(bases)
}

/// The alternative names, the subject as a directory name, and the mail addresses in the subject of a certificate without
/// alternative names.
fn names_of<'a>(certificate: &Certificate<'a>) -> Result<Vec<Element<'a>>, Malformed> {
    let mut names = certificate.general_names()?;
    if names.is_empty() {
        names.extend(name_forms::mail_addresses(certificate.subject_element())?);
    }
    if !certificate.has_empty_subject() {
        names.push(name_forms::as_directory_name(certificate.subject_element()));
    }
    Ok(names)
}

fn outside(pair: Pair<'_, '_>) -> Refusal {
    Refusal::new(
        Reason::Untrusted,
        format!(
            "a name in {} is outside of what {} may certify (nameConstraints)",
            pair.below.display_name(),
            pair.issuer.display_name()
        ),
    )
}

fn malformed(issuer: &Certificate<'_>) -> Refusal {
    let name = issuer.display_name();
    Refusal::new(
        Reason::Untrusted,
        format!("the name constraints of {name} (nameConstraints) are malformed"),
    )
}

fn malformed_name(certificate: &Certificate<'_>) -> Refusal {
    let name = certificate.display_name();
    Refusal::new(
        Reason::Untrusted,
        format!("the alternative names of {name} are malformed"),
    )
}
