//! Outcome codes of a call, with gRPC's names and numbers.

use std::fmt;

/// What went wrong, in words that gateways, metrics and retry rules share.
///
/// Numbers and meanings are those of gRPC's status codes, so that a mapping to HTTP or gRPC is a table lookup.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
#[repr(u8)]
pub enum Status {
    /// The caller gave up.
    Cancelled = 1,
    /// An error without a better word; a declared error that says nothing about itself.
    Unknown = 2,
    /// The arguments are wrong whatever state the system is in.
    InvalidArgument = 3,
    /// The time for the call was up.
    DeadlineExceeded = 4,
    /// Something that was asked for does not exist.
    NotFound = 5,
    /// Something that was to be made exists.
    AlreadyExists = 6,
    /// The caller is known and may not do this.
    PermissionDenied = 7,
    /// A quota or limit is used up.
    ResourceExhausted = 8,
    /// The system is not in the state that the operation needs.
    FailedPrecondition = 9,
    /// Stopped by a conflict with another operation; trying the whole operation again may help.
    Aborted = 10,
    /// Past the end of something.
    OutOfRange = 11,
    /// The peer has no such method, or does not serve it.
    Unimplemented = 12,
    /// A defect: a handler panicked, an invariant broke.
    Internal = 13,
    /// Cannot be reached at the moment; trying again later may help.
    Unavailable = 14,
    /// Data was lost or cannot be understood.
    DataLoss = 15,
    /// The caller is not known.
    Unauthenticated = 16,
}

impl Status {
    /// Every status, in the order of the numbers.
    pub const ALL: [Status; 16] = [
        Self::Cancelled,
        Self::Unknown,
        Self::InvalidArgument,
        Self::DeadlineExceeded,
        Self::NotFound,
        Self::AlreadyExists,
        Self::PermissionDenied,
        Self::ResourceExhausted,
        Self::FailedPrecondition,
        Self::Aborted,
        Self::OutOfRange,
        Self::Unimplemented,
        Self::Internal,
        Self::Unavailable,
        Self::DataLoss,
        Self::Unauthenticated,
    ];

    /// The number on the wire.
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// The status with this number; numbers nobody knows are [`Status::Unknown`].
    pub fn from_code(code: u8) -> Self {
        Self::ALL
            .into_iter()
            .find(|status| status.code() == code)
            .unwrap_or(Self::Unknown)
    }

    /// The name used in `.idl` files, logs and metrics, such as `not_found`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cancelled => "cancelled",
            Self::Unknown => "unknown",
            Self::InvalidArgument => "invalid_argument",
            Self::DeadlineExceeded => "deadline_exceeded",
            Self::NotFound => "not_found",
            Self::AlreadyExists => "already_exists",
            Self::PermissionDenied => "permission_denied",
            Self::ResourceExhausted => "resource_exhausted",
            Self::FailedPrecondition => "failed_precondition",
            Self::Aborted => "aborted",
            Self::OutOfRange => "out_of_range",
            Self::Unimplemented => "unimplemented",
            Self::Internal => "internal",
            Self::Unavailable => "unavailable",
            Self::DataLoss => "data_loss",
            Self::Unauthenticated => "unauthenticated",
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
