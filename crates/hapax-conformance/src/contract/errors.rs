//! Errors as callers meet them: `?` within work and around leases.

use std::fmt;
use std::io;

use hapax::{
    Claim, ClaimOptions, ErrorKind, Failure, KeyState, Lease, Namespace, Policy, Ran, RunError,
};

use crate::site::answers::{claim, state};
use crate::site::site::{Site, both};
use crate::world::world::World;

type AnyError = Box<dyn std::error::Error + Send + Sync>;

/// Like `anyhow::Error`: made of any error, and none itself.
struct Anyhow(String);

impl<E: std::error::Error> From<E> for Anyhow {
    fn from(error: E) -> Self {
        Self(error.to_string())
    }
}

impl fmt::Display for Anyhow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Anyhow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Anyhow({})", self.0)
    }
}

fn refused() -> io::Result<String> {
    Err(io::Error::other("no route to host"))
}

pub(crate) fn work_may_end_in_any_error_and_the_guarantee_decides(world: &dyn World) {
    for (policy, left) in both()
        .into_iter()
        .zip([KeyState::Released, KeyState::InDoubt])
    {
        let site = Site::new(world);
        let jobs = site.namespace(policy);
        let as_io = jobs.run_once("io", |_| refused());
        assert!(
            matches!(as_io, Err(RunError::Work(error)) if error.kind() == io::ErrorKind::Other)
        );
        let anyhow = jobs.run_once("anyhow", |_| -> Result<String, Anyhow> { Ok(refused()?) });
        assert!(matches!(anyhow, Err(RunError::Work(Anyhow(text))) if text == "no route to host"));
        let boxed = jobs.run_once("boxed", |_| -> Result<String, AnyError> { Ok(refused()?) });
        assert_eq!(boxed.unwrap_err().to_string(), "no route to host");
        let text = jobs.run_once("text", |_| Err::<(), _>("a plain text"));
        assert!(matches!(text, Err(RunError::Work("a plain text"))));
        let work = |_| std::future::ready(refused());
        let pending = jobs.run_once_async("async", ClaimOptions::new(), work);
        assert!(matches!(site.ready(pending), Err(RunError::Work(_))));
        for key in ["io", "anyhow", "boxed", "text", "async"] {
            assert_eq!(state(&jobs, key), Some(left), "{key}");
        }
    }
}

/// Work that says how it failed where it knows, and leaves the rest to `?`.
fn charge(cents: &str) -> Result<String, Failure<AnyError>> {
    let cents: u64 = cents.parse()?;
    if cents == 0 {
        return Err(Failure::Final("nothing to charge".into()));
    }
    refused().map_err(|error| Failure::Unknown(error.into()))
}

pub(crate) fn a_failure_is_made_of_any_error_by_the_question_mark(world: &dyn World) {
    let site = Site::new(world);
    let pay = site.namespace(Policy::at_least_once());
    for (key, cents, left) in [
        ("a", "many", KeyState::Released),
        ("b", "0", KeyState::Failed),
        ("c", "1299", KeyState::InDoubt),
    ] {
        let error = pay.run_once(key, |_| charge(cents)).unwrap_err();
        assert!(matches!(error, RunError::Work(_)), "{error}");
        assert_eq!(state(&pay, key), Some(left), "{cents}");
    }
    fn anyhow() -> Result<(), Failure<Anyhow>> {
        "many".parse::<u64>()?;
        Ok(())
    }
    let error = anyhow().unwrap_err();
    assert!(matches!(error, Failure::ByGuarantee(Anyhow(text)) if text.contains("digit")));
}

pub(crate) fn a_final_failure_is_no_ok_on_any_call(world: &dyn World) {
    fn script(jobs: &Namespace) -> Result<(), RunError<String>> {
        let _ran = jobs.run_once("key", |_| {
            Err::<(), _>(Failure::Final("declined".to_owned()))
        })?;
        Ok(())
    }
    let site = Site::new(world);
    let jobs = site.namespace(Policy::at_least_once());
    assert_eq!(script(&jobs).unwrap_err().to_string(), "declined");
    let again = script(&jobs).unwrap_err();
    assert_eq!(
        again.to_string(),
        "the work failed for good before: declined"
    );
    assert_eq!(format!("{again:?}"), again.to_string(), "so does `main`");
    let RunError::Failed(answer) = again else {
        panic!("{again:?}");
    };
    assert_eq!((answer.error(), answer.attempts()), (&b"declined"[..], 1));
}

pub(crate) fn the_question_mark_ends_a_call_of_a_holder(world: &dyn World) {
    fn of_hapax(lease: Lease) -> hapax::Result<()> {
        lease.complete("done")?;
        Ok(())
    }
    fn boxed(lease: Lease) -> Result<(), AnyError> {
        lease.complete("done")?;
        Ok(())
    }
    fn anyhow(lease: Lease) -> Result<(), Anyhow> {
        lease.complete("done")?;
        Ok(())
    }
    struct Mine(hapax::Error);
    impl From<hapax::Error> for Mine {
        fn from(error: hapax::Error) -> Self {
            Self(error)
        }
    }
    fn mine(lease: Lease) -> Result<(), Mine> {
        lease.complete("done")?;
        Ok(())
    }
    let site = Site::new(world);
    let jobs = site.namespace(Policy::at_least_once());
    let superseded = || {
        let lease = claim(&jobs, "key");
        site.operator()
            .forget_forced("work", "key", lease.token())
            .unwrap();
        lease
    };
    let text = "the key of this token no longer exists: stop the work";
    let error = of_hapax(superseded()).unwrap_err();
    assert_eq!(
        (error.kind(), error.to_string()),
        (ErrorKind::NotHeld, text.to_owned())
    );
    assert_eq!(boxed(superseded()).unwrap_err().to_string(), text);
    assert_eq!(anyhow(superseded()).unwrap_err().0, text);
    assert_eq!(
        mine(superseded()).map_err(|Mine(error)| error.kind()),
        Err(ErrorKind::NotHeld)
    );
    let policy = Policy::at_least_once().max_response(3);
    let limited = site.store.namespace("limited", policy).unwrap();
    let Mine(error) = mine(claim(&limited, "other")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooLarge);
    let lease = error.into_lease().unwrap();
    lease.complete("ok").unwrap();
    assert!(limited.contains("other").unwrap());
}

pub(crate) fn an_error_of_work_shows_its_text_where_it_is_text(world: &dyn World) {
    let site = Site::new(world);
    let jobs = site.namespace(Policy::at_least_once());
    let shown = |key: &str, error: &[u8]| {
        claim(&jobs, key).fail(error).unwrap();
        let Claim::Failed(answer) = jobs.claim(key).unwrap() else {
            unreachable!()
        };
        (format!("{answer:?}"), answer.to_string())
    };
    let (debug, text) = shown("text", "card declined: \"expired\"\n".as_bytes());
    assert!(
        debug.contains(r#"error: "card declined: \"expired\"\n""#),
        "{debug}"
    );
    assert_eq!(
        text,
        "the work failed for good before: card declined: \"expired\"\n"
    );
    let (debug, text) = shown("bytes", &[0xff, 0, 1]);
    assert!(debug.contains("bytes: 3"), "{debug}");
    assert_eq!(
        text,
        "the work failed for good before, with an error of 3 bytes"
    );
    let (debug, text) = shown("none", b"");
    assert!(debug.contains(r#"error: """#), "{debug}");
    assert_eq!(text, "the work failed for good before");
    let (debug, _) = shown("long", "x\u{e9}".repeat(1000).as_bytes());
    assert!(debug.len() < 1500, "an error may be as long as a response");
    claim(&jobs, "ran").complete("secret").unwrap();
    let Claim::Completed(answer) = jobs.claim("ran").unwrap() else {
        unreachable!()
    };
    assert!(
        !format!("{answer:?}").contains("secret"),
        "a response is not shown"
    );
    let ran = jobs.run_once("ran", |_| Ok::<_, AnyError>(String::new()));
    assert!(matches!(ran, Ok(Ran::Replayed(text)) if text == "secret"));
}
