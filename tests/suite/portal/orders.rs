//! What a back office does: orders, lists for customers, and requests that came as files.

use std::fs;

use prost::Message as _;
use proto::vendor::v1::SignedConfirmation;
use shared::certificate::Roots;
use shared::confirmation::Confirmation;
use shared::files::{CONFIRMATION, HOST_ACTIVATION, MACHINE_ACTIVATION, all_from_pem, to_pem};

use super::stage::{Asking, PortalStage, text};

/// The answer to an order can be lost, and the portal keeps no key: issuing again would leave keys that nobody knows.
#[tokio::test]
async fn an_order_whose_answer_was_lost_names_its_keys_and_issues_no_more() {
    let portal = PortalStage::open("").await;
    let issue = ["key", "issue", "--product", "Atlas", "--kind", "host", "--organisation", "Example Works"];
    let order = [&issue[..], &["--csv", "3", "--order", "4711"]].concat();
    let issued = portal.does(&order).await;
    assert_eq!(issued.lines().count(), 4, "{issued}");
    let mut numbers: Vec<_> = issued.lines().skip(1).map(|row| row.split(',').next().unwrap()).collect();

    let again = portal.run(&order).await;
    assert_eq!((again.code, again.stdout.as_str()), (65, ""), "{}", again.stderr);
    assert!(numbers.iter().all(|number| again.stderr.contains(number)), "{}", again.stderr);
    let listed = portal.json(&["key", "list", "--order", "4711"]).await;
    let listed: Vec<_> =
        listed.as_array().unwrap().iter().map(|key| key["number"].as_str().unwrap()).collect();
    numbers.sort_unstable();
    assert_eq!(listed, numbers);
    portal.does(&[&issue[..], &["--order", "4712"]].concat()).await;
    assert_eq!(portal.json(&["key", "list"]).await.as_array().unwrap().len(), 4);

    // Somebody uses the name twice. It was said to have been answered, by the keys of another customer.
    let other = ["key", "issue", "--product", "Atlas", "--kind", "mak", "--machines", "9"];
    let other = [&other[..], &["--organisation", "Other Ltd", "--seats", "9", "--order", "4711"]].concat();
    let refused = portal.run(&other).await;
    let differs = "organisation Example Works and not Other Ltd, kind host and not multiple-activation, number of keys 3 and not 1, \
                   machines 0 and not 9, hosts 6 and not 0, activations 10 and not 0, releases 0 and not 5, seats 0 and not 9;";
    assert!(refused.code == 65 && refused.stderr.contains(differs), "{}", refused.stderr);
    assert!(numbers.iter().all(|number| !refused.stderr.contains(number)), "{}", refused.stderr);
    let known = portal.does(&["organisation", "list"]).await;
    assert!(!known.contains("Other Ltd"), "{known}");
    for odd in ["", " 4713", "47\n13", &"4".repeat(501)] {
        let refused = portal.run(&[&issue[..], &["--order", odd]].concat()).await;
        assert_eq!(refused.code, 64, "{odd:?}: {}", refused.stderr);
    }
    assert_eq!(portal.json(&["key", "list"]).await.as_array().unwrap().len(), 4);
}

#[tokio::test]
async fn an_export_says_what_was_sold_and_used_and_no_spreadsheet_runs_it() {
    let portal = PortalStage::open("").await;
    let key = portal.key(&["--kind", "mak", "--machines", "2", "--note", "=1+1, \"x\""]).await;
    let machine = Asking::new(portal.product());
    portal.confirm(machine.for_confirmation(&key)).await.unwrap();
    let other = ["key", "issue", "--product", "Atlas", "--kind", "host", "--organisation", "@Other"];
    portal.does(&other).await;

    let all = portal.does(&["key", "export"]).await;
    assert_eq!(all.lines().count(), 3, "{all}");
    assert!(all.contains(",'@Other,") && all.contains(",\"'=1+1, \"\"x\"\"\""), "{all}");
    assert!(!all.contains(&key.to_string()));
    let ours = portal.does(&["key", "export", "--organisation", "Example Works"]).await;
    let row: Vec<_> = ours.lines().nth(1).unwrap().split(',').collect();
    assert_eq!((ours.lines().count(), row[0], &row[5..7]), (2, &*key.number().to_string(), &["2", "1"][..]));
    let machines = portal.does(&["key", "export", "--machines", "--organisation", "Example Works"]).await;
    let row: Vec<_> = machines.lines().nth(1).unwrap().split(',').collect();
    let id = machine.identity.public().machine().to_string();
    assert_eq!((machines.lines().count(), row[3], row[4]), (2, "machine", &*id));
}

#[tokio::test]
async fn machines_of_a_closed_network_are_answered_by_one_file_and_each_refusal_is_named() {
    let portal = PortalStage::open("").await;
    let key = portal.key(&["--kind", "mak", "--machines", "2"]).await;
    let blocked = portal.key(&["--kind", "mak", "--machines", "2"]).await;
    portal.does(&["key", "block", &blocked.number().to_string()]).await;
    let machines: Vec<_> = (0..4).map(|_| Asking::new(portal.product())).collect();
    let keys = [&key, &blocked, &key, &key];
    let asks = machines
        .iter()
        .zip(keys)
        .map(|(machine, key)| to_pem(MACHINE_ACTIVATION, &machine.for_confirmation(key).encode_to_vec()));
    let [file, answer] = ["machines.pem", "answer.pem"].map(|name| portal.stage.folder.path().join(name));
    fs::write(&file, asks.collect::<String>()).unwrap();

    let arguments = ["answer", text(&file), "--out", text(&answer)];
    let done = portal.run(&arguments).await;
    let id = |index: usize| machines[index].identity.public().machine().to_string();
    let lines: Vec<_> = done.stdout.lines().collect();
    assert_eq!(lines[0], format!("{}: confirmed, 1 of 2 machines of key {}", id(0), key.number()));
    assert!(lines[1].starts_with(&id(1)) && lines[1].contains("KEY_BLOCKED"), "{}", done.stdout);
    assert!(lines[3].starts_with(&id(3)) && lines[3].contains("KEY_EXHAUSTED"), "{}", done.stdout);
    assert!(done.code == 65 && done.stderr.contains("2 of 4 machines"), "{}", done.stderr);
    let written = fs::read(&answer).unwrap();
    assert!(all_from_pem(MACHINE_ACTIVATION, &written).unwrap().is_empty(), "no key goes back");
    let roots = portal.stage.shop.vendor().roots();
    let roots = Roots::new(roots.iter().map(<[u8; 32]>::as_slice)).unwrap();
    let confirmed = all_from_pem(CONFIRMATION, &written).unwrap();
    let confirmed = confirmed.iter().map(|body| {
        let signed = SignedConfirmation::decode(body.as_slice()).unwrap();
        Confirmation::open(&signed, &roots).unwrap().machine.to_string()
    });
    assert_eq!(confirmed.collect::<Vec<_>>(), [id(0), id(2)]);

    let arguments = [&arguments[..], &["--force"]].concat();
    portal.run(&arguments).await;
    assert_eq!(fs::read(&answer).unwrap(), written, "the same file gets the same bytes");

    // For one damaged block, nobody got an answer.
    let whole = fs::read_to_string(&file).unwrap();
    let inside = whole.match_indices("-----BEGIN").nth(1).unwrap().0 + 60;
    fs::write(&file, format!("{}{}", &whole[..inside], &whole[inside + 10..])).unwrap();
    let damaged = portal.run(&arguments).await;
    assert!(damaged.stderr.contains("block 2 of the file cannot be used"), "{}", damaged.stderr);
    assert!(damaged.code == 65 && damaged.stderr.contains("2 of 4 machines"), "{}", damaged.stderr);
    assert_eq!(fs::read(&answer).unwrap(), written);

    // A machine that has asked again since is no thief who sends recorded asks.
    portal.confirm(machines[0].for_confirmation(&key)).await.unwrap();
    fs::write(&file, &whole).unwrap();
    let superseded = portal.run(&arguments).await.stdout;
    assert!(
        superseded.contains("has answered a later request") && superseded.contains("REPLAYED"),
        "{superseded}"
    );
    fs::write(&file, to_pem(HOST_ACTIVATION, &[1]) + &fs::read_to_string(&file).unwrap()).unwrap();
    let mixed = portal.run(&arguments).await;
    assert!(mixed.code == 65 && mixed.stderr.contains("two files"), "{}", mixed.stderr);
    fs::write(&file, "Kind regards").unwrap();
    let empty = portal.run(&arguments).await;
    assert!(empty.code == 65 && empty.stderr.contains(MACHINE_ACTIVATION), "{}", empty.stderr);
}
