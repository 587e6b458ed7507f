//! [`Run`] as an axum extractor.

use std::convert::Infallible;

use axum::extract::{FromRequestParts, OptionalFromRequestParts};
use http::StatusCode;
use http::request::Parts;

use crate::run::run_handle::Run;

impl<S: Sync> FromRequestParts<S> for Run {
    type Rejection = (StatusCode, &'static str);

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        let run = parts.extensions.get::<Self>().cloned();
        run.ok_or((
            StatusCode::INTERNAL_SERVER_ERROR,
            "this handler needs an idempotency key: put the layer around its route, and require a key",
        ))
    }
}

impl<S: Sync> OptionalFromRequestParts<S> for Run {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, Self::Rejection> {
        Ok(parts.extensions.get::<Self>().cloned())
    }
}
