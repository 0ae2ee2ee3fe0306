//! A Rust file as the tokens that rules look at: comments and the insides of literals are not code.

use std::str::FromStr;

use proc_macro2::{Delimiter, TokenStream, TokenTree};

use super::Violation;

/// An identifier, a punctuation mark or a bracket, with the place where it stands.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Token {
    /// The token itself; literals are a lone quotation mark.
    pub text: String,
    /// Line, counted from 1.
    pub line: usize,
    /// Whether it stands in an item under `#[cfg(test)]`.
    pub test: bool,
}

/// A Rust file's name and tokens.
#[derive(Debug)]
pub struct Source {
    /// Path from the repository's top folder.
    pub file: String,
    /// Tokens in their order.
    pub tokens: Vec<Token>,
}

impl Source {
    /// Reads a file's text; one that is no Rust has no tokens and a violation instead.
    pub fn read(file: &str, text: &str) -> (Self, Option<Violation>) {
        let mut source = Self {
            file: file.to_owned(),
            tokens: Vec::new(),
        };
        match TokenStream::from_str(text) {
            Ok(stream) => {
                source.add(stream, false);
                (source, None)
            }
            Err(error) => {
                let line = error.span().start().line;
                (
                    source,
                    Some(Violation::new(
                        file,
                        line,
                        "this is not Rust: mend the brackets or quotes",
                    )),
                )
            }
        }
    }

    fn add(&mut self, stream: TokenStream, test: bool) {
        // An attribute `#[cfg(test)]` holds until the end of its item: a block or a semicolon.
        let mut item = test;
        let mut attribute = false;
        for token in stream {
            let line = token.span().start().line;
            let after_hash = std::mem::take(&mut attribute);
            match token {
                TokenTree::Group(group) => {
                    let (open, close) = match group.delimiter() {
                        Delimiter::Parenthesis => ("(", ")"),
                        Delimiter::Brace => ("{", "}"),
                        Delimiter::Bracket => ("[", "]"),
                        Delimiter::None => ("", ""),
                    };
                    if after_hash && group.delimiter() == Delimiter::Bracket && is_cfg_test(group.stream()) {
                        item = true;
                    }
                    self.push(open, line, item);
                    self.add(group.stream(), item);
                    self.push(close, group.span_close().start().line, item);
                    if group.delimiter() == Delimiter::Brace {
                        item = test;
                    }
                }
                TokenTree::Punct(mark) => {
                    attribute = mark.as_char() == '#' || (after_hash && mark.as_char() == '!');
                    self.push(&mark.as_char().to_string(), line, item);
                    if mark.as_char() == ';' {
                        item = test;
                    }
                }
                TokenTree::Ident(ident) => self.push(&ident.to_string(), line, item),
                TokenTree::Literal(_) => self.push("\"", line, item),
            }
        }
    }

    fn push(&mut self, text: &str, line: usize, test: bool) {
        self.tokens.push(Token {
            text: text.to_owned(),
            line,
            test,
        });
    }

    /// Every place where these tokens follow each other: the line of the first and the tokens after the last.
    pub fn places(&self, wanted: &[&str]) -> impl Iterator<Item = (&Token, &[Token])> {
        let windows = self.tokens.windows(wanted.len()).enumerate();
        let found =
            windows.filter(move |(_, window)| window.iter().zip(wanted).all(|(token, text)| token.text == **text));
        found.map(|(at, window)| (&window[0], &self.tokens[at + window.len()..]))
    }
}

fn is_cfg_test(attribute: TokenStream) -> bool {
    let mut tokens = attribute.into_iter();
    let cfg = tokens.next().is_some_and(|token| token.to_string() == "cfg");
    let condition = tokens
        .next()
        .map(|token| token.to_string().replace(' ', ""))
        .unwrap_or_default();
    cfg && condition == "(test)"
}

#[cfg(test)]
mod tests {
    use super::Source;

    fn words(text: &str) -> Vec<(String, usize, bool)> {
        let (source, unreadable) = Source::read("a.rs", text);
        assert_eq!(unreadable, None);
        let words = source
            .tokens
            .into_iter()
            .filter(|token| token.text.chars().all(char::is_alphabetic));
        words.map(|token| (token.text, token.line, token.test)).collect()
    }

    #[test]
    fn comments_and_literals_are_not_code() {
        let text = "// Sqlite\n/* Postgres */ a(\"Sqlite\", r#\"x \" y\"#, 'b');";
        assert_eq!(words(text), [("a".to_owned(), 2, false)]);
    }

    #[test]
    fn test_items_are_known_and_end() {
        let text = "fn a() {}\n#[cfg(test)]\nmod b {\n fn c() {}\n}\nmod d;\n#[cfg(test)]\nuse e;\nuse f;";
        let tests: Vec<String> = words(text)
            .into_iter()
            .filter(|word| word.2)
            .map(|word| word.0)
            .collect();
        assert_eq!(tests, ["cfg", "test", "mod", "b", "fn", "c", "cfg", "test", "use", "e"]);
    }

    #[test]
    fn a_file_that_is_no_rust_is_told() {
        assert!(Source::read("a.rs", "fn a( {").1.is_some());
    }
}
