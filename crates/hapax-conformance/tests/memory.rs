//! The contract, in memory.

use hapax_conformance::MemoryWorld;

hapax_conformance::conformance!(MemoryWorld::new, not applicable: []);
