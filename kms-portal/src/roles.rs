//! What the vendor's people may do at a portal: roles, rights, and the one table of the calls.
//!
//! Over the network, a call that is not in the table is refused to everybody. A test compares the table with the service. Everybody who may
//! use the socket on the portal's machine is an administrator.

/// The role of a token's holder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Looks at everything but tokens.
    Reader,
    /// Sells: issues keys, raises them, and adds organisations.
    Seller,
    /// Answers customers: requests that came as files, codes on the telephone.
    Operator,
    /// May do everything.
    Administrator,
}

/// What a call needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Right {
    /// To look.
    Look,
    /// To sell.
    Sell,
    /// To answer customers.
    Answer,
    /// To change what is sold, to block and to revoke, to give tokens away.
    Administrate,
}

impl Role {
    /// Every role, from the fewest rights to the most.
    pub const ALL: [Role; 4] = [Role::Reader, Role::Seller, Role::Operator, Role::Administrator];

    /// Its name, for people, the database and the wire.
    pub fn name(self) -> &'static str {
        match self {
            Role::Reader => "reader",
            Role::Seller => "seller",
            Role::Operator => "operator",
            Role::Administrator => "administrator",
        }
    }

    /// The role of this name.
    pub fn from_name(name: &str) -> Option<Role> {
        Role::ALL.into_iter().find(|role| role.name() == name)
    }

    /// Whether it includes this right.
    pub fn includes(self, right: Right) -> bool {
        match right {
            Right::Look => true,
            Right::Sell => matches!(self, Role::Seller | Role::Administrator),
            Right::Answer => matches!(self, Role::Operator | Role::Administrator),
            Right::Administrate => self == Role::Administrator,
        }
    }
}

/// Every call of `kms.portal.v1.PortalService`, with the right that it needs. docs/vendor.md shows it.
pub const CALLS: &[(&str, Right)] = &[
    ("GetStatus", Right::Look),
    ("ListProducts", Right::Look),
    ("ListNumbers", Right::Look),
    ("ListOrganisations", Right::Look),
    ("ListKeys", Right::Look),
    ("GetKey", Right::Look),
    ("ListMachines", Right::Look),
    ("ListRevocations", Right::Look),
    ("ListSubscriptions", Right::Look),
    ("ListChanges", Right::Look),
    ("VerifyChanges", Right::Look),
    ("ListMessages", Right::Look),
    ("ListWebhooks", Right::Look),
    ("SetOrganisation", Right::Sell),
    ("IssueKeys", Right::Sell),
    ("IssueSubscriptionKeys", Right::Sell),
    ("RaiseKey", Right::Sell),
    ("AddSubscription", Right::Sell),
    ("ChangeSubscription", Right::Sell),
    ("MakeTerms", Right::Sell),
    ("AnswerHost", Right::Answer),
    ("AnswerMachine", Right::Answer),
    ("ConfirmByCode", Right::Answer),
    ("FreePlace", Right::Answer),
    ("RetryMessages", Right::Answer),
    ("SetProduct", Right::Administrate),
    ("SetNumbers", Right::Administrate),
    ("InviteAdministrator", Right::Administrate),
    ("SetOffer", Right::Administrate),
    ("BlockKey", Right::Administrate),
    ("UnblockKey", Right::Administrate),
    ("Revoke", Right::Administrate),
    ("WithdrawRevocation", Right::Administrate),
    ("InstallRevocations", Right::Administrate),
    ("GetMessage", Right::Administrate),
    ("SetWebhook", Right::Administrate),
    ("RemoveWebhook", Right::Administrate),
    ("Reload", Right::Administrate),
    ("IssueToken", Right::Administrate),
    ("ListTokens", Right::Administrate),
    ("RevokeToken", Right::Administrate),
];

/// The call at this path of HTTP, and what it needs.
pub fn call(path: &str) -> Option<(&'static str, Right)> {
    let name = path.strip_prefix("/kms.portal.v1.PortalService/")?;
    CALLS.iter().copied().find(|(known, _)| *known == name)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// A call without a row would be answered to nobody; a row without a call would say what is not so.
    #[test]
    fn every_call_of_staff_has_a_row_with_its_right_and_every_row_a_call() {
        let service = include_str!("../../proto/kms/portal/v1/portal.proto");
        let calls = service.lines().filter_map(|line| line.trim().strip_prefix("rpc ")?.split('(').next());
        let rows: BTreeSet<_> = CALLS.iter().map(|(name, _)| *name).collect();
        assert_eq!(calls.collect::<BTreeSet<_>>(), rows);
        assert_eq!(rows.len(), CALLS.len(), "each once");
        assert!(call("/kms.portal.v1.PortalService/GetStatus").is_some());
        for other in
            ["/kms.vendor.v1.VendorService/ActivateHost", "/kms.portal.v1.PortalService/Get", "GetStatus"]
        {
            assert_eq!(call(other), None, "{other}");
        }
    }
}
