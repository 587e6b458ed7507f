//! Reads the body of a request up to a limit.

use http_body::Body;
use http_body_util::LengthLimitError;

use crate::answer::reason::Reason;
use crate::answer::refusal::Refusal;
use crate::body::collected::{Collected, collect_up_to};
use crate::body::error::{BoxError, causes};
use crate::body::whole::Whole;

/// Reads a body of at most `limit` bytes.
pub(crate) async fn read_whole<B>(body: B, limit: usize) -> Result<Whole, Refusal>
where
    B: Body,
    B::Error: Into<BoxError>,
{
    let too_large = |detail: String| Refusal::new(Reason::BodyTooLarge, detail);
    let is_over = || too_large(format!("the limit of this route is {limit} bytes"));
    // A body that announces that it is too long is not read at all.
    if body.size_hint().lower() > u64::try_from(limit).unwrap_or(u64::MAX) {
        return Err(is_over());
    }
    match collect_up_to(body, limit).await {
        Collected::Whole(body) => Ok(body),
        Collected::Longer { .. } => Err(is_over()),
        Collected::Broken(error) if is_limit(&*error) => Err(too_large(
            "the body is over the limit of this service".to_owned(),
        )),
        Collected::Broken(_) => {
            let detail = "the body broke off before its end; nothing ran";
            Err(Refusal::new(Reason::BodyUnreadable, detail))
        }
    }
}

/// Whether the body broke off at a limit of an outer layer.
fn is_limit(error: &(dyn std::error::Error + 'static)) -> bool {
    causes(error).any(|cause| cause.is::<LengthLimitError>())
}
