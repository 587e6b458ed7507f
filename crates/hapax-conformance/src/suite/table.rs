//! The table of the tests: by topic, each with the capabilities that it needs.

use crate::suite::case::Case;
use crate::world::capability::Capability;

/// Hands the table to the macro of this path.
#[doc(hidden)]
#[macro_export]
macro_rules! every_case {
    ($($then:tt)+) => {
        $($then)+! {
            claims {
                absent_is_granted_with_and_without_a_fingerprint,
                expired_completed_and_failed_are_granted_again_with_any_fingerprint,
                expired_released_is_granted_again_without_attempts_or_checkpoint,
                in_progress_live_with_the_same_fingerprint_is_in_progress,
                in_progress_live_tells_the_metadata_and_attempt_of_the_current_holder,
                in_progress_live_with_another_fingerprint_is_a_mismatch_that_names_the_labels,
                in_progress_live_is_not_compared_when_optional_and_one_side_has_no_fingerprint,
                in_progress_live_is_not_compared_when_ignored,
                another_scheme_is_not_compared_when_optional_and_a_mismatch_when_required,
                lapsed_at_least_once_is_granted_as_the_next_attempt_with_the_last_checkpoint,
                lapsed_at_least_once_with_another_fingerprint_is_a_mismatch,
                lapsed_at_least_once_keeps_the_stored_fingerprint_when_not_compared,
                lapsed_at_most_once_is_in_doubt,
                lapsed_at_most_once_with_another_fingerprint_is_a_mismatch,
                in_doubt_is_in_doubt_and_never_expires,
                in_doubt_with_another_fingerprint_is_a_mismatch_even_where_a_change_reruns,
            }
            settled_claims {
                completed_is_answered_with_bytes_times_attempts_token_and_the_first_metadata,
                failed_is_answered_with_bytes_times_attempts_token_and_the_first_metadata,
                completed_and_failed_with_another_fingerprint_are_mismatches,
                completed_and_failed_are_answered_uncompared_when_optional_and_one_side_has_no_fingerprint,
                completed_is_answered_uncompared_when_ignored,
                required_fingerprints_compare_everything_and_refuse_a_claim_without_one,
                completed_and_failed_with_another_fingerprint_are_granted_where_a_change_reruns,
                completed_with_the_same_fingerprint_is_replayed_where_a_change_reruns,
                released_is_granted_as_the_next_attempt_with_the_last_checkpoint,
                released_keeps_the_stored_fingerprint_and_metadata_when_not_compared,
                released_without_a_fingerprint_takes_the_first_one_that_is_sent,
                released_with_another_fingerprint_is_granted_without_checkpoint_and_replaces_the_request,
                a_repeat_in_a_batch_names_the_first_and_flags_another_fingerprint,
                the_same_key_in_two_namespaces_never_meets,
                answers_survive_a_restart_with_everything_that_they_carry,
                losing_a_claim_is_never_an_error_and_err_means_that_the_store_cannot_answer,
            }
            holders {
                each_outcome_is_the_state_of_the_key_under_the_token_of_the_lease,
                release_frees_the_key_and_keeps_attempts_and_the_last_error,
                the_last_release_that_max_attempts_allows_is_a_final_failure,
                the_last_drop_that_max_attempts_allows_is_a_final_failure_under_at_least_once,
                a_doubt_is_kept_for_the_reconciler_with_reason_and_checkpoint,
                many_are_settled_in_order_and_each_has_its_own_result,
                renew_makes_the_lease_last_for_its_whole_time_again,
                renew_after_a_lapse_is_accepted_without_a_take_over_under_at_least_once,
                renew_after_a_lapse_is_refused_under_at_most_once,
                keep_alive_renews_until_the_ceiling_and_no_longer,
                keep_alive_ends_with_the_lease,
                keep_alive_ends_when_the_lease_is_dropped_inside_its_error,
                a_checkpoint_replaces_the_last_one_and_survives_release_lapse_and_crash,
                a_derived_key_is_stable_across_attempts_and_restarts_and_differs_elsewhere,
            }
            superseded {
                lost_ends_and_is_lost_turns_true_when_the_lease_is_lost,
                superseded_is_an_error_that_carries_the_holder_that_won,
                superseded_carries_the_outcome_that_won,
                a_resolution_supersedes_the_holder,
                superseded_waits_until_the_outcome_that_won_is_on_the_medium,
                a_token_of_a_key_that_is_gone_is_not_held_and_never_creates_a_record,
                a_token_whose_outcome_has_expired_is_not_held,
                a_lapsed_lease_without_a_take_over_is_still_current,
                a_late_complete_or_fail_settles_a_key_that_is_in_doubt,
                a_late_complete_or_fail_settles_a_doubt_through_a_ticket_too,
                a_ticket_of_a_key_with_its_outcome_writes_nothing_and_tells_it,
            }
            handover {
                a_call_that_cannot_be_carried_out_gives_the_lease_back,
                dropping_the_error_never_releases_the_key_but_dropping_the_lease_out_of_it_does,
                the_holder_is_not_alive_any_more_once_the_error_with_its_lease_is_dropped,
                a_dropped_lease_releases_under_at_least_once_and_is_in_doubt_under_at_most_once,
                a_drop_hands_on_the_checkpoint_and_counts_the_attempt,
                a_drop_leaves_the_holder_dead_so_that_the_doubt_can_be_resolved,
                a_drop_neither_waits_nor_syncs needs Log,
                a_lease_that_was_forgotten_lapses,
                a_ticket_disarms_the_guard_and_attaching_it_arms_it_again,
                a_ticket_does_not_stop_the_lease_from_running,
                a_ticket_outlives_a_crash_of_its_process,
                a_ticket_of_a_later_attempt_under_max_attempts_outlives_a_crash_too,
                a_ticket_is_refused_once_a_later_token_holds_the_key,
                a_ticket_outlives_a_restart,
                a_ticket_for_a_namespace_or_key_that_is_not_there_is_not_held,
                a_ticket_of_a_process_that_died_can_still_settle_without_being_attached_first,
                dropping_the_future_of_a_call_never_undoes_it,
                dropping_the_future_of_a_refused_call_never_releases_the_key,
                a_claim_made_async_is_the_same_claim,
            }
            waiting {
                a_thousand_waiters_get_one_copy_of_the_response needs AnswersAtOnce,
                waiters_get_a_final_failure_and_a_doubt_as_well,
                a_waiter_is_told_whether_its_fingerprint_was_compared,
                what_a_waiter_is_told_is_on_the_medium,
                a_holder_that_releases_three_times_makes_four_executions,
                a_caller_keeps_its_place_however_often_those_before_it_give_up needs DecidedWhenPolled,
                a_dropped_lease_hands_the_key_on_under_at_least_once,
                the_last_release_of_max_attempts_fails_all_who_wait,
                a_lapse_under_at_least_once_grants_exactly_one,
                the_last_lapse_of_max_attempts_fails_all_who_wait,
                a_lapse_under_at_most_once_puts_all_in_doubt,
            }
            giving_up {
                a_waiter_is_answered_in_progress_at_its_deadline_and_touches_nothing,
                a_batch_never_waits_for_a_key,
                a_grant_to_a_waiter_that_has_gone_passes_to_the_next,
                an_untaken_grant_after_a_lapse_counts_no_attempt,
                a_withdrawn_grant_leaves_a_released_key_as_it_was,
                a_waiter_over_a_limit_is_answered_at_once,
                waiting_for_another_request_is_a_mismatch_at_once,
                a_waiter_that_turns_out_to_ask_for_something_else_decides_again,
                forgetting_a_running_key_lets_a_waiter_run,
                inserting_a_lapsed_key_answers_its_waiters,
                close_wakes_waiters_with_closed,
            }
            withdrawn {
                a_lapsed_holder_is_current_again_once_the_grant_after_it_is_withdrawn,
                a_withdrawn_grant_after_a_lapse_counts_no_attempt,
                waiters_behind_a_withdrawn_grant_decide_again,
                a_withdrawn_grant_restores_what_it_was_made_from,
                two_unfetched_grants_in_a_row_lead_back_to_the_holder_before_them,
            }
            taken_back {
                a_grant_that_is_withdrawn_counts_no_attempt_and_leaves_no_doubt,
                a_released_key_keeps_its_attempt_and_reason,
                a_claim_that_waits_is_granted_what_is_withdrawn,
                a_holder_that_lost_its_key_withdraws_nothing,
                what_was_withdrawn_stays_so_after_reopening,
                what_was_withdrawn_is_in_the_audit_log needs Audit,
            }
            undelivered {
                close_takes_back_what_is_on_its_way,
                what_close_takes_back_is_in_the_audit_log needs Audit,
                a_grant_not_fetched_before_its_lease_ends_is_neither_an_attempt_nor_a_doubt,
                an_unfetched_grant_passes_to_the_next_in_line,
                a_lease_is_kept_alive_from_its_grant_on,
            }
            tickets {
                a_ticket_that_comes_again_gets_the_outcome_and_no_lease,
                a_ticket_whose_holder_died_leaves_a_doubt_under_at_most_once,
                a_power_cut_right_after_an_attach_does_not_bring_the_ticket_back,
                a_ticket_that_was_made_again_is_valid_again,
                a_ticket_whose_making_a_power_cut_took_away_is_used needs Interval,
                one_lease_at_a_time_comes_of_a_ticket,
                a_ticket_is_over_when_its_lease_is,
                a_ticket_whose_holder_was_refused_and_has_gone_is_used,
                a_late_ticket_can_settle_a_key_that_was_not_taken_over,
                a_ticket_of_a_key_that_was_settled_otherwise_gets_that_outcome,
                a_ticket_of_an_earlier_run_is_superseded,
                a_ticket_that_kills_its_process_is_stopped_by_the_limit_of_attempts,
            }
            batches {
                a_redelivered_batch_handles_what_the_limit_left_out_and_nothing_twice needs KeyLimits,
                at_the_limit_of_keys_each_item_is_told_for_itself needs KeyLimits,
                at_the_limit_of_running_keys_each_item_is_told_for_itself needs KeyLimits,
                an_error_of_the_whole_batch_means_that_nothing_was_done,
                the_async_forms_settle_at_once_and_mark_when_they_are_polled,
            }
            run_once {
                every_failure_leaves_the_key_as_it_says,
                work_runs_once_and_later_callers_are_told,
                work_goes_on_from_the_checkpoint_of_the_attempt_before,
                work_that_lost_its_key_keeps_its_value,
                a_long_error_is_cut_where_a_character_ends,
                a_result_that_was_left_out_is_not_replayed_as_an_empty_one,
            }
            errors {
                work_may_end_in_any_error_and_the_guarantee_decides,
                a_failure_is_made_of_any_error_by_the_question_mark,
                a_final_failure_is_no_ok_on_any_call,
                the_question_mark_ends_a_call_of_a_holder,
                an_error_of_work_shows_its_text_where_it_is_text,
            }
            attempts {
                a_job_that_kills_its_process_fails_for_good_after_its_last_attempt,
                attempts_that_are_handed_over_and_taken_over_are_counted_too,
                a_counted_attempt_settles_as_any_other,
                under_an_interval_an_attempt_is_counted_once_its_window_has_passed needs Interval,
                without_a_limit_of_attempts_a_claim_is_not_written needs Log,
            }
            at_least_once {
                a_crash_leaves_what_the_last_record_says needs UnwrittenClaims,
                lapses_count_as_attempts,
                the_answer_that_ends_the_last_attempt_is_judged_as_any_other,
                work_that_kills_its_process_is_stopped_by_max_attempts,
            }
            at_most_once {
                the_claim_is_durable_before_granted_at_every_durability,
                each_resolution_settles_the_doubt_and_raises_the_token,
                an_old_doubt_never_settles_a_newer_one,
                never_happened_is_refused_while_the_holder_is_alive_unless_forced,
                happened_and_failed_settle_a_doubt_whose_holder_is_alive,
                a_doubt_that_was_attached_again_is_not_resolved_over_its_holder,
            }
            doubts {
                a_doubt_has_one_reason_and_it_is_its_own,
                the_next_attempt_after_a_crash_hears_of_the_last_release,
                what_never_happened_is_not_an_attempt,
                attempts_before_the_one_that_never_happened_count,
            }
            refused_holders {
                a_holder_that_drops_its_refusal_is_not_alive_any_more,
                a_lease_is_not_kept_alive_for_a_holder_that_is_gone,
                work_whose_result_is_too_large_is_recorded_as_done,
                a_lease_that_is_taken_back_is_armed_again,
                a_lapsed_holder_that_drops_its_refusal_leaves_the_key_as_it_is,
                holders_that_are_refused_and_go_use_up_the_attempts,
                a_lease_that_is_kept_alive_after_its_lapse_lapses_again,
            }
            silent_holders {
                a_lease_that_was_forgotten_lapses,
                a_lease_that_went_away_inside_an_error_has_no_holder,
            }
            retention {
                what_a_claim_asked_for_holds_after_a_crash,
                retention_at_the_limits_of_integers_neither_wraps_nor_expires_early needs ExactTimes,
                the_smallest_lease_and_retention_work needs ExactTimes,
                a_change_of_retention_never_moves_existing_records,
            }
            forgetting {
                forget_of_a_running_or_doubtful_key_is_refused_unless_forced_with_its_token,
                forget_of_a_forgotten_key_says_that_it_was_not_there,
            }
            scans {
                a_scan_meets_each_key_once_and_filters_choose,
                a_doubt_is_found_by_its_key,
            }
            by_age {
                pages_of_doubts_go_on_where_the_last_one_stopped needs ListsByAge,
                running_keys_are_listed_by_age needs ListsByAge,
                a_doubt_that_is_settled_before_its_turn_is_left_out needs ListsByAge,
                resolving_a_doubt_into_a_doubt_comes_to_an_end needs ListsByAge,
                a_ticket_that_is_attached_takes_its_key_out_of_doubt,
                an_expired_claim_is_not_a_doubt_under_another_guarantee needs ChangeGuarantee,
            }
            operators {
                who_acts_and_why_has_to_fit_a_line,
                a_namespace_is_opened_under_the_policy_that_is_stored,
                a_key_that_is_released_can_be_claimed_and_its_holder_is_superseded,
                what_an_operator_releases_counts_as_a_possible_duplicate,
                the_last_attempt_that_is_released_is_a_failure,
                a_waiter_hears_what_an_operator_did,
                what_promises_at_most_once_is_put_in_doubt_and_resolved,
                a_holder_that_an_operator_put_in_doubt_is_alive_until_its_guard_is_gone,
                a_lapsed_key_in_doubt_is_resolved_by_force_while_its_holder_lives,
                operators_forget_keys,
            }
            insertions {
                what_an_operator_inserts_is_there_after_a_crash,
                what_an_operator_inserts_is_in_the_audit_log needs Audit,
                what_an_operator_inserts_is_one_commit needs Log,
                one_key_that_cannot_be_inserted_keeps_no_other_out needs KeyLimits,
            }
            reconcile {
                the_waits_double_up_to_the_longest_and_each_doubt_has_its_own needs ExactTimes,
                a_doubt_that_is_settled_is_not_waited_for,
                a_holder_that_is_alive_is_asked_about_later,
                a_step_that_fails_forgets_no_waits needs ExactTimes,
                reconcile_walks_all_doubts_of_all_namespaces_and_leaves_the_unknown_ones needs ListsByAge,
            }
            policies {
                a_second_live_handle_with_another_policy_is_refused,
                changing_the_guarantee_is_refused_while_keys_are_in_progress_or_in_doubt needs ChangeGuarantee,
                policy_and_guarantee_survive_a_restart,
                tokens_rise_over_crashes_and_restarts,
                a_token_goes_through_a_number_and_a_string,
                at_open_every_older_holder_is_superseded_without_a_lease_to_wait_out needs OrphansEndAtOpen,
                names_of_namespaces_have_limits,
            }
            keys {
                keys_of_mixed_parts_name_different_work_and_come_back,
                hostile_keys_are_keys_like_any_other,
            }
            limits {
                an_empty_or_oversized_key_is_refused_by_every_call,
                an_oversized_response_is_refused_and_the_lease_given_back,
                an_oversized_response_is_left_out_where_only_the_outcome_counts,
                the_largest_response_is_stored_and_one_byte_more_is_not,
                metadata_reason_checkpoint_and_batch_have_limits,
                fingerprints_have_limits,
                contradictory_options_are_refused_by_claim_with,
                a_closed_store_refuses_everything,
                a_stored_response_that_does_not_decode_is_given_back_and_never_run_again,
            }
            capacity {
                at_capacity_of_live_keys_new_claims_are_refused_and_holders_complete needs KeyLimits,
                at_capacity_of_running_keys_new_claims_are_refused_and_holders_complete needs KeyLimits,
            }
            processes {
                a_key_goes_through_once_in_all_processes needs SeveralProcesses,
                a_waiter_hears_of_an_outcome_in_another_process needs SeveralProcesses,
                of_waiters_in_two_processes_one_is_granted_a_released_key needs SeveralProcesses,
                a_holder_is_superseded_by_another_process_that_takes_over needs SeveralProcesses,
                what_a_dead_process_held_ends_while_another_goes_on needs SeveralProcesses,
                a_ticket_is_attached_in_another_process needs SeveralProcesses,
            }
        }
    };
}

macro_rules! list_cases {
    ($($topic:ident { $($name:ident $(needs $($need:ident)+)?,)* })*) => {
        /// Every test of the contract.
        pub const CASES: &[Case] = &[
            $($(
                Case {
                    name: concat!(stringify!($topic), "::", stringify!($name)),
                    needs: &[$($(Capability::$need),+)?],
                    test: crate::contract::$topic::$name,
                },
            )*)*
        ];
    };
}

every_case!(list_cases);
