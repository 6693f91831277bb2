//! The HTTP API as a program of an organisation meets it.

mod matrix;

use hyper::Method;
use kms_portal::battery::world::{DAY, ORGANISATION};
use kms_portal::db::{Actor, NewApiToken};
use kms_portal::rules::ApiTokenId;
use kms_portal::rules::rights::{AdminRole, AdminRoles};
use kms_portal::token::ApiToken;
use serde_json::{Value, json};
use shared::ids::OrganisationId;
use world::TestClock;

use super::browser::Got;
use super::{Browser, Site, on_both};

on_both! {
    a_program_adds_people_looks_what_licences_would_do_and_gives_them
    a_lost_answer_is_given_again_and_nothing_is_done_twice
    ten_calls_at_once_with_one_key_add_one_person
    what_is_refused_is_a_problem_with_a_type_that_stays
    a_program_makes_tokens_for_others_and_takes_them_back
    unknown_tokens_make_their_source_wait
    what_the_portal_guards_is_guarded_here
}

impl Site {
    /// A token with these roles, for a day.
    async fn token(
        &self,
        of: &[AdminRole],
        organisation: OrganisationId,
        maker: Actor,
    ) -> (ApiTokenId, ApiToken) {
        let (id, token) = (ApiTokenId::from_bytes(self.world.draw()), ApiToken::draw());
        let new = NewApiToken {
            id,
            organisation,
            name: "CI".into(),
            digest: token.digest(),
            roles: AdminRoles::of(of.iter().copied()),
            ends_at: Some(self.world.now + DAY),
        };
        self.world.db.make_api_token(new, maker).await.unwrap().unwrap();
        (id, token)
    }

    /// A program with these roles.
    async fn program(&self, of: &[AdminRole]) -> Browser {
        self.with(&self.token(of, ORGANISATION, self.world.staff()).await.1)
    }

    /// A program with this token.
    fn with(&self, token: &ApiToken) -> Browser {
        let mut program = self.browser();
        program.headers.push(("authorization", format!("Bearer {}", *token.text())));
        program
    }
}

impl Browser {
    /// Makes a call of the API; null is no body.
    async fn call(&mut self, method: Method, path: &str, body: &Value) -> Got {
        let path = format!("/api/v1{path}");
        if body.is_null() {
            return self.send(method, &path, "", bytes::Bytes::new()).await;
        }
        self.send(method, &path, "application/json", body.to_string().into()).await
    }

    async fn ask(&mut self, path: &str) -> Got {
        self.call(Method::GET, path, &Value::Null).await
    }

    /// Sends it with a key.
    async fn once(&mut self, key: &str, path: &str, body: &Value) -> Got {
        self.headers.push(("idempotency-key", key.to_owned()));
        let got = self.call(Method::POST, path, body).await;
        self.headers.pop();
        got
    }
}

impl Got {
    #[track_caller]
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("{self:?}"))
    }

    /// It is this problem.
    #[track_caller]
    fn problem(self, status: u16, name: &str) -> Value {
        let got = self.is(status);
        assert_eq!(got.headers["content-type"], "application/problem+json", "{got:?}");
        let problem = got.json();
        assert_eq!(problem["type"], format!("/api/v1/problems/{name}"), "{problem}");
        assert_eq!(problem["status"], status);
        problem
    }
}

fn ann() -> Value {
    json!({"name": "Ann", "address": "ann@example.com", "location": "nl"})
}

async fn a_program_adds_people_looks_what_licences_would_do_and_gives_them(site: Site) {
    site.world.shop().await;
    site.world.buys("voice", 2).await;
    let mut program = site.program(&[AdminRole::UserAccess]).await;
    let mut people = Vec::new();
    for name in ["ann", "bob", "cid"] {
        let person = json!({"name": name, "address": format!("{name}@example.com"), "location": "NL"});
        let added = program.call(Method::POST, "/people", &person).await.is(201).json();
        assert_eq!(
            (&added["name"], &added["location"], &added["roles"]),
            (&json!(name), &json!("NL"), &json!([]))
        );
        people.push(added["id"].as_str().unwrap().to_owned());
    }
    let all = |dry_run, if_not_enough| json!({"people": people, "offers": {"voice": []}, "dry_run": dry_run, "if_not_enough": if_not_enough});
    let plan = program.call(Method::POST, "/licences/assign", &all(true, "nobody")).await.is(200).json();
    assert_eq!(
        (&plan["served"], &plan["refused"], &plan["short"]),
        (&json!(0), &json!(3), &json!({"voice": 1}))
    );
    assert_eq!(plan["people"][2]["refused"][0]["reason"], "no-seat");
    let refused = program.call(Method::POST, "/licences/assign", &all(false, "nobody")).await;
    let refused = refused.problem(409, "not-for-everybody");
    assert_eq!((&refused["short"], refused["people"].as_array().unwrap().len()), (&json!({"voice": 1}), 3));
    let unlicensed = program.ask("/people?unlicensed=true").await.is(200).json();
    assert_eq!(unlicensed["people"].as_array().unwrap().len(), 3, "nobody got anything");
    let done = program.call(Method::POST, "/licences/assign", &all(false, "the-first")).await.is(200).json();
    assert_eq!((&done["served"], &done["seats"]["voice"]), (&json!(2), &json!({"bought": 2, "taken": 2})));
    assert_eq!(done["people"][0]["licences"]["voice"]["by_hand"], true);

    // Page by page, and then nobody is left.
    let first = program.ask("/people?limit=2").await.is(200).json();
    let next = first["next"].as_str().unwrap().to_owned();
    let second = program.ask(&format!("/people?limit=2&after={next}")).await.is(200).json();
    assert_eq!((second["people"].as_array().unwrap().len(), &second["next"]), (1, &Value::Null));

    let revoke = json!({"people": people[..1], "offers": ["voice"]});
    let done = program.call(Method::POST, "/licences/revoke", &revoke).await.is(200).json();
    assert_eq!(done["seats"]["voice"]["taken"], 1);
    let gone = format!("/people/{}", people[0]);
    program.call(Method::DELETE, &gone, &Value::Null).await.is(204);
    assert!(program.ask(&gone).await.is(200).json()["deleted_at"].is_string());
    let restored = program.call(Method::POST, &format!("{gone}/restore"), &json!({})).await.is(200).json();
    assert_eq!(restored["deleted_at"], Value::Null);
    assert_eq!(site.world.db.changes(None, 1).await.unwrap()[0].by.who, "token CI");
}

async fn a_lost_answer_is_given_again_and_nothing_is_done_twice(site: Site) {
    let mut program = site.program(&[AdminRole::UserAccess]).await;
    let added = program.once("order 1", "/people", &ann()).await.is(201);
    assert!(!added.headers.contains_key("idempotency-replayed"));
    let again = program.once("order 1", "/people", &ann()).await.is(201);
    assert_eq!(
        (&again.body, &again.headers["idempotency-replayed"]),
        (&added.body, &"true".parse().unwrap())
    );
    assert_eq!(again.headers["content-type"], "application/json");
    let bob = json!({"name": "Bob", "address": "bob@example.com"});
    program.once("order 1", "/people", &bob).await.problem(422, "other-request");
    // A refusal is not kept: once its cause is gone, the same key does it.
    let two = json!({"name": "Ann", "address": "ANN@example.com"});
    program.once("order 2", "/people", &two).await.problem(409, "address-taken");
    let path = format!("/people/{}", added.json()["id"].as_str().unwrap());
    program.call(Method::DELETE, &path, &Value::Null).await.is(204);
    program.once("order 2", "/people", &two).await.is(201);
    // Of one token only.
    let mut other = site.program(&[AdminRole::UserAccess]).await;
    other.once("order 1", "/people", &bob).await.is(201);
    for key in ["", "é", &"k".repeat(256)] {
        program.once(key, "/people", &bob).await.problem(400, "bad-idempotency-key");
    }
}

async fn ten_calls_at_once_with_one_key_add_one_person(site: Site) {
    let (_, token) = site.token(&[AdminRole::UserAccess], ORGANISATION, site.world.staff()).await;
    let calls = (0..10).map(|_| {
        let mut program = site.with(&token);
        tokio::spawn(async move { program.once("order 1", "/people", &ann()).await })
    });
    let mut statuses = Vec::new();
    for call in calls.collect::<Vec<_>>() {
        statuses.push(call.await.unwrap().status);
    }
    assert!(
        statuses.contains(&201) && statuses.iter().all(|status| [201, 409].contains(status)),
        "{statuses:?}"
    );
    let people = site.with(&token).ask("/people").await.is(200).json();
    assert_eq!(people["people"].as_array().unwrap().len(), 1);
}

async fn what_is_refused_is_a_problem_with_a_type_that_stays(site: Site) {
    let mut program = site.program(&[AdminRole::General]).await;
    let post = async |program: &mut Browser, kind: &str, body: &str| {
        program.send(Method::POST, "/api/v1/people", kind, body.to_owned().into()).await
    };
    post(&mut program, "application/json", "{").await.problem(400, "bad-request");
    post(&mut program, "text/plain", "{}").await.problem(415, "not-json");
    post(&mut program, "application/json", "{}").await.problem(422, "invalid");
    let typo = r#"{"name":"Ann","address":"ann@example.com","loction":"NL"}"#;
    let problem = post(&mut program, "application/json", typo).await.problem(422, "invalid");
    assert!(problem["detail"].as_str().unwrap().contains("loction"), "{problem}");
    let large = format!(r#"{{"name":"{}"}}"#, "a".repeat(1 << 20));
    post(&mut program, "application/json", &large).await.problem(413, "too-large");
    for wrong in [
        json!({"name": "", "address": "ann@example.com"}),
        json!({"name": "A\nnn", "address": "ann@example.com"}),
        json!({"name": "Ann", "address": "ann"}),
        json!({"name": "Ann", "address": "ann@example.com", "location": "NLD"}),
    ] {
        program.call(Method::POST, "/people", &wrong).await.problem(422, "invalid");
    }
    // A filter with a slip would list everybody.
    program.ask("/people?unlicenced=true").await.problem(400, "bad-request");
    program.ask("/people?limit=501").await.problem(400, "bad-request");
    program.ask("/people/nobody").await.problem(404, "not-found");
    program.ask("/nothing").await.problem(404, "no-such-call");
    let wrong = program.call(Method::PUT, "/people", &json!({})).await;
    assert_eq!(wrong.headers["allow"], "GET,HEAD,POST");
    wrong.problem(405, "wrong-method");
    let person = site.world.someone().await.to_string();
    let twice = json!({"people": [person, person], "offers": ["basic"]});
    program.call(Method::POST, "/licences/revoke", &twice).await.problem(422, "invalid");
    // Without a token, for everybody.
    let document = site.browser().get("/api/v1/openapi.json").await.is(200).json();
    assert_eq!(document["openapi"], "3.1.0");
}

async fn a_program_makes_tokens_for_others_and_takes_them_back(site: Site) {
    let mut program = site.program(&[AdminRole::General]).await;
    let wanted = json!({"name": "Import", "roles": ["user-access"], "ends_at": "2100-01-01T00:00:00Z"});
    let made = program.call(Method::POST, "/tokens", &wanted).await.is(201).json();
    let token = ApiToken::parse(made["token"].as_str().unwrap()).unwrap();
    let mut import = site.with(&token);
    import.ask("/people").await.is(200);
    let known = program.ask("/tokens").await.is(200).json();
    let known =
        known["tokens"].as_array().unwrap().iter().find(|known| known["id"] == made["id"]).unwrap().clone();
    assert_eq!((&known["name"], &known["ends_at"]), (&json!("Import"), &json!("2100-01-01T00:00:00Z")));
    assert!(known["used_at"].is_string() && !known.to_string().contains(&token.text()[5..]), "{known}");
    let path = format!("/tokens/{}", made["id"].as_str().unwrap());
    program.call(Method::DELETE, &path, &Value::Null).await.is(204);
    import.ask("/people").await.problem(401, "token-ended");
    let ended = json!({"name": "Import", "roles": [], "ends_at": "2001-01-01T00:00:00Z"});
    program.call(Method::POST, "/tokens", &ended).await.problem(422, "invalid");
    let unknown = json!({"name": "Import", "roles": ["root"]});
    program.call(Method::POST, "/tokens", &unknown).await.problem(422, "invalid");
}

async fn unknown_tokens_make_their_source_wait(site: Site) {
    let (mut guesser, mut program) =
        (site.with(&ApiToken::draw()), site.program(&[AdminRole::UserAccess]).await);
    program.ask("/people").await.is(200);
    for _ in 0..100 {
        guesser.ask("/people").await.problem(401, "unknown-token");
    }
    let waiting = guesser.ask("/people").await;
    assert!(waiting.headers.contains_key("retry-after"), "{waiting:?}");
    waiting.problem(429, "too-many-wrong-tokens");
    // Otherwise it would be told which of its guesses was right.
    program.ask("/people").await.problem(429, "too-many-wrong-tokens");
    TestClock::advance(&site.clock, DAY);
    guesser.ask("/people").await.problem(401, "unknown-token");
}

async fn what_the_portal_guards_is_guarded_here(site: Site) {
    let general = site.world.admin(&[AdminRole::General]).await;
    let mut program = site.program(&[AdminRole::General]).await;
    let path = format!("/people/{general}");
    program.call(Method::DELETE, &path, &Value::Null).await.problem(409, "last-general-administrator");
    let none = json!({"roles": []});
    program
        .call(Method::PUT, &format!("{path}/roles"), &none)
        .await
        .problem(409, "last-general-administrator");
    program
        .call(Method::POST, &format!("{path}/block"), &Value::Null)
        .await
        .problem(409, "last-general-administrator");
    // A user access administrator deletes no administrator.
    let mut access = site.program(&[AdminRole::UserAccess]).await;
    let problem = access.call(Method::DELETE, &path, &Value::Null).await.problem(403, "forbidden");
    assert_eq!(problem["roles"], json!(["general"]));
    // A billing administrator assigns nothing.
    let mut billing = site.program(&[AdminRole::Billing]).await;
    let assign = json!({"people": [general.to_string()], "offers": {"basic": []}});
    let problem = billing.call(Method::POST, "/licences/assign", &assign).await.problem(403, "forbidden");
    assert_eq!(problem["roles"], json!(["user-access", "general"]));
    // A token of an administrator who loses the role loses it, too.
    let second = site.world.admin(&[AdminRole::General]).await;
    let (_, token) = site.token(&[AdminRole::General], ORGANISATION, site.world.person(second)).await;
    let mut theirs = site.with(&token);
    theirs.ask("/tokens").await.is(200);
    program.call(Method::PUT, &format!("/people/{second}/roles"), &none).await.is(200);
    theirs.ask("/tokens").await.problem(403, "forbidden");
}
