//! The license of a machine with a product key, told as scripts: entered, confirmed, ended, given back, and on other hardware.
//!
//! How a script reads is told in `license_script`.

use expect_test::expect;

use crate::license_script::check;

#[test]
fn a_key_is_asked_for_at_once_and_its_confirmation_has_no_end() {
    check(
        "
        0         waiting
        1h        entered
        1h        woke
        1h        failed
        3h        woke
        3h        confirmed
        1000d     woke
        ",
        expect![[r#"
            0         waiting: in grace until 25d (Silent); asks 2h
            1h        entered: key entered (Info); asks 1h
            1h        woke: ASK, key entered (Info); asks 1h
            1h        failed: key entered (Info); asks 3h
            3h        woke: ASK, key entered (Info); asks 3h
            3h        confirmed: licensed without end (Silent); asks never, looks 25d
            1000d     woke: licensed without end (Silent); asks never, looks 106751970388d+7h+12min+55s+807ms
        "#]],
    );
}

#[test]
fn a_key_for_later_is_asked_for_when_somebody_wants_it_and_warns_after_grace() {
    check(
        "
        0         entered-for-later
        25d-1ms   woke
        25d       woke
        26d       wanted
        26d       confirmed
        ",
        expect![[r#"
            0         entered-for-later: key entered (Info); asks never, looks 25d
            25d-1ms   woke: key entered (Info); asks never, looks 25d
            25d       woke: key entered (Warning); asks never, looks 106751970388d+7h+12min+55s+807ms
            26d       wanted: ASK, key entered (Warning); asks never, looks 106751970388d+7h+12min+55s+807ms
            26d       confirmed: licensed without end (Silent); asks never, looks 106751970388d+7h+12min+55s+807ms
        "#]],
    );
}

#[test]
fn a_portal_that_does_not_answer_is_asked_less_and_less_often_up_to_once_a_day() {
    check(
        "
        0         entered
        0         failed
        2h        failed
        6h        failed
        14h       failed
        30h       failed
        54h       failed draw=100
        54h       failed hint=1h
        ",
        expect![[r#"
            0         entered: key entered (Info); asks 0
            0         failed: key entered (Info); asks 2h
            2h        failed: key entered (Info); asks 6h
            6h        failed: key entered (Info); asks 14h
            14h       failed: key entered (Info); asks 1d+6h
            30h       failed: key entered (Info); asks 2d+6h
            54h       failed draw=100: key entered (Info); asks 3d+1h+12min
            54h       failed hint=1h: key entered (Info); asks 2d+7h
        "#]],
    );
}

#[test]
fn a_lease_that_is_held_licenses_until_the_key_is_confirmed_and_again_when_it_is_cleared() {
    check(
        "
        0         leased
        1d        entered
        1d        failed
        2d        confirmed
        3d        cleared
        3d        woke
        ",
        expect![[r#"
            0         leased: licensed until 180d (Silent); asks 7d
            1d        entered: licensed until 180d (Silent); asks 1d
            1d        failed: licensed until 180d (Silent); asks 1d+2h
            2d        confirmed: licensed without end (Silent); asks never, looks 8d
            3d        cleared: licensed until 180d (Silent); asks 3d
            3d        woke: ASK, licensed until 180d (Silent); asks 3d
        "#]],
    );
}

#[test]
fn what_a_key_has_confirmed_licenses_until_another_one_is_confirmed() {
    check(
        "
        0         entered
        0         confirmed
        1d        entered
        1d        woke
        1d        failed
        2d        entered-for-later
        3d        entered-again
        4d        entered
        5d        confirmed term=365d
        6d        entered-for-later
        335d      look
        370d-1ms  look
        370d      look
        371d      entered-again
        372d      entered-for-later
        372d      cleared
        ",
        expect![[r#"
            0         entered: key entered (Info); asks 0
            0         confirmed: licensed without end (Silent); asks never, looks 25d
            1d        entered: licensed without end (Silent); asks 1d
            1d        woke: ASK, licensed without end (Silent); asks 1d
            1d        failed: licensed without end (Silent); asks 1d+2h
            2d        entered-for-later: licensed without end (Silent); asks never, looks 25d
            3d        entered-again: licensed without end (Silent); asks never, looks 25d
            4d        entered: licensed without end (Silent); asks 4d
            5d        confirmed term=365d: licensed by key until 370d (Silent); asks 340d, looks 25d
            6d        entered-for-later: licensed by key until 370d (Silent); asks never, looks 25d
            335d      look: licensed by key until 370d (Silent); asks never, looks 340d
            370d-1ms  look: key ends at 370d (Warning); asks never, looks 370d
            370d      look: key entered (Warning); asks never, looks 106751970388d+7h+12min+55s+807ms
            371d      entered-again: key ended at 370d (Warning); asks 372d
            372d      entered-for-later: key entered (Warning); asks never, looks 106751970388d+7h+12min+55s+807ms
            372d      cleared: never activated, grace over since 25d (Warning); asks 372d
        "#]],
    );
}

#[test]
fn a_revoked_key_or_other_hardware_says_so_only_as_long_as_no_other_key_waits() {
    check(
        "
        0         entered
        0         confirmed
        1d        other-hardware
        1d        entered-for-later
        2d        hardware-back
        3d        other-hardware
        28d-1ms   look
        28d       look
        29d       hardware-back
        30d       revoked
        31d       entered-again
        32d       entered
        33d       given-back
        ",
        expect![[r#"
            0         entered: key entered (Info); asks 0
            0         confirmed: licensed without end (Silent); asks never, looks 25d
            1d        other-hardware: other hardware since 1d, licensed (Info); asks 1d
            1d        entered-for-later: other hardware since 1d, licensed (Info); asks never, looks 25d
            2d        hardware-back: licensed without end (Silent); asks never, looks 25d
            3d        other-hardware: other hardware since 3d, licensed (Info); asks never, looks 25d
            28d-1ms   look: other hardware since 3d, licensed (Info); asks never, looks 28d
            28d       look: key entered (Warning); asks never, looks 106751970388d+7h+12min+55s+807ms
            29d       hardware-back: licensed without end (Silent); asks never, looks 106751970388d+7h+12min+55s+807ms
            30d       revoked: key entered (Warning); asks never, looks 106751970388d+7h+12min+55s+807ms
            31d       entered-again: revoked since 30d (Warning); asks never, looks 106751970388d+7h+12min+55s+807ms
            32d       entered: key entered (Warning); asks 32d
            33d       given-back: key entered (Warning); asks never, looks 106751970388d+7h+12min+55s+807ms
        "#]],
    );
}

#[test]
fn a_key_with_an_end_asks_for_a_later_one_warns_for_a_month_and_ends_to_the_millisecond() {
    check(
        "
        0         entered
        0         confirmed term=365d
        335d-1ms  woke
        335d      woke
        335d      confirmed host=0 term=365d
        336d      confirmed host=336d term=365d
        701d-1ms  look
        701d      woke
        701d      failed
        ",
        expect![[r#"
            0         entered: key entered (Info); asks 0
            0         confirmed term=365d: licensed by key until 365d (Silent); asks 335d, looks 25d
            335d-1ms  woke: licensed by key until 365d (Silent); asks 335d
            335d      woke: ASK, key ends at 365d (Warning); asks 335d
            335d      confirmed host=0 term=365d: key ends at 365d (Warning); asks 336d
            336d      confirmed host=336d term=365d: licensed by key until 701d (Silent); asks 671d
            701d-1ms  look: key ends at 701d (Warning); asks 671d
            701d      woke: ASK, key ended at 701d (Warning); asks 671d
            701d      failed: key ended at 701d (Warning); asks 701d+2h
        "#]],
    );
}

#[test]
fn a_short_term_warns_for_a_quarter_of_it() {
    check(
        "
        0         entered
        0         confirmed term=8h
        6h-1ms    look
        6h        look
        6h        confirmed host=0 term=8h draw=100
        8h        look
        ",
        expect![[r#"
            0         entered: key entered (Info); asks 0
            0         confirmed term=8h: licensed by key until 8h (Silent); asks 6h
            6h-1ms    look: licensed by key until 8h (Silent); asks 6h
            6h        look: key ends at 8h (Warning); asks 6h
            6h        confirmed host=0 term=8h draw=100: key ends at 8h (Warning); asks 6h+24min
            8h        look: key ended at 8h (Warning); asks 6h+24min
        "#]],
    );
}

#[test]
fn other_hardware_is_asked_for_at_once_and_licenses_for_as_long_as_a_first_start() {
    check(
        "
        0         entered
        0         confirmed
        100d      other-hardware
        100d      woke
        100d      failed
        125d-1ms  look
        125d      look
        126d      confirmed
        ",
        expect![[r#"
            0         entered: key entered (Info); asks 0
            0         confirmed: licensed without end (Silent); asks never, looks 25d
            100d      other-hardware: other hardware since 100d, licensed (Info); asks 100d
            100d      woke: ASK, other hardware since 100d, licensed (Info); asks 100d
            100d      failed: other hardware since 100d, licensed (Info); asks 100d+2h
            125d-1ms  look: other hardware since 100d, licensed (Info); asks 100d+2h
            125d      look: other hardware since 100d, not licensed (Warning); asks 100d+2h
            126d      confirmed: licensed without end (Silent); asks never, looks 106751970388d+7h+12min+55s+807ms
        "#]],
    );
}

#[test]
fn a_place_that_is_given_back_is_not_asked_for_until_somebody_wants_it() {
    check(
        "
        0         entered
        0         confirmed
        1d        given-back
        100d      woke
        100d      wanted
        ",
        expect![[r#"
            0         entered: key entered (Info); asks 0
            0         confirmed: licensed without end (Silent); asks never, looks 25d
            1d        given-back: key entered (Info); asks never, looks 25d
            100d      woke: key entered (Warning); asks never, looks 106751970388d+7h+12min+55s+807ms
            100d      wanted: ASK, key entered (Warning); asks never, looks 106751970388d+7h+12min+55s+807ms
        "#]],
    );
}

/// A clock that was years ahead when it was found out would have ended every key.
#[test]
fn a_clock_that_was_ahead_before_the_confirmation_ends_no_key_early() {
    check(
        "
        4000d     failed
        0         entered
        0         confirmed term=365d
        300d      woke
        ",
        expect![[r#"
            4000d     failed: never activated, grace over since 25d (Warning); asks 4000d+2h
            0         entered: key entered (Warning); asks 0
            0         confirmed term=365d: licensed by key until 365d (Silent); asks 335d, looks 25d
            300d      woke: licensed by key until 365d (Silent); asks 335d
        "#]],
    );
}
