//! The key derivations of PKCS#12 files, each in slices between which the page goes on.

use super::kdf::Kdf;
use super::pbkdf1::Pbkdf1;
use super::pbkdf2::Pbkdf2;
use crate::wire::{Malformed, Reader};

pub enum Derivation {
    Pkcs12(Kdf),
    Pbkdf2(Pbkdf2),
    Pbkdf1(Pbkdf1),
}

impl Derivation {
    /// Input: kind (1 PKCS#12, 2 PBKDF2, 3 PBKDF1), then what each kind reads.
    pub fn read(input: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(input);
        let derivation = match reader.u8()? {
            1 => Self::Pkcs12(Kdf::read(&mut reader)?),
            2 => Self::Pbkdf2(Pbkdf2::read(&mut reader)?),
            3 => Self::Pbkdf1(Pbkdf1::read(&mut reader)?),
            _ => return Err(Malformed),
        };
        reader.finish()?;
        Ok(derivation)
    }

    /// Goes on for about as many iterations. Gives the key once it is complete.
    pub fn advance(&mut self, iterations: u32) -> Option<&[u8]> {
        match self {
            Self::Pkcs12(kdf) => kdf.advance(iterations),
            Self::Pbkdf2(kdf) => kdf.advance(iterations),
            Self::Pbkdf1(kdf) => kdf.advance(iterations),
        }
    }
}
