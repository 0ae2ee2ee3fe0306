//! The sentences around the quotes, in the languages they exist in.

/// The sentences of one language.
pub(super) struct Phrases {
    /// Before quotes that answer the question.
    pub(super) found: &'static str,
    /// Before quotes that share no word with the question.
    pub(super) closest: &'static str,
    /// Instead of quotes.
    pub(super) nothing: &'static str,
}

const ENGLISH: Phrases = Phrases {
    found: "No language model is connected, so I quote the sentences of your files that come closest to your question.",
    closest: "No language model is connected, and no sentence of your files has the words of your question, so I quote \
              the passages that come closest in meaning.",
    nothing: "No language model is connected, so I can only quote your files, and I found nothing in them for this \
              question. Add files about it to the assistant, ask in other words, or ask an administrator to connect a \
              language model by entering a provider key.",
};

const HEBREW: Phrases = Phrases {
    found: "לא מחובר מודל שפה, ולכן אני מצטט מתוך הקבצים שלך את המשפטים הקרובים ביותר לשאלה.",
    closest: "לא מחובר מודל שפה, ואין בקבצים שלך משפט שמכיל את מילות השאלה, ולכן אני מצטט את הקטעים הקרובים לה ביותר \
              במשמעות.",
    nothing: "לא מחובר מודל שפה, ולכן אני יכול רק לצטט מתוך הקבצים שלך, ולא מצאתי בהם דבר לשאלה הזאת. אפשר להוסיף לעוזר \
              קבצים בנושא, לשאול במילים אחרות, או לבקש ממנהל המערכת לחבר מודל שפה באמצעות מפתח של ספק.",
};

impl Phrases {
    /// The sentences for an answer to `question`: Hebrew if most of its letters are.
    pub(super) fn for_question(question: &str) -> &'static Self {
        let letters = question.chars().filter(|c| c.is_alphabetic()).count();
        let hebrew = question.chars().filter(|c| ('\u{5d0}'..='\u{5ea}').contains(c)).count();
        if hebrew * 2 > letters { &HEBREW } else { &ENGLISH }
    }
}
