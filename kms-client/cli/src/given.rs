//! Puts the options of this command line into every command that the program prints, so that a remedy works when it is pasted.

use std::ffi::OsStr;

use program::arguments::quoted;
use serde_json::Value;

use crate::cli::{STATE_DIR, Setting};

/// The options of [`Setting`] that are neither defaults nor in the environment, as a shell takes them, each behind a space.
pub(crate) struct GivenOptions(String);

impl GivenOptions {
    pub(crate) fn of(setting: &Setting) -> GivenOptions {
        let Setting { product, state, dns, domains, hosts, tls_ca, tls_certificate, tls_key } = setting;
        let paths = [
            ("product", "KMS_PRODUCT", product.as_ref()),
            ("state", "KMS_STATE", Some(state)),
            ("tls-ca", "KMS_TLS_CA", tls_ca.as_ref()),
            ("tls-certificate", "KMS_TLS_CERTIFICATE", tls_certificate.as_ref()),
            ("tls-key", "KMS_TLS_KEY", tls_key.as_ref()),
        ];
        let mut given = Vec::new();
        for (name, variable, path) in paths {
            let set = std::env::var_os(variable).filter(|value| !value.is_empty());
            let usual = set.as_deref().or((name == "state").then(|| OsStr::new(STATE_DIR)));
            let path = path.filter(|path| Some(path.as_os_str()) != usual);
            given.extend(path.map(|path| (name, path.to_string_lossy().into_owned())));
        }
        given.extend(dns.map(|address| ("dns", address.to_string())));
        given.extend(domains.iter().map(|domain| ("domain", domain.clone())));
        given.extend(hosts.iter().map(|host| ("host", host.to_string())));
        let words = given.iter().map(|(name, value)| format!(" --{name} {}", quoted(value)));
        GivenOptions(words.collect())
    }

    /// This text, with the options in each of its commands: those in backticks, and those on an indented line.
    pub(crate) fn complete(&self, text: &str) -> String {
        let command =
            |before: &str| (format!("{before}kms-client "), format!("{before}kms-client{} ", self.0));
        let [(quoted, with), (indented, with_too)] = [command("`"), command("\n  ")];
        text.replace(&quoted, &with).replace(&indented, &with_too)
    }

    /// The same for every text in this value.
    pub(crate) fn complete_json(&self, value: &mut Value) {
        match value {
            Value::String(text) => *text = self.complete(text),
            Value::Array(values) => values.iter_mut().for_each(|value| self.complete_json(value)),
            Value::Object(fields) => fields.values_mut().for_each(|value| self.complete_json(value)),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
}
