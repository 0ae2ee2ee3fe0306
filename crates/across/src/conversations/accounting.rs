//! What one answer used and what that costs: the provider's word where it can be believed, else ours, and never nothing for
//! words that were written (providers' reference, section 9).

use std::{sync::Arc, time::Duration};

use crate::{
    conversations::conversation::Ending,
    governance::meter::{Correction, Particulars, Reservation, Spent},
    id::{ApiKeyId, MessageId},
    money::{Charged, MicroUsd, PriceSource, Tariff},
    platform::Platform,
    providers::{
        chat::{ChatEvent, ChatRequest, Usage},
        routing::{Asked, Failover, Served},
        tokens,
    },
};

/// Characters of a name that a provider gives a model or a call that are kept.
const NAME_CHARS: usize = 200;
/// When a provider is asked what a call cost that broke off, after the one before.
const ASK_AFTER: [Duration; 5] = [
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(4),
    Duration::from_secs(8),
    Duration::from_secs(16),
];

/// The bill of one answer while it is being written.
pub(super) struct Bill {
    /// What was set aside.
    call: Reservation,
    /// The model, by the name it was asked for.
    model: String,
    /// Who answers.
    provider: String,
    /// With which of the stored keys, if with one.
    key: Option<ApiKeyId>,
    tariff: Option<Tariff>,
    /// The provider's count.
    usage: Option<Usage>,
    /// Bytes of the prompt.
    prompt_bytes: u64,
    /// Tokens of hidden reasoning that came, as we count them.
    reasoning: u64,
    refused_keys: Vec<(ApiKeyId, String)>,
    more: Particulars,
}

impl Bill {
    /// Nothing has been used yet.
    pub(super) fn new(served: &Served, call: Reservation, request: &ChatRequest) -> Self {
        let turns: usize = request.turns.iter().map(|turn| turn.text.len()).sum();
        Self {
            model: served.model.id.clone(),
            provider: call.provider.clone(),
            key: call.key,
            tariff: served.first().map(|route| route.tariff.clone()),
            usage: None,
            prompt_bytes: (turns + request.system.as_ref().map_or(0, String::len)) as u64,
            reasoning: 0,
            refused_keys: Vec::new(),
            more: Particulars::default(),
            call,
        }
    }

    /// Who answers.
    pub(super) fn provider(&self) -> &str {
        &self.provider
    }

    /// Another provider is asked.
    pub(super) fn asked(&mut self, asked: Asked) {
        self.provider = asked.provider.as_str().to_owned();
        self.key = asked.key;
        self.tariff = Some(asked.tariff);
    }

    /// A provider refused its key.
    pub(super) fn refused(&mut self, key: ApiKeyId, problem: &str) {
        self.refused_keys.push((key, problem.to_owned()));
    }

    /// Somebody else answers than who should have.
    pub(super) fn failover(&mut self, failover: &Failover) {
        self.more.failover = Some((failover.from.clone(), failover.reason.clone()));
    }

    /// Takes what arrived, words excepted.
    pub(super) fn hear(&mut self, event: ChatEvent) {
        let name = |text: String| text.chars().take(NAME_CHARS).collect::<String>();
        match event {
            ChatEvent::Started { upstream_id, model, .. } => {
                self.more.upstream_id = upstream_id.map(name);
                self.more.answered_model = model.map(name).filter(|model| *model != self.model);
            }
            ChatEvent::Usage(usage) => self.usage = Some(usage),
            ChatEvent::Reasoning(thought) => self.reasoning += tokens::estimate(&thought),
            ChatEvent::Text(_) | ChatEvent::Finish(_) => {}
        }
    }

    /// The whole answer came.
    pub(super) fn whole(self, words: &str) -> Spent {
        self.settled(words, true)
    }

    /// The answer was ended before its end.
    pub(super) fn broken_off(self, words: &str) -> Spent {
        self.settled(words, false)
    }

    /// The call failed. Nothing is charged if nothing came of it.
    pub(super) fn failed(self, words: &str) -> Spent {
        if words.is_empty() && self.reasoning == 0 && self.usage.is_none() {
            return self.spent(Charged::default(), MicroUsd::ZERO, false, None);
        }
        self.settled(words, false)
    }

    /// The provider's count if it gave one that can be true, else ours.
    fn settled(mut self, words: &str, is_whole: bool) -> Spent {
        let ours = Charged {
            prompt: self.call.prompt_tokens,
            completion: tokens::estimate(words) + self.reasoning,
            ..Charged::default()
        };
        let counted = self
            .usage
            .take()
            .filter(|usage| self.is_believable(usage, ours.completion));
        // What an answer that broke off had counted so far is often only its beginning.
        let missed = |usage: &Usage| !is_whole && usage.output_total < ours.completion;
        let estimated = counted.as_ref().is_none_or(missed);
        let charged = counted.as_ref().map_or(ours, |usage| Charged {
            prompt: usage.input_total,
            cached: usage.input_cached,
            cache_write: usage.cache_write,
            cache_write_1h: usage.cache_write_1h,
            completion: usage.output_total.max(if estimated { ours.completion } else { 0 }),
        });
        let stated = counted.as_ref().filter(|_| !estimated).and_then(|usage| usage.cost);
        self.more.reasoning_tokens = counted.as_ref().map_or(self.reasoning, |usage| usage.output_reasoning);
        self.more.raw = counted.and_then(|usage| usage.raw);
        let tariff = self.tariff.as_ref();
        let (cost, source) = match stated {
            Some(cost) => (cost, Some(PriceSource::Stated)),
            None => (
                tariff.map_or_else(
                    || self.call.price.cost(charged.prompt, charged.completion),
                    |tariff| tariff.cost(charged),
                ),
                tariff.map(|tariff| tariff.source),
            ),
        };
        self.spent(charged, cost, estimated, source)
    }

    /// Whether a count can be true: a provider that miscounts must neither empty a quota nor fill one.
    fn is_believable(&self, usage: &Usage, completion: u64) -> bool {
        let far = |counted: u64, expected: u64| counted > expected.saturating_mul(4).saturating_add(256);
        // A token is at least a byte of the prompt, whatever it is cut with: our count may be far too small for odd text.
        let long_prompt =
            far(usage.input_total, self.call.prompt_tokens) && usage.input_total > self.prompt_bytes + 1_024;
        // Reasoning that nobody sees cannot be counted by us; but it is no longer than the answer may be.
        let seen = usage.output_total.saturating_sub(usage.output_reasoning);
        let long_answer = far(seen, completion) || far(usage.output_total, self.call.completion_tokens);
        if long_prompt || long_answer {
            tracing::warn!(?usage, "the provider's count of tokens cannot be true; ours is charged");
        }
        !long_prompt && !long_answer
    }

    fn spent(self, charged: Charged, cost: MicroUsd, estimated: bool, source: Option<PriceSource>) -> Spent {
        Spent {
            hold: self.call.id,
            payer: self.call.payer,
            provider: self.provider,
            key: self.key,
            model: self.model,
            prompt_tokens: charged.prompt,
            completion_tokens: charged.completion,
            cost,
            estimated,
            refused_keys: self.refused_keys,
            more: Particulars {
                cached_tokens: charged.cached,
                price_source: source,
                ..self.more
            },
        }
    }
}

/// Asks the provider in the background what a call cost that broke off before it was counted, and corrects the estimate. A
/// process that ends meanwhile leaves the estimate as it is.
pub(super) fn ask_afterwards(platform: &Arc<Platform>, served: &Served, message: MessageId, ending: &Ending) {
    let Some(spent) = ending.spent.as_ref().filter(|spent| spent.estimated) else {
        return;
    };
    let route = served
        .routes
        .iter()
        .find(|route| route.provider.kind().as_str() == spent.provider && route.key == spent.key);
    let (Some(route), Some(upstream_id)) = (route, spent.more.upstream_id.clone()) else {
        return;
    };
    if !route.provider.keeps_accounts() {
        return;
    }
    let (platform, provider) = (Arc::clone(platform), Arc::clone(&route.provider));
    let stopping = platform.stopping.clone();
    let asking = async move {
        for pause in ASK_AFTER {
            tokio::time::sleep(pause).await;
            match provider.accounted(&upstream_id).await {
                Ok(Some(account)) => {
                    let correction = Correction {
                        message,
                        upstream_id,
                        prompt_tokens: account.prompt_tokens,
                        completion_tokens: account.completion_tokens,
                        cost: account.cost,
                    };
                    if let Err(error) = platform.store.correct(correction, platform.clock.now()).await {
                        tracing::warn!(%error, %message, "what an answer cost could not be corrected; the estimate stands");
                    }
                    return;
                }
                Ok(None) => {}
                Err(error) => tracing::debug!(%error, %message, "the provider does not say yet what an answer cost"),
            }
        }
        tracing::info!(%message, "the provider did not say what an answer cost; the estimate stands");
    };
    tokio::spawn(async move { stopping.run_until_cancelled(asking).await });
}
