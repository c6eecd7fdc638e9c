//! Distinguished names and general names as strings (RFC 4514; RFC 5280 section 4.2.1.6), and in the form in which they are compared.

use std::net::{Ipv4Addr, Ipv6Addr};

use sha2::{Digest, Sha256};

use super::der::{dotted, Element, Elements, Malformed, OBJECT_IDENTIFIER, SEQUENCE, SET};
use crate::wire::Writer;

/// Stands for a name: the same for names that are equal. Anything else stands for itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NameId([u8; 32]);

impl From<Element<'_>> for NameId {
    fn from(name: Element<'_>) -> Self {
        let form = comparable(name).unwrap_or_else(|_| name.whole.to_vec());
        Self(Sha256::digest(form).into())
    }
}

/// The same for names that OpenSSL holds for equal (RFC 5280 section 7.1): strings count by their text, whatever their type, without
/// regard to the case of ASCII letters and to spaces at their ends or repeated ones; other values (NumericString too) as they are
/// encoded. A name that begins with another has a form that begins with the other's. Its twin is `src/identity/certificates/distinguished-names.ts`.
pub fn comparable(name: Element<'_>) -> Result<Vec<u8>, Malformed> {
    if name.tag != SEQUENCE {
        return Err(Malformed);
    }
    let mut form = Writer::default();
    for rdn in name.children() {
        let rdn = rdn?;
        if rdn.tag != SET {
            return Err(Malformed);
        }
        let attributes = rdn.children().map(|it| comparable_attribute(it?));
        let mut attributes: Vec<_> = attributes.collect::<Result<_, _>>()?;
        attributes.sort_unstable();
        if !attributes.is_empty() {
            form.list(attributes.iter());
        }
    }
    Ok(form.finish())
}

fn comparable_attribute(pair: Element<'_>) -> Result<Vec<u8>, Malformed> {
    if pair.tag != SEQUENCE {
        return Err(Malformed);
    }
    let mut fields = pair.children();
    let mut form = fields.expect(OBJECT_IDENTIFIER)?.whole.to_vec();
    let value = fields.any()?;
    fields.finish()?;
    let octets = match value.tag {
        0x1c => 4,
        0x1e => 2,
        _ => 1,
    };
    match characters(value) {
        Some(_) if value.content.len() % octets > 0 => return Err(Malformed),
        Some(text) => {
            let text: String = text.into_iter().collect::<Option<_>>().ok_or(Malformed)?;
            let is_space = |it: char| matches!(it, '\t'..='\r' | ' ');
            let words: Vec<_> = text.split(is_space).filter(|it| !it.is_empty()).collect();
            form.push(UTF8_STRING);
            form.extend_from_slice(words.join(" ").to_ascii_lowercase().as_bytes());
        }
        None => form.extend_from_slice(value.whole),
    }
    Ok(form)
}

const UTF8_STRING: u8 = 0x0c;

/// Of a string type that OpenSSL compares by its text; `None` in the place of what is no character.
fn characters(value: Element<'_>) -> Option<Vec<Option<char>>> {
    let content = value.content;
    Some(match value.tag {
        UTF8_STRING => match std::str::from_utf8(content) {
            Ok(text) => text.chars().map(Some).collect(),
            Err(_) => vec![None],
        },
        // PrintableString, TeletexString, IA5String, VisibleString: Latin-1.
        0x13 | 0x14 | 0x16 | 0x1a => content.iter().map(|&it| Some(it.into())).collect(),
        // UniversalString
        0x1c => content
            .chunks(4)
            .map(|unit| {
                unit.iter()
                    .fold(0, |sum, &octet| sum << 8 | u32::from(octet))
            })
            .map(char::from_u32)
            .collect(),
        // BMPString
        0x1e => {
            let units = content.chunks(2).map(|unit| {
                unit.iter()
                    .fold(0, |sum, &octet| sum << 8 | u16::from(octet))
            });
            char::decode_utf16(units).map(Result::ok).collect()
        }
        _ => return None,
    })
}

/// A distinguished name's DER as text (RFC 4514).
pub fn read(der: &[u8]) -> Result<String, Malformed> {
    let mut input = Elements::new(der);
    let name = input.expect(SEQUENCE)?;
    input.finish()?;
    distinguished_name(name)
}

/// A Name's string form: the last RDN first, as RFC 4514 has it. What is no attribute is [`unreadable`].
pub fn distinguished_name(name: Element<'_>) -> Result<String, Malformed> {
    let mut parts = Vec::new();
    for rdn in name.children() {
        let rdn = rdn?;
        let attributes = match rdn.tag {
            SET => rdn.children().map(|it| it.map(shown_attribute)).collect(),
            _ => Ok(vec![unreadable(rdn.whole)]),
        };
        let attributes: Vec<String> = attributes?;
        if !attributes.is_empty() {
            parts.push(attributes.join("+"));
        }
    }
    parts.reverse();
    Ok(parts.join(","))
}

/// What stands for something that cannot be read: its octets in hex, as RFC 4514 section 2.4 has them.
pub fn unreadable(octets: &[u8]) -> String {
    let mut out = String::from("#");
    push_hex(octets, &mut out);
    out
}

fn shown_attribute(pair: Element<'_>) -> String {
    attribute(pair).unwrap_or_else(|_| unreadable(pair.whole))
}

fn attribute(pair: Element<'_>) -> Result<String, Malformed> {
    if pair.tag != SEQUENCE {
        return Err(Malformed);
    }
    let mut fields = pair.children();
    let oid = dotted(fields.expect(OBJECT_IDENTIFIER)?.content)?;
    let value = fields.any()?;
    let mut out = String::new();
    match (short_name(&oid), text(value)) {
        (Some(name), Some(value)) => {
            out.push_str(name);
            out.push('=');
            escape(&value, &mut out);
        }
        // RFC 4514 section 2.4: a type in dotted form has its value in hex.
        (name, _) => {
            out.push_str(name.unwrap_or(&oid));
            out.push_str("=#");
            push_hex(value.whole, &mut out);
        }
    }
    Ok(out)
}

/// RFC 4514's own table, and what certificates hold besides (by the names that LDAP or OpenSSL give).
fn short_name(oid: &str) -> Option<&'static str> {
    Some(match oid {
        "2.5.4.3" => "CN",
        "2.5.4.4" => "SN",
        "2.5.4.5" => "serialNumber",
        "2.5.4.6" => "C",
        "2.5.4.7" => "L",
        "2.5.4.8" => "ST",
        "2.5.4.9" => "STREET",
        "2.5.4.10" => "O",
        "2.5.4.11" => "OU",
        "2.5.4.12" => "title",
        "2.5.4.13" => "description",
        "2.5.4.15" => "businessCategory",
        "2.5.4.17" => "postalCode",
        "2.5.4.41" => "name",
        "2.5.4.42" => "GN",
        "2.5.4.43" => "initials",
        "2.5.4.44" => "generationQualifier",
        "2.5.4.46" => "dnQualifier",
        "2.5.4.65" => "pseudonym",
        "2.5.4.97" => "organizationIdentifier",
        "0.9.2342.19200300.100.1.1" => "UID",
        "0.9.2342.19200300.100.1.25" => "DC",
        "1.2.840.113549.1.9.1" => "emailAddress",
        _ => return None,
    })
}

/// What a string type of ASN.1 holds, for people; `None` for other types.
fn text(value: Element<'_>) -> Option<String> {
    // NumericString, PrintableString, IA5String, VisibleString: some producers put UTF-8 into them.
    if matches!(value.tag, UTF8_STRING | 0x12 | 0x13 | 0x16 | 0x1a) {
        return Some(String::from_utf8_lossy(value.content).into_owned());
    }
    let shown = characters(value)?.into_iter();
    Some(
        shown
            .map(|it| it.unwrap_or(char::REPLACEMENT_CHARACTER))
            .collect(),
    )
}

/// RFC 4514 section 2.4.
fn escape(value: &str, out: &mut String) {
    let last = value.chars().count().saturating_sub(1);
    for (at, character) in value.chars().enumerate() {
        let edge_space = character == ' ' && (at == 0 || at == last);
        let special = matches!(character, '"' | '+' | ',' | ';' | '<' | '>' | '\\');
        if edge_space || special || (character == '#' && at == 0) {
            out.push('\\');
            out.push(character);
        } else if character.is_ascii_control() {
            out.push('\\');
            push_hex(&[character as u8], out);
        } else {
            out.push(character);
        }
    }
}

pub fn push_hex(bytes: &[u8], out: &mut String) {
    for byte in bytes {
        for digit in [byte >> 4, byte & 15] {
            out.push(char::from_digit(u32::from(digit), 16).unwrap_or('0'));
        }
    }
}

/// The content of a subjectAltName extension, each name with its kind; of one that cannot be read, that is all.
pub fn general_names(extension: &[u8]) -> Result<Vec<String>, Malformed> {
    let mut outer = Elements::new(extension);
    let names = outer.expect(SEQUENCE)?.children();
    names.map(|it| it.map(shown_general_name)).collect()
}

fn shown_general_name(name: Element<'_>) -> String {
    general_name(name).unwrap_or_else(|_| {
        let kind = match name.tag {
            0xa0 => "otherName",
            0x88 => "RID",
            _ => "DirName",
        };
        [kind, ":", &unreadable(name.whole)].concat()
    })
}

fn general_name(name: Element<'_>) -> Result<String, Malformed> {
    let plain = String::from_utf8_lossy(name.content);
    Ok(match name.tag {
        0x81 => format!("email:{plain}"),
        0x82 => format!("DNS:{plain}"),
        0x86 => format!("URI:{plain}"),
        0x87 => ip_address(name.content),
        0x88 => format!("RID:{}", dotted(name.content)?),
        0xa0 => other_name(name)?,
        0xa4 => format!(
            "DirName:{}",
            distinguished_name(name.children().expect(SEQUENCE)?)?
        ),
        other => format!("other:{}", other & 0x1f),
    })
}

fn ip_address(octets: &[u8]) -> String {
    if let Ok(four) = <[u8; 4]>::try_from(octets) {
        return format!("IP:{}", Ipv4Addr::from(four));
    }
    if let Ok(sixteen) = <[u8; 16]>::try_from(octets) {
        return format!("IP:{}", Ipv6Addr::from(sixteen));
    }
    ["IP:", &unreadable(octets)].concat()
}

/// Of the many kinds, the user principal name is what client certificates have.
fn other_name(name: Element<'_>) -> Result<String, Malformed> {
    let mut fields = name.children();
    let oid = dotted(fields.expect(OBJECT_IDENTIFIER)?.content)?;
    let value = fields.any()?.children().any()?;
    Ok(match (oid.as_str(), text(value)) {
        ("1.3.6.1.4.1.311.20.2.3", Some(value)) => format!("UPN:{value}"),
        (_, Some(value)) => format!("otherName:{oid}={value}"),
        _ => format!("otherName:{oid}"),
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn escaped(value: &str) -> String {
        let mut out = String::new();
        escape(value, &mut out);
        out
    }

    #[test]
    fn escapes_as_rfc_4514_does() {
        assert_eq!(escaped("Sue, Grabbit and Runn"), "Sue\\, Grabbit and Runn");
        assert_eq!(escaped(" a b "), "\\ a b\\ ");
        assert_eq!(escaped("#1#"), "\\#1#");
        assert_eq!(escaped("a\rb\0"), "a\\0db\\00");
        assert_eq!(escaped("Lučić"), "Lučić");
    }

    #[test]
    fn reads_every_string_type() {
        let read = |tag, content: &[u8]| {
            text(Element {
                tag,
                content,
                whole: content,
            })
        };
        assert_eq!(read(0x0c, "é".as_bytes()).as_deref(), Some("é"));
        assert_eq!(read(0x14, &[0xe9]).as_deref(), Some("é"));
        assert_eq!(read(0x1e, &[0xd8, 0x3d, 0xde, 0x00]).as_deref(), Some("😀"));
        assert_eq!(read(0x1c, &[0, 1, 0xf6, 0]).as_deref(), Some("😀"));
        assert_eq!(
            read(0x1e, &[0xd8, 0x3d, 1]).as_deref(),
            Some("\u{fffd}\u{1}")
        );
        assert_eq!(read(0x02, &[1]), None);
    }

    fn common_name(tag: u8, value: &[u8]) -> Vec<u8> {
        let wrap = |tag, content: &[u8]| {
            let len = u8::try_from(content.len()).unwrap();
            [&[tag, len], content].concat()
        };
        let pair = [&[6, 3, 0x55, 4, 3], &*wrap(tag, value)].concat();
        wrap(0x30, &wrap(0x31, &wrap(0x30, &pair)))
    }

    fn id(tag: u8, value: &[u8]) -> NameId {
        Elements::new(&common_name(tag, value))
            .any()
            .unwrap()
            .into()
    }

    #[test]
    fn knows_a_name_again_whatever_its_type_case_and_spaces() {
        let name = id(0x0c, "Zürich  CA".as_bytes());
        assert_eq!(id(0x14, b" z\xfcRICH\tca "), name);
        assert_eq!(id(0x13, b"Z\xfcrich CA"), name);
        assert_eq!(id(0x1e, b"\0Z\0\xfc\0r\0i\0c\0h\0 \0C\0A"), name);
        for (tag, other) in [
            (0x0c, "ZÜrich CA".as_bytes()),
            (0x0c, "ZürichCA".as_bytes()),
            (0x12, "Zürich  CA".as_bytes()),
            // No characters.
            (0x0c, b"Z\xfcrich CA"),
            (0x1e, b"\0Z\0"),
            (0x1e, &[0xd8, 0]),
            (0x1c, &[0, 0x11, 0, 0]),
        ] {
            assert_ne!(id(tag, other), name, "{other:?}");
            assert_eq!(id(tag, other), id(tag, other));
        }
        assert_eq!(id(0x0c, b" "), id(0x13, b""));
    }

    #[test]
    fn puts_the_last_rdn_first() {
        // C=DE, then O=A+CN=B in one RDN, then an unknown type.
        let der = [
            0x30, 0x31, //
            0x31, 0x0b, 0x30, 0x09, 6, 3, 0x55, 4, 6, 0x13, 2, b'D', b'E', //
            0x31, 0x14, 0x30, 0x08, 6, 3, 0x55, 4, 10, 0x0c, 1, b'A', //
            0x30, 0x08, 6, 3, 0x55, 4, 3, 0x0c, 1, b'B', //
            0x31, 0x0c, 0x30, 0x0a, 6, 3, 0x55, 4, 99, 2, 3, 1, 2, 3,
        ];
        let name = Elements::new(&der).any().unwrap();
        assert_eq!(
            distinguished_name(name).unwrap(),
            "2.5.4.99=#0203010203,O=A+CN=B,C=DE"
        );
    }

    #[test]
    fn names_addresses() {
        assert_eq!(ip_address(&[127, 0, 0, 1]), "IP:127.0.0.1");
        assert_eq!(ip_address(&[0; 16]), "IP:::");
        assert_eq!(ip_address(&[1, 2]), "IP:#0102");
    }

    #[test]
    fn shows_what_cannot_be_read_as_its_octets() {
        // An otherName whose value has no tag, a RID of nothing, a directoryName of no RDNs, and a name that can be read.
        let names = [
            0x30, 0x15, //
            0xa0, 7, 6, 2, 0x2a, 3, 0x0c, 1, b'a', 0x88, 0, 0xa4, 2, 5, 0, //
            0x82, 4, b'a', b'.', b'b', b'c',
        ];
        assert_eq!(
            general_names(&names).unwrap(),
            [
                "otherName:#a00706022a030c0161",
                "RID:#8800",
                "DirName:#a4020500",
                "DNS:a.bc"
            ]
        );
        assert_eq!(general_names(&[0x30, 2, 0x82, 1]), Err(Malformed));

        // No set, a set of nothing, an attribute without a value, and one with.
        let der = [
            0x30, 0x1c, //
            0x0c, 1, b'a', //
            0x31, 0, //
            0x31, 7, 0x30, 5, 6, 3, 0x55, 4, 3, //
            0x31, 0x0c, 0x30, 0x0a, 6, 3, 0x55, 4, 10, 0x0c, 3, b'O', b'n', b'e',
        ];
        assert_eq!(read(&der).unwrap(), "O=One,#30050603550403,#0c0161");
    }
}
