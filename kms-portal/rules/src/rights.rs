//! Who may do what in an organisation: five roles, what each includes, and the one guard that no role lifts.
//!
//! A person with no role is a user, who has devices and a password of their own and nothing else. A right is looked up with
//! [`check`], which names the roles that would do if none of the person's does.

use std::fmt;

/// A role of one of an organisation's administrators. A person may have several.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum AdminRole {
    /// May do everything, and give roles away.
    General,
    /// Buys, renews and cancels.
    Billing,
    /// Assigns licences to people, takes them back, and deletes people who are no administrators.
    UserAccess,
    /// Looks at everything, and watches whether it is well.
    Service,
    /// Resets passwords of people who are no administrators.
    Password,
}

impl AdminRole {
    /// Every role.
    pub const ALL: [AdminRole; 5] = [
        AdminRole::General,
        AdminRole::Billing,
        AdminRole::UserAccess,
        AdminRole::Service,
        AdminRole::Password,
    ];

    /// Its name in the database, in the API and in files.
    pub const fn name(self) -> &'static str {
        match self {
            AdminRole::General => "general",
            AdminRole::Billing => "billing",
            AdminRole::UserAccess => "user-access",
            AdminRole::Service => "service",
            AdminRole::Password => "password",
        }
    }

    /// The role of this name.
    pub fn from_name(name: &str) -> Option<AdminRole> {
        AdminRole::ALL.into_iter().find(|role| role.name() == name)
    }

    const fn bit(self) -> u8 {
        1 << self as u8
    }
}

/// The roles of one person.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct AdminRoles(u8);

impl AdminRoles {
    /// Of somebody who is no administrator.
    pub const NONE: AdminRoles = AdminRoles(0);

    /// Every role.
    pub const ALL: AdminRoles = AdminRoles((1 << AdminRole::ALL.len()) - 1);

    /// These roles.
    pub fn of(roles: impl IntoIterator<Item = AdminRole>) -> AdminRoles {
        AdminRoles(roles.into_iter().fold(0, |bits, role| bits | role.bit()))
    }

    /// Whether this role is among them.
    pub const fn has(self, role: AdminRole) -> bool {
        self.0 & role.bit() != 0
    }

    /// Whether there is any.
    pub const fn is_admin(self) -> bool {
        self.0 != 0
    }

    /// Each.
    pub fn iter(self) -> impl Iterator<Item = AdminRole> {
        AdminRole::ALL.into_iter().filter(move |role| self.has(*role))
    }
}

impl fmt::Debug for AdminRoles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

/// What somebody wants to do in an organisation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// Give somebody a licence.
    Assign,
    /// Take a licence back.
    Revoke,
    /// Buy, renew, cancel and reactivate subscriptions, and redeem keys.
    Buy,
    /// Add a person, or change what is known of one.
    EditPerson,
    /// Delete or restore a person.
    DeletePerson,
    /// Reset somebody's password.
    ResetPassword,
    /// Give roles, and take them away.
    GiveRoles,
    /// Prove domains, and set how people sign in.
    ManageDomains,
    /// See the numbers of volume keys, their hosts and counts.
    SeeKeys,
    /// See whether anything is in conflict or about to end.
    SeeHealth,
    /// See people and their licences.
    SeePeople,
    /// See subscriptions, invoices and the audit log.
    SeeAll,
}

impl Act {
    /// Everything that can be done.
    pub const ALL: [Act; 12] = [
        Act::Assign,
        Act::Revoke,
        Act::Buy,
        Act::EditPerson,
        Act::DeletePerson,
        Act::ResetPassword,
        Act::GiveRoles,
        Act::ManageDomains,
        Act::SeeKeys,
        Act::SeeHealth,
        Act::SeePeople,
        Act::SeeAll,
    ];

    /// The roles that include it, the one with the fewest rights first. This is the table; nothing else says who may do what.
    pub const fn allowed(self) -> &'static [AdminRole] {
        use AdminRole::{Billing, General, Password, Service, UserAccess};
        match self {
            Act::Assign | Act::Revoke | Act::EditPerson | Act::DeletePerson => &[UserAccess, General],
            Act::Buy => &[Billing, General],
            Act::ResetPassword => &[Password, General],
            Act::GiveRoles | Act::ManageDomains => &[General],
            Act::SeeKeys | Act::SeeHealth => &[Service, Billing, General],
            Act::SeePeople => &[Password, Service, UserAccess, Billing, General],
            Act::SeeAll => &[Service, UserAccess, Billing, General],
        }
    }

    /// Whether it needs something that was bought. Whoever has become administrator of people who registered by themselves buys first.
    pub const fn is_management(self) -> bool {
        use Act::{Assign, DeletePerson, EditPerson, GiveRoles, ResetPassword, Revoke};
        matches!(self, Assign | Revoke | EditPerson | DeletePerson | ResetPassword | GiveRoles)
    }

    /// Whether it could be used to become somebody else, or to be rid of them.
    const fn is_over_a_person(self) -> bool {
        matches!(self, Act::EditPerson | Act::DeletePerson | Act::ResetPassword)
    }
}

/// Whether a person with these roles may do this, to a person with those if it is done to one.
///
/// Only a general administrator may act on an administrator: a person who resets a password could sign in with it.
///
/// # Errors
/// [`Forbidden`], with the roles that would do.
pub fn check(own: AdminRoles, act: Act, to: Option<AdminRoles>) -> Result<(), Forbidden> {
    let is_above = act.is_over_a_person() && to.is_some_and(AdminRoles::is_admin);
    let allowed = if is_above { &[AdminRole::General] } else { act.allowed() };
    if allowed.iter().any(|role| own.has(*role)) {
        return Ok(());
    }
    Err(Forbidden { act, allowed })
}

/// None of somebody's roles includes what they want to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("none of your roles includes this")]
pub struct Forbidden {
    /// What it was.
    pub act: Act,
    /// The roles that include it, the one with the fewest rights first. Ask somebody who has one of them.
    pub allowed: &'static [AdminRole],
}

/// Whether an organisation still has a general administrator once this person is none, or cannot sign in any more.
///
/// `others` is how many other general administrators can sign in: they are neither blocked nor deleted, and have something to sign in with
/// (a password, a passkey or an identity provider) or an invitation that has not ended. Count them in the transaction that writes, or two people could demote each other.
///
/// # Errors
/// [`LastGeneral`].
pub fn keep_a_general(is_general: bool, others: u64) -> Result<(), LastGeneral> {
    if is_general && others == 0 { Err(LastGeneral) } else { Ok(()) }
}

/// Nobody could administrate the organisation any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this is the last general administrator who can sign in; make somebody else one first")]
pub struct LastGeneral;

#[cfg(test)]
mod tests {
    use super::*;

    fn may(role: AdminRole, act: Act) -> bool {
        check(AdminRoles::of([role]), act, Some(AdminRoles::NONE)).is_ok()
    }

    /// The table as the administrators' guide has it: assign, revoke, buy, delete a person, reset a password, see health.
    #[test]
    fn the_table_of_roles() {
        let acts =
            [Act::Assign, Act::Revoke, Act::Buy, Act::DeletePerson, Act::ResetPassword, Act::SeeHealth];
        let table = [
            (AdminRole::General, "yes yes yes yes yes yes"),
            (AdminRole::Billing, "no no yes no no yes"),
            (AdminRole::UserAccess, "yes yes no yes no no"),
            (AdminRole::Service, "no no no no no yes"),
            (AdminRole::Password, "no no no no yes no"),
        ];
        for (role, expected) in table {
            let row = acts.map(|act| if may(role, act) { "yes" } else { "no" });
            assert_eq!(row.join(" "), expected, "{role:?}");
        }
    }

    #[test]
    fn a_person_without_a_role_may_do_nothing_and_is_told_which_roles_may() {
        for act in Act::ALL {
            let forbidden = check(AdminRoles::NONE, act, None).unwrap_err();
            assert_eq!(forbidden.allowed, act.allowed());
            assert!(act.allowed().contains(&AdminRole::General), "{act:?}");
        }
    }

    #[test]
    fn only_a_general_administrator_touches_an_administrator() {
        for own in AdminRole::ALL {
            for of_the_other in AdminRole::ALL {
                for act in [Act::EditPerson, Act::DeletePerson, Act::ResetPassword] {
                    let may = check(AdminRoles::of([own]), act, Some(AdminRoles::of([of_the_other])));
                    assert_eq!(may.is_ok(), own == AdminRole::General, "{own:?} {act:?} {of_the_other:?}");
                }
            }
        }
        // A licence is given to an administrator as to everybody.
        let to = Some(AdminRoles::of([AdminRole::General]));
        assert_eq!(check(AdminRoles::of([AdminRole::UserAccess]), Act::Assign, to), Ok(()));
    }

    #[test]
    fn roles_add_up() {
        let both = AdminRoles::of([AdminRole::Billing, AdminRole::Password]);
        for act in Act::ALL {
            let either = may(AdminRole::Billing, act) || may(AdminRole::Password, act);
            assert_eq!(check(both, act, None).is_ok(), either, "{act:?}");
        }
        assert_eq!(both.iter().collect::<Vec<_>>(), [AdminRole::Billing, AdminRole::Password]);
    }

    #[test]
    fn names_are_read_back() {
        for role in AdminRole::ALL {
            assert_eq!(AdminRole::from_name(role.name()), Some(role));
        }
        assert_eq!(AdminRole::from_name("General"), None);
    }

    #[test]
    fn the_last_general_administrator_stays() {
        assert_eq!(keep_a_general(true, 0), Err(LastGeneral));
        assert_eq!(keep_a_general(true, 1), Ok(()));
        assert_eq!(keep_a_general(false, 0), Ok(()));
    }
}
