//! Public keys (SubjectPublicKeyInfo, RFC 5280 section 4.1.2.7) in the encoding that ring reads. Its twin is `src/identity/keys/public-key.ts`.

use std::borrow::Cow;

use super::der::{bit_string, Elements, Malformed, BIT_STRING, OBJECT_IDENTIFIER, SEQUENCE};

const RSA_ENCRYPTION: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01";
const EC: &[u8] = b"\x2a\x86\x48\xce\x3d\x02\x01";
const UNCOMPRESSED: u8 = 4;

/// The AlgorithmIdentifier of RSA: its parameters are NULL (RFC 8017 appendix A.1).
const RSA_IDENTIFIER: &[u8] = b"\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00";

/// The same key, with NULL where a certificate leaves out the parameters of RSA. None: ring does not read it, however right it is.
pub fn plain(spki: &[u8]) -> Option<Cow<'_, [u8]>> {
    read(spki).ok().flatten()
}

fn read(spki: &[u8]) -> Result<Option<Cow<'_, [u8]>>, Malformed> {
    let mut fields = Elements::new(spki).expect(SEQUENCE)?.children();
    let identifier = fields.expect(SEQUENCE)?;
    let bits = fields.expect(BIT_STRING)?;
    let key = bit_string(bits)?;
    Ok(
        match identifier.children().expect(OBJECT_IDENTIFIER)?.content {
            RSA_ENCRYPTION if identifier.whole != RSA_IDENTIFIER => {
                Some(Cow::Owned(sequence(&[RSA_IDENTIFIER, bits.whole].concat())))
            }
            EC if key.first() != Some(&UNCOMPRESSED) => None,
            _ => Some(Cow::Borrowed(spki)),
        },
    )
}

fn sequence(content: &[u8]) -> Vec<u8> {
    let digits = content.len().to_be_bytes();
    let zeros = digits.iter().take_while(|digit| **digit == 0).count();
    let digits = digits.get(zeros..).unwrap_or_default();
    let mut out = vec![SEQUENCE];
    if content.len() >= 0x80 {
        out.extend(u8::try_from(digits.len()).map(|count| 0x80 | count));
    }
    [&out, digits, content].concat()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn spki(identifier: &[u8], bits: &[u8]) -> Vec<u8> {
        let mut string = sequence(&[&[0], bits].concat());
        *string.first_mut().unwrap() = BIT_STRING;
        sequence(&[&sequence(identifier), string.as_slice()].concat())
    }

    fn rsa(parameters: &[u8], bits: &[u8]) -> Vec<u8> {
        spki(&[b"\x06\x09", RSA_ENCRYPTION, parameters].concat(), bits)
    }

    #[test]
    fn rsa_gets_its_null_whatever_its_length() {
        for len in [1, 99, 100, 110, 111, 140, 270, 1_000] {
            let bits = vec![7; len];
            let right = rsa(&[5, 0], &bits);
            for parameters in [&[] as &[u8], &[5, 0], &[0x30, 0]] {
                assert_eq!(plain(&rsa(parameters, &bits)).unwrap(), right);
            }
        }
    }

    #[test]
    fn other_keys_stay_as_they_are() {
        let curve = [b"\x06\x07", EC, b"\x06\x01\x2a"].concat();
        for (key, stays) in [([4, 1], true), ([2, 1], false), ([3, 1], false)] {
            let key = spki(&curve, &key);
            assert_eq!(plain(&key).as_deref(), stays.then_some(key.as_slice()));
        }
        let ed25519 = spki(b"\x06\x03\x2b\x65\x70", &[2, 1]);
        assert_eq!(plain(&ed25519).as_deref(), Some(ed25519.as_slice()));
        assert_eq!(plain(&[0x30, 1]), None);
    }
}
