//! The options that set a product's numbers: for `kms-vendor product add`, and for who plays a product with other numbers.
//!
//! `shared::policy` says which of them are valid.

use std::time::Duration;

use clap::Args;
use shared::policy::Policy;

use crate::text::parse_length;

/// The product's numbers. Those that are not given have their defaults.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Numbers")]
pub struct Numbers {
    /// Number of machines that must be counted before leases are issued [default: 25].
    #[arg(long, value_name = "N")]
    threshold: Option<u32>,
    /// How long a lease is valid [default: 180d].
    #[arg(long, value_name = "LENGTH", value_parser = parse_length)]
    validity: Option<Duration>,
    /// How often a licensed machine renews its lease [default: 7d].
    #[arg(long, value_name = "LENGTH", value_parser = parse_length)]
    renew_interval: Option<Duration>,
    /// How often an unlicensed machine asks [default: 2h].
    #[arg(long, value_name = "LENGTH", value_parser = parse_length)]
    retry_interval: Option<Duration>,
    /// Delay after the first failed renewal. It doubles with each further failure [default: 2h].
    #[arg(long, value_name = "LENGTH", value_parser = parse_length)]
    renew_retry: Option<Duration>,
    /// Longest delay after failed renewals [default: 1d].
    #[arg(long, value_name = "LENGTH", value_parser = parse_length)]
    renew_retry_max: Option<Duration>,
    /// How long a machine stays in the count after its last ask [default: 30d].
    #[arg(long, value_name = "LENGTH", value_parser = parse_length)]
    count_window: Option<Duration>,
    /// How long before its end a lease is reported to expire soon [default: 30d].
    #[arg(long, value_name = "LENGTH", value_parser = parse_length)]
    expiry_warning: Option<Duration>,
    /// Largest difference allowed between the clocks of a machine and its host [default: 4h].
    #[arg(long, value_name = "LENGTH", value_parser = parse_length)]
    clock_tolerance: Option<Duration>,
}

impl Numbers {
    /// Overrides the defaults with the numbers that were given.
    pub fn over(&self, defaults: Policy) -> Policy {
        Policy {
            validity: self.validity.unwrap_or(defaults.validity),
            renew_interval: self.renew_interval.unwrap_or(defaults.renew_interval),
            retry_interval: self.retry_interval.unwrap_or(defaults.retry_interval),
            renew_retry: self.renew_retry.unwrap_or(defaults.renew_retry),
            renew_retry_max: self.renew_retry_max.unwrap_or(defaults.renew_retry_max),
            count_window: self.count_window.unwrap_or(defaults.count_window),
            threshold: self.threshold.unwrap_or(defaults.threshold),
            expiry_warning: self.expiry_warning.unwrap_or(defaults.expiry_warning),
            clock_tolerance: self.clock_tolerance.unwrap_or(defaults.clock_tolerance),
        }
    }
}
