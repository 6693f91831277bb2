//! What mail programs and editors do to a file, and that it is read all the same.

use expect_test::expect;
use shared::armour::{ArmourError, find, find_all, find_one, plain, settings};

const LABEL: &str = "KMS HOST REQUEST";

/// 100 bytes, as a strict writer has them: two lines, the second with padding.
const WRITTEN: &str = "\
-----BEGIN KMS HOST REQUEST-----
AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUmJygpKissLS4v
MDEyMzQ1Njc4OTo7PD0+P0BBQkNERUZHSElKS0xNTk9QUVJTVFVWV1hZWltcXV5f
YGFiYw==
-----END KMS HOST REQUEST-----
";

fn lines(each: impl Fn(&str) -> String) -> String {
    WRITTEN.lines().map(each).collect()
}

#[test]
fn what_mail_and_editors_do_to_a_block_is_undone() {
    let utf16 = |unit: fn(u16) -> [u8; 2]| -> Vec<u8> {
        std::iter::once(0xFEFF).chain(WRITTEN.encode_utf16()).flat_map(unit).collect()
    };
    let text = |text: String| text.into_bytes();
    let ways: Vec<(&str, Vec<u8>)> = vec![
        ("as it was written", WRITTEN.into()),
        ("a signature behind", text(format!("{WRITTEN}\n-- \nKind regards\nSales\n"))),
        ("a greeting before", text(format!("Dear Sir,\nhere it is:\n\n{WRITTEN}"))),
        ("text on the lines of its ends", text(format!("here: {}, thanks", WRITTEN.trim_end()))),
        ("prose in another encoding", [b"Gr\xfc\xdfe\n", WRITTEN.as_bytes()].concat()),
        ("a byte order mark", text(format!("\u{FEFF}{WRITTEN}"))),
        ("UTF-16, as Notepad has it", utf16(u16::to_le_bytes)),
        ("UTF-16 of the other end", utf16(u16::to_be_bytes)),
        ("CR LF", text(lines(|line| format!("{line}\r\n")))),
        ("CR alone", text(lines(|line| format!("{line}\r")))),
        ("blank lines", text(lines(|line| format!("{line}\n\n")))),
        ("trailing blanks", text(lines(|line| format!("{line}  \t\n")))),
        ("indentation", text(lines(|line| format!("    {line}\n")))),
        ("quoted", text(lines(|line| format!("> {line}\n")))),
        ("quoted twice, indented", text(lines(|line| format!(" >> {line}\n")))),
        ("blanks of no breadth", text(lines(|line| format!("\u{A0}{line}\u{200B}\n")))),
        ("no line breaks", text(lines(ToOwned::to_owned))),
        ("blanks for line breaks", text(lines(|line| format!("{line} ")))),
        (
            "broken anew",
            text(lines(|line| {
                line.as_bytes()
                    .chunks(20)
                    .map(|part| {
                        let part = std::str::from_utf8(part).unwrap();
                        if line.starts_with('-') { part.to_owned() } else { format!("{part}\n> ") }
                    })
                    .collect::<String>()
                    + "\n"
            })),
        ),
        ("its label broken", text(WRITTEN.replace("HOST REQUEST", "HOST\n> REQUEST"))),
        ("quoted-printable", text(WRITTEN.replace('=', "=3D").replace("f\n", "f=\n"))),
        ("padding lost", text(WRITTEN.replace('=', ""))),
        ("twice, the second quoted", text(format!("{WRITTEN}\n{}", lines(|line| format!("> {line}\n"))))),
        ("beside another kind", text(format!("{}{WRITTEN}", WRITTEN.replace("REQUEST", "CERTIFICATE")))),
        ("behind one that was cut", text(format!("{}\n{WRITTEN}", &WRITTEN[..70]))),
    ];
    for (way, bytes) in ways {
        let found = find_one(&bytes, LABEL).map(|block| block.to_string());
        assert_eq!(found.as_deref(), Ok(WRITTEN), "{way}: {}", String::from_utf8_lossy(&bytes));
    }
}

#[test]
fn what_is_not_whole_is_told_for_what_it_is() {
    let other = WRITTEN.replace("AAEC", "BAEC");
    let error = |text: &str| find_one(text.as_bytes(), LABEL).map(drop).unwrap_err();
    assert_eq!(error(""), ArmourError::Missing);
    assert_eq!(error("-----BEGIN"), ArmourError::Missing);
    assert_eq!(error(&WRITTEN.replace("-----BEGIN", "----BEGIN")), ArmourError::Missing);
    assert_eq!(
        error(&WRITTEN.replace("REQUEST", "CERTIFICATE")),
        ArmourError::Other("KMS HOST CERTIFICATE".into())
    );
    assert_eq!(error(&WRITTEN[..150]), ArmourError::Cut);
    assert_eq!(error(&WRITTEN.replace("AAEC", "AA€C")), ArmourError::Damaged);
    assert_eq!(error(&WRITTEN.replace("AAEC", "AAE")), ArmourError::Damaged, "no length of base64");
    assert_eq!(
        error(&WRITTEN.replace("END KMS HOST REQUEST", "END KMS HOST CERTIFICATE")),
        ArmourError::Damaged
    );
    assert_eq!(error("-----BEGIN KMS HOST REQUEST----------END KMS HOST REQUEST-----"), ArmourError::Damaged);
    assert_eq!(error(&format!("{WRITTEN}{other}")), ArmourError::Several);
    let both = find(format!("{other}{WRITTEN}{other}").as_bytes(), LABEL).unwrap();
    assert_eq!(both.iter().map(|block| block.as_str()).collect::<Vec<_>>(), [other.as_str(), WRITTEN]);
}

#[test]
fn files_that_are_not_ours_keep_every_block_in_its_order() {
    let key = WRITTEN.replace("KMS HOST REQUEST", "PRIVATE KEY");
    let mailed = format!("> Bag Attributes\n> {}\nand\r{key}\n{WRITTEN}", WRITTEN.replace('\n', "\n> "));
    assert_eq!(*find_all(mailed.as_bytes()).unwrap(), format!("{WRITTEN}{key}"));
    assert_eq!(find_all(b"nothing").map(drop), Err(ArmourError::Missing));
    assert_eq!(find_all(&WRITTEN.as_bytes()[..150]).map(drop), Err(ArmourError::Cut));
}

#[test]
fn edited_text_is_read_with_its_lines_where_they_are() {
    let toml = "a = 1\n\nb = 2\n";
    for edited in ["\u{FEFF}a = 1\n\nb = 2\n", "a = 1\r\n\r\nb = 2\r\n", "a = 1\r\rb = 2\r"] {
        assert_eq!(plain(edited.as_bytes()).as_deref(), Ok(toml), "{edited:?}");
    }
    assert_eq!(plain(b"> a = 1\n>\n> b = 2\n").as_deref(), Ok("a = 1\n\nb = 2"));
    assert_eq!(plain(b"a = 1\n> b\n").as_deref(), Ok("a = 1\n> b\n"), "not every line is quoted");
    assert_eq!(plain(b"\xff\xfea\0 \0=\0 \x001\0").as_deref(), Ok("a = 1"));
    assert!(plain(b"a = \xff").is_err());
    assert_eq!(plain(b"\n\n").as_deref(), Ok("\n\n"));
}

#[test]
fn of_a_product_file_that_came_by_mail_the_mail_is_left_out() {
    let mailed = "Hello,\nas you asked:\n# The product.\nid = \"ab\"\nroots = [\n  \"cd\",\n]\n\nKind regards\n-- \nx = 1\n";
    expect![[r##"


        # The product.
        id = "ab"
        roots = [
          "cd",
        ]


    "##]]
    .assert_eq(&settings(mailed));
    assert_eq!(settings("nothing of it\n"), "nothing of it\n", "the error is the reader's");
}
