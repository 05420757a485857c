//! Who is calling, and what they may: tokens, identities, authentication, rules. No sockets in this room.

mod audit;
mod authenticate;
mod credentials;
mod guard;
mod identity;
mod rules;
mod token;

pub use authenticate::{Authenticator, Login, Tokens};
pub use credentials::Credentials;
pub(crate) use credentials::{Wallet, not_here};
pub(crate) use guard::{AUTHORIZATION, Admission, Asked, Guard, Refused, Target};
pub use identity::{Identity, IdentityKind};
pub use rules::{Access, Rule};
pub use token::Token;
