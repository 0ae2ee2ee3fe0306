//! Every route on one page, each with who may call it.

use across::actor::Role;
use axum::{Router, extract::DefaultBodyLimit, middleware as layers, response::IntoResponse as _, routing::get};
use tower_http::catch_panic::CatchPanicLayer;
use utoipa_axum::{
    router::{OpenApiRouter, UtoipaMethodRouter, UtoipaMethodRouterExt as _},
    routes,
};

use crate::{
    api::{
        api_keys, assistants, auth, conversations, files, health, messages, models, notices, quotas, statistics, usage,
    },
    auth::{Access, check},
    error::{ApiError, Kind},
    idempotency, middleware, openapi, spa,
    state::AppState,
};

const ANYONE: Access = Access::Public;
const USER: Access = Access::Signed(Role::User);
const MANAGER: Access = Access::Signed(Role::Manager);
const ADMIN: Access = Access::Signed(Role::Admin);

/// The only way to add a route: with its rule. Without a state the routes are only described.
struct Api {
    state: Option<AppState>,
    routes: OpenApiRouter<AppState>,
}

impl Api {
    fn add(mut self, access: Access, route: UtoipaMethodRouter<AppState>) -> Self {
        let guarded = match &self.state {
            Some(state) => route.layer(layers::from_fn_with_state((state.clone(), access), check)),
            None => route,
        };
        self.routes = self.routes.routes(guarded);
        self
    }

    /// Adds a route whose POST requests may be sent twice and are done once.
    fn add_once(self, access: Access, route: UtoipaMethodRouter<AppState>) -> Self {
        let route = match &self.state {
            Some(state) => route.layer(layers::from_fn_with_state(state.clone(), idempotency::once)),
            None => route,
        };
        self.add(access, route)
    }
}

/// All of `/api/v1`, with its description.
fn api(state: Option<AppState>) -> OpenApiRouter<AppState> {
    Api {
        state,
        routes: OpenApiRouter::new(),
    }
    .add(ANYONE, routes!(health::health))
    .add(ANYONE, routes!(health::ready))
    .add(ANYONE, routes!(auth::setup_status, auth::set_up))
    .add(ANYONE, routes!(auth::login))
    .add(ANYONE, routes!(auth::refresh))
    .add(USER, routes!(auth::verify))
    .add(USER, routes!(auth::logout))
    .add(USER, routes!(auth::me))
    .add(USER, routes!(usage::own))
    .add(USER, routes!(assistants::list))
    .add_once(MANAGER, routes!(assistants::create))
    .add(USER, routes!(assistants::get))
    .add(MANAGER, routes!(assistants::update, assistants::archive))
    .add(MANAGER, routes!(assistants::restore))
    .add(MANAGER, routes!(assistants::retrieval_test))
    .add(USER, routes!(files::list))
    .add(MANAGER, routes!(files::upload))
    .add(USER, routes!(files::get))
    .add(MANAGER, routes!(files::delete))
    .add(USER, routes!(files::status))
    .add(USER, routes!(files::content))
    .add(USER, routes!(files::chunks))
    .add(USER, routes!(files::text))
    .add(MANAGER, routes!(files::reprocess))
    .add(ADMIN, routes!(files::reprocess_all))
    .add_once(USER, routes!(conversations::list, conversations::create))
    .add(
        USER,
        routes!(conversations::get, conversations::rename, conversations::delete),
    )
    .add(USER, routes!(conversations::stop))
    .add(USER, routes!(messages::list, messages::send))
    .add(USER, routes!(messages::get))
    .add(USER, routes!(messages::stream))
    .add(USER, routes!(models::list))
    .add(ADMIN, routes!(models::refresh))
    .add_once(ADMIN, routes!(api_keys::list, api_keys::create))
    .add(ADMIN, routes!(api_keys::get, api_keys::update, api_keys::delete))
    .add(ADMIN, routes!(api_keys::test))
    .add_once(ADMIN, routes!(quotas::list, quotas::create))
    .add(ADMIN, routes!(quotas::get, quotas::update, quotas::delete))
    .add(MANAGER, routes!(usage::list))
    .add(MANAGER, routes!(usage::summary))
    .add(USER, routes!(notices::list))
    .add(USER, routes!(notices::dismiss))
    .add(ADMIN, routes!(statistics::stats))
    .add(ADMIN, routes!(statistics::jobs))
    .add(ADMIN, routes!(statistics::providers))
    .routes
}

/// Everything this server answers.
pub fn router(state: AppState) -> Router {
    let (api, document) = OpenApiRouter::with_openapi(openapi::base())
        .nest("/api/v1", api(Some(state.clone())))
        .split_for_parts();
    let mut router = api;
    if state.http.docs {
        router = router.merge(openapi::routes(&document));
    }
    router
        .route("/api/{*path}", axum::routing::any(async || ApiError::not_found()))
        .fallback(get(spa::serve).fallback(async || method_not_allowed()))
        .method_not_allowed_fallback(async || method_not_allowed())
        .layer(DefaultBodyLimit::disable())
        .layer(CatchPanicLayer::custom(middleware::panicked))
        .layer(layers::from_fn(middleware::secure))
        .layer(layers::from_fn(middleware::trace))
        .with_state(state)
}

/// The description of the API, without a server behind it.
pub(crate) fn described() -> utoipa::openapi::OpenApi {
    OpenApiRouter::with_openapi(openapi::base())
        .nest("/api/v1", api(None))
        .into_openapi()
}

fn method_not_allowed() -> axum::response::Response {
    ApiError::new(Kind::METHOD, "This address does not know that method.").into_response()
}
