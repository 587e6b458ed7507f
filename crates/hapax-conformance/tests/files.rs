//! The contract, on plain files.

use hapax_conformance::DirectoryWorld;

hapax_conformance::conformance!(DirectoryWorld::files, not applicable: []);
