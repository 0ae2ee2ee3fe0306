//! What somebody asks for in a conversation, and what has to be known of it before it can be answered.

use crate::{
    conversations::{
        conversation::{ConversationStore, Question, TurnPlace, Unfit},
        message::{Message, State},
        reply::ReplyError,
        tree::PathEnd,
    },
    id::{ConversationId, MessageId, UserId},
    providers::chat::Speaker,
};

/// Said to a model whose answer ended too early. Few vendors take an answer's beginning for theirs to go on from.
const GO_ON: &str = "Your answer above was cut off. Go on with it exactly where it stopped, in the same language and style: \
repeat nothing of it, and add no introduction.";

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked {
    /// An answer to a new question, after the head.
    Next {
        /// The question.
        content: String,
        /// By this model instead of the assistant's.
        model: Option<String>,
    },
    /// An answer to a question in other words: it stands beside the old one.
    Edit {
        /// The old question.
        question: MessageId,
        /// The new one.
        content: String,
        /// By this model instead of the assistant's.
        model: Option<String>,
    },
    /// Another answer: beside this one, or to this question that has none.
    Regenerate {
        /// The answer or question.
        message: MessageId,
        /// By this model instead of the assistant's.
        model: Option<String>,
    },
    /// An answer that ended too early goes on in place.
    Continue {
        /// The answer.
        answer: MessageId,
    },
}

/// A turn that can begin, as far as the conversation is concerned.
pub(super) struct Plan {
    /// The answer.
    pub(super) answer: MessageId,
    /// Where question and answer stand.
    pub(super) place: TurnPlace,
    /// What is asked.
    pub(super) question: String,
    /// What is said to the model after everything that was said before.
    pub(super) said: String,
    /// Where the path ends that is said before it; `None` if nothing is.
    pub(super) before: Option<PathEnd>,
    /// The model that was chosen.
    pub(super) model: Option<String>,
    /// The answer as far as it came, if it is to go on.
    pub(super) partial: Option<Message>,
}

impl Plan {
    /// Whether the model is to go on with words of its own.
    pub(super) fn goes_on(&self) -> bool {
        self.partial
            .as_ref()
            .is_some_and(|partial| !partial.content.trim().is_empty())
    }
}

impl Asked {
    /// The message that it is about, if it is about one.
    const fn about(&self) -> Option<MessageId> {
        match self {
            Self::Next { .. } => None,
            Self::Edit { question, .. } => Some(*question),
            Self::Regenerate { message, .. } => Some(*message),
            Self::Continue { answer } => Some(*answer),
        }
    }

    /// Finds the message that it is about.
    ///
    /// # Errors
    /// [`ReplyError::Missing`] if it is not one of this conversation.
    pub(super) async fn find(
        &self,
        store: &dyn ConversationStore,
        owner: UserId,
        conversation: ConversationId,
    ) -> Result<Option<Message>, ReplyError> {
        let Some(id) = self.about() else { return Ok(None) };
        let found = store.find_message(owner, conversation, id).await?;
        found.map(Some).ok_or(ReplyError::Missing)
    }

    /// What has to be known; `message` is what was found.
    ///
    /// # Errors
    /// [`ReplyError::Unfit`] if that message is not one to be asked this of.
    pub(super) async fn plan(
        self,
        store: &dyn ConversationStore,
        owner: UserId,
        message: Option<Message>,
    ) -> Result<Plan, ReplyError> {
        let new = |content: &str| Question {
            id: MessageId::new(),
            content: content.to_owned(),
        };
        match (self, message) {
            (Self::Next { content, model }, _) => Ok(Plan {
                answer: MessageId::new(),
                place: TurnPlace::End(new(&content)),
                said: content.clone(),
                question: content,
                before: Some(PathEnd::Head),
                model,
                partial: None,
            }),
            (Self::Edit { content, model, .. }, Some(old)) => {
                if old.speaker != Speaker::User {
                    return Err(ReplyError::Unfit(Unfit::NotAQuestion));
                }
                Ok(Plan {
                    answer: MessageId::new(),
                    place: TurnPlace::Beside(old.id, new(&content)),
                    said: content.clone(),
                    question: content,
                    before: old.parent.map(PathEnd::At),
                    model,
                    partial: None,
                })
            }
            (Self::Regenerate { model, .. }, Some(message)) => {
                let is_first = message.speaker == Speaker::User;
                let question = if is_first {
                    message
                } else {
                    question_of(store, owner, &message).await?
                };
                Ok(Plan {
                    answer: MessageId::new(),
                    place: TurnPlace::Below {
                        question: question.id,
                        is_first,
                    },
                    said: question.content.clone(),
                    question: question.content,
                    before: question.parent.map(PathEnd::At),
                    model,
                    partial: None,
                })
            }
            (Self::Continue { .. }, Some(answer)) => {
                if !can_go_on(&answer) {
                    return Err(ReplyError::Unfit(Unfit::Whole));
                }
                let question = question_of(store, owner, &answer).await?;
                // Without a word of it there is nothing to go on from, and the question is asked as it was.
                let (said, before) = if answer.content.trim().is_empty() {
                    (question.content.clone(), question.parent)
                } else {
                    (GO_ON.to_owned(), Some(answer.id))
                };
                Ok(Plan {
                    answer: answer.id,
                    place: TurnPlace::Again,
                    question: question.content,
                    said,
                    before: before.map(PathEnd::At),
                    model: answer.model.clone(),
                    partial: Some(answer),
                })
            }
            (_, None) => Err(ReplyError::Missing),
        }
    }
}

/// Whether a message is an answer that ended before its end.
#[must_use]
pub fn can_go_on(message: &Message) -> bool {
    let is_cut = match message.state {
        State::Stopped | State::Interrupted => true,
        State::Complete => message.finish_reason.as_deref() == Some("length"),
        State::Streaming | State::Error => false,
    };
    message.speaker == Speaker::Assistant && is_cut
}

/// The question that an answer answers.
async fn question_of(store: &dyn ConversationStore, owner: UserId, answer: &Message) -> Result<Message, ReplyError> {
    let parent = answer.parent.ok_or(ReplyError::Missing)?;
    let found = store.find_message(owner, answer.conversation, parent).await?;
    found.ok_or(ReplyError::Missing)
}
