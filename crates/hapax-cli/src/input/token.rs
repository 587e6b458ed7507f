//! Tokens on the command line and in files.

use hapax::FencingToken;

/// Reads a token.
pub(crate) fn parse_token(text: &str) -> Result<FencingToken, String> {
    let number = text.parse().ok().and_then(FencingToken::from_i64);
    number.ok_or_else(|| "a token is a decimal number below 2^63".to_owned())
}
