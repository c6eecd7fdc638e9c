//! What rustls fails with crosses the ABI as numbers, never as its texts.
#![allow(clippy::unwrap_used, clippy::panic)]

use mtls_engine::tls::failure::{Failure, FailureKind};
use rustls::{
    AlertDescription, CertificateError, ContentType, Error, HandshakeType,
    InvalidMessage as Message, PeerIncompatible as Incompatible, PeerMisbehaved as Misbehaved,
};

/// What a server can make a client fail with.
fn breaches() -> Vec<Error> {
    let mut all = vec![
        Error::InappropriateMessage {
            expect_types: vec![ContentType::Handshake],
            got_type: ContentType::ApplicationData,
        },
        Error::InappropriateHandshakeMessage {
            expect_types: vec![HandshakeType::Certificate],
            got_type: HandshakeType::Finished,
        },
        Error::NoCertificatesPresented,
        Error::DecryptError,
        Error::EncryptError,
        Error::PeerSentOversizedRecord,
        Error::General(String::from("SecretText")),
        Error::FailedToGetCurrentTime,
        Error::FailedToGetRandomBytes,
        Error::HandshakeNotComplete,
        Error::NoApplicationProtocol,
    ];
    all.extend(messages().into_iter().map(Error::InvalidMessage));
    all.extend(incompatibilities().into_iter().map(Error::PeerIncompatible));
    all.extend(misbehaviours().into_iter().map(Error::PeerMisbehaved));
    all
}

fn messages() -> Vec<Message> {
    vec![
        Message::CertificatePayloadTooLarge,
        Message::DuplicateExtension(1),
        Message::EmptyTicketValue,
        Message::HandshakePayloadTooLarge,
        Message::IllegalEmptyList("SecretText"),
        Message::IllegalEmptyValue,
        Message::InvalidCcs,
        Message::InvalidCertRequest,
        Message::InvalidCertificateStatusType,
        Message::InvalidContentType,
        Message::InvalidDhParams,
        Message::InvalidEmptyPayload,
        Message::InvalidKeyUpdate,
        Message::InvalidServerName,
        Message::MessageTooLarge,
        Message::MessageTooShort,
        Message::MissingData("SecretText"),
        Message::MissingKeyExchange,
        Message::NoSignatureSchemes,
        Message::PreSharedKeyIsNotFinalExtension,
        Message::TrailingData("SecretText"),
        Message::UnexpectedMessage("SecretText"),
        Message::UnknownCertificateExtension,
        Message::UnknownHelloRetryRequestExtension,
        Message::UnknownProtocolVersion,
        Message::UnsupportedCompression,
        Message::UnsupportedCurveType,
    ]
}

fn incompatibilities() -> Vec<Incompatible> {
    vec![
        Incompatible::EcPointsExtensionRequired,
        Incompatible::ExtendedMasterSecretExtensionRequired,
        Incompatible::IncorrectCertificateTypeExtension,
        Incompatible::KeyShareExtensionRequired,
        Incompatible::NamedGroupsExtensionRequired,
        Incompatible::NoCertificateRequestSignatureSchemesInCommon,
        Incompatible::NoCipherSuitesInCommon,
        Incompatible::NoEcPointFormatsInCommon,
        Incompatible::NoKxGroupsInCommon,
        Incompatible::NoSignatureSchemesInCommon,
        Incompatible::NullCompressionRequired,
        Incompatible::ServerDoesNotSupportTls12Or13,
        Incompatible::ServerSentHelloRetryRequestWithUnknownExtension,
        Incompatible::ServerTlsVersionIsDisabledByOurConfig,
        Incompatible::SignatureAlgorithmsExtensionRequired,
        Incompatible::SupportedVersionsExtensionRequired,
        Incompatible::Tls12NotOffered,
        Incompatible::Tls12NotOfferedOrEnabled,
        Incompatible::UncompressedEcPointsRequired,
        Incompatible::UnsolicitedCertificateTypeExtension,
    ]
}

fn misbehaviours() -> Vec<Misbehaved> {
    vec![
        Misbehaved::AttemptedDowngradeToTls12WhenTls13IsSupported,
        Misbehaved::BadCertChainExtensions,
        Misbehaved::CipherSuiteDifferedOnRetry,
        Misbehaved::DisallowedEncryptedExtension,
        Misbehaved::DuplicateEncryptedExtensions,
        Misbehaved::DuplicateHelloRetryRequestExtensions,
        Misbehaved::DuplicateNewSessionTicketExtensions,
        Misbehaved::DuplicateServerHelloExtensions,
        Misbehaved::EarlyDataExtensionWithoutResumption,
        Misbehaved::EarlyDataOfferedWithVariedCipherSuite,
        Misbehaved::HandshakeHashVariedAfterRetry,
        Misbehaved::IllegalHelloRetryRequestWithEmptyCookie,
        Misbehaved::IllegalHelloRetryRequestWithInvalidEch,
        Misbehaved::IllegalHelloRetryRequestWithNoChanges,
        Misbehaved::IllegalHelloRetryRequestWithOfferedGroup,
        Misbehaved::IllegalHelloRetryRequestWithUnofferedCipherSuite,
        Misbehaved::IllegalHelloRetryRequestWithUnofferedNamedGroup,
        Misbehaved::IllegalHelloRetryRequestWithUnsupportedVersion,
        Misbehaved::IllegalHelloRetryRequestWithWrongSessionId,
        Misbehaved::IllegalMiddleboxChangeCipherSpec,
        Misbehaved::IllegalTlsInnerPlaintext,
        Misbehaved::InvalidCertCompression,
        Misbehaved::InvalidKeyShare,
        Misbehaved::InvalidMaxEarlyDataSize,
        Misbehaved::KeyEpochWithPendingFragment,
        Misbehaved::MessageInterleavedWithHandshakeMessage,
        Misbehaved::MissingKeyShare,
        Misbehaved::OfferedEmptyApplicationProtocol,
        Misbehaved::RejectedEarlyDataInterleavedWithHandshakeMessage,
        Misbehaved::ResumptionAttemptedWithVariedEms,
        Misbehaved::ResumptionOfferedWithIncompatibleCipherSuite,
        Misbehaved::ResumptionOfferedWithVariedCipherSuite,
        Misbehaved::ResumptionOfferedWithVariedEms,
        Misbehaved::SelectedDifferentCipherSuiteAfterRetry,
        Misbehaved::SelectedInvalidPsk,
        Misbehaved::SelectedTls12UsingTls13VersionExtension,
        Misbehaved::SelectedUnofferedApplicationProtocol,
        Misbehaved::SelectedUnofferedCertCompression,
        Misbehaved::SelectedUnofferedCipherSuite,
        Misbehaved::SelectedUnofferedCompression,
        Misbehaved::SelectedUnofferedKxGroup,
        Misbehaved::SelectedUnofferedPsk,
        Misbehaved::SelectedUnusableCipherSuiteForVersion,
        Misbehaved::ServerEchoedCompatibilitySessionId,
        Misbehaved::ServerHelloMustOfferUncompressedEcPoints,
        Misbehaved::SignedHandshakeWithUnadvertisedSigScheme,
        Misbehaved::SignedKxWithWrongAlgorithm,
        Misbehaved::TooManyEmptyFragments,
        Misbehaved::TooManyKeyUpdateRequests,
        Misbehaved::TooManyRenegotiationRequests,
        Misbehaved::TooManyWarningAlertsReceived,
        Misbehaved::UnexpectedCleartextExtension,
        Misbehaved::UnsolicitedCertExtension,
        Misbehaved::UnsolicitedEchExtension,
        Misbehaved::UnsolicitedEncryptedExtension,
        Misbehaved::UnsolicitedSctList,
        Misbehaved::UnsolicitedServerHelloExtension,
        Misbehaved::WrongGroupForKeyShare,
    ]
}

#[test]
fn each_breach_has_a_number_that_stands_for_words() {
    for error in breaches() {
        let text = format!("{error:?}");
        let failure = Failure::from(error);
        assert_eq!(failure.kind, FailureKind::Protocol, "{text}");
        assert_ne!(failure.number, 0, "{text}");
        assert_eq!(failure.message, "", "{text}");
    }
}

#[test]
fn alerts_keep_their_numbers() {
    for number in 0..=255 {
        let failure = Failure::from(Error::AlertReceived(AlertDescription::from(number)));
        assert_eq!(failure.kind, FailureKind::Alert);
        assert_eq!((failure.number, failure.message.as_str()), (number, ""));
    }
}

#[test]
fn certificate_errors_of_rustls_have_no_text_either() {
    let unreadable = [
        CertificateError::BadEncoding,
        CertificateError::UnknownIssuer,
        CertificateError::InvalidPurpose,
    ];
    for error in unreadable {
        let failure = Failure::from(Error::InvalidCertificate(error));
        assert_eq!(failure.kind, FailureKind::CertificateMalformed);
        assert_eq!(failure.message, "");
    }
    let signature = Failure::from(Error::InvalidCertificate(CertificateError::BadSignature));
    assert_eq!(signature.kind, FailureKind::HandshakeSignature);
}
