//! The manifest of a store that is salvaged, or a substitute.

use crate::engine::namespaces::check_name;
use crate::engine::upkeep::recovery::identity::random;
use crate::journal::format::manifest::{Manifest, NamespaceEntry};
use crate::journal::format::manifest_file;
use crate::journal::log::directory::directory::read_manifest_of;
use crate::journal::log::raw_store::RawStore;
use crate::journal::salvage::Inventory;
use crate::value::doing::Doing;
use crate::value::durability::Durability;
use crate::value::error::{Error, ErrorKind, Result};
use crate::value::namespace_id::NamespaceId;
use crate::value::salvage_options::SalvageOptions;

/// The manifest of the store, or a substitute; and whether its seed is lost.
pub(in crate::engine) fn find_manifest(
    remains: &RawStore,
    inventory: &mut Inventory,
    options: &SalvageOptions,
) -> Result<(Manifest, bool)> {
    let error = match own_manifest(remains, inventory) {
        Ok(manifest) => return Ok((manifest, false)),
        Err(error) => error,
    };
    inventory.places.add(format!("MANIFEST: {error}"));
    if let Some(directory) = &options.manifest_of {
        let doing = "reading the manifest to take instead";
        let bytes = read_manifest_of(directory).while_doing(doing)?;
        let manifest = check_store(manifest_file::decode(&bytes)?, inventory)?;
        return Ok((with_namespaces(manifest, options)?, false));
    }
    if options.namespaces.is_empty() {
        let text = format!(
            "the manifest cannot be used ({error}): take the one of a backup with SalvageOptions::manifest_of, or name each namespace with SalvageOptions::namespace"
        );
        return Err(Error::new(ErrorKind::Damaged, text).with_source(error));
    }
    let manifest = new_manifest(inventory)?;
    Ok((with_namespaces(manifest, options)?, true))
}

fn own_manifest(remains: &RawStore, inventory: &Inventory) -> Result<Manifest> {
    let missing = || std::io::Error::from(std::io::ErrorKind::NotFound);
    let bytes = remains.directory.read_manifest();
    let bytes = bytes.and_then(|bytes| bytes.ok_or_else(missing));
    check_store(
        manifest_file::decode(&bytes.while_doing("the manifest")?)?,
        inventory,
    )
}

/// A manifest without a namespace, for the store that most frames belong to.
fn new_manifest(inventory: &Inventory) -> Result<Manifest> {
    Ok(Manifest {
        store_id: inventory.likely_store().unwrap_or_default(),
        seed: random()?,
        created_secs: 0,
        backup: false,
        salvaged: true,
        namespaces: Vec::new(),
    })
}

/// Refuses a manifest of another store than the one that the frames belong to.
fn check_store(manifest: Manifest, inventory: &Inventory) -> Result<Manifest> {
    if inventory.knows(&manifest.store_id) {
        return Ok(manifest);
    }
    Err(Error::new(
        ErrorKind::Damaged,
        "the manifest belongs to another store than the rest of the directory: take the one of a backup with SalvageOptions::manifest_of",
    ))
}

fn with_namespaces(mut manifest: Manifest, options: &SalvageOptions) -> Result<Manifest> {
    for (number, name, policy) in &options.namespaces {
        check_name(name)?;
        policy.check(policy.durability.unwrap_or(Durability::Sync))?;
        let taken = |there: &NamespaceEntry| there.id.0 == *number || there.name == *name;
        if *number == 0 || manifest.namespaces.iter().any(taken) {
            let text = format!(
                "namespace {number}, {name:?}, is there already or has no number: name each namespace once, from 1 on"
            );
            return Err(Error::invalid(text));
        }
        manifest.namespaces.push(NamespaceEntry {
            id: NamespaceId(*number),
            name: name.clone(),
            policy: policy.clone(),
        });
    }
    Ok(manifest)
}
