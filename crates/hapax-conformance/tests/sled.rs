//! The contract, on sled's log.

use hapax_conformance::DirectoryWorld;

hapax_conformance::conformance!(DirectoryWorld::sled, not applicable: []);
