//! [`Case`]: one test of the contract, with what it needs of a world.

use crate::world::capability::Capability;
use crate::world::world::World;

/// One test of the contract.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    /// The topic and the name: `claims::lapsed_at_most_once_is_in_doubt`.
    pub name: &'static str,
    /// Worlds without these do not have to pass it.
    pub needs: &'static [Capability],
    pub test: fn(&dyn World),
}

impl Case {
    /// What this world lacks of what the test needs.
    #[must_use]
    pub fn lacks(&self, world: &dyn World) -> Vec<Capability> {
        let capabilities = world.capabilities();
        let needs = self.needs.iter().copied();
        needs.filter(|need| !capabilities.has(*need)).collect()
    }
}
