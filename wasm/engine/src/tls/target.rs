//! The server that a connection is for.

use crate::trust::pins::Pins;
use crate::wire::{Malformed, Reader};

/// Whom to talk to, as it crosses the ABI.
pub struct Target<'a> {
    pub hostname: &'a str,
    /// Names the sessions that may be resumed.
    pub partition: &'a str,
    /// Protocol names in order of preference (RFC 7301); empty: none is offered.
    pub alpn: Vec<&'a [u8]>,
    /// The keys that the server must have.
    pub pins: Pins,
}

impl<'a> Target<'a> {
    pub fn read(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(bytes);
        let target = Self {
            hostname: reader.str()?,
            partition: reader.str()?,
            alpn: reader.list()?,
            pins: Pins::read(reader.bytes()?)?,
        };
        reader.finish()?;
        Ok(target)
    }
}
