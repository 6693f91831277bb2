//! The portal's database: every story of the battery on SQLite and on a real PostgreSQL, and the chapters that only one of them has. And its
//! pages, on both.
//!
//! Without PostgreSQL its half says NOT RUN, and fails where `CI` is set.

#![expect(
    clippy::unwrap_used,
    reason = "a test that unwraps fails, and clippy knows only the functions marked as tests for tests"
)]

mod dev;
mod domains;
mod full;
mod killed;
mod large;
mod mail;
mod open;
mod random;
mod replicas;
mod web;
mod webhooks;

mod on_sqlite {
    kms_portal::battery!(crate::open::sqlite);
}

mod on_postgres {
    kms_portal::battery!(crate::open::postgres);
}

/// A story that nobody tells is none.
#[test]
fn the_battery_lists_every_story() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../kms-portal/src");
    let list = std::fs::read_to_string(root.join("battery.rs")).unwrap();
    let mut stories = 0;
    for file in std::fs::read_dir(root.join("battery")).unwrap() {
        let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
        for line in text.lines().filter(|line| line.ends_with("world: World) {")) {
            let name = line.split(['(', ' ']).nth(3).unwrap();
            assert!(list.lines().any(|line| line.trim().trim_end_matches(';') == name), "{line}");
            stories += 1;
        }
    }
    assert!(30 < stories, "only {stories} were found");
}
