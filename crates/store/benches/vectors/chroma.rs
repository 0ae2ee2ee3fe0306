//! Just enough of Chroma's interface (API v2) to put vectors into a collection and to ask for the nearest.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
};

use serde_json::{Value, json};

const BASE: &str = "/api/v2/tenants/default_tenant/databases/default_database/collections";

/// A collection on a server, and one connection to it that is kept.
pub(crate) struct Chroma {
    address: String,
    connection: BufReader<TcpStream>,
    collection: String,
}

impl Chroma {
    /// Makes a new collection with cosines.
    pub(crate) fn connect(address: &str, dim: usize) -> Self {
        let mut chroma = Self {
            address: address.to_owned(),
            connection: BufReader::new(open(address)),
            collection: String::new(),
        };
        let made = chroma.post(
            BASE,
            &json!({"name": format!("bench-{dim}"), "configuration": {"hnsw": {"space": "cosine"}}}),
        );
        chroma.collection = made["id"].as_str().expect("a collection").to_owned();
        chroma
    }

    /// Adds vectors of an assistant; their ids are their numbers from `first` on.
    pub(crate) fn add(&mut self, first: usize, assistant: &str, vectors: &[Vec<f32>]) {
        let ids: Vec<String> = (first..first + vectors.len()).map(|id| id.to_string()).collect();
        let owners: Vec<Value> = vectors.iter().map(|_| json!({"assistant": assistant})).collect();
        let path = format!("{BASE}/{}/add", self.collection);
        self.post(&path, &json!({"ids": ids, "embeddings": vectors, "metadatas": owners}));
    }

    /// The cosines of the assistant's nearest.
    pub(crate) fn ask(&mut self, assistant: &str, question: &[f32], limit: usize) -> Vec<f32> {
        let path = format!("{BASE}/{}/query", self.collection);
        let body = json!({"query_embeddings": [question], "n_results": limit, "include": ["distances"],
                          "where": {"assistant": assistant}});
        let answer = self.post(&path, &body);
        let distances = answer["distances"][0].as_array().expect("distances");
        distances
            .iter()
            .map(|distance| 1.0 - distance.as_f64().expect("a distance") as f32)
            .collect()
    }

    fn post(&mut self, path: &str, body: &Value) -> Value {
        let body = body.to_string();
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            self.address,
            body.len()
        );
        let stream = self.connection.get_mut();
        stream.write_all(head.as_bytes()).expect("a server that listens");
        stream.write_all(body.as_bytes()).expect("a server that listens");
        let (status, length) = self.head();
        let mut answer = vec![0; length];
        self.connection.read_exact(&mut answer).expect("a whole answer");
        let text = String::from_utf8_lossy(&answer).into_owned();
        assert!(status.contains(" 20"), "{status}: {text}");
        serde_json::from_str(&text).unwrap_or_default()
    }

    fn head(&mut self) -> (String, usize) {
        let (mut status, mut length) = (String::new(), 0);
        self.connection.read_line(&mut status).expect("a status");
        loop {
            let mut line = String::new();
            self.connection.read_line(&mut line).expect("a header");
            if line.trim().is_empty() {
                return (status, length);
            }
            if let Some((name, value)) = line.split_once(':')
                && name.eq_ignore_ascii_case("content-length")
            {
                length = value.trim().parse().expect("a length");
            }
        }
    }
}

fn open(address: &str) -> TcpStream {
    let stream = TcpStream::connect(address).expect("a server that listens");
    stream.set_nodelay(true).expect("a socket");
    stream
}
