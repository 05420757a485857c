//! What a declared error says about itself beside its content.

use std::fmt;
use std::time::Duration;

use crate::status::Status;

/// An error that services declare: what it means to callers, gateways and retry rules.
pub trait DeclaredError: std::error::Error {
    /// The status that stands for this error where only a status can be shown.
    fn status(&self) -> Status;

    /// Whether the same call may succeed a little later.
    fn retryable(&self) -> bool {
        false
    }

    /// How long to wait before that, if the service knows.
    fn retry_after(&self) -> Option<Duration> {
        None
    }
}

/// What travels beside the content of a declared error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ErrorFacts {
    /// The status that stands for the error.
    pub status: Status,
    /// Whether the same call may succeed a little later.
    pub retryable: bool,
    /// How long to wait before that.
    pub retry_after: Option<Duration>,
}

impl ErrorFacts {
    /// What an error says that says nothing about itself.
    pub const UNKNOWN: Self = Self {
        status: Status::Unknown,
        retryable: false,
        retry_after: None,
    };

    /// Asks a declared error.
    pub fn of<E: DeclaredError>(error: &E) -> Self {
        Self {
            status: error.status(),
            retryable: error.retryable(),
            retry_after: error.retry_after(),
        }
    }
}

/// How an error is asked what it says about itself. Chosen at compile time, as its codec is.
pub struct Facts<E> {
    facts: fn(&E) -> ErrorFacts,
    text: Option<fn(&E) -> String>,
}

impl<E> Facts<E> {
    /// For errors that say nothing.
    pub const fn unknown() -> Self {
        Self {
            facts: |_| ErrorFacts::UNKNOWN,
            text: None,
        }
    }

    /// Asks an error.
    pub fn of(&self, error: &E) -> ErrorFacts {
        (self.facts)(error)
    }

    /// What the error says to people, if it says anything: for callers that can take no more than a text.
    pub fn text(&self, error: &E) -> Option<String> {
        self.text.map(|text| text(error))
    }
}

impl<E: DeclaredError> Facts<E> {
    /// For errors that know.
    pub const fn declared() -> Self {
        Self {
            facts: ErrorFacts::of::<E>,
            text: Some(|error| error.to_string()),
        }
    }
}

impl<E> Clone for Facts<E> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<E> Copy for Facts<E> {}

impl<E> fmt::Debug for Facts<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Facts<{}>", std::any::type_name::<E>())
    }
}

impl DeclaredError for std::convert::Infallible {
    fn status(&self) -> Status {
        match *self {}
    }
}
