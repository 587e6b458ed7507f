//! The contract in a world that can nothing that not all can, and where orphans take their time: tests that ask for
//! more than they say fail here.

use std::time::Duration;

use hapax::Store;
use hapax_conformance::{Capabilities, MemoryWorld, Settings, World};

const LATE: Duration = Duration::from_millis(7);

/// Memory, with no capability.
struct BareWorld(Box<dyn World>);

impl BareWorld {
    fn new() -> Self {
        Self(Box::new(MemoryWorld::new()))
    }
}

impl World for BareWorld {
    fn another(&self, settings: &Settings) -> Box<dyn World> {
        Box::new(Self(self.0.another(settings)))
    }

    fn open(&self) -> Store {
        self.0.open()
    }

    /// A little late, as a server is that hears of it.
    fn advance(&self, by: Duration) {
        self.0.advance(by.saturating_add(LATE));
    }

    fn crash(&self, store: Store) {
        self.0.crash(store);
    }

    fn let_orphans_end(&self) {
        self.advance(Duration::from_secs(61));
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::default()
    }
}

hapax_conformance::conformance!(
    BareWorld::new,
    not applicable: [
        "handover::a_drop_neither_waits_nor_syncs",
        "waiting::a_thousand_waiters_get_one_copy_of_the_response",
        "waiting::a_caller_keeps_its_place_however_often_those_before_it_give_up",
        "taken_back::what_was_withdrawn_is_in_the_audit_log",
        "undelivered::what_close_takes_back_is_in_the_audit_log",
        "tickets::a_ticket_whose_making_a_power_cut_took_away_is_used",
        "batches::a_redelivered_batch_handles_what_the_limit_left_out_and_nothing_twice",
        "batches::at_the_limit_of_keys_each_item_is_told_for_itself",
        "batches::at_the_limit_of_running_keys_each_item_is_told_for_itself",
        "attempts::under_an_interval_an_attempt_is_counted_once_its_window_has_passed",
        "attempts::without_a_limit_of_attempts_a_claim_is_not_written",
        "at_least_once::a_crash_leaves_what_the_last_record_says",
        "retention::retention_at_the_limits_of_integers_neither_wraps_nor_expires_early",
        "retention::the_smallest_lease_and_retention_work",
        "by_age::pages_of_doubts_go_on_where_the_last_one_stopped",
        "by_age::running_keys_are_listed_by_age",
        "by_age::a_doubt_that_is_settled_before_its_turn_is_left_out",
        "by_age::resolving_a_doubt_into_a_doubt_comes_to_an_end",
        "by_age::an_expired_claim_is_not_a_doubt_under_another_guarantee",
        "insertions::what_an_operator_inserts_is_in_the_audit_log",
        "insertions::what_an_operator_inserts_is_one_commit",
        "insertions::one_key_that_cannot_be_inserted_keeps_no_other_out",
        "reconcile::the_waits_double_up_to_the_longest_and_each_doubt_has_its_own",
        "reconcile::a_step_that_fails_forgets_no_waits",
        "reconcile::reconcile_walks_all_doubts_of_all_namespaces_and_leaves_the_unknown_ones",
        "policies::changing_the_guarantee_is_refused_while_keys_are_in_progress_or_in_doubt",
        "policies::at_open_every_older_holder_is_superseded_without_a_lease_to_wait_out",
        "capacity::at_capacity_of_live_keys_new_claims_are_refused_and_holders_complete",
        "capacity::at_capacity_of_running_keys_new_claims_are_refused_and_holders_complete",
        "processes::a_key_goes_through_once_in_all_processes",
        "processes::a_waiter_hears_of_an_outcome_in_another_process",
        "processes::of_waiters_in_two_processes_one_is_granted_a_released_key",
        "processes::a_holder_is_superseded_by_another_process_that_takes_over",
        "processes::what_a_dead_process_held_ends_while_another_goes_on",
        "processes::a_ticket_is_attached_in_another_process",
    ],
);
