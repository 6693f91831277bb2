//! The sources of settings: the file overrides the defaults, the environment overrides the file, the command line overrides both.
//!
//! A reload reads them again. A test can pass its own environment.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::io::ErrorKind;
use std::marker::PhantomData;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use shared::armour;
use shared::print::shorten;
use store::regular;
use toml::{Table, Value};

use super::{Key, SettingTable};
use crate::fixable::FixableError;

/// Largest text, in bytes, of an error with the line that it is about.
const EXCERPT_MAX: usize = 2000;

/// The places to read the settings of this table from.
#[derive(Clone, Debug)]
pub struct SettingSources<T> {
    /// The file that was named, and so must exist.
    named: Option<PathBuf>,
    /// The data directory, and the settings file of the package if this is the package's program.
    data: PathBuf,
    packaged: Option<PathBuf>,
    /// What the command line sets, as in a file.
    command_line: Vec<(&'static str, Value)>,
    table: PhantomData<T>,
}

/// The settings that apply, and the origin of each.
#[derive(Clone, Debug)]
pub struct Settings<T> {
    /// The settings.
    pub config: T,
    /// Environment variables that look like settings and are none: misspelt, or set by Kubernetes.
    pub unknown: Vec<String>,
    file: PathBuf,
    /// Whether there was a file.
    pub are_of_a_file: bool,
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

impl<T: SettingTable> SettingSources<T> {
    /// The file at `path`, or the usual file if it exists; the environment; no command line. The usual file is the one in the data
    /// directory. For the package's program, if that file does not exist, it is the one below /etc.
    pub fn new(path: Option<&Path>, data: &Path) -> SettingSources<T> {
        let packaged =
            (data == Path::new(T::NAMES.usual_data)).then(|| PathBuf::from(T::NAMES.packaged_file));
        let named = path.map(Path::to_owned);
        let command_line = Vec::new();
        SettingSources { named, data: data.to_owned(), packaged, command_line, table: PhantomData }
    }

    /// The path of the file, whether or not it exists.
    pub fn file(&self) -> PathBuf {
        self.find().0
    }

    /// The file, and one that is not read although an administrator may think so. Found anew at each reading, because the usual file
    /// may have moved between its two places.
    fn find(&self) -> (PathBuf, Option<PathBuf>) {
        let own = self.data.join(T::NAMES.file);
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
    pub fn with_command_line(self, listen: &[SocketAddr], log_json: bool) -> SettingSources<T> {
        let addresses: Vec<_> = listen.iter().map(|address| Value::String(address.to_string())).collect();
        let listen = (!addresses.is_empty()).then_some(("listen", Value::Array(addresses)));
        let log_format = log_json.then(|| ("log_format", Value::String("json".to_owned())));
        SettingSources { command_line: listen.into_iter().chain(log_format).collect(), ..self }
    }

    /// Reads them all, with this process's environment.
    ///
    /// # Errors
    /// The first wrong setting: the file with its line, or the variable with an example.
    pub fn read(&self) -> Result<Settings<T>, FixableError> {
        self.read_with(std::env::vars_os())
    }

    /// Reads them all, with this environment.
    ///
    /// # Errors
    /// As [`SettingSources::read`].
    pub fn read_with(
        &self,
        environment: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> Result<Settings<T>, FixableError> {
        let mut settings = self.read_file()?;
        settings.take_environment(environment)?;
        let mut values = settings.config.values();
        for (name, value) in &self.command_line {
            values.insert((*name).to_owned(), value.clone());
            settings.origins.insert(name, Origin::CommandLine);
        }
        settings.config = values.try_into().expect("addresses and a format are what their settings take");
        settings.check()?;
        Ok(settings)
    }

    fn read_file(&self) -> Result<Settings<T>, FixableError> {
        let (path, passed_over) = self.find();
        let file = path.display();
        let read = if self.is_in_data() { regular::read_unlinked(&path) } else { regular::read(&path) };
        let (text, are_of_a_file) = match read {
            Err(error) if error.kind() == ErrorKind::NotFound && self.named.is_none() => (Vec::new(), false),
            Err(error) => {
                let remedy = if error.kind() == ErrorKind::PermissionDenied {
                    "run the command as root or as the user of the service, who has to be able to read it"
                } else {
                    "make it a regular file that the owner of the data directory can read"
                };
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
            FixableError::new(format!("the configuration {file} is not valid"), correct_it::<T>())
                .because(excerpt(&text, &error))
        };
        let config = toml::from_str::<T>(&text).map_err(wrong)?;
        let written = toml::from_str::<Table>(&text).map_err(wrong)?;
        let set = T::KEYS.iter().filter(|key| written.contains_key(key.name));
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

fn correct_it<T: SettingTable>() -> String {
    format!("correct it, and check it with `{} config check`", T::NAMES.program)
}

impl<T: SettingTable> Settings<T> {
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
                "ignored, because no setting is called {names}; `{} config sample` lists every setting",
                T::NAMES.program
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
    pub fn changes(&self, later: &Settings<T>) -> Vec<ChangedSetting> {
        let (old, new) = (self.config.values(), later.config.values());
        let shown = |value: Option<&Value>| value.map_or_else(|| "not set".to_owned(), Value::to_string);
        let changed = T::KEYS.iter().filter(|key| old.get(key.name) != new.get(key.name));
        changed
            .map(|key| ChangedSetting { key, old: shown(old.get(key.name)), new: shown(new.get(key.name)) })
            .collect()
    }

    /// The settings of a later read without those that need a restart.
    #[must_use]
    pub fn taken_up(&self, later: &Settings<T>) -> T {
        let (old, mut new) = (self.config.values(), later.config.values());
        for Key { name, .. } in T::KEYS.iter().filter(|key| key.needs_restart) {
            new.extend(old.get(*name).map(|value| ((*name).to_owned(), value.clone())));
        }
        new.try_into().expect("every value came out of a configuration")
    }

    /// Reads in the order of the table, so that the same one of two faults is always named first.
    fn take_environment(
        &mut self,
        environment: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> Result<(), FixableError> {
        let prefix = T::NAMES.prefix;
        let ours = |(name, value): (OsString, OsString)| Some((name.into_string().ok()?, value));
        let mut ours: BTreeMap<String, OsString> =
            environment.into_iter().filter_map(ours).filter(|(name, _)| name.starts_with(prefix)).collect();
        // They look like settings and are none.
        for name in T::NAMES.of_command_line {
            ours.remove(*name);
        }
        for key in T::KEYS {
            let name = key.variable::<T>();
            // An empty variable counts as unset, because shells and service managers can hardly unset one.
            let Some(value) = ours.remove(&name).filter(|value| !value.is_empty()) else { continue };
            let text = value.to_str().ok_or_else(|| "it is not UTF-8".to_owned());
            let config = text.and_then(|text| key.set(&self.config, text));
            self.config = config.map_err(|fault| of_variable::<T>(key, &fault))?;
            self.origins.insert(key.name, Origin::Variable(name));
        }
        ours.retain(|_, value| !value.is_empty());
        self.unknown = ours.into_keys().collect();
        Ok(())
    }

    /// Called after the environment, because that may correct the file.
    fn check(&self) -> Result<(), FixableError> {
        let Err((name, fault)) = self.config.check() else { return Ok(()) };
        let key = T::KEYS.iter().find(|key| key.name == name);
        if let (Origin::Variable(_), Some(key)) = (self.origin(name), key) {
            return Err(of_variable::<T>(key, &fault));
        }
        let text = format!(
            "the configuration {} is not valid: {}",
            self.file.display(),
            shorten(&fault, EXCERPT_MAX)
        );
        Err(FixableError::new(text, correct_it::<T>()))
    }
}

fn of_variable<T: SettingTable>(key: &Key, fault: &str) -> FixableError {
    let (name, fault) = (key.variable::<T>(), shorten(fault, EXCERPT_MAX));
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
    use std::net::SocketAddr;

    use super::*;
    use crate::fixable::cause;
    use crate::network::Network;
    use crate::settings::values::{
        LogFormat, addresses, check_listen, check_log, networks, networks_in_file, number, text,
    };
    use crate::settings::{SettingFault, SettingNames};
    use crate::tls::TlsMode;

    crate::settings! {
        /// The settings of a program that is tried here.
        struct Config;

        /// Addresses.
        listen: Vec<SocketAddr> = vec![SocketAddr::from(([0_u16; 8], 7))], addresses, "[::]:7", at restart;
        /// Places.
        queue: usize = 4096, number, "4096", at restart, from 1 to 1_048_576;
        /// Memory.
        cache_mib: u64 = 64, number, "64", at restart, from 4 to 1_048_576;
        /// Networks.
        #[serde(deserialize_with = "networks_in_file")]
        allow: Vec<Network> = Vec::new(), networks, "10.0.0.0/8", at reload;
        /// TLS.
        tls: TlsMode = TlsMode::Off, text, "offered", at reload;
        /// The form of the log.
        log_format: LogFormat = LogFormat::Text, text, "json", at restart;
        /// The level of the log.
        log: String = "info".to_owned(), text, "kms_try=debug,info", at reload;
    }

    impl SettingTable for Config {
        const NAMES: SettingNames = SettingNames {
            program: "kms-try",
            file: "kms-try.toml",
            usual_data: "/var/lib/kms-try",
            packaged_file: "/etc/kms-try/kms-try.toml",
            prefix: "KMS_TRY_",
            of_command_line: &["KMS_TRY_DATA"],
        };
        const KEYS: &'static [Key] = KEYS;

        fn check(&self) -> Result<(), SettingFault> {
            check_listen(&self.listen, 7)?;
            self.check_bounds()?;
            check_log(&self.log, "kms_try=debug,info")
        }
    }

    type SettingSources = super::SettingSources<Config>;

    /// The error with its causes and its remedy.
    fn told(error: &FixableError) -> String {
        format!("{}; {}", cause(error), error.remedy())
    }

    /// What holds where the file has this text and the environment these variables; or the error in full.
    fn read(text: &str, environment: &[(&str, &str)]) -> Result<Settings<Config>, String> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("kms-try.toml"), text).unwrap();
        let environment = environment.iter().map(|(name, value)| (name.into(), value.into()));
        let settings = SettingSources::new(None, folder.path()).read_with(environment);
        settings.map_err(|error| told(&error))
    }

    #[test]
    fn the_environment_goes_before_the_file_and_the_file_before_the_defaults() {
        let settings = read("queue = 10\ncache_mib = 10", &[("KMS_TRY_QUEUE", "20")]).unwrap();
        assert_eq!((settings.config.queue, settings.config.cache_mib), (20, 10));
        assert_eq!(settings.origin("queue"), Origin::Variable("KMS_TRY_QUEUE".to_owned()));
        assert_eq!(settings.origin("cache_mib"), Origin::File(settings.file().to_owned()));
        assert_eq!(settings.origin("log"), Origin::Default);
    }

    #[test]
    fn the_command_line_goes_before_all() {
        let folder = tempfile::tempdir().unwrap();
        let listen = ["127.0.0.1:1".parse().unwrap()];
        let sources = SettingSources::new(None, folder.path()).with_command_line(&listen, true);
        let environment = [("KMS_TRY_LISTEN", "127.0.0.1:2"), ("KMS_TRY_LOG_FORMAT", "text")];
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
        assert_eq!((read().config.queue, read().file()), (4096, data.join("kms-try.toml").as_path()));

        std::fs::write(&packaged, "queue = 1").unwrap();
        assert_eq!((read().config.queue, read().file()), (1, packaged.as_path()));
        assert!(read().warnings().is_empty());

        std::fs::write(data.join("kms-try.toml"), "queue = 2").unwrap();
        assert_eq!(read().config.queue, 2);
        let [warning] = &read().warnings()[..] else { panic!("one warning") };
        assert!(warning.contains("packaged.toml is not read"), "{warning}");
    }

    /// Compose files and unit files set variables to nothing.
    #[test]
    fn an_empty_variable_is_an_unset_one() {
        for key in KEYS {
            let settings = read("queue = 10", &[(&key.variable::<Config>(), "")]).unwrap();
            let expected =
                if key.name == "queue" { Origin::File(settings.file().to_owned()) } else { Origin::Default };
            assert_eq!(settings.origin(key.name), expected, "{}", key.name);
        }
        assert!(read("", &[("KMS_TRY_PORT", "")]).unwrap().unknown.is_empty());
    }

    /// A configuration with an accent from an old editor was refused without a word on what to do.
    #[test]
    fn a_file_that_is_no_text_is_refused_with_its_line_and_a_remedy() {
        let refused = |bytes: &[u8]| {
            let folder = tempfile::tempdir().unwrap();
            std::fs::write(folder.path().join("kms-try.toml"), bytes).unwrap();
            told(&SettingSources::new(None, folder.path()).read_with([]).unwrap_err())
        };
        let error = refused(b"queue = 10\n# B\xfcro\n");
        assert!(
            error.contains("line 2 is not UTF-8") && error.contains("iconv -f LATIN1 -t UTF-8"),
            "{error}"
        );
        assert!(refused(b"\xffq").contains("line 1"));
    }

    /// Root once read the file of another user's directory through a link, and printed the first line of what it led to.
    #[test]
    fn a_link_in_the_data_directory_is_not_followed_and_one_elsewhere_is() {
        let folder = tempfile::tempdir().unwrap();
        let (data, secret) = (folder.path().join("data"), folder.path().join("secret"));
        std::fs::create_dir(&data).unwrap();
        std::fs::write(&secret, "root:$6$hash").unwrap();
        std::os::unix::fs::symlink(&secret, data.join("kms-try.toml")).unwrap();
        for named in [None, Some(data.join("kms-try.toml")), Some(data.join("../data/kms-try.toml"))] {
            let error = SettingSources::new(named.as_deref(), &data).read_with([]).unwrap_err();
            let error = told(&error);
            assert!(error.contains("it is a link") && !error.contains("root"), "{error}");
        }
        std::fs::write(&secret, "queue = 7").unwrap();
        let elsewhere = folder.path().join("link");
        std::os::unix::fs::symlink(&secret, &elsewhere).unwrap();
        assert_eq!(SettingSources::new(Some(&elsewhere), &data).read_with([]).unwrap().config.queue, 7);
    }

    #[test]
    fn several_addresses_stand_in_one_variable() {
        let settings = read("", &[("KMS_TRY_LISTEN", "[::1]:1, 127.0.0.1:2")]).unwrap();
        assert_eq!(settings.config.listen, ["[::1]:1", "127.0.0.1:2"].map(|one| one.parse().unwrap()));
    }

    #[test]
    fn a_variable_that_does_not_hold_is_refused_by_name_with_an_example() {
        for (name, value, why) in [
            ("KMS_TRY_LISTEN", "localhost:1", "names are not looked up"),
            ("KMS_TRY_LISTEN", ",", "`listen` is empty"),
            ("KMS_TRY_LISTEN", "[::]:1 127.0.0.1:2", "separate entries with commas"),
            ("KMS_TRY_LISTEN", "[::]:1;127.0.0.1:2", "separate entries with commas"),
            ("KMS_TRY_LISTEN", "127.0.0.1:1,127.0.0.1:1", "twice"),
            ("KMS_TRY_ALLOW", "10.0.0.0/8 192.168.0.0/16", "separate entries with commas"),
            ("KMS_TRY_ALLOW", "10.0.0.0/8;192.168.0.0/16", "separate entries with commas"),
            ("KMS_TRY_QUEUE", "many", "not a whole number"),
            ("KMS_TRY_QUEUE", "-1", "not a whole number"),
            ("KMS_TRY_QUEUE", "0", "from 1 to"),
            ("KMS_TRY_CACHE_MIB", "1", "from 4 to"),
            ("KMS_TRY_ALLOW", "localhost", "not an address or network"),
            ("KMS_TRY_TLS", "on", "`offered`"),
            ("KMS_TRY_LOG_FORMAT", "xml", "`text` or `json`"),
            ("KMS_TRY_LOG", "loud", "trace"),
        ] {
            let error = read("", &[(name, value)]).unwrap_err();
            assert!(error.contains(why) && error.contains(&format!("{name}=")), "{name}={value}: {error}");
            assert!(!error.contains("TOML") && !error.contains("kms-try.toml"), "{error}");
        }
    }

    #[test]
    fn a_value_of_the_file_is_the_files_fault_whatever_else_is_in_the_environment() {
        let error = read("queue = 0", &[("KMS_TRY_LOG", "debug")]).unwrap_err();
        assert!(error.contains("kms-try.toml") && error.contains("`queue`"), "{error}");
        assert_eq!(read("queue = 0", &[("KMS_TRY_QUEUE", "5")]).unwrap().config.queue, 5);
    }

    /// Refusing them would keep every host from starting in a Kubernetes whose service is called kms-try.
    #[test]
    fn variables_that_are_no_setting_are_told_by_name_and_the_data_directory_is_none_of_them() {
        let environment =
            ["KMS_TRY_PORT", "KMS_TRY_LISSTEN", "KMS_TRY_DATA", "KMS_TRYS", "HOME"].map(|name| (name, "x"));
        let settings = read("", &environment).unwrap();
        assert_eq!(settings.unknown, ["KMS_TRY_LISSTEN", "KMS_TRY_PORT"]);
    }

    #[test]
    fn what_differs_in_a_later_reading_is_told_with_both_values() {
        let before = read("queue = 10", &[]).unwrap();
        let after = read("queue = 10\nlog = \"debug\"", &[("KMS_TRY_CACHE_MIB", "9")]).unwrap();
        let changes: Vec<_> =
            before.changes(&after).into_iter().map(|c| (c.key.name, c.old, c.new)).collect();
        let told = |key, old: &str, new: &str| (key, old.to_owned(), new.to_owned());
        assert_eq!(changes, [told("cache_mib", "64", "9"), told("log", "\"info\"", "\"debug\"")]);
        assert!(after.changes(&after).is_empty());
    }
}
