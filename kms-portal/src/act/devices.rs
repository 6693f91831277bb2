//! Signing in on a machine: codes are drawn, asks are opened, and devices are let in or turned away.

use bytes::Bytes;
use kms_portal_rules::device_codes::{CODE_FOR, INTERVAL, UserCode};
use kms_portal_rules::devices::DeviceRefusal;
use kms_portal_rules::keys::Asked;
use kms_portal_rules::{DeviceId, PersonId};
use prost::Message as _;
use proto::v1::Signed;
use proto::vendor::v1;
use server::Source;
use server::unanswered::Unanswered;
use sha2::{Digest as _, Sha256};
use shared::reason::Reason;
use shared::time::Timestamp;
use shared::user_lease::{AccountAsk, AccountPurpose};

use crate::api::{PortalCore, required};
use crate::db::{BeginSignIn, By, CodeDigest, Db, DbError, DeviceAsk, PollSignIn, ShownSignIn, SignInAnswer};
use crate::web_address::WebAddress;

/// Where codes are typed.
pub const DEVICE_PAGE: &str = "/device";

/// How many random bytes a machine's secret has.
const DEVICE_CODE_BYTES: usize = 32;

/// Begins to sign somebody in on a machine that asks from this source.
///
/// # Errors
/// Why it is refused. Nothing has changed then.
pub async fn begin_sign_in(
    portal: &PortalCore,
    pages: Option<&WebAddress>,
    source: Source,
    ask: Option<&Signed>,
) -> Result<v1::BeginSignInResponse, Unanswered> {
    let ask = open(ask, AccountPurpose::SignIn)?;
    let Some(pages) = pages else {
        return Err(Reason::PortalFailed
            .with(&[("cause", &"it has no pages where a code can be typed")])
            .into());
    };
    let device_code: [u8; DEVICE_CODE_BYTES] = rand::random();
    let user_code = UserCode::of_random(rand::random());
    let (machine, now) = (ask.machine(), portal.clock.now());
    let begin = BeginSignIn {
        device_code: device_digest(&device_code),
        user_code: user_digest(user_code),
        machine,
        product: ask.product,
        nonce: ask.nonce,
        label: ask.device_name,
        source: source.to_string(),
        now,
    };
    let begun = portal.db.begin_sign_in(begin).await.map_err(|error| portal.unanswered(error))?;
    begun.map_err(|refused| refuse(&refused))?;
    tracing::info!(%machine, "a machine waits for somebody to let it in");
    let page = pages.page(DEVICE_PAGE);
    Ok(v1::BeginSignInResponse {
        device_code: Bytes::copy_from_slice(&device_code),
        user_code: user_code.to_string(),
        verification_uri_complete: format!("{page}?code={user_code}"),
        verification_uri: page,
        interval_s: seconds(INTERVAL),
        expires_in_s: seconds(CODE_FOR),
    })
}

/// What a machine gets that has shown a code.
///
/// # Errors
/// Why it is refused. Nothing has changed then.
pub async fn poll_sign_in(
    portal: &PortalCore,
    ask: Option<&Signed>,
    device_code: &[u8],
) -> Result<v1::PollSignInResponse, Unanswered> {
    let ask = device_ask(portal, open(ask, AccountPurpose::SignIn)?)?;
    let (device_code, device) = (device_digest(device_code), DeviceId::from_bytes(rand::random()));
    let machine = ask.machine;
    let polled = portal.db.poll_sign_in(PollSignIn { device_code, ask, device }).await;
    let polled = polled.map_err(|error| portal.unanswered(error))?;
    match polled.map_err(|refused| refuse(&refused))? {
        SignInAnswer::Lease(lease) => {
            tracing::info!(%machine, "somebody has signed in on a machine");
            Ok(v1::PollSignInResponse { lease: Some(signed(lease)?), ..v1::PollSignInResponse::default() })
        }
        SignInAnswer::Not(polled, interval) => Ok(v1::PollSignInResponse {
            lease: None,
            error: polled.error().unwrap_or_default().to_owned(),
            interval_s: seconds(interval),
        }),
    }
}

/// The next lease of a machine on which somebody is signed in.
///
/// # Errors
/// Why it is refused. Nothing has changed then.
pub async fn renew_user_lease(
    portal: &PortalCore,
    ask: Option<&Signed>,
) -> Result<v1::RenewUserLeaseResponse, Unanswered> {
    let ask = device_ask(portal, open(ask, AccountPurpose::Renew)?)?;
    let renewed = portal.db.renew_user_lease(ask).await.map_err(|error| portal.unanswered(error))?;
    let lease = renewed.map_err(|refused| refuse(&refused))?;
    Ok(v1::RenewUserLeaseResponse { lease: Some(signed(lease)?) })
}

/// Forgets who is signed in on a machine.
///
/// # Errors
/// Why it is refused. Nothing has changed then.
pub async fn leave_device(
    portal: &PortalCore,
    ask: Option<&Signed>,
) -> Result<v1::SignOutDeviceResponse, Unanswered> {
    let ask = open(ask, AccountPurpose::SignOut)?;
    let machine = ask.machine();
    let asked = Asked::new(ask.nonce, ask.asked_at, portal.clock.now()).map_err(|refused| refused.cause())?;
    let left = portal.db.leave_device(machine, ask.product, asked).await;
    left.map_err(|error| portal.unanswered(error))?.map_err(|refused| refuse(&refused))?;
    tracing::info!(%machine, "a machine has signed out");
    Ok(v1::SignOutDeviceResponse {})
}

/// What somebody has to know who has typed this code; none if no machine waits with it.
///
/// # Errors
/// The database has not answered.
pub async fn shown_sign_in(db: &Db, typed: &str, now: Timestamp) -> Result<Option<ShownSignIn>, DbError> {
    let Some(code) = UserCode::read(typed) else { return Ok(None) };
    db.shown_sign_in(user_digest(code), now).await
}

/// Lets the machine in that shows this code, or turns it away. Returns whether it waited.
///
/// # Errors
/// The database has not answered.
pub async fn decide_sign_in(
    db: &Db,
    typed: &str,
    person: PersonId,
    approved: bool,
    by: By,
) -> Result<bool, DbError> {
    let Some(code) = UserCode::read(typed) else { return Ok(false) };
    db.decide_sign_in(user_digest(code), person, approved, by).await
}

fn open(ask: Option<&Signed>, purpose: AccountPurpose) -> Result<AccountAsk, Unanswered> {
    AccountAsk::open(required(ask)?, purpose).map_err(|error| error.cause().into())
}

fn device_ask(portal: &PortalCore, ask: AccountAsk) -> Result<DeviceAsk, Unanswered> {
    let now = portal.clock.now();
    let asked = Asked::new(ask.nonce, ask.asked_at, now).map_err(|refused| refused.cause())?;
    let AccountAsk { product, fingerprint, parts, .. } = ask;
    Ok(DeviceAsk { machine: ask.machine(), product, asked, fingerprint, parts, now, issuer: portal.issuer() })
}

fn refuse(refused: &DeviceRefusal) -> Unanswered {
    tracing::info!(refused = ?refused.cause().code, "refused a machine of an account");
    let retry_in = if let DeviceRefusal::TooManyCodes(wait) = refused { Some(*wait) } else { None };
    Unanswered { cause: refused.cause(), retry_in }
}

fn signed(lease: Bytes) -> Result<v1::SignedUserLease, Unanswered> {
    v1::SignedUserLease::decode(lease).map_err(|_| Reason::PortalFailed.with(&[("cause", &"a lease")]).into())
}

fn device_digest(code: &[u8]) -> CodeDigest {
    digest(b"kms v1 device code ", code)
}

fn user_digest(code: UserCode) -> CodeDigest {
    digest(b"kms v1 user code ", code.as_bytes())
}

fn digest(context: &[u8], code: &[u8]) -> CodeDigest {
    Sha256::new().chain_update(context).chain_update(code).finalize().into()
}

fn seconds(length: std::time::Duration) -> u32 {
    u32::try_from(length.as_secs()).unwrap_or(u32::MAX)
}
