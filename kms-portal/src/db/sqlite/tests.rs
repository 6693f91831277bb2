//! What only a database in one file can do, or meet.

use std::os::unix::fs::{FileExt as _, PermissionsExt as _};
use std::path::PathBuf;

use async_trait::async_trait;
use shared::ids::OrganisationId;
use shared::time::Timestamp;
use tempfile::TempDir;

use super::SqliteFile;
use crate::db::catalogue::SetOrganisation;
use crate::db::sql::Sql;
#[cfg(feature = "battery")]
use crate::db::sql::{SqlRow, Value};
use crate::db::work::Work;
use crate::db::{By, Db, DbError, Organisation};

/// Stands in the rows of changes, and nowhere else.
const WHO: &str = "zzyzx";

/// Statements, one after the other.
struct Raw(&'static [&'static str]);

#[async_trait]
impl Work for Raw {
    type Done = ();

    async fn run(&self, sql: &mut dyn Sql) -> Result<(), DbError> {
        for statement in self.0 {
            sql.run(statement, &[]).await?;
        }
        Ok(())
    }
}

async fn new() -> (TempDir, PathBuf, Db) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("portal.db");
    SqliteFile::create(&file).unwrap();
    let db = Db::open_sqlite(&file).await.unwrap();
    (folder, file, db)
}

fn organisation(number: u8) -> SetOrganisation {
    let organisation =
        Organisation { id: OrganisationId::from_bytes([number; 16]), name: format!("{number}") };
    let by = By { who: WHO.into(), at: Timestamp::from_unix_ms(0), why: String::new() };
    SetOrganisation { organisation, by }
}

/// Work that shares a commit would share a defect as well: one ask that meets one would take 127 others along.
#[tokio::test]
async fn one_that_fails_takes_no_other_along_and_leaves_nothing() {
    const HALF: &[&str] = &[
        "INSERT INTO organisations (id, name, added_at) VALUES (x'00', 'half', 0)",
        "INSERT INTO organisations (id, name, added_at) VALUES (x'01', NULL, 0)",
    ];
    let (_folder, _, db) = new().await;
    let all = (0..200_u8).map(|number| {
        let db = db.clone();
        tokio::spawn(async move {
            if number % 20 == 7 {
                let refused = db.write(Raw(HALF)).await;
                assert!(matches!(refused, Err(DbError::Refused { .. })), "{refused:?}");
            } else {
                db.write(organisation(number)).await.unwrap().unwrap();
            }
        })
    });
    for one in all.collect::<Vec<_>>() {
        one.await.unwrap();
    }
    let names: Vec<_> = db.organisations().await.unwrap().into_iter().map(|one| one.name).collect();
    assert_eq!(names.len(), 190);
    assert!(!names.contains(&"half".to_owned()));
}

#[tokio::test]
async fn a_full_disk_refuses_and_then_goes_on() {
    let (_folder, _, db) = new().await;
    db.write(organisation(1)).await.unwrap().unwrap();
    db.write(Raw(&["PRAGMA max_page_count = 1"])).await.unwrap();
    let mut number = 2;
    let full = loop {
        match db.write(organisation(number)).await {
            Ok(done) => done.unwrap(),
            Err(full) => break full,
        }
        number += 1;
    };
    assert!(matches!(full, DbError::Full { .. }) && !full.is_fatal(), "{full:?}");
    assert_eq!(db.organisations().await.unwrap().len(), usize::from(number) - 1, "and it can be read");
    db.write(Raw(&["PRAGMA max_page_count = 1000000"])).await.unwrap();
    db.write(organisation(number)).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_database_of_a_newer_release_is_left_alone() {
    let (_folder, file, db) = new().await;
    let newer = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
                 VALUES (99, 'later', 1, x'00', 0)";
    db.write(Raw(Vec::leak(vec![newer]))).await.unwrap();
    db.close().await;
    let refused = Db::open_sqlite(&file).await.err().unwrap();
    assert!(matches!(refused, DbError::Foreign { .. }), "{refused:?}");
    assert!(refused.remedy().contains("newer"));
}

#[tokio::test]
async fn what_is_no_database_is_named_and_none_is_made_in_passing() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("portal.db");
    let missing = Db::open_sqlite(&file).await.err().unwrap();
    assert!(matches!(missing, DbError::Fatal { .. }), "{missing:?}");
    assert!(!file.exists());
    std::fs::write(&file, "a letter to the landlord\n".repeat(500)).unwrap();
    let other = Db::open_sqlite(&file).await.err().unwrap();
    assert!(matches!(other, DbError::Foreign { .. }), "{other:?}");
    assert!(std::fs::read_to_string(&file).unwrap().starts_with("a letter"));
    assert_eq!(SqliteFile::create(&file).unwrap_err().kind(), std::io::ErrorKind::AlreadyExists);
}

#[tokio::test]
async fn only_its_owner_reads_it() {
    let (folder, _, db) = new().await;
    db.write(organisation(1)).await.unwrap().unwrap();
    let mut files = 0;
    for file in std::fs::read_dir(folder.path()).unwrap() {
        let mode = file.unwrap().metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        files += 1;
    }
    assert_eq!(files, 3, "the database, its log, and the index of that");
}

#[tokio::test]
async fn a_damaged_page_is_told_as_that() {
    let (folder, file, db) = new().await;
    for number in 0..200 {
        db.write(organisation(number)).await.unwrap().unwrap();
    }
    db.close().await;
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "the log is folded into the database");
    // Every page with a row of changes.
    let bytes = std::fs::read(&file).unwrap();
    let damaged = std::fs::OpenOptions::new().write(true).open(&file).unwrap();
    for (number, page) in (0..).zip(bytes.chunks(4096)) {
        if page.windows(WHO.len()).any(|window| window == WHO.as_bytes()) {
            damaged.write_all_at(&[0xff; 4096], number * 4096).unwrap();
        }
    }
    let db = Db::open_sqlite(&file).await.unwrap();
    let error = db.changes(None, 1000).await.err().unwrap();
    assert!(matches!(error, DbError::Damaged { .. }) && !error.is_fatal(), "{error:?}");
    assert_eq!(db.organisations().await.unwrap().len(), 200, "what does not need it is read");
}

/// A record that whoever may write in the database could alter unseen would be none.
#[tokio::test]
async fn changes_that_were_altered_afterwards_are_told_with_the_number_at_which_it_shows() {
    let check = async |altered: &'static [&'static str], told: Option<u64>| {
        let (_folder, _, db) = new().await;
        assert_eq!(db.verify_changes().await.unwrap().changes, 0);
        for number in 1..=4 {
            db.write(organisation(number)).await.unwrap().unwrap();
        }
        db.write(Raw(altered)).await.unwrap();
        let broken = db.verify_changes().await.unwrap().broken;
        assert_eq!(broken.as_ref().map(|(number, _)| *number), told, "{altered:?}: {broken:?}");
    };
    check(&[], None).await;
    for column in ["at = 7", "who = 'x'", "what = 'x'", "subject = 'x'", "why = 'x'"] {
        let edit: &'static str =
            Box::leak(format!("UPDATE changes SET {column} WHERE number = 2").into_boxed_str());
        check(Vec::leak(vec![edit]), Some(3)).await;
    }
    check(&["UPDATE changes SET previous = NULL WHERE number = 2"], Some(2)).await;
    check(&["DELETE FROM changes WHERE number = 2"], Some(3)).await;
    check(&["DELETE FROM changes WHERE number = 1"], Some(2)).await;
    check(&["DELETE FROM changes WHERE number = 4"], Some(3)).await;
    check(&["UPDATE changes SET who = 'x' WHERE number = 4"], Some(4)).await;
    check(&["DELETE FROM changes"], Some(1)).await;
    check(&["DELETE FROM changes", "UPDATE last_change SET number = 0, digest = NULL"], None).await;
    check(&["UPDATE last_change SET number = 0, digest = NULL"], Some(4)).await;
    check(&["UPDATE changes SET number = 5 WHERE number = 4"], Some(5)).await;
    check(
        &[
            "UPDATE changes SET number = 9 WHERE number = 2",
            "UPDATE changes SET number = 2 WHERE number = 3",
            "UPDATE changes SET number = 3 WHERE number = 9",
        ],
        Some(2),
    )
    .await;
}

/// Work that counts its statements.
#[cfg(feature = "battery")]
struct Counted<W>(W);

/// Where it counts them.
#[cfg(feature = "battery")]
struct Counting<'a> {
    sql: &'a mut dyn Sql,
    statements: usize,
}

#[cfg(feature = "battery")]
#[async_trait]
impl Sql for Counting<'_> {
    async fn rows(&mut self, statement: &'static str, values: &[Value<'_>]) -> Result<Vec<SqlRow>, DbError> {
        self.statements += 1;
        self.sql.rows(statement, values).await
    }

    async fn locked(
        &mut self,
        statement: &'static str,
        values: &[Value<'_>],
    ) -> Result<Vec<SqlRow>, DbError> {
        self.statements += 1;
        self.sql.locked(statement, values).await
    }

    async fn lock(&mut self, statement: &'static str, values: &[Value<'_>]) -> Result<(), DbError> {
        self.sql.lock(statement, values).await
    }

    async fn run(&mut self, statement: &'static str, values: &[Value<'_>]) -> Result<u64, DbError> {
        self.statements += 1;
        self.sql.run(statement, values).await
    }
}

#[cfg(feature = "battery")]
#[async_trait]
impl<W: Work> Work for Counted<W> {
    type Done = (W::Done, usize);

    async fn run(&self, sql: &mut dyn Sql) -> Result<Self::Done, DbError> {
        let mut counting = Counting { sql, statements: 0 };
        let done = self.0.run(&mut counting).await?;
        Ok((done, counting.statements))
    }
}

/// Each statement goes to the thread of its connection and back, which costs more than what most of them do.
#[cfg(feature = "battery")]
#[tokio::test]
async fn an_activation_takes_five_statements_and_one_that_is_repeated_three() {
    use crate::battery::{Opened, World};

    let (folder, _, db) = new().await;
    let world = World::new(Opened { db, keeps: Box::new(folder) }).await;
    let key = world.machine_key(5).await;
    let mut machine = world.machine();
    let count = async |machine: &_| {
        let (done, statements) = world.db.write(Counted(world.activation(&key, machine))).await.unwrap();
        assert!(done.is_ok());
        statements
    };
    assert_eq!(count(&machine).await, 5, "new");
    assert_eq!(count(&machine).await, 3, "again");
    machine.asked = world.asked();
    assert_eq!(count(&machine).await, 4, "its own");
}
