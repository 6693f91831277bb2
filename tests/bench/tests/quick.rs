//! The benchmark runs and tells its table. How fast anything is, no test asserts.

use std::process::Command;

const ROWS: [&str; 8] = [
    "bare echo",
    "signed echo",
    "on log, new",
    "on log, renewal",
    "on sled, new",
    "on sled, renewal",
    "on fjall, new",
    "on fjall, renewal",
];

#[test]
fn a_quick_run_prints_every_row_and_every_check_holds() {
    let data = tempfile::tempdir().unwrap();

    let output = Command::new(env!("CARGO_BIN_EXE_kms-bench"))
        .arg("--quick")
        .arg("--data")
        .arg(data.path())
        .output()
        .unwrap();

    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    let tables: Vec<&str> = text.split("16 in flight, ").collect();
    let [_, kept, fresh] = tables[..] else { panic!("two tables are to be in\n{text}") };
    assert!(kept.starts_with("over kept") && fresh.starts_with("a fresh connection"), "{text}");
    for (table, row) in [kept, fresh].into_iter().flat_map(|table| ROWS.map(|row| (table, row))) {
        let line = table.lines().find(|line| line.trim_start().starts_with(row)).unwrap_or_default();
        let figures = line.split_ascii_whitespace().filter(|word| word.parse::<f64>().is_ok()).count();
        assert!(9 <= figures, "the row of {row} is {line:?} in\n{text}");
    }
    for step in ["verify the ask", "decide, write and sync on fjall, in batches of 10", "sign it"] {
        assert!(text.contains(step), "{step} is missing in\n{text}");
    }
    assert!(text.contains("opened again (the log: looked at again), have all"), "{text}");
    assert_eq!(data.path().read_dir().unwrap().count(), 0, "it has left something behind");
}

#[test]
fn hosts_of_two_sizes_are_filled_started_and_measured_on_each_engine() {
    for engine in ["sled", "fjall"] {
        let data = tempfile::tempdir().unwrap();
        let output = Command::new(env!("CARGO_BIN_EXE_kms-bench"))
            .args([
                "sizes",
                "--ledger",
                engine,
                "--machines",
                "300,3000",
                "--rounds",
                "1",
                "--seconds",
                "0.2",
            ])
            .arg("--data")
            .arg(data.path())
            .output()
            .unwrap();

        let text = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
        for machines in ["300", "3000"] {
            let row = |line: &&str| line.trim_start().starts_with(&format!("{machines}+"));
            let row = text.lines().find(row).unwrap_or_default();
            let figures = row.split_ascii_whitespace().filter(|word| word.parse::<f64>().is_ok()).count();
            assert!(13 <= figures, "the row of {machines} is {row:?} in\n{text}");
        }
        assert!(text.contains("every host counts all of its machines"), "{text}");
        assert_eq!(data.path().read_dir().unwrap().count(), 0, "it has left something behind");
    }
}

#[test]
fn portals_are_measured_beside_an_echo_and_every_check_holds() {
    let data = tempfile::tempdir().unwrap();
    let mut bench = Command::new(env!("CARGO_BIN_EXE_kms-bench"));
    let output = bench.args(["portal", "--quick", "--data"]).arg(data.path()).output().unwrap();

    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    let is_in_ci = std::env::var_os("CI").is_some_and(|ci| !ci.is_empty());
    let has_postgres = !text.contains("NOT RUN  PostgreSQL");
    assert!(has_postgres || !is_in_ci, "{text}");
    let rows =
        ["signed echo", "on sqlite, new", "on sqlite, again", "on postgres, new", "on postgres, again"];
    for row in &rows[..if has_postgres { 5 } else { 3 }] {
        let line = text.lines().find(|line| line.trim_start().starts_with(row)).unwrap_or_default();
        let figures = line.split_ascii_whitespace().filter(|word| word.parse::<f64>().is_ok()).count();
        assert!(5 <= figures, "the row of {row} is {line:?} in\n{text}");
    }
    assert!(text.contains("places that are taken: "), "{text}");
    assert_eq!(data.path().read_dir().unwrap().count(), 0, "it has left something behind");
}

#[test]
fn a_directory_that_is_not_there_is_named() {
    let output = Command::new(env!("CARGO_BIN_EXE_kms-bench"))
        .args(["--quick", "--data", "/not/there"])
        .output()
        .unwrap();

    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("/not/there"));
}
