//! A failed call: what happened, what is known about its execution, and whether to try again.

use std::borrow::Cow;
use std::convert::Infallible;
use std::fmt;
use std::time::Duration;

use crate::descriptor::MethodDescriptor;
use crate::status::Status;

/// Result of everything that is not a call.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What the caller's side knows about the execution of a failed call.
///
/// After several attempts it is the most that any of them may have done.
///
/// It comes from the connection's own bookkeeping (which bytes were handed to the kernel, what the peer answered), not
/// from a guess about the kind of error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Execution {
    /// Not one byte of the call was handed to the kernel. It can be repeated anywhere.
    NotSent,
    /// The peer said, or the protocol guarantees, that the handler was not started. It can be repeated.
    NotStarted,
    /// The call was sent, and no answer came before the connection or the time ended: it ran once or not at all, or runs
    /// still. Only an idempotent method may be repeated.
    Unknown,
    /// The handler ran, to its end or until it was cancelled, and the peer has answered. The error is the answer, unless
    /// it is marked as retryable and the method is idempotent.
    Executed,
}

impl fmt::Display for Execution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotSent => "not sent",
            Self::NotStarted => "not started",
            Self::Unknown => "execution unknown",
            Self::Executed => "executed",
        })
    }
}

/// The framework's own failures. A method's declared error is [`ErrorKind::Declared`] once it was turned into an
/// [`Error`]; as long as it is a [`CallError`] it is there as a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The peer cannot be reached, went away, or no instance is known. Try again later; see [`Error::execution`].
    Unavailable,
    /// The time for the call was up. Raise the timeout, or find out what is slow.
    DeadlineExceeded,
    /// The call was cancelled, here or by the peer.
    Cancelled,
    /// The peer has no such method. Compare the call-ID tables of both sides.
    Unimplemented,
    /// The peer wants to know who is calling.
    Unauthenticated,
    /// The caller may not call this.
    PermissionDenied,
    /// A limit was reached, here or there. The message says which; try again later.
    ResourceExhausted,
    /// The peer could not decode or did not accept the arguments; or an address or option is wrong.
    InvalidArgument,
    /// The state of the server or of this object does not allow it, such as two methods with one call ID.
    FailedPrecondition,
    /// A defect at the peer, such as a handler that panicked.
    Internal,
    /// What the peer sent cannot be understood.
    DataLoss,
    /// The method's own declared error, after [`CallError`] was converted into an [`Error`].
    Declared,
    /// A status without a better word.
    Unknown,
}

/// A failure, with everything that is known about it.
///
/// `Display` is one line that says what to do where that is known: `unavailable: nobody listens on
/// tcp://127.0.0.1:7000: … (not sent)`.
#[derive(Clone)]
pub struct Error {
    inner: Box<Inner>,
}

#[derive(Clone)]
struct Inner {
    kind: ErrorKind,
    status: Status,
    execution: Execution,
    message: Cow<'static, str>,
    peer: Option<String>,
    retry_after: Option<Duration>,
    /// The peer said that trying again may help.
    marked_retryable: bool,
    /// The same call fails in the same way wherever and whenever it is made.
    hopeless: bool,
}

impl Error {
    /// Makes an error of this kind; nothing was sent unless [`Error::with_execution`] says otherwise.
    #[cold]
    pub fn new(kind: ErrorKind, message: impl Into<Cow<'static, str>>) -> Self {
        Self::make(kind, message.into())
    }

    /// There are hundreds of places that make one; what leads there is not worth the room that speed takes.
    #[cold]
    #[inline(never)]
    fn make(kind: ErrorKind, message: Cow<'static, str>) -> Self {
        let inner = Inner {
            kind,
            status: kind.status(),
            execution: Execution::NotSent,
            message,
            peer: None,
            retry_after: None,
            marked_retryable: false,
            hopeless: false,
        };
        Self {
            inner: Box::new(inner),
        }
    }

    #[cold]
    pub(crate) fn unavailable(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorKind::Unavailable, message)
    }

    #[cold]
    pub(crate) fn invalid(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorKind::InvalidArgument, message)
    }

    /// Nothing of a call was sent while there was time.
    #[cold]
    #[inline(never)]
    pub(crate) fn too_late() -> Self {
        Self::new(
            ErrorKind::DeadlineExceeded,
            "the time for the call was up before it could be sent; raise its timeout, or make fewer calls at once",
        )
    }

    /// A failure of the transport or of the peer in the middle of a connection.
    #[cold]
    pub(crate) fn lost(peer: &str, what: impl fmt::Display) -> Self {
        Self::unavailable(format!("the connection to {peer} was lost: {what}"))
            .with_peer(peer)
            .with_execution(Execution::Unknown)
    }

    /// The call was sent, and its time is up.
    #[cold]
    #[inline(never)]
    pub(crate) fn too_slow() -> Self {
        Self::new(
            ErrorKind::DeadlineExceeded,
            "the time for the call is up; raise its timeout, or find out what is slow",
        )
        .with_execution(Execution::Unknown)
    }

    /// A tokio runtime is needed and not there.
    #[cold]
    #[inline(never)]
    pub(crate) fn no_runtime() -> Self {
        Self::new(
            ErrorKind::FailedPrecondition,
            "there is no tokio runtime here; call this from asynchronous code below `#[tokio::main]`, or take the blocking client, which needs none",
        )
    }

    pub(crate) fn from_status(status: Status, message: impl Into<Cow<'static, str>>) -> Self {
        let mut error = Self::new(ErrorKind::from_status(status), message);
        error.inner.status = status;
        error
    }

    /// Names the method that was called, unless the message does already.
    #[cold]
    #[inline(never)]
    pub(crate) fn in_call(mut self, method: &MethodDescriptor) -> Self {
        let name = method.to_string();
        if !self.inner.message.contains(&name) {
            self.inner.message = format!("{name}: {}", self.inner.message).into();
        }
        self
    }

    /// Whether the peer's handler is known not to have been run.
    pub(crate) fn is_not_started(&self) -> bool {
        matches!(self.execution(), Execution::NotSent | Execution::NotStarted)
    }

    /// Adds to the message.
    pub(crate) fn adding(mut self, more: impl fmt::Display) -> Self {
        self.inner.message = format!("{}{more}", self.inner.message).into();
        self
    }

    /// Notes whether the peer said that trying again may help.
    pub(crate) fn with_mark(mut self, retryable: bool) -> Self {
        self.inner.marked_retryable = retryable;
        self
    }

    /// Says that trying again cannot help.
    pub(crate) fn hopeless(mut self) -> Self {
        self.inner.hopeless = true;
        self
    }

    pub(crate) fn is_hopeless(&self) -> bool {
        self.inner.hopeless
    }

    pub(crate) fn is_marked_retryable(&self) -> bool {
        self.inner.marked_retryable
    }

    /// Sets what is known about the execution.
    #[must_use]
    pub fn with_execution(mut self, execution: Execution) -> Self {
        self.inner.execution = execution;
        self
    }

    /// Names the peer, unless one is named already.
    #[must_use]
    #[cold]
    pub fn with_peer(self, peer: impl Into<String>) -> Self {
        self.at(peer.into())
    }

    #[cold]
    #[inline(never)]
    fn at(mut self, peer: String) -> Self {
        self.inner.peer.get_or_insert(peer);
        self
    }

    /// Says how long to wait before trying again.
    #[must_use]
    pub fn with_retry_after(mut self, after: Option<Duration>) -> Self {
        self.inner.retry_after = after;
        self
    }

    /// What happened, in the framework's words.
    pub fn kind(&self) -> ErrorKind {
        self.inner.kind
    }

    /// What happened, in gRPC's words.
    pub fn status(&self) -> Status {
        self.inner.status
    }

    /// What is known about the execution.
    pub fn execution(&self) -> Execution {
        self.inner.execution
    }

    /// Whether the same call may succeed when it is made again later **and** cannot run twice by that: it did not run, and
    /// what kept it from running may pass. The framework has tried for as long as the call had; wait before you do, by
    /// [`Error::retry_after`] if there is one.
    ///
    /// `false` for a call whose execution is [`Execution::Unknown`], which may have run: if the method is idempotent, it
    /// can be made again all the same. `false` also for a call that is too large for its peer, which it will be again.
    pub fn retryable(&self) -> bool {
        let repeatable = matches!(
            self.inner.execution,
            Execution::NotSent | Execution::NotStarted
        );
        repeatable
            && !self.inner.hopeless
            && matches!(
                self.inner.kind,
                ErrorKind::Unavailable | ErrorKind::ResourceExhausted
            )
    }

    /// How long to wait before another attempt: as the peer asks for, or until one is due.
    pub fn retry_after(&self) -> Option<Duration> {
        self.inner.retry_after
    }

    /// Address of the peer, if the failure has one.
    pub fn peer(&self) -> Option<&str> {
        self.inner.peer.as_deref()
    }

    /// The sentence without kind, peer and execution state.
    pub fn message(&self) -> &str {
        &self.inner.message
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner {
            kind,
            message,
            peer,
            execution,
            retry_after,
            ..
        } = &*self.inner;
        write!(f, "{kind}: {message}")?;
        if let Some(peer) = peer
            && !message.contains(peer.as_str())
        {
            write!(f, " [{peer}]")?;
        }
        write!(f, " ({execution}")?;
        if let Some(after) = retry_after {
            write!(f, ", retry after {after:?}")?;
        }
        f.write_str(")")
    }
}

impl fmt::Debug for Error {
    /// The same line as `Display`, so that `fn main() -> rpc_runtime::Result<()>` prints a sentence.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for Error {}

impl ErrorKind {
    /// The status with the same meaning.
    pub fn status(self) -> Status {
        match self {
            Self::Unavailable => Status::Unavailable,
            Self::DeadlineExceeded => Status::DeadlineExceeded,
            Self::Cancelled => Status::Cancelled,
            Self::Unimplemented => Status::Unimplemented,
            Self::Unauthenticated => Status::Unauthenticated,
            Self::PermissionDenied => Status::PermissionDenied,
            Self::ResourceExhausted => Status::ResourceExhausted,
            Self::InvalidArgument => Status::InvalidArgument,
            Self::FailedPrecondition => Status::FailedPrecondition,
            Self::Internal => Status::Internal,
            Self::DataLoss => Status::DataLoss,
            Self::Declared | Self::Unknown => Status::Unknown,
        }
    }

    fn from_status(status: Status) -> Self {
        match status {
            Status::Unavailable => Self::Unavailable,
            Status::DeadlineExceeded => Self::DeadlineExceeded,
            Status::Cancelled => Self::Cancelled,
            Status::Unimplemented => Self::Unimplemented,
            Status::Unauthenticated => Self::Unauthenticated,
            Status::PermissionDenied => Self::PermissionDenied,
            Status::ResourceExhausted => Self::ResourceExhausted,
            Status::InvalidArgument | Status::OutOfRange => Self::InvalidArgument,
            Status::FailedPrecondition
            | Status::Aborted
            | Status::AlreadyExists
            | Status::NotFound => Self::FailedPrecondition,
            Status::Internal => Self::Internal,
            Status::DataLoss => Self::DataLoss,
            _ => Self::Unknown,
        }
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Declared => f.write_str("declared error"),
            other => other.status().fmt(f),
        }
    }
}

/// How a call failed: with the error that the method declares, or in the framework.
///
/// ```
/// use rpc_runtime::{CallError, Error, ErrorKind, Status};
///
/// fn explain(failure: CallError<String>) -> String {
///     match failure {
///         CallError::Declared { error, .. } => format!("the service said: {error}"),
///         CallError::Failed(error) if error.retryable() => "trying again is safe".to_owned(),
///         CallError::Failed(error) => error.to_string(),
///     }
/// }
///
/// assert_eq!(explain(Error::new(ErrorKind::Unavailable, "gone").into()), "trying again is safe");
/// # let _ = Status::NotFound;
/// ```
#[derive(Clone)]
pub enum CallError<E = Infallible> {
    /// The method answered with its declared error.
    Declared {
        /// The error itself.
        error: E,
        /// What it means in words that need no knowledge of the type.
        status: Status,
        /// Whether the definition says that trying again may help.
        retryable: bool,
        /// How long to wait before that.
        retry_after: Option<Duration>,
    },
    /// The framework could not complete the call.
    Failed(Error),
}

impl<E> CallError<E> {
    /// What happened, in the framework's words.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Declared { .. } => ErrorKind::Declared,
            Self::Failed(error) => error.kind(),
        }
    }

    /// What happened, in gRPC's words.
    pub fn status(&self) -> Status {
        match self {
            Self::Declared { status, .. } => *status,
            Self::Failed(error) => error.status(),
        }
    }

    /// What is known about the execution; a declared error means that the handler ran.
    pub fn execution(&self) -> Execution {
        match self {
            Self::Declared { .. } => Execution::Executed,
            Self::Failed(error) => error.execution(),
        }
    }

    /// Whether trying again may help: see [`Error::retryable`]; a declared error says so itself.
    pub fn retryable(&self) -> bool {
        match self {
            Self::Declared { retryable, .. } => *retryable,
            Self::Failed(error) => error.retryable(),
        }
    }

    /// How long the peer asks to wait before another attempt.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Declared { retry_after, .. } => *retry_after,
            Self::Failed(error) => error.retry_after(),
        }
    }

    /// Address of the peer, if the framework failed.
    pub fn peer(&self) -> Option<&str> {
        match self {
            Self::Declared { .. } => None,
            Self::Failed(error) => error.peer(),
        }
    }

    /// The declared error, if it is one.
    pub fn declared(&self) -> Option<&E> {
        match self {
            Self::Declared { error, .. } => Some(error),
            Self::Failed(_) => None,
        }
    }
}

impl<E> From<Error> for CallError<E> {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

/// For `?` in functions that return [`Result`]: a declared error becomes its `Debug` text.
impl<E: fmt::Debug> From<CallError<E>> for Error {
    fn from(failure: CallError<E>) -> Self {
        match failure {
            CallError::Declared {
                error,
                status,
                retry_after,
                ..
            } => {
                let mut converted = Self::new(ErrorKind::Declared, format!("{error:?}"));
                converted.inner.status = status;
                converted
                    .with_execution(Execution::Executed)
                    .with_retry_after(retry_after)
            }
            CallError::Failed(error) => error,
        }
    }
}

impl<E: fmt::Debug> fmt::Debug for CallError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Declared { error, status, .. } => {
                write!(f, "declared error {error:?} ({status})")
            }
            Self::Failed(error) => fmt::Display::fmt(error, f),
        }
    }
}

impl<E: fmt::Display> fmt::Display for CallError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Declared { error, .. } => error.fmt(f),
            Self::Failed(error) => error.fmt(f),
        }
    }
}

impl<E: fmt::Debug + fmt::Display> std::error::Error for CallError<E> {}
