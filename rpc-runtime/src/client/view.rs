//! A reply as it came, and views of it that borrow its strings and bytes.

use std::fmt;
use std::marker::PhantomData;

use bytes::Bytes;

use crate::codec::{CheckLimits, Decode, DecodeError, Reader, Viewable};
use crate::error::{Error, ErrorKind, Execution, Result};

/// The reply of a call, kept as it was received; what is read from it points into it.
///
/// ```no_run
/// # async fn list() -> rpc_runtime::View<Vec<String>> { unimplemented!() }
/// # async fn example() -> rpc_runtime::Result<()> {
/// let reply = list().await; // client.list().view().await?
/// for name in reply.iter()? {
///     let name: &str = name?;
///     println!("{name}");
/// }
/// # Ok(())
/// # }
/// ```
///
/// Nothing is decoded until it is asked for, and each time it is asked for again. While it is kept, so is the frame.
pub struct View<T> {
    body: Bytes,
    value: PhantomData<fn() -> T>,
}

impl<T> View<T> {
    /// Takes the whole reply, unread.
    pub(crate) fn take(input: &mut Reader<'_>) -> std::result::Result<Self, DecodeError> {
        Ok(Self {
            body: input.rest(),
            value: PhantomData,
        })
    }

    /// The reply as it came: one MessagePack value.
    pub fn bytes(&self) -> &Bytes {
        &self.body
    }

    fn reader(&self) -> Reader<'_> {
        Reader::bounded(&self.body, &CheckLimits::default()).in_frame(&self.body)
    }
}

impl<T: Viewable> View<T> {
    /// Reads the reply; strings and bytes stay where they are.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::DataLoss`] if it does not fit the type: the definitions of both sides differ.
    pub fn get(&self) -> Result<T::View<'_>> {
        whole(self.reader())
    }

    /// Reads the reply into a value of its own, as the call without a view does.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::DataLoss`] if it does not fit the type: the definitions of both sides differ.
    pub fn to_owned(&self) -> Result<T>
    where
        T: for<'de> Decode<'de>,
    {
        whole(self.reader())
    }
}

impl<T: Viewable> View<Vec<T>> {
    /// Reads the elements of the list one by one, without a list of them.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::DataLoss`] if the reply is no list. Each element may fail likewise; none follows one that failed.
    pub fn iter(&self) -> Result<Views<'_, T>> {
        let mut input = self.reader();
        let count = input.array().map_err(|why| garbled(&why))?;
        Ok(Views {
            input,
            count,
            next: 0,
            value: PhantomData,
        })
    }
}

impl<T> Clone for View<T> {
    fn clone(&self) -> Self {
        Self {
            body: self.body.clone(),
            value: PhantomData,
        }
    }
}

impl<T> fmt::Debug for View<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "View<{}>({} bytes)",
            std::any::type_name::<T>(),
            self.body.len()
        )
    }
}

/// The elements of a list in a reply; made by [`View::iter`].
pub struct Views<'a, T> {
    input: Reader<'a>,
    count: usize,
    next: usize,
    value: PhantomData<fn() -> T>,
}

impl<'a, T: Viewable> Iterator for Views<'a, T> {
    type Item = Result<T::View<'a>>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.next == self.count {
            return None;
        }
        let index = self.next;
        self.next += 1;
        let mut element = T::View::decode(&mut self.input).map_err(|error| error.in_index(index));
        // What is behind the last one is found out with it.
        if self.next == self.count {
            element = element.and_then(|element| self.input.finish().map(|()| element));
        }
        if element.is_err() {
            self.next = self.count;
        }
        Some(element.map_err(|why| garbled(&why)))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        // One that fails is the last.
        (
            usize::from(self.next < self.count),
            Some(self.count - self.next),
        )
    }
}

impl<T> fmt::Debug for Views<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Views({} of {})", self.next, self.count)
    }
}

fn whole<'a, V: Decode<'a>>(mut input: Reader<'a>) -> Result<V> {
    let value = V::decode(&mut input).map_err(|why| garbled(&why))?;
    input.finish().map_err(|why| garbled(&why))?;
    Ok(value)
}

fn garbled(why: &DecodeError) -> Error {
    let text = format!("result: {why}; compare the definitions of both sides");
    Error::new(ErrorKind::DataLoss, text).with_execution(Execution::Executed)
}
