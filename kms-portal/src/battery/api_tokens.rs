//! Tokens of programs that act for an organisation, and calls that are carried out once.

use std::sync::Arc;

use kms_portal_rules::ApiTokenId;
use kms_portal_rules::rights::{Act, AdminRole, AdminRoles};
use shared::ids::OrganisationId;
use tokio::task::JoinSet;

use super::world::{DAY, HOUR, MS, ORGANISATION, World};
use crate::db::{
    Actor, CallKey, CallStart, GivenAnswer, NewApiToken, Organisation, PeopleUnchanged, TokenRefused,
};
use crate::token::{ApiToken, TokenDigest};

impl World {
    /// A token with these roles, for a day.
    async fn token(
        &self,
        of: &[AdminRole],
        maker: Actor,
    ) -> Result<(ApiTokenId, TokenDigest), PeopleUnchanged> {
        let (id, digest) = (ApiTokenId::from_bytes(self.draw()), ApiToken::draw().digest());
        let (organisation, roles) = (ORGANISATION, AdminRoles::of(of.iter().copied()));
        let ends_at = Some(self.now + DAY);
        let token = NewApiToken { id, organisation, name: "CI".into(), digest, roles, ends_at };
        self.db.make_api_token(token, maker).await.unwrap().map(|()| (id, digest))
    }

    /// Whether the token may do this now, as an ask and as a change.
    async fn may(&self, (id, digest): (ApiTokenId, TokenDigest)) -> Result<(), TokenRefused> {
        let asked = self.db.admit_token(digest, Act::EditPerson, self.now).await.unwrap().unwrap().1;
        let person = self.someone().await;
        let changed = self.db.block_person(person, true, Actor::token(id, self.by(""))).await.unwrap();
        assert_eq!(changed.is_ok(), asked.is_ok(), "{changed:?} {asked:?}");
        asked
    }
}

pub async fn a_token_does_what_both_its_roles_and_its_maker_may(world: World) {
    let general = world.admin(&[AdminRole::General]).await;
    let maker = world.admin(&[AdminRole::General]).await;
    let access = world.token(&[AdminRole::UserAccess], world.person(maker)).await.unwrap();
    assert_eq!(world.may(access).await, Ok(()));
    let billing = world.token(&[AdminRole::Billing], world.person(maker)).await.unwrap();
    assert!(
        matches!(world.may(billing).await, Err(TokenRefused::Forbidden(no)) if no.act == Act::EditPerson)
    );
    let by_staff = world.token(&[AdminRole::UserAccess], world.staff()).await.unwrap();
    // It is bound by the same person.
    let whole = world.token(&[AdminRole::General], world.person(maker)).await.unwrap();
    let child = world.token(&[AdminRole::UserAccess], Actor::token(whole.0, world.by(""))).await.unwrap();
    assert_eq!(world.may(child).await, Ok(()));

    let of = |roles: &[AdminRole]| AdminRoles::of(roles.iter().copied());
    world.db.set_roles(maker, of(&[AdminRole::Billing]), world.person(general)).await.unwrap().unwrap();
    for token in [access, child] {
        assert!(matches!(world.may(token).await, Err(TokenRefused::Forbidden(_))), "the maker may not");
    }
    assert_eq!(world.may(by_staff).await, Ok(()));
    world.db.set_roles(maker, of(&[AdminRole::UserAccess]), world.staff()).await.unwrap().unwrap();
    assert_eq!(world.may(access).await, Ok(()));
    world.db.block_person(maker, true, world.staff()).await.unwrap().unwrap();
    assert_eq!(world.may(access).await, Err(TokenRefused::MakerGone));
    world.db.block_person(maker, false, world.staff()).await.unwrap().unwrap();
    world.db.delete_person(maker, world.staff()).await.unwrap().unwrap();
    assert_eq!(world.may(child).await, Err(TokenRefused::MakerGone));
}

pub async fn a_token_is_of_no_use_once_it_was_taken_back_or_has_ended(mut world: World) {
    let general = world.admin(&[AdminRole::General]).await;
    let (one, other) = (
        world.token(&[AdminRole::UserAccess], world.person(general)).await.unwrap(),
        world.token(&[AdminRole::UserAccess], world.person(general)).await.unwrap(),
    );
    let (start, revoke) = (world.now, async |world: &World, actor| {
        world.db.revoke_api_token(ORGANISATION, one.0, actor).await.unwrap()
    });
    assert_eq!(revoke(&world, world.person(general)).await, Ok(()));
    assert_eq!(world.may(one).await, Err(TokenRefused::Revoked(start)));
    world.now = start + HOUR;
    assert_eq!(revoke(&world, world.person(general)).await, Ok(()), "again");
    assert_eq!(world.may(one).await, Err(TokenRefused::Revoked(start)));
    world.now = start + DAY - MS;
    assert_eq!(world.may(other).await, Ok(()));
    world.now = start + DAY;
    assert_eq!(world.may(other).await, Err(TokenRefused::Ended(start + DAY)));
    let known = world.db.admit_token(ApiToken::draw().digest(), Act::SeePeople, world.now).await.unwrap();
    assert_eq!(known, None);
}

pub async fn tokens_are_made_and_taken_back_by_those_who_give_roles_in_their_own_organisation(world: World) {
    let general = world.admin(&[AdminRole::General]).await;
    let access = world.admin(&[AdminRole::UserAccess]).await;
    let refused = world.token(&[AdminRole::UserAccess], world.person(access)).await.unwrap_err();
    assert!(matches!(refused, PeopleUnchanged::Forbidden(no) if no.act == Act::GiveRoles));
    let token = world.token(&[AdminRole::General], world.person(general)).await.unwrap();
    let id = OrganisationId::from_bytes([0x77; 16]);
    world
        .db
        .set_organisation(Organisation { id, name: "Other Works".into() }, world.by("new"))
        .await
        .unwrap()
        .unwrap();
    let stranger = world.add("eve@example.com", Some(id)).await.unwrap();
    world.db.set_roles(stranger, AdminRoles::ALL, world.staff()).await.unwrap().unwrap();
    let revoke =
        async |organisation, actor| world.db.revoke_api_token(organisation, token.0, actor).await.unwrap();
    assert_eq!(revoke(id, world.person(stranger)).await, Err(PeopleUnchanged::UnknownToken));
    assert_eq!(revoke(ORGANISATION, world.person(stranger)).await, Err(PeopleUnchanged::UnknownOrganisation));
    let elsewhere = world.db.block_person(stranger, true, Actor::token(token.0, world.by(""))).await.unwrap();
    assert_eq!(elsewhere, Err(PeopleUnchanged::UnknownOrganisation));
    assert!(world.db.api_tokens(id).await.unwrap().is_empty());
    world.db.use_api_token(token.0, world.now).await.unwrap();
    let known = world.db.api_tokens(ORGANISATION).await.unwrap().remove(0);
    assert_eq!((known.made_by, known.used_at, known.revoked_at), (Some(general), Some(world.now), None));
}

pub async fn one_of_twenty_calls_with_one_key_is_carried_out_and_its_answer_given_again_for_a_day(
    mut world: World,
) {
    let (token, _) = world.token(&[AdminRole::General], world.staff()).await.unwrap();
    let call = |request| CallKey { token, key: "order 1".into(), request: [request; 32] };
    let (now, shared) = (world.now, Arc::new(world.db.clone()));
    let mut starting = JoinSet::new();
    for _ in 0..20 {
        let (db, call) = (Arc::clone(&shared), call(1));
        starting.spawn(async move { db.start_call(call, now).await.unwrap() });
    }
    let started = starting.join_all().await;
    assert_eq!(started.iter().filter(|start| **start == CallStart::Fresh).count(), 1, "{started:?}");
    assert!(started.iter().all(|start| matches!(start, CallStart::Fresh | CallStart::UnderWay)));
    let start = async |world: &World, request| world.db.start_call(call(request), world.now).await.unwrap();
    let answer = GivenAnswer { status: 201, body: b"{}".to_vec() };
    world.db.end_call(call(1), Some(answer.clone())).await.unwrap();
    assert_eq!(start(&world, 1).await, CallStart::Answered(answer.clone()));
    assert_eq!(start(&world, 2).await, CallStart::OtherRequest);
    world.now = now + DAY - MS;
    assert_eq!(start(&world, 1).await, CallStart::Answered(answer));
    world.now = now + DAY;
    assert_eq!(start(&world, 2).await, CallStart::Fresh);
    // It came to nothing, so it may be tried again.
    world.db.end_call(call(2), None).await.unwrap();
    assert_eq!(start(&world, 3).await, CallStart::Fresh);
    // The portal died over it.
    world.now = world.now + HOUR;
    assert_eq!(start(&world, 3).await, CallStart::Fresh);
    assert_eq!(start(&world, 3).await, CallStart::UnderWay);
}

pub async fn the_answers_that_are_kept_for_a_token_have_a_bound(mut world: World) {
    let (token, _) = world.token(&[AdminRole::General], world.staff()).await.unwrap();
    let call = |number: u8| CallKey { token, key: number.to_string(), request: [number; 32] };
    for number in 0..16 {
        assert_eq!(world.db.start_call(call(number), world.now).await.unwrap(), CallStart::Fresh);
        let answer = GivenAnswer { status: 200, body: vec![number; 4 << 20] };
        world.db.end_call(call(number), Some(answer)).await.unwrap();
    }
    assert_eq!(world.db.start_call(call(16), world.now).await.unwrap(), CallStart::TooMany);
    world.now = world.now + DAY;
    assert_eq!(world.db.start_call(call(16), world.now).await.unwrap(), CallStart::Fresh);
}
