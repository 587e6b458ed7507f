//! Keys that are forgotten.

use hapax::{ErrorKind, FencingToken, Policy};

use crate::site::answers::{claim, state};
use crate::site::site::{Site, both, durabilities};
use crate::site::times::MINUTE;
use crate::world::settings::Settings;
use crate::world::world::World;

pub(crate) fn forget_of_a_running_or_doubtful_key_is_refused_unless_forced_with_its_token(
    world: &dyn World,
) {
    for policy in both() {
        let site = Site::new(world);
        let work = site.namespace(policy);
        let lease = claim(&work, "key");
        assert_eq!(work.forget("key").unwrap_err().kind(), ErrorKind::InUse);
        let wrong = FencingToken::from_i64(lease.token().as_i64() + 1).unwrap();
        let error = site
            .operator()
            .forget_forced("work", "key", wrong)
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Superseded);
        let token = lease.token();
        lease.doubt("unsure").unwrap();
        assert_eq!(work.forget("key").unwrap_err().kind(), ErrorKind::InUse);
        assert_eq!(
            site.operator()
                .forget_forced("work", "key", wrong)
                .unwrap_err()
                .kind(),
            ErrorKind::Superseded
        );
        assert!(site.operator().forget_forced("work", "key", token).unwrap());
        assert_eq!(state(&work, "key"), None);
    }
}

/// A key whose removal was not on the medium yet was removed once more, and the answer said that it
/// had been there.
pub(crate) fn forget_of_a_forgotten_key_says_that_it_was_not_there(world: &dyn World) {
    for durability in durabilities(world, MINUTE) {
        let site = Site::with(world, Settings::new().durability(durability));
        let work = site.namespace(Policy::at_least_once());
        claim(&work, "key").complete("done").unwrap();
        assert!(work.forget("key").unwrap());
        assert!(!work.forget("key").unwrap());
        assert!(!work.forget("never there").unwrap());
    }
}
