//! A conversation as every vendor takes it: the person first, then both in turn, nobody saying nothing.

use std::borrow::Cow;

use across::providers::chat::{Speaker, Turn};

/// What was said, in turn. Some vendors, and many models' templates, refuse two turns of the same speaker, an empty one, or an
/// answer without its question; none of that is worth a refusal.
pub(crate) fn in_turn(turns: &[Turn]) -> Vec<(Speaker, Cow<'_, str>)> {
    let mut said: Vec<(Speaker, Cow<'_, str>)> = Vec::with_capacity(turns.len());
    for turn in turns.iter().filter(|turn| !turn.text.trim().is_empty()) {
        match said.last_mut() {
            None if turn.speaker == Speaker::Assistant => {}
            Some((speaker, words)) if *speaker == turn.speaker => {
                let words = words.to_mut();
                words.push_str("\n\n");
                words.push_str(&turn.text);
            }
            _ => said.push((turn.speaker, Cow::Borrowed(&turn.text))),
        }
    }
    said
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_of_one_speaker_become_one() {
        use Speaker::{Assistant, User};
        let turn = |(speaker, text): (Speaker, &str)| Turn {
            speaker,
            text: text.to_owned(),
        };
        let turns = [
            (Assistant, "lost"),
            (User, "a"),
            (Assistant, " \n"),
            (User, "b"),
            (Assistant, "c"),
            (Assistant, "d"),
            (User, "e"),
        ]
        .map(turn);
        let said = in_turn(&turns);
        let said: Vec<(Speaker, &str)> = said.iter().map(|(speaker, words)| (*speaker, words.as_ref())).collect();
        assert_eq!(said, [(User, "a\n\nb"), (Assistant, "c\n\nd"), (User, "e")]);
    }
}
