//! Stapled OCSP responses (RFC 6960, RFC 6066 section 8), and certificates that demand one (RFC 7633).

use super::asn1_time::{from_unix, readable};
use super::certificate_rules::{check_encoding, check_profile};
use super::refusal::{Reason, Refusal};
use super::signatures::{Signatures, Signed};
use crate::pki::certificate::{time, Certificate, KeyUsageBit};
use crate::pki::der::{
    bit_string, dotted, Element, Elements, Malformed, BIT_STRING, GENERALIZED_TIME, INTEGER,
    OBJECT_IDENTIFIER, OCTET_STRING, SEQUENCE,
};
use crate::pki::extension::Extension;
use crate::pki::hash::Hash;

const ENUMERATED: u8 = 0x0a;
/// id-pkix-ocsp-basic
const BASIC: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 0x30, 1, 1];
const OCSP_SIGNING: &str = "1.3.6.1.5.5.7.3.9";

/// What the clocks of a responder and of this device may differ by.
const CLOCK_SKEW_SECONDS: u64 = 300;
/// How long a response is good that does not say so itself: as long as public authorities may let one be good.
const MAX_AGE_SECONDS: u64 = 10 * 86_400;

/// Whose signatures are verified. Real responses have one; more are there to waste time.
const MAX_RESPONDERS: usize = 5;

pub struct Staple<'a> {
    /// Empty: none.
    pub response: &'a [u8],
    /// DER, verified, the server's own certificate first.
    pub path: &'a [Vec<u8>],
    /// Seconds since 1970.
    pub at: u64,
    pub signatures: &'a Signatures<'a>,
}

/// Whether the response says that the first certificate of the path is good. Without a response only a certificate that
/// demands one is refused.
pub fn check(staple: &Staple<'_>) -> Result<(), Refusal> {
    let Some(own) = staple.path.first() else {
        return Ok(());
    };
    let own = Certificate::read(own).map_err(|_| unknown("the certificate cannot be read"))?;
    if staple.response.is_empty() {
        return if own.must_staple() {
            Err(unknown(
                "the certificate demands a stapled OCSP response (must-staple), and the server sent none",
            ))
        } else {
            Ok(())
        };
    }
    // The path of a server that is its own anchor ends with itself.
    let issuer = staple.path.get(1).or(staple.path.first());
    let issuer = issuer.and_then(|der| Certificate::read(der).ok());
    let issuer = issuer.ok_or_else(|| unknown("the issuer's certificate cannot be read"))?;
    let response = Response::read(staple.response)
        .map_err(|_| unknown("the stapled OCSP response cannot be read"))?
        .ok_or_else(|| unknown("the stapled OCSP response is only an error message"))?;
    response.verify(&issuer, staple)?;
    let single = response
        .singles
        .iter()
        .find(|it| it.is_about(&own, &issuer))
        .ok_or_else(|| unknown("the stapled OCSP response is about other certificates"))?;
    single.check(staple.at)
}

fn unknown(message: impl Into<String>) -> Refusal {
    Refusal::new(Reason::RevocationUnknown, message)
}

struct Response<'a> {
    signed: Signed<'a>,
    singles: Vec<Single<'a>>,
    /// Certificates that came with it, of the responder.
    certificates: Vec<&'a [u8]>,
}

struct Single<'a> {
    hash: Option<Hash>,
    issuer_name_hash: &'a [u8],
    issuer_key_hash: &'a [u8],
    serial: &'a [u8],
    status: Status,
    this_update: String,
    next_update: Option<String>,
}

enum Status {
    Good,
    /// Since when.
    Revoked(String),
    Unknown,
}

impl<'a> Response<'a> {
    /// `None`: the responder had no answer.
    fn read(bytes: &'a [u8]) -> Result<Option<Self>, Malformed> {
        let mut input = Elements::new(bytes);
        let mut outer = input.expect(SEQUENCE)?.children();
        input.finish()?;
        let successful = outer.expect(ENUMERATED)?.content == [0];
        let Some(tagged) = outer.optional(0xa0)? else {
            return Ok(None);
        };
        if !successful {
            return Ok(None);
        }
        let mut fields = tagged.children().expect(SEQUENCE)?.children();
        if fields.expect(OBJECT_IDENTIFIER)?.content != BASIC {
            return Err(Malformed);
        }
        let mut basic = Elements::new(fields.expect(OCTET_STRING)?.content);
        let response = Self::read_basic(basic.expect(SEQUENCE)?)?;
        basic.finish()?;
        Ok(Some(response))
    }

    fn read_basic(basic: Element<'a>) -> Result<Self, Malformed> {
        let mut fields = basic.children();
        let data = fields.expect(SEQUENCE)?;
        let algorithm = fields.expect(SEQUENCE)?.content;
        let signature = bit_string(fields.expect(BIT_STRING)?)?;
        let mut certificates = Vec::new();
        if let Some(tagged) = fields.optional(0xa0)? {
            for certificate in tagged.children().expect(SEQUENCE)?.children() {
                certificates.push(certificate?.whole);
            }
        }
        fields.finish()?;
        Ok(Self {
            signed: Signed {
                message: data.whole,
                algorithm,
                signature,
            },
            singles: read_data(data)?,
            certificates,
        })
    }

    /// Signed by the issuer itself, or by one to whom it gave a certificate for that (RFC 6960 section 4.2.2.2).
    fn verify(&self, issuer: &Certificate<'_>, staple: &Staple<'_>) -> Result<(), Refusal> {
        let signatures = staple.signatures;
        if signatures.is_signed_by(&self.signed, issuer.spki()) {
            return Ok(());
        }
        let now = from_unix(staple.at);
        let delegated = self
            .certificates
            .iter()
            .filter_map(|der| Certificate::read(der).ok())
            .filter(|it| may_be_responder(it, issuer, &now))
            .take(MAX_RESPONDERS)
            .filter(|it| signatures.is_signed_by(&Signed::from(it), issuer.spki()));
        for responder in delegated {
            if signatures.is_signed_by(&self.signed, responder.spki()) {
                return Ok(());
            }
        }
        Err(unknown(
            "the stapled OCSP response is signed neither by the certificate's issuer nor by a responder that it appointed",
        ))
    }
}

/// But for the issuer's signature.
fn may_be_responder(candidate: &Certificate<'_>, issuer: &Certificate<'_>, now: &str) -> bool {
    candidate.issuer() == issuer.subject()
        && candidate
            .extended_key_usage()
            .is_some_and(|usages| usages.iter().any(|it| it == OCSP_SIGNING))
        && candidate.may(KeyUsageBit::DigitalSignature)
        && check_encoding(candidate).is_ok()
        && check_profile(candidate).is_ok()
        && candidate.not_before() <= now
        && now <= candidate.not_after()
}

/// ResponseData (RFC 6960 section 4.2.1).
fn read_data(data: Element<'_>) -> Result<Vec<Single<'_>>, Malformed> {
    let mut fields = data.children();
    fields.optional(0xa0)?;
    // ResponderID: whose it is shows in the signature.
    fields.any()?;
    fields.expect(GENERALIZED_TIME)?;
    let singles = fields.expect(SEQUENCE)?;
    check_extensions(&mut fields)?;
    singles.children().map(|it| Single::read(it?)).collect()
}

/// None of them is understood here, so none may be critical (RFC 6960 section 4.4).
fn check_extensions(fields: &mut Elements<'_>) -> Result<(), Malformed> {
    if let Some(tagged) = fields.optional(0xa1)? {
        for extension in tagged.children().expect(SEQUENCE)?.children() {
            if Extension::read(extension?)?.critical {
                return Err(Malformed);
            }
        }
    }
    fields.finish()
}

impl<'a> Single<'a> {
    fn read(single: Element<'a>) -> Result<Self, Malformed> {
        let mut fields = single.children();
        let mut id = fields.expect(SEQUENCE)?.children();
        let status = fields.any()?;
        let this_update = time(fields.expect(GENERALIZED_TIME)?)?;
        let next_update = match fields.optional(0xa0)? {
            Some(tagged) => Some(time(tagged.children().expect(GENERALIZED_TIME)?)?),
            None => None,
        };
        check_extensions(&mut fields)?;
        Ok(Self {
            hash: read_hash(id.expect(SEQUENCE)?)?,
            issuer_name_hash: id.expect(OCTET_STRING)?.content,
            issuer_key_hash: id.expect(OCTET_STRING)?.content,
            serial: id.expect(INTEGER)?.content,
            status: match status.tag {
                0x80 => Status::Good,
                0xa1 => Status::Revoked(time(status.children().expect(GENERALIZED_TIME)?)?),
                _ => Status::Unknown,
            },
            this_update,
            next_update,
        })
    }

    fn is_about(&self, certificate: &Certificate<'_>, issuer: &Certificate<'_>) -> bool {
        let (Some(hash), Ok(key)) = (self.hash, issuer.public_key()) else {
            return false;
        };
        self.serial == certificate.serial_number()
            && self.issuer_name_hash == hash.digest(&[certificate.issuer_element().whole])
            && self.issuer_key_hash == hash.digest(&[key])
    }

    fn check(&self, at: u64) -> Result<(), Refusal> {
        if let Status::Revoked(since) = &self.status {
            let message = format!(
                "the stapled OCSP response says that it has been revoked on {}",
                readable(since)
            );
            return Err(Refusal::new(Reason::Revoked, message));
        }
        if self.this_update > from_unix(at.saturating_add(CLOCK_SKEW_SECONDS)) {
            let from = readable(&self.this_update);
            return Err(unknown(format!(
                "the stapled OCSP response is good only from {from} on"
            )));
        }
        let ended = match &self.next_update {
            Some(next) => *next < from_unix(at.saturating_sub(CLOCK_SKEW_SECONDS)),
            None => self.this_update < from_unix(at.saturating_sub(MAX_AGE_SECONDS)),
        };
        if ended {
            let when = readable(self.next_update.as_ref().unwrap_or(&self.this_update));
            return Err(unknown(format!(
                "the stapled OCSP response is out of date ({when})"
            )));
        }
        match self.status {
            Status::Good => Ok(()),
            _ => Err(unknown(
                "the stapled OCSP response does not know the certificate",
            )),
        }
    }
}

/// RFC 5754, RFC 3279; `None`: another one.
fn read_hash(identifier: Element<'_>) -> Result<Option<Hash>, Malformed> {
    let oid = dotted(identifier.children().expect(OBJECT_IDENTIFIER)?.content)?;
    Ok(match oid.as_str() {
        "1.3.14.3.2.26" => Some(Hash::Sha1),
        "2.16.840.1.101.3.4.2.1" => Some(Hash::Sha256),
        "2.16.840.1.101.3.4.2.2" => Some(Hash::Sha384),
        "2.16.840.1.101.3.4.2.3" => Some(Hash::Sha512),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_extension_may_be_critical() {
        let critical = [0xa1, 13, 0x30, 11, 0x30, 9, 6, 2, 0x2a, 3, 1, 1, 0xff, 4, 0];
        let other = [0xa1, 10, 0x30, 8, 0x30, 6, 6, 2, 0x2a, 3, 4, 0];
        assert!(check_extensions(&mut Elements::new(&critical)).is_err());
        assert!(check_extensions(&mut Elements::new(&other)).is_ok());
        assert!(check_extensions(&mut Elements::new(&[])).is_ok());
        assert!(check_extensions(&mut Elements::new(&[4, 0])).is_err());
    }
}
