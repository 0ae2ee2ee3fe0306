//! Web pages: the words that a browser shows, with headings, lists and tables as lines.

use std::borrow::Cow;

use encoding_rs::Encoding;
use html5gum::{DefaultEmitter, State, Token, Tokenizer};

use crate::decode::decode;
use crate::text::Draft;
use crate::{Text, Unreadable};

/// How many bytes at the start are searched for a declared encoding. Browsers look at 1,024.
const DECLARED_WITHIN: usize = 4096;
/// The most lists that are counted one in the other.
const MAX_LISTS: usize = 64;

/// The text of a web page.
pub(crate) fn extract(bytes: &[u8]) -> Result<Text, Unreadable> {
    let html = decode(bytes, declared(bytes)).ok_or(Unreadable::NotText)?;
    let mut draft = Draft::default();
    read(&html, &mut draft)?;
    draft.finish(Unreadable::NoText)
}

/// The encoding that a page declares in itself, in XML's way or in HTML's.
pub(crate) fn declared(bytes: &[u8]) -> Option<&'static Encoding> {
    let start = bytes.get(..bytes.len().min(DECLARED_WITHIN)).unwrap_or_default();
    let start = String::from_utf8_lossy(start).to_ascii_lowercase();
    let xml = start.trim_start().strip_prefix("<?xml").and_then(|rest| {
        let (declaration, _) = rest.split_once("?>")?;
        declaration.split_once("encoding")
    });
    let (_, rest) = xml.or_else(|| start.split_once("charset"))?;
    let rest = rest
        .trim_start()
        .strip_prefix('=')?
        .trim_start_matches(['"', '\'', ' ']);
    let label = rest.split(['"', '\'', ' ', ';', '>', '/', '?']).next()?;
    Encoding::for_label(label.as_bytes())
}

/// Appends what a browser shows of `html` to `draft`.
pub(crate) fn read(html: &str, draft: &mut Draft) -> Result<(), Unreadable> {
    // In XHTML `<script/>` is whole; in HTML it is the beginning of a script.
    let start = html.trim_start_matches('\u{feff}').trim_start();
    let is_xml = start.starts_with("<?xml") || is_xhtml(start);
    let mut tokenizer = Tokenizer::new_with_emitter(html, DefaultEmitter::default());
    let mut page = Page::new(draft);
    while let Some(Ok(token)) = tokenizer.next() {
        match token {
            Token::StartTag(tag) => {
                let closed = is_xml && tag.self_closing;
                let name = String::from_utf8_lossy(&tag.name);
                let attribute = |key: &[u8]| {
                    tag.attributes
                        .get(key)
                        .map(|value| String::from_utf8_lossy(&value.value))
                };
                if !closed {
                    tokenizer.set_state(content_of(&name));
                }
                page.start(&name, attribute, closed);
                if closed {
                    page.end(&name)?;
                }
            }
            Token::EndTag(tag) => page.end(&String::from_utf8_lossy(&tag.name))?,
            Token::String(text) => page.text(&String::from_utf8_lossy(&text.value))?,
            Token::Comment(_) | Token::Doctype(_) | Token::Error(_) => {}
        }
    }
    page.draft.end_heading();
    page.draft.fresh_line();
    Ok(())
}

fn is_xhtml(start: &str) -> bool {
    let start: String = start.chars().take(DECLARED_WITHIN).collect();
    start.contains("http://www.w3.org/1999/xhtml")
}

/// How what follows a tag is read: these elements hold no markup.
fn content_of(name: &str) -> State {
    match name {
        "script" => State::ScriptData,
        "style" | "xmp" | "iframe" | "noembed" | "noframes" => State::RawText,
        "title" | "textarea" => State::RcData,
        _ => State::Data,
    }
}

/// What keeps the next word from the last one on a line.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Gap {
    None,
    Space,
    Tab,
}

/// A page on its way to text.
struct Page<'a> {
    draft: &'a mut Draft,
    /// The element that is left out, and how many of its name are open.
    skipped: Option<(String, usize)>,
    /// Open elements whose blanks count.
    preformatted: usize,
    /// Open lists; for a numbered one its last number.
    lists: Vec<Option<u64>>,
    /// What stands before the first word of a list item.
    marker: Option<String>,
    /// Open table cells.
    cells: usize,
    gap: Gap,
}

impl<'a> Page<'a> {
    fn new(draft: &'a mut Draft) -> Self {
        Self {
            draft,
            skipped: None,
            preformatted: 0,
            lists: Vec::new(),
            marker: None,
            cells: 0,
            gap: Gap::None,
        }
    }

    fn start<'v>(&mut self, name: &str, attribute: impl Fn(&[u8]) -> Option<Cow<'v, str>>, closed: bool) {
        if let Some((skipped, open)) = &mut self.skipped {
            *open += usize::from(skipped == name);
            return;
        }
        if is_left_out(name) || is_hidden(name, &attribute) {
            self.skipped = Some((name.to_owned(), 1));
            return;
        }
        match name {
            "br" => self.end_line(),
            "hr" => self.paragraph(),
            "li" => {
                self.block();
                let marker = match self.lists.last_mut() {
                    Some(Some(number)) => {
                        *number = number.saturating_add(1);
                        format!("{number}. ")
                    }
                    _ => "- ".to_owned(),
                };
                self.marker = (self.cells == 0).then_some(marker);
            }
            "ul" | "ol" | "menu" => {
                if self.lists.is_empty() {
                    self.paragraph();
                }
                if self.lists.len() < MAX_LISTS {
                    let start = attribute(b"start").and_then(|start| start.trim().parse::<u64>().ok());
                    self.lists
                        .push((name == "ol").then(|| start.map_or(0, |start| start.saturating_sub(1))));
                }
            }
            "td" | "th" => {
                self.cells += usize::from(!closed);
            }
            "tr" | "caption" => {
                self.cells = self.cells.min(1).saturating_sub(1);
                self.block();
            }
            "table" => self.paragraph(),
            "pre" | "textarea" | "xmp" | "listing" => {
                self.paragraph();
                self.preformatted += 1;
            }
            _ => match heading(name) {
                Some(level) => {
                    self.draft.end_heading();
                    self.draft.blank_line();
                    self.gap = Gap::None;
                    self.draft.begin_heading(level);
                }
                None if is_paragraph(name) => self.paragraph(),
                None if is_block(name) => self.block(),
                None => {}
            },
        }
    }

    fn end(&mut self, name: &str) -> Result<(), Unreadable> {
        if let Some((skipped, open)) = &mut self.skipped {
            *open -= usize::from(skipped == name);
            if *open == 0 {
                self.skipped = None;
            }
            return Ok(());
        }
        match name {
            "td" | "th" => {
                self.cells = self.cells.saturating_sub(1);
                self.gap = Gap::Tab;
            }
            "tr" => {
                self.cells = 0;
                self.block();
            }
            "ul" | "ol" | "menu" => {
                self.lists.pop();
                self.marker = None;
                self.block();
                if self.lists.is_empty() {
                    self.paragraph();
                }
            }
            "pre" | "textarea" | "xmp" | "listing" => {
                self.preformatted = self.preformatted.saturating_sub(1);
                self.paragraph();
            }
            "table" => {
                self.cells = 0;
                self.paragraph();
            }
            _ if heading(name).is_some() => {
                self.draft.end_heading();
                self.draft.blank_line();
                self.gap = Gap::None;
            }
            _ if is_paragraph(name) => self.paragraph(),
            _ if is_block(name) => self.block(),
            _ => {}
        }
        Ok(())
    }

    fn text(&mut self, text: &str) -> Result<(), Unreadable> {
        if self.skipped.is_some() {
            return Ok(());
        }
        if self.preformatted > 0 && self.cells == 0 {
            return self.draft.push(text);
        }
        // Other blanks, as the one that does not break, are characters like any other.
        let is_space = |character: char| character.is_ascii_whitespace();
        if text.starts_with(is_space) {
            self.space();
        }
        for word in text.split(is_space).filter(|word| !word.is_empty()) {
            if self.draft.is_at_line_start() {
                if let Some(marker) = self.marker.take() {
                    self.draft.push(&marker)?;
                }
            } else {
                match self.gap {
                    Gap::None => {}
                    Gap::Space => self.draft.push(" ")?,
                    Gap::Tab => self.draft.push("\t")?,
                }
            }
            self.draft.push(word)?;
            self.gap = Gap::Space;
        }
        if !text.ends_with(is_space) && self.gap == Gap::Space && text.contains(|character| !is_space(character)) {
            self.gap = Gap::None;
        }
        Ok(())
    }

    fn space(&mut self) {
        if self.gap == Gap::None {
            self.gap = Gap::Space;
        }
    }

    /// Ends a line. A table row is one line, so the lines within its cells are only kept apart.
    fn end_line(&mut self) {
        if self.cells > 0 {
            self.space();
        } else {
            self.draft.end_line();
            self.gap = Gap::None;
        }
    }

    fn block(&mut self) {
        if self.cells > 0 {
            self.space();
        } else {
            self.draft.fresh_line();
            self.gap = Gap::None;
        }
    }

    fn paragraph(&mut self) {
        self.draft.end_heading();
        if self.cells > 0 {
            self.space();
        } else if self.lists.is_empty() {
            self.draft.blank_line();
            self.gap = Gap::None;
        } else {
            self.block();
        }
    }
}

/// Elements whose content is not shown or is no text.
fn is_left_out(name: &str) -> bool {
    matches!(
        name,
        "script"
            | "style"
            | "template"
            | "title"
            | "noscript"
            | "svg"
            | "iframe"
            | "object"
            | "canvas"
            | "audio"
            | "video"
            | "noembed"
            | "noframes"
            | "datalist"
    )
}

/// Whether an element says of itself that it is not shown. Only elements whose end cannot be left out are believed, or the
/// rest of the page would go with them.
fn is_hidden<'v>(name: &str, attribute: impl Fn(&[u8]) -> Option<Cow<'v, str>>) -> bool {
    matches!(name, "div" | "section" | "span" | "aside" | "article" | "nav")
        && (attribute(b"hidden").is_some()
            || attribute(b"style").is_some_and(|style| {
                let style: String = style.split_whitespace().collect();
                style.to_ascii_lowercase().contains("display:none")
            }))
}

fn heading(name: &str) -> Option<u8> {
    match name {
        "h1" => Some(1),
        "h2" => Some(2),
        "h3" => Some(3),
        "h4" => Some(4),
        "h5" => Some(5),
        "h6" => Some(6),
        _ => None,
    }
}

fn is_paragraph(name: &str) -> bool {
    matches!(
        name,
        "p" | "blockquote" | "dl" | "figure" | "details" | "fieldset" | "center"
    )
}

fn is_block(name: &str) -> bool {
    matches!(
        name,
        "address"
            | "article"
            | "aside"
            | "body"
            | "caption"
            | "dd"
            | "dir"
            | "div"
            | "dt"
            | "figcaption"
            | "footer"
            | "form"
            | "header"
            | "html"
            | "legend"
            | "li"
            | "main"
            | "nav"
            | "option"
            | "section"
            | "select"
            | "summary"
            | "tbody"
            | "tfoot"
            | "thead"
    )
}
