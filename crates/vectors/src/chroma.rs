//! Chroma by its HTTP interface, version 2. One collection for each embedding model; an assistant is a filter. Its index is
//! approximate, and made to look further than it does by default.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

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

const COLLECTIONS: &str = "/api/v2/tenants/default_tenant/databases/default_database/collections";
/// How many neighbours the index keeps and looks at: two to four times Chroma's own values, so that it loses at most one in
/// twenty of the nearest.
const INDEX: [(&str, u32); 3] = [("max_neighbors", 32), ("ef_construction", 200), ("ef_search", 400)];

/// A Chroma server.
pub(crate) struct Chroma {
    rest: Rest,
    /// The ids by which the server knows the collections.
    ids: Mutex<HashMap<Collection, String>>,
}

impl Chroma {
    pub(crate) fn new(url: &Url, key: Option<Secret>) -> Result<Self, VectorError> {
        Ok(Self {
            rest: Rest::new(url, "x-chroma-token", key)?,
            ids: Mutex::default(),
        })
    }

    fn known(&self, collection: &Collection) -> Option<String> {
        let ids = self.ids.lock().unwrap_or_else(PoisonError::into_inner);
        ids.get(collection).cloned()
    }

    fn learn(&self, collection: &Collection, answer: &Value) -> Result<String, VectorError> {
        let id = answer.get("id").and_then(Value::as_str).ok_or_else(|| lacks("`id`"))?;
        let mut ids = self.ids.lock().unwrap_or_else(PoisonError::into_inner);
        ids.insert(collection.clone(), id.to_owned());
        Ok(id.to_owned())
    }

    /// The id of a collection; `None` if there is none.
    async fn find(&self, collection: &Collection) -> Result<Option<String>, VectorError> {
        if let Some(id) = self.known(collection) {
            return Ok(Some(id));
        }
        let path = format!("{COLLECTIONS}/{}", name(collection));
        let found = self.rest.ask(Method::GET, &path, None).await?;
        found.map(|found| self.learn(collection, &found)).transpose()
    }

    /// What a collection answers; `None` if there is none any more, which is looked up anew next time.
    async fn ask(
        &self,
        collection: &Collection,
        method: Method,
        what: &str,
        body: Option<&Value>,
    ) -> Result<Option<Value>, VectorError> {
        let Some(id) = self.find(collection).await? else {
            return Ok(None);
        };
        let answer = self
            .rest
            .ask(method, &format!("{COLLECTIONS}/{id}/{what}"), body)
            .await?;
        if answer.is_none() {
            let mut ids = self.ids.lock().unwrap_or_else(PoisonError::into_inner);
            ids.remove(collection);
        }
        Ok(answer)
    }

    /// How many points the server takes at once.
    async fn largest_batch(&self) -> Result<usize, VectorError> {
        let checks = self.rest.ask(Method::GET, "/api/v2/pre-flight-checks", None).await?;
        let most = checks
            .as_ref()
            .and_then(|checks| checks.get("max_batch_size")?.as_u64());
        let most = most
            .and_then(|most| usize::try_from(most).ok())
            .filter(|most| *most > 0);
        most.ok_or_else(|| lacks("`max_batch_size`"))
    }
}

fn filter(scope: Scope) -> Value {
    match scope {
        Scope::File(file) => json!({"file": file.to_string()}),
        Scope::OtherGenerations(file, generation) => {
            json!({"$and": [{"file": file.to_string()}, {"generation": {"$ne": generation}}]})
        }
        Scope::Assistant(assistant) => json!({"assistant": assistant.to_string()}),
    }
}

#[async_trait]
impl VectorStore for Chroma {
    async fn ensure(&self, collection: &Collection) -> Result<u64, VectorError> {
        let mut index = json!({"space": "cosine"});
        for (key, value) in INDEX {
            index[key] = value.into();
        }
        let wanted = json!({"name": name(collection), "get_or_create": true, "configuration": {"hnsw": index}});
        let made = self.rest.ask(Method::POST, COLLECTIONS, Some(&wanted)).await?;
        self.learn(collection, &made.ok_or_else(|| lacks("the collection"))?)?;
        let counted = self
            .ask(collection, Method::GET, "count", None)
            .await?
            .ok_or_else(gone)?;
        counted.as_u64().ok_or_else(|| lacks("a count"))
    }

    async fn upsert(&self, collection: &Collection, points: &[Point]) -> Result<(), VectorError> {
        points.iter().try_for_each(|point| collection.takes(&point.vector))?;
        if points.is_empty() {
            return Ok(());
        }
        let most = batch(collection).min(self.largest_batch().await?);
        for some in points.chunks(most) {
            let stored = |point: &Point| {
                json!({
                    "chunk": point.chunk.to_string(),
                    "piece": point.piece,
                    "file": point.file.to_string(),
                    "assistant": point.assistant.to_string(),
                    "generation": point.generation,
                })
            };
            let body = json!({
                "ids": some.iter().map(|point| point.id().to_string()).collect::<Vec<_>>(),
                "embeddings": some.iter().map(|point| &point.vector).collect::<Vec<_>>(),
                "metadatas": some.iter().map(stored).collect::<Vec<_>>(),
            });
            self.ask(collection, Method::POST, "upsert", Some(&body))
                .await?
                .ok_or_else(gone)?;
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
                "query_embeddings": [query.vector],
                "n_results": asking.count,
                "where": {"assistant": query.assistant.to_string()},
                "include": ["metadatas", "distances"],
            });
            let found = self
                .ask(collection, Method::POST, "query", Some(&body))
                .await?
                .ok_or_else(gone)?;
            // One list for each of the questions, of which there is one.
            let list = |key: &str| found.get(key)?.get(0)?.as_array();
            let (Some(stored), Some(distances)) = (list("metadatas"), list("distances")) else {
                return Err(lacks("`metadatas` or `distances`"));
            };
            let read = |(stored, distance): (&Value, &Value)| {
                match_of(Some(stored), distance.as_f64().map(|distance| 1.0 - distance))
            };
            let pieces = stored.iter().zip(distances).filter_map(read).collect();
            if let Some(matches) = asking.enough(stored.len(), pieces) {
                return Ok(matches);
            }
        }
    }

    async fn delete(&self, collection: &Collection, scope: Scope) -> Result<(), VectorError> {
        let body = json!({"where": filter(scope)});
        self.ask(collection, Method::POST, "delete", Some(&body))
            .await
            .map(drop)
    }

    async fn health(&self) -> Result<(), VectorError> {
        // Unlike the heartbeat this asks for the key.
        let answered = self
            .rest
            .ask(Method::GET, &format!("{COLLECTIONS}?limit=1"), None)
            .await?;
        answered.map(drop).ok_or_else(|| lacks("the list of collections"))
    }
}
