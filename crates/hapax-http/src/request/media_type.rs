//! [`MediaType`]: the `Content-Type` of a request in one spelling, and the format of its body.

use http::HeaderMap;
use http::header::CONTENT_TYPE;
use mediatype::ReadParams;

use crate::request::framing::framed;

/// Stands for the boundary of a body that was read by it; no framed parameter is that short.
const READ_BY_ITS_BOUNDARY: &[u8] = b"*";

/// The format of a body, by its type.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum BodyFormat {
    Json,
    UrlEncoded,
    /// Parts between boundaries; their order counts unless they are fields of a form.
    Multipart {
        boundary: String,
        is_form: bool,
    },
    /// A format that is compared as bytes.
    Other,
}

/// The `Content-Type` of a request.
#[derive(Clone, Debug)]
pub(crate) struct MediaType {
    body_format: BodyFormat,
    /// Type and subtype in lower case, and the parameters that count, sorted by name, without the boundary. For a
    /// header that is not a media type, its framed text.
    spelled: Vec<u8>,
    /// The framed boundary of the header; empty without one.
    boundary: Vec<u8>,
}

impl MediaType {
    /// The type in these headers. A header that cannot be read, or comes twice, is a type of its own.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let mut lines = headers.get_all(CONTENT_TYPE).iter();
        let read = match (lines.next(), lines.next()) {
            (Some(line), None) => line.to_str().ok().and_then(Self::read),
            _ => None,
        };
        read.unwrap_or_else(|| Self {
            body_format: BodyFormat::Other,
            spelled: framed(headers.get_all(CONTENT_TYPE).iter().map(AsRef::as_ref)),
            boundary: Vec::new(),
        })
    }

    fn read(line: &str) -> Option<Self> {
        let read = mediatype::MediaType::parse(line.trim_matches([' ', '\t'])).ok()?;
        let mut essence = format!("{}/{}", read.ty, read.subty);
        if let Some(suffix) = read.suffix {
            essence = format!("{essence}+{suffix}");
        }
        essence.make_ascii_lowercase();
        let mut parameters: Vec<(String, String)> = read
            .params()
            .map(|(name, value)| {
                (
                    name.as_str().to_ascii_lowercase(),
                    value.unquoted_str().into_owned(),
                )
            })
            // UTF-8 is the default anyway.
            .filter(|(name, value)| name != "charset" || !value.eq_ignore_ascii_case("utf-8"))
            .collect();
        parameters.sort();
        let is_boundary = |(name, _): &(String, String)| name == "boundary";
        let (boundaries, others): (Vec<_>, Vec<_>) = parameters.into_iter().partition(is_boundary);
        Some(Self {
            body_format: body_format(
                &essence,
                boundaries.first().map(|(_, value)| value.as_str()),
            ),
            spelled: [essence.into_bytes(), b";".to_vec(), pairs(&others)].concat(),
            boundary: pairs(&boundaries),
        })
    }

    /// The format of a body of this type.
    pub(crate) fn body_format(&self) -> &BodyFormat {
        &self.body_format
    }

    /// The one spelling of the type. The boundary counts only if the body was not read by it.
    pub(crate) fn spelled(&self, is_parsed: bool) -> Vec<u8> {
        let boundary = if is_parsed && !self.boundary.is_empty() {
            READ_BY_ITS_BOUNDARY
        } else {
            &self.boundary
        };
        [&self.spelled, boundary].concat()
    }
}

fn pairs(parameters: &[(String, String)]) -> Vec<u8> {
    let texts = parameters.iter().flat_map(|(name, value)| [name, value]);
    framed(texts.map(String::as_bytes))
}

fn body_format(essence: &str, boundary: Option<&str>) -> BodyFormat {
    let multipart = essence.strip_prefix("multipart/").zip(boundary);
    match (essence, multipart) {
        ("application/json" | "text/json", _) => BodyFormat::Json,
        // RFC 6839 section 3.1.
        _ if essence.ends_with("+json") => BodyFormat::Json,
        ("application/x-www-form-urlencoded", _) => BodyFormat::UrlEncoded,
        (_, Some((kind, boundary))) => BodyFormat::Multipart {
            boundary: boundary.to_owned(),
            is_form: kind == "form-data",
        },
        _ => BodyFormat::Other,
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue};

    use super::{BodyFormat, MediaType};

    fn media_type(value: &str) -> MediaType {
        let mut headers = HeaderMap::new();
        let value = HeaderValue::from_str(value).expect("a value");
        headers.insert("content-type", value);
        MediaType::of(&headers)
    }

    #[test]
    fn types_of_one_meaning_have_one_spelling() {
        let groups = [
            &[
                "application/json",
                "Application/JSON",
                "application/json;charset=utf-8",
                "application/json; charset=UTF-8",
                "application/json; charset=\"utf-8\"",
                "application/json;",
                "application/json ; charset=utf-8;",
            ][..],
            &["application/json; charset=latin1"],
            &["application/merge-patch+json"],
            &["text/json"],
            &["text/plain", "text/plain; charset=utf-8"],
            &["text/plain; charset=us-ascii"],
            &["application/vnd.api+json"],
            &[
                "application/vnd.api+json; ext=a; profile=b",
                "application/vnd.api+json; Profile=\"b\"; ext=a",
            ],
            &[
                "multipart/form-data; boundary=a",
                "multipart/form-data; boundary=\"b c\"",
            ],
            &["multipart/form-data"],
            &["multipart/mixed; boundary=a"],
            &["json"],
            &[""],
        ];
        let spelled = |value: &str| media_type(value).spelled(true);
        for (at, group) in groups.iter().enumerate() {
            for value in *group {
                assert_eq!(spelled(value), spelled(group[0]), "{value}");
                for other in groups[..at].iter().flat_map(|group| *group) {
                    assert_ne!(spelled(value), spelled(other), "{value} {other}");
                }
            }
        }
        let whole = |value: &str| media_type(value).spelled(false);
        assert_ne!(
            whole("multipart/form-data; boundary=a"),
            whole("multipart/form-data; boundary=b")
        );
    }

    #[test]
    fn the_type_tells_how_a_body_is_read() {
        let multipart = |boundary: &str, is_form| BodyFormat::Multipart {
            boundary: boundary.into(),
            is_form,
        };
        for (value, form) in [
            ("application/json", BodyFormat::Json),
            ("TEXT/JSON; charset=utf-8", BodyFormat::Json),
            ("application/problem+json", BodyFormat::Json),
            ("application/x-json", BodyFormat::Other),
            ("application/jsonp", BodyFormat::Other),
            (
                "Application/X-WWW-Form-Urlencoded; charset=utf-8",
                BodyFormat::UrlEncoded,
            ),
            (
                "multipart/form-data; boundary=\"a b\"",
                multipart("a b", true),
            ),
            ("multipart/form-data; boundary=aB", multipart("aB", true)),
            ("Multipart/Mixed; Boundary=a", multipart("a", false)),
            ("multipart/form-data", BodyFormat::Other),
            ("text/plain", BodyFormat::Other),
            ("json", BodyFormat::Other),
            ("", BodyFormat::Other),
        ] {
            assert_eq!(media_type(value).body_format(), &form, "{value}");
        }
        let mut twice = HeaderMap::new();
        twice.append("content-type", HeaderValue::from_static("application/json"));
        twice.append("content-type", HeaderValue::from_static("application/json"));
        assert_eq!(MediaType::of(&twice).body_format(), &BodyFormat::Other);
        assert_ne!(
            MediaType::of(&twice).spelled(true),
            media_type("application/json").spelled(true)
        );
    }
}
