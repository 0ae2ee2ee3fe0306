//! OpenRouter's prices: decimal text in US dollars a token to whole micro-dollars a million tokens, exactly.

use across::money::{MicroUsd, Price};
use serde_json::Value;

use super::wire::Pricing;

/// A dollar a token, in micro-dollars a million tokens, is a one with so many zeros.
const SHIFT: i32 = 12;

/// The price of a model; `None` if it is not told, as for models that stand for a choice of others.
pub(super) fn price(pricing: &Pricing) -> Option<Price> {
    Some(Price {
        prompt: per_million(pricing.prompt.as_ref()?)?,
        completion: per_million(pricing.completion.as_ref()?)?,
    })
}

fn per_million(value: &Value) -> Option<MicroUsd> {
    match value {
        Value::String(text) => decimal(text.trim()),
        Value::Number(number) => decimal(&number.to_string()),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

/// `text` times 10^[`SHIFT`], what is left over rounded up so that nothing with a price becomes free.
fn decimal(text: &str) -> Option<MicroUsd> {
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let exponent: i32 = exponent.parse().ok().filter(|e| (-30..=30).contains(e))?;
    let digits = format!("{whole}{fraction}");
    // Signs are no digits: a negative price, which stands for an unknown one, is none.
    if digits.is_empty() || digits.len() > 30 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let value: u128 = digits.parse().ok()?;
    let shift = SHIFT + exponent - i32::try_from(fraction.len()).ok()?;
    let factor = 10_u128.checked_pow(shift.unsigned_abs())?;
    let scaled = if shift >= 0 {
        value.checked_mul(factor)?
    } else {
        value.div_ceil(factor)
    };
    i64::try_from(scaled).ok().map(MicroUsd)
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
}
