//! What a person is told whose form about an account was not taken: beside the form, with what they typed.

use axum::http::StatusCode;
use kms_portal::act::accounts::AccountRefusal;
use kms_portal::db::PeopleUnchanged;
use kms_portal::rules::passwords::{PASSWORD_MIN, WeakPassword};

use crate::frame::Frame;
use crate::refused::PageRefusal;

/// The status of the page with the form, and what it says; or the page that there is instead of it.
pub(super) fn fault(refusal: AccountRefusal, frame: &Frame) -> Result<(StatusCode, String), PageRefusal> {
    let text = match refusal {
        AccountRefusal::Failed(error) => return Err(error.into()),
        AccountRefusal::Busy(_) => return Ok((StatusCode::TOO_MANY_REQUESTS, frame.t("fault-busy"))),
        AccountRefusal::Wrong => frame.t("fault-wrong"),
        AccountRefusal::WeakPassword(WeakPassword::Short) => {
            frame.t1("fault-password-short", "least", PASSWORD_MIN)
        }
        AccountRefusal::WeakPassword(WeakPassword::Long) => frame.t("fault-password-long"),
        AccountRefusal::WeakPassword(WeakPassword::Guessable) => frame.t("fault-password-guessable"),
        AccountRefusal::NotAName => frame.t("fault-no-name"),
        AccountRefusal::WorkAccount => frame.t("account-address-of-work"),
        AccountRefusal::Unchanged(PeopleUnchanged::NotAnAddress) => frame.t("fault-no-address"),
        AccountRefusal::Unchanged(PeopleUnchanged::AddressTaken) => frame.t("fault-address-taken"),
        AccountRefusal::Unchanged(PeopleUnchanged::LinkEnded) => frame.t("link-ended"),
        AccountRefusal::Unchanged(PeopleUnchanged::LastGeneral(_)) => frame.t("fault-last-general"),
        AccountRefusal::NotALocation => frame.t("fault-no-location"),
        AccountRefusal::NotAKey => frame.t("fault-no-key"),
        AccountRefusal::VolumeKey => frame.t("fault-volume-key"),
        AccountRefusal::Unchanged(PeopleUnchanged::UnknownKey) => frame.t("fault-key-unknown"),
        AccountRefusal::Unchanged(PeopleUnchanged::KeyBlocked) => frame.t("fault-key-blocked"),
        AccountRefusal::Unchanged(PeopleUnchanged::KeyRedeemed) => frame.t("fault-key-redeemed"),
        AccountRefusal::Unchanged(PeopleUnchanged::NoSeat) => frame.t("fault-no-seat"),
        AccountRefusal::Unchanged(PeopleUnchanged::HasItAlready) => frame.t("fault-has-it"),
        AccountRefusal::Unchanged(PeopleUnchanged::ForPersonalAccounts) => frame.t("fault-personal"),
        AccountRefusal::Unchanged(PeopleUnchanged::TooManyLinks) => frame.t("fault-busy"),
        AccountRefusal::Unchanged(unchanged) => return Err(unchanged.into()),
        _ => return Err(PageRefusal::BadForm),
    };
    Ok((StatusCode::UNPROCESSABLE_ENTITY, text))
}
