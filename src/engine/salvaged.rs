//! After a salvage with losses, keys that may have run are not granted until the losses are accepted.

use crate::engine::engine::Engine;
use crate::journal::format::manifest::Manifest;
use crate::value::error::{Error, ErrorKind, Result};
use crate::value::guarantee::Guarantee;
use crate::value::policy::Policy;

impl Engine {
    /// Whether it was salvaged with losses that are not accepted.
    pub(crate) fn is_salvaged(&self) -> bool {
        self.lifecycle.is_salvaged()
    }

    /// Refuses a key that may have run already, by a record that the salvage could not save.
    #[inline]
    pub(crate) fn check_salvaged(&self, policy: &Policy) -> Result<()> {
        if policy.guarantee == Guarantee::AtMostOnce && self.is_salvaged() {
            let text = "the store was salvaged and something was lost, so this key may have run already: settle outside what was under way, then call Operator::accept_salvage()";
            return Err(Error::new(ErrorKind::Salvaged, text));
        }
        Ok(())
    }

    /// Lets a salvaged store grant again, for good.
    pub(crate) fn accept_salvage(&self) -> Result<()> {
        self.check_change()?;
        let mut namespaces = self.namespaces.lock();
        if namespaces.manifest.salvaged {
            let manifest = Manifest {
                salvaged: false,
                ..namespaces.manifest.clone()
            };
            self.write_manifest(&mut namespaces, manifest)?;
        }
        self.lifecycle.accept_salvage();
        Ok(())
    }
}
