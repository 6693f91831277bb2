//! Certificates as an administrator lives with them: several for one product, and which of them is used.

use std::path::PathBuf;
use std::time::Duration;

use kms_host::home::{HOUR_MS, Home};
use kms_vendor::{Allow, Contract, IssueRequest, Signer};
use shared::time::Timestamp;
use world::Shop;
use world::shop::ORGANISATION;

use crate::commands::{Done, run_at};
use crate::settings::hang_up;
use crate::stage::{Stage, YEAR, an_hour_ago, now, outcomes, serve};

const DAY: Duration = Duration::from_hours(24);

/// Has a certificate issued for the host in this directory, without installing it.
fn issue(stage: &Stage, home: &Home, change: impl FnOnce(&mut IssueRequest<'_>)) -> PathBuf {
    issue_by(&stage.shop, stage, home, change)
}

fn issue_by(shop: &Shop, stage: &Stage, home: &Home, change: impl FnOnce(&mut IssueRequest<'_>)) -> PathBuf {
    let request_pem = std::fs::read_to_string(home.request_path()).unwrap();
    let mut request = IssueRequest {
        request_pem: &request_pem,
        product: &shop.product().name,
        organisation: ORGANISATION,
        allow: Allow::default(),
        not_before: an_hour_ago(),
        valid_for: YEAR,
        signer: Signer::Root1,
        test: false,
        now: now(),
        contract: Contract::default(),
    };
    change(&mut request);
    let issued = shop.vendor().issue(&request, &mut rand::rng()).unwrap();
    let path = stage.folder.path().join(format!("{}.pem", issued.certificate.id));
    std::fs::write(&path, &issued.pem).unwrap();
    path
}

async fn install(home: &Home, file: &std::path::Path) -> Done {
    run_at(home, &["install-certificate", &file.display().to_string()]).await
}

/// Only the later start counted once, so a short certificate that had ended kept a whole year's from being used.
#[tokio::test]
async fn a_certificate_that_has_ended_hides_none_that_is_valid() {
    let stage = Stage::with_threshold(1);
    let home = stage.shop.make_host("host", now() - 30 * DAY).unwrap();
    stage.shop.certify(&home, ORGANISATION, now() - 3 * DAY, 2 * DAY).unwrap();

    let host = serve(&home).await;

    let machine = stage.machine("machine", &[host.address()]);
    assert_eq!(outcomes(&machine.activate().await.unwrap()), ["LEASE"]);
    for command in ["status", "doctor"] {
        let said = run_at(&home, &[command]).await.stdout;
        assert!(said.contains("it has ended at"), "{command} says why the later one is not used: {said}");
    }
    let log = crate::settings::log_of(&host);
    assert!(log.contains("this certificate is used") && log.contains("why=it has ended at"), "{log}");
    // The next renewal is issued, and then nobody wonders about the one that has ended.
    install(&home, &issue(&stage, &home, |_| ())).await;
    hang_up(&host).await;
    let said = run_at(&home, &["status"]).await.stdout;
    assert!(!said.contains("it has ended at"), "{said}");
}

/// "Installed", and never used: the older one began later, because whoever issued it had named a start.
#[tokio::test]
async fn the_certificate_that_was_issued_last_is_used() {
    let stage = Stage::with_threshold(1);
    let home = stage.shop.make_bare_host("host", HOUR_MS).unwrap();
    let issued_at = |ago: Duration| move |request: &mut IssueRequest<'_>| request.now = now() - ago;
    let first = issue(&stage, &home, |request| {
        request.not_before = now();
        request.now = now() - 3 * DAY;
    });
    let second = issue(&stage, &home, issued_at(2 * DAY));
    let next_year = issue(&stage, &home, |request| {
        request.not_before = now() + 300 * DAY;
        request.now = now() - DAY;
    });

    let said = install(&home, &first).await.stdout;
    assert!(said.contains("used          yes"), "{said}");
    let said = install(&home, &second).await.stdout;
    assert!(said.contains("used          yes"), "{said}");
    let said = install(&home, &first).await.stdout;
    assert!(said.contains("NOT NOW") && said.contains("another one"), "an older one put in again: {said}");
    let said = install(&home, &next_year).await.stdout;
    assert!(said.contains("NOT NOW") && said.contains("it begins only at"), "{said}");

    let host = serve(&home).await;
    let used = host.status().await.unwrap().products[0].clone();
    let name = second.file_stem().unwrap().to_str().unwrap();
    assert_eq!(data_encoding::HEXLOWER.encode(&used.certificate), name);
    let why: Vec<_> = used.unused.iter().map(|one| one.why.as_str()).collect();
    assert!(why.len() == 2 && why.iter().any(|why| why.contains("it was issued at")), "{why:?}");
    let listed = run_at(&home, &["certificates"]).await.stdout;
    assert!(listed.contains("in use, for") && listed.contains("not in use: it was issued at"), "{listed}");
}

/// A host of an earlier release has certificates that do not say when they were issued; their start stands for it.
#[tokio::test]
async fn a_renewal_takes_over_at_once_where_nothing_else_is_said() {
    let stage = Stage::with_threshold(1);
    let home = stage.shop.make_host("host", now() - 300 * DAY).unwrap();
    let host = serve(&home).await;
    let before = host.status().await.unwrap().products[0].certificate.clone();
    install(&home, &issue(&stage, &home, |_| ())).await;
    let said = hang_up(&host).await;
    assert!(said.contains("a certificate is new") && said.contains("this certificate is used"), "{said}");
    let after = host.status().await.unwrap().products[0].clone();
    assert_ne!(after.certificate, before);
    assert!(Timestamp::from_unix_ms(after.not_after) > now() + 300 * DAY);
}

/// A mail adds text, an editor a byte order mark, a reply quotation marks: the vendor's file was "no PEM file" then.
#[tokio::test]
async fn what_mail_does_to_a_certificate_or_a_key_is_undone() {
    let stage = Stage::with_threshold(1);
    let home = stage.shop.make_bare_host("host", HOUR_MS).unwrap();
    let other = stage.shop.make_host("other", an_hour_ago()).unwrap();
    let others = std::fs::read_to_string(other.path().with_extension("certificate.pem")).unwrap();
    let each = |text: &str, line: &dyn Fn(&str) -> String| text.lines().map(line).collect::<String>();
    let mails: [&dyn Fn(&str) -> String; 5] = [
        &|text| format!("Dear Sir,\n{text}\n-- \nKind regards\nSales\n"),
        &|text| format!("\u{FEFF}{}", each(text, &|line| format!("> {line}  \r\n"))),
        &|text| each(text, &|line| format!("{line} ")),
        &|text| format!("{}{text}", each(text, &|line| format!("> {line}\n"))),
        &|text| format!("{others}\n{text}"),
    ];
    for (number, mail) in (0..).zip(mails) {
        let file = issue(&stage, &home, |_| ());
        let text = std::fs::read_to_string(&file).unwrap();
        std::fs::write(&file, mail(&text)).unwrap();
        let done = install(&home, &file).await;
        assert_eq!(done.code, 0, "{number}: {}", done.stderr);
        let kept = home.path().join("certificates").join(file.file_name().unwrap());
        assert_eq!(std::fs::read_to_string(kept).unwrap(), text, "{number}: kept as the vendor wrote it");
    }
    // Two in one mail are two.
    let (one, two) = (issue(&stage, &home, |_| ()), issue(&stage, &home, |_| ()));
    let both = std::fs::read_to_string(&one).unwrap() + &std::fs::read_to_string(&two).unwrap();
    std::fs::write(&one, both).unwrap();
    let done = install(&home, &one).await;
    assert_eq!(done.stdout.matches("Installed certificate").count(), 2, "{} {}", done.stdout, done.stderr);

    // Somebody pastes the key, and loses its line breaks.
    let key = home.path().join("signing.key");
    let pasted = each(&std::fs::read_to_string(&key).unwrap(), &|line| line.to_owned());
    std::fs::write(&key, pasted).unwrap();
    let host = serve(&home).await;
    assert_eq!(outcomes(&stage.machine("machine", &[host.address()]).activate().await.unwrap()), ["LEASE"]);
}

/// Another organisation, by a vendor who did not notice: a folder's copy of the directory has never heard of the first name.
fn issue_for_another(stage: &Stage, home: &Home, change: impl FnOnce(&mut IssueRequest<'_>)) -> PathBuf {
    let dir = stage.folder.path().join("vendor");
    for file in ["organisations.toml", "issued.jsonl"] {
        std::fs::rename(dir.join(file), dir.join(format!("{file}.aside"))).unwrap();
    }
    let path = issue(stage, home, |request| {
        request.organisation = "Example works";
        change(request);
    });
    for file in ["organisations.toml", "issued.jsonl"] {
        std::fs::rename(dir.join(format!("{file}.aside")), dir.join(file)).unwrap();
    }
    path
}

/// A renewal under another spelling of the organisation cut off a whole fleet, while the host showed nothing.
#[tokio::test]
async fn a_certificate_of_another_organisation_is_refused_unless_it_is_meant() {
    let stage = Stage::with_threshold(1);
    let host = stage.host("host").await;
    let home = Home::at(host.home().path());
    let machine = stage.machine("machine", &[host.address()]);
    assert_eq!(outcomes(&machine.activate().await.unwrap()), ["LEASE"]);
    let renewal = issue_for_another(&stage, &home, |_| ());

    let done = install(&home, &renewal).await;
    assert_eq!(done.code, 65, "{}", done.stdout);
    for told in ["another one", "\"Example Works\"", "\"Example works\"", "--new-organisation"] {
        assert!(done.stderr.contains(told), "no {told}: {}", done.stderr);
    }
    hang_up(&host).await;
    assert_eq!(outcomes(&machine.activate().await.unwrap()), ["LEASE"], "nothing has changed");

    // By hand, beside the other: it is passed over, and told everywhere.
    let by_hand = home.path().join("certificates/by-hand.pem");
    std::fs::copy(&renewal, &by_hand).unwrap();
    let said = hang_up(&host).await;
    assert!(said.contains("this certificate is not used") && said.contains("another one"), "{said}");
    assert_eq!(outcomes(&machine.activate().await.unwrap()), ["LEASE"]);
    let status = run_at(&home, &["status"]).await.stdout;
    assert!(status.contains("ALARM      CERTIFICATE_DIFFERS") && status.contains("organisation"), "{status}");
    let doctor = run_at(&home, &["doctor"]).await.stdout;
    let warns = |line: &str| line.contains("warn") && line.contains("organisation");
    assert!(doctor.lines().any(warns), "{doctor}");

    // By hand, in its place: the running host keeps what it has.
    let own = std::fs::read_dir(home.path().join("certificates")).unwrap().map(|entry| entry.unwrap().path());
    let own = own.into_iter().find(|path| *path != by_hand).unwrap();
    std::fs::rename(&own, stage.folder.path().join("own.pem")).unwrap();
    let said = hang_up(&host).await;
    assert!(said.contains("nothing is changed") && said.contains("--new-organisation"), "{said}");
    assert_eq!(outcomes(&machine.activate().await.unwrap()), ["LEASE"]);

    // It is meant: the remedy that was printed works, and the host says whom it serves.
    std::fs::rename(stage.folder.path().join("own.pem"), &own).unwrap();
    std::fs::remove_file(&by_hand).unwrap();
    let file = renewal.display().to_string();
    let done = run_at(&home, &["install-certificate", &file, "--new-organisation"]).await;
    assert!(
        done.code == 0 && done.stdout.contains("`kms-client organisation clear`"),
        "{} {}",
        done.stdout,
        done.stderr
    );
    let said = hang_up(&host).await;
    assert!(said.contains("were read again"), "{said}");
    assert_eq!(host.status().await.unwrap().products[0].organisation, "Example works");
    assert_eq!(outcomes(&machine.activate().await.unwrap()), ["OTHER_ORGANISATION"]);

    // Machines say what they did not take with their next ask, so the host knows, and no longer once they take it.
    assert_eq!(outcomes(&machine.activate().await.unwrap()), ["OTHER_ORGANISATION"]);
    let alarms = host.status().await.unwrap().alarms;
    let alarm = alarms.iter().find(|alarm| alarm.code == "ANSWERS_REJECTED").expect("it stands");
    assert!(alarm.text.contains("1 machine") && alarm.text.contains("OTHER_ORGANISATION"), "{}", alarm.text);
    assert!(alarm.remedy.contains("organisation clear"), "{}", alarm.remedy);
    assert!(crate::settings::log_of(&host).contains("a machine does not take this host's answers"));
    let doctor = run_at(&home, &["doctor"]).await.stdout;
    assert!(doctor.contains("ANSWERS_REJECTED"), "{doctor}");

    // Either remedy works: the replaced certificate is put back, or the new organisation is meant.
    assert!(alarm.remedy.contains("--new-organisation"), "{}", alarm.remedy);
    let replaced =
        std::fs::read_dir(home.path().join("certificates/replaced")).unwrap().next().unwrap().unwrap();
    for (file, outcome) in [(&replaced.path(), "LEASE"), (&renewal, "OTHER_ORGANISATION")] {
        let file = file.display().to_string();
        let done = run_at(&home, &["install-certificate", &file, "--new-organisation"]).await;
        assert_eq!(done.code, 0, "{}", done.stderr);
        hang_up(&host).await;
        assert_eq!(outcomes(&machine.activate().await.unwrap()), [outcome]);
    }
    machine.organisation_clear().await.unwrap();
    for _ in 0..2 {
        assert_eq!(outcomes(&machine.activate().await.unwrap()), ["LEASE"]);
    }
    assert!(host.status().await.unwrap().alarms.iter().all(|alarm| alarm.code != "ANSWERS_REJECTED"));
}

/// A certificate of another vendor's, who says to be ours.
fn forge(stage: &Stage, home: &Home) -> (Shop, PathBuf) {
    let forger = stage.shop.forge(&crate::stage::folder(stage, "forger")).unwrap();
    std::fs::copy(
        stage.folder.path().join("vendor/organisations.toml"),
        forger.vendor().dir().join("organisations.toml"),
    )
    .unwrap();
    let path = issue_by(&forger, stage, home, |_| ());
    (forger, path)
}

/// Whoever mails a certificate can put their own roots into the file: they would decide which leases of siblings count.
#[tokio::test]
async fn roots_that_came_in_the_same_file_are_not_believed_for_a_product_that_is_installed() {
    let stage = Stage::with_threshold(1);
    let home = stage.shop.make_host("host", an_hour_ago()).unwrap();
    let (forger, file) = forge(&stage, &home);

    let done = install(&home, &file).await;
    assert_eq!(done.code, 65, "{}", done.stdout);
    for digest in stage.shop.vendor().root_digests().iter().chain(&forger.vendor().root_digests()) {
        assert!(done.stderr.contains(digest), "no {digest} to compare: {}", done.stderr);
    }
    assert!(done.stderr.contains("--new-vendor"), "{}", done.stderr);
    std::fs::copy(&file, home.path().join("certificates/by-hand.pem")).unwrap();
    let host = serve(&home).await;
    let machine = stage.machine("machine", &[host.address()]);
    assert_eq!(outcomes(&machine.activate().await.unwrap()), ["LEASE"], "it is passed over");
    std::fs::remove_file(home.path().join("certificates/by-hand.pem")).unwrap();

    let done = run_at(&home, &["install-certificate", &file.display().to_string(), "--new-vendor"]).await;
    assert_eq!(done.code, 0, "{}", done.stderr);
    hang_up(&host).await;
    let used = host.status().await.unwrap().products[0].certificate.clone();
    let name = file.file_stem().unwrap().to_str().unwrap();
    assert_eq!(data_encoding::HEXLOWER.encode(&used), name, "and used where it is meant");
}

#[tokio::test]
async fn a_certificate_that_is_marked_as_test_replaces_no_other_unless_it_is_meant() {
    let stage = Stage::with_threshold(1);
    let home = stage.shop.make_host("host", an_hour_ago()).unwrap();
    let test = issue(&stage, &home, |request| request.test = true);
    let done = install(&home, &test).await;
    assert!(done.code == 65 && done.stderr.contains("another one"), "{}", done.stderr);
    std::fs::copy(&test, home.path().join("certificates/by-hand.pem")).unwrap();
    let host = serve(&home).await;
    assert!(!host.status().await.unwrap().products[0].test);
    std::fs::remove_file(home.path().join("certificates/by-hand.pem")).unwrap();
    let done = run_at(&home, &["install-certificate", &test.display().to_string(), "--test"]).await;
    assert_eq!(done.code, 0, "{}", done.stderr);
    hang_up(&host).await;
    assert!(host.status().await.unwrap().products[0].test);
    // And back: one that is not marked needs no word.
    let done = install(&home, &issue(&stage, &home, |_| ())).await;
    assert_eq!(done.code, 0, "{}", done.stderr);
    hang_up(&host).await;
    assert!(!host.status().await.unwrap().products[0].test);
}

/// The certificates of a host that has served one, and what is put in its place by hand.
struct ByHand {
    stage: Stage,
    home: Home,
    /// The one that it has served.
    own: PathBuf,
    renewal: PathBuf,
    another: PathBuf,
    forged: PathBuf,
    test: PathBuf,
}

impl ByHand {
    fn new() -> ByHand {
        let stage = Stage::with_threshold(1);
        let home = stage.shop.make_host("host", an_hour_ago()).unwrap();
        let own = std::fs::read_dir(home.path().join("certificates")).unwrap().next().unwrap().unwrap();
        let renewal = issue(&stage, &home, |_| ());
        let another = issue_for_another(&stage, &home, |_| ());
        let test = issue(&stage, &home, |request| request.test = true);
        let (_, forged) = forge(&stage, &home);
        ByHand { own: own.path(), stage, home, renewal, another, forged, test }
    }

    fn put(&self, file: &std::path::Path) {
        std::fs::copy(file, self.home.path().join("certificates/by-hand.pem")).unwrap();
    }

    fn put_in_its_place(&self, file: &std::path::Path) {
        std::fs::remove_file(&self.own).unwrap();
        self.put(file);
    }

    fn known(&self) -> PathBuf {
        let known = std::fs::read_dir(self.home.path().join("known")).unwrap().next().unwrap().unwrap();
        known.path()
    }
}

/// What is done by hand.
type Act = fn(&ByHand);

/// What a running host makes of a reload, what `doctor` finds before a restart, what a machine is told after it, the alarms then.
struct Expected {
    reload: &'static str,
    doctor: &'static str,
    machine: &'static str,
    alarms: &'static [&'static str],
}

/// A certificate of another organisation was put into the place of the old one by hand, and the host was started again: it served
/// that one, every machine refused it, and the host learnt of it hours later. What machines know is now kept across a restart.
#[tokio::test]
async fn what_is_done_to_certificates_by_hand_is_told_before_machines_find_out() {
    let passed_over = Expected {
        reload: "nothing is changed",
        doctor: "a reload refuses it",
        machine: "PRODUCT_UNKNOWN",
        alarms: &["CERTIFICATE_DIFFERS"],
    };
    let beside = |alarms| Expected { reload: "were read again", doctor: "is used", machine: "LEASE", alarms };
    let cases: [(&str, Act, &Expected); 8] = [
        ("another organisation", |hand| hand.put_in_its_place(&hand.another), &passed_over),
        ("another vendor", |hand| hand.put_in_its_place(&hand.forged), &passed_over),
        ("for tests", |hand| hand.put_in_its_place(&hand.test), &passed_over),
        (
            "another organisation in a new folder",
            |hand| {
                let folder = hand.home.path().join("certificates");
                std::fs::rename(&folder, folder.with_extension("old")).unwrap();
                std::fs::create_dir(&folder).unwrap();
                hand.put(&hand.another);
            },
            &passed_over,
        ),
        ("another organisation beside it", |hand| hand.put(&hand.another), &beside(&["CERTIFICATE_DIFFERS"])),
        ("a renewal", |hand| hand.put_in_its_place(&hand.renewal), &beside(&[])),
        (
            "the note damaged",
            |hand| std::fs::write(hand.known(), "nothing of use").unwrap(),
            &beside(&["CERTIFICATE_UNUSABLE"]),
        ),
        (
            "the host of an earlier release",
            |hand| std::fs::remove_dir_all(hand.home.path().join("known")).unwrap(),
            &beside(&[]),
        ),
    ];
    for (name, act, expected) in cases {
        let hand = ByHand::new();
        let home = &hand.home;
        let host = serve(home).await;
        act(&hand);

        let said = hang_up(&host).await;
        assert!(said.contains(expected.reload), "{name}: {said}");
        let doctor = run_at(home, &["doctor"]).await.stdout;
        assert!(
            doctor.contains(expected.doctor) && !doctor.contains("organisation clear` on"),
            "{name}: {doctor}"
        );
        let machine = hand.stage.machine("machine", &[host.address()]);
        assert_eq!(outcomes(&machine.activate().await.unwrap()), ["LEASE"], "{name}: until a restart");
        drop(machine);
        host.stop().await.unwrap();

        let host = serve(home).await;
        let machine = hand.stage.machine("machine", &[host.address()]);
        assert_eq!(outcomes(&machine.activate().await.unwrap()), [expected.machine], "{name}");
        let alarms = host.status().await.unwrap().alarms;
        let codes: Vec<_> = alarms.iter().map(|alarm| alarm.code.as_str()).collect();
        assert_eq!(codes, expected.alarms, "{name}");
        let status = run_at(home, &["status"]).await.stdout;
        assert_eq!(status.contains("not used "), codes.contains(&"CERTIFICATE_DIFFERS"), "{name}: {status}");
        let doctor = run_at(home, &["doctor"]).await;
        assert_eq!(doctor.code == 0, expected.machine == "LEASE", "{name}: {}", doctor.stdout);
        host.stop().await.unwrap();
    }
}

/// The remedies that alarms and `doctor` print, followed.
#[tokio::test]
async fn a_certificate_put_in_by_hand_is_made_good_by_either_remedy() {
    for (is_meant, option) in [(false, None), (true, Some("--new-organisation"))] {
        let hand = ByHand::new();
        let home = &hand.home;
        serve(home).await.stop().await.unwrap();
        hand.put_in_its_place(&hand.another);
        let host = serve(home).await;
        let file = if is_meant { &hand.another } else { &hand.renewal }.display().to_string();

        let done = run_at(home, &[&["install-certificate", &file][..], option.as_slice()].concat()).await;
        assert!(
            done.code == 0 && done.stdout.contains("used          yes"),
            "{} {}",
            done.stdout,
            done.stderr
        );
        assert_eq!(done.stdout.contains("`kms-client organisation clear`"), is_meant, "{}", done.stdout);
        assert_eq!(done.stdout.contains("moved aside"), !is_meant, "{}", done.stdout);
        let said = hang_up(&host).await;
        assert!(said.contains("a certificate is new"), "{said}");

        let status = host.status().await.unwrap();
        assert_eq!(status.products[0].organisation, if is_meant { "Example works" } else { ORGANISATION });
        assert!(status.alarms.is_empty(), "{:?}", status.alarms);
        // So it stays, through a restart and on another disk.
        host.stop().await.unwrap();
        let backup = hand.stage.folder.path().join("backup").display().to_string();
        assert_eq!(run_at(home, &["backup", &backup]).await.code, 0);
        let moved = Home::at(hand.stage.folder.path().join("moved"));
        let restored = run_at(&moved, &["restore", &backup]).await;
        assert_eq!(restored.code, 0, "{}", restored.stderr);
        for home in [home, &moved] {
            let host = serve(home).await;
            assert!(host.status().await.unwrap().alarms.is_empty());
            let home = host.stop().await.unwrap();
            let other = if is_meant { &hand.renewal } else { &hand.another };
            let done = install(&home, other).await;
            assert!(done.code == 65 && done.stderr.contains("--new-organisation"), "{}", done.stderr);
        }
    }
}

/// Installed, and told that another one is used where none was, or that one issued at the same second was issued later.
#[tokio::test]
async fn install_says_what_is_so_of_one_that_is_not_used() {
    let stage = Stage::with_threshold(1);
    let home = stage.shop.make_bare_host("host", HOUR_MS).unwrap();
    let ended = issue(&stage, &home, |request| {
        (request.not_before, request.valid_for, request.now) = (now() - 3 * DAY, DAY, now() - 3 * DAY);
    });
    let done = install(&home, &ended).await;
    assert!(done.code == 65 && done.stderr.contains("it has ended at"), "{} {}", done.stdout, done.stderr);
    assert!(done.stderr.contains("ask the vendor for another one, or set the clock"), "{}", done.stderr);

    let later = issue(&stage, &home, |request| request.not_before = now() + DAY);
    let said = install(&home, &later).await.stdout;
    assert!(said.contains("NOT NOW: ") && !said.contains("another"), "{said}");

    let issued_at = an_hour_ago();
    let mut same = [(); 2]
        .map(|()| issue(&stage, &home, |request| (request.now, request.not_before) = (issued_at, issued_at)));
    same.sort();
    let said = install(&home, &same[1]).await.stdout;
    assert!(said.contains("used          yes"), "{said}");
    let said = install(&home, &same[0]).await.stdout;
    assert!(said.contains("as was another one") && !said.contains("later"), "{said}");

    let another = issue_for_another(&stage, &home, |request| request.not_before = now() + DAY);
    let done =
        run_at(&home, &["install-certificate", &another.display().to_string(), "--new-organisation"]).await;
    assert!(done.code == 65 && done.stderr.contains("install it on that day"), "{}", done.stderr);
}
