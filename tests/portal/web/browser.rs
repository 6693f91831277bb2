//! A browser without a screen: it keeps cookies, follows nothing by itself, and says which site a form is from.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::SocketAddr;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1;
use hyper::header::{CONTENT_TYPE, COOKIE, HOST, HeaderMap, LOCATION, SET_COOKIE};
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// A browser. Cookies are its memory.
pub(crate) struct Browser {
    at: SocketAddr,
    pub(crate) cookies: BTreeMap<String, String>,
    /// Headers that it sends with every request.
    pub(crate) headers: Vec<(&'static str, String)>,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Got {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Got {
    /// Where it sends the browser.
    pub(crate) fn location(&self) -> &str {
        self.headers.get(LOCATION).map(|there| there.to_str().unwrap()).unwrap_or_default()
    }

    /// It is this status, or the story ends with what came instead.
    #[track_caller]
    pub(crate) fn is(self, status: u16) -> Got {
        assert_eq!(self.status, status, "{:?} {}", self.headers, self.body);
        self
    }

    /// The page says so.
    #[track_caller]
    pub(crate) fn says(self, text: &str) -> Got {
        assert!(self.body.contains(text), "no {text:?} in {} {}", self.status, self.body);
        self
    }

    /// The page does not say so.
    #[track_caller]
    pub(crate) fn never_says(self, text: &str) -> Got {
        assert!(!self.body.contains(text), "{text:?} in {} {}", self.status, self.body);
        self
    }
}

impl Browser {
    pub(crate) fn new(at: SocketAddr) -> Browser {
        Browser { at, cookies: BTreeMap::new(), headers: Vec::new() }
    }

    /// The port of the site.
    pub(crate) fn port(&self) -> u16 {
        self.at.port()
    }

    pub(crate) async fn get(&mut self, path: &str) -> Got {
        self.send(Method::GET, path, "", Bytes::new()).await
    }

    /// Sends a form of a page of this site.
    pub(crate) async fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Got {
        let form = form(fields);
        self.send(Method::POST, path, "application/x-www-form-urlencoded", form.into()).await
    }

    pub(crate) async fn send(&mut self, method: Method, path: &str, kind: &str, body: Bytes) -> Got {
        let (sender, connection) =
            http1::handshake(TokioIo::new(TcpStream::connect(self.at).await.unwrap())).await.unwrap();
        let mut sender = sender;
        let connection = tokio::spawn(connection);
        let mut request =
            Request::builder().method(method).uri(path).header(HOST, format!("localhost:{}", self.port()));
        if !kind.is_empty() {
            request = request.header(CONTENT_TYPE, kind);
        }
        if !self.cookies.is_empty() {
            let cookies: Vec<_> =
                self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
            request = request.header(COOKIE, cookies.join("; "));
        }
        for (name, value) in &self.headers {
            request = request.header(*name, value);
        }
        let answer = sender.send_request(request.body(Full::new(body)).unwrap()).await.unwrap();
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        connection.abort();
        for set in headers.get_all(SET_COOKIE) {
            let set = set.to_str().unwrap();
            let (name, value) = set.split(';').next().unwrap().split_once('=').unwrap();
            if set.contains("Max-Age=0") {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        Got { status, headers, body: String::from_utf8_lossy(&body).into_owned() }
    }
}

/// A form as browsers send it.
pub(crate) fn form(fields: &[(&str, &str)]) -> String {
    let fields = fields.iter().map(|(name, value)| format!("{}={}", escaped(name), escaped(value)));
    fields.collect::<Vec<_>>().join("&")
}

fn escaped(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._".contains(&byte) {
            out.push(char::from(byte));
        } else {
            write!(out, "%{byte:02X}").unwrap();
        }
    }
    out
}
