//! Hands mail to a server by SMTP.
//!
//! In the clear it speaks only to a server on the same machine: mails have links in them that let their readers in.

use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use kms_portal_rules::addresses::Address;
use kms_portal_texts::Language;
use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::message::{Mailbox, Message};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Tls, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use lettre::{AsyncSmtpTransport, AsyncTransport as _, Tokio1Executor};
use tonic::codegen::http::Uri;
use zeroize::Zeroizing;

use super::Undelivered;
use crate::db::PostedMessage;

/// How long one step of the dialogue may take.
const STEP: Duration = Duration::from_secs(20);

/// What a server says of an address that takes no mail (RFC 5321, 4.2.3): unknown, elsewhere, misspelt, or without mail (RFC 7504).
const REFUSED_FOR_GOOD: [u16; 4] = [550, 551, 553, 556];

/// Where a mail server is: `smtps://HOST`, or `smtp://HOST` for one that turns to TLS (STARTTLS).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MailServerUrl {
    host: String,
    port: u16,
    /// TLS from the first byte on.
    is_tls: bool,
}

impl MailServerUrl {
    /// Reads one. It has no path and no password.
    pub(crate) fn new(typed: &str) -> Option<MailServerUrl> {
        let url: Uri = typed.strip_suffix('/').unwrap_or(typed).parse().ok()?;
        let is_tls = match url.scheme_str()? {
            "smtps" => true,
            "smtp" => false,
            _ => return None,
        };
        let authority = url.authority().filter(|authority| !authority.as_str().contains('@'))?;
        let is_all = matches!(url.path(), "" | "/") && url.query().is_none();
        let host = authority.host().trim_matches(['[', ']']).to_owned();
        let port = authority.port_u16().unwrap_or(if is_tls { 465 } else { 587 });
        (is_all && !host.is_empty()).then_some(MailServerUrl { host, port, is_tls })
    }

    fn is_here(&self) -> bool {
        self.host == "localhost" || self.host.parse().is_ok_and(|address: IpAddr| address.is_loopback())
    }
}

/// Who mails are from, such as `Example Licenses <licenses@example.com>`. None if it is no address.
pub(crate) fn sender(typed: &str) -> Option<Mailbox> {
    typed.parse().ok()
}

/// A mail server, and who mails are from.
#[derive(Clone, Debug)]
pub struct MailServer {
    url: MailServerUrl,
    /// The file with name and password; none for a server that wants none.
    credentials: Option<PathBuf>,
    from: Mailbox,
}

impl MailServer {
    /// A server at this URL. None if that or the sender is not what it has to be.
    pub fn new(url: &str, credentials: Option<PathBuf>, from: &str) -> Option<MailServer> {
        Some(MailServer { url: MailServerUrl::new(url)?, credentials, from: sender(from)? })
    }

    /// Hands the server a mail. Each try has the same Message-ID, so a reader that gets it twice can tell.
    pub(super) async fn send(
        &self,
        posted: &PostedMessage,
        to: &str,
        language: Language,
        subject: &str,
        body: &str,
    ) -> Result<(), Undelivered> {
        let never = |fault: String| Undelivered { fault, is_useless: true };
        let to = mailbox(to).ok_or_else(|| never("mail cannot be sent to this address".to_owned()))?;
        let posted_ms = posted.posted_at.unix_ms();
        let id = format!("<{}.{posted_ms}@{}>", posted.number, self.from.email.domain());
        let sent_at = SystemTime::UNIX_EPOCH + Duration::from_millis(posted_ms.try_into().unwrap_or(0));
        let header =
            |name, value: &str| HeaderValue::new(HeaderName::new_from_ascii_str(name), value.to_owned());
        let mail = Message::builder()
            .from(self.from.clone())
            .to(to)
            .subject(subject)
            .message_id(Some(id))
            .date(sent_at)
            // Nobody's holiday notice answers it (RFC 3834).
            .raw_header(header("Auto-Submitted", "auto-generated"))
            .raw_header(header("Content-Language", language.tag()))
            .header(ContentType::TEXT_PLAIN)
            .body(body.to_owned())
            .map_err(|error| never(error.to_string()))?;
        self.transport()?.send(mail).await.map(drop).map_err(|error| Undelivered {
            is_useless: error.status().is_some_and(|code| REFUSED_FOR_GOOD.contains(&code.into())),
            fault: error.to_string(),
        })
    }

    fn transport(&self) -> Result<AsyncSmtpTransport<Tokio1Executor>, Undelivered> {
        let MailServerUrl { host, port, is_tls } = &self.url;
        let parameters = || TlsParameters::new(host.clone()).map_err(Undelivered::later);
        let tls = match (*is_tls, self.url.is_here()) {
            (true, _) => Tls::Wrapper(parameters()?),
            (false, true) => Tls::None,
            (false, false) => Tls::Required(parameters()?),
        };
        let mut transport = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(host.as_str())
            .port(*port)
            .tls(tls)
            .timeout(Some(STEP))
            .hello_name(ClientId::Domain(self.from.email.domain().to_owned()));
        if let Some(file) = &self.credentials {
            transport = transport.credentials(credentials(file)?);
        }
        Ok(transport.build())
    }
}

/// The name on the first line and the password on the second.
fn credentials(file: &Path) -> Result<Credentials, Undelivered> {
    let text = fs::read_to_string(file).map(Zeroizing::new);
    let text = text.map_err(|error| Undelivered::later(format!("{}: {error}", file.display())))?;
    let mut lines = text.lines();
    let (Some(name), Some(password)) = (lines.next(), lines.next()) else {
        let form = "the first line is the name and the second the password";
        return Err(Undelivered::later(format!("{}: {form}", file.display())));
    };
    Ok(Credentials::new(name.to_owned(), password.to_owned()))
}

/// The address as servers want it: the domain in letters of ASCII.
fn mailbox(typed: &str) -> Option<Mailbox> {
    let address = Address::new(typed)?;
    let (local, _) = address.typed().rsplit_once('@')?;
    Some(Mailbox::new(None, lettre::Address::new(local, address.domain()).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_has_a_host_and_a_port_and_nothing_else() {
        let url = |typed| MailServerUrl::new(typed).map(|url| (url.host, url.port, url.is_tls));
        assert_eq!(url("smtps://mail.example.com"), Some(("mail.example.com".to_owned(), 465, true)));
        assert_eq!(url("smtp://[::1]:2525/"), Some(("::1".to_owned(), 2525, false)));
        for wrong in
            ["", "mail.example.com", "http://x.example", "smtp://a:b@x.example", "smtp://x.example/y"]
        {
            assert_eq!(url(wrong), None, "{wrong}");
        }
        for (typed, is_here) in
            [("smtp://127.0.0.1", true), ("smtp://localhost", true), ("smtp://10.0.0.1", false)]
        {
            assert_eq!(MailServerUrl::new(typed).unwrap().is_here(), is_here, "{typed}");
        }
    }

    #[test]
    fn mail_goes_to_the_domain_in_its_one_form_and_to_the_name_as_it_was_typed() {
        let to = |typed| mailbox(typed).map(|to| to.email.to_string());
        assert_eq!(to("Ann@B\u{fc}cher.example"), Some("Ann@xn--bcher-kva.example".to_owned()));
        assert_eq!(to("no address"), None);
    }
}
