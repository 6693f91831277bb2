//! The sources of settings: the file overrides the defaults, the environment overrides the file, the command line overrides both.
//!
//! A reload reads them again. The keys are in `keys`, the bounds of values in `Config`. A test can pass its own environment.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use server::fixable::FixableError;
use shared::armour;
use shared::print::shorten;
use store::regular;
use toml::{Table, Value};

use super::keys::{KEYS, Key, PREFIX};
use super::{Config, LogFormat};
use crate::home::USUAL_PATH;

/// The name of the file in a data directory.
pub const FILE_NAME: &str = "kms-host.toml";

/// The file of the host that a package installs: Debian wants settings below /etc (policy 10.7.2).
const PACKAGED_FILE: &str = "/etc/kms-host/kms-host.toml";

/// Looks like a setting and is none: the command line reads it.
const DATA_VARIABLE: &str = "KMS_HOST_DATA";

/// Largest text, in bytes, of an error with the line that it is about.
const EXCERPT_MAX: usize = 2000;

const CORRECT_IT: &str = "correct it, and check it with `kms-host config check`";

/// The places to read settings from.
#[derive(Clone, Debug)]
pub struct SettingSources {
    /// The file that was named, and so must exist.
    named: Option<PathBuf>,
    /// The data directory, and the settings file of the package if this is the package's host.
    data: PathBuf,
    packaged: Option<PathBuf>,
    /// The value of `listen` on the command line, if it is not empty.
    listen: Vec<SocketAddr>,
    /// Whether the command line sets `log_format = "json"`.
    log_json: bool,
}

/// The settings that apply, and the origin of each.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The settings.
    pub config: Config,
    /// Environment variables that look like settings and are none: misspelt, or set by Kubernetes.
    pub unknown: Vec<String>,
    file: PathBuf,
    /// Whether there was a file.
    pub(crate) are_of_a_file: bool,
    passed_over: Option<PathBuf>,
    origins: BTreeMap<&'static str, Origin>,
}

/// The origin of a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// It is not set.
    Default,
    /// This file.
    File(PathBuf),
    /// The environment variable of this name.
    Variable(String),
    /// The command line of `serve`.
    CommandLine,
}

/// A setting that has changed between two reads.
#[derive(Debug)]
pub struct ChangedSetting {
    /// The setting.
    pub key: &'static Key,
    /// Its old value, as in a file.
    pub old: String,
    /// Its new value.
    pub new: String,
}

impl SettingSources {
    /// The file at `path`, or the usual file if it exists; the environment; no command line. The usual file is `kms-host.toml` in
    /// the data directory. For the package's host, if that file does not exist, it is `/etc/kms-host/kms-host.toml`.
    pub fn new(path: Option<&Path>, data: &Path) -> SettingSources {
        let packaged = (data == Path::new(USUAL_PATH)).then(|| PathBuf::from(PACKAGED_FILE));
        let named = path.map(Path::to_owned);
        SettingSources { named, data: data.to_owned(), packaged, listen: Vec::new(), log_json: false }
    }

    /// The path of the file, whether or not it exists.
    pub fn file(&self) -> PathBuf {
        self.find().0
    }

    /// The file, and one that is not read although an administrator may think so. Found anew at each reading, because the usual file
    /// may have moved between its two places.
    fn find(&self) -> (PathBuf, Option<PathBuf>) {
        let own = self.data.join(FILE_NAME);
        let packaged = self.packaged.clone().filter(|file| file.exists());
        match (&self.named, packaged) {
            (Some(named), _) => (named.clone(), None),
            // A restored backup brings its settings with it.
            (None, Some(packaged)) if own.exists() => (own, Some(packaged)),
            (None, Some(packaged)) => (packaged, None),
            (None, None) => (own, None),
        }
    }

    /// Whether the file is in the data directory. Its owner may have put a link to any file of the machine there, so read such a
    /// file as the owner.
    pub fn is_in_data(&self) -> bool {
        let folder = self.file().parent().and_then(|folder| folder.canonicalize().ok());
        let data = self.data.canonicalize().ok();
        folder.zip(data).is_some_and(|(folder, data)| folder.starts_with(data))
    }

    /// Adds the command line of `serve`, which overrides all: `listen`, if it is not empty, and `log_format`.
    pub fn with_command_line(self, listen: &[SocketAddr], log_json: bool) -> SettingSources {
        SettingSources { listen: listen.to_vec(), log_json, ..self }
    }

    /// Reads them all, with this process's environment.
    ///
    /// # Errors
    /// The first wrong setting: the file with its line, or the variable with an example.
    pub fn read(&self) -> Result<Settings, FixableError> {
        self.read_with(std::env::vars_os())
    }

    /// Reads them all, with this environment.
    ///
    /// # Errors
    /// As [`SettingSources::read`].
    pub fn read_with(
        &self,
        environment: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> Result<Settings, FixableError> {
        let mut settings = self.read_file()?;
        settings.take_environment(environment)?;
        if !self.listen.is_empty() {
            settings.config.listen.clone_from(&self.listen);
            settings.origins.insert("listen", Origin::CommandLine);
        }
        if self.log_json {
            settings.config.log_format = LogFormat::Json;
            settings.origins.insert("log_format", Origin::CommandLine);
        }
        settings.check()?;
        Ok(settings)
    }

    fn read_file(&self) -> Result<Settings, FixableError> {
        let (path, passed_over) = self.find();
        let file = path.display();
        let read = if self.is_in_data() { regular::read_unlinked(&path) } else { regular::read(&path) };
        let (text, are_of_a_file) = match read {
            Err(error) if error.kind() == ErrorKind::NotFound && self.named.is_none() => (Vec::new(), false),
            Err(error) => {
                let remedy = "make it a regular file that the owner of the data directory can read";
                return Err(FixableError::new(format!("the configuration {file} cannot be read"), remedy)
                    .because(error));
            }
            Ok(text) => (armour::plain(&text).map_or(text, String::into_bytes), true),
        };
        let text = String::from_utf8(text).map_err(|error| {
            let valid = &error.as_bytes()[..error.utf8_error().valid_up_to()];
            let line = valid.split(|byte| *byte == b'\n').count();
            FixableError::new(
                format!("the configuration {file} is not text: line {line} is not UTF-8"),
                format!("save it as UTF-8, for example with `iconv -f LATIN1 -t UTF-8 {file} > NEW`, and replace it with that file"),
            )
        })?;
        let wrong = |error: toml::de::Error| {
            FixableError::new(format!("the configuration {file} is not valid"), CORRECT_IT)
                .because(excerpt(&text, &error))
        };
        let config = toml::from_str::<Config>(&text).map_err(wrong)?;
        let written = toml::from_str::<Table>(&text).map_err(wrong)?;
        let set = KEYS.iter().filter(|key| written.contains_key(key.name));
        let origins = set.map(|key| (key.name, Origin::File(path.clone()))).collect();
        Ok(Settings { config, unknown: Vec::new(), file: path, are_of_a_file, passed_over, origins })
    }
}

/// The error with the line that it is about. A line may be as long as the file: then only the place.
fn excerpt(text: &str, error: &toml::de::Error) -> String {
    let whole = error.to_string();
    if whole.len() <= EXCERPT_MAX {
        return whole;
    }
    let before = &text[..error.span().map_or(0, |span| span.start)];
    let line = before.split('\n').count();
    let column = before.chars().rev().take_while(|letter| *letter != '\n').count() + 1;
    format!("line {line}, column {column}: {}", shorten(error.message(), EXCERPT_MAX))
}

impl Settings {
    /// Where a setting comes from.
    pub fn origin(&self, key: &str) -> Origin {
        self.origins.get(key).cloned().unwrap_or(Origin::Default)
    }

    /// The value of a setting; none if it has no default and is not set.
    pub fn value(&self, key: &str) -> Option<Value> {
        self.config.values().remove(key)
    }

    /// Warnings about settings without effect: unknown variables, and a file that another file replaces.
    pub fn warnings(&self) -> Vec<String> {
        let names = self.unknown.join(", ");
        let unknown = (!names.is_empty()).then(|| {
            format!(
                "ignored, because no setting is called {names}; `kms-host config sample` lists every setting"
            )
        });
        let passed_over = self.passed_over.as_ref().map(|file| {
            let (file, own) = (file.display(), self.file.display());
            format!("{file} is not read while there is {own}: keep one, for example with `install -m 644 {own} {file} && rm {own}`")
        });
        unknown.into_iter().chain(passed_over).collect()
    }

    /// The path of the file, whether or not it exists.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// The settings that differ in a later read.
    pub fn changes(&self, later: &Settings) -> Vec<ChangedSetting> {
        let (old, new) = (self.config.values(), later.config.values());
        let shown = |value: Option<&Value>| value.map_or_else(|| "not set".to_owned(), Value::to_string);
        let changed = KEYS.iter().filter(|key| old.get(key.name) != new.get(key.name));
        changed
            .map(|key| ChangedSetting { key, old: shown(old.get(key.name)), new: shown(new.get(key.name)) })
            .collect()
    }

    /// The settings of a later read without those that need a restart.
    #[must_use]
    pub fn taken_up(&self, later: &Settings) -> Config {
        let (old, mut new) = (self.config.values(), later.config.values());
        for Key { name, .. } in KEYS.iter().filter(|key| key.needs_restart) {
            new.extend(old.get(*name).map(|value| ((*name).to_owned(), value.clone())));
        }
        new.try_into().expect("every value came out of a configuration")
    }

    /// Reads in the order of the table, so that the same one of two faults is always named first.
    fn take_environment(
        &mut self,
        environment: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> Result<(), FixableError> {
        let ours = |(name, value): (OsString, OsString)| Some((name.into_string().ok()?, value));
        let mut ours: BTreeMap<String, OsString> =
            environment.into_iter().filter_map(ours).filter(|(name, _)| name.starts_with(PREFIX)).collect();
        ours.remove(DATA_VARIABLE);
        for key in &KEYS {
            let name = key.variable();
            // An empty variable counts as unset, because shells and service managers can hardly unset one.
            let Some(value) = ours.remove(&name).filter(|value| !value.is_empty()) else { continue };
            let text = value.to_str().ok_or_else(|| "it is not UTF-8".to_owned());
            let config = text.and_then(|text| key.set(&self.config, text));
            self.config = config.map_err(|fault| of_variable(key, &fault))?;
            self.origins.insert(key.name, Origin::Variable(name));
        }
        ours.retain(|_, value| !value.is_empty());
        self.unknown = ours.into_keys().collect();
        Ok(())
    }

    /// Called after the environment, because that may correct the file.
    fn check(&self) -> Result<(), FixableError> {
        let Err((name, fault)) = self.config.check() else { return Ok(()) };
        let key = KEYS.iter().find(|key| key.name == name);
        if let (Origin::Variable(_), Some(key)) = (self.origin(name), key) {
            return Err(of_variable(key, &fault));
        }
        let text = format!(
            "the configuration {} is not valid: {}",
            self.file.display(),
            shorten(&fault, EXCERPT_MAX)
        );
        Err(FixableError::new(text, CORRECT_IT))
    }
}

fn of_variable(key: &Key, fault: &str) -> FixableError {
    let (name, fault) = (key.variable(), shorten(fault, EXCERPT_MAX));
    let remedy = format!("set it as in {name}={}, or unset it", key.example);
    FixableError::new(format!("the environment variable {name} is not valid: {fault}"), remedy)
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Default => f.write_str("default"),
            Origin::File(path) => path.display().fmt(f),
            Origin::Variable(name) => f.write_str(name),
            Origin::CommandLine => f.write_str("command line"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What holds where the file has this text and the environment these variables; or the error in full.
    fn read(text: &str, environment: &[(&str, &str)]) -> Result<Settings, String> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("kms-host.toml"), text).unwrap();
        let environment = environment.iter().map(|(name, value)| (name.into(), value.into()));
        let settings = SettingSources::new(None, folder.path()).read_with(environment);
        settings.map_err(|error| crate::remedy::message(&error))
    }

    #[test]
    fn the_environment_goes_before_the_file_and_the_file_before_the_defaults() {
        let settings = read("queue = 10\ncache_mib = 10", &[("KMS_HOST_QUEUE", "20")]).unwrap();
        assert_eq!((settings.config.queue, settings.config.cache_mib), (20, 10));
        assert_eq!(settings.origin("queue"), Origin::Variable("KMS_HOST_QUEUE".to_owned()));
        assert_eq!(settings.origin("cache_mib"), Origin::File(settings.file().to_owned()));
        assert_eq!(settings.origin("log"), Origin::Default);
    }

    #[test]
    fn the_command_line_goes_before_all() {
        let folder = tempfile::tempdir().unwrap();
        let listen = ["127.0.0.1:1".parse().unwrap()];
        let sources = SettingSources::new(None, folder.path()).with_command_line(&listen, true);
        let environment = [("KMS_HOST_LISTEN", "127.0.0.1:2"), ("KMS_HOST_LOG_FORMAT", "text")];
        let settings =
            sources.read_with(environment.map(|(name, value)| (name.into(), value.into()))).unwrap();
        assert_eq!(settings.config.listen, listen);
        assert_eq!(settings.config.log_format, LogFormat::Json);
        assert_eq!(settings.origin("listen"), Origin::CommandLine);
    }

    #[test]
    fn the_packages_file_is_read_unless_the_data_directory_has_one_and_then_somebody_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let (data, packaged) = (folder.path().join("data"), folder.path().join("packaged.toml"));
        std::fs::create_dir(&data).unwrap();
        // One that was made before all of it, as a running host's: a file that is moved afterwards is found by the next reading.
        let sources = SettingSources { packaged: Some(packaged.clone()), ..SettingSources::new(None, &data) };
        let read = || sources.read_with([]).unwrap();
        assert_eq!((read().config.queue, read().file()), (4096, data.join("kms-host.toml").as_path()));

        std::fs::write(&packaged, "queue = 1").unwrap();
        assert_eq!((read().config.queue, read().file()), (1, packaged.as_path()));
        assert!(read().warnings().is_empty());

        std::fs::write(data.join("kms-host.toml"), "queue = 2").unwrap();
        assert_eq!(read().config.queue, 2);
        let [warning] = &read().warnings()[..] else { panic!("one warning") };
        assert!(warning.contains("packaged.toml is not read"), "{warning}");
    }

    /// Compose files and unit files set variables to nothing.
    #[test]
    fn an_empty_variable_is_an_unset_one() {
        for key in &KEYS {
            let settings = read("queue = 10", &[(&key.variable(), "")]).unwrap();
            let expected =
                if key.name == "queue" { Origin::File(settings.file().to_owned()) } else { Origin::Default };
            assert_eq!(settings.origin(key.name), expected, "{}", key.name);
        }
        assert!(read("", &[("KMS_HOST_PORT", "")]).unwrap().unknown.is_empty());
    }

    /// A configuration with an accent from an old editor was refused without a word on what to do.
    #[test]
    fn a_file_that_is_no_text_is_refused_with_its_line_and_a_remedy() {
        let told = |bytes: &[u8]| {
            let folder = tempfile::tempdir().unwrap();
            std::fs::write(folder.path().join("kms-host.toml"), bytes).unwrap();
            crate::remedy::message(&SettingSources::new(None, folder.path()).read_with([]).unwrap_err())
        };
        let error = told(b"queue = 10\n# B\xfcro\n");
        assert!(
            error.contains("line 2 is not UTF-8") && error.contains("iconv -f LATIN1 -t UTF-8"),
            "{error}"
        );
        assert!(told(b"\xffq").contains("line 1"));
    }

    /// Root once read the file of another user's directory through a link, and printed the first line of what it led to.
    #[test]
    fn a_link_in_the_data_directory_is_not_followed_and_one_elsewhere_is() {
        let folder = tempfile::tempdir().unwrap();
        let (data, secret) = (folder.path().join("data"), folder.path().join("secret"));
        std::fs::create_dir(&data).unwrap();
        std::fs::write(&secret, "root:$6$hash").unwrap();
        std::os::unix::fs::symlink(&secret, data.join("kms-host.toml")).unwrap();
        for named in [None, Some(data.join("kms-host.toml")), Some(data.join("../data/kms-host.toml"))] {
            let error = SettingSources::new(named.as_deref(), &data).read_with([]).unwrap_err();
            let error = crate::remedy::message(&error);
            assert!(error.contains("it is a link") && !error.contains("root"), "{error}");
        }
        std::fs::write(&secret, "queue = 7").unwrap();
        let elsewhere = folder.path().join("link");
        std::os::unix::fs::symlink(&secret, &elsewhere).unwrap();
        assert_eq!(SettingSources::new(Some(&elsewhere), &data).read_with([]).unwrap().config.queue, 7);
    }

    #[test]
    fn several_addresses_stand_in_one_variable() {
        let settings = read("", &[("KMS_HOST_LISTEN", "[::1]:1, 127.0.0.1:2")]).unwrap();
        assert_eq!(settings.config.listen, ["[::1]:1", "127.0.0.1:2"].map(|one| one.parse().unwrap()));
    }

    #[test]
    fn a_variable_that_does_not_hold_is_refused_by_name_with_an_example() {
        for (name, value, why) in [
            ("KMS_HOST_LISTEN", "localhost:1", "names are not looked up"),
            ("KMS_HOST_LISTEN", ",", "`listen` is empty"),
            ("KMS_HOST_LISTEN", "[::]:1 127.0.0.1:2", "separate entries with commas"),
            ("KMS_HOST_LISTEN", "[::]:1;127.0.0.1:2", "separate entries with commas"),
            ("KMS_HOST_LISTEN", "127.0.0.1:1,127.0.0.1:1", "twice"),
            ("KMS_HOST_ALLOW", "10.0.0.0/8 192.168.0.0/16", "separate entries with commas"),
            ("KMS_HOST_ALLOW", "10.0.0.0/8;192.168.0.0/16", "separate entries with commas"),
            ("KMS_HOST_QUEUE", "many", "not a whole number"),
            ("KMS_HOST_QUEUE", "-1", "not a whole number"),
            ("KMS_HOST_QUEUE", "0", "from 1 to"),
            ("KMS_HOST_CACHE_MIB", "1", "from 4 to"),
            ("KMS_HOST_ALLOW", "localhost", "not an address or network"),
            ("KMS_HOST_TLS", "on", "`offered`"),
            ("KMS_HOST_TLS_CLIENT_CA", "ca.pem", "tls = \"required\""),
            ("KMS_HOST_LEDGER", "rocksdb", "\"sled\" or \"fjall\""),
            ("KMS_HOST_LOG_FORMAT", "xml", "`text` or `json`"),
            ("KMS_HOST_LOG", "loud", "trace"),
            ("KMS_HOST_SERVICE_LABEL", "kms", "_kms-activation._tcp"),
        ] {
            let error = read("", &[(name, value)]).unwrap_err();
            assert!(error.contains(why) && error.contains(&format!("{name}=")), "{name}={value}: {error}");
            assert!(!error.contains("TOML") && !error.contains("kms-host.toml"), "{error}");
        }
    }

    #[test]
    fn a_value_of_the_file_is_the_files_fault_whatever_else_is_in_the_environment() {
        let error = read("queue = 0", &[("KMS_HOST_LOG", "debug")]).unwrap_err();
        assert!(error.contains("kms-host.toml") && error.contains("`queue`"), "{error}");
        assert_eq!(read("queue = 0", &[("KMS_HOST_QUEUE", "5")]).unwrap().config.queue, 5);
    }

    /// Refusing them would keep every host from starting in a Kubernetes whose service is called kms-host.
    #[test]
    fn variables_that_are_no_setting_are_told_by_name_and_the_data_directory_is_none_of_them() {
        let environment = ["KMS_HOST_PORT", "KMS_HOST_LISSTEN", "KMS_HOST_DATA", "KMS_HOSTS", "HOME"]
            .map(|name| (name, "x"));
        let settings = read("", &environment).unwrap();
        assert_eq!(settings.unknown, ["KMS_HOST_LISSTEN", "KMS_HOST_PORT"]);
    }

    #[test]
    fn what_differs_in_a_later_reading_is_told_with_both_values() {
        let before = read("queue = 10", &[]).unwrap();
        let after = read("queue = 10\nlog = \"debug\"", &[("KMS_HOST_CACHE_MIB", "9")]).unwrap();
        let changes: Vec<_> =
            before.changes(&after).into_iter().map(|c| (c.key.name, c.old, c.new)).collect();
        let told = |key, old: &str, new: &str| (key, old.to_owned(), new.to_owned());
        assert_eq!(changes, [told("cache_mib", "64", "9"), told("log", "\"info\"", "\"debug\"")]);
        assert!(after.changes(&after).is_empty());
    }
}
