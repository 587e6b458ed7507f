//! The text that `main` prints of an error.

use hapax::{Policy, Store};

type AnyError = Box<dyn std::error::Error + Send + Sync>;

#[test]
fn an_error_that_main_returns_is_text() {
    let store = Store::in_memory().open().unwrap();
    let jobs = store.namespace("jobs", Policy::at_least_once()).unwrap();
    let invalid = jobs.claim("").unwrap_err();
    assert_eq!(format!("{invalid:?}"), invalid.to_string());
    assert!(
        format!("{invalid:#?}").contains("kind: Invalid"),
        "{invalid:#?}"
    );
    // What the text says already is not said again.
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    std::fs::write(&file, "no directory").unwrap();
    let io = Store::open(file.join("below")).unwrap_err();
    assert!(std::error::Error::source(&io).is_some(), "{io:#?}");
    assert_eq!(format!("{io:?}"), io.to_string());
    let run = jobs.run_once("", |_| Ok::<_, AnyError>(())).unwrap_err();
    assert_eq!(format!("{run:?}"), invalid.to_string());
}
