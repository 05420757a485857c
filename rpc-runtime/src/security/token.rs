//! A secret that says who is calling: never printed, compared in constant time.

use std::fmt;
use std::sync::Arc;

use crate::error::{Error, Result};

/// Longest token in bytes: it travels in the metadata of a call as well, and there are 8 KiB for all of it.
const MAX_BYTES: usize = 4 << 10;

/// A secret text by which a server knows its caller, such as a signed token or an API key.
///
/// `Debug` shows three dots, there is no `Display`, and `==` takes the same time however much is equal. Cloning is
/// cheap. It leaves this process in HELLO or in the metadata of a call only, and only where nobody can listen: see
/// [`ChannelBuilder::token`](crate::ChannelBuilder::token).
///
/// ```
/// use rpc_runtime::Token;
///
/// let token = Token::new("c2VjcmV0")?;
/// assert_eq!(format!("{token:?}"), "Token(…)");
/// # Ok::<(), rpc_runtime::Error>(())
/// ```
#[derive(Clone)]
pub struct Token {
    text: Arc<str>,
}

impl Token {
    /// Takes over a secret: 1 to 4,096 bytes.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidArgument`](crate::ErrorKind::InvalidArgument) if it is empty, as an environment variable
    /// that is not set often is, too long, or has a line break or another control character, as a file that was read
    /// whole often has at its end.
    pub fn new(secret: impl Into<String>) -> Result<Self> {
        let secret = secret.into();
        if secret.is_empty() {
            return Err(Error::invalid("the token is empty"));
        }
        if secret.len() > MAX_BYTES {
            let text = format!(
                "the token has {} bytes, {MAX_BYTES} are allowed",
                secret.len()
            );
            return Err(Error::invalid(text));
        }
        if secret.chars().any(char::is_control) {
            return Err(Error::invalid(
                "the token has a line break or another control character; trim it",
            ));
        }
        Ok(Self {
            text: secret.into(),
        })
    }

    /// The secret itself. Whoever calls this answers for where it goes.
    pub fn reveal(&self) -> &str {
        &self.text
    }
}

impl PartialEq for Token {
    /// Takes a time that depends on the length of the other one alone.
    fn eq(&self, other: &Self) -> bool {
        let (ours, theirs) = (self.text.as_bytes(), other.text.as_bytes());
        let mut difference = u8::from(ours.len() != theirs.len());
        for (at, byte) in theirs.iter().enumerate() {
            // The remainder keeps the index inside without a branch on the secret; tokens are not empty.
            difference |= byte ^ ours[at % ours.len()];
        }
        std::hint::black_box(difference) == 0
    }
}

impl Eq for Token {}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_equal_if_every_byte_is() {
        let token = |text: &str| Token::new(text).unwrap();
        assert_eq!(token("abc"), token("abc"));
        for other in ["abd", "bbc", "ab", "abca", "abcabc", "a"] {
            assert_ne!(token("abc"), token(other), "{other}");
            assert_ne!(token(other), token("abc"), "{other}");
        }
    }

    #[test]
    fn what_is_no_token_is_refused_without_being_shown() {
        for (text, expected) in [
            ("", "is empty"),
            ("s3cret\n", "a line break"),
            (&*"s3cret".repeat(1000), "6000 bytes"),
        ] {
            let error = Token::new(text).expect_err(expected).to_string();
            assert!(error.contains(expected), "{error}");
            assert!(!error.contains("s3cret"), "{error}");
        }
    }
}
