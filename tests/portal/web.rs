//! The portal's pages and API as a browser meets them: real listener, real requests, both databases.
//!
//! A story gets a [`Site`]: a portal with nobody in it, whose clock the story moves. [`Browser`] keeps cookies and sends forms.

mod accounts;
mod api;
mod browser;
mod devices;
mod domains;
mod driven;
mod frame;
mod organisation;
mod secure;

use std::net::SocketAddr;
use std::sync::Arc;

use kms_portal::api::PortalCore;
use kms_portal::battery::{Opened, PASSWORD, World};
use kms_portal::rules::rights::AdminRole;
use kms_portal::web_address::WebAddress;
use server::accept::{Admission, Door, DoorSettings, Limits, serve_pages};
use server::tls::Tls;
use tokio_util::sync::{CancellationToken, DropGuard};
use world::TestClock;

pub(crate) use browser::Browser;

/// A portal with pages.
pub(crate) struct Site {
    /// The words of the battery, on the same database.
    pub(crate) world: World,
    pub(crate) portal: Arc<PortalCore>,
    pub(crate) clock: Arc<TestClock>,
    at: SocketAddr,
    _stops: DropGuard,
}

impl Site {
    async fn open(opened: Opened) -> Site {
        Site::serve(World::new(opened).await, Tls::Off, None).await
    }

    /// Serves pages with this TLS, at this address or at its own.
    async fn serve(world: World, tls: Tls, address: Option<WebAddress>) -> Site {
        Site::serve_with(world, tls, address, |portal| portal).await
    }

    /// Serves pages of a portal that the story has changed.
    async fn serve_with(
        world: World,
        tls: Tls,
        address: Option<WebAddress>,
        change: impl FnOnce(PortalCore) -> PortalCore,
    ) -> Site {
        let clock = Arc::new(TestClock::at(world.now));
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let at = listener.local_addr().unwrap();
        let own = || WebAddress::new(&format!("http://localhost:{}", at.port())).unwrap();
        let address = address.unwrap_or_else(own);
        let portal = Arc::new(change(world.portal(clock.clone()).with_pages_at(Some(address.clone()))));
        let settings = DoorSettings {
            connections: 64,
            connections_per_address: 64,
            calls_per_connection: 8,
            allow: Vec::new(),
        };
        let admission = Admission { settings, limits: Limits { in_all: 64, per_address: 64 }, tls };
        let door = Door::new(admission, "kms-portal.toml", Arc::new(()));
        let stop = CancellationToken::new();
        let site = kms_portal_web::site(portal.clone(), address);
        tokio::spawn(serve_pages(door, site, vec![listener], stop.clone().cancelled_owned()));
        Site { world, portal, clock, at, _stops: stop.drop_guard() }
    }

    /// Its address, as people type it.
    pub(crate) fn url(&self) -> String {
        format!("http://localhost:{}", self.at.port())
    }

    /// A browser that has never been here.
    pub(crate) fn browser(&self) -> Browser {
        Browser::new(self.at)
    }

    /// A browser in which somebody has signed in who is in the organisation and has these roles.
    pub(crate) async fn employee(&self, address: &str, roles: &[AdminRole]) -> Browser {
        self.world.employee(address, roles).await;
        self.signed_in(address).await
    }

    /// A browser in which the person with this address has signed in.
    pub(crate) async fn signed_in(&self, address: &str) -> Browser {
        let mut browser = self.browser();
        browser.post("/sign-in", &[("address", address), ("password", PASSWORD)]).await.is(303);
        browser
    }
}

/// Makes a test of each story on both databases.
macro_rules! on_both {
    ($($story:ident)*) => {
        mod on_sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $story() {
                super::$story(crate::web::opened(crate::open::sqlite().await).await.unwrap()).await;
            })*
        }

        mod on_postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $story() {
                let Some(site) = crate::web::opened(crate::open::postgres().await).await else { return };
                super::$story(site).await;
            })*
        }
    };
}
pub(crate) use on_both;

pub(crate) async fn opened(opened: Option<Opened>) -> Option<Site> {
    Some(Site::open(opened?).await)
}
