//! What peer and client cannot agree on, or what the peer did that the protocol forbids.

use rustls::{Error, InvalidMessage, PeerIncompatible, PeerMisbehaved};

/// Stable numbers of the ABI; their words are in `src/tls/errors/breaches.ts`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Breach {
    /// What no other number stands for.
    Other = 0,
    NotTls = 1,
    MalformedMessage = 2,
    TooLarge = 3,
    UnexpectedMessage = 4,
    Undecryptable = 5,
    NoCertificate = 6,
    VersionNotOffered = 7,
    VersionTooOld = 8,
    NoSchemeForClient = 9,
    Downgrade = 10,
    SchemeNotOffered = 11,
    SuiteNotOffered = 12,
    GroupNotOffered = 13,
    KeyShare = 14,
    ProtocolNotOffered = 15,
    CompressionNotOffered = 16,
    HelloRetryRequest = 17,
    Extension = 18,
    Resumption = 19,
    TooMany = 20,
    Record = 21,
    PointFormat = 22,
    /// The engine's own.
    Internal = 23,
}

impl From<&Error> for Breach {
    fn from(error: &Error) -> Self {
        match error {
            Error::InvalidMessage(message) => message.into(),
            Error::PeerIncompatible(reason) => reason.into(),
            Error::PeerMisbehaved(reason) => reason.into(),
            Error::InappropriateMessage { .. } | Error::InappropriateHandshakeMessage { .. } => {
                Self::UnexpectedMessage
            }
            Error::PeerSentOversizedRecord => Self::TooLarge,
            Error::DecryptError => Self::Undecryptable,
            Error::NoCertificatesPresented => Self::NoCertificate,
            Error::NoApplicationProtocol => Self::ProtocolNotOffered,
            Error::General(_)
            | Error::EncryptError
            | Error::FailedToGetCurrentTime
            | Error::FailedToGetRandomBytes
            | Error::HandshakeNotComplete => Self::Internal,
            _ => Self::Other,
        }
    }
}

impl From<&InvalidMessage> for Breach {
    fn from(message: &InvalidMessage) -> Self {
        use InvalidMessage as It;
        match message {
            It::InvalidContentType | It::UnknownProtocolVersion => Self::NotTls,
            It::CertificatePayloadTooLarge | It::HandshakePayloadTooLarge | It::MessageTooLarge => {
                Self::TooLarge
            }
            It::InvalidCcs => Self::Record,
            It::DuplicateExtension(_)
            | It::UnknownHelloRetryRequestExtension
            | It::UnknownCertificateExtension
            | It::PreSharedKeyIsNotFinalExtension => Self::Extension,
            It::NoSignatureSchemes => Self::NoSchemeForClient,
            It::UnsupportedCompression => Self::CompressionNotOffered,
            It::UnsupportedCurveType | It::UnsupportedKeyExchangeAlgorithm(_) => {
                Self::GroupNotOffered
            }
            _ => Self::MalformedMessage,
        }
    }
}

impl From<&PeerIncompatible> for Breach {
    fn from(reason: &PeerIncompatible) -> Self {
        use PeerIncompatible as It;
        match reason {
            It::ServerTlsVersionIsDisabledByOurConfig => Self::VersionNotOffered,
            It::ServerDoesNotSupportTls12Or13
            | It::SupportedVersionsExtensionRequired
            | It::Tls12NotOffered
            | It::Tls12NotOfferedOrEnabled => Self::VersionTooOld,
            It::NoCertificateRequestSignatureSchemesInCommon | It::NoSignatureSchemesInCommon => {
                Self::NoSchemeForClient
            }
            It::NoCipherSuitesInCommon => Self::SuiteNotOffered,
            It::NoKxGroupsInCommon => Self::GroupNotOffered,
            It::KeyShareExtensionRequired => Self::KeyShare,
            It::NullCompressionRequired => Self::CompressionNotOffered,
            It::ServerSentHelloRetryRequestWithUnknownExtension => Self::HelloRetryRequest,
            It::EcPointsExtensionRequired
            | It::NoEcPointFormatsInCommon
            | It::UncompressedEcPointsRequired => Self::PointFormat,
            It::ExtendedMasterSecretExtensionRequired
            | It::IncorrectCertificateTypeExtension
            | It::NamedGroupsExtensionRequired
            | It::SignatureAlgorithmsExtensionRequired
            | It::UnsolicitedCertificateTypeExtension => Self::Extension,
            _ => Self::Other,
        }
    }
}

impl From<&PeerMisbehaved> for Breach {
    fn from(reason: &PeerMisbehaved) -> Self {
        use PeerMisbehaved as It;
        match reason {
            It::AttemptedDowngradeToTls12WhenTls13IsSupported => Self::Downgrade,
            It::SelectedTls12UsingTls13VersionExtension
            | It::OfferedEarlyDataWithOldProtocolVersion => Self::VersionNotOffered,
            It::SignedKxWithWrongAlgorithm | It::SignedHandshakeWithUnadvertisedSigScheme => {
                Self::SchemeNotOffered
            }
            It::SelectedUnofferedCipherSuite
            | It::SelectedUnusableCipherSuiteForVersion
            | It::SelectedDifferentCipherSuiteAfterRetry
            | It::CipherSuiteDifferedOnRetry
            | It::IllegalHelloRetryRequestWithUnofferedCipherSuite => Self::SuiteNotOffered,
            It::SelectedUnofferedKxGroup
            | It::WrongGroupForKeyShare
            | It::IllegalHelloRetryRequestWithUnofferedNamedGroup
            | It::IllegalHelloRetryRequestWithOfferedGroup => Self::GroupNotOffered,
            It::InvalidKeyShare | It::MissingKeyShare | It::OfferedDuplicateKeyShares => {
                Self::KeyShare
            }
            It::SelectedUnofferedApplicationProtocol | It::OfferedEmptyApplicationProtocol => {
                Self::ProtocolNotOffered
            }
            It::SelectedUnofferedCompression
            | It::SelectedUnofferedCertCompression
            | It::InvalidCertCompression
            | It::OfferedDuplicateCertificateCompressions
            | It::OfferedIncorrectCompressions => Self::CompressionNotOffered,
            It::IllegalHelloRetryRequestWithEmptyCookie
            | It::IllegalHelloRetryRequestWithNoChanges
            | It::IllegalHelloRetryRequestWithUnsupportedVersion
            | It::IllegalHelloRetryRequestWithWrongSessionId
            | It::IllegalHelloRetryRequestWithInvalidEch
            | It::HandshakeHashVariedAfterRetry
            | It::RefusedToFollowHelloRetryRequest => Self::HelloRetryRequest,
            It::BadCertChainExtensions
            | It::DisallowedEncryptedExtension
            | It::DuplicateClientHelloExtensions
            | It::DuplicateEncryptedExtensions
            | It::DuplicateHelloRetryRequestExtensions
            | It::DuplicateNewSessionTicketExtensions
            | It::DuplicateServerHelloExtensions
            | It::DuplicateServerNameTypes
            | It::UnexpectedCleartextExtension
            | It::UnsolicitedCertExtension
            | It::UnsolicitedEchExtension
            | It::UnsolicitedEncryptedExtension
            | It::UnsolicitedSctList
            | It::UnsolicitedServerHelloExtension => Self::Extension,
            It::EarlyDataExtensionWithoutResumption
            | It::EarlyDataOfferedWithVariedCipherSuite
            | It::IncorrectBinder
            | It::InvalidMaxEarlyDataSize
            | It::ResumptionAttemptedWithVariedEms
            | It::ResumptionOfferedWithIncompatibleCipherSuite
            | It::ResumptionOfferedWithVariedCipherSuite
            | It::ResumptionOfferedWithVariedEms
            | It::SelectedInvalidPsk
            | It::SelectedUnofferedPsk
            | It::ServerEchoedCompatibilitySessionId => Self::Resumption,
            It::TooManyEmptyFragments
            | It::TooManyKeyUpdateRequests
            | It::TooManyRenegotiationRequests
            | It::TooManyWarningAlertsReceived
            | It::TooMuchEarlyDataReceived => Self::TooMany,
            It::KeyEpochWithPendingFragment
            | It::MessageInterleavedWithHandshakeMessage
            | It::RejectedEarlyDataInterleavedWithHandshakeMessage => Self::UnexpectedMessage,
            It::IllegalMiddleboxChangeCipherSpec | It::IllegalTlsInnerPlaintext => Self::Record,
            It::ServerHelloMustOfferUncompressedEcPoints => Self::PointFormat,
            _ => Self::Other,
        }
    }
}
