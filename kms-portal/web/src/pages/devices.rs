//! Letting machines in, and the devices on which somebody is signed in.
//!
//! A stranger can have somebody type the code of the stranger's machine. So the page says which product asks, from where and when, before
//! anything is decided, and the code of an address with it in only fills the form.

use askama::Template;
use axum::Router;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Redirect, Response};
use axum::routing::{get, post};
use kms_portal::act::devices::{DEVICE_PAGE, decide_sign_in, shown_sign_in};
use kms_portal::db::ListedDevice;
use kms_portal::rules::DeviceId;
use serde::Deserialize;
use shared::fair::Rate;

use super::{Sent, answer};
use crate::Web;
use crate::frame::{Frame, page, page_with};
use crate::refused::PageRefusal;
use crate::signed_in::SignedIn;

/// Wrong codes that one address may type in a day, and all together. Of 25,600,000,000 codes, at most 100,000 wait at a time.
pub(crate) fn wrong_codes() -> [Rate; 2] {
    [Rate::a_day(200), Rate::a_day(100_000)]
}

pub(super) fn routes() -> Router<Web> {
    Router::new()
        .route(DEVICE_PAGE, get(form).post(decide))
        .route("/devices", get(list))
        .route("/devices/sign-out", post(sign_out))
}

#[derive(Template)]
#[template(path = "device.html")]
struct DevicePage {
    frame: Frame,
    /// What was typed.
    code: String,
    shown: Option<ShownMachine>,
    fault: Option<String>,
    done: Option<String>,
}

/// A machine that waits to be let in.
struct ShownMachine {
    product: String,
    label: String,
    source: String,
    /// Whether it asks from where the browser is.
    is_near: bool,
    ago: String,
}

#[derive(Template)]
#[template(path = "devices.html")]
struct DevicesPage {
    frame: Frame,
    devices: Vec<DeviceRow>,
    done: Option<String>,
}

struct DeviceRow {
    id: DeviceId,
    product: String,
    label: String,
    since: String,
    seen: String,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Typed {
    code: String,
    /// What was just done.
    done: String,
}

#[derive(Deserialize)]
struct DecideForm {
    code: String,
    decision: String,
}

#[derive(Deserialize)]
struct SignOutForm {
    device: String,
}

async fn form(State(web): State<Web>, person: SignedIn, typed: Query<Typed>) -> Response {
    let done = async {
        let frame = person.frame();
        let Typed { code, done } = typed.0;
        let done = match done.as_str() {
            "allow" => Some(frame.t("device-allowed")),
            "deny" => Some(frame.t("device-denied")),
            _ => None,
        };
        if code.is_empty() {
            return Ok(page(&DevicePage { frame, code, shown: None, fault: None, done }));
        }
        if let Some(too_many) = too_many(&web, &person, &code)? {
            return Ok(too_many);
        }
        let Some(found) = shown_sign_in(&web.portal.db, &code, person.now).await? else {
            return unknown(&web, &person, code);
        };
        let or_none = |text: String| if text.is_empty() { frame.t("frame-none") } else { text };
        let shown = ShownMachine {
            product: or_none(found.product.unwrap_or_default()),
            label: or_none(found.label),
            is_near: person.visitor.source()?.to_string() == found.source,
            source: found.source,
            ago: frame.texts.shared().length(person.now.since(found.made_at)),
        };
        Ok(page(&DevicePage { frame, code, shown: Some(shown), fault: None, done }))
    };
    answer(&web, &person.frame(), done.await)
}

/// The page for an address that has typed too many wrong codes, if it has.
fn too_many(web: &Web, person: &SignedIn, code: &str) -> Result<Option<Response>, PageRefusal> {
    let looked = web.wrong_codes.look(person.visitor.source()?, web.portal.clock.monotonic());
    let Err(wait) = looked else { return Ok(None) };
    let frame = person.frame();
    let fault = frame.t1("device-too-many", "length", frame.texts.shared().length(wait));
    Ok(Some(refused(StatusCode::TOO_MANY_REQUESTS, frame, code.to_owned(), fault)))
}

fn unknown(web: &Web, person: &SignedIn, code: String) -> Result<Response, PageRefusal> {
    web.wrong_codes.note(person.visitor.source()?, web.portal.clock.monotonic());
    let frame = person.frame();
    let fault = frame.t("device-unknown");
    Ok(refused(StatusCode::UNPROCESSABLE_ENTITY, frame, code, fault))
}

fn refused(status: StatusCode, frame: Frame, code: String, fault: String) -> Response {
    page_with(status, &DevicePage { frame, code, shown: None, fault: Some(fault), done: None })
}

async fn decide(State(web): State<Web>, person: SignedIn, sent: Sent<DecideForm>) -> Response {
    let done = async {
        let DecideForm { code, decision } = sent?.0;
        let approved = match decision.as_str() {
            "allow" => true,
            "deny" => false,
            _ => return Err(PageRefusal::BadForm),
        };
        if let Some(too_many) = too_many(&web, &person, &code)? {
            return Ok(too_many);
        }
        let (id, by) = (person.person().id, person.actor("").by);
        if decide_sign_in(&web.portal.db, &code, id, approved, by).await? {
            return Ok(Redirect::to(&format!("{DEVICE_PAGE}?done={decision}")).into_response());
        }
        unknown(&web, &person, code)
    };
    answer(&web, &person.frame(), done.await)
}

async fn list(State(web): State<Web>, person: SignedIn, typed: Query<Typed>) -> Response {
    let done = async {
        let frame = person.frame();
        let shared = frame.texts.shared();
        let row = |device: ListedDevice| DeviceRow {
            id: device.id,
            product: device.product,
            label: if device.label.is_empty() { device.id.to_string() } else { device.label },
            since: shared.date(device.signed_in_at),
            seen: shared.date(device.seen_at),
        };
        let devices = web.portal.db.devices(person.person().id).await?;
        let devices = devices.into_iter().map(row).collect();
        let done = (typed.done == "signed-out").then(|| frame.t("devices-signed-out"));
        Ok(page(&DevicesPage { frame, devices, done }))
    };
    answer(&web, &person.frame(), done.await)
}

async fn sign_out(State(web): State<Web>, person: SignedIn, sent: Sent<SignOutForm>) -> Response {
    let done = async {
        let device = sent?.0.device.parse().map_err(|_| PageRefusal::BadForm)?;
        let (id, by) = (person.person().id, person.actor("").by);
        if web.portal.db.sign_out_device(id, device, by).await? {
            return Ok(Redirect::to("/devices?done=signed-out").into_response());
        }
        Err(PageRefusal::NotFound)
    };
    answer(&web, &person.frame(), done.await)
}
