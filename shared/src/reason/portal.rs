//! The texts of a reason if the vendor's portal has given it, where the texts for hosts would name the wrong party.

use super::Reason;

/// Summary and remedy. They use only parameters of the reason.
pub(super) const fn texts(reason: Reason) -> Option<(&'static str, &'static str)> {
    Some(match reason {
        Reason::Malformed => (
            "the vendor's portal cannot read the ask: {cause}",
            "update the product; if it is the newest, tell the vendor",
        ),
        Reason::SignatureBad => (
            "the ask that has reached the vendor's portal is not signed by the machine that it names",
            "something on the way changes messages, or the machine's state is damaged: run `kms-client identity reset`",
        ),
        Reason::TooLarge => (
            "the ask is larger than {limit} bytes",
            "update the product: its client library sends more than the vendor's portal reads",
        ),
        Reason::Overloaded => (
            "the vendor's portal has more asks waiting than it will hold",
            "nothing: it is asked again, which costs nothing; if it lasts, tell the vendor",
        ),
        Reason::Stopping => {
            ("the vendor's portal is being stopped", "nothing: it is asked again, which costs nothing")
        }
        Reason::Replayed => (
            "the vendor's portal has answered a later ask of this machine",
            "check this machine's clock, and ask again in a few hours; if it repeats, somebody sends recorded asks",
        ),
        Reason::Untrusted => (
            "the vendor's portal at {address} signs with a key that this product does not trust: {cause}",
            "update the product; if it is the newest, tell the vendor",
        ),
        Reason::OtherOrganisation => (
            "the vendor has sold this key to another organisation, {organisation}",
            "enter a key of your own organisation: this copy of the product is for that one alone",
        ),
        Reason::AnswerMismatch => (
            "the vendor's portal at {address} answered something else than was asked: {cause}",
            "ask again, which costs nothing; if it stays, tell the vendor",
        ),
        Reason::AnswerOutOfTime => (
            "the vendor's portal at {address} signed an answer that does not hold at its time: {cause}",
            "check this machine's clock; if it is right, tell the vendor",
        ),
        _ => return None,
    })
}
