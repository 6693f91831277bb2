//! `issued.jsonl`: one line for every certificate, on the disk before the certificate is written.
//!
//! The vendor looks here when a customer asks, or when a certificate must be revoked. The tool reads it to find the organisation
//! that a host was certified for before.

use std::fs::OpenOptions;
use std::io::{self, BufRead as _, BufReader, Read as _, Seek as _, SeekFrom, Write as _};
use std::num::NonZeroU32;
use std::path::Path;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use shared::certificate::IssuingCertificate;
use shared::envelope::Kind;
use shared::ids::{CertificateId, HostId, OrganisationId};
use shared::time::Timestamp;
use store::regular;

use crate::error::VendorError;
use crate::text::instant_text;
use crate::vendor::Vendor;

const JOURNAL_FILE: &str = "issued.jsonl";

/// A line has less than 2 KiB. What is longer is damaged, and is read piece by piece.
const LINE_MAX_BYTES: u64 = 64 * 1024;

/// One line for a host certificate. Instants are RFC 3339, ids hexadecimal.
#[derive(Serialize)]
pub(crate) struct JournalLine<'a> {
    pub(crate) time: String,
    pub(crate) certificate: String,
    pub(crate) host: String,
    pub(crate) product: &'a str,
    pub(crate) product_id: String,
    pub(crate) organisation: &'a str,
    pub(crate) organisation_id: String,
    pub(crate) not_before: String,
    pub(crate) not_after: String,
    pub(crate) signer: &'static str,
    pub(crate) test: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) seats: Option<NonZeroU32>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) features: Vec<&'a str>,
}

/// One line for the certificate of a key that is not the vendor's own.
#[derive(Serialize)]
pub(crate) struct IssuerLine {
    pub(crate) time: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) issuing_certificate: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) code_certificate: Option<String>,
    pub(crate) key_id: String,
    pub(crate) products: Vec<String>,
    pub(crate) not_before: String,
    pub(crate) not_after: String,
    pub(crate) signer: &'static str,
    pub(crate) test: bool,
}

impl IssuerLine {
    /// The line of a certificate of this kind with these limits, signed now by the root of this name.
    pub(crate) fn of(
        kind: Kind,
        limits: &IssuingCertificate,
        signer: &'static str,
        now: Timestamp,
    ) -> Result<IssuerLine, VendorError> {
        let text = |instant| instant_text(instant).ok_or(VendorError::TooLate);
        let id = |of: Kind| (of == kind).then(|| limits.id.to_string());
        Ok(IssuerLine {
            time: text(now)?,
            issuing_certificate: id(Kind::IssuingCertificate),
            code_certificate: id(Kind::CodeCertificate),
            key_id: limits.public_key.key_id().to_string(),
            products: limits.products.iter().map(ToString::to_string).collect(),
            not_before: text(limits.not_before)?,
            not_after: text(limits.not_after)?,
            signer,
            test: limits.test,
        })
    }
}

/// Appends a line. When this returns, it is on the disk.
pub(crate) fn append(vendor: &Vendor, line: &impl Serialize) -> Result<(), VendorError> {
    let path = vendor.path(JOURNAL_FILE);
    let text = serde_json::to_string(line).expect("strings, numbers and bools are JSON");
    append_durably(&path, &text).map_err(|source| VendorError::Journal { path: path.clone(), source })?;
    Ok(store::file::sync_dir(vendor.dir())?)
}

/// Another organisation that this host was certified for before. Lines that a crash has cut are skipped.
pub(crate) fn other_organisation_of(
    vendor: &Vendor,
    host: HostId,
    organisation: OrganisationId,
) -> Result<Option<String>, VendorError> {
    let (host, organisation) = (host.to_string(), organisation.to_string());
    find(vendor, |issued: Issued| {
        (issued.host == host && issued.organisation_id != organisation).then_some(issued.organisation)
    })
}

/// Whether this is the id of a certificate that was issued here, or of a host that has one.
pub(crate) fn has_issued(vendor: &Vendor, id: CertificateId) -> Result<bool, VendorError> {
    let id = Some(id.to_string());
    let found = find(vendor, |line: Identified| {
        [line.certificate, line.issuing_certificate, line.code_certificate, line.host]
            .contains(&id)
            .then_some(())
    });
    Ok(found?.is_some())
}

/// What the first line yields for which there is something. Lines that cannot be read are skipped.
pub(crate) fn find<L: DeserializeOwned, T>(
    vendor: &Vendor,
    mut wanted: impl FnMut(L) -> Option<T>,
) -> Result<Option<T>, VendorError> {
    let path = vendor.path(JOURNAL_FILE);
    let mut file = match regular::open(&path, OpenOptions::new().read(true)) {
        Ok(file) => BufReader::new(file),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(VendorError::read(&path, source)),
    };
    let mut line = Vec::new();
    loop {
        line.clear();
        let read = file.by_ref().take(LINE_MAX_BYTES).read_until(b'\n', &mut line);
        if read.map_err(|source| VendorError::read(&path, source))? == 0 {
            return Ok(None);
        }
        let Ok(read) = serde_json::from_slice(&line) else { continue };
        if let Some(found) = wanted(read) {
            return Ok(Some(found));
        }
    }
}

/// The ids of a line, of whichever kind it is.
#[derive(Deserialize)]
struct Identified {
    certificate: Option<String>,
    issuing_certificate: Option<String>,
    code_certificate: Option<String>,
    host: Option<String>,
}

/// The fields of a line that are read back.
#[derive(Deserialize)]
struct Issued {
    host: String,
    organisation: String,
    organisation_id: String,
}

fn append_durably(path: &Path, line: &str) -> io::Result<()> {
    let mut file = regular::open(path, OpenOptions::new().create(true).read(true).append(true))?;
    // A crash may have cut the last line. It stays for people to read, and this line begins after it.
    let mut last = [b'\n'];
    if 0 < file.seek(SeekFrom::End(0))? {
        file.seek(SeekFrom::End(-1))?;
        file.read_exact(&mut last)?;
    }
    let gap = if last == [b'\n'] { "" } else { "\n" };
    file.write_all(format!("{gap}{line}\n").as_bytes())?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_was_cut_does_not_swallow_the_next() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join(JOURNAL_FILE);
        append_durably(&path, "{1}").unwrap();
        let mut torn = std::fs::read(&path).unwrap();
        torn.extend(b"{2");
        std::fs::write(&path, torn).unwrap();
        append_durably(&path, "{3}").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "{1}\n{2\n{3}\n");
    }
}
