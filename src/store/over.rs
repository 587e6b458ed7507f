//! Stores over a backend that several processes share.

use std::sync::Arc;

use crate::backend::Backend;
use crate::remote::options::OpenOptions;
use crate::remote::remote::Remote;
use crate::runtime::sync::block_on;
use crate::store::store::Store;
use crate::value::error::Result;

impl Store {
    /// Opens the store that lies in a backend; it is made if the backend has none. For the packages that bring a
    /// backend: their own `connect` is what programs call.
    ///
    /// # Errors
    /// [`Unavailable`](crate::ErrorKind::Unavailable) where the backend does not answer, and what it refuses with.
    #[doc(hidden)]
    pub fn over(backend: Arc<dyn Backend>, options: OpenOptions) -> Result<Self> {
        block_on(Remote::open(backend, options)).map(Self::over_remote)
    }
}
