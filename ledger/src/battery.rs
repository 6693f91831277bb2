//! The stories that every ledger has to pass, told to whichever one a test brings.
//!
//! `world.rs` has the words in which they are told; every other file is a chapter. [`battery!`](crate::battery!) makes a test of
//! each story for one backend; a new story is listed there. `random.rs` compares random histories with a model.

#![expect(clippy::unwrap_used, reason = "all of this is a test")]
#![expect(missing_docs, reason = "the names of stories say what they are about")]

pub mod clocks;
pub mod copies;
pub mod counting;
pub mod evidence;
pub mod history;
pub mod inventory;
pub mod random;
pub mod world;

pub use world::Backend;

/// Makes a test of every story for a ledger on this backend, in the module where it stands.
#[macro_export]
macro_rules! battery {
    (@ $backend:expr; $($chapter:ident: $($story:ident)*;)*) => {
        $(mod $chapter {
            $(#[tokio::test] async fn $story() { $crate::battery::$chapter::$story($backend).await; })*
        })*
    };
    ($backend:expr) => {
        $crate::battery! { @ $backend;
            clocks:
                ledger_time_never_goes_back_by_itself
                settling_sets_the_time_back_and_counts_anew
                settling_a_new_ledger_sets_its_time
                evidence_from_the_future_is_as_old_as_the_settling
                a_settling_that_fails_changes_nothing_and_the_rest_of_its_batch_is_done;
            copies:
                a_lost_answer_is_given_again_under_its_serial
                a_lost_answer_is_given_again_in_the_same_batch
                an_ask_that_the_network_repeats_changes_nothing
                a_recorded_ask_is_refused_and_nobody_is_accused
                a_copy_is_named_and_counts_once_it_has_a_key_of_its_own
                a_rolled_back_disk_stays_one_machine
                another_or_no_fingerprint_takes_no_seat
                a_release_that_the_network_repeats_does_not_end_a_return;
            counting:
                the_24th_waits_and_the_25th_is_licensed
                the_25th_of_a_batch_is_licensed
                a_machine_that_asks_twice_is_one
                products_are_counted_apart
                a_machine_leaves_the_count_after_the_window_and_returns
                a_changed_window_counts_anew
                after_a_long_silence_only_who_asks_is_counted
                an_hour_may_be_a_tenth_of_a_second
                a_released_machine_leaves_at_once_and_may_come_back
                a_machine_without_state_is_licensed_by_the_others_and_leaves_no_record
                a_list_is_read_in_pages_and_a_damaged_record_stands_in_it
                a_damaged_record_fails_only_its_machine;
            evidence:
                a_siblings_lease_is_evidence_for_a_window
                the_ledgers_own_row_is_evidence_for_a_window
                a_first_activation_never_uses_evidence
                evidence_must_name_the_asker_or_whom_it_replaces
                evidence_does_not_renew_itself
                a_ledger_that_was_set_back_raises_one_alarm_and_learns;
            history:
                entering_and_renewing_leave_no_event
                what_happens_to_a_machine_is_told_in_its_order
                a_new_key_and_the_old_one_name_each_other
                a_copy_is_noted_once_an_hour_however_often_it_asks
                a_machine_that_the_ledger_has_to_relearn_is_noted
                of_many_events_the_last_32_are_kept
                events_are_listed_page_by_page
                a_damaged_event_is_left_out_and_fails_nobody;
            inventory:
                a_blocked_machine_leaves_the_count_until_it_is_unblocked_and_asks
                a_block_holds_for_whoever_has_left_the_window_or_the_count
                a_new_key_does_not_slip_past_a_block
                who_is_not_known_or_not_blocked_is_named_and_nothing_is_written
                a_forgotten_machine_is_new_when_it_asks_again
                a_blocked_machine_is_not_forgotten
                a_change_does_not_move_the_ledgers_time
                a_retention_takes_who_was_seen_a_millisecond_before_it
                a_retention_takes_nobody_who_is_counted_or_blocked
                a_retention_leaves_what_is_damaged_and_other_products_alone
                a_retention_goes_on_where_its_last_page_ended
                a_retention_takes_long_histories_with_it;
        }
    };
}
