//! The stories that every database has to pass, told to whichever one a test brings.
//!
//! `world.rs` has the words in which they are told; every other file is a chapter. [`battery!`](crate::battery!) makes a test of
//! each story for one database; a new story is listed there. `random.rs` compares random histories with a model.

#![expect(clippy::unwrap_used, reason = "all of this is a test")]
#![expect(missing_docs, reason = "the names of stories say what they are about")]

pub mod accounts;
pub mod api_tokens;
pub mod codes;
pub mod crowd;
pub mod devices;
pub mod domains;
pub mod groups;
pub mod hosts;
pub mod households;
pub mod kept;
pub mod leaving;
pub mod machines;
pub mod organisation;
pub mod outbox;
pub mod passkeys;
pub mod people;
pub mod random;
pub mod revoking;
pub mod staff;
pub mod world;

pub use accounts::PASSWORD;
pub use world::{Opened, World};

/// Makes a test of every story for the databases that `$open` makes, in the module where it stands. It gives none where there can
/// be none, and has said so.
#[macro_export]
macro_rules! battery {
    (@ $open:path; $($chapter:ident: $($story:ident)*;)*) => {
        $(mod $chapter {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $story() {
                let opened: Option<$crate::battery::Opened> = $open().await;
                let Some(opened) = opened else { return };
                $crate::battery::$chapter::$story($crate::battery::World::new(opened).await).await;
            })*
        })*
    };
    ($open:path) => {
        $crate::battery! { @ $open;
            accounts:
                of_twenty_who_use_one_link_at_once_one_registers
                a_link_is_for_one_purpose_until_its_end_and_looking_uses_nothing_up
                a_new_password_ends_all_sessions_and_links_and_is_told
                an_address_gets_five_links_an_hour_whoever_asks
                a_session_lasts_twelve_hours_and_ends_with_whatever_changes_rights
                a_cookie_that_was_replaced_is_of_no_use
                of_twenty_guesses_at_once_five_are_looked_at
                guesses_of_many_sources_do_not_lock_the_owner_out
                a_general_administrator_who_cannot_sign_in_is_no_help
                an_address_changes_with_a_link_to_the_new_one_and_the_old_one_is_told
                one_address_has_an_account_for_oneself_and_one_at_work
                an_invitation_adds_a_person_and_only_a_general_administrator_invites_another_one
                a_password_administrator_resets_passwords_of_people_who_are_none;
            api_tokens:
                a_token_does_what_both_its_roles_and_its_maker_may
                a_token_is_of_no_use_once_it_was_taken_back_or_has_ended
                tokens_are_made_and_taken_back_by_those_who_give_roles_in_their_own_organisation
                one_of_twenty_calls_with_one_key_is_carried_out_and_its_answer_given_again_for_a_day
                the_answers_that_are_kept_for_a_token_have_a_bound;
            codes:
                a_machine_by_codes_takes_one_place_however_often_it_calls
                a_machine_that_comes_online_keeps_the_place_of_its_call
                a_machine_that_is_online_calls_for_nothing
                one_machine_that_got_a_second_place_by_a_code_is_counted_once_when_it_comes_online
                looking_at_a_call_changes_nothing
                a_call_is_refused_as_an_ask_is
                a_code_says_the_end_and_the_features_of_its_key
                staff_frees_the_place_of_a_caller
                callers_and_askers_at_once_never_are_more_than_granted
                a_host_by_codes_is_one_of_the_hosts_of_its_key
                a_call_of_a_host_that_broke_off_is_taken_up_within_a_fortnight
                terms_are_made_anew_only_where_something_has_changed
                under_terms_of_another_issuing_key_nobody_is_confirmed
                under_a_certificate_that_a_root_has_revoked_nobody_is_confirmed
                terms_leave_time_for_the_call_before_their_key_ends
                a_key_that_ends_soon_sells_no_certificate_that_ends_at_once
                terms_of_a_key_with_an_end_stay_as_long_as_they_leave_time
                a_host_that_was_certified_online_today_pays_nothing_for_a_code;
            crowd:
                of_300_machines_at_once_150_get_the_150_places
                one_machine_that_asks_50_times_at_once_has_one_place
                machines_that_leave_and_come_at_once_never_are_more_than_granted
                of_20_hosts_at_once_6_are_activated;
            devices:
                a_machine_that_is_let_in_is_licensed_renews_by_itself_and_signs_out
                a_code_lets_its_own_machine_in_once_and_in_time
                a_person_without_a_licence_is_named_and_a_lease_is_not_renewed_after_it_is_taken_back
                the_sixth_device_waits_for_one_of_five_and_one_that_is_installed_anew_does_not
                of_ten_devices_at_once_five_are_let_in
                a_source_has_fifty_codes_that_nobody_has_typed
                a_recorded_ask_of_a_device_gets_nothing_and_one_whose_answer_was_lost_gets_it
                whoever_is_blocked_is_not_renewed_and_a_lease_ends_with_its_subscription
                where_seats_were_cut_the_newest_device_stops_after_ninety_days_and_no_other;
            domains:
                a_domain_is_proved_by_a_general_administrator_alone
                a_domain_that_belongs_to_many_is_refused
                an_open_challenge_stays_and_after_a_week_there_is_another
                a_challenge_is_looked_at_less_and_less_often_and_by_one_portal
                the_first_who_proves_a_domain_administrates_everybody_there_once_something_is_bought
                without_a_mailbox_at_the_domain_nobody_becomes_administrator
                nobody_joins_a_domain_that_is_held_or_that_is_everybodys
                people_at_a_domain_move_to_the_organisation_that_proves_it
                a_role_that_is_lost_before_the_record_is_found_proves_nothing
                a_held_domain_moves_after_two_weeks_if_its_holder_does_not_prove_it_again
                two_who_both_prove_a_domain_wait_for_staff
                a_lapsed_proof_is_told_takes_nothing_and_needs_another_token
                a_tree_never_takes_a_child_that_is_held
                of_ten_organisations_that_prove_one_domain_at_once_one_holds_it
                a_domain_that_is_given_up_goes_to_who_has_proved_it_too;
            groups:
                a_person_in_two_groups_who_leaves_one_keeps_what_the_other_gives
                a_group_that_goes_takes_its_licences_along_or_leaves_them
                a_seat_that_frees_goes_to_whoever_waits_longest
                a_member_whom_an_offer_does_not_fit_waits_for_that_and_gets_the_rest
                a_seat_by_hand_and_by_a_group_is_one_seat
                groups_are_changed_by_whoever_gives_licences_and_never_across_organisations;
            households:
                of_twenty_who_redeem_a_key_at_once_one_does_and_sees_it_again
                only_who_buys_for_an_organisation_redeems_its_key
                a_key_that_is_unknown_or_blocked_begins_nothing
                a_subscription_is_shared_with_as_many_as_it_has_seats
                a_deleted_account_gives_its_shared_seats_back
                a_household_is_nobody_elses;
            hosts:
                six_hosts_are_activated_ten_times_each
                a_lost_answer_is_given_again_and_costs_nothing
                a_recorded_ask_of_a_host_gets_nothing
                a_renewal_costs_nothing_and_only_the_latest_is_given_again
                a_host_that_was_never_activated_is_not_renewed
                a_blocked_key_activates_nobody_and_renews_who_is_there_until_its_end
                the_certificate_has_what_was_sold
                odd_hours_are_for_test_products
                a_host_with_two_keys_is_renewed_by_the_one_that_is_valid;
            kept:
                a_service_is_told_to_hold_to_restore_and_once_to_purge
                a_service_that_is_given_again_before_the_job_has_run_purges_first
                portals_that_purge_while_licences_come_back_never_purge_what_was_restored
                a_person_who_was_deleted_is_forgotten_after_thirty_days;
            leaving:
                a_place_that_is_given_back_is_free
                a_release_that_is_repeated_frees_nothing_more
                a_machine_that_has_no_place_cannot_leave
                only_so_many_places_are_given_back_in_a_year
                staff_frees_a_place_without_a_limit;
            machines:
                the_last_place_is_given_and_the_next_machine_is_refused
                the_same_ask_gets_the_same_bytes
                a_machine_that_asks_anew_costs_nothing
                hardware_that_was_imaged_anew_keeps_its_place
                a_recorded_ask_gets_nothing
                one_part_may_be_replaced
                a_machine_on_other_hardware_takes_its_place_along_as_often_as_places_are_given_back
                without_parts_the_fingerprint_tells_a_copy
                a_blocked_or_ended_key_confirms_nobody
                no_key_and_another_products_key_look_the_same
                an_issuer_that_has_ended_signs_nothing_and_nothing_is_taken
                a_raised_key_gives_more_and_a_lowered_one_takes_nothing_away;
            outbox:
                a_message_is_taken_when_it_is_due_and_tried_less_and_less_often
                a_message_that_was_sent_leaves_no_text_behind
                what_cannot_be_delivered_is_given_up_and_tried_again_when_somebody_says_so
                a_service_is_told_of_one_person_in_order_and_of_another_at_once
                messages_are_listed_page_by_page
                ten_workers_take_each_message_once;
            organisation:
                people_are_found_by_parts_of_name_and_address
                seats_that_are_too_many_say_since_when_and_whose_are_the_latest
                a_person_who_moves_where_a_service_is_not_offered_keeps_it_and_is_in_conflict
                administrators_see_the_changes_of_their_organisation_and_no_others;
            passkeys:
                what_a_browser_was_asked_is_answered_once_and_within_five_minutes
                one_source_cannot_take_the_room_of_all
                the_last_general_administrator_keeps_a_way_to_sign_in
                a_person_has_twenty_passkeys_at_most;
            people:
                the_last_general_administrator_stays_whatever_is_tried
                two_general_administrators_who_demote_each_other_leave_one
                fifty_at_once_for_the_last_seat_and_one_gets_it
                looking_first_changes_nothing_and_says_what_comes
                many_people_are_replaced_at_once
                services_that_do_not_fit_are_named
                a_role_that_was_taken_away_is_of_no_use_and_no_role_reaches_another_organisation
                an_address_is_given_once_in_each_organisation_and_once_for_oneself
                one_of_twenty_people_with_one_address_is_added
                a_deleted_person_frees_the_seat_at_once_and_can_be_restored_without_it_for_thirty_days
                a_lapsed_subscription_gives_no_seats_until_it_is_paid
                people_without_a_licence_are_listed_page_by_page;
            revoking:
                a_key_is_revoked_with_all_its_machines_by_one_id
                a_revoked_host_gets_no_certificate_and_none_that_it_has_counts
                one_certificate_is_revoked_and_its_host_gets_another
                a_machine_is_revoked_by_its_id_or_by_that_of_its_place
                what_is_unknown_is_revoked_only_if_that_is_meant
                a_list_has_a_higher_number_than_every_one_before
                of_20_revocations_at_once_every_one_has_a_number_and_a_place_in_the_list
                a_list_of_a_root_is_handed_out_until_a_newer_one_comes
                what_a_restored_database_has_lost_comes_back_from_a_list_of_a_host
                an_installed_list_restores_the_kinds_of_its_entries
                a_revocation_is_withdrawn_and_no_earlier_list_brings_it_back
                a_host_key_is_revoked_and_withdrawn_with_its_hosts
                a_revoked_machine_gets_no_other_place
                a_list_that_machines_could_not_read_is_not_signed_and_a_key_as_a_whole_makes_room
                under_another_issuing_certificate_the_list_is_signed_again;
            staff:
                a_key_has_one_number
                what_is_unknown_is_named
                names_and_tags_are_given_once
                keys_are_listed_page_by_page
                an_order_is_answered_once_and_whole_or_not_at_all
                a_refused_order_adds_no_organisation
                what_was_granted_is_told_with_who_and_why
                every_change_is_noted;
        }
    };
}
