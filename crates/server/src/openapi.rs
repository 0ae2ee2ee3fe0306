//! The description of the API: the document, and the page that shows it, with assets of our own.

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::Path,
    http::{HeaderValue, header},
    response::{IntoResponse, Redirect, Response},
    routing::get,
};
use utoipa::openapi::{
    ContentBuilder, OpenApi, Ref, RefOr, ResponseBuilder,
    security::{HttpAuthScheme, HttpBuilder, SecurityScheme},
};

use crate::{
    error::{ApiError, Kind},
    state::AppState,
};

/// Title, version and how to sign in.
pub(crate) fn base() -> OpenApi {
    let mut document = OpenApi::default();
    document.info.title = "AI-Across".into();
    document.info.version = env!("CARGO_PKG_VERSION").into();
    let refusals = Kind::ALL
        .iter()
        .map(|kind| format!("{} ({})", kind.name, kind.status.as_u16()));
    document.info.description = Some(format!(
        "Assistants that answer from their files, with citations. Sign in with POST /api/v1/users/login and send the \
         access token as a bearer token. Every refusal has the shape of ErrorBody; its error is one of: {}.",
        refusals.collect::<Vec<_>>().join(", ")
    ));
    let bearer = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .bearer_format("JWT")
        .build();
    let mut components = utoipa::openapi::Components::new();
    components.add_security_scheme("bearer", SecurityScheme::Http(bearer));
    document.components = Some(components);
    document
}

/// Adds the refusals that do not depend on a route's handler, so that every answer a client may meet is described.
pub(crate) fn complete(mut document: OpenApi) -> OpenApi {
    for (path, item) in &mut document.paths.paths {
        let has_id = path.contains('{');
        let operations = [
            &mut item.get,
            &mut item.put,
            &mut item.post,
            &mut item.patch,
            &mut item.delete,
        ];
        for operation in operations.into_iter().flatten() {
            // Whoever only watches the process is let through always.
            let is_watch = matches!(path.as_str(), "/api/v1/health" | "/api/v1/ready");
            let kinds = [
                (operation.request_body.is_some(), &BODY[..]),
                (operation.security.is_some(), &SIGNED[..]),
                (has_id, &[Kind::NOT_FOUND][..]),
                (!is_watch, &[Kind::RATE_LIMIT, Kind::UNAVAILABLE][..]),
            ];
            let kinds = kinds.into_iter().filter(|(applies, _)| *applies);
            for kind in kinds.flat_map(|(_, kinds)| kinds) {
                let described = operation.responses.responses.entry(kind.status.as_str().to_owned());
                described.or_insert_with(|| refusal(*kind));
            }
        }
    }
    document
}

/// What may be wrong with any body.
const BODY: [Kind; 5] = [
    Kind::MALFORMED,
    Kind::TIMEOUT,
    Kind::TOO_LARGE,
    Kind::MEDIA_TYPE,
    Kind::VALIDATION,
];
/// What may be wrong with whoever asks.
const SIGNED: [Kind; 2] = [Kind::AUTHENTICATION, Kind::PERMISSION];

fn refusal(kind: Kind) -> RefOr<utoipa::openapi::Response> {
    let content = ContentBuilder::new()
        .schema(Some(Ref::from_schema_name("ErrorBody")))
        .build();
    RefOr::T(
        ResponseBuilder::new()
            .description(kind.name)
            .content("application/json", content)
            .build(),
    )
}

/// The whole document, without a server behind it.
#[must_use]
pub fn document() -> OpenApi {
    crate::router::described()
}

/// `/openapi.json`, `/docs` and its assets.
pub(crate) fn routes(document: &OpenApi) -> Router<AppState> {
    let document = document.clone();
    let config = Arc::new(utoipa_swagger_ui::Config::from("/openapi.json"));
    Router::new()
        .route("/openapi.json", get(async move || Json(document)))
        .route("/docs", get(async || Redirect::permanent("/docs/")))
        .route(
            "/docs/",
            get({
                let config = Arc::clone(&config);
                async move || asset("index.html", config)
            }),
        )
        .route(
            "/docs/{*file}",
            get(async move |Path(file): Path<String>| asset(&file, config)),
        )
}

fn asset(name: &str, config: Arc<utoipa_swagger_ui::Config<'static>>) -> Response {
    let Ok(Some(file)) = utoipa_swagger_ui::serve(name, config) else {
        return ApiError::not_found().into_response();
    };
    let mut response = file.bytes.into_owned().into_response();
    let headers = response.headers_mut();
    if let Ok(kind) = HeaderValue::from_str(&file.content_type) {
        headers.insert(header::CONTENT_TYPE, kind);
    }
    // The page styles its elements inline; it shows nothing but our own document.
    headers.insert(
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(
            "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
             connect-src 'self'; base-uri 'none'; frame-ancestors 'none'; form-action 'none'",
        ),
    );
    response
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    /// Generated clients name their functions after these ids.
    #[test]
    fn every_operation_has_its_own_id() {
        let document = serde_json::to_value(super::document()).unwrap();
        let paths = document["paths"].as_object().unwrap().values();
        let operations = paths.flat_map(|path| path.as_object().unwrap().values());
        let ids: Vec<_> = operations
            .filter_map(|operation| operation["operationId"].as_str())
            .collect();
        assert!(!ids.is_empty());
        assert_eq!(ids.iter().collect::<HashSet<_>>().len(), ids.len(), "{ids:?}");
    }
}
