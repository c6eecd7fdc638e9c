//! Whether a name lies within a constraint, for each kind of general name (RFC 5280 section 4.2.1.10).

use crate::pki::der::{Element, Elements, Malformed, OBJECT_IDENTIFIER, SEQUENCE};
use crate::pki::name::comparable;

/// The kinds that are compared, by the number of their tag (RFC 5280 section 4.2.1.6).
const MAIL: u8 = 1;
const DNS: u8 = 2;
const DIRECTORY: u8 = 4;
const URI: u8 = 6;
const ADDRESS: u8 = 7;
const TAG_NUMBER: u8 = 0x1f;

const DIRECTORY_TAG: u8 = 0xa4;
const MAIL_TAG: u8 = 0x81;
/// emailAddress of PKCS #9
const EMAIL_ADDRESS: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 1];

/// A name or a constraint of a kind that is unknown here, or not as its kind has to be.
#[derive(Debug, PartialEq, Eq)]
pub struct Unreadable;

impl From<Malformed> for Unreadable {
    fn from(_: Malformed) -> Self {
        Self
    }
}

pub fn is_same_kind(name: &Element<'_>, base: &Element<'_>) -> bool {
    name.tag & TAG_NUMBER == base.tag & TAG_NUMBER
}

/// What a constraint does with the names that are within it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// A wildcard has to be within with all the names that it stands for.
    Permitted,
    /// Of a wildcard one of the names that it stands for is enough.
    Excluded,
}

/// Of two names of the same kind.
pub fn is_within(name: &Element<'_>, base: &Element<'_>, side: Side) -> Result<bool, Unreadable> {
    match name.tag & TAG_NUMBER {
        MAIL => mail_is_within(ascii(name)?, ascii(base)?),
        DNS => dns_is_within(ascii(name)?, ascii(base)?, side),
        DIRECTORY => directory_is_within(name, base),
        URI => uri_is_within(ascii(name)?, ascii(base)?),
        ADDRESS => address_is_within(name.content, base.content),
        _ => Err(Unreadable),
    }
}

/// A distinguished name as the general name of that kind.
pub fn as_directory_name(subject: Element<'_>) -> Element<'_> {
    Element {
        tag: DIRECTORY_TAG,
        content: subject.whole,
        whole: subject.whole,
    }
}

/// The mail addresses in a distinguished name, as general names.
pub fn mail_addresses(subject: Element<'_>) -> Result<Vec<Element<'_>>, Malformed> {
    let mut addresses = Vec::new();
    for rdn in subject.children() {
        for pair in rdn?.children() {
            let mut fields = pair?.children();
            if fields.expect(OBJECT_IDENTIFIER)?.content == EMAIL_ADDRESS {
                let value = fields.any()?;
                addresses.push(Element {
                    tag: MAIL_TAG,
                    ..value
                });
            }
        }
    }
    Ok(addresses)
}

fn ascii<'a>(element: &Element<'a>) -> Result<&'a str, Unreadable> {
    match std::str::from_utf8(element.content) {
        Ok(text) if text.is_ascii() => Ok(text),
        _ => Err(Unreadable),
    }
}

/// A leading dot in a constraint asks for at least one label more, as everyone reads it.
fn dns_is_within(name: &str, base: &str, side: Side) -> Result<bool, Unreadable> {
    let (domain, needs_more) = match base.strip_prefix('.') {
        Some(domain) => (domain, true),
        None => (base, false),
    };
    let wildcard = name.strip_prefix("*.");
    let host = wildcard.unwrap_or(name);
    if !is_host_name(host) || !base.is_empty() && !is_host_name(domain) {
        return Err(Unreadable);
    }
    if base.is_empty() || is_subdomain(host, domain) {
        return Ok(true);
    }
    if host.eq_ignore_ascii_case(domain) {
        return Ok(wildcard.is_some() || !needs_more);
    }
    // The constraint is one of the names that the wildcard stands for.
    let parent = domain.split_once('.').map(|(_, parent)| parent);
    Ok(side == Side::Excluded
        && wildcard.is_some()
        && !needs_more
        && parent.is_some_and(|it| it.eq_ignore_ascii_case(host)))
}

fn is_subdomain(host: &str, parent: &str) -> bool {
    let split = host.len().checked_sub(parent.len() + 1);
    split
        .and_then(|at| host.split_at_checked(at))
        .is_some_and(|(labels, rest)| {
            !labels.is_empty()
                && rest
                    .strip_prefix('.')
                    .is_some_and(|it| it.eq_ignore_ascii_case(parent))
        })
}

/// Labels of letters, digits, hyphens and (as private networks have them) underscores.
fn is_host_name(host: &str) -> bool {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label
                .bytes()
                .all(|it| it.is_ascii_alphanumeric() || it == b'-' || it == b'_')
    };
    host.len() <= 253 && host.split('.').all(is_label)
}

/// A constraint is a mailbox, a host, or the hosts of a domain (with a dot in front).
fn mail_is_within(name: &str, base: &str) -> Result<bool, Unreadable> {
    let (mailbox, host) = read_mailbox(name)?;
    if base.is_empty() {
        return Ok(true);
    }
    if base.contains('@') {
        let (wanted, its_host) = read_mailbox(base)?;
        return Ok(mailbox == wanted && host.eq_ignore_ascii_case(its_host));
    }
    host_is_within(host, base)
}

/// The local part of a mailbox is compared as it is; no character in it stands for others.
fn read_mailbox(text: &str) -> Result<(&str, &str), Unreadable> {
    match text.split_once('@') {
        Some((mailbox, host)) if !mailbox.is_empty() && is_host_name(host) => Ok((mailbox, host)),
        _ => Err(Unreadable),
    }
}

/// For mail and URIs: a host means itself alone, with a dot in front those below it.
fn host_is_within(host: &str, base: &str) -> Result<bool, Unreadable> {
    let (domain, is_domain) = match base.strip_prefix('.') {
        Some(domain) => (domain, true),
        None => (base, false),
    };
    if !is_host_name(domain) {
        return Err(Unreadable);
    }
    Ok(if is_domain {
        is_subdomain(host, domain)
    } else {
        host.eq_ignore_ascii_case(domain)
    })
}

/// Constraints are about the host, which a URI has to have then, as a name and not as an address.
fn uri_is_within(name: &str, base: &str) -> Result<bool, Unreadable> {
    let (_, rest) = name.split_once("://").ok_or(Unreadable)?;
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority.rsplit('@').next().unwrap_or_default();
    let host = host.split(':').next().unwrap_or_default();
    let is_address = host
        .rsplit('.')
        .next()
        .is_some_and(|label| label.bytes().all(|it| it.is_ascii_digit()));
    if !is_host_name(host) || is_address {
        return Err(Unreadable);
    }
    if base.is_empty() {
        return Ok(true);
    }
    host_is_within(host, base)
}

/// A constraint is an address and a mask of the same length.
fn address_is_within(name: &[u8], base: &[u8]) -> Result<bool, Unreadable> {
    if !matches!(name.len(), 4 | 16) || !matches!(base.len(), 8 | 32) {
        return Err(Unreadable);
    }
    let (network, mask) = base.split_at(base.len() / 2);
    let ones = mask.iter().take_while(|&&it| it == 0xff).count();
    let mut rest = mask.iter().skip(ones);
    let is_prefix = rest
        .next()
        .is_none_or(|it| it.leading_ones() + it.trailing_zeros() == 8)
        && rest.all(|&it| it == 0);
    if !is_prefix {
        return Err(Unreadable);
    }
    let mut octets = name.iter().zip(network).zip(mask);
    Ok(name.len() == network.len()
        && octets.all(|((octet, network), mask)| octet & mask == network & mask))
}

/// A name is within another that it begins with.
fn directory_is_within(name: &Element<'_>, base: &Element<'_>) -> Result<bool, Unreadable> {
    let name = comparable(read_directory_name(name)?)?;
    let base = comparable(read_directory_name(base)?)?;
    Ok(name.starts_with(&base))
}

fn read_directory_name<'a>(name: &Element<'a>) -> Result<Element<'a>, Unreadable> {
    let mut input = Elements::new(name.content);
    let sequence = input.expect(SEQUENCE)?;
    input.finish()?;
    Ok(sequence)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn dns_names() {
        let within = |name, base| dns_is_within(name, base, Side::Permitted);
        for (name, base) in [
            ("example.com", "example.com"),
            ("a.b.EXAMPLE.com", "example.COM"),
            ("a.example.com", ".example.com"),
            ("*.example.com", "example.com"),
            ("*.example.com", ".example.com"),
            ("my_host.example.com", "example.com"),
            ("anything.at.all", ""),
        ] {
            assert_eq!(within(name, base), Ok(true), "{name} {base}");
        }
        for (name, base) in [
            ("notexample.com", "example.com"),
            ("example.com", "a.example.com"),
            ("example.com", ".example.com"),
            ("com", "example.com"),
            ("*.example.com", "a.b.example.com"),
            ("*.example.com", "bar.example.com"),
            ("*.example.com", ".bar.example.com"),
        ] {
            assert_eq!(within(name, base), Ok(false), "{name} {base}");
        }
        for (name, base) in [
            ("a.example.com", "*.example.com"),
            (".example.com", "example.com"),
            ("a..example.com", "example.com"),
            ("example.com.", "example.com"),
            ("a.*.example.com", "example.com"),
            ("a*.example.com", "example.com"),
            ("a b.example.com", "example.com"),
            ("", "example.com"),
            ("example.com", "..example.com"),
            ("example.com", "."),
        ] {
            assert_eq!(within(name, base), Err(Unreadable), "{name} {base}");
        }
    }

    #[test]
    fn wildcards_that_may_stand_for_an_excluded_name() {
        let excluded = |name, base| dns_is_within(name, base, Side::Excluded);
        assert_eq!(excluded("*.example.com", "bar.example.com"), Ok(true));
        assert_eq!(excluded("*.example.com", "Example.com"), Ok(true));
        assert_eq!(excluded("*.example.com", "a.b.example.com"), Ok(false));
        assert_eq!(excluded("*.example.com", ".bar.example.com"), Ok(false));
        assert_eq!(excluded("example.com", "bar.example.com"), Ok(false));
    }

    #[test]
    fn mailboxes() {
        for (name, base) in [
            ("ada@example.com", "ada@EXAMPLE.com"),
            ("ada@example.com", "example.com"),
            ("ada@mail.example.com", ".example.com"),
            ("*@example.com", "*@example.com"),
            ("ada@example.com", ""),
        ] {
            assert_eq!(mail_is_within(name, base), Ok(true), "{name} {base}");
        }
        for (name, base) in [
            ("Ada@example.com", "ada@example.com"),
            ("ada@example.com", "*@example.com"),
            ("ada@mail.example.com", "example.com"),
            ("ada@example.com", ".example.com"),
            ("*@example.com", "**@example.com"),
        ] {
            assert_eq!(mail_is_within(name, base), Ok(false), "{name} {base}");
        }
        for (name, base) in [
            ("a@b@example.com", "example.com"),
            ("example.com", "example.com"),
            ("@example.com", "example.com"),
            ("a@example.com", "a@b@example.com"),
            ("a@example.com", "..com"),
        ] {
            assert_eq!(mail_is_within(name, base), Err(Unreadable), "{name} {base}");
        }
    }

    #[test]
    fn hosts_of_uris() {
        for (name, base) in [
            ("https://example.com/path", "example.com"),
            ("spiffe://td.example/ns/x?y#z", "td.example"),
            ("https://user@a.example.com:8443/", ".example.com"),
        ] {
            assert_eq!(uri_is_within(name, base), Ok(true), "{name} {base}");
        }
        for (name, base) in [
            ("https://a.example.com/", "example.com"),
            ("https://example.com/", ".example.com"),
            ("https://other.example/@example.com", "example.com"),
        ] {
            assert_eq!(uri_is_within(name, base), Ok(false), "{name} {base}");
        }
        for name in [
            "urn:uuid:1",
            "https://192.0.2.1/",
            "https:///",
            "https://[::1]/",
        ] {
            assert_eq!(
                uri_is_within(name, "example.com"),
                Err(Unreadable),
                "{name}"
            );
        }
    }

    #[test]
    fn addresses() {
        let net = [192, 0, 2, 0, 255, 255, 254, 0];
        assert_eq!(address_is_within(&[192, 0, 3, 9], &net), Ok(true));
        assert_eq!(address_is_within(&[192, 0, 4, 9], &net), Ok(false));
        assert_eq!(address_is_within(&[0; 16], &net), Ok(false));
        assert_eq!(address_is_within(&[9; 4], &[0; 8]), Ok(true));
        assert_eq!(
            address_is_within(&[9; 4], &[9, 9, 9, 9, 255, 255, 255, 255]),
            Ok(true)
        );
        for base in [
            &net[..7],
            &[192, 0, 2, 0, 255, 0, 255, 0],
            &[0, 0, 0, 0, 0x5f, 0, 0, 0],
        ] {
            assert_eq!(address_is_within(&[192, 0, 2, 1], base), Err(Unreadable));
        }
        assert_eq!(address_is_within(&[192, 0, 2], &net), Err(Unreadable));
    }
}
