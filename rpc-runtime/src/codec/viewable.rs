//! What a type looks like where it borrows from the message it is read from.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::decimal::Decimal;
use super::timestamp::Timestamp;
use super::uuid::Uuid;
use super::value::Value;
use super::wire::Decode;

/// A type that can be read without copies of its strings and bytes.
///
/// Generated structs have a view of their own, `OrderRef<'a>` of `Order`; strings are `&str`, bytes `&[u8]`, and containers are
/// those of the views of what they hold. Types without anything to borrow are their own view. By
/// [`View`](crate::View) a client gets them out of a reply.
pub trait Viewable: Sized {
    /// The type as it is read from bytes that live for `'a`.
    type View<'a>: Decode<'a>;
    /// A list of such values; one of `u8` is `&[u8]`.
    #[doc(hidden)]
    type ListView<'a>: Decode<'a>;

    /// Copies what the view borrows.
    fn from_view(view: &Self::View<'_>) -> Self;

    /// Copies what a list borrows.
    #[doc(hidden)]
    fn list_from_view(view: &Self::ListView<'_>) -> Vec<Self>;
}

/// `viewable!(record Order OrderRef)` for a struct that has a view, `viewable!(owned Side)` for what is its own.
#[doc(hidden)]
#[macro_export]
macro_rules! __rpc_viewable {
    (record $owned:ident $view:ident) => {
        #[automatically_derived]
        #[allow(deprecated, reason = "deprecated types are still on the wire")]
        impl $crate::codec::Viewable for $owned {
            type View<'a> = $view<'a>;
            type ListView<'a> = ::std::vec::Vec<$view<'a>>;

            #[inline]
            fn from_view(view: &$view<'_>) -> Self {
                ::core::convert::From::from(view)
            }

            #[inline]
            fn list_from_view(view: &::std::vec::Vec<$view<'_>>) -> ::std::vec::Vec<Self> {
                view.iter().map(::core::convert::From::from).collect()
            }
        }
    };
    (owned $($ty:ty)*) => {$(
        #[automatically_derived]
        impl $crate::codec::Viewable for $ty {
            type View<'a> = $ty;
            type ListView<'a> = ::std::vec::Vec<$ty>;

            #[inline]
            fn from_view(view: &$ty) -> Self {
                ::core::clone::Clone::clone(view)
            }

            #[inline]
            fn list_from_view(view: &::std::vec::Vec<$ty>) -> ::std::vec::Vec<Self> {
                ::core::clone::Clone::clone(view)
            }
        }
    )*};
}

crate::__rpc_viewable!(owned () bool i8 i16 i32 i64 i128 u16 u32 u64 u128 f32 f64);
crate::__rpc_viewable!(owned Duration Timestamp Uuid Decimal Value);

/// The list of a type is the list of its views.
macro_rules! list_of_views {
    () => {
        type ListView<'a> = Vec<Self::View<'a>>;

        fn list_from_view(view: &Vec<Self::View<'_>>) -> Vec<Self> {
            view.iter().map(Self::from_view).collect()
        }
    };
}
#[cfg(feature = "small-strings")]
pub(super) use list_of_views;

impl Viewable for u8 {
    type View<'a> = u8;
    type ListView<'a> = &'a [u8];

    #[inline]
    fn from_view(view: &u8) -> Self {
        *view
    }

    #[inline]
    fn list_from_view(view: &&[u8]) -> Vec<Self> {
        view.to_vec()
    }
}

impl Viewable for String {
    type View<'a> = &'a str;
    list_of_views!();

    #[inline]
    fn from_view(view: &&str) -> Self {
        (*view).to_owned()
    }
}

impl Viewable for Bytes {
    type View<'a> = &'a [u8];
    list_of_views!();

    #[inline]
    fn from_view(view: &&[u8]) -> Self {
        Bytes::copy_from_slice(view)
    }
}

impl<T: Viewable> Viewable for Vec<T> {
    type View<'a> = T::ListView<'a>;
    list_of_views!();

    #[inline]
    fn from_view(view: &T::ListView<'_>) -> Self {
        T::list_from_view(view)
    }
}

impl<T: Viewable> Viewable for Option<T> {
    type View<'a> = Option<T::View<'a>>;
    list_of_views!();

    #[inline]
    fn from_view(view: &Option<T::View<'_>>) -> Self {
        view.as_ref().map(T::from_view)
    }
}

impl<T: Viewable, const N: usize> Viewable for [T; N] {
    type View<'a> = [T::View<'a>; N];
    list_of_views!();

    #[inline]
    fn from_view(view: &[T::View<'_>; N]) -> Self {
        std::array::from_fn(|index| T::from_view(&view[index]))
    }
}

impl<K: Viewable + Ord, V: Viewable> Viewable for BTreeMap<K, V>
where
    for<'a> K::View<'a>: Ord,
{
    type View<'a> = BTreeMap<K::View<'a>, V::View<'a>>;
    list_of_views!();

    fn from_view(view: &BTreeMap<K::View<'_>, V::View<'_>>) -> Self {
        let entries = view.iter();
        entries
            .map(|(key, value)| (K::from_view(key), V::from_view(value)))
            .collect()
    }
}

impl<T: Viewable + Ord> Viewable for BTreeSet<T>
where
    for<'a> T::View<'a>: Ord,
{
    type View<'a> = BTreeSet<T::View<'a>>;
    list_of_views!();

    fn from_view(view: &BTreeSet<T::View<'_>>) -> Self {
        view.iter().map(T::from_view).collect()
    }
}

/// A pointer is seen as what it points to.
macro_rules! pointer {
    ($($ty:ident)*) => {$(
        impl<T: Viewable> Viewable for $ty<T> {
            type View<'a> = $ty<T::View<'a>>;
            list_of_views!();

            #[inline]
            fn from_view(view: &$ty<T::View<'_>>) -> Self {
                $ty::new(T::from_view(view))
            }
        }
    )*};
}

pointer!(Box Arc);
