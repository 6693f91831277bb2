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
        AccountRefusal::Unchanged(unchanged) => return Err(unchanged.into()),
        _ => return Err(PageRefusal::BadForm),
    };
    Ok((StatusCode::UNPROCESSABLE_ENTITY, text))
}
