//! What an opening leaves as it was: a store that is only looked at, and one that is refused. And what it does not take for
//! damage: what can be made anew from the rest, and what an earlier release has noted.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use kms_store::{Engine, OpenError, Store};

use crate::damaged::{copy, flip, grown_on, keeps, noise, on, records};
use crate::world::{CACHE_BYTES, Process, batch, everything, last_batch, loaded, open};

on_every_engine! {
    looking_at_a_store_writes_nothing_and_shows_every_record
    looking_at_a_store_that_was_killed_shows_what_was_acknowledged
    what_is_written_to_a_store_that_is_looked_at_goes_nowhere
    two_may_look_at_once_and_nobody_opens_meanwhile
    there_is_nothing_to_look_at_where_no_store_is
    a_refused_opening_leaves_the_store_as_it_was_and_it_opens_once_it_is_put_back
    a_directory_in_the_place_of_a_small_file_is_named
    a_note_of_damage_by_an_earlier_release_is_checked_anew
    a_note_that_an_engine_has_changed_what_it_refused_holds
    a_copy_that_a_killed_process_has_left_is_removed
    a_store_that_was_closed_in_order_and_not_touched_since_is_opened_without_a_copy
    a_copy_of_a_killed_look_is_removed_by_the_next_and_one_that_is_in_use_is_not
    nothing_is_acknowledged_once_the_directory_or_what_is_in_it_is_gone_or_another
}

/// Every file and folder below a directory, with its bytes. A lock file says nothing.
fn tree(directory: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let (mut found, mut folders) = (BTreeMap::new(), vec![directory.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
            let is_folder = entry.file_type().unwrap().is_dir();
            let bytes = if is_folder { Vec::new() } else { fs::read(entry.path()).unwrap() };
            if is_folder {
                folders.push(entry.path());
            }
            found.insert(entry.path(), bytes);
        }
    }
    found
}

fn copied(engine: Engine) -> tempfile::TempDir {
    copied_to(grown_on(engine))
}

fn copied_to(store: &Path) -> tempfile::TempDir {
    let home = tempfile::tempdir().unwrap();
    copy(store, home.path());
    home
}

fn look(engine: Engine, directory: &Path) -> Result<Store, OpenError> {
    Store::look(directory, engine, CACHE_BYTES)
}

/// The first journal of fjall's, or sled's log.
fn log(engine: Engine, directory: &Path) -> PathBuf {
    let files =
        fs::read_dir(directory.join("fjall")).into_iter().flatten().map(|entry| entry.unwrap().path());
    match engine {
        Engine::Sled => directory.join("db"),
        Engine::Fjall => files.filter(|path| path.extension() == Some("jnl".as_ref())).min().unwrap(),
    }
}

/// Damages a store in this directory.
type Damage = Box<dyn Fn(&Path)>;

/// Damages after which a store is refused.
fn damages(engine: Engine) -> Vec<Damage> {
    vec![
        Box::new(move |it: &Path| {
            let log = log(engine, it);
            let bytes = fs::read(&log).unwrap();
            let end = bytes.iter().rposition(|byte| *byte != 0).unwrap();
            fs::write(log, &bytes[..end / 2]).unwrap();
        }),
        Box::new(move |it: &Path| {
            let log = log(engine, it);
            let mut bytes = fs::read(&log).unwrap();
            noise(7)(&mut bytes);
            fs::write(log, bytes).unwrap();
        }),
        Box::new(|it: &Path| on("mark", keeps(9))(it)),
        Box::new(|it: &Path| fs::remove_file(it.join("mark")).unwrap()),
        Box::new(move |it: &Path| fs::remove_file(log(engine, it)).unwrap()),
    ]
}

fn looking_at_a_store_writes_nothing_and_shows_every_record(engine: Engine) {
    let home = copied(engine);
    for name in [None, Some("damaged"), Some("snap.00000000000FFFFF.generating")] {
        if let Some(name) = name {
            fs::write(home.path().join(name), "").unwrap();
        }
        let before = tree(home.path());
        let store = look(engine, home.path()).unwrap();
        assert!(everything(&store) == *records());
        assert!(tree(home.path()) == before, "{name:?}: while it is open");
        drop(store);
        assert!(tree(home.path()) == before, "{name:?}");
    }
    for (number, damage) in damages(engine).iter().enumerate() {
        let home = copied(engine);
        damage(home.path());
        let before = tree(home.path());
        let found = look(engine, home.path()).unwrap_err();
        assert!(matches!(found, OpenError::Damaged { .. }), "damage {number}: {found:?}");
        assert!(tree(home.path()) == before, "damage {number}");
    }
}

/// "Is a directory", said an opening, and not which one.
fn a_directory_in_the_place_of_a_small_file_is_named(engine: Engine) {
    for name in ["mark", "closed"] {
        let home = copied(engine);
        fs::remove_file(home.path().join(name)).unwrap();
        fs::create_dir(home.path().join(name)).unwrap();
        let before = tree(home.path());
        let opened = Store::open(home.path(), engine, CACHE_BYTES);
        for refused in [opened.unwrap_err(), look(engine, home.path()).unwrap_err()] {
            let OpenError::Io { source, .. } = refused else { panic!("{name}: {refused:?}") };
            assert_eq!(source.to_string(), format!("its `{name}` is not a regular file; remove it"));
        }
        assert!(tree(home.path()) == before, "{name}");
    }
}

fn looking_at_a_store_that_was_killed_shows_what_was_acknowledged(engine: Engine) {
    let home = tempfile::tempdir().unwrap();
    let mut loader = Process::start("killed::loader", engine, home.path(), 7);
    let acknowledged: u64 = (0..50).filter_map(|_| loader.line()).last().unwrap().parse().unwrap();
    loader.child.kill().unwrap();
    loader.child.wait().unwrap();
    let before = tree(home.path());

    let store = look(engine, home.path()).unwrap();

    assert!(acknowledged <= last_batch(&store) && !store.was_closed_in_order());
    assert!(everything(&store) == loaded(7, last_batch(&store)));
    assert!(tree(home.path()) == before);
}

fn what_is_written_to_a_store_that_is_looked_at_goes_nowhere(engine: Engine) {
    let home = copied(engine);
    let store = look(engine, home.path()).unwrap();
    store.write(batch(1, 1)).unwrap();
    store.sync().unwrap();
    drop(store);
    assert!(everything(&open(engine, home.path())) == *records());
}

fn two_may_look_at_once_and_nobody_opens_meanwhile(engine: Engine) {
    let home = copied(engine);
    let first = look(engine, home.path()).unwrap();
    let second = look(engine, home.path()).unwrap();
    drop(first);
    let refused = Store::open(home.path(), engine, CACHE_BYTES).unwrap_err();
    assert!(matches!(refused, OpenError::Locked { .. }), "{refused:?}");
    drop(second);
    let store = open(engine, home.path());
    let refused = look(engine, home.path()).unwrap_err();
    assert!(matches!(refused, OpenError::Locked { .. }), "{refused:?}");
    drop(store);
}

fn there_is_nothing_to_look_at_where_no_store_is(engine: Engine) {
    let home = tempfile::tempdir().unwrap();
    for directory in [home.path().to_owned(), home.path().join("none")] {
        let refused = look(engine, &directory).unwrap_err();
        assert!(matches!(refused, OpenError::Missing { .. }), "{refused:?}");
    }
    assert!(tree(home.path()).is_empty());
}

/// An engine cuts and zeroes what it cannot read, so a second opening of what it has refused could pass with less, and a file
/// that was put back would not fit the others any more.
fn a_refused_opening_leaves_the_store_as_it_was_and_it_opens_once_it_is_put_back(engine: Engine) {
    for (number, damage) in damages(engine).iter().enumerate() {
        let home = copied(engine);
        drop(open(engine, home.path()));
        let whole = tree(home.path());
        damage(home.path());
        let before = tree(home.path());

        let refused = Store::open(home.path(), engine, CACHE_BYTES).unwrap_err();

        assert!(matches!(refused, OpenError::Damaged { .. }), "damage {number}: {refused:?}");
        assert!(tree(home.path()) == before, "damage {number}");
        for (path, bytes) in whole.iter().filter(|(path, _)| path.is_file() || !path.exists()) {
            fs::write(path, bytes).unwrap();
        }
        assert!(everything(&open(engine, home.path())) == *records(), "damage {number}");
    }
}

fn a_note_of_damage_by_an_earlier_release_is_checked_anew(engine: Engine) {
    let home = copied(engine);
    fs::write(home.path().join("damaged"), "its log or the snapshot of it is not readable").unwrap();

    assert!(everything(&open(engine, home.path())) == *records());

    assert!(!home.path().join("damaged").exists());
}

fn a_note_that_an_engine_has_changed_what_it_refused_holds(engine: Engine) {
    let home = copied(engine);
    let note = "an engine has opened it and refused it: its log ends early";
    fs::write(home.path().join("damaged"), note).unwrap();
    for refused in [look(engine, home.path()), Store::open(home.path(), engine, CACHE_BYTES)] {
        let told = refused.unwrap_err().to_string();
        assert!(told.contains("its log ends early; noted in its file `damaged`"), "{told}");
    }
    fs::remove_file(home.path().join("damaged")).unwrap();
    open(engine, home.path());
}

fn a_copy_that_a_killed_process_has_left_is_removed(engine: Engine) {
    let home = copied(engine);
    let left = home.path().join(".copy-AbCdEf");
    fs::create_dir(&left).unwrap();
    fs::write(left.join("db"), "records").unwrap();
    open(engine, home.path());
    assert!(!left.exists());
}

/// How many of the names that an opening makes in the store's directory are those of copies.
#[cfg(target_os = "linux")]
fn copies_while_opening(engine: Engine, directory: &Path) -> usize {
    use rustix::fs::inotify;
    let flags = inotify::CreateFlags::NONBLOCK | inotify::CreateFlags::CLOEXEC;
    let watch = inotify::init(flags).unwrap();
    inotify::add_watch(&watch, directory, inotify::WatchFlags::CREATE).unwrap();
    open(engine, directory);
    let mut buffer = [std::mem::MaybeUninit::uninit(); 4096];
    let mut events = inotify::Reader::new(watch, &mut buffer);
    let mut copies = 0;
    while let Ok(event) = events.next() {
        copies += usize::from(event.file_name().is_some_and(|name| name.to_bytes().starts_with(b".copy-")));
    }
    copies
}

/// Each start on sled copied the ledger's file and opened it twice, however orderly the last stop was.
#[cfg(target_os = "linux")]
fn a_store_that_was_closed_in_order_and_not_touched_since_is_opened_without_a_copy(engine: Engine) {
    let home = copied(engine);
    assert_eq!(copies_while_opening(engine, home.path()), 1, "it was copied, nobody knows how");
    for _ in 0..3 {
        assert_eq!(copies_while_opening(engine, home.path()), 0);
    }
    // Any change that leaves the length: another hand, or an earlier version of the file.
    let log = log(engine, home.path());
    let bytes = fs::read(&log).unwrap();
    fs::write(&log, &bytes).unwrap();
    assert!(!look(engine, home.path()).unwrap().was_closed_in_order());
    assert_eq!(copies_while_opening(engine, home.path()), 1);

    let store = open(engine, home.path());
    store.write(batch(1, 1)).unwrap();
    store.sync().unwrap();
    fs::remove_file(home.path().join("closed")).unwrap_err();
    std::mem::forget(store);
    let killed = copied_to(home.path());
    assert_eq!(copies_while_opening(engine, killed.path()), 1, "it was not closed");
}

/// A file that the system removes with the process takes no room after a kill; a folder of such files has a name.
fn a_copy_of_a_killed_look_is_removed_by_the_next_and_one_that_is_in_use_is_not(engine: Engine) {
    let home = copied(engine);
    let temporary = std::env::temp_dir();
    let left = temporary.join(format!(".kms-store-copy-left-{}", home.path().file_name().unwrap().display()));
    fs::create_dir(&left).unwrap();
    fs::write(left.join("db"), "records").unwrap();
    let in_use = tempfile::Builder::new().prefix(".kms-store-copy-").tempdir_in(&temporary).unwrap();
    let lock = fs::File::open(in_use.path()).unwrap();
    lock.lock().unwrap();

    let store = look(engine, home.path()).unwrap();
    let second = look(engine, home.path()).unwrap();

    assert!(!left.exists() && in_use.path().exists());
    assert!(everything(&store) == *records() && everything(&second) == *records());
}

/// Two hundred answers were acknowledged after a data directory was gone, and any number after only its files were.
fn nothing_is_acknowledged_once_the_directory_or_what_is_in_it_is_gone_or_another(engine: Engine) {
    let cases =
        [("removed", "removed"), ("replaced", "replaced"), ("emptied", "removed"), ("a copy", "replaced")];
    for ((what, says), is_idle) in cases.into_iter().flat_map(|case| [(case, false), (case, true)]) {
        let home = tempfile::tempdir().unwrap();
        let (directory, aside) = (home.path().join("store"), home.path().join("aside"));
        let store = open(engine, &directory);
        store.write(batch(1, 1)).unwrap();
        store.sync().unwrap();
        fs::create_dir(&aside).unwrap();
        for entry in fs::read_dir(&directory).unwrap().map(Result::unwrap) {
            match what {
                "emptied" => fs::rename(entry.path(), aside.join(entry.file_name())).unwrap(),
                "a copy" if entry.path().is_file() => {
                    fs::copy(entry.path(), aside.join(entry.file_name())).unwrap();
                    fs::rename(aside.join(entry.file_name()), entry.path()).unwrap();
                }
                _ => {}
            }
        }
        if matches!(what, "removed" | "replaced") {
            fs::rename(&directory, &aside).unwrap();
        }
        if what == "replaced" {
            fs::create_dir(&directory).unwrap();
        }
        // An idle one left the note of an orderly end in the directory of somebody else.
        if is_idle {
            let before = directory.exists().then(|| tree(&directory));
            drop(store);
            assert!(directory.exists().then(|| tree(&directory)) == before, "{what}");
            continue;
        }
        store.write(batch(1, 2)).unwrap();
        let stopped = store.sync().unwrap_err();
        let cause = stopped.cause().to_string();
        assert!(cause.contains(&format!("was {says}")), "{what}: {cause}");
        store.sync().unwrap_err();
    }
}

/// A full disk or a kill while sled opens leaves one, and sled takes it for the newest. It made a ledger whose log was whole
/// "damaged" for ever.
#[test]
fn a_snapshot_that_is_not_finished_is_in_nobodys_way() {
    let home = copied(Engine::Sled);
    let unfinished = home.path().join("snap.00000000000FFFFF.generating");
    for bytes in [&b""[..], b"half a snapshot"] {
        fs::write(&unfinished, bytes).unwrap();
        assert!(everything(&open(Engine::Sled, home.path())) == *records());
        assert!(!unfinished.exists());
    }
}

/// Snapshots and settings are made anew from the log.
#[test]
fn a_damaged_snapshot_or_conf_does_not_keep_a_whole_log_from_opening() {
    for (name, bit) in [("snap", 77), ("conf", 3), ("snap", 4_000), ("conf", 100)] {
        for harm in [&(|it: &Path| on(name, flip(bit))(it)) as &dyn Fn(&Path), &|it| on(name, keeps(5))(it)] {
            let home = copied(Engine::Sled);
            harm(home.path());
            let before = tree(home.path());
            assert!(everything(&look(Engine::Sled, home.path()).unwrap()) == *records(), "{name}, bit {bit}");
            assert!(tree(home.path()) == before);
            assert!(everything(&open(Engine::Sled, home.path())) == *records(), "{name}, bit {bit}");
            assert!(everything(&open(Engine::Sled, home.path())) == *records(), "{name}, bit {bit}, again");
        }
    }
}
