//! What a form or an address carries: names with values, each as often as it was sent.

use axum::extract::{FromRequest, Multipart, Query, Request};
use axum::http::Uri;
use axum::http::header::CONTENT_TYPE;

use crate::Web;
use crate::refused::PageRefusal;

/// Names with values, in the order in which they were sent.
#[derive(Clone, Debug, Default)]
pub(crate) struct FormFields(Vec<(String, String)>);

impl FormFields {
    /// Those of an address, behind the question mark. One that cannot be read has none.
    pub(crate) fn of_query(uri: &Uri) -> FormFields {
        Query::try_from_uri(uri).map_or_else(|_| FormFields::default(), |Query(fields)| FormFields(fields))
    }

    /// The first value of this name, without blanks around it; empty if it was not sent.
    pub(crate) fn one(&self, name: &str) -> &str {
        let sent = self.0.iter().find(|(sent, _)| sent == name);
        sent.map(|(_, value)| value.trim()).unwrap_or_default()
    }

    /// Every value of this name.
    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> + 'a {
        self.0.iter().filter(move |(sent, _)| sent == name).map(|(_, value)| value.as_str())
    }

    /// Whether this name was sent with this value.
    pub(crate) fn has(&self, name: &str, value: &str) -> bool {
        self.all(name).any(|sent| sent == value)
    }
}

/// The body of a form, with files or without. A file is a text like every other.
impl FromRequest<Web> for FormFields {
    type Rejection = PageRefusal;

    async fn from_request(request: Request, web: &Web) -> Result<FormFields, PageRefusal> {
        let kind = request.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        if !kind.is_some_and(|kind| kind.starts_with("multipart/form-data")) {
            let axum::Form(fields) = axum::Form::from_request(request, web).await?;
            return Ok(FormFields(fields));
        }
        let mut parts = Multipart::from_request(request, web).await.map_err(|_| PageRefusal::BadForm)?;
        let mut fields = Vec::new();
        while let Some(part) = parts.next_field().await.map_err(|error| of_part(&error))? {
            let name = part.name().unwrap_or_default().to_owned();
            let bytes = part.bytes().await.map_err(|error| of_part(&error))?;
            fields.push((name, String::from_utf8_lossy(&bytes).into_owned()));
        }
        Ok(FormFields(fields))
    }
}

fn of_part(error: &axum::extract::multipart::MultipartError) -> PageRefusal {
    match error.status() {
        axum::http::StatusCode::PAYLOAD_TOO_LARGE => PageRefusal::TooLarge,
        _ => PageRefusal::BadForm,
    }
}
