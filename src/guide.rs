//! The pages of `docs/`, with links that work here.
//!
//! | to | read |
//! | --- | --- |
//! | know every promise, its limits, and the test that holds it | [`guarantees`] |
//! | know what each kind of crash can cost, and choose a log | [`durability`] |
//! | set options and limits | [`configuration`] |
//! | serve HTTP under the `Idempotency-Key` header | [`http`] |
//! | watch a service | [`metrics`], [`tracing`], [`runbook`] |
//! | look at a store, and repair it | [`cli`], [`runbook`] |
//! | audit and protect | [`audit`], [`privacy`], [`permissions`] |
//!
//! # Only in the package
//!
//! More pages lie in the folder `docs/` of the package: `admin.md`, the router for operators; `performance.md`
//! and `comparison.md`, measurements; `format.md`, the bytes; `features.md`, the features and the crates;
//! `decisions/`, the reasons.

/// Makes a module of each page. Of two definitions of a link the first one counts, so those of the page itself,
/// which name files, give way to these.
macro_rules! pages {
    ($($name:ident: $file:literal,)*) => {
        $(
            #[doc = "[admin.md]: crate::guide#only-in-the-package
[audit.md]: crate::guide::audit
[cli.md]: crate::guide::cli
[cli.md#keys-of-the-http-layer]: crate::guide::cli#keys-of-the-http-layer
[decisions/0001-durability-on-sled.md]: crate::guide#only-in-the-package
[decisions/0009-plain-files.md]: crate::guide#only-in-the-package
[durability.md]: crate::guide::durability
[guarantees.md]: crate::guide::guarantees
[guarantees.md#crashes-and-disks]: crate::guide::guarantees#crashes-and-disks
[guarantees.md#how-long-to-remember]: crate::guide::guarantees#how-long-to-remember
[guarantees.md#where-fdatasync-does-not-do-what-it-says]: crate::guide::guarantees#where-fdatasync-does-not-do-what-it-says
[http.md]: crate::guide::http
[metrics.md]: crate::guide::metrics
[performance.md]: crate::guide#only-in-the-package
[performance.md#the-two-logs]: crate::guide#only-in-the-package
[permissions.md]: crate::guide::permissions
[privacy.md]: crate::guide::privacy
[tracing.md]: crate::guide::tracing

"]
            #[doc = include_str!($file)]
            pub mod $name {}
        )*
    };
}

pages! {
    audit: "../docs/audit.md",
    cli: "../docs/cli.md",
    configuration: "../docs/configuration.md",
    durability: "../docs/durability.md",
    guarantees: "../docs/guarantees.md",
    http: "../docs/http.md",
    metrics: "../docs/metrics.md",
    permissions: "../docs/permissions.md",
    privacy: "../docs/privacy.md",
    runbook: "../docs/runbook.md",
    tracing: "../docs/tracing.md",
}
