//! Every route on one page, each with who may call it.

use across::actor::Role;
use axum::{
    Router,
    extract::{DefaultBodyLimit, Request, State},
    middleware::{self as layers, Next},
    response::{IntoResponse as _, Response},
    routing::get,
};
use tower_http::catch_panic::CatchPanicLayer;
use utoipa_axum::{
    router::{OpenApiRouter, UtoipaMethodRouter, UtoipaMethodRouterExt as _},
    routes,
};

use crate::{
    address,
    api::{
        account, api_keys, assistants, audit, auth, conversations, embedding, files, health, knowledge, messages,
        models, notices, own_usage, quotas, retrieval_test, settings, statistics, titles, tree, turns, usage, users,
    },
    auth::{Access, Principal, check},
    cors,
    error::{ApiError, Kind},
    idempotency, middleware, openapi,
    pace::{self, Pace, TIMES},
    spa,
    state::AppState,
};

const ANYONE: Access = Access::Public;
const WATCH: Access = Access::Watch;
/// Whoever is signed in, also before they chose a password of their own.
const NEWCOMER: Access = Access::Newcomer;
const USER: Access = Access::Signed(Role::User);
const MANAGER: Access = Access::Signed(Role::Manager);
const ADMIN: Access = Access::Signed(Role::Admin);

/// The only way to add a route: with its rule. Without a state the routes are only described.
struct Api {
    state: Option<AppState>,
    routes: OpenApiRouter<AppState>,
}

impl Api {
    fn new(state: Option<AppState>) -> Self {
        Self {
            state,
            routes: OpenApiRouter::new(),
        }
    }

    fn add(self, access: Access, route: UtoipaMethodRouter<AppState>) -> Self {
        self.add_paced(access, Pace::Ordinary, route)
    }

    /// Adds a route that needs another time than most.
    fn add_paced(mut self, access: Access, pace: Pace, route: UtoipaMethodRouter<AppState>) -> Self {
        let guarded = match &self.state {
            Some(state) => {
                let route = route.layer(layers::from_fn_with_state((pace, TIMES), pace::keep));
                let route = match pace {
                    Pace::Upload => route.layer(layers::from_fn_with_state(state.clone(), one_of_few)),
                    Pace::Ordinary | Pace::Answer => route,
                };
                route.layer(layers::from_fn_with_state((state.clone(), access), check))
            }
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

/// Holds one of the places for uploads while an upload is taken.
async fn one_of_few(State(state): State<AppState>, principal: Principal, request: Request, next: Next) -> Response {
    match state.limits.upload(principal.actor.user) {
        Ok(_place) => next.run(request).await,
        Err(refusal) => refusal.into_response(),
    }
}

/// All of `/api/v1`, with its description.
fn api(state: Option<AppState>) -> OpenApiRouter<AppState> {
    Api::new(state)
        .add(WATCH, routes!(health::health))
        .add(WATCH, routes!(health::ready))
        .add(ANYONE, routes!(auth::setup_status, auth::set_up))
        .add(ANYONE, routes!(auth::login))
        .add(ANYONE, routes!(auth::refresh))
        .add(NEWCOMER, routes!(auth::verify))
        .add(NEWCOMER, routes!(auth::logout))
        .add(NEWCOMER, routes!(auth::me))
        .add(USER, routes!(account::update))
        .add(NEWCOMER, routes!(account::password))
        .add(USER, routes!(account::sessions))
        .add(USER, routes!(account::end_session))
        .add(USER, routes!(own_usage::own))
        .add_once(ADMIN, routes!(users::list, users::create))
        .add(ADMIN, routes!(users::get, users::update, users::delete))
        .add(ADMIN, routes!(users::reset_password))
        .add(ADMIN, routes!(users::revoke_sessions))
        .add(USER, routes!(assistants::list))
        .add_once(MANAGER, routes!(assistants::create))
        .add(USER, routes!(assistants::get))
        .add(MANAGER, routes!(assistants::update, assistants::archive))
        .add(MANAGER, routes!(assistants::restore))
        .add(MANAGER, routes!(retrieval_test::retrieval_test))
        .add(MANAGER, routes!(knowledge::stats))
        .add(USER, routes!(files::list))
        .add_paced(MANAGER, Pace::Upload, routes!(files::upload))
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
        .add(USER, routes!(tree::move_head))
        .add_once(USER, routes!(tree::fork))
        .add_paced(USER, Pace::Answer, routes!(titles::suggest))
        .add(USER, routes!(messages::list))
        .add_paced(USER, Pace::Answer, routes!(turns::send))
        .add(USER, routes!(messages::get, tree::correct))
        .add_paced(USER, Pace::Answer, routes!(turns::edit))
        .add_paced(USER, Pace::Answer, routes!(turns::regenerate))
        .add_paced(USER, Pace::Answer, routes!(turns::go_on))
        .add_paced(USER, Pace::Answer, routes!(messages::stream))
        .add(USER, routes!(models::list))
        .add(ADMIN, routes!(models::refresh))
        .add(USER, routes!(settings::get))
        .add(ADMIN, routes!(settings::update))
        .add_once(ADMIN, routes!(api_keys::list, api_keys::create))
        .add(ADMIN, routes!(api_keys::get, api_keys::update, api_keys::delete))
        .add(ADMIN, routes!(api_keys::test))
        .add_once(ADMIN, routes!(quotas::list, quotas::create))
        .add(ADMIN, routes!(quotas::get, quotas::update, quotas::delete))
        .add(MANAGER, routes!(usage::list))
        .add(MANAGER, routes!(usage::summary))
        .add(USER, routes!(notices::list))
        .add(USER, routes!(notices::dismiss))
        .add(ADMIN, routes!(audit::list))
        .add(ADMIN, routes!(audit::get))
        .add(ADMIN, routes!(statistics::stats))
        .add(ADMIN, routes!(statistics::jobs))
        .add(ADMIN, routes!(statistics::providers))
        .add(ADMIN, routes!(embedding::overview))
        .add_paced(ADMIN, Pace::Answer, routes!(embedding::estimate))
        .add(ADMIN, routes!(embedding::change, embedding::cancel))
        .routes
}

/// What stands outside of `/api/v1`, with its description.
fn beside(state: Option<AppState>) -> OpenApiRouter<AppState> {
    Api::new(state).add(Access::Metrics, routes!(health::metrics)).routes
}

/// Everything this server answers.
pub fn router(state: AppState) -> Router {
    let (api, document) = OpenApiRouter::with_openapi(openapi::base())
        .nest("/api/v1", api(Some(state.clone())))
        .merge(beside(Some(state.clone())))
        .split_for_parts();
    let mut router = api;
    if state.http.docs {
        router = router.merge(openapi::routes(&openapi::complete(document)));
    }
    router
        .route("/api/{*path}", axum::routing::any(async || ApiError::not_found()))
        .fallback(get(spa::serve).fallback(async || method_not_allowed()))
        .method_not_allowed_fallback(async || method_not_allowed())
        .layer(DefaultBodyLimit::disable())
        .layer(CatchPanicLayer::custom(middleware::panicked))
        .layer(layers::from_fn(middleware::refuse_bad_heads))
        .layer(layers::from_fn_with_state(state.clone(), cors::allow))
        .layer(layers::from_fn(middleware::secure))
        .layer(layers::from_fn(middleware::trace))
        .layer(layers::from_fn_with_state(state.clone(), address::identify))
        .with_state(state)
}

/// The description of the API, without a server behind it.
pub(crate) fn described() -> utoipa::openapi::OpenApi {
    let routes = OpenApiRouter::with_openapi(openapi::base())
        .nest("/api/v1", api(None))
        .merge(beside(None));
    openapi::complete(routes.into_openapi())
}

fn method_not_allowed() -> Response {
    ApiError::new(Kind::METHOD, "This address does not know that method.").into_response()
}
