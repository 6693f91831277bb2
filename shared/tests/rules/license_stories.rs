//! The license of one machine, told as scripts: grace, renewal, back-off, release, and every way a clock can be wrong.
//!
//! How a script reads is told in `license_script`.

use expect_test::expect;

use crate::license_script::check;

#[test]
fn the_first_start_asks_at_once_and_grace_lasts_to_its_last_second() {
    check(
        "
        0         woke
        0         failed
        2h-1ms    woke
        2h        woke
        2h        failed
        25d-1ms   look
        25d       look
        25d+1ms   woke
        25d+1ms   failed
        ",
        expect![[r#"
            0         woke: ASK, in grace until 25d (Silent); asks 0
            0         failed: in grace until 25d (Silent); asks 2h
            2h-1ms    woke: in grace until 25d (Silent); asks 2h
            2h        woke: ASK, in grace until 25d (Silent); asks 2h
            2h        failed: in grace until 25d (Silent); asks 4h
            25d-1ms   look: in grace until 25d (Silent); asks 4h
            25d       look: never activated, grace over since 25d (Warning); asks 4h
            25d+1ms   woke: ASK, never activated, grace over since 25d (Warning); asks 4h
            25d+1ms   failed: never activated, grace over since 25d (Warning); asks 25d+2h+1ms
        "#]],
    );
}

#[test]
fn a_machine_that_waits_asks_again_when_it_is_told_and_never_later() {
    check(
        "
        0         waiting
        2h        waiting again=15min
        3h        waiting draw=100
        4h        waiting again=30d
        24d       waiting
        26d       waiting
        ",
        expect![[r#"
            0         waiting: in grace until 25d (Silent); asks 2h
            2h        waiting again=15min: in grace until 25d (Silent); asks 2h+15min
            3h        waiting draw=100: in grace until 25d (Silent); asks 4h+36min
            4h        waiting again=30d: in grace until 25d (Silent); asks 6h
            24d       waiting: in grace until 25d (Silent); asks 24d+2h
            26d       waiting: never activated, grace over since 25d (Warning); asks 26d+2h
        "#]],
    );
}

/// A host that had signed "ask again in 0 ms" was asked 13 times a second, and so was one whose lease was due for renewal when it
/// was given. No answer, signed or not, makes a round follow another within five seconds.
#[test]
fn nothing_that_is_answered_makes_a_machine_ask_twice_in_five_seconds() {
    check(
        "
        0       waiting again=0
        0       waiting again=0 draw=100
        0       HOST_CLOCK again=0 draw=100
        0       HOST_CLOCK again=6s draw=100
        0       failed hint=0 draw=100
        0       failed hint=5s+1ms
        0       leased renew=0 draw=100
        0       leased renew=2h
        0       leased renew=2h+1ms
        0       leased renew=180d
        ",
        expect![[r#"
            0       waiting again=0: in grace until 25d (Silent); asks 5s
            0       waiting again=0 draw=100: in grace until 25d (Silent); asks 5s
            0       HOST_CLOCK again=0 draw=100: in grace until 25d (Silent); asks 5s
            0       HOST_CLOCK again=6s draw=100: in grace until 25d (Silent); asks 5s
            0       failed hint=0 draw=100: in grace until 25d (Silent); asks 5s
            0       failed hint=5s+1ms: in grace until 25d (Silent); asks 5s+1ms
            0       leased renew=0 draw=100: licensed until 180d (Silent); asks 1h+36min
            0       leased renew=2h: licensed until 180d (Silent); asks 2h
            0       leased renew=2h+1ms: licensed until 180d (Silent); asks 2h+1ms
            0       leased renew=180d: licensed until 180d (Silent); asks 7d
        "#]],
    );
}

#[test]
fn a_lease_is_renewed_on_time_or_up_to_a_fifth_earlier() {
    check(
        "
        0           leased
        7d-1ms      woke
        7d          woke
        7d          leased draw=100
        12d+14h     woke
        13d         leased draw=50
        ",
        expect![[r#"
            0           leased: licensed until 180d (Silent); asks 7d
            7d-1ms      woke: licensed until 180d (Silent); asks 7d
            7d          woke: ASK, licensed until 180d (Silent); asks 7d
            7d          leased draw=100: licensed until 187d (Silent); asks 12d+14h+24min
            12d+14h     woke: licensed until 187d (Silent); asks 12d+14h+24min
            13d         leased draw=50: licensed until 193d (Silent); asks 19d+7h+12min+1ms
        "#]],
    );
}

#[test]
fn failed_renewals_back_off_and_the_states_change_to_the_second() {
    check(
        "
        0           leased
        7d          woke
        7d          failed
        7d+2h       failed
        7d+6h       failed
        7d+14h      failed
        8d-1ms      look
        8d          look
        8d+6h       failed
        9d+6h       failed
        10d+6h      failed draw=100
        150d-1ms    look
        150d        look
        180d-1ms    look
        180d        look
        180d        failed
        180d+2h     woke
        180d+2h     leased
        ",
        expect![[r#"
            0           leased: licensed until 180d (Silent); asks 7d
            7d          woke: ASK, licensed until 180d (Silent); asks 7d
            7d          failed: licensed until 180d (Silent); asks 7d+2h
            7d+2h       failed: licensed until 180d (Silent); asks 7d+6h
            7d+6h       failed: licensed until 180d (Silent); asks 7d+14h
            7d+14h      failed: licensed until 180d (Silent); asks 8d+6h, looks 8d
            8d-1ms      look: licensed until 180d (Silent); asks 8d+6h, looks 8d
            8d          look: overdue since 7d, licensed until 180d (Info); asks 8d+6h
            8d+6h       failed: overdue since 7d, licensed until 180d (Info); asks 9d+6h
            9d+6h       failed: overdue since 7d, licensed until 180d (Info); asks 10d+6h
            10d+6h      failed draw=100: overdue since 7d, licensed until 180d (Info); asks 11d+1h+12min
            150d-1ms    look: overdue since 7d, licensed until 180d (Info); asks 11d+1h+12min
            150d        look: expiring at 180d (Warning); asks 11d+1h+12min
            180d-1ms    look: expiring at 180d (Warning); asks 11d+1h+12min
            180d        look: lapsed since 180d (Warning); asks 11d+1h+12min
            180d        failed: lapsed since 180d (Warning); asks 180d+2h
            180d+2h     woke: ASK, lapsed since 180d (Warning); asks 180d+2h
            180d+2h     leased: licensed until 360d+2h (Silent); asks 187d+2h
        "#]],
    );
}

#[test]
fn a_released_machine_never_asks_by_itself_and_asks_when_wanted() {
    check(
        "
        0           leased
        1d          released
        8d          woke
        30d         woke
        400d        woke
        400d        wanted
        400d        leased
        ",
        expect![[r#"
            0           leased: licensed until 180d (Silent); asks 7d
            1d          released: in grace until 25d (Silent); asks never, looks 25d
            8d          woke: in grace until 25d (Silent); asks never, looks 25d
            30d         woke: never activated, grace over since 25d (Warning); asks never, looks 106751970388d+7h+12min+55s+807ms
            400d        woke: never activated, grace over since 25d (Warning); asks never, looks 106751970388d+7h+12min+55s+807ms
            400d        wanted: ASK, never activated, grace over since 25d (Warning); asks never, looks 106751970388d+7h+12min+55s+807ms
            400d        leased: licensed until 580d (Silent); asks 407d
        "#]],
    );
}

#[test]
fn a_refused_clock_says_by_how_much_and_an_answer_mends_it() {
    check(
        "
        0           leased
        7d          CLOCK_SKEW host=8d
        7d          CLOCK_SKEW host=6d
        7d+2h       leased
        200d        CLOCK_SKEW host=7d+4h
        7d+5h       look
        7d+5h       leased
        ",
        expect![[r#"
            0           leased: licensed until 180d (Silent); asks 7d
            7d          CLOCK_SKEW host=8d: clock behind by 1d, licensed until 180d (Info); asks 7d+2h
            7d          CLOCK_SKEW host=6d: clock ahead by 1d, licensed until 180d (Info); asks 7d+2h
            7d+2h       leased: licensed until 187d+2h (Silent); asks 14d+2h
            200d        CLOCK_SKEW host=7d+4h: clock ahead by 192d+20h, not licensed (Warning); asks 200d+2h
            7d+5h       look: clock ahead by 192d+20h, not licensed (Warning); asks 200d+2h
            7d+5h       leased: licensed until 187d+5h (Silent); asks 14d+5h
        "#]],
    );
}

#[test]
fn grace_that_began_under_a_clock_in_the_past_begins_once_more_and_only_once() {
    check(
        "
        0           CLOCK_SKEW host=2500d
        0           look
        2500d       look
        2500d       waiting
        2510d       CLOCK_SKEW host=2600d
        2600d       waiting
        ",
        expect![[r#"
            0           CLOCK_SKEW host=2500d: clock behind by 2500d, not licensed (Info); asks 2h
            0           look: clock behind by 2500d, not licensed (Info); asks 2h
            2500d       look: clock behind by 2500d, not licensed (Warning); asks 2h
            2500d       waiting: in grace until 2525d (Silent); asks 2500d+2h
            2510d       CLOCK_SKEW host=2600d: clock behind by 90d, not licensed (Info); asks 2510d+2h
            2600d       waiting: never activated, grace over since 2525d (Warning); asks 2600d+2h
        "#]],
    );
}

#[test]
fn grace_that_began_under_a_clock_in_the_future_begins_once_more() {
    check(
        "
        0           CLOCK_SKEW host=-3000d
        -3000d      look
        -3000d      waiting
        -2990d      waiting
        ",
        expect![[r#"
            0           CLOCK_SKEW host=-3000d: clock ahead by 3000d, not licensed (Info); asks 2h
            -3000d      look: clock ahead by 3000d, not licensed (Info); asks 2h
            -3000d      waiting: in grace until -2975d (Silent); asks -2999d+22h
            -2990d      waiting: in grace until -2975d (Silent); asks -2989d+22h
        "#]],
    );
}

#[test]
fn grace_does_not_begin_anew_because_the_clock_broke_later() {
    check(
        "
        0           failed
        20d         failed
        -2500d      CLOCK_SKEW host=20d
        20d         waiting
        25d         look
        ",
        expect![[r#"
            0           failed: in grace until 25d (Silent); asks 2h
            20d         failed: in grace until 25d (Silent); asks 20d+2h
            -2500d      CLOCK_SKEW host=20d: clock behind by 2520d, not licensed (Info); asks -2499d+22h
            20d         waiting: in grace until 25d (Silent); asks 20d+2h
            25d         look: never activated, grace over since 25d (Warning); asks 20d+2h
        "#]],
    );
}

/// A timer drawn in 2035 must not be waited for, and a lease that lapsed there comes back only with an answer.
#[test]
fn a_clock_that_jumped_nine_years_ahead_and_back_asks_again_and_lengthens_nothing() {
    check(
        "
        0           leased
        3285d       woke
        3285d       CLOCK_SKEW host=1d
        1d          look
        1d          woke
        1d          failed
        1d+1h       woke
        1d+2h       woke
        1d+2h       leased
        ",
        expect![[r#"
            0           leased: licensed until 180d (Silent); asks 7d
            3285d       woke: ASK, lapsed since 180d (Warning); asks 7d
            3285d       CLOCK_SKEW host=1d: clock ahead by 3284d, not licensed (Warning); asks 3285d+2h
            1d          look: clock ahead by 3284d, not licensed (Warning); asks 3285d+2h
            1d          woke: ASK, clock ahead by 3284d, not licensed (Warning); asks 3285d+2h
            1d          failed: clock ahead by 3284d, not licensed (Warning); asks 1d+2h
            1d+1h       woke: clock ahead by 3284d, not licensed (Warning); asks 1d+2h
            1d+2h       woke: ASK, clock ahead by 3284d, not licensed (Warning); asks 1d+2h
            1d+2h       leased: licensed until 181d+2h (Silent); asks 8d+2h
        "#]],
    );
}

#[test]
fn a_timer_outlives_a_clock_that_is_set_back_within_the_tolerance() {
    check(
        "
        0           leased
        3h          failed
        -1h         woke
        -1h-1ms     woke
        ",
        expect![[r#"
            0           leased: licensed until 180d (Silent); asks 7d
            3h          failed: licensed until 180d (Silent); asks 5h
            -1h         woke: licensed until 180d (Silent); asks 5h
            -1h-1ms     woke: ASK, licensed until 180d (Silent); asks 5h
        "#]],
    );
}

#[test]
fn a_laptop_that_slept_past_its_renewal_asks_when_it_wakes() {
    check(
        "
        0           leased
        40d         look
        40d         woke
        40d         leased
        400d        woke
        400d        leased
        ",
        expect![[r#"
            0           leased: licensed until 180d (Silent); asks 7d
            40d         look: overdue since 7d, licensed until 180d (Info); asks 7d
            40d         woke: ASK, overdue since 7d, licensed until 180d (Info); asks 7d
            40d         leased: licensed until 220d (Silent); asks 47d
            400d        woke: ASK, lapsed since 220d (Warning); asks 47d
            400d        leased: licensed until 580d (Silent); asks 407d
        "#]],
    );
}

#[test]
fn a_licensed_machine_that_is_told_to_wait_keeps_its_lease_and_backs_off() {
    check(
        "
        0           leased
        7d          waiting
        7d+2h       waiting
        7d+4h       waiting again=24h
        7d+6h       waiting again=24h
        7d+8h       leased
        ",
        expect![[r#"
            0           leased: licensed until 180d (Silent); asks 7d
            7d          waiting: licensed until 180d (Silent); asks 7d+2h
            7d+2h       waiting: licensed until 180d (Silent); asks 7d+6h
            7d+4h       waiting again=24h: licensed until 180d (Silent); asks 7d+12h
            7d+6h       waiting again=24h: licensed until 180d (Silent); asks 7d+22h
            7d+8h       leased: licensed until 187d+8h (Silent); asks 14d+8h
        "#]],
    );
}

#[test]
fn a_host_that_doubts_its_clock_is_asked_again_in_a_minute() {
    check(
        "
        0           leased
        7d          HOST_CLOCK again=1min
        7d+1min     HOST_CLOCK again=1min
        180d        HOST_CLOCK again=1min draw=100
        ",
        expect![[r#"
            0           leased: licensed until 180d (Silent); asks 7d
            7d          HOST_CLOCK again=1min: licensed until 180d (Silent); asks 7d+1min
            7d+1min     HOST_CLOCK again=1min: licensed until 180d (Silent); asks 7d+2min
            180d        HOST_CLOCK again=1min draw=100: lapsed since 180d (Warning); asks 180d+48s
        "#]],
    );
}

#[test]
fn a_hostile_wait_is_neither_a_loop_nor_a_standstill() {
    check(
        "
        0           BLOCKED again=0
        0           BLOCKED again=36500d
        0           waiting again=0
        0           waiting again=36500d
        0           leased
        7d          BLOCKED again=36500d
        7d          CHAIN_NEEDED again=0
        ",
        expect![[r#"
            0           BLOCKED again=0: in grace until 25d (Silent); asks 5s
            0           BLOCKED again=36500d: in grace until 25d (Silent); asks 2h
            0           waiting again=0: in grace until 25d (Silent); asks 5s
            0           waiting again=36500d: in grace until 25d (Silent); asks 2h
            0           leased: licensed until 180d (Silent); asks 7d
            7d          BLOCKED again=36500d: licensed until 180d (Silent); asks 7d+2h
            7d          CHAIN_NEEDED again=0: licensed until 180d (Silent); asks 7d+5s
        "#]],
    );
}

/// An answer out of time is a failure with a name; what is held runs on.
#[test]
fn an_answer_from_another_time_changes_no_license() {
    check(
        "
        0           leased
        7d          leased host=7d+4h
        14d         leased host=14d+4h+1ms
        14d         leased host=14d-4h-1ms
        14d         waiting host=15d
        ",
        expect![[r#"
            0           leased: licensed until 180d (Silent); asks 7d
            7d          leased host=7d+4h: licensed until 187d+4h (Silent); asks 14d
            14d         leased host=14d+4h+1ms: licensed until 187d+4h (Silent); asks 14d+2h
            14d         leased host=14d-4h-1ms: licensed until 187d+4h (Silent); asks 14d+4h
            14d         waiting host=15d: licensed until 187d+4h (Silent); asks 14d+2h
        "#]],
    );
}
