//! Where a machine stands on which somebody has signed in (protocol.md 13).

use expect_test::expect;

use crate::license_script::check;

#[test]
fn a_license_by_account_is_renewed_each_day_and_warns_a_week_before_its_end() {
    check(
        "0d signed-in
         1d woke
         1d failed
         1d+2h failed
         23d-1s look
         23d look
         30d-1s look
         30d look
         31d signed-in",
        expect![[r#"
            0d signed-in: licensed by account until 30d (Silent); asks 1d
            1d woke: ASK, licensed by account until 30d (Silent); asks 1d
            1d failed: licensed by account until 30d (Silent); asks 1d+2h
            1d+2h failed: licensed by account until 30d (Silent); asks 1d+6h
            23d-1s look: licensed by account until 30d (Silent); asks 1d+6h
            23d look: account ends soon, at 30d (Warning); asks 1d+6h
            30d-1s look: account ends soon, at 30d (Warning); asks 1d+6h
            30d look: account ended at 30d (Warning); asks 1d+6h
            31d signed-in: licensed by account until 61d (Silent); asks 32d
        "#]],
    );
}

/// The license that was taken back runs to its end, and the product says so at once.
#[test]
fn a_license_that_is_not_renewed_any_more_warns_at_once() {
    check(
        "0d signed-in
         1d failed code=ACCOUNT_NOT_LICENSED
         2d failed code=PORTAL_UNREACHABLE
         3d failed code=NOT_SIGNED_IN
         4d signed-in",
        expect![[r#"
            0d signed-in: licensed by account until 30d (Silent); asks 1d
            1d failed code=ACCOUNT_NOT_LICENSED: account ends soon, at 30d (Warning); asks 1d+2h
            2d failed code=PORTAL_UNREACHABLE: account ends soon, at 30d (Warning); asks 2d+4h
            3d failed code=NOT_SIGNED_IN: account ends soon, at 30d (Warning); asks 3d+8h
            4d signed-in: licensed by account until 34d (Silent); asks 5d
        "#]],
    );
}

#[test]
fn whoever_signs_out_is_licensed_by_what_there_was() {
    check(
        "0d confirmed
         1d signed-in
         2d entered-for-later
         3d signed-out
         4d cleared",
        expect![[r#"
            0d confirmed: licensed without end (Silent); asks never, looks 25d
            1d signed-in: licensed by account until 31d (Silent); asks 2d
            2d entered-for-later: licensed by account until 31d (Silent); asks 2d+5s
            3d signed-out: licensed without end (Silent); asks never, looks 25d
            4d cleared: in grace until 25d (Silent); asks 4d
        "#]],
    );
}
