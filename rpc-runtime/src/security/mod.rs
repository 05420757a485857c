//! Who is calling, and what they may: tokens, identities, authentication, rules. No sockets in this room.

mod identity;
mod token;

pub use identity::{Identity, IdentityKind};
pub use token::Token;
