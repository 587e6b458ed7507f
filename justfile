# What to run before a commit.
check: format lint test doc deny

format:
    cargo fmt --all --check

lint:
    cargo clippy --workspace --all-targets --all-features -- -D warnings

test:
    cargo test --workspace --all-features

doc:
    RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --all-features

# Licences, duplicate bans and sources; the advisories are listed in deny.toml.
deny:
    cargo deny --all-features check licenses bans sources

examples:
    cargo run --example basic
    cargo run --example batch_consumer
    cargo run --example job_ledger
    cargo run --example remediation_guard
    cargo run --example payments
    cargo run --release --example webhooks

# All of it, from a machine with nothing but rustup and a linker.
ci:
    .ci/run
