//! The contract, over the reference backend.

use hapax_conformance::ReferenceWorld;

hapax_conformance::conformance!(
    ReferenceWorld::new,
    not applicable: [
        "handover::a_drop_neither_waits_nor_syncs",
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
        "by_age::an_expired_claim_is_not_a_doubt_under_another_guarantee",
        "insertions::what_an_operator_inserts_is_in_the_audit_log",
        "insertions::what_an_operator_inserts_is_one_commit",
        "insertions::one_key_that_cannot_be_inserted_keeps_no_other_out",
        "policies::changing_the_guarantee_is_refused_while_keys_are_in_progress_or_in_doubt",
        "policies::at_open_every_older_holder_is_superseded_without_a_lease_to_wait_out",
        "capacity::at_capacity_of_live_keys_new_claims_are_refused_and_holders_complete",
        "capacity::at_capacity_of_running_keys_new_claims_are_refused_and_holders_complete",
    ],
);
