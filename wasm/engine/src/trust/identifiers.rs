//! Key identifiers (RFC 5280 sections 4.2.1.1 and 4.2.1.2). They may be missing, as in many private authorities; what they
//! say must not be wrong.

use super::refusal::{Reason, Refusal};
use super::signatures::{Signatures, Signed};
use crate::pki::certificate::Certificate;
use crate::pki::der::{Elements, Malformed, OCTET_STRING, SEQUENCE};
use crate::pki::extension::ExtensionId;
use crate::pki::name::NameId;

const DIRECTORY_NAME: u8 = 0xa4;

/// AuthorityKeyIdentifier. Of the issuer's name and number it has both or neither.
struct IssuerKey<'a> {
    identifier: Option<&'a [u8]>,
    issuer: Option<(Vec<NameId>, &'a [u8])>,
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
                let names = names.children().flatten();
                let names = names.filter(|it| it.tag == DIRECTORY_NAME);
                let names = names.filter_map(|it| it.children().expect(SEQUENCE).ok());
                Some((names.map(NameId::from).collect(), serial.content))
            }
            (None, None) => None,
            _ => return Err(Malformed),
        };
        Ok(Self { identifier, issuer })
    }

    fn is_of(&self, issuer: &Certificate<'_>) -> bool {
        let is_same_key = match (self.identifier, own_identifier(issuer)) {
            (Some(identifier), Some(own)) => identifier == own,
            _ => true,
        };
        let is_same_certificate = self.issuer.as_ref().is_none_or(|(names, serial)| {
            names.contains(&issuer.issuer()) && *serial == issuer.serial_number()
        });
        is_same_key && is_same_certificate
    }
}

fn own_identifier<'a>(certificate: &Certificate<'a>) -> Option<&'a [u8]> {
    let own = certificate.extension(ExtensionId::SubjectKeyIdentifier)?;
    let own = Elements::new(own.value).expect(OCTET_STRING).ok()?;
    Some(own.content)
}

fn issuer_key<'a>(certificate: &Certificate<'a>) -> Option<Result<IssuerKey<'a>, Malformed>> {
    let extension = certificate.extension(ExtensionId::AuthorityKeyIdentifier)?;
    Some(IssuerKey::read(extension.value))
}

/// Whether the certificate says that its issuer's key is the one of this issuer.
pub fn name_each_other(certificate: &Certificate<'_>, issuer: &Certificate<'_>) -> bool {
    let named = issuer_key(certificate).and_then(|it| it.ok()?.identifier);
    named.is_some() && named == own_identifier(issuer)
}

/// Of a certificate anywhere in a path: whatever its key identifiers say.
pub fn are_readable(certificate: &Certificate<'_>) -> bool {
    certificate.extensions().all(|it| {
        let tag = match it.id() {
            Some(ExtensionId::AuthorityKeyIdentifier) => SEQUENCE,
            Some(ExtensionId::SubjectKeyIdentifier) => OCTET_STRING,
            _ => return true,
        };
        let mut input = Elements::new(it.value);
        input.expect(tag).is_ok() && input.finish().is_ok()
    })
}

/// An anchor that signed itself cannot name another key or certificate as its issuer's: OpenSSL would not take it for self-signed.
pub fn check_anchor(anchor: &Certificate<'_>, signatures: &Signatures<'_>) -> Result<(), Refusal> {
    let Some(key) = issuer_key(anchor) else {
        return Ok(());
    };
    let name = anchor.display_name();
    let refuse = |what| {
        let message = format!("the authorityKeyIdentifier of {name} {what}");
        Err(Refusal::new(Reason::Untrusted, message))
    };
    match key {
        Err(Malformed) => refuse("is malformed"),
        Ok(key) if key.is_of(anchor) || !anchor.is_self_issued() => Ok(()),
        Ok(_) if !signatures.is_signed_by(&Signed::from(anchor), anchor.spki()) => Ok(()),
        Ok(_) => refuse("names another key than the one that it is signed with"),
    }
}
