//! What an organisation has bought: seats and features. A product has those that each of its customers gets.
//!
//! Both are signed into host certificates. `shared::features` says how a feature is written.

use std::num::NonZeroU32;

use clap::Args;
use shared::features::Features;

use crate::error::VendorError;

/// Seats and features, for a product or for one certificate.
#[derive(Clone, Debug, Default, PartialEq, Eq, Args)]
#[command(next_help_heading = "Contract")]
pub struct Contract {
    /// Number of machines that an organisation has paid for. Hosts show it beside the count, and refuse nobody above it.
    #[arg(long, value_name = "N")]
    pub seats: Option<NonZeroU32>,
    /// Feature that an organisation has bought, such as export: 1 to 32 characters of a-z, 0-9, '.', '_' and '-'. Repeat it for several.
    #[arg(long = "feature", value_name = "FEATURE", value_parser = parse_feature)]
    pub features: Vec<String>,
}

impl Contract {
    /// The features, in order and each once.
    pub(crate) fn features(&self) -> Result<Features, VendorError> {
        Features::new(&self.features).map_err(VendorError::Features)
    }

    /// What a certificate says: its own seats, or those of the product; and the features of both.
    pub(crate) fn over(&self, product: &Contract) -> Contract {
        let features = product.features.iter().chain(&self.features).cloned().collect();
        Contract { seats: self.seats.or(product.seats), features }
    }
}

fn parse_feature(text: &str) -> Result<String, String> {
    Features::new([text]).map(|_| text.to_owned()).map_err(|error| error.to_string())
}
