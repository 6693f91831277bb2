//! A store in ordinary use: written, closed, opened again; refused batches; lists in pages.

use std::fs;

use kms_store::{Batch, Engine, MAX_BATCH, OpenError, Store};

use crate::world::{CACHE_BYTES, batch, everything, last_batch, loaded, open, seed};

on_every_engine! {
    what_was_synced_is_there_after_a_clean_close
    a_new_store_is_its_owners_alone_and_so_is_every_directory_made_for_it
    a_store_knows_whether_it_was_closed_in_order
    a_note_of_an_orderly_end_holds_only_for_the_sync_that_it_names
    a_store_that_is_closed_while_somebody_reads_was_not_closed_in_order
    a_creation_that_was_cut_short_is_completed
    a_directory_that_cannot_be_made_is_named
    a_batch_of_256_is_written_and_one_of_257_is_refused_whole
    a_value_too_long_in_the_middle_of_a_batch_keeps_all_of_it_out
    a_prefix_lists_its_own_records_in_order_and_in_pages
    a_prefix_of_the_highest_bytes_has_an_end_too
}

fn batch_of(operations: usize) -> Batch {
    let mut batch = Batch::new();
    for number in 0..operations {
        batch.put(format!("{number:03}"), "value");
    }
    batch
}

fn names(records: impl Iterator<Item = Result<(Vec<u8>, Vec<u8>), kms_store::ReadError>>) -> Vec<String> {
    records.map(|record| String::from_utf8(record.unwrap().0).unwrap()).collect()
}

fn what_was_synced_is_there_after_a_clean_close(engine: Engine) {
    let seed = seed();
    let home = tempfile::tempdir().unwrap();
    for until in [100, 200, 300] {
        let store = open(engine, home.path());
        for number in last_batch(&store) + 1..=until {
            store.write(batch(seed, number)).unwrap();
            // Several writes share a sync.
            if number % 10 == 0 {
                store.sync().unwrap();
            }
        }
    }

    let store = open(engine, home.path());

    assert_eq!(everything(&store), loaded(seed, 300));
    assert!(store.size_on_disk().unwrap() > 0);
}

fn a_store_knows_whether_it_was_closed_in_order(engine: Engine) {
    let home = tempfile::tempdir().unwrap();
    let store = open(engine, home.path());
    assert!(store.was_closed_in_order(), "a new one has nothing to count again");
    store.write(batch_of(1)).unwrap();
    store.sync().unwrap();
    drop(store);
    assert!(home.path().join("closed").exists());

    let store = open(engine, home.path());
    assert!(store.was_closed_in_order());
    assert!(!home.path().join("closed").exists(), "a crash from here on leaves no note");
    drop(store);
    // As a crash leaves it.
    fs::remove_file(home.path().join("closed")).unwrap();

    assert!(!open(engine, home.path()).was_closed_in_order());
    assert!(open(engine, home.path()).was_closed_in_order());
}

/// A release that does not know the note leaves it where it is, and may be killed.
fn a_note_of_an_orderly_end_holds_only_for_the_sync_that_it_names(engine: Engine) {
    let home = tempfile::tempdir().unwrap();
    drop(open(engine, home.path()));
    let note = fs::read(home.path().join("closed")).unwrap();
    let store = open(engine, home.path());
    store.sync().unwrap();
    drop(store);
    fs::write(home.path().join("closed"), note).unwrap();
    assert!(!open(engine, home.path()).was_closed_in_order());
    fs::write(home.path().join("closed"), "").unwrap();
    assert!(!open(engine, home.path()).was_closed_in_order());
}

fn a_store_that_is_closed_while_somebody_reads_was_not_closed_in_order(engine: Engine) {
    let home = tempfile::tempdir().unwrap();
    let store = open(engine, home.path());
    store.write(batch_of(9)).unwrap();
    store.sync().unwrap();
    let mut reading = store.records(b"", None);
    reading.next().unwrap().unwrap();
    drop(store);
    assert_eq!(reading.count(), 8);
    assert!(!open(engine, home.path()).was_closed_in_order());
}

fn a_new_store_is_its_owners_alone_and_so_is_every_directory_made_for_it(engine: Engine) {
    let home = tempfile::tempdir().unwrap();
    let directory = home.path().join("data").join("ledger");

    let store = open(engine, &directory);

    assert_eq!(everything(&store).len(), 0);
    #[cfg(unix)]
    for made in [&directory, &home.path().join("data")] {
        let mode = std::os::unix::fs::PermissionsExt::mode(&fs::metadata(made).unwrap().permissions());
        assert_eq!(mode & 0o777, 0o700, "{}", made.display());
    }
}

fn a_creation_that_was_cut_short_is_completed(engine: Engine) {
    let home = tempfile::tempdir().unwrap();
    drop(open(engine, home.path()));
    // As after a crash before the last step: the engine's files are there, the mark is not.
    fs::remove_file(home.path().join("mark")).unwrap();

    let store = open(engine, home.path());
    store.write(batch_of(1)).unwrap();
    store.sync().unwrap();
    drop(store);

    assert_eq!(everything(&open(engine, home.path())).len(), 1);
}

fn a_directory_that_cannot_be_made_is_named(engine: Engine) {
    let home = tempfile::tempdir().unwrap();
    let taken = home.path().join("taken");
    fs::write(&taken, "a file").unwrap();

    let error = Store::open(&taken, engine, CACHE_BYTES).unwrap_err();

    assert!(matches!(&error, OpenError::Io { directory, .. } if *directory == taken), "{error:?}");
}

fn a_batch_of_256_is_written_and_one_of_257_is_refused_whole(engine: Engine) {
    let home = tempfile::tempdir().unwrap();
    let store = open(engine, home.path());

    let refused = store.write(batch_of(MAX_BATCH + 1)).unwrap_err();

    assert_eq!(refused.to_string(), "257 operations in a batch are refused; the most is 256");
    assert_eq!(everything(&store).len(), 0);
    // It was the caller's mistake: the store goes on.
    store.write(batch_of(MAX_BATCH)).unwrap();
    store.sync().unwrap();
    assert_eq!(everything(&store).len(), MAX_BATCH);
}

fn a_value_too_long_in_the_middle_of_a_batch_keeps_all_of_it_out(engine: Engine) {
    let home = tempfile::tempdir().unwrap();
    let store = open(engine, home.path());
    let mut batch = batch_of(9);
    batch.put("005", vec![0; kms_store::MAX_VALUE_BYTES + 1]);

    let refused = store.write(batch).unwrap_err();

    assert_eq!(refused.to_string(), "4097 bytes of a value are refused; the most is 4096");
    assert_eq!(everything(&store).len(), 0);
}

/// The longest key, such that sled can shorten neither it nor the key between two pages: the eight of a
/// family differ only at the end, families at once.
fn longest_key(number: usize) -> Vec<u8> {
    let mut key = format!("{:04}", number / 8).repeat(kms_store::MAX_KEY_BYTES / 4);
    key.replace_range(kms_store::MAX_KEY_BYTES - 4.., &format!("{number:04}"));
    key.into_bytes()
}

/// The limits are what keeps sled's pages inside its log. The files under `blobs`, where larger ones go, are
/// never synced.
#[test]
fn pages_full_of_the_largest_records_stay_in_the_synced_log() {
    let home = tempfile::tempdir().unwrap();
    let store = open(Engine::Sled, home.path());
    for first in (0..4_096).step_by(MAX_BATCH) {
        let mut batch = Batch::new();
        for number in first..first + MAX_BATCH {
            batch.put(longest_key(number), vec![b'v'; kms_store::MAX_VALUE_BYTES]);
        }
        store.write(batch).unwrap();

        let unsynced = fs::read_dir(home.path().join("blobs")).unwrap().count();
        assert_eq!(unsynced, 0, "after record {first}");
    }
    store.sync().unwrap();
}

fn a_prefix_lists_its_own_records_in_order_and_in_pages(engine: Engine) {
    let home = tempfile::tempdir().unwrap();
    let store = open(engine, home.path());
    let mut batch = Batch::new();
    for key in ["a/9", "b", "b/1", "b/2", "b/3", "b0", "c/1"] {
        batch.put(key, "value");
    }
    store.write(batch).unwrap();

    assert_eq!(names(store.records(b"b/", None)), ["b/1", "b/2", "b/3"]);
    assert_eq!(names(store.records(b"b/", Some(b"b/1"))), ["b/2", "b/3"]);
    assert_eq!(
        names(store.records(b"b/", Some(b"b/1x"))),
        ["b/2", "b/3"],
        "the last page's end was removed since"
    );
    assert_eq!(names(store.records(b"b/", Some(b""))), ["b/1", "b/2", "b/3"]);
    assert_eq!(names(store.records(b"b/", Some(b"b/3"))), [""; 0]);
    assert_eq!(names(store.records(b"b/", Some(b"c"))), [""; 0]);
}

fn a_prefix_of_the_highest_bytes_has_an_end_too(engine: Engine) {
    let home = tempfile::tempdir().unwrap();
    let store = open(engine, home.path());
    let mut batch = Batch::new();
    batch.put([0xfe, 0xff], "before");
    batch.put([0xff, 0xff], "first");
    batch.put([0xff, 0xff, 0xff], "last");
    store.write(batch).unwrap();

    let found: Vec<_> = store.records(&[0xff, 0xff], None).map(|record| record.unwrap().1).collect();

    assert_eq!(found, [b"first".to_vec(), b"last".to_vec()]);
}

#[test]
fn a_store_is_not_opened_on_another_engine() {
    for (kept, asked) in [(Engine::Sled, Engine::Fjall), (Engine::Fjall, Engine::Sled)] {
        let home = tempfile::tempdir().unwrap();
        drop(open(kept, home.path()));
        assert_eq!(Engine::of(home.path()).unwrap(), Some(kept));

        let told = Store::open(home.path(), asked, CACHE_BYTES).unwrap_err().to_string();

        assert!(told.contains(&format!("is kept by {}", kept.name())), "{told}");
        open(kept, home.path());
    }
}

/// Only the rename gives it its name, so what a crash left of its making is in nobody's way.
#[test]
fn a_draft_of_fjalls_is_made_anew() {
    let home = tempfile::tempdir().unwrap();
    let draft = home.path().join("fjall.new");
    fs::create_dir_all(draft.join("keyspaces")).unwrap();
    fs::write(draft.join("0.jnl"), "half a journal").unwrap();

    let store = open(Engine::Fjall, home.path());

    assert_eq!(everything(&store).len(), 0);
    assert!(!draft.exists());
}
