//! Going round: every route of the document, and everything that somebody can read.

use reqwest::Method;
use serde_json::Value;

use super::{Person, Server};

/// Things that are there, by their ids.
pub(crate) struct Known {
    pub(crate) assistant: String,
    pub(crate) file: String,
    pub(crate) conversation: String,
    pub(crate) message: String,
    pub(crate) account: String,
    pub(crate) key: String,
    pub(crate) quota: String,
    pub(crate) entry: String,
}

impl Known {
    /// The path of a route with the ids of things that are there. A new kind of thing must be made known here.
    pub(crate) fn fill(&self, path: &str) -> String {
        if !path.contains("{id}") {
            return path.to_owned();
        }
        let id = match path.split("/{id}").next() {
            Some("/assistants") => &self.assistant,
            Some("/files") => &self.file,
            Some("/conversations") => &self.conversation,
            Some("/admin/users") => &self.account,
            Some("/api-keys") => &self.key,
            Some("/quotas") => &self.quota,
            Some("/audit") => &self.entry,
            other => panic!("nothing is known for {other:?}"),
        };
        path.replace("{id}", id).replace("{mid}", &self.message)
    }
}

/// A path with what is asked of it, encoded.
pub(crate) fn asking(path: &str, query: &[(&str, &str)]) -> String {
    let query = url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs(query)
        .finish();
    format!("{path}?{query}")
}

/// Every route under `/api/v1`, without that prefix.
pub(crate) async fn routes(server: &Server) -> Vec<(Method, String)> {
    let answer = server.request(Method::GET, "/openapi.json").send().await.unwrap();
    let document: Value = answer.json().await.unwrap();
    let mut routes = Vec::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        let Some(path) = path.strip_prefix("/api/v1") else {
            continue;
        };
        for method in methods.as_object().unwrap().keys() {
            routes.push((method.to_uppercase().parse().unwrap(), path.to_owned()));
        }
    }
    routes
}

/// What somebody is told on every route that reads, also as tables for download: paths and bodies.
pub(crate) async fn walk(server: &Server, person: &Person, known: &Known) -> Vec<(String, String)> {
    let mut told = Vec::new();
    for (method, path) in routes(server).await {
        if method != Method::GET {
            continue;
        }
        let queries: &[&str] = match path.as_str() {
            "/usage/summary" => &["?group_by=user", "?group_by=assistant&format=csv"],
            "/usage" => &["?limit=100", "?format=csv"],
            "/audit" => &["?limit=100", "?format=csv"],
            "/assistants" => &["", "?include_deleted=true"],
            _ => &[""],
        };
        for query in queries {
            let path = known.fill(&path) + query;
            let answer = person.request(Method::GET, &path).send().await.unwrap();
            let status = answer.status().as_u16();
            assert!([200, 403, 404].contains(&status), "{path}: {status}");
            let body = answer.bytes().await.unwrap();
            told.push((path, String::from_utf8_lossy(&body).into_owned()));
        }
    }
    let metrics = server.request(Method::GET, "/metrics").bearer_auth(&person.token);
    told.push((
        "/metrics".to_owned(),
        metrics.send().await.unwrap().text().await.unwrap(),
    ));
    told
}
