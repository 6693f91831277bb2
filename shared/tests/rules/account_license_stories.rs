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
        expect![[""]],
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
        expect![[""]],
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
        expect![[""]],
    );
}
