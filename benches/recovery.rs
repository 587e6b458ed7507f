//! How long it takes to open a store again, with its log in the system's page cache.

mod rig;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use rig::{Rig, builder, group_of_few, sizes, timed};

fn reopen(c: &mut Criterion) {
    for keys in sizes() {
        let mut closed = None;
        let mut group = group_of_few(c, "reopen", keys);
        group.bench_function(BenchmarkId::from_parameter(keys), |b| {
            let dir = &*closed.get_or_insert_with(|| Rig::of(keys).close());
            b.iter_custom(|rounds| {
                let round = |_| {
                    let mut opened = None;
                    let taken = timed(|| opened = Some(builder(dir).open()));
                    let store = opened.expect("it was called").expect("the store opens");
                    assert_eq!(store.stats().keys(), keys, "it remembers all of them");
                    store.close().expect("everything is durable");
                    taken
                };
                (0..rounds).map(round).sum()
            });
        });
    }
}

criterion_group!(benches, reopen);
criterion_main!(benches);
