//! What traces show: keys, and leases that have lapsed.

use crate::engine::aftermath::Aftermath;
use crate::engine::engine::Engine;
use crate::engine::namespaces::NamespaceCore;
use crate::observe::trace::TraceSubject;
use crate::runtime::sync::contain;

impl Engine {
    /// How a key is shown in traces.
    pub(crate) fn subject(&self, namespace: &NamespaceCore, key: &[u8]) -> TraceSubject {
        let digest = self.seeded.key_digest(namespace.id, key);
        let shown = self.options.trace_keys.then_some(key);
        TraceSubject::new(&namespace.name, digest, shown)
    }

    /// Tells of leases that have lapsed.
    pub(in crate::engine) fn tell_lapses(&self, aftermath: &mut Aftermath) {
        for (id, key, lapse) in aftermath.take_lapses() {
            if let Ok(namespace) = self.namespace_by_id(id) {
                contain(|| crate::observe::trace::lapsed(|| self.subject(&namespace, &key), lapse));
            }
        }
    }
}
