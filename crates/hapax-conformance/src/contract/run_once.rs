//! Every outcome of `run_once`, blocking and async.

use hapax::{
    ClaimOptions, ErrorKind, Failure, Guarantee, KeyState, Oversize, Policy, Ran, Run, RunError,
};

use crate::site::answers::{claim, completed, print, state, with_print};
use crate::site::site::{Site, both};
use crate::site::times::DAY;
use crate::world::world::World;

type Outcome = Result<Ran<Vec<u8>>, RunError<String>>;

/// The two forms, which must not differ.
#[derive(Clone, Copy, Debug)]
enum Form {
    Blocking,
    Async,
}

impl Form {
    const ALL: [Self; 2] = [Self::Blocking, Self::Async];

    fn run(
        self,
        site: &Site,
        namespace: &hapax::Namespace,
        options: ClaimOptions,
        work: impl FnOnce(Run) -> Result<Vec<u8>, Failure<String>>,
    ) -> Outcome {
        match self {
            Self::Blocking => namespace.run_once_with("key", options, work),
            Self::Async => {
                let work = |run| std::future::ready(work(run));
                site.ready(namespace.run_once_async("key", options, work))
            }
        }
    }

    fn plain(
        self,
        site: &Site,
        namespace: &hapax::Namespace,
        work: impl FnOnce(Run) -> Result<Vec<u8>, Failure<String>>,
    ) -> Outcome {
        self.run(site, namespace, ClaimOptions::new(), work)
    }
}

fn never(_: Run) -> Result<Vec<u8>, Failure<String>> {
    panic!("this work must not run")
}

pub(crate) fn every_failure_leaves_the_key_as_it_says(world: &dyn World) {
    use Guarantee::{AtLeastOnce, AtMostOnce};
    type Fails = fn(String) -> Failure<String>;
    #[rustfmt::skip]
    let table: [(Guarantee, Fails, KeyState); 8] = [
        (AtLeastOnce, Failure::Final,       KeyState::Failed),
        (AtLeastOnce, Failure::Retry,       KeyState::Released),
        (AtLeastOnce, Failure::Unknown,     KeyState::InDoubt),
        (AtLeastOnce, Failure::ByGuarantee, KeyState::Released),
        (AtMostOnce,  Failure::Final,       KeyState::Failed),
        (AtMostOnce,  Failure::Retry,       KeyState::Released),
        (AtMostOnce,  Failure::Unknown,     KeyState::InDoubt),
        (AtMostOnce,  Failure::ByGuarantee, KeyState::InDoubt),
    ];
    for form in Form::ALL {
        for (guarantee, fails, expected) in table {
            let at = format!("{form:?} {guarantee:?} {:?}", fails(String::new()));
            let site = Site::new(world);
            let jobs = site.namespace(match guarantee {
                AtMostOnce => Policy::at_most_once(),
                _ => Policy::at_least_once(),
            });
            let failed = form.plain(&site, &jobs, |_| Err(fails("why".to_owned())));
            let Err(RunError::Work(error)) = failed else {
                panic!("{at}: {failed:?}")
            };
            assert_eq!(error, "why", "{at}");
            assert_eq!(state(&jobs, "key"), Some(expected), "{at}");
            let again = form.plain(&site, &jobs, |run| {
                assert_eq!((run.attempt(), run.last_reason()), (2, &b"why"[..]), "{at}");
                Ok(b"done".to_vec())
            });
            match (expected, again) {
                (KeyState::Failed, Err(RunError::Failed(answer))) => {
                    assert_eq!(answer.error(), b"why");
                }
                (KeyState::Released, Ok(Ran::Executed(value))) => assert_eq!(value, b"done"),
                (KeyState::InDoubt, Ok(Ran::InDoubt(doubt))) => assert_eq!(doubt.reason(), b"why"),
                (_, other) => panic!("{at}: {other:?}"),
            }
        }
    }
}

pub(crate) fn work_runs_once_and_later_callers_are_told(world: &dyn World) {
    for form in Form::ALL {
        for policy in both() {
            let site = Site::new(world);
            let jobs = site.namespace(policy);
            let ran = form.run(&site, &jobs, with_print(&jobs, "a"), |_| {
                let busy = form.plain(&site, &jobs, never);
                assert!(matches!(busy, Ok(Ran::InProgress(_))), "{form:?}");
                Ok(b"done".to_vec())
            });
            assert!(matches!(ran, Ok(Ran::Executed(value)) if value == b"done"));
            let again = form.run(&site, &jobs, with_print(&jobs, "a"), never);
            assert!(matches!(again, Ok(Ran::Replayed(value)) if value == b"done"));
            let other = ClaimOptions::new().fingerprint(print(&jobs, "b"));
            let other = form.run(&site, &jobs, other, never);
            assert!(matches!(other, Ok(Ran::Mismatch(_))), "{form:?}");
        }
    }
}

pub(crate) fn work_goes_on_from_the_checkpoint_of_the_attempt_before(world: &dyn World) {
    for form in Form::ALL {
        let site = Site::new(world);
        let jobs = site.namespace(Policy::at_least_once());
        let mut first = None;
        let failed = form.plain(&site, &jobs, |run| {
            assert_eq!((run.attempt(), run.last_checkpoint()), (1, &b""[..]));
            run.checkpoint(b"half").unwrap();
            assert!(!run.is_lost());
            first = Some((run.token(), run.derived_key("psp")));
            Err(Failure::Retry("again".to_owned()))
        });
        assert!(matches!(failed, Err(RunError::Work(_))));
        let (token, derived) = first.unwrap();
        let ran = form.plain(&site, &jobs, |run| {
            assert_eq!((run.attempt(), run.last_checkpoint()), (2, &b"half"[..]));
            assert!(run.token() > token);
            assert_eq!(run.derived_key("psp"), derived, "{form:?}");
            assert_ne!(run.derived_key("other"), derived);
            Ok(Vec::new())
        });
        assert!(matches!(ran, Ok(Ran::Executed(_))));
    }
}

/// The work has run, so its caller gets the result; the key belongs to another caller.
pub(crate) fn work_that_lost_its_key_keeps_its_value(world: &dyn World) {
    for form in Form::ALL {
        for fails in [false, true] {
            let site = Site::new(world);
            let jobs = site.namespace(Policy::at_least_once());
            let ran = form.plain(&site, &jobs, |run| {
                // The store keeps the lease alive for a limited time, which ends here.
                site.advance(DAY * 30);
                claim(&jobs, "key").complete("theirs").unwrap();
                assert!(run.is_lost());
                match fails {
                    true => Err(Failure::Final("mine".to_owned())),
                    false => Ok(b"mine".to_vec()),
                }
            });
            match ran {
                Ok(Ran::Superseded(value)) => assert!(!fails && value == b"mine"),
                Err(RunError::Work(error)) => assert!(fails && error == "mine"),
                other => panic!("{form:?} {fails}: {other:?}"),
            }
            let stored = completed(jobs.claim("key").unwrap());
            assert_eq!(stored.response(), b"theirs");
        }
    }
}

pub(crate) fn a_long_error_is_cut_where_a_character_ends(world: &dyn World) {
    for form in Form::ALL {
        let site = Site::new(world);
        let jobs = site.namespace(Policy::at_least_once());
        let long = format!("x{}", "\u{e9}".repeat(1000));
        let failed = form.plain(&site, &jobs, |_| Err(Failure::Retry(long.clone())));
        let Err(RunError::Work(error)) = failed else {
            panic!("{failed:?}")
        };
        assert_eq!(error, long, "the caller gets all of it");
        let ran = form.plain(&site, &jobs, |run| {
            // 1024 bytes would end within a character.
            assert_eq!(run.last_reason(), &long.as_bytes()[..1023]);
            Ok(Vec::new())
        });
        assert!(matches!(ran, Ok(Ran::Executed(_))));
    }
}

/// A result over `max_response` is recorded without its bytes under `Oversize::OutcomeOnly`. The
/// replay used to decode the missing bytes, so a caller got an empty text as if the first run had
/// returned it.
pub(crate) fn a_result_that_was_left_out_is_not_replayed_as_an_empty_one(world: &dyn World) {
    let site = Site::new(world);
    let policy = Policy::at_least_once()
        .max_response(4)
        .oversize(Oversize::OutcomeOnly);
    let jobs = site.namespace(policy);
    let run = || jobs.run_once("report", |_| Ok::<_, Failure<String>>("long".repeat(9)));
    assert!(matches!(run(), Ok(Ran::Executed(_))));
    let Err(RunError::Store(error)) = run() else {
        panic!("there is nothing to replay")
    };
    assert_eq!(error.kind(), ErrorKind::Decode);
    assert_eq!(error.payload(), None);
}
