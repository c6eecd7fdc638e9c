//! What can be wrong with the frames of an h2 server.

/// Stable numbers of the ABI (`src/engine/abi.ts`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Fault {
    UpperCaseName = 1,
    InvalidName = 2,
    EmptyName = 3,
    InvalidValue = 4,
    UnknownPseudo = 5,
    LatePseudo = 6,
    RepeatedPseudo = 7,
    NoStatus = 8,
    InvalidStatus = 9,
    ConnectionField = 10,
    InvalidLength = 11,
    OtherLength = 12,
    /// Trailers with pseudo-header fields, or a second head instead of them.
    TrailersWithPseudo = 13,
    TrailersGoOn = 14,
    /// An informational response ends the stream.
    InformationalEnd = 15,
    DataBeforeHead = 16,
    Compression = 17,
    FrameTooLarge = 18,
    FrameLength = 19,
    /// A frame for a stream is for the connection, or the other way about.
    FrameOnStream = 20,
    Padding = 21,
    HeadInterrupted = 22,
    Push = 23,
    UnopenedStream = 24,
    SettingValue = 25,
    /// SETTINGS that were never sent are acknowledged.
    Acknowledgement = 26,
    EmptyGrowth = 27,
    WindowOverflow = 28,
    BeyondWindow = 29,
    SelfDependency = 30,
    /// GOAWAY names a later stream than before, or one that was never opened.
    LaterFarewell = 31,
    TinyPieces = 32,
    TooManyFaults = 33,
    /// None that is known.
    Other = 34,
    /// The body is longer or shorter than announced. The host is told by `Failure::other_length`.
    BodyLength = 35,
    /// The head. The host is told by `Failure::too_large`.
    TooLarge = 36,
    /// None: the server has given up the request, or the connection.
    GivenUp = 37,
}

impl Fault {
    /// Of those of a head. h2 takes them for faults of its compression.
    pub fn ends_connection(self) -> bool {
        matches!(
            self,
            Self::UpperCaseName
                | Self::InvalidName
                | Self::EmptyName
                | Self::InvalidValue
                | Self::UnknownPseudo
                | Self::InvalidStatus
        )
    }
}

/// A fault, and where it is.
#[derive(Clone, Default)]
pub struct Details {
    pub fault: Option<Fault>,
    /// The name of a field, where one is at fault.
    pub name: Vec<u8>,
}

impl From<Fault> for Details {
    fn from(fault: Fault) -> Self {
        Self {
            fault: Some(fault),
            name: Vec::new(),
        }
    }
}
