//! What `explain` knows besides reasons: the words that commands show, and the codes that administrators of another vendor's licence
//! server type out of habit. Nothing here speaks to such a server; it is help for people.

/// A code that is no reason.
#[derive(Debug, PartialEq, Eq)]
pub struct Word {
    /// The code, as it is shown.
    pub code: &'static str,
    /// What it says.
    pub what: &'static str,
    /// What to do.
    pub remedy: &'static str,
}

macro_rules! words {
    ($($code:ident $what:literal $remedy:literal)*) => {
        impl Word {
            $(
                #[doc = $what]
                pub const $code: &Word = &Word { code: stringify!($code), what: $what, remedy: $remedy };
            )*
        }

        /// Answers that are no refusal, and alarms of a host.
        pub const WORDS: &[&Word] = &[$(Word::$code,)*];
    };
}

words! {
    LEASE "a host has given a lease"
        "nothing: the machine renews it by itself"
    WAITING "the machine is counted, and the host has not yet seen as many as its certificate needs"
        "nothing while more machines ask; `kms-host status` says how many of how many"
    RELEASED "the machine has left the count and holds no lease"
        "nothing; `kms-client activate` brings it back"
    AUDIT_BROKEN "a line of the host's audit log does not continue the one before it"
        "find out who may write there (`kms-host audit --verify` names the line), keep the file, and move it away while the host is stopped: a new one begins"
    LEDGER_RESTORED "a machine has shown a lease that this host has signed and does not remember: its ledger was put back, or a second host runs with its key"
        "nothing where it was restored, for it learns from such leases; otherwise find the other host and stop it: each needs a directory of its own"
    LEDGER_TOTALS_DIFFER "after a crash the host counted all records, and they are not what the ledger's totals say: records were lost, or are older than they were"
        "stop the host, `kms-host export --salvage FILE`, move the ledger away, `kms-host import FILE`: that counts anew; and look at the disk"
    CERTIFICATE_ENDS_SOON "a certificate of the host ends within 30 days"
        "send host-request.pem to the vendor again, put the answer in with `kms-host install-certificate`, and reload the host"
    CERTIFICATE_REVOKED "the vendor has taken back the certificate with which a host answers; machines that know it refuse the host"
        "ask the vendor why, and for another certificate; put it in with `kms-host install-certificate`, and reload the host. Leases that machines hold run to their end"
    CERTIFICATE_UNUSABLE "a file among the host's certificates cannot be used, and is left out"
        "`kms-host certificates` says which and why: remove it, or put in the vendor's certificate with `kms-host install-certificate`, and reload the host"
    CERTIFICATE_DIFFERS "a certificate of the host is not what machines were given before"
        "`kms-host status` says what differs and what to do: ask the vendor for a certificate that machines accept, or install this one deliberately"
    ANSWERS_REJECTED "machines do not accept the host's answers, and say so with their next ask"
        "`kms-host status` names the reason and what to do about it; most often a certificate of another organisation, or under other roots, was installed"
    TLS_CERTIFICATE_NOT_BEGUN "the host's TLS certificate is not valid yet"
        "check the host's clock, or put the old certificate back until then"
    TLS_CERTIFICATE_ENDS_SOON "the host's TLS certificate ends soon"
        "have your CA sign a new one, put it into the files of `tls_certificate` and `tls_key`, and reload the host"
    TLS_CERTIFICATE_ENDED "the host's TLS certificate has ended, and machines that speak TLS refuse it"
        "have your CA sign a new one, put it into the files of `tls_certificate` and `tls_key`, and reload the host"
    NEW_MACHINES_OF_ONE_SOURCE "the count stands on new machines that one address has brought"
        "nothing in a roll-out, or where this host takes over from another; otherwise find out who uses that address, and block machines that do not exist: `kms-host machines` lists them"
    SEATS_EXCEEDED "more machines are counted than the vendor has signed as paid for; none is refused"
        "ask the vendor for a certificate with more seats, put it in with `kms-host install-certificate`, and reload the host; or run `kms-client release` on machines that need no license any more"
    CONNECTIONS_FULL "all places for connections are taken: the address that holds most gives way to newcomers"
        "find out who uses that address: a machine makes one call and leaves. If it is a proxy or a NAT of yours, raise `connections` and reload the host"
}

macro_rules! elsewhere {
    ($($code:literal $what:literal $remedy:literal)*) => {
        &[$(&Word { code: $code, what: $what, remedy: $remedy },)*]
    };
}

/// Codes of another vendor's system: what they mean there, and what to look at here.
pub const ELSEWHERE: &[&Word] = elsewhere! {
    "0xC004F074" "elsewhere: no licence server could be reached"
        "`kms-client status` names every host that was tried with its own cause: HOST_UNREACHABLE, HOST_SILENT, NOT_A_HOST, or DNS_NO_RECORD where none was found"
    "0xC004F039" "elsewhere: the licence server gave no answer"
        "`kms-client status` names every host that was tried: look for HOST_UNREACHABLE and HOST_SILENT"
    "0xC004F038" "elsewhere: too few machines are counted"
        "here it is no error but WAITING: the machine is licensed by itself once enough have asked; `kms-host status` has the count"
    "0xC004F041" "elsewhere: the licence server is not activated itself"
        "look for CERTIFICATE_ENDED at the machines, and run `kms-host certificates` at the host"
    "0xC004F042" "elsewhere: that licence server does not serve this product"
        "look for PRODUCT_UNKNOWN: the host needs the vendor's certificate for this product"
    "0xC004F015" "elsewhere: the licence server cannot serve this edition or version"
        "look for PRODUCT_UNKNOWN: the host needs the vendor's certificate for this product"
    "0xC004F06C" "elsewhere: the clocks of machine and server differ by more than 4 hours"
        "look for CLOCK_SKEW, which is the machine's clock, or HOST_CLOCK, which is the host's"
    "0xC004C008" "elsewhere: the server's key was activated too often"
        "look for HOSTS_EXHAUSTED or ACTIVATIONS_EXHAUSTED at the host, or KEY_EXHAUSTED at a machine with a product key; the seller can grant more"
    "0xC004F00F" "elsewhere: the hardware has changed too much"
        "`kms-client status`: a machine with a product key says there if it has to be activated again. A lease of a host does not depend on hardware; see COPIED if a disk was copied"
    "0xC004F009" "elsewhere: the grace has ended"
        "`kms-client activate` names every host that it tries, with its own cause"
    "0xC004F014" "elsewhere: no product key is installed"
        "a machine that asks a host needs none: `kms-client activate`. Otherwise `kms-client key set KEY`"
    "0xC004F050" "elsewhere: the product key is invalid"
        "look for KEY_MALFORMED or KEY_UNKNOWN. A machine that asks a host has no key: `kms-client activate`"
    "0xC004F051" "elsewhere: the product key is blocked"
        "look for KEY_BLOCKED: ask the seller. A machine that an administrator of a host has blocked is told BLOCKED"
    "0x8007232B" "elsewhere: the name does not exist in DNS"
        "look for DNS_NO_RECORD, and run `kms-host doctor --domain DOMAIN` for the record to publish; `kms-client discover` says which names were asked"
    "0x8007007B" "elsewhere: the name of the server is wrong, most often because DNS names none"
        "look for DNS_NO_RECORD or HOST_NAME_BAD; `kms-client discover` says which names were asked"
    "0x80092328" "elsewhere: the name does not exist in DNS"
        "look for DNS_NO_RECORD; `kms-client discover` says which names were asked"
    "0x8007251D" "elsewhere: DNS has no record of that kind"
        "look for DNS_NO_RECORD; `kms-client discover` says which names were asked"
    "0x8007232A" "elsewhere: the name server failed"
        "look for DNS_FAILED; `kms-client discover` says which names were asked"
    "0x800706BA" "elsewhere: the server is unavailable, behind a firewall or named by a stale record"
        "look for HOST_UNREACHABLE; `kms-host doctor --domain DOMAIN` names stale records"
    "0xC004F035" "elsewhere: the key is for volume licences, and this machine has no edition that may use it"
        "machines have no keys here: `kms-client activate`"
    "0xC004F069" "elsewhere: the product that was named is not on this machine"
        "look for PRODUCT_UNKNOWN; `kms-client status` names the product"
    "0xC004E003" "elsewhere: the licence could not be evaluated, most often because system files were changed"
        "`kms-client status` says whether the kept state is damaged, and what to do"
    "12288" "elsewhere: the event of a machine that has asked, with the cause where it failed"
        "`kms-client status` shows the last round, with each host and its cause"
    "12289" "elsewhere: the event of a machine that has an answer, with the count"
        "`kms-client status` shows the answer; `kms-host status` has the count"
    "12290" "elsewhere: the event of a licence server that has answered a machine"
        "the host's log has a line for each answer; `kms-host machines` and `kms-host refusals` list them"
    "12293" "elsewhere: the event of a licence server that could not publish its DNS record"
        "a host publishes nothing here: `kms-host doctor --domain DOMAIN` prints the record, and says whether it is there"
    "0x80070005" "elsewhere: access was denied"
        "look for IDENTITY_UNREADABLE or NOT_ADMINISTRATOR: run the command as root or as the owner of the state"
};
