//! [`ReadRequest`]: a read that a caller waits for.

use std::sync::Arc;

use crate::runtime::sync::Mailbox;
use crate::value::error::Result;
use crate::value::locator::Locator;
use crate::value::record::Record;

/// A read that a caller waits for.
pub(crate) type ReadRequest = (Locator, Arc<Mailbox<Result<Option<Record>>>>);
