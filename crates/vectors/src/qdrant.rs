//! Qdrant by its REST interface. One collection for each embedding model; an assistant is a filter on an indexed field.

use across::{
    retrieval::vectors::{Collection, Match, Point, Scope, VectorError, VectorQuery, VectorStore, has_direction},
    secret::Secret,
};
use async_trait::async_trait;
use reqwest::Method;
use serde_json::{Value, json};
use url::Url;

use crate::{
    Asking, batch, match_of, name,
    rest::{Rest, gone, lacks},
};

/// Fields that points are chosen by; without an index Qdrant would look through all of them.
const INDEXED: [&str; 2] = ["assistant", "file"];

/// A Qdrant server.
pub(crate) struct Qdrant(Rest);

impl Qdrant {
    pub(crate) fn new(url: &Url, key: Option<Secret>) -> Result<Self, VectorError> {
        Ok(Self(Rest::new(url, "api-key", key)?))
    }

    /// The `result` of what the server answers; `None` if it has no such collection.
    async fn ask(
        &self,
        method: Method,
        collection: &Collection,
        rest: &str,
        body: Option<&Value>,
    ) -> Result<Option<Value>, VectorError> {
        let path = format!("/collections/{}{rest}", name(collection));
        let Some(mut answer) = self.0.ask(method, &path, body).await? else {
            return Ok(None);
        };
        let result = answer.get_mut("result").map(Value::take);
        result.map(Some).ok_or_else(|| lacks("`result`"))
    }
}

fn is(key: &str, value: &str) -> Value {
    json!({"key": key, "match": {"value": value}})
}

fn filter(scope: Scope) -> Value {
    match scope {
        Scope::File(file) => json!({"must": [is("file", &file.to_string())]}),
        Scope::OtherGenerations(file, generation) => json!({
            "must": [is("file", &file.to_string())],
            "must_not": [{"key": "generation", "match": {"value": generation}}],
        }),
        Scope::Assistant(assistant) => json!({"must": [is("assistant", &assistant.to_string())]}),
    }
}

#[async_trait]
impl VectorStore for Qdrant {
    async fn ensure(&self, collection: &Collection) -> Result<u64, VectorError> {
        let there = self.ask(Method::GET, collection, "", None).await?;
        if there.is_none() {
            let wanted = json!({"vectors": {"size": collection.dimensions, "distance": "Cosine"}});
            let made = self.ask(Method::PUT, collection, "", Some(&wanted)).await;
            // Another instance may have made it at the same moment; Qdrant says 409 then, older versions 400.
            if made.is_err() && self.ask(Method::GET, collection, "", None).await?.is_none() {
                made?;
            }
        }
        // Again and again, because whoever made the collection may have died before.
        for field in INDEXED {
            let wanted = json!({"field_name": field, "field_schema": "keyword"});
            let indexed = self.ask(Method::PUT, collection, "/index?wait=true", Some(&wanted));
            indexed.await?.ok_or_else(gone)?;
        }
        let all = json!({"exact": true});
        let counted = self.ask(Method::POST, collection, "/points/count", Some(&all));
        let counted = counted.await?.ok_or_else(gone)?;
        counted
            .get("count")
            .and_then(Value::as_u64)
            .ok_or_else(|| lacks("`count`"))
    }

    async fn upsert(&self, collection: &Collection, points: &[Point]) -> Result<(), VectorError> {
        points.iter().try_for_each(|point| collection.takes(&point.vector))?;
        for some in points.chunks(batch(collection)) {
            let point = |point: &Point| {
                json!({
                    "id": point.id(),
                    "vector": point.vector,
                    "payload": {
                        "chunk": point.chunk.to_string(),
                        "piece": point.piece,
                        "file": point.file.to_string(),
                        "assistant": point.assistant.to_string(),
                        "generation": point.generation,
                    },
                })
            };
            let body = json!({"points": some.iter().map(point).collect::<Vec<_>>()});
            let written = self.ask(Method::PUT, collection, "/points?wait=true", Some(&body));
            written.await?.ok_or_else(gone)?;
        }
        Ok(())
    }

    async fn search(&self, collection: &Collection, query: &VectorQuery) -> Result<Vec<Match>, VectorError> {
        collection.takes(&query.vector)?;
        if query.limit == 0 || !has_direction(&query.vector) {
            return Ok(Vec::new());
        }
        let mut asking = Asking::new(query.limit);
        loop {
            let body = json!({
                "query": query.vector,
                "filter": {"must": [is("assistant", &query.assistant.to_string())]},
                "limit": asking.count,
                "with_payload": ["chunk", "file"],
            });
            let found = self.ask(Method::POST, collection, "/points/query", Some(&body));
            let found = found.await?.ok_or_else(gone)?;
            let points = found
                .get("points")
                .and_then(Value::as_array)
                .ok_or_else(|| lacks("`points`"))?;
            let read = |point: &Value| match_of(point.get("payload"), point.get("score").and_then(Value::as_f64));
            if let Some(matches) = asking.enough(points.len(), points.iter().filter_map(read).collect()) {
                return Ok(matches);
            }
        }
    }

    async fn delete(&self, collection: &Collection, scope: Scope) -> Result<(), VectorError> {
        let body = json!({"filter": filter(scope)});
        let deleted = self.ask(Method::POST, collection, "/points/delete?wait=true", Some(&body));
        deleted.await.map(drop)
    }

    async fn health(&self) -> Result<(), VectorError> {
        // Unlike its own paths for probes this one asks for the key.
        let answered = self.0.ask(Method::GET, "/collections", None).await?;
        answered.map(drop).ok_or_else(|| lacks("the list of collections"))
    }
}
