//! A reader of DER (X.690) that copies nothing, recurses nowhere and takes any bytes for an answer.
//!
//! It is a little lenient where real certificates are (lengths need not be minimal), because it describes and does not judge.

/// Not DER, or not the type that the caller expects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

pub const BOOLEAN: u8 = 0x01;
pub const INTEGER: u8 = 0x02;
pub const BIT_STRING: u8 = 0x03;
pub const OCTET_STRING: u8 = 0x04;
pub const OBJECT_IDENTIFIER: u8 = 0x06;
pub const UTC_TIME: u8 = 0x17;
pub const GENERALIZED_TIME: u8 = 0x18;
pub const SEQUENCE: u8 = 0x30;
pub const SET: u8 = 0x31;

/// One element: its tag octet, its content, and both with the length between them.
#[derive(Clone, Copy, Debug)]
pub struct Element<'a> {
    pub tag: u8,
    pub content: &'a [u8],
    pub whole: &'a [u8],
}

impl<'a> Element<'a> {
    pub fn children(&self) -> Elements<'a> {
        Elements(self.content)
    }
}

/// The elements of a content, one after the other.
#[derive(Clone, Copy)]
pub struct Elements<'a>(&'a [u8]);

impl<'a> Elements<'a> {
    pub fn new(input: &'a [u8]) -> Self {
        Self(input)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn any(&mut self) -> Result<Element<'a>, Malformed> {
        let start = self.0;
        let (&tag, rest) = start.split_first().ok_or(Malformed)?;
        // Tag numbers above 30 take more octets; no certificate has one.
        if tag & 0x1f == 0x1f {
            return Err(Malformed);
        }
        let (len, rest) = length(rest)?;
        let (content, rest) = rest.split_at_checked(len).ok_or(Malformed)?;
        let whole = start.get(..start.len() - rest.len()).ok_or(Malformed)?;
        self.0 = rest;
        Ok(Element {
            tag,
            content,
            whole,
        })
    }

    pub fn expect(&mut self, tag: u8) -> Result<Element<'a>, Malformed> {
        let element = self.any()?;
        if element.tag == tag {
            Ok(element)
        } else {
            Err(Malformed)
        }
    }

    /// The next element if it has this tag.
    pub fn optional(&mut self, tag: u8) -> Result<Option<Element<'a>>, Malformed> {
        if self.0.first() == Some(&tag) {
            self.any().map(Some)
        } else {
            Ok(None)
        }
    }

    pub fn finish(self) -> Result<(), Malformed> {
        if self.0.is_empty() {
            Ok(())
        } else {
            Err(Malformed)
        }
    }
}

impl<'a> Iterator for Elements<'a> {
    type Item = Result<Element<'a>, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let element = self.any();
        if element.is_err() {
            self.0 = &[];
        }
        Some(element)
    }
}

fn length(input: &[u8]) -> Result<(usize, &[u8]), Malformed> {
    let (&first, rest) = input.split_first().ok_or(Malformed)?;
    if first < 0x80 {
        return Ok((usize::from(first), rest));
    }
    let count = usize::from(first & 0x7f);
    // 0x80 is the indefinite length, which DER does not have.
    if count == 0 || count > 4 {
        return Err(Malformed);
    }
    let (octets, rest) = rest.split_at_checked(count).ok_or(Malformed)?;
    let len = octets
        .iter()
        .fold(0u32, |sum, &octet| sum << 8 | u32::from(octet));
    Ok((usize::try_from(len).map_err(|_| Malformed)?, rest))
}

/// The octets of a BIT STRING that has no unused bits.
pub fn bit_string(element: Element<'_>) -> Result<&[u8], Malformed> {
    match element.content.split_first() {
        Some((0, octets)) => Ok(octets),
        _ => Err(Malformed),
    }
}

/// An object identifier's content in dotted form.
pub fn dotted(content: &[u8]) -> Result<String, Malformed> {
    let mut out = String::new();
    let mut arc: u128 = 0;
    let mut open = false;
    for &octet in content {
        if arc > u128::MAX >> 7 {
            return Err(Malformed);
        }
        arc = arc << 7 | u128::from(octet & 0x7f);
        open = octet & 0x80 != 0;
        if open {
            continue;
        }
        if out.is_empty() {
            let root = (arc / 40).min(2);
            out.push_str(&root.to_string());
            arc -= root * 40;
        }
        out.push('.');
        out.push_str(&arc.to_string());
        arc = 0;
    }
    if open || out.is_empty() {
        return Err(Malformed);
    }
    Ok(out)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn reads_elements() {
        let mut elements = Elements::new(&[0x30, 3, 2, 1, 5, 4, 0x81, 1, 9]);
        let sequence = elements.expect(SEQUENCE).unwrap();
        assert_eq!(sequence.whole, [0x30, 3, 2, 1, 5]);
        assert_eq!(sequence.children().expect(INTEGER).unwrap().content, [5]);
        assert_eq!(elements.optional(INTEGER).map(|it| it.is_none()), Ok(true));
        assert_eq!(elements.expect(OCTET_STRING).unwrap().content, [9]);
        assert_eq!(elements.finish(), Ok(()));
    }

    #[test]
    fn refuses_what_is_cut_short_or_endless() {
        for bad in [
            &[0x30][..],
            &[0x30, 1],
            &[0x30, 0x80, 0, 0],
            &[0x30, 0x84, 255, 255, 255, 255],
            &[0x30, 0x85, 0, 0, 0, 0, 1, 1],
            &[0x1f, 0x20, 0],
        ] {
            assert!(Elements::new(bad).any().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn writes_object_identifiers() {
        assert_eq!(
            dotted(&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d]).unwrap(),
            "1.2.840.113549"
        );
        assert_eq!(dotted(&[0x55, 4, 3]).unwrap(), "2.5.4.3");
        assert_eq!(dotted(&[0x88, 0x37]).unwrap(), "2.999");
        assert!(dotted(&[]).is_err());
        assert!(dotted(&[0x2a, 0x86]).is_err());
        assert!(dotted(&[0xff; 30]).is_err());
    }
}
