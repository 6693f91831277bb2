//! How offers and services are called, and what is said of them.

use std::collections::BTreeMap;

use kms_portal::db::NamedOffer;
use kms_portal::rules::conflicts::WayOut;
use kms_portal::rules::offers::{Misfit, OfferName, ServiceName};
use kms_portal::rules::seats::NotAssigned;

use crate::Web;
use crate::frame::Frame;
use crate::refused::PageRefusal;

/// What is sold, with what people read of it.
pub(super) struct Titles {
    /// By name.
    pub(super) offers: Vec<NamedOffer>,
    services: BTreeMap<ServiceName, String>,
}

impl Titles {
    pub(super) async fn read(web: &Web) -> Result<Titles, PageRefusal> {
        let offers = web.portal.db.named_offers().await?;
        let services = offers.iter().flat_map(|offer| &offer.services);
        let services = services.map(|(name, service)| (name.clone(), service.title.clone())).collect();
        Ok(Titles { offers, services })
    }

    pub(super) fn named(&self, name: &str) -> Option<&NamedOffer> {
        self.offers.iter().find(|offer| offer.name.as_str() == name)
    }

    pub(super) fn offer(&self, name: &OfferName) -> String {
        self.named(name.as_str()).map_or_else(|| name.to_string(), |offer| offer.title.clone())
    }

    fn service(&self, name: &ServiceName) -> String {
        self.services.get(name).cloned().unwrap_or_else(|| name.to_string())
    }

    /// Several offers, in one line.
    pub(super) fn line<'a>(&self, offers: impl IntoIterator<Item = &'a OfferName>) -> String {
        offers.into_iter().map(|offer| self.offer(offer)).collect::<Vec<_>>().join(", ")
    }

    pub(super) fn misfit(&self, frame: &Frame, misfit: &Misfit) -> String {
        match misfit {
            Misfit::NoLocation => frame.t("misfit-no-location"),
            Misfit::NotOfferedThere { service, country } => {
                frame.t2("misfit-not-there", "service", self.service(service), "country", country)
            }
            Misfit::Excludes { one, other } => {
                frame.t2("misfit-excludes", "one", self.service(one), "other", self.service(other))
            }
            Misfit::Requires { service, missing } => frame.t2(
                "misfit-requires",
                "service",
                self.service(service),
                "missing",
                self.service(missing),
            ),
        }
    }

    pub(super) fn not_assigned(&self, frame: &Frame, cause: &NotAssigned) -> String {
        match cause {
            NotAssigned::NotBought(offer) => frame.t1("refused-not-bought", "offer", self.offer(offer)),
            NotAssigned::NoSeat(offer) => frame.t1("refused-no-seat", "offer", self.offer(offer)),
            NotAssigned::Misfit(misfit) => self.misfit(frame, misfit),
            NotAssigned::NotForAll => frame.t("refused-not-for-all"),
        }
    }
}

/// The ways out of a conflict, in one line.
pub(super) fn ways_out(frame: &Frame, ways: &[WayOut]) -> String {
    let ways = ways.iter().map(|way| match way {
        WayOut::Renew => frame.t("way-renew"),
        WayOut::BuySeats => frame.t("way-buy"),
        WayOut::Revoke => frame.t("way-revoke"),
        WayOut::SwitchServices => frame.t("way-switch"),
        WayOut::SetLocation => frame.t("way-location"),
    });
    ways.collect::<Vec<_>>().join(", ")
}
