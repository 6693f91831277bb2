//! Settings: one file, in TOML, and the environment. Unknown keys are refused, and every key has a default.
//!
//! A program declares its table with [`settings!`](crate::settings!), each setting once, and says in [`SettingTable`] what else a value
//! has to be. Here is what can be said of any table: its sample, its environment variables, its bounds. `sources` decides between file,
//! environment and command line; `values` reads values of the usual kinds.

mod sources;
pub mod values;

use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::watch;
use toml::{Table, Value};

pub use self::sources::{ChangedSetting, Origin, SettingSources, Settings};

/// One setting.
#[derive(Debug)]
pub struct Key {
    /// As in the file.
    pub name: &'static str,
    /// What it sets, in one paragraph.
    pub about: &'static str,
    /// A correct value, as an environment variable has it.
    pub example: &'static str,
    /// The smallest and the largest number, if it is a number with bounds.
    pub bounds: Option<(i64, i64)>,
    /// Whether only a new process takes up a new value.
    pub needs_restart: bool,
    /// Converts the value of an environment variable to that of the file.
    pub from_text: fn(&str) -> Result<Value, String>,
}

/// How the settings of a program are called.
#[derive(Debug)]
pub struct SettingNames {
    /// The program, as it is typed.
    pub program: &'static str,
    /// The name of the file in a data directory.
    pub file: &'static str,
    /// The data directory of the program that a package installs.
    pub usual_data: &'static str,
    /// The file of that program: Debian wants settings below /etc (policy 10.7.2).
    pub packaged_file: &'static str,
    /// What the environment variable of every key begins with.
    pub prefix: &'static str,
    /// Variables with that prefix that are no settings: the command line reads them.
    pub of_command_line: &'static [&'static str],
}

/// The key at fault, and what is wrong with its value.
pub type SettingFault = (&'static str, String);

/// The settings of a program, which [`settings!`](crate::settings!) declares.
pub trait SettingTable: Clone + Default + Serialize + DeserializeOwned {
    /// How they are called.
    const NAMES: SettingNames;

    /// Every setting, in the order of the sample.
    const KEYS: &'static [Key];

    /// Checks every value, with [`check_bounds`](SettingTable::check_bounds).
    ///
    /// # Errors
    /// The first fault.
    fn check(&self) -> Result<(), SettingFault>;

    /// Checks the bounds of all numbers.
    ///
    /// # Errors
    /// The first number that is too small or too large.
    fn check_bounds(&self) -> Result<(), SettingFault> {
        let values = self.values();
        for Key { name, bounds, .. } in Self::KEYS {
            let value = values.get(*name).and_then(Value::as_integer);
            if let (Some((least, most)), Some(value)) = (*bounds, value)
                && !(least..=most).contains(&value)
            {
                let unlimited = if least == 0 { "; 0 is no limit" } else { "" };
                return Err((name, format!("`{name}` must be from {least} to {most}{unlimited}")));
            }
        }
        Ok(())
    }

    /// Every setting with its value, as in the file.
    fn values(&self) -> Table {
        Table::try_from(self)
            .expect("every setting is a number, a text or a list of texts, and came out of TOML")
    }
}

/// Makes a table of settings, its default and its `KEYS` from one declaration for each setting: its text, name, type and default, the
/// reader and an example of its environment variable, whether a change applies at a reload or a restart, and the bounds of some numbers.
#[macro_export]
macro_rules! settings {
    (
        $(#[doc = $table_about:literal])+
        $visible:vis struct $table:ident;
        $(
            $(#[doc = $about:literal])+
            $(#[serde($($serde:tt)+)])?
            $name:ident: $type:ty = $default:expr, $from_text:ident, $example:literal, at $when:ident
                $(, from $least:literal to $most:expr)?;
        )+
    ) => {
        $(#[doc = $table_about])+
        #[derive(Clone, Debug, ::serde::Deserialize, ::serde::Serialize)]
        #[serde(deny_unknown_fields, default)]
        $visible struct $table {
            $($(#[doc = $about])+ $(#[serde($($serde)+)])? pub $name: $type,)+
        }

        impl Default for $table {
            fn default() -> $table {
                $table { $($name: $default,)+ }
            }
        }

        /// Every setting, in the order of the sample.
        $visible const KEYS: &[$crate::settings::Key] = &[$($crate::settings::Key {
            name: stringify!($name),
            about: concat!($($about),+),
            example: $example,
            bounds: $crate::settings!(@bounds $($least, $most)?),
            needs_restart: $crate::settings!(@needs_restart $when),
            from_text: $from_text,
        }),+];
    };
    (@bounds) => { None };
    (@bounds $least:literal, $most:expr) => { Some(($least, $most)) };
    (@needs_restart restart) => { true };
    (@needs_restart reload) => { false };
}

impl Key {
    /// The environment variable that overrides the file.
    pub fn variable<T: SettingTable>(&self) -> String {
        format!("{}{}", T::NAMES.prefix, self.name.to_ascii_uppercase())
    }

    /// The settings with the value of the environment variable.
    ///
    /// # Errors
    /// What is wrong with the text.
    pub fn set<T: SettingTable>(&self, settings: &T, text: &str) -> Result<T, String> {
        let mut values = settings.values();
        values.insert(self.name.to_owned(), (self.from_text)(text)?);
        values.try_into().map_err(|error: toml::de::Error| error.message().trim_end().to_owned())
    }

    /// The value in the sample: the default, or an example if there is none.
    fn sample_value(&self, defaults: &Table) -> Value {
        let example = || (self.from_text)(self.example).expect("a test reads every example");
        defaults.get(self.name).cloned().unwrap_or_else(example)
    }
}

/// A settings file that explains every key and sets none.
pub fn sample<T: SettingTable>() -> String {
    let defaults = T::default().values();
    let SettingNames { program, prefix, .. } = T::NAMES;
    let mut lines = vec![
        format!(
            "# The settings of {program}, each with its default. To change one, remove the # before its key. The environment variable"
        ),
        format!(
            "# {prefix}<KEY>, such as {prefix}LOG, overrides this file unless it is empty. The command line overrides both."
        ),
        format!("# `{program} config check` says whether all of it is correct."),
    ];
    for key in T::KEYS {
        let when = if key.needs_restart { "A change needs a restart." } else { "A reload applies a change." };
        lines.push(String::new());
        lines.extend(wrap(&format!("{} {when}", key.about)).iter().map(|line| format!("# {line}")));
        lines.push(format!("#{} = {}", key.name, key.sample_value(&defaults)));
    }
    lines.join("\n") + "\n"
}

/// Lines that fit beside a diff.
fn wrap(paragraph: &str) -> Vec<String> {
    const WIDTH: usize = 115;
    let mut lines: Vec<String> = Vec::new();
    for word in paragraph.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.len() + 1 + word.len() <= WIDTH => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// Calls `take_up` with the old and the new settings whenever they change, until their owner has gone.
pub async fn follow<T>(mut settings: watch::Receiver<Arc<T>>, mut take_up: impl FnMut(&T, &T)) {
    let mut old = settings.borrow_and_update().clone();
    while settings.changed().await.is_ok() {
        let new = settings.borrow_and_update().clone();
        take_up(&old, &new);
        old = new;
    }
}
