//! Why somebody was refused, or an attempt failed: one stable code, whose fault it is, one remedy.
//!
//! The code stands in signed refusals, in `google.rpc.ErrorInfo`, in logs and on the command line; it is never given
//! another meaning and never removed. The text may get better. [`Reason::ALL`] is what `explain` prints, by
//! `reason/explain.rs`, which only command lines have (feature `explain`).

#[cfg(feature = "explain")]
mod explain;
mod portal;
#[cfg(feature = "explain")]
mod words;

use alloc::borrow::ToOwned;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt::{self, Write as _};

use proto::v1;

use crate::print::OneLine;

#[cfg(feature = "explain")]
pub use explain::{Explained, Index, UnknownReason};
#[cfg(feature = "explain")]
pub use words::{ELSEWHERE, WORDS, Word};

/// The domain of our reasons in `google.rpc.ErrorInfo`.
pub const ERROR_DOMAIN: &str = "kms";

/// The parameter of a reason that nobody has signed; its value is who said it.
const UNSIGNED: &str = "unsigned";

/// The parameter of a reason that is about the vendor's portal, if the text for hosts would name somebody else.
const OF_PORTAL: &str = "portal";

/// Who can mend it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// Nobody has to do anything: it mends itself.
    Nobody,
    /// Whoever looks after this machine.
    Machine,
    /// Whoever looks after the host.
    Host,
    /// Whoever looks after the network or its DNS.
    Network,
    /// The vendor of the product.
    Vendor,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Fault::Nobody => "nobody's: it mends itself",
            Fault::Machine => "this machine's",
            Fault::Host => "the host's",
            Fault::Network => "the network's",
            Fault::Vendor => "the vendor's",
        })
    }
}

macro_rules! reasons {
    ($($name:ident $code:literal $fault:ident $summary:literal $remedy:literal)*) => {
        /// One reason. `summary` may name parameters in braces.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Reason {
            $(#[doc = $summary] $name,)*
        }

        impl Reason {
            /// Every reason, in the order in which an ask meets them.
            pub const ALL: &[Reason] = &[$(Reason::$name,)*];

            /// The stable code.
            pub const fn code(self) -> &'static str {
                match self { $(Reason::$name => $code,)* }
            }

            /// Who can mend it.
            pub const fn fault(self) -> Fault {
                match self { $(Reason::$name => Fault::$fault,)* }
            }

            /// What happened, in one line; parameters stand in braces.
            pub const fn summary(self) -> &'static str {
                match self { $(Reason::$name => $summary,)* }
            }

            /// What to do, in one line.
            pub const fn remedy(self) -> &'static str {
                match self { $(Reason::$name => $remedy,)* }
            }
        }
    };
}

reasons! {
    // Where the client looks for a host.
    NoHostKnown "NO_HOST_KNOWN" Network
        "no host is configured, and this machine has no DNS domain in which to look for one"
        "name a host with `kms-client host set NAME`, or give the machine a DNS domain or search list"
    DnsNoRecord "DNS_NO_RECORD" Network
        "DNS has no host: {name} has no SRV record"
        "publish an SRV record under that name that points to the host, or name a host on this machine"
    DnsFailed "DNS_FAILED" Network
        "DNS gave no answer for {name}: {cause}"
        "check this machine's DNS server: it did not answer, so the name may well exist"
    DnsNotOffered "DNS_NOT_OFFERED" Network
        "DNS says that {name} has no host: its record has the target `.`"
        "publish an SRV record that points to the host in place of this one, or name a host on this machine"
    DnsPortZero "DNS_PORT_ZERO" Network
        "the SRV record {name} gives the port 0 for {target}, and nobody can be asked there"
        "correct the record: its port is the one at which the host listens"
    DnsTargetBad "DNS_TARGET_BAD" Network
        "an SRV record has the target {target}, which names no host: {cause}"
        "correct the record: its target is a host's full name, such as `host.corp.example.`, and that name has an address record"
    DnsSettingBad "DNS_SETTING_BAD" Machine
        "a DNS setting of this machine cannot be used: {cause}"
        "correct that entry, in /etc/resolv.conf or where the domain was given; everything else is used meanwhile"
    NotTried "NOT_TRIED" Nobody
        "{name} was not tried: those before it had taken {limit}"
        "nothing: the next round begins with it; it is quicker once hosts that are gone are out of DNS"
    HostNameBad "HOST_NAME_BAD" Machine
        "a host is named in a way that cannot be read: {cause}"
        "write NAME, NAME:PORT or [IPv6 address]:PORT, in `kms-client host set` or in KMS_HOSTS"
    HostsFileBad "HOSTS_FILE_BAD" Machine
        "the hosts file cannot be used: {cause}"
        "name fewer hosts, or let this user read the file; `kms-client host set NAME` writes a new one"
    HostNameUnknown "HOST_NAME_UNKNOWN" Network
        "the name {name} has no address"
        "correct the SRV record's target or the configured name, or add an address record for it"
    HostUnreachable "HOST_UNREACHABLE" Network
        "no connection to {address}: {cause}"
        "check that the host runs, and that neither a firewall nor its `allow` stands between; a stale SRV record names hosts that are gone"
    HostSilent "HOST_SILENT" Network
        "{address} did not answer in time"
        "check the host's load and the network; the next host in DNS is tried at once"
    NotAHost "NOT_A_HOST" Network
        "what answers at {address} is not an activation host: {cause}"
        "correct the port in the SRV record or the configured name"

    // Where TLS is spoken, or should be.
    TlsFilesBad "TLS_FILES_BAD" Machine
        "the TLS files of this machine cannot be used: {cause}"
        "mend the file, KMS_TLS_CA, KMS_TLS_CERTIFICATE or KMS_TLS_KEY; nothing is asked in the clear meanwhile"
    TlsRequired "TLS_REQUIRED" Machine
        "the host takes asks by TLS alone"
        "give this machine the file of the organisation's CA in KMS_TLS_CA, or the product if it asks for one"
    TlsNotOffered "TLS_NOT_OFFERED" Host
        "{address} speaks no TLS 1.3: {cause}"
        "set `tls` and its certificate at the host, or correct the port; this machine was told to speak nothing else"
    TlsCertificateBad "TLS_CERTIFICATE_BAD" Host
        "{address} shows a TLS certificate that does not hold here: {cause}"
        "have the host's CA sign one for the name that machines use, and renew it in time; or give this machine the file of the CA that signed it"
    TlsMachineRefused "TLS_MACHINE_REFUSED" Machine
        "{address} does not take the TLS certificate of this machine: {cause}"
        "give it one that the host's `tls_client_ca` has signed, in KMS_TLS_CERTIFICATE and KMS_TLS_KEY"
    TlsFailed "TLS_FAILED" Network
        "no TLS with {address}: {cause}"
        "check what is between machine and host, and read the host's log"

    // What the host cannot sign for.
    TooManyBadAsks "TOO_MANY_BAD_ASKS" Host
        "bad asks came from {from}, more than {limit} a minute: the host hears only machines that it knows there"
        "wait a while; at the host, `kms-host sources` has the address and `kms-host refusals` what was wrong with the first of its asks: find out who is there. Machines that are known are served"
    TooLarge "TOO_LARGE" Machine
        "the ask is larger than {limit} bytes"
        "update the product: its client library sends more than this release of the host reads"
    Malformed "MALFORMED" Machine
        "the host cannot read the ask: {cause}"
        "update the product, or the host if it is the older of the two"
    ProductUnknown "PRODUCT_UNKNOWN" Host
        "the host has no certificate for product {product}"
        "install the vendor's certificate for this product at the host, or point the machine to the right host"
    SignatureBad "SIGNATURE_BAD" Machine
        "the ask is not signed by the machine that it names"
        "something on the way changes messages, or the machine's state is damaged: run `kms-client identity reset`"
    Overloaded "OVERLOADED" Nobody
        "the host has more asks waiting than it will hold"
        "nothing: it is asked again; if it lasts, look at the host's disk and processor"
    LedgerFailed "LEDGER_FAILED" Host
        "the host could not write to its disk"
        "look at the host's log and disk; it has stopped so that nothing unwritten is acknowledged"
    LedgerDamaged "LEDGER_DAMAGED" Host
        "the host cannot read what it knows of this machine: its disk has damaged a part of the ledger"
        "at the host: stop it, `kms-host export --salvage FILE`, move the ledger away, `kms-host import FILE`; other machines are served meanwhile"
    SignerFailed "SIGNER_FAILED" Host
        "the host could not use its signing key"
        "look at the host's log and at the key that it signs with"
    Stopping "STOPPING" Nobody
        "the host is being stopped"
        "nothing: the next host is asked, or this one when it is back"

    // What the host refuses with a signature.
    HostClock "HOST_CLOCK" Host
        "the host doubts its own clock: {cause}"
        "set the host's clock, then run `kms-host clock confirm`; nobody leaves the count meanwhile"
    ClockSkew "CLOCK_SKEW" Machine
        "this machine's clock is {by} {direction}, more than {tolerance}: the host says {host_time}"
        "set this machine's clock, and have it follow a time server; nothing is lost meanwhile"
    CertificateEnded "CERTIFICATE_ENDED" Host
        "the host's certificate {certificate} has ended at {not_after}"
        "renew the host's certificate with the vendor; leases already given run on"
    CertificateNotBegun "CERTIFICATE_NOT_BEGUN" Host
        "the host's certificate {certificate} is valid only from {not_before} on"
        "check the host's clock, or wait for that day"
    DiskFull "DISK_FULL" Host
        "the host has too little free space on its disk to count anybody"
        "free space on the disk of the host's data directory, or set `free_space_mib` lower and reload the host: it goes on by itself, and nothing is lost meanwhile"
    ChainNeeded "CHAIN_NEEDED" Nobody
        "the host needs the certificates of the lease that was shown"
        "nothing: the machine asks again at once and brings them"
    NewMachinesLimited "NEW_MACHINES_LIMITED" Host
        "new machines came from {from}, more than {limit} in a day: this one is entered later"
        "nothing on this machine, it asks again; at the host, in a roll-out, raise `new_machines_per_source` and `new_machines_per_site` and reload, otherwise find out who uses that address. Machines that are known are served"
    Replayed "REPLAYED" Nobody
        "the host has answered a later ask of this machine"
        "nothing, unless it repeats: then somebody sends recorded asks"
    Copied "COPIED" Nobody
        "another machine uses the same identity, or this machine's disk was set back"
        "nothing: this machine makes a new identity and keeps its license meanwhile; generalise images before copying"
    Blocked "BLOCKED" Host
        "the administrator of the host has blocked this machine"
        "ask the administrator of the host"
    CountBelowThreshold "COUNT_BELOW_THRESHOLD" Host
        "machines counted: {count} of the {threshold} that are needed"
        "nothing on this machine: it is licensed by itself once enough others have asked"

    // What the client does not accept.
    Untrusted "UNTRUSTED" Host
        "{address} is not a host of this vendor: {cause}"
        "find out who runs it: it has no certificate that this product trusts"
    OtherOrganisation "OTHER_ORGANISATION" Network
        "{address} is the host of another organisation, {organisation}"
        "correct DNS, or run `kms-client organisation clear` if this machine has changed hands"
    AnswerMismatch "ANSWER_MISMATCH" Host
        "{address} answered something else than was asked: {cause}"
        "report it to whoever looks after the host: answers are mixed up or recorded"
    AnswerOutOfTime "ANSWER_OUT_OF_TIME" Host
        "{address} signed an answer that does not hold at its time: {cause}"
        "check the clocks of host and machine, and the host's certificate"
    BeyondLimits "BEYOND_LIMITS" Host
        "{address} signed more than its certificate allows: {cause}"
        "report it to the vendor: the host's key may be stolen"
    HostRevoked "HOST_REVOKED" Vendor
        "the vendor has taken back the certificate of {address}: {cause}"
        "ask the vendor for another certificate for that host, or take the host out of DNS; a license that is held runs to its end"
    NewerProtocol "NEWER_PROTOCOL" Machine
        "{address} answered in a way that needs a newer client library"
        "update the product"

    // What the machine cannot do by itself.
    StateUnwritable "STATE_UNWRITABLE" Machine
        "nothing can be kept in {path}: {cause}"
        "make the directory writable for the product; until then a lease that is held runs on, and a new one ends with the process"
    StateUnreadable "STATE_UNREADABLE" Machine
        "the state in {path} cannot be read: {cause}"
        "let the product's user read it, or look at the disk; nothing in it is changed until then"
    StateNewer "STATE_NEWER" Machine
        "the state in {path} was written by a newer release: {cause}"
        "update this product or command; the state is left as it is"
    StateDamaged "STATE_DAMAGED" Machine
        "the saved state in {path} is damaged: {cause}"
        "nothing: it is made anew; if it repeats, look at the disk"
    IdentityUnreadable "IDENTITY_UNREADABLE" Machine
        "this user may read the license but not ask for it: {path}"
        "nothing, if the product's service runs as the owner of that directory, for it asks; otherwise give the directory to the product's user with chown"
    Busy "BUSY" Nobody
        "another process of this machine is asking"
        "nothing: its answer serves every process"
    RekeyLimit "REKEY_LIMIT" Host
        "hosts have named this machine a copy more than three times in a day; it makes no further identity before {until}"
        "find out which machines share this image; the license held runs on"

    // What is wrong with a product key that somebody has entered. Nothing was sent.
    KeyMalformed "KEY_MALFORMED" Machine
        "the product key cannot be right: look at group {groups}"
        "compare these groups with the key as you got it, and type them again"
    KeyNewer "KEY_NEWER" Machine
        "the product key is of a kind that this release does not know"
        "update this program, then enter the key again"
    KeyOtherKind "KEY_OTHER_KIND" Machine
        "this is a {kind} key, and a {wanted} key is needed here"
        "enter a host key at the host of your organisation, and a multiple-activation key in the product; or ask the seller for a key of the other kind"
    KeyOtherProduct "KEY_OTHER_PRODUCT" Machine
        "this is a key for another product"
        "enter it in the product that it was sold for, or ask the seller for a key for this one"
    KeyMissing "KEY_MISSING" Machine
        "no product key is entered on this machine"
        "enter the key first, in the product or with `kms-client key set --later KEY`"

    KeyNotKept "KEY_NOT_KEPT" Machine
        "this machine knows only the number of the product key {key}, and the portal needs the key itself"
        "enter that key again, in the product or with `kms-client key set --later KEY`, and ask again"

    // What is wrong with a code that somebody has typed. Nothing was sent.
    CodesNotTaken "CODES_NOT_TAKEN" Vendor
        "this release of the product takes no confirmation ids"
        "activate over the internet, or by a file with `kms-client proxy`; or ask the vendor for a release that takes them"
    CodeMalformed "CODE_MALFORMED" Machine
        "the code cannot be right: look at group {groups}"
        "compare these groups with what was read to you, and type them again"
    CodeNewer "CODE_NEWER" Machine
        "the code is of a version, or grants features, that this release does not know"
        "update the product, then enter the code again"
    CodeOtherInstallation "CODE_OTHER_INSTALLATION" Machine
        "this confirmation id is not for this machine with this product key"
        "have the vendor read out the installation id that was confirmed, and compare it with `kms-client key installation-id`; if it is the same, ask for the confirmation id once more"
    CodeKeyOutOfTime "CODE_KEY_OUT_OF_TIME" Vendor
        "the product's key for confirmation ids is not valid now: {cause}"
        "check this machine's clock; if it is right, ask the vendor for a release with a newer key, or activate over the internet"
    CodeEnded "CODE_ENDED" Vendor
        "this confirmation id ended at {ended_at}"
        "check this machine's clock; if it is right, ask the seller for a longer term, then the vendor for a new confirmation id"

    // Where the vendor's portal is asked.
    NoPortalKnown "NO_PORTAL_KNOWN" Vendor
        "this product names no portal of its vendor"
        "activate in another way that the product offers, or ask the vendor for a release that names its portal"
    PortalCaBad "PORTAL_CA_BAD" Vendor
        "the CA for the vendor's portal cannot be used: {cause}"
        "install this system's CA certificates if the product uses those; otherwise tell the vendor, who has to correct the CA in the product"
    PortalCertificateBad "PORTAL_CERTIFICATE_BAD" Network
        "the vendor's portal at {address} shows a TLS certificate that does not hold here: {cause}"
        "check this computer's clock, and whether a proxy on the way opens TLS: it has to let this address through; otherwise tell the vendor, or activate by file"
    PortalUnreachable "PORTAL_UNREACHABLE" Network
        "no answer from the vendor's portal at {address}: {cause}"
        "check that this computer reaches that address by TLS, or activate by file; nothing is lost, and asking again costs nothing"

    // What the portal refuses. Each is told unsigned, over TLS.
    KeyUnknown "KEY_UNKNOWN" Machine
        "the vendor has sold no such key for this product"
        "compare the key with what you got, and enter it again; if it is the same, ask the seller"
    KeyBlocked "KEY_BLOCKED" Vendor
        "the vendor has blocked this key"
        "ask the seller of the key: nothing on this machine is at fault, and what was activated already stays"
    Revoked "REVOKED" Vendor
        "the vendor has taken this license back, from {at} on"
        "ask the seller of the key: nothing on this machine is at fault"
    KeyEnded "KEY_ENDED" Vendor
        "the term of this key ended at {ended_at}"
        "buy a new key from the seller, and enter that"
    KeyExhausted "KEY_EXHAUSTED" Vendor
        "every place of this key is taken: {used} of {granted}"
        "release a machine that is not used any more, or have the seller raise the key; then ask again"
    HostsExhausted "HOSTS_EXHAUSTED" Vendor
        "every host that this key is for is activated: {hosts}"
        "use one of those hosts, or have the seller raise the key; then ask again"
    ActivationsExhausted "ACTIVATIONS_EXHAUSTED" Vendor
        "every activation of this host by this key is used: {activations}"
        "have the seller raise the key, then ask again; the certificate that is installed stays valid"
    ReleasesExhausted "RELEASES_EXHAUSTED" Vendor
        "every release that this key has within a year is used: {releases}"
        "ask the seller to free the place, or wait until the first of those releases is a year old"
    ClockAhead "CLOCK_AHEAD" Machine
        "this machine's clock is {by} ahead, more than {tolerance}: the vendor's portal says {portal_time}"
        "set this machine's clock, have it follow a time server, and ask again; nothing was counted"
    NotActivatedHere "NOT_ACTIVATED_HERE" Machine
        "the portal has not activated this by the key that is named"
        "activate with the key first; to release, there is nothing to do"
    TooManyWrongKeys "TOO_MANY_WRONG_KEYS" Network
        "too many wrong keys came from the address of this network; the next is looked up in {wait}"
        "wait, and find out who on this network sends wrong keys; to activate now, use a file"
    IssuerEnded "ISSUER_ENDED" Vendor
        "the vendor's portal may not sign for this product at the moment"
        "ask the vendor to install a new issuing certificate at the portal; then ask again, nothing is lost"
    PortalFailed "PORTAL_FAILED" Vendor
        "the vendor's portal cannot answer at the moment: {cause}"
        "nothing here: ask again later, which costs nothing; if it stays, tell the vendor"

    // Where somebody signs in on a machine.
    SignInDenied "SIGN_IN_DENIED" Machine
        "somebody has turned this machine away at the vendor's portal"
        "sign in again if that was a mistake: a new code is shown, and whoever types it lets this machine in"
    SignInExpired "SIGN_IN_EXPIRED" Machine
        "nobody has typed the code in time"
        "sign in again: a new code is shown, and it can be typed for 15 minutes"
    NotSignedIn "NOT_SIGNED_IN" Machine
        "nobody is signed in on this machine at the vendor's portal"
        "sign in, in the product or with `kms-client account sign-in`; a license that is held runs to its end"
    AccountNotLicensed "ACCOUNT_NOT_LICENSED" Machine
        "this product is not linked to the account {account}"
        "ask the administrator of your organisation for a license, or sign in with another account; a license that is held runs to its end"
    TooManyDevices "TOO_MANY_DEVICES" Machine
        "{account} is signed in on {devices} devices, which is as many as the license is for"
        "sign one of them out, there or on the page `My devices` of the vendor's portal, and sign in again here"
    TooManySignIns "TOO_MANY_SIGN_INS" Network
        "too many machines at the address of this network wait for somebody to let them in; the next may begin in {wait}"
        "wait, and sign in again; codes that nobody types end by themselves after 15 minutes"

    // What the portal refuses to the vendor's own people and programs.
    TokenUnknown "TOKEN_UNKNOWN" Vendor
        "the portal knows no such token"
        "name the file with the token with --token-file; an administrator of the portal makes one with `kms-portal token issue`"
    TokenEnded "TOKEN_ENDED" Vendor
        "the token {name} is of no use any more: {cause}"
        "ask an administrator of the portal for another token"
    NotPermitted "NOT_PERMITTED" Vendor
        "the token {name} is for the role {role}, which may not call {call}"
        "ask a colleague whose role allows it, or an administrator of the portal for a token with another role"
    TooManyWrongTokens "TOO_MANY_WRONG_TOKENS" Vendor
        "too many wrong tokens came from this address; the next is looked up in {wait}"
        "wait, and find out which program there sends a wrong token; on the portal's own machine, no token is needed"

    // What a host refuses to somebody who administrates it.
    NotAdministrator "NOT_ADMINISTRATOR" Host
        "user {uid} may not administrate this host"
        "run the command as root, or as the user whom the host runs as"
    AuditUnwritable "AUDIT_UNWRITABLE" Host
        "nothing was changed, because it cannot be written down in {path}: {cause}"
        "mend that file or its disk, and give the command again: a change that is taken ends the alarm. Machines are served meanwhile"
    MachineUnknown "MACHINE_UNKNOWN" Host
        "this host knows no machine whose id begins with {id}"
        "`kms-host machines` lists those that it knows. If you gave --product, leave it out. A machine that asks another host is not listed: `kms-client status` on it names the host"
    MachineAmbiguous "MACHINE_AMBIGUOUS" Host
        "more than one machine has an id that begins with {id}, such as {first} and {second}"
        "write more of the id, or name the product with --product"
    MachineBlocked "MACHINE_BLOCKED" Host
        "machine {machine} is blocked, and to forget it would let it in again"
        "unblock it first with `kms-host machine unblock`, if that is what you want"
}

impl Reason {
    /// The reason with this code; `None` for one that a later release has added.
    pub fn from_code(code: &str) -> Option<Reason> {
        Reason::ALL.iter().copied().find(|reason| reason.code() == code)
    }

    /// Whether a host says this without a signature: of an ask that it cannot answer with one. It signs everything else, so that
    /// nobody on the way can say it.
    pub const fn may_be_unsigned(self) -> bool {
        self.unsigned_status().is_some()
    }

    /// The number of the gRPC status with which a host says this without a signature; `None` if it signs it.
    pub const fn unsigned_status(self) -> Option<i32> {
        const INVALID_ARGUMENT: i32 = 3;
        const RESOURCE_EXHAUSTED: i32 = 8;
        const FAILED_PRECONDITION: i32 = 9;
        const UNAVAILABLE: i32 = 14;
        match self {
            Reason::Malformed | Reason::TooLarge | Reason::SignatureBad => Some(INVALID_ARGUMENT),
            Reason::ProductUnknown | Reason::TlsRequired => Some(FAILED_PRECONDITION),
            Reason::Overloaded | Reason::TooManyBadAsks => Some(RESOURCE_EXHAUSTED),
            Reason::LedgerFailed | Reason::LedgerDamaged | Reason::SignerFailed | Reason::Stopping => {
                Some(UNAVAILABLE)
            }
            _ => None,
        }
    }

    /// The names of the values in its summary, in their order.
    pub fn parameters(self) -> impl Iterator<Item = &'static str> {
        self.summary().split('{').skip(1).filter_map(|rest| rest.split_once('}')).map(|(name, _)| name)
    }

    /// This reason with what its text needs.
    pub fn with(self, parameters: &[(&str, &dyn fmt::Display)]) -> Cause {
        let parameters =
            parameters.iter().map(|(name, value)| ((*name).to_owned(), value.to_string())).collect();
        Cause { code: self.code().to_owned(), parameters }
    }
}

/// The stable code.
impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl From<Reason> for Cause {
    fn from(reason: Reason) -> Cause {
        reason.with(&[])
    }
}

/// A reason as it occurred: the code, which may be newer than this release, and the values in its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cause {
    /// The stable code.
    pub code: String,
    /// Name and value of each parameter.
    pub parameters: Vec<(String, String)>,
}

impl Cause {
    /// The reason, if this release knows it.
    pub fn reason(&self) -> Option<Reason> {
        Reason::from_code(&self.code)
    }

    /// The value of a parameter.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// What happened, with the parameters in braces, if this release knows the reason.
    pub fn summary(&self) -> Option<&'static str> {
        let of_portal = self.of_portal_texts().map(|(summary, _)| summary);
        of_portal.or(self.reason().map(Reason::summary))
    }

    /// What happened, in one line, with every parameter in its place.
    pub fn what(&self) -> String {
        let Some(mut rest) = self.summary() else {
            let mut text = "a reason that this release does not know".to_owned();
            for (name, value) in self.parameters.iter().filter(|(name, _)| name != UNSIGNED) {
                let _ = write!(text, ", {} {}", OneLine(name), OneLine(value));
            }
            return text;
        };
        let mut text = String::new();
        while let Some((before, after)) = rest.split_once('{') {
            let (name, after) = after.split_once('}').unwrap_or((after, ""));
            let _ = write!(text, "{before}{}", OneLine(self.parameter(name).unwrap_or("?")));
            rest = after;
        }
        text + rest
    }

    /// Who said it, if nobody has signed it.
    pub fn unsigned_by(&self) -> Option<&str> {
        self.parameter(UNSIGNED)
    }

    /// What to do, where this release knows it.
    pub fn remedy(&self) -> &'static str {
        let of_portal = self.of_portal_texts().map(|(_, remedy)| remedy);
        let remedy = of_portal.or(self.reason().map(Reason::remedy));
        remedy.unwrap_or("update this side: it does not know the reason")
    }

    /// The same cause for something that the vendor's portal has said or signed. Its text speaks of the portal, and not of a host.
    #[must_use]
    pub fn of_portal(mut self) -> Cause {
        if self.reason().and_then(portal::texts).is_some() && !self.is_of_portal() {
            self.parameters.push((OF_PORTAL.to_owned(), "yes".to_owned()));
        }
        self
    }

    /// Whether its text speaks of the vendor's portal where that of its reason speaks of a host.
    pub fn is_of_portal(&self) -> bool {
        self.parameter(OF_PORTAL).is_some()
    }

    fn of_portal_texts(&self) -> Option<(&'static str, &'static str)> {
        self.reason().filter(|_| self.is_of_portal()).and_then(portal::texts)
    }

    /// From an unsigned error that `from` has sent. Anyone on the path could have written it, so the cause says that it is unsigned,
    /// and there is none for a code that a host would have signed. A code that this release does not know is shown as it came.
    pub fn unsigned(
        code: String,
        parameters: impl IntoIterator<Item = (String, String)>,
        from: &dyn fmt::Display,
    ) -> Option<Cause> {
        if Reason::from_code(&code).is_some_and(|reason| !reason.may_be_unsigned()) {
            return None;
        }
        let mut cause = Cause::by_portal(code, parameters);
        cause.parameters.push((UNSIGNED.to_owned(), from.to_string()));
        Some(cause)
    }

    /// From an error that the vendor's portal has sent. TLS says that it did, so it needs no signature.
    pub fn by_portal(code: String, parameters: impl IntoIterator<Item = (String, String)>) -> Cause {
        let is_ours = |(name, _): &(String, String)| {
            ![UNSIGNED, OF_PORTAL].contains(&&**name) && is_word(name, char::is_lowercase)
        };
        let mut parameters: Vec<_> = parameters.into_iter().filter(is_ours).collect();
        parameters.sort();
        Cause { code, parameters }
    }
}

/// A cause from a signed refusal, or from the client's state.
pub fn decode(code: &str, parameters: &[v1::Parameter]) -> Cause {
    let parameters = parameters.iter().map(|p| (p.name.clone(), p.value.clone())).collect();
    Cause { code: code.to_owned(), parameters }
}

/// The values of a cause as a signed refusal carries them. These two are no methods: products know `Cause`, and no messages.
pub fn encode_parameters(cause: &Cause) -> Vec<v1::Parameter> {
    let parameter =
        |(name, value): &(String, String)| v1::Parameter { name: name.clone(), value: value.clone() };
    cause.parameters.iter().map(parameter).collect()
}

/// `CODE: what happened`, in one line, with every parameter in its place.
impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", OneLine(&self.code), self.what())?;
        match self.unsigned_by() {
            Some(by) => write!(f, " (unsigned, by {})", OneLine(by)),
            None => Ok(()),
        }
    }
}

/// Whether this is written as our codes are. It is unsigned, and ends up on a terminal.
pub fn is_code(code: &str) -> bool {
    is_word(code, char::is_uppercase)
}

fn is_word(word: &str, is_letter: fn(char) -> bool) -> bool {
    (1..=64).contains(&word.len()) && word.chars().all(|c| c == '_' || c.is_ascii() && is_letter(c))
}

impl core::error::Error for Cause {}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    #[test]
    fn a_cause_reads_as_one_line_with_its_values() {
        let cause = Reason::CountBelowThreshold.with(&[("count", &7), ("threshold", &25)]);
        expect!["COUNT_BELOW_THRESHOLD: machines counted: 7 of the 25 that are needed"]
            .assert_eq(&cause.to_string());
        let cause = Reason::NotAHost.with(&[("address", &"10.0.0.1:1\n\u{1b}[2J")]);
        expect![[r"NOT_A_HOST: what answers at 10.0.0.1:1 \u{1b}[2J is not an activation host: ?"]]
            .assert_eq(&cause.to_string());
    }

    /// A machine with a product key was told to look at a host's disk, when it was the vendor's portal that had too much to do.
    #[test]
    fn a_reason_of_the_portal_names_no_host() {
        let mut told = 0;
        for reason in Reason::ALL {
            let cause = Cause::from(*reason).of_portal();
            let text = [cause.what().as_str(), cause.remedy()].join(" ");
            assert!(!cause.is_of_portal() || !text.contains(" host"), "{text}");
            told += usize::from(cause.is_of_portal());
            // Each of its values is one of the reason's.
            let summary = portal::texts(*reason).map_or("", |(summary, _)| summary);
            let names = summary.split('{').skip(1).filter_map(|rest| rest.split_once('}'));
            for (name, _) in names {
                assert!(reason.parameters().any(|known| known == name), "{reason} {name}");
            }
        }
        assert!(8 < told, "{told}");
        let cause = Reason::Overloaded.with(&[]).of_portal();
        expect!["OVERLOADED: the vendor's portal has more asks waiting than it will hold"]
            .assert_eq(&cause.to_string());
        assert_eq!(cause.clone().of_portal(), cause);
    }

    #[test]
    fn a_reason_of_a_later_release_is_shown_as_it_came() {
        let parameters = [v1::Parameter { name: "seats".into(), value: "3".into() }];
        let cause = decode("SEATS_TAKEN", &parameters);
        expect!["SEATS_TAKEN: a reason that this release does not know, seats 3"]
            .assert_eq(&cause.to_string());
        assert_eq!(encode_parameters(&cause), parameters);
    }

    /// What nobody had signed looked like what a host had signed, and a stranger could say that a machine was blocked.
    #[test]
    fn an_unsigned_reason_says_so_and_one_that_a_host_signs_is_none() {
        let unsigned = |code: &str, parameters: &[(&str, &str)]| {
            let parameters = parameters.iter().map(|(name, value)| (name.to_string(), value.to_string()));
            Cause::unsigned(code.to_owned(), parameters, &"kms1:21688").map(|cause| cause.to_string())
        };
        expect!["TOO_LARGE: the ask is larger than 16384 bytes (unsigned, by kms1:21688)"]
            .assert_eq(&unsigned("TOO_LARGE", &[("limit", "16384"), ("unsigned", "no")]).unwrap());
        expect!["SEATS_TAKEN: a reason that this release does not know, seats 3 (unsigned, by kms1:21688)"]
            .assert_eq(&unsigned("SEATS_TAKEN", &[("seats", "3"), ("Se\nats", "4")]).unwrap());
        for code in
            ["BLOCKED", "COPIED", "CLOCK_SKEW", "HOST_CLOCK", "DISK_FULL", "UNTRUSTED", "STATE_DAMAGED"]
        {
            assert_eq!(unsigned(code, &[]), None, "{code}");
        }
    }

    #[test]
    fn a_code_is_a_word_in_capitals() {
        assert!(is_code("TOO_LARGE"));
        for other in ["", "too_large", "TOO LARGE", "TOO\nLARGE", "\u{c4}", "A1"] {
            assert!(!is_code(other), "{other:?}");
        }
        assert!(is_code(&"A".repeat(64)) && !is_code(&"A".repeat(65)));
    }

    #[test]
    fn codes_are_stable_words_and_no_two_alike() {
        for (index, reason) in Reason::ALL.iter().enumerate() {
            assert!(reason.code().chars().all(|c| c.is_ascii_uppercase() || c == '_'), "{}", reason.code());
            assert_eq!(Reason::from_code(reason.code()), Some(*reason));
            assert!(Reason::ALL[..index].iter().all(|earlier| earlier.code() != reason.code()));
        }
    }
}
