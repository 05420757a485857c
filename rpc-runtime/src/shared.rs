//! A value that a handler answers with although it does not own it.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use bytes::Bytes;

/// A reply that is held by others too, or lives forever: it is encoded where it is, never cloned.
///
/// Handlers of methods with `@shared` in an `.idl` file give one, and make it `.into()` of what they have:
///
/// ```
/// use std::sync::Arc;
/// use rpc_runtime::Shared;
///
/// let kept: Arc<[u32]> = Arc::from([1, 2, 3]);
/// let reply: Shared<[u32]> = kept.clone().into();
/// assert_eq!(*reply, *kept);
///
/// let from_arc_of_vec: Shared<[u32]> = Arc::new(vec![1, 2, 3]).into();
/// let from_vec: Shared<[u32]> = vec![1, 2, 3].into();
/// let from_static: Shared<[u32]> = (&[1, 2, 3][..]).into();
/// let text: Shared<str> = "three".into();
/// # assert_eq!((from_arc_of_vec, from_static, &*text), (from_vec, reply, "three"));
/// ```
///
/// In a trait no such type is needed: methods return `Arc<T>`, `Arc<[T]>`, `Cow<'static, T>` or `&'static T` as they are.
pub struct Shared<T: ?Sized + 'static>(Holder<T>);

enum Holder<T: ?Sized + 'static> {
    Counted(Arc<T>),
    Static(&'static T),
    /// Something that has the value in it, such as the `Vec` of a slice.
    Around(Arc<dyn Holds<T> + Send + Sync>),
}

trait Holds<T: ?Sized> {
    fn held(&self) -> &T;
}

impl<T> Holds<[T]> for Vec<T> {
    fn held(&self) -> &[T] {
        self
    }
}

impl Holds<str> for String {
    fn held(&self) -> &str {
        self
    }
}

impl<T: ?Sized> Deref for Shared<T> {
    type Target = T;

    fn deref(&self) -> &T {
        match &self.0 {
            Holder::Counted(value) => value,
            Holder::Static(value) => value,
            Holder::Around(owner) => owner.held(),
        }
    }
}

impl<T: ?Sized> Clone for Shared<T> {
    fn clone(&self) -> Self {
        Self(match &self.0 {
            Holder::Counted(value) => Holder::Counted(value.clone()),
            Holder::Static(value) => Holder::Static(value),
            Holder::Around(owner) => Holder::Around(owner.clone()),
        })
    }
}

impl<T> From<T> for Shared<T> {
    fn from(value: T) -> Self {
        Self(Holder::Counted(Arc::new(value)))
    }
}

impl<T: ?Sized> From<Arc<T>> for Shared<T> {
    fn from(value: Arc<T>) -> Self {
        Self(Holder::Counted(value))
    }
}

impl<T: ?Sized> From<&'static T> for Shared<T> {
    fn from(value: &'static T) -> Self {
        Self(Holder::Static(value))
    }
}

impl<T: Send + Sync> From<Vec<T>> for Shared<[T]> {
    fn from(value: Vec<T>) -> Self {
        Self(Holder::Around(Arc::new(value)))
    }
}

impl<T: Send + Sync> From<Arc<Vec<T>>> for Shared<[T]> {
    fn from(value: Arc<Vec<T>>) -> Self {
        Self(Holder::Around(value))
    }
}

impl Holds<[u8]> for Bytes {
    fn held(&self) -> &[u8] {
        self
    }
}

impl From<Bytes> for Shared<[u8]> {
    fn from(value: Bytes) -> Self {
        Self(Holder::Around(Arc::new(value)))
    }
}

impl From<String> for Shared<str> {
    fn from(value: String) -> Self {
        Self(Holder::Around(Arc::new(value)))
    }
}

impl From<Arc<String>> for Shared<str> {
    fn from(value: Arc<String>) -> Self {
        Self(Holder::Around(value))
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for Shared<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T: ?Sized + PartialEq> PartialEq for Shared<T> {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl<T: ?Sized + Eq> Eq for Shared<T> {}
