//! Key identifiers (RFC 5280 sections 4.2.1.1 and 4.2.1.2). They may be missing, as in many private authorities; what they
//! say must not be wrong.

use super::certificate_rules::is_ce;
use super::refusal::{Reason, Refusal};
use super::signatures::{is_signed_by, Signed};
use crate::pki::certificate::Certificate;
use crate::pki::der::{Elements, Malformed, OCTET_STRING, SEQUENCE};

const SUBJECT_KEY_IDENTIFIER: u8 = 14;
const AUTHORITY_KEY_IDENTIFIER: u8 = 35;
const DIRECTORY_NAME: u8 = 0xa4;

/// AuthorityKeyIdentifier. Of the issuer's name and number it has both or neither.
struct IssuerKey<'a> {
    identifier: Option<&'a [u8]>,
    issuer: Option<(Vec<&'a [u8]>, &'a [u8])>,
}

impl<'a> IssuerKey<'a> {
    fn read(value: &'a [u8]) -> Result<Self, Malformed> {
        let mut fields = Elements::new(value).expect(SEQUENCE)?.children();
        let identifier = fields.optional(0x80)?.map(|it| it.content);
        let names = fields.optional(0xa1)?;
        let serial = fields.optional(0x82)?;
        fields.finish()?;
        let issuer = match (names, serial) {
            (Some(names), Some(serial)) => {
                let directory_names = names.children().flatten();
                let directory_names = directory_names.filter(|it| it.tag == DIRECTORY_NAME);
                Some((
                    directory_names.map(|it| it.content).collect(),
                    serial.content,
                ))
            }
            (None, None) => None,
            _ => return Err(Malformed),
        };
        Ok(Self { identifier, issuer })
    }

    fn is_of(&self, issuer: &Certificate<'_>) -> bool {
        let own = issuer
            .extensions()
            .find(|it| is_ce(it, SUBJECT_KEY_IDENTIFIER));
        let own = own.and_then(|it| Elements::new(it.value).expect(OCTET_STRING).ok());
        let is_same_key = match (self.identifier, own) {
            (Some(identifier), Some(own)) => identifier == own.content,
            _ => true,
        };
        let is_same_certificate = self.issuer.as_ref().is_none_or(|(names, serial)| {
            names.contains(&issuer.issuer()) && *serial == issuer.serial_number()
        });
        is_same_key && is_same_certificate
    }
}

/// Of a certificate anywhere in a path: whatever its key identifiers say.
pub fn are_readable(certificate: &Certificate<'_>) -> bool {
    certificate.extensions().all(|it| {
        let tag = if is_ce(&it, AUTHORITY_KEY_IDENTIFIER) {
            SEQUENCE
        } else if is_ce(&it, SUBJECT_KEY_IDENTIFIER) {
            OCTET_STRING
        } else {
            return true;
        };
        let mut input = Elements::new(it.value);
        input.expect(tag).is_ok() && input.finish().is_ok()
    })
}

/// An anchor that signed itself cannot name another key or certificate as its issuer's: OpenSSL would not take it for self-signed.
pub fn check_anchor(anchor: &Certificate<'_>) -> Result<(), Refusal> {
    let Some(extension) = anchor
        .extensions()
        .find(|it| is_ce(it, AUTHORITY_KEY_IDENTIFIER))
    else {
        return Ok(());
    };
    let name = anchor.display_name();
    let refuse = |what| {
        let message = format!("the authorityKeyIdentifier of {name} {what}");
        Err(Refusal::new(Reason::Untrusted, message))
    };
    match IssuerKey::read(extension.value) {
        Err(Malformed) => refuse("is malformed"),
        Ok(key) if key.is_of(anchor) || !is_self_signed(anchor) => Ok(()),
        Ok(_) => refuse("names another key than the one that it is signed with"),
    }
}

fn is_self_signed(certificate: &Certificate<'_>) -> bool {
    certificate.is_self_issued() && is_signed_by(&Signed::from(certificate), certificate.spki())
}
