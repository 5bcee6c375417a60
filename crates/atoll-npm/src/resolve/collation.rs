//! The order that npm sorts names in: that of the English locale.
//!
//! npm compares with `localeCompare`, so punctuation comes before digits and digits before letters, and capitals matter
//! only between names that are otherwise equal. Package names and install paths are ASCII, for which the Unicode
//! collation's root table comes down to the two lists below.

use std::cmp::Ordering;

/// All printable ASCII characters but letters, in collation order.
const BEFORE_LETTERS: &[u8] = b" _-,;:!?.'\"()[]{}@*/\\&#%`^+<=>|~$0123456789";

/// A string's place in that order.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct CollationKey {
    /// Alphabetical weight of each character.
    primary: Vec<u32>,
    /// Small before capital, where the alphabet does not decide.
    tertiary: Vec<bool>,
}

impl CollationKey {
    pub(crate) fn new(text: &str) -> Self {
        Self {
            primary: text.chars().map(weight).collect(),
            tertiary: text.chars().map(|c| c.is_ascii_uppercase()).collect(),
        }
    }
}

/// `a.localeCompare(b, 'en')` for ASCII.
pub(crate) fn compare(a: &str, b: &str) -> Ordering {
    let by_weight = a.chars().map(weight).cmp(b.chars().map(weight));
    by_weight.then_with(|| {
        let capitals = |text: &str| text.chars().map(|c| c.is_ascii_uppercase()).collect::<Vec<_>>();
        capitals(a).cmp(&capitals(b))
    })
}

/// Weights of ASCII characters; capitals have those of small letters.
const WEIGHTS: [u8; 128] = {
    let mut weights = [0; 128];
    let mut place = 0;
    while place < BEFORE_LETTERS.len() {
        weights[BEFORE_LETTERS[place] as usize] = place as u8 + 1;
        place += 1;
    }
    let mut letter = 0;
    while letter < 26 {
        weights[(b'a' + letter) as usize] = 0x80 + letter;
        weights[(b'A' + letter) as usize] = 0x80 + letter;
        letter += 1;
    }
    weights
};

fn weight(c: char) -> u32 {
    /// Above every weight of ASCII.
    const BEYOND_ASCII: u32 = 0x100;
    match WEIGHTS.get(c as usize) {
        Some(&weight) => u32::from(weight),
        None => BEYOND_ASCII + u32::from(c),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_is_that_of_locale_compare() {
        // As sorted by Node 20 with `localeCompare(…, 'en')`.
        let sorted = ["@a/b", "a_b", "a-b", "a.b", "a/b", "a1", "ab", "aB", "AB", "abc", "b"];
        let mut shuffled = sorted;
        shuffled.reverse();
        shuffled.sort_by(|a, b| compare(a, b));
        assert_eq!(shuffled, sorted);
        shuffled.reverse();
        shuffled.sort_by_key(|text| CollationKey::new(text));
        assert_eq!(shuffled, sorted);
    }
}
