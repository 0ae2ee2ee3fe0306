//! What the fake provider reads and says: requests out of bytes, and answers in OpenAI's wire.

use serde_json::{Value, json};

use crate::bench::load;

/// Tokens of every answer.
pub const TOKENS: usize = 50;
/// Each of them.
pub const TOKEN: &str = "word ";
/// Tokens that it says it has read.
pub const PROMPT_TOKENS: usize = 20;
/// The model that chats.
pub const MODEL: &str = "fake-small";
/// The model that embeds: the product knows how many numbers its vectors have.
pub const EMBEDDER: &str = "text-embedding-3-small";
/// How many numbers they have.
pub const DIMENSIONS: usize = 1536;
const HEAD_END: &[u8] = b"\r\n\r\n";

/// Takes a whole request off what was received: its path and body; `None` while it is not all there.
pub fn request(received: &mut Vec<u8>) -> Option<(String, Vec<u8>)> {
    let head = received.windows(HEAD_END.len()).position(|bytes| bytes == HEAD_END)?;
    let text = String::from_utf8_lossy(&received[..head]).into_owned();
    let length = text
        .lines()
        .find_map(|line| load::content_length(line.as_bytes()))
        .unwrap_or(0);
    let end = head + HEAD_END.len() + length;
    if received.len() < end {
        return None;
    }
    let body = received[head + HEAD_END.len()..end].to_vec();
    received.drain(..end);
    let path = text.split(' ').nth(1).unwrap_or_default().to_owned();
    Some((path, body))
}

/// The answers to wishes for vectors.
pub struct Vectors {
    /// Every text's vector: numbers of as many digits as vendors send, because reading them is the product's work.
    numbers: String,
}

impl Vectors {
    /// Makes the vector that all texts get.
    pub fn write() -> Self {
        let numbers = (0..DIMENSIONS).map(|index| format!("{:.9}", (index as f64 + 1.0).sin() / 28.0));
        Self {
            numbers: numbers.collect::<Vec<_>>().join(","),
        }
    }

    /// The answer to the body of a request.
    pub fn answer(&self, body: &[u8]) -> String {
        let asked: Value = serde_json::from_slice(body).unwrap_or_default();
        let texts = asked["input"].as_array().map_or(1, Vec::len);
        let data: Vec<String> = (0..texts)
            .map(|index| {
                format!(
                    r#"{{"object":"embedding","index":{index},"embedding":[{}]}}"#,
                    self.numbers
                )
            })
            .collect();
        format!(
            r#"{{"object":"list","model":"{EMBEDDER}","data":[{}],"usage":{{"prompt_tokens":{texts},"total_tokens":{texts}}}}}"#,
            data.join(",")
        )
    }
}

/// A whole answer, and where each piece of it ends: head and role at once, then a token after each pause, the last one
/// with all that follows it.
pub struct Script {
    /// From the first byte of the head to the last of the body.
    pub bytes: Vec<u8>,
    /// Where its pieces end.
    pub ends: Vec<usize>,
}

impl Script {
    /// The answer that everybody gets.
    pub fn write() -> Self {
        let mut script = Self {
            bytes: b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec(),
            ends: Vec::new(),
        };
        let choice = |delta: &Value, reason: Value| json!([{"index": 0, "delta": delta, "finish_reason": reason}]);
        script.event(&chunk(
            &choice(&json!({"content": "", "role": "assistant"}), Value::Null),
            &Value::Null,
        ));
        for _ in 0..TOKENS {
            script.ends.push(script.bytes.len());
            script.event(&chunk(&choice(&json!({"content": TOKEN}), Value::Null), &Value::Null));
        }
        script.event(&chunk(&choice(&json!({}), json!("stop")), &Value::Null));
        let usage = json!({"prompt_tokens": PROMPT_TOKENS, "completion_tokens": TOKENS, "total_tokens": PROMPT_TOKENS + TOKENS});
        script.event(&chunk(&json!([]), &usage));
        script.event("[DONE]");
        script.bytes.extend_from_slice(b"0\r\n\r\n");
        script.ends.push(script.bytes.len());
        script
    }

    fn event(&mut self, data: &str) {
        let length = data.len() + "data: \n\n".len();
        self.bytes
            .extend_from_slice(format!("{length:x}\r\ndata: {data}\n\n\r\n").as_bytes());
    }
}

fn chunk(choices: &Value, usage: &Value) -> String {
    json!({"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": MODEL, "choices": choices, "usage": usage})
        .to_string()
}

#[cfg(test)]
mod tests {
    use super::request;

    #[test]
    fn requests_are_taken_one_by_one_and_only_whole() {
        let mut received = b"POST /a HTTP/1.1\r\ncontent-length: 2\r\n\r\nhiGET /b HTTP/1.1\r\n".to_vec();
        assert_eq!(request(&mut received), Some(("/a".to_owned(), b"hi".to_vec())));
        assert_eq!(request(&mut received), None);
        received.extend_from_slice(b"\r\n");
        assert_eq!(request(&mut received), Some(("/b".to_owned(), Vec::new())));
        assert!(received.is_empty());
    }
}
