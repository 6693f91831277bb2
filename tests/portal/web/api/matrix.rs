//! Every call of the API with every role, and with every token that is none: from the one table of calls.

use hyper::Method;
use kms_portal::battery::world::{DAY, ORGANISATION};
use kms_portal::db::Organisation;
use kms_portal::rules::rights::{AdminRole, AdminRoles};
use kms_portal_web::api::{API_CALLS, ApiCall};
use serde_json::{Value, json};
use shared::ids::OrganisationId;
use world::TestClock;

use super::{Browser, Site, on_both};

on_both! {
    every_call_is_for_the_roles_that_its_act_is_for
    no_call_is_answered_without_a_token_that_is_valid
    no_call_reaches_another_organisation
}

/// What a call is about.
struct Aim {
    path: String,
    body: Value,
}

impl Aim {
    /// Somebody and something of the organisation that each call may change.
    async fn of(site: &Site, call: &ApiCall) -> Aim {
        let person = site.world.someone().await;
        let mut path = call.path.replace("{person}", &person.to_string());
        if path.contains("{subscription}") {
            let bought = site.world.buys("basic", 5).await;
            path = path.replace("{subscription}", &bought.to_string());
        }
        if path.contains("{token}") {
            let (token, _) = site.token(&[], ORGANISATION, site.world.staff()).await;
            path = path.replace("{token}", &token.to_string());
        }
        let body = match (&call.method, call.path) {
            (&Method::GET | &Method::DELETE, _) => Value::Null,
            (_, "/people") => json!({"name": "Ann", "address": format!("{person}@example.org")}),
            (_, "/people/{person}/restore") => {
                site.world.db.delete_person(person, site.world.staff()).await.unwrap().unwrap();
                json!({})
            }
            (_, "/people/{person}/roles") => json!({"roles": ["service"]}),
            (_, "/subscriptions/{subscription}/renewal") => json!({"renews": false}),
            (_, "/licences/assign" | "/licences/replace") => {
                json!({"people": [person.to_string()], "offers": {"basic": []}})
            }
            (_, "/licences/revoke") => json!({"people": [person.to_string()], "offers": ["basic"]}),
            (_, "/tokens") => json!({"name": "CI", "roles": ["service"]}),
            _ => Value::Null,
        };
        Aim { path, body }
    }
}

async fn prepared(site: &Site) {
    site.world.shop().await;
    site.world.buys("basic", 500).await;
    site.world.admin(&[AdminRole::General]).await;
}

async fn every_call_is_for_the_roles_that_its_act_is_for(site: Site) {
    prepared(&site).await;
    let mut programs: Vec<(Option<AdminRole>, Browser)> = vec![(None, site.program(&[]).await)];
    for role in AdminRole::ALL {
        programs.push((Some(role), site.program(&[role]).await));
    }
    let (mut may, mut may_not) = (0, 0);
    for call in API_CALLS {
        for (role, program) in &mut programs {
            let aim = Aim::of(&site, call).await;
            let got = program.call(call.method.clone(), &aim.path, &aim.body).await;
            let about = format!("{} {} as {role:?}: {got:?}", call.method, aim.path);
            if role.is_some_and(|role| call.act.allowed().contains(&role)) {
                // A cancellation is taken back where there is one.
                let is_done = (200..300).contains(&got.status) || call.path.ends_with("/reactivate");
                assert!(is_done, "{about}");
                may += 1;
            } else {
                assert_eq!(got.status, 403, "{about}");
                assert_eq!(
                    got.json()["roles"].as_array().unwrap().len(),
                    call.act.allowed().len(),
                    "{about}"
                );
                may_not += 1;
            }
        }
    }
    assert!(20 < may && 20 < may_not, "{may} {may_not}");
}

async fn no_call_is_answered_without_a_token_that_is_valid(site: Site) {
    prepared(&site).await;
    let (_, ends) = site.token(&[AdminRole::General], ORGANISATION, site.world.staff()).await;
    let (id, revoked) = site.token(&[AdminRole::General], ORGANISATION, site.world.staff()).await;
    site.world.db.revoke_api_token(ORGANISATION, id, site.world.staff()).await.unwrap().unwrap();
    let gone = site.world.admin(&[AdminRole::General]).await;
    let (_, of_gone) = site.token(&[AdminRole::General], ORGANISATION, site.world.person(gone)).await;
    site.world.db.delete_person(gone, site.world.staff()).await.unwrap().unwrap();
    TestClock::advance(&site.clock, DAY);
    let mut signed_in = site.browser();
    signed_in.cookies.insert("kms-session".into(), "ab".repeat(32));
    for call in API_CALLS {
        let aim = Aim::of(&site, call).await;
        let tries = [
            (site.browser(), "no-token"),
            (signed_in, "no-token"),
            (site.with(&ends), "token-ended"),
            (site.with(&revoked), "token-ended"),
            (site.with(&of_gone), "token-ended"),
        ];
        for (mut program, problem) in tries {
            program.call(call.method.clone(), &aim.path, &aim.body).await.problem(401, problem);
        }
        signed_in = site.browser();
    }
}

async fn no_call_reaches_another_organisation(site: Site) {
    prepared(&site).await;
    let id = OrganisationId::from_bytes([0x77; 16]);
    let other = Organisation { id, name: "Other Works".into() };
    site.world.db.set_organisation(other, site.world.by("new")).await.unwrap().unwrap();
    let eve = site.world.add("eve@example.net", Some(id)).await.unwrap();
    site.world.db.set_roles(eve, AdminRoles::ALL, site.world.staff()).await.unwrap().unwrap();
    let (_, token) = site.token(&AdminRole::ALL, id, site.world.person(eve)).await;
    let mut program = site.with(&token);
    let before = site.world.db.changes(None, 1).await.unwrap()[0].number;
    let mut changed = 0;
    for call in API_CALLS {
        let aim = Aim::of(&site, call).await;
        let got = program.call(call.method.clone(), &aim.path, &aim.body).await;
        if call.path.contains('{') || call.path.starts_with("/licences") {
            got.problem(404, "not-found");
            continue;
        }
        let got = got.is(if call.method == Method::POST { 201 } else { 200 });
        assert!(
            !got.body.contains("example.com") && !got.body.contains("\"seats\""),
            "{} {}",
            call.path,
            got.body
        );
        changed += u64::from(call.method == Method::POST);
    }
    let own: Vec<_> = site.world.db.changes(None, 500).await.unwrap();
    let own = own.iter().filter(|change| before < change.number && change.by.who == "token CI");
    assert_eq!(own.count() as u64, changed, "only what it added to its own organisation");
}
