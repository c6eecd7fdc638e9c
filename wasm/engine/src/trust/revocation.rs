//! Certificate revocation lists (RFC 5280 sections 5 and 6.3). webpki reads them and their entries; here is which list speaks for
//! which certificate, and whether it may be believed.

use webpki::{BorrowedCertRevocationList, CertRevocationList, Error};

use super::certificate_rules::Limits;
use super::refusal::{Reason, Refusal};
use super::signatures::{Signatures, Signed};
use crate::pki::certificate::{time, Certificate, KeyUsageBit};
use crate::pki::der::{bit_string, Element, Elements, Malformed, BIT_STRING, INTEGER, SEQUENCE};
use crate::pki::extension::{Extension, ExtensionId};
use crate::pki::name::NameId;

const EXTENSIONS: u8 = 0xa0;
const DIRECTORY_NAME: u8 = 0xa4;

/// A list that can be used, whoever's it is.
#[derive(Debug)]
pub struct RevocationList {
    der: Vec<u8>,
    /// YYYYMMDDHHMMSSZ
    issued: String,
}

impl RevocationList {
    pub fn new(der: &[u8]) -> Result<Self, Refusal> {
        BorrowedCertRevocationList::from_der(der).map_err(|error| {
            unusable(match error {
                Error::UnsupportedCrlVersion => "it is not of version 2",
                Error::UnsupportedDeltaCrl => "it is a delta list",
                Error::UnsupportedIndirectCrl => "it is an indirect list",
                Error::UnsupportedCriticalExtension => {
                    "it has a critical extension that is unknown here"
                }
                _ => "it is not encoded as RFC 5280 wants it",
            })
        })?;
        let content = Content::read(der)
            .map_err(|_| unusable("its date cannot be read, or its number is critical"))?;
        Ok(Self {
            issued: content.issued,
            der: der.to_vec(),
        })
    }

    pub fn is_older_than(&self, other: &Self) -> bool {
        self.issued < other.issued
    }
}

fn unusable(why: &str) -> Refusal {
    let message = format!("a certificate revocation list cannot be used: {why}");
    Refusal::new(Reason::Malformed, message)
}

/// Of a path, the certificate in question first: none of them on the list that speaks for it. `lists`, the newest first.
pub fn check(
    path: &[Certificate<'_>],
    lists: &[RevocationList],
    limits: &Limits<'_>,
) -> Result<(), Refusal> {
    for (certificate, issuer) in path.iter().zip(path.iter().skip(1)) {
        let contents = lists.iter().filter_map(|it| Content::read(&it.der).ok());
        let list = contents
            .filter(|it| it.issuer == certificate.issuer())
            .find(|it| it.speaks_for(certificate));
        if let Some(list) = list {
            list.check_issuer(issuer, limits.signatures)?;
            list.check_date(certificate, limits.now)?;
            list.check_entry(certificate)?;
        }
    }
    Ok(())
}

struct Content<'a> {
    der: &'a [u8],
    signed: Signed<'a>,
    issuer: NameId,
    issued: String,
    next: String,
    scope: Option<Scope>,
}

/// IssuingDistributionPoint (RFC 5280 section 5.2.5), of lists that are for all reasons and not indirect.
struct Scope {
    users_only: bool,
    authorities_only: bool,
    /// `None`: of whatever distribution point.
    names: Option<Vec<NameId>>,
}

impl<'a> Content<'a> {
    /// Fails where the number is critical, which it must not be (section 5.2.3).
    fn read(der: &'a [u8]) -> Result<Self, Malformed> {
        let mut outer = Elements::new(der).expect(SEQUENCE)?.children();
        let to_be_signed = outer.expect(SEQUENCE)?;
        let algorithm = outer.expect(SEQUENCE)?.content;
        let signature = bit_string(outer.expect(BIT_STRING)?)?;
        let mut fields = to_be_signed.children();
        fields.optional(INTEGER)?;
        fields.expect(SEQUENCE)?;
        let issuer = fields.expect(SEQUENCE)?.into();
        let (issued, next) = (time(fields.any()?)?, time(fields.any()?)?);
        fields.optional(SEQUENCE)?;
        let mut scope = None;
        if let Some(tagged) = fields.optional(EXTENSIONS)? {
            for extension in tagged.children().expect(SEQUENCE)?.children() {
                let extension = Extension::read(extension?)?;
                if extension.is(ExtensionId::CrlNumber) && extension.critical {
                    return Err(Malformed);
                }
                if extension.is(ExtensionId::IssuingDistributionPoint) {
                    scope = Some(Scope::read(extension.value)?);
                }
            }
        }
        Ok(Self {
            der,
            signed: Signed {
                message: to_be_signed.whole,
                algorithm,
                signature,
            },
            issuer,
            issued,
            next,
            scope,
        })
    }

    fn speaks_for(&self, certificate: &Certificate<'_>) -> bool {
        self.scope.as_ref().is_none_or(|it| it.holds(certificate))
    }

    fn check_issuer(
        &self,
        issuer: &Certificate<'_>,
        signatures: &Signatures<'_>,
    ) -> Result<(), Refusal> {
        let name = issuer.display_name();
        if !issuer.may(KeyUsageBit::CrlSign) {
            return unknown(format!(
                "{name} may not sign revocation lists: its key usage lacks cRLSign"
            ));
        }
        if !signatures.is_signed_by(&self.signed, issuer.spki()) {
            return unknown(format!("the revocation list of {name} is not signed by it"));
        }
        Ok(())
    }

    fn check_date(&self, certificate: &Certificate<'_>, now: &str) -> Result<(), Refusal> {
        if now >= self.next.as_str() {
            let name = certificate.display_name();
            return unknown(format!("the revocation list for {name} is out of date"));
        }
        Ok(())
    }

    fn check_entry(&self, certificate: &Certificate<'_>) -> Result<(), Refusal> {
        let name = certificate.display_name();
        let list = BorrowedCertRevocationList::from_der(self.der).map(CertRevocationList::from);
        match list.and_then(|it| {
            it.find_serial(certificate.serial_number())
                .map(|it| it.is_some())
        }) {
            Ok(false) => Ok(()),
            Ok(true) => Err(Refusal::new(
                Reason::Revoked,
                format!("a given revocation list has {name}"),
            )),
            Err(_) => unknown(format!(
                "an entry of the revocation list for {name} cannot be read"
            )),
        }
    }
}

fn unknown<T>(message: String) -> Result<T, Refusal> {
    Err(Refusal::new(Reason::RevocationUnknown, message))
}

impl Scope {
    fn read(value: &[u8]) -> Result<Self, Malformed> {
        let mut fields = Elements::new(value).expect(SEQUENCE)?.children();
        let names = fields.optional(0xa0)?.map(full_names).transpose()?;
        let mut flag = |tag| -> Result<bool, Malformed> {
            Ok(fields.optional(tag)?.is_some_and(|it| it.content != [0]))
        };
        Ok(Self {
            users_only: flag(0x81)?,
            authorities_only: flag(0x82)?,
            names,
        })
    }

    /// A certificate that names no distribution point is in every one.
    fn holds(&self, certificate: &Certificate<'_>) -> bool {
        let is_authority = certificate.is_authority();
        if is_authority && self.users_only || !is_authority && self.authorities_only {
            return false;
        }
        let points = certificate.extension(ExtensionId::CrlDistributionPoints);
        match (&self.names, points) {
            (Some(names), Some(points)) => distribution_points(points.value)
                .is_ok_and(|points| points.iter().any(|it| names.contains(it))),
            _ => true,
        }
    }
}

/// The names of a DistributionPointName that is a full name: those of directories in the form in which they are compared.
fn full_names(name: Element<'_>) -> Result<Vec<NameId>, Malformed> {
    let mut names = Vec::new();
    if let Some(full) = name.children().optional(0xa0)? {
        for name in full.children() {
            let name = name?;
            names.push(match name.tag {
                DIRECTORY_NAME => name.children().expect(SEQUENCE)?.into(),
                _ => name.into(),
            });
        }
    }
    Ok(names)
}

/// The names of those that are for all reasons and have the certificate's own issuer (RFC 5280 section 4.2.1.13).
fn distribution_points(value: &[u8]) -> Result<Vec<NameId>, Malformed> {
    let mut all = Vec::new();
    for point in Elements::new(value).expect(SEQUENCE)?.children() {
        let mut fields = point?.children();
        if let Some(name) = fields.optional(0xa0)? {
            if fields.is_empty() {
                all.extend(full_names(name)?);
            }
        }
    }
    Ok(all)
}
