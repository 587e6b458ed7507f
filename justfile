# What to run before a commit.
check: format lint test doc deny

format:
    cargo fmt --all --check

lint:
    cargo clippy --workspace --exclude hapax-compare --all-targets --all-features -- -D warnings

test:
    cargo test --workspace --exclude hapax-compare --all-features

doc:
    RUSTDOCFLAGS="-D warnings" cargo doc --workspace --exclude hapax-compare --no-deps --all-features

# Licences, duplicate bans and sources; the advisories are listed in deny.toml.
deny:
    cargo deny --workspace --all-features check licenses bans sources

examples:
    cargo run --example basic
    cargo run --example batch_consumer
    cargo run --example job_ledger
    cargo run --example remediation_guard
    cargo run --example at_most_once
    cargo run --release --example webhooks
    cargo run --release -p hapax-http --example payments

# What takes longer than a commit. Each says what it has done, and how to repeat what failed.
simulate seeds="100000":
    HAPAX_SIM_SEEDS={{seeds}} cargo test --release --features sim --test sim any_history -- --nocapture

stress seconds="60":
    cargo run --release --example stress -- --seconds {{seconds}} --history target/history.jsonl
    cargo run --release -p hapax-check -- target/history.jsonl

soak minutes="10":
    cargo run --release --example soak -- --minutes {{minutes}}

# What it costs here.
bench *options:
    cargo bench {{options}}

# Instructions of each call, against ci/instructions.budget; with valgrind.
instructions *options:
    ci/instructions {{options}}

latency *options:
    cargo run --release --example latency -- {{options}}

capacity keys="1000000":
    cargo run --release --example capacity -- --keys {{keys}}

# As root, with xfsprogs.
cuts n="30":
    HAPAX_CUTS={{n}} cargo test --test power_cut -- --nocapture --test-threads=1

crash-points n="all":
    HAPAX_CRASH_POINTS={{n}} cargo test --test crash_points -- --nocapture

damage:
    HAPAX_DAMAGE=all cargo test --release --test damage -- --nocapture

races:
    ci/races

# Whether hapax changes what other crates of a build do.
beside:
    ci/beside

# With promtool.
ops:
    ci/ops

fuzz seconds="900":
    FUZZ_JOBS=2 ci/fuzz {{seconds}}

mutants files="src/state/*.rs":
    HAPAX_SIM_SEEDS=60 HAPAX_SIM_FIRST=0 cargo mutants -f '{{files}}' --timeout 40 -C=--features=sim -C=--lib -C=--test=sim

# The peers are compiled here and nowhere else, which takes minutes the first time.
compare *options:
    cargo run --release -p hapax-compare -- {{options}}

# After a change of crates/hapax-compare.
check-compare:
    cargo clippy -p hapax-compare --all-targets -- -D warnings
    cargo test -p hapax-compare

# All of it, from a machine with nothing but rustup and a linker.
ci:
    .ci/run
