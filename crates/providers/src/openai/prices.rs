//! OpenRouter's prices and charges: decimal text in US dollars to whole micro-dollars, exactly.

use across::money::{MicroUsd, Price, PriceSource, Rates, Tariff, Tier};
use serde_json::Value;

use super::wire::{Override, Pricing};
use crate::answer::count;

/// A dollar a token, in micro-dollars a million tokens, is a one with so many zeros.
const PER_MILLION: i32 = 12;
/// So many zeros has a dollar in trillionths, in which charges are added before they are rounded.
const TRILLIONTHS: i32 = 12;
/// Trillionths of a dollar in a micro-dollar.
const MICRO: u128 = 1_000_000;
/// A charge beyond this, in micro-dollars, is a mistake: ten thousand dollars for one answer.
const ABSURD: i64 = 10_000_000_000;

/// What a model costs; `None` if it is not told, as for models that stand for a choice of others.
pub(super) fn tariff(pricing: &Pricing) -> Option<Tariff> {
    let usual = Rates {
        price: Price {
            prompt: per_million(pricing.prompt.as_ref()?)?,
            completion: per_million(pricing.completion.as_ref()?)?,
        },
        cache_read: pricing.input_cache_read.as_ref().and_then(per_million),
        cache_write: pricing.input_cache_write.as_ref().and_then(per_million),
        cache_write_1h: pricing.input_cache_write_1h.as_ref().and_then(per_million),
    };
    let overrides = pricing.overrides.as_array().into_iter().flatten();
    // Prices of some hours of the day are left out: a call is charged what it says it cost.
    let mut tiers: Vec<Tier> = overrides
        .filter_map(|one| serde_json::from_value::<Override>(one.clone()).ok())
        .filter_map(|one| {
            Some(Tier {
                above: count(one.min_prompt_tokens)?,
                rates: changed(usual, &one.pricing),
            })
        })
        .collect();
    tiers.sort_by_key(|tier| tier.above);
    Some(Tariff {
        rates: usual,
        tiers,
        source: PriceSource::Live,
    })
}

fn changed(usual: Rates, pricing: &Pricing) -> Rates {
    let told = |value: &Option<Value>| value.as_ref().and_then(per_million);
    Rates {
        price: Price {
            prompt: told(&pricing.prompt).unwrap_or(usual.price.prompt),
            completion: told(&pricing.completion).unwrap_or(usual.price.completion),
        },
        cache_read: told(&pricing.input_cache_read).or(usual.cache_read),
        cache_write: told(&pricing.input_cache_write).or(usual.cache_write),
        cache_write_1h: told(&pricing.input_cache_write_1h).or(usual.cache_write_1h),
    }
}

/// What a call was charged: OpenRouter's own charge and, where a key of one's own was used, that of the model's maker.
/// `None` if one of them is missing or makes no sense.
pub(super) fn charge(own: &Value, is_byok: bool, makers: Option<&Value>) -> Option<MicroUsd> {
    let own = scaled(own, TRILLIONTHS)?;
    let makers = if is_byok { scaled(makers?, TRILLIONTHS)? } else { 0 };
    let micro = own.checked_add(makers)?.div_ceil(MICRO);
    let charge = i64::try_from(micro).ok().filter(|charge| *charge <= ABSURD);
    charge.map(MicroUsd)
}

fn per_million(value: &Value) -> Option<MicroUsd> {
    i64::try_from(scaled(value, PER_MILLION)?).ok().map(MicroUsd)
}

/// A number, or a number in text, times a one with so many zeros.
fn scaled(value: &Value, zeros: i32) -> Option<u128> {
    match value {
        Value::String(text) => decimal(text.trim(), zeros),
        Value::Number(number) => decimal(&number.to_string(), zeros),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

/// `text` times 10^`zeros`, what is left over rounded up so that nothing with a price becomes free.
fn decimal(text: &str, zeros: i32) -> Option<u128> {
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let exponent: i32 = exponent.parse().ok().filter(|e| (-30..=30).contains(e))?;
    let digits = format!("{whole}{fraction}");
    // Signs are no digits: a negative price, which stands for an unknown one, is none.
    if digits.is_empty() || digits.len() > 30 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let value: u128 = digits.parse().ok()?;
    let shift = zeros + exponent - i32::try_from(fraction.len()).ok()?;
    let factor = 10_u128.checked_pow(shift.unsigned_abs())?;
    if shift >= 0 {
        value.checked_mul(factor)
    } else {
        Some(value.div_ceil(factor))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn dollars_a_token_become_micro_dollars_a_million_exactly() {
        let table = [
            ("0.000004", Some(4_000_000)),
            ("0.00002", Some(20_000_000)),
            ("0.0000000416", Some(41_600)),
            ("0.000000000001", Some(1)),
            ("0.0000000000001", Some(1)),
            ("0.0000000000010000000001", Some(2)),
            ("0.1", Some(100_000_000_000)),
            ("0", Some(0)),
            ("0.000", Some(0)),
            ("4e-7", Some(400_000)),
            ("1.5E-6", Some(1_500_000)),
            ("2", Some(2_000_000_000_000)),
            ("-1", None),
            ("", None),
            (".", None),
            ("free", None),
            ("1e99", None),
            ("0.1.2", None),
            ("+1", None),
            ("9999999999999999999", None),
            ("NaN", None),
        ];
        for (text, expected) in table {
            assert_eq!(per_million(&json!(text)), expected.map(MicroUsd), "{text:?}");
        }
        assert_eq!(per_million(&json!(0.000_000_4)), Some(MicroUsd(400_000)));
        assert_eq!(per_million(&json!(null)), None);
    }

    #[test]
    fn charges_are_rounded_up_once() {
        let table = [
            (json!(0.000_044), false, None, Some(44)),
            (json!(4.4e-5), false, None, Some(44)),
            (json!("0.0000440001"), false, None, Some(45)),
            (json!(0), false, None, Some(0)),
            (json!(0.000_001), true, Some(json!(0.000_000_4)), Some(2)),
            (json!("0.0000004"), true, Some(json!("0.0000004")), Some(1)),
            (json!(0.5), false, Some(json!(9)), Some(500_000)),
            (json!(0.5), true, Some(json!(null)), None),
            (json!(0.5), true, None, None),
            (json!(-0.5), false, None, None),
            (json!(4e15), false, None, None),
            (json!("free"), false, None, None),
        ];
        for (own, is_byok, makers, expected) in table {
            let found = charge(&own, is_byok, makers.as_ref());
            assert_eq!(found, expected.map(MicroUsd), "{own} {is_byok} {makers:?}");
        }
    }
}
