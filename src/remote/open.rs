//! How a store over a backend is opened.

use std::sync::Arc;

use crate::backend::Backend;
use crate::engine::upkeep::recovery::identity::Secrets;
use crate::journal::format::manifest::Manifest;
use crate::remote::namespaces::edit_to;
use crate::remote::nonces::Nonces;
use crate::remote::options::OpenOptions;
use crate::remote::receipt::Receipt;
use crate::remote::remote::{Catalogue, Parts, Remote};
use crate::value::digest::Hasher128;
use crate::value::error::{Error, ErrorKind, Result};

impl Remote {
    /// Opens the store that lies in a backend; it is made if the backend has none.
    pub(crate) fn open(backend: Arc<dyn Backend>, options: OpenOptions) -> Receipt<Arc<Self>> {
        let driver = Arc::clone(&backend);
        Receipt::send(&*driver, async move {
            let mut secrets = Secrets::new(options.secrets);
            let catalogue = find_or_make(&*backend, &mut secrets).await?;
            let process = u128::from_le_bytes(secrets.draw()?).max(1);
            let remote = Arc::new(Self::new(Parts {
                seeded: Hasher128::new(catalogue.namespaces.manifest.seed),
                nonces: Nonces::new(secrets.draw()?),
                process,
                backend,
                options,
                catalogue,
            }));
            remote.beat().await?;
            remote.keep_beating();
            Ok(remote)
        })
    }
}

async fn find_or_make(backend: &dyn Backend, secrets: &mut Secrets) -> Result<Catalogue> {
    let stored = match backend.manifest(None).await? {
        Some(stored) => stored,
        None => {
            let manifest = Manifest {
                store_id: secrets.draw()?,
                seed: secrets.draw()?,
                created_secs: 0,
                backup: false,
                salvaged: false,
                namespaces: Vec::new(),
            };
            // Two processes may make it at once: one of them wins, and both have what it made.
            let made = backend.manifest(Some(edit_to(&manifest, 0))).await?;
            made.ok_or_else(|| {
                let text = format!(
                    "{} keeps no manifest: this is a fault of the backend",
                    backend.name()
                );
                Error::new(ErrorKind::Damaged, text)
            })?
        }
    };
    Catalogue::read(&stored)
}
