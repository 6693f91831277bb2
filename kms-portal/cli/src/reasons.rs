//! What staff is told of a reason: the portal and the customers' programs share the reasons, but staff can do other things about them.

use program::exit::{EX_CONFIG, EX_DATAERR};
use shared::reason::{Cause, Reason};

/// What staff can do; none where it is the same as for everybody.
fn for_staff(reason: Reason) -> Option<&'static str> {
    Some(match reason {
        Reason::PortalUnreachable => {
            "see that the portal runs, that its setting `staff_listen` has this port, and that neither a firewall nor `staff_allow` keeps \
             this machine out"
        }
        Reason::TlsFilesBad => {
            "name a file with CA certificates in PEM with --ca, or in KMS_PORTAL_CA: portal-ca.pem of the portal's directory, if its \
             certificate is from there"
        }
        Reason::TlsNotOffered => "correct the port: the portal's setting `staff_listen` has that of staff",
        Reason::TlsCertificateBad => {
            "name the CA that has signed it with --ca: portal-ca.pem of the portal's directory, if its certificate is from there; and \
             name the portal by a name that is in its certificate"
        }
        Reason::TlsFailed => "look at what is between this machine and the portal, and at the portal's log",
        Reason::PortalFailed => "look at the portal's log, and run `kms-portal doctor` on its machine",
        Reason::IssuerEnded => {
            "have a root sign the portal's request again (`kms-vendor issuer sign`), and install the answer on its machine with \
             `kms-portal install-issuer`; `kms-portal status` shows the dates"
        }
        Reason::KeyUnknown => {
            "this portal has issued no such key for that product: have the customer compare it; `kms-portal key list` shows the number of \
             each key"
        }
        Reason::KeyBlocked => {
            "`kms-portal audit` shows who has blocked it and why; `kms-portal key unblock` takes that back"
        }
        Reason::KeyEnded => "issue another key to the customer with `kms-portal key issue`",
        Reason::KeyExhausted => {
            "grant more with `kms-portal key raise NUMBER --machines N`, or free the place of a machine that is lost with `kms-portal key \
             free`"
        }
        Reason::HostsExhausted => "grant more with `kms-portal key raise NUMBER --hosts N`",
        Reason::ActivationsExhausted => "grant more with `kms-portal key raise NUMBER --activations N`",
        Reason::ReleasesExhausted => {
            "free the place with `kms-portal key free`, or grant more with `kms-portal key raise NUMBER --releases N`"
        }
        Reason::KeyOtherKind => {
            "hosts take host keys, and machines multiple-activation keys: `kms-portal key list` shows the kind of each"
        }
        Reason::Revoked => {
            "`kms-portal revocations list` shows when and why, and `kms-portal revocations withdraw` takes that back"
        }
        Reason::Replayed => {
            "if the one that made this request has no answer to that one, have it make another: `kms-host activate --request`, or \
             `kms-client proxy collect`"
        }
        Reason::Malformed | Reason::SignatureBad => {
            "have the customer make a new request, and answer that; if it is refused as well, one of the programs is out of date"
        }
        Reason::ClockAhead => "have the customer set the clock there, and make a new request",
        Reason::NotActivatedHere => "have the customer activate with the key first",
        _ => return None,
    })
}

/// What happened and what to do about it, for staff.
pub(super) fn message(cause: &Cause) -> String {
    let remedy = cause.reason().and_then(for_staff).unwrap_or_else(|| cause.remedy());
    match cause.reason() {
        // Whoever sends recorded asks is told of a host.
        Some(Reason::Replayed) => {
            format!(
                "{}: the portal has answered a later request, so this one counts no more; {remedy}",
                cause.code
            )
        }
        _ => format!("{cause}; {remedy}"),
    }
}

/// The exit code, where that of the status would mislead a script: what was typed is right, and something else is wrong.
pub(super) fn exit_code(cause: &Cause) -> Option<u8> {
    match cause.reason()? {
        Reason::IssuerEnded => Some(EX_CONFIG),
        Reason::Malformed | Reason::SignatureBad => Some(EX_DATAERR),
        _ => None,
    }
}

/// Whether it is read to whoever calls: it concerns their key, machine or host, and not the portal or its staff.
pub(super) fn is_for_caller(cause: &Cause) -> bool {
    let Some(reason) = cause.reason() else { return false };
    matches!(
        reason,
        Reason::KeyUnknown
            | Reason::KeyBlocked
            | Reason::KeyEnded
            | Reason::KeyExhausted
            | Reason::HostsExhausted
            | Reason::ActivationsExhausted
            | Reason::ReleasesExhausted
            | Reason::KeyOtherKind
            | Reason::KeyOtherProduct
            | Reason::Revoked
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Staff was told to have the seller raise a key, to use a file, or to publish a record in DNS.
    #[test]
    fn texts_for_staff_are_about_the_portal_and_send_nobody_to_the_seller() {
        for &reason in Reason::ALL {
            let Some(told) = for_staff(reason) else { continue };
            assert_ne!(told, reason.remedy(), "{reason}: the row says nothing");
            for word in [
                "the seller",
                "the vendor",
                "KMS_TLS",
                "kms-client key",
                "kms-client host",
                "DNS",
                "this host",
                "by file",
            ] {
                assert!(!told.contains(word), "{reason} says {word:?}: {told}");
            }
        }
        let alike = Reason::TokenEnded.with(&[]);
        assert_eq!(message(&alike), format!("{alike}; {}", alike.remedy()));
    }
}
