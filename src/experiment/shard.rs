//! Parts of a set that run apart from each other.

use std::str::FromStr;

use crate::error::{Error, Result, Setting};

/// The part `index` of `count` of a set, from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    /// Which part.
    pub index: usize,
    /// Of how many.
    pub count: usize,
}

impl Shard {
    /// The whole set.
    pub const WHOLE: Self = Self { index: 0, count: 1 };
}

impl FromStr for Shard {
    type Err = Error;

    /// Reads `I/N`, with `I` from 1.
    fn from_str(text: &str) -> Result<Self> {
        let parsed = text.split_once('/').and_then(|(i, n)| Some((i.parse::<usize>().ok()?, n.parse::<usize>().ok()?)));
        match parsed {
            Some((i, count)) if (1..=count).contains(&i) => Ok(Self { index: i - 1, count }),
            _ => Err(Error::parameter(Setting::SHARD, text, "it must be I/N with I from 1 to N, such as 3/8")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_are_counted_from_one() {
        assert_eq!("3/8".parse::<Shard>().unwrap(), Shard { index: 2, count: 8 });
        for text in ["0/8", "9/8", "3", "3/", "a/b", "-1/2"] {
            assert!(text.parse::<Shard>().is_err(), "{text}");
        }
    }
}
