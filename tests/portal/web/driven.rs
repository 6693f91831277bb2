//! Pages in a real Chromium, driven by Playwright and looked at by axe-core: the stories are in `tests/browser`.
//!
//! Without Node.js, Chromium or the two packages they say NOT RUN, and fail where `CI` is set. `.ci/run` installs them; the environment
//! variable KMS_BROWSER names the folder that they are in. KMS_PICTURES names a folder for pictures of every page.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use kms_portal::battery::PASSWORD;
use tokio::process::Command;

use super::Site;
use crate::dev::DevPortal;

/// The folder of the packages, or what is missing for a browser.
fn packages() -> Result<PathBuf, String> {
    let in_path = |program: &str| {
        let path = std::env::var_os("PATH").unwrap_or_default();
        std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
    };
    for (program, package) in [("node", "nodejs"), ("chromium", "chromium")] {
        if !in_path(program) {
            return Err(format!("{program} is not installed (apt-get install {package})"));
        }
    }
    let usual = || Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache/kms-ci/browser-1"));
    let folder = std::env::var_os("KMS_BROWSER").map(PathBuf::from).or_else(usual).unwrap_or_default();
    if folder.join("node_modules/playwright-core").is_dir() && folder.join("node_modules/axe-core").is_dir() {
        return Ok(folder);
    }
    let folder = folder.display();
    Err(format!("npm install --prefix {folder} playwright-core@1.65.1 axe-core@4.14.1 was not run"))
}

/// Tells a story of `tests/browser` at this site.
async fn tell(story: &str, url: &str, more: &[&str]) {
    let packages = match packages() {
        Ok(packages) => packages,
        Err(missing) => {
            let told = format!("NOT RUN: {story} in a browser: {missing}\n");
            // Past the test harness, which would swallow it.
            std::io::stderr().write_all(told.as_bytes()).unwrap();
            assert!(std::env::var_os("CI").is_none_or(|ci| ci.is_empty()), "{told}");
            return;
        }
    };
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("browser").join(story);
    let pictures = std::env::var_os("KMS_PICTURES").unwrap_or_default();
    let mut told = Command::new("node");
    told.arg(file).arg(url).arg(pictures).args(more);
    let told = told.env("KMS_BROWSER", packages).kill_on_drop(true).output();
    let told = tokio::time::timeout(std::time::Duration::from_mins(3), told).await.unwrap().unwrap();
    let (out, err) = (String::from_utf8_lossy(&told.stdout), String::from_utf8_lossy(&told.stderr));
    assert!(told.status.success(), "{story}: {out}{err}");
}

async fn site() -> Site {
    super::opened(crate::open::sqlite().await).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_page_in_a_browser() {
    tell("frame.mjs", &site().await.url(), &[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn passkeys_in_a_browser() {
    let site = site().await;
    site.world.employee("ann@example.com", &[]).await;
    tell("passkeys.mjs", &site.url(), &["ann@example.com", PASSWORD]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_administrator_in_a_browser() {
    let portal = DevPortal::start(None);
    let ada = &portal.said["people"][0];
    let [url, address, password] =
        [&portal.said["url"], &ada["address"], &ada["password"]].map(|said| said.as_str().unwrap());
    tell("administrator.mjs", url, &[address, password]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn devices_in_a_browser() {
    let site = site().await;
    let (_, address, _) = site.world.device_user().await;
    let code = super::devices::code(&site, [203, 0, 113, 7], "laptop").await;
    tell("devices.mjs", &site.url(), &[&address, PASSWORD, &code]).await;
}
