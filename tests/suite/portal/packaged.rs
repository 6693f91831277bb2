//! What a package carries beside the portal: manual pages and completions.

use std::fs;

use super::PortalStage;

#[tokio::test]
async fn completions_and_manual_pages_of_the_portal_are_made_from_its_command_line() {
    let portal = PortalStage::open("").await;
    for shell in ["bash", "zsh", "fish"] {
        assert!(portal.does(&["completions", shell]).await.contains("install-issuer"), "{shell}");
    }
    let directory = portal.data.join("man1");
    portal.does(&["manual", directory.to_str().unwrap()]).await;
    let page = fs::read_to_string(directory.join("kms-portal.1")).unwrap();
    assert!(page.contains(".TH kms-portal 1"), "{page}");
    for section in [".SH \"EXIT STATUS\"", ".SH \"FILES\"", ".SH \"ENVIRONMENT\""] {
        assert!(page.contains(section), "{section}: {page}");
    }
    // Each example on a line of its own, with dashes that can be pasted.
    let examples = page.split_once(".SH EXAMPLES\n.nf\n").unwrap().1;
    assert!(examples.contains("\n  kms\\-portal serve \\-\\-data ./portal\n"), "{page}");
    let key = fs::read_to_string(directory.join("kms-portal-key.1")).unwrap();
    assert!(key.contains(".BR kms\\-portal (1)") && key.contains("kms\\-portal key issue"), "{key}");
}
