//! What comes back from a method, and how it is decoded.

use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::client::view::View;
use crate::codec::{self, CheckLimits, Codec, DecodeError, ErrorCodec, Reader};
use crate::descriptor::MethodDescriptor;
use crate::error::{CallError, Error, ErrorKind, Execution};
use crate::object::{Borrowed, LentResult};
use crate::status::Status;
use crate::wire::calls::Answer;
use crate::wire::frame::FailPart;

/// How to decode the result and the declared error of a method. Made by generated code.
pub struct Returns<T, E = Infallible> {
    result: Decode<T>,
    error: Option<Decode<E>>,
}

type Decode<T> = for<'a, 'de> fn(&'a mut Reader<'de>) -> Result<T, DecodeError>;

impl<T> Returns<T, Infallible> {
    /// A method without a declared error.
    pub const fn plain(result: Codec<T>) -> Self {
        Self {
            result: result.decode,
            error: None,
        }
    }
}

impl<T, E> Returns<T, E> {
    /// A method with a declared error.
    pub const fn result(result: Codec<T>, error: ErrorCodec<E>) -> Self {
        Self {
            result: result.decode,
            error: Some(error.codec.decode),
        }
    }

    /// A method whose result has a form of its own, without a declared error.
    pub const fn direct() -> Self
    where
        T: for<'de> codec::Decode<'de>,
    {
        Self {
            result: |input| T::decode(input),
            error: None,
        }
    }

    /// A method whose result has a form of its own, with a declared error.
    pub const fn direct_or(error: ErrorCodec<E>) -> Self
    where
        T: for<'de> codec::Decode<'de>,
    {
        Self {
            result: |input| T::decode(input),
            error: Some(error.codec.decode),
        }
    }

    /// The same method, whose result is not decoded.
    pub const fn view(&self) -> Returns<View<T>, E> {
        Returns {
            result: |input| View::take(input),
            error: self.error,
        }
    }

    pub(crate) fn decode(
        &self,
        answer: Answer,
        method: &'static MethodDescriptor,
    ) -> Result<T, CallError<E>> {
        let reply = match answer {
            Answer::Result(body) => Reply::Value(body),
            Answer::Lent(result) => Reply::Object(result),
            Answer::Declared(part, body) => return Err(declared(part, body, self.error, method)),
            Answer::Failed(error) => return Err(CallError::Failed(error.in_call(method))),
        };
        match reply.decode(self.result) {
            Ok(value) => Ok(value),
            Err(why) => Err(CallError::Failed(garbled(method, "result", &why))),
        }
    }
}

fn declared<E>(
    part: FailPart,
    body: Bytes,
    read: Option<Decode<E>>,
    method: &'static MethodDescriptor,
) -> CallError<E> {
    let error = match read {
        Some(read) => Reply::Value(body).decode(read),
        None => Err(DecodeError::custom(
            "this side's definition declares no error",
        )),
    };
    match error {
        Ok(error) => CallError::Declared {
            error,
            status: Status::from_code(part.status),
            retryable: part.retryable,
            retry_after: (part.retry_after_ms > 0)
                .then(|| Duration::from_millis(u64::from(part.retry_after_ms))),
        },
        Err(why) => CallError::Failed(garbled(method, "error", &why)),
    }
}

/// What came back, before it is decoded.
enum Reply {
    Value(Bytes),
    Object(Arc<LentResult>),
}

impl Reply {
    fn decode<T>(&self, read: Decode<T>) -> Result<T, DecodeError> {
        let (mut input, _objects) = self.open();
        let value = read(&mut input)?;
        self.finish(&input)?;
        Ok(value)
    }

    /// One pass: the reader keeps to the limits of the structure check.
    fn open(&self) -> (Reader<'_>, Option<Borrowed>) {
        let (body, objects) = match self {
            Self::Value(body) => (body, None),
            Self::Object(result) => {
                let (body, objects) = result.open();
                (body, Some(objects))
            }
        };
        let input = Reader::bounded(body, &CheckLimits::default());
        (input.in_frame(body), objects)
    }

    fn finish(&self, input: &Reader<'_>) -> Result<(), DecodeError> {
        input.finish()?;
        if let Self::Object(result) = self {
            result.is_taken();
        }
        Ok(())
    }
}

fn garbled(method: &MethodDescriptor, part: &str, why: &DecodeError) -> Error {
    let text = format!("{method}.{part}: {why}; compare the definitions of both sides");
    Error::new(ErrorKind::DataLoss, text).with_execution(Execution::Executed)
}

impl<T, E> Clone for Returns<T, E> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T, E> Copy for Returns<T, E> {}

impl<T, E> fmt::Debug for Returns<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Returns")
            .field("declared_error", &self.error.is_some())
            .finish_non_exhaustive()
    }
}
