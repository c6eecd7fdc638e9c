//! Extensions of certificates and revocation lists.

use super::der::{Element, Malformed, BOOLEAN, OBJECT_IDENTIFIER, OCTET_STRING};

/// An extension (RFC 5280 section 4.1.2.9).
#[derive(Clone, Copy)]
pub struct Extension<'a> {
    /// The content of its object identifier.
    pub oid: &'a [u8],
    pub critical: bool,
    /// Whether `critical` is encoded as DER wants it.
    pub is_der: bool,
    pub value: &'a [u8],
}

impl<'a> Extension<'a> {
    pub fn read(extension: Element<'a>) -> Result<Self, Malformed> {
        let mut fields = extension.children();
        let oid = fields.expect(OBJECT_IDENTIFIER)?.content;
        let critical = fields.optional(BOOLEAN)?;
        Ok(Self {
            oid,
            critical: critical.is_some_and(|it| it.content != [0]),
            is_der: critical.is_none_or(is_der_boolean),
            value: fields.expect(OCTET_STRING)?.content,
        })
    }

    /// `None`: unknown here.
    pub fn id(&self) -> Option<ExtensionId> {
        ExtensionId::of(self.oid)
    }

    pub fn is(&self, id: ExtensionId) -> bool {
        self.id() == Some(id)
    }
}

/// X.690 section 11.1.
pub fn is_der_boolean(element: Element<'_>) -> bool {
    matches!(element.content, [0x00 | 0xff])
}

/// The extensions that are known here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExtensionId {
    SubjectKeyIdentifier,
    KeyUsage,
    SubjectAltName,
    BasicConstraints,
    CrlNumber,
    IssuingDistributionPoint,
    NameConstraints,
    CrlDistributionPoints,
    CertificatePolicies,
    PolicyMappings,
    AuthorityKeyIdentifier,
    PolicyConstraints,
    ExtendedKeyUsage,
    InhibitAnyPolicy,
    AuthorityInfoAccess,
    /// RFC 7633.
    TlsFeatures,
}

impl ExtensionId {
    /// By the content of its object identifier: below id-ce (RFC 5280 sections 4.2.1 and 5.2) and id-pe (section 4.2.2).
    fn of(oid: &[u8]) -> Option<Self> {
        Some(match oid {
            [0x55, 0x1d, 14] => Self::SubjectKeyIdentifier,
            [0x55, 0x1d, 15] => Self::KeyUsage,
            [0x55, 0x1d, 17] => Self::SubjectAltName,
            [0x55, 0x1d, 19] => Self::BasicConstraints,
            [0x55, 0x1d, 20] => Self::CrlNumber,
            [0x55, 0x1d, 28] => Self::IssuingDistributionPoint,
            [0x55, 0x1d, 30] => Self::NameConstraints,
            [0x55, 0x1d, 31] => Self::CrlDistributionPoints,
            [0x55, 0x1d, 32] => Self::CertificatePolicies,
            [0x55, 0x1d, 33] => Self::PolicyMappings,
            [0x55, 0x1d, 35] => Self::AuthorityKeyIdentifier,
            [0x55, 0x1d, 36] => Self::PolicyConstraints,
            [0x55, 0x1d, 37] => Self::ExtendedKeyUsage,
            [0x55, 0x1d, 54] => Self::InhibitAnyPolicy,
            [0x2b, 6, 1, 5, 5, 7, 1, 1] => Self::AuthorityInfoAccess,
            [0x2b, 6, 1, 5, 5, 7, 1, 24] => Self::TlsFeatures,
            _ => return None,
        })
    }
}
