//! Results and reports on disk. A file is written under another name and then renamed, so that no reader sees half of it.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use serde::Deserialize;

use super::merge;
use super::result::{FORMAT, LoadResult};

/// What every version of the format begins with.
#[derive(Deserialize)]
struct Head {
    format: u32,
}

/// Makes a folder, if it is not there, and finds out whether it can be written to.
///
/// # Errors
/// It cannot.
pub(crate) fn prepare(folder: &Path) -> anyhow::Result<()> {
    let made = std::fs::create_dir_all(folder);
    made.with_context(|| format!("could not make the folder {}: name another with --out", folder.display()))?;
    let probe = folder.join(format!(".{}.new", std::process::id()));
    replace(&probe, b"").and_then(|()| Ok(std::fs::remove_file(&probe)?))
}

/// Writes a result as one line of JSON.
///
/// # Errors
/// As [`replace`].
pub(crate) fn write_result(path: &Path, result: &LoadResult) -> anyhow::Result<()> {
    let mut json = serde_json::to_vec(result).expect("names and numbers are JSON");
    json.push(b'\n');
    replace(path, &json)
}

/// Reads one result.
///
/// # Errors
/// It cannot be read, is no result, or is one of another version of the format.
pub(crate) fn read_result(path: &Path) -> anyhow::Result<LoadResult> {
    let name = path.display();
    let json = std::fs::read(path).with_context(|| format!("could not read {name}"))?;
    let other = || format!("{name} is no result: name a JSON file that `kms-simulator load` has written");
    let head: Head = serde_json::from_slice(&json).with_context(other)?;
    if head.format != FORMAT {
        bail!(
            "{name} has version {} of the format and this kms-simulator reads version {FORMAT}: use the release that \
             wrote it, or run the load again",
            head.format
        );
    }
    serde_json::from_slice(&json).with_context(other)
}

/// Reads results and merges them.
///
/// # Errors
/// One cannot be read, or does not belong with the first: it is named.
pub(crate) fn read_merged(paths: &[PathBuf]) -> anyhow::Result<LoadResult> {
    let (first, others) = paths.split_first().context("there is no result to merge: name at least one")?;
    let mut merged = read_result(first)?;
    for (number, path) in (2..).zip(others) {
        let result = read_result(path)?;
        let belongs = merge::check(&merged, &result, number);
        belongs.with_context(|| format!("{} does not belong with the others", path.display()))?;
        merged = merge::add(merged, result);
    }
    Ok(merged)
}

/// Writes a file, in place of one that is there.
///
/// # Errors
/// The place cannot be written to. The old file is still there then.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let beside = path.with_added_extension(format!("{}.new", std::process::id()));
    let written = std::fs::write(&beside, bytes).and_then(|()| std::fs::rename(&beside, path));
    if written.is_err() {
        // The error to report is that of the write.
        let _ = std::fs::remove_file(&beside);
    }
    written.with_context(|| {
        format!("could not write {}: name a place that this user may write to", path.display())
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::results::{BEGAN_AT_MS, overloaded, stalled};
    use super::*;

    #[test]
    fn a_result_survives_its_file_byte_for_byte() {
        let folder = tempfile::tempdir().unwrap();
        let (first, second) = (folder.path().join("first.json"), folder.path().join("second.json"));
        write_result(&first, &stalled()).unwrap();
        let read = read_result(&first).unwrap();
        write_result(&second, &read).unwrap();
        assert_eq!(read, stalled());
        assert_eq!(std::fs::read(&first).unwrap(), std::fs::read(&second).unwrap());
        assert_eq!(
            std::fs::read_dir(folder.path()).unwrap().count(),
            2,
            "nothing else is left in the folder"
        );
    }

    #[test]
    fn what_is_no_result_is_named_with_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("r.json");
        let told = |text: &str| {
            std::fs::write(&path, text).unwrap();
            format!("{:#}", read_result(&path).unwrap_err())
        };
        for text in ["", "[1]", "{\"colour\":1}", "{\"format\":1}"] {
            let told = told(text);
            assert!(
                told.contains("r.json is no result: name a JSON file that `kms-simulator load`"),
                "{told}"
            );
        }
        let newer = told("{\"format\":2,\"anything\":[]}");
        assert!(
            newer.contains("r.json has version 2 of the format and this kms-simulator reads version 1"),
            "{newer}"
        );
    }

    #[test]
    fn of_results_that_do_not_belong_together_the_file_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let paths = ["a.json", "b.json"].map(|name| folder.path().join(name));
        write_result(&paths[0], &overloaded(1, BEGAN_AT_MS)).unwrap();
        write_result(&paths[1], &overloaded(2, BEGAN_AT_MS)).unwrap();
        assert_eq!(read_merged(&paths).unwrap().processes, 2);
        let none = read_merged(&[]).unwrap_err().to_string();
        assert_eq!(none, "there is no result to merge: name at least one");

        write_result(&paths[1], &LoadResult { scenario: "storm".into(), ..stalled() }).unwrap();
        let told = format!("{:#}", read_merged(&paths).unwrap_err());
        assert!(
            told.contains("b.json does not belong with the others: result 2 has the scenario storm"),
            "{told}"
        );
    }

    #[test]
    fn a_place_that_cannot_be_written_to_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let taken = folder.path().join("report.html");
        std::fs::create_dir(&taken).unwrap();
        let told = format!("{:#}", replace(&taken, b"<html>").unwrap_err());
        assert!(told.starts_with("could not write ") && told.contains("name a place"), "{told}");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "no half file is left beside it");
    }
}
