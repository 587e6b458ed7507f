//! The contract, on plain files.

use hapax_conformance::DirectoryWorld;

hapax_conformance::conformance!(
    DirectoryWorld::files,
    not applicable: [
        "processes::a_key_goes_through_once_in_all_processes",
        "processes::a_waiter_hears_of_an_outcome_in_another_process",
        "processes::of_waiters_in_two_processes_one_is_granted_a_released_key",
        "processes::a_holder_is_superseded_by_another_process_that_takes_over",
        "processes::what_a_dead_process_held_ends_while_another_goes_on",
        "processes::a_ticket_is_attached_in_another_process",
    ],
);
