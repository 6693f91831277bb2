//! Databases with nothing in them.

use std::io::Write as _;
use std::sync::LazyLock;

use kms_portal::battery::Opened;
use kms_portal::db::Db;
use world::Postgres;

/// One in a file of a temporary folder.
pub(crate) async fn sqlite() -> Option<Opened> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("portal.db");
    Db::create_sqlite(&file).unwrap();
    Some(Opened { db: Db::open_sqlite(&file).await.unwrap(), keeps: Box::new(folder) })
}

/// One on the server of this process.
pub(crate) async fn postgres() -> Option<Opened> {
    let url = SERVER.as_ref()?.database().unwrap();
    Some(Opened { db: Db::open_postgres(&url).await.unwrap(), keeps: Box::new(()) })
}

pub(crate) static SERVER: LazyLock<Option<Postgres>> = LazyLock::new(|| {
    let Some(missing) = Postgres::missing() else { return Some(Postgres::start(&[]).unwrap()) };
    not_run("the portal's database on PostgreSQL", &missing);
    None
});

/// Says what is not run and why, and fails where `CI` is set.
pub(crate) fn not_run(what: &str, missing: &str) {
    let told = format!("NOT RUN: {what}: {missing}\n");
    // Past the test harness, which would swallow it.
    std::io::stderr().write_all(told.as_bytes()).unwrap();
    assert!(std::env::var_os("CI").is_none_or(|ci| ci.is_empty()), "{told}");
}
