//! Checks that need more than one definition or member at a time.

pub(crate) mod infinite;
pub(crate) mod members;
pub(crate) mod services;
pub(crate) mod sets;
