//! The OpenAPI 3.1 document, made from the table of calls.

use std::collections::BTreeMap;

use axum::Json;
use axum::http::Method;
use axum::response::{IntoResponse as _, Response};
use utoipa::openapi::path::{OperationBuilder, ParameterBuilder, ParameterIn, PathItemBuilder, PathsBuilder};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{
    ComponentsBuilder, ContentBuilder, HeaderBuilder, HttpMethod, InfoBuilder, OpenApi, OpenApiBuilder, Ref,
    RefOr, Required, ResponseBuilder,
};
use utoipa::{IntoParams, PartialSchema as _, ToSchema};

use super::calls::{API_CALLS, ApiCall};
use super::once::{KEY, REPLAYED};
use super::problem::{PROBLEM_JSON, ProblemBody, ProblemKind};
use super::{BASE, problem};

/// How calls prove who they are.
const SCHEME: &str = "token";

/// What a call takes and answers.
pub(super) struct Shape {
    operation: OperationBuilder,
    schemas: BTreeMap<String, RefOr<Schema>>,
}

impl Shape {
    fn of(call: &ApiCall) -> Shape {
        let roles: Vec<_> = call.act.allowed().iter().map(|role| role.name()).collect();
        let mut operation = OperationBuilder::new()
            .operation_id(Some(call.name))
            .summary(Some(call.about))
            .description(Some(format!("Needs one of the roles: {}.", roles.join(", "))));
        for name in call.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}')) {
            let id = ParameterBuilder::new().name(name).parameter_in(ParameterIn::Path);
            operation = operation.parameter(id.required(Required::True).schema(Some(id_schema())));
        }
        if call.method == Method::POST {
            let about = "Carry the call out once: the same request with the same key gets the same answer for 24 hours";
            let text = ObjectBuilder::new().schema_type(Type::String);
            let text = text.min_length(Some(1)).max_length(Some(255)).pattern(Some("^[!-~]+$"));
            let key = ParameterBuilder::new().name(KEY.as_str()).parameter_in(ParameterIn::Header);
            operation = operation.parameter(key.description(Some(about)).schema(Some(text)));
        }
        Shape { operation, schemas: BTreeMap::new() }
    }

    /// Whether any call of the same form can be refused like this.
    fn problems(call: &ApiCall) -> impl Iterator<Item = u16> + use<'_> {
        let mut statuses: Vec<u16> = ProblemKind::ALL.iter().map(|kind| kind.told().0.as_u16()).collect();
        statuses.dedup();
        let has_body = matches!(call.method, Method::POST | Method::PUT);
        statuses.into_iter().filter(move |status| match status {
            405 => false,
            413 | 415 | 422 => has_body,
            409 => call.method != Method::GET,
            _ => true,
        })
    }

    /// It is narrowed by these parameters.
    pub(super) fn query<Q: IntoParams>(mut self) -> Shape {
        self.operation = self.operation.parameters(Some(Q::into_params(|| Some(ParameterIn::Query))));
        self
    }

    /// It takes such a body.
    pub(super) fn takes<B: ToSchema>(mut self) -> Shape {
        let content = ContentBuilder::new().schema(Some(self.reference::<B>()));
        let body =
            RequestBodyBuilder::new().content("application/json", content).required(Some(Required::True));
        self.operation = self.operation.request_body(Some(body.build()));
        self
    }

    /// It answers so where it is done.
    pub(super) fn answers<A: ToSchema>(mut self, status: u16) -> Shape {
        let content = ContentBuilder::new().schema(Some(self.reference::<A>()));
        let answer = ResponseBuilder::new().description("Done").content("application/json", content);
        self.operation = self.operation.response(status.to_string(), replayed(answer));
        self
    }

    /// It answers nothing where it is done.
    pub(super) fn done(mut self) -> Shape {
        self.operation = self.operation.response("204", replayed(ResponseBuilder::new().description("Done")));
        self
    }

    fn reference<T: ToSchema>(&mut self) -> Ref {
        let mut nested = Vec::new();
        T::schemas(&mut nested);
        self.schemas.extend(nested);
        self.schemas.insert(T::name().into_owned(), T::schema());
        Ref::from_schema_name(T::name())
    }
}

/// An answer that may have been given before.
fn replayed(answer: ResponseBuilder) -> ResponseBuilder {
    let text = ObjectBuilder::new().schema_type(Type::String).enum_values(Some(["true"]));
    let header = HeaderBuilder::new().description(Some("The answer was given before")).schema(Some(text));
    answer.header(REPLAYED.as_str(), header.build())
}

/// 32 hexadecimal digits.
pub(super) fn id_schema() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String).pattern(Some("^[0-9a-f]{32}$"))
}

/// The document.
pub fn document() -> OpenApi {
    let mut paths = PathsBuilder::new();
    let mut schemas = BTreeMap::from([(ProblemBody::name().into_owned(), ProblemBody::schema())]);
    for call in API_CALLS {
        let mut shape = (call.shape)(Shape::of(call));
        for status in Shape::problems(call) {
            shape.operation =
                shape.operation.response(status.to_string(), Ref::from_response_name("Problem"));
        }
        schemas.extend(shape.schemas);
        let item = PathItemBuilder::new().operation(http_method(&call.method), shape.operation.build());
        paths = paths.path(format!("{BASE}{}", call.path), item.build());
    }
    let content = ContentBuilder::new().schema(Some(Ref::from_schema_name(ProblemBody::name())));
    let refused = ResponseBuilder::new().description("Refused").content(PROBLEM_JSON, content.build());
    let token = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .description(Some("A token that a general administrator of the organisation has made: `kmso_..`"));
    let components = ComponentsBuilder::new()
        .schemas_from_iter(schemas)
        .response("Problem", refused.build())
        .security_scheme(SCHEME, SecurityScheme::Http(token.build()));
    let about = format!(
        "What administrators do, for programs of their organisation. Times are in UTC, as in RFC 3339.\n\n\
         Whatever is refused is told as problem details (RFC 9457), whose `type` is `/api/v1/problems/` and one of these:\n\n{}",
        problem::table()
    );
    let info = InfoBuilder::new().title("Customer portal").version("1").description(Some(about));
    OpenApiBuilder::new()
        .info(info.build())
        .paths(paths.build())
        .components(Some(components.build()))
        .security(Some([SecurityRequirement::new(SCHEME, [""; 0])]))
        .build()
}

fn http_method(method: &Method) -> HttpMethod {
    match *method {
        Method::POST => HttpMethod::Post,
        Method::PUT => HttpMethod::Put,
        Method::PATCH => HttpMethod::Patch,
        Method::DELETE => HttpMethod::Delete,
        _ => HttpMethod::Get,
    }
}

/// Shows the document. It needs no token.
pub(super) async fn show() -> Response {
    Json(document()).into_response()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Programs are made from the document, so what it says is what the portal does. KMS_REGENERATE=1 writes it.
    #[test]
    fn the_document_in_the_guide_is_the_one_that_is_served() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/portal-openapi.json");
        let made = serde_json::to_string_pretty(&document()).unwrap() + "\n";
        if std::env::var_os("KMS_REGENERATE").is_some() {
            std::fs::write(path, &made).unwrap();
        }
        assert!(
            std::fs::read_to_string(path).unwrap() == made,
            "docs/portal-openapi.json: KMS_REGENERATE=1 writes it"
        );
    }

    #[test]
    fn the_guide_has_every_problem() {
        let guide = include_str!("../../../../docs/portal.md");
        assert!(guide.contains(&problem::table()), "docs/portal.md needs:\n{}", problem::table());
    }

    #[test]
    fn every_call_has_a_name_of_its_own_and_takes_its_ids_from_the_path() {
        let names: BTreeSet<_> = API_CALLS.iter().map(|call| call.name).collect();
        assert_eq!(names.len(), API_CALLS.len());
        let paths: BTreeSet<_> = API_CALLS.iter().map(|call| (call.method.as_str(), call.path)).collect();
        assert_eq!(paths.len(), API_CALLS.len());
    }
}
