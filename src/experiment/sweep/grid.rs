//! Values of parameters, and their combinations.

use rand::{Rng, RngExt, seq::IndexedRandom};

use crate::error::{Error, Hint, Result, Setting, Subject};
use crate::noise::{Stream, generator};

/// Largest number of runs.
const MAX_RUNS: usize = 10_000;

/// A parameter and its values.
#[derive(Clone, Debug, PartialEq)]
pub struct Axis {
    /// Its flag without leading dashes.
    pub name: String,
    values: Values,
}

#[derive(Clone, Debug, PartialEq)]
enum Values {
    Listed(Vec<String>),
    Range { from: f64, to: f64, count: usize, logarithmic: bool },
}

/// Names and values of one run.
pub type Point = Vec<(String, String)>;

impl Axis {
    /// Reads `NAME=V,V,...`, `NAME=FROM:TO:COUNT` or `NAME=log:FROM:TO:COUNT`.
    ///
    /// # Errors
    /// Other forms.
    pub fn parse(text: &str) -> Result<Self> {
        let refuse = |fact: &'static str| {
            let hint = "write NAME=1,2,3 or NAME=FROM:TO:COUNT or NAME=log:FROM:TO:COUNT";
            Error::mismatch(Subject::given(Setting::VARY, text), fact, hint)
        };
        let (name, values) = text.split_once('=').ok_or_else(|| refuse("there is no = in it"))?;
        let name = name.trim_start_matches('-').to_owned();
        if name.is_empty() || values.is_empty() {
            return Err(refuse("the name or the values are missing"));
        }
        let (logarithmic, range) = match values.strip_prefix("log:") {
            Some(range) => (true, range),
            None => (false, values),
        };
        if !logarithmic && !range.contains(':') {
            return Ok(Self { name, values: Values::Listed(values.split(',').map(|v| v.trim().to_owned()).collect()) });
        }
        let parts: Vec<f64> = range.split(':').map_while(|part| part.parse().ok()).collect();
        let (&[from, to, count], true) = (&parts[..], range.split(':').count() == 3) else {
            return Err(refuse("a range has three numbers"));
        };
        let counts = 1.0..=MAX_RUNS as f64;
        if !from.is_finite() || !to.is_finite() || count.fract() != 0.0 || !counts.contains(&count) {
            return Err(refuse("the bounds must be finite, and COUNT a whole number from 1 to 10000"));
        }
        if logarithmic && (from <= 0.0 || to <= 0.0) {
            return Err(refuse("the bounds of a logarithmic range must be above 0"));
        }
        Ok(Self { name, values: Values::Range { from, to, count: count as usize, logarithmic } })
    }

    /// All values, in order.
    fn grid(&self) -> Vec<String> {
        match &self.values {
            Values::Listed(values) => values.clone(),
            Values::Range { count: 1, from, .. } => vec![shown(*from)],
            Values::Range { count, .. } => {
                (0..*count).map(|i| shown(self.between(i as f64 / (count - 1) as f64))).collect()
            }
        }
    }

    fn random(&self, random: &mut impl Rng) -> String {
        match &self.values {
            Values::Listed(values) => values.choose(random).cloned().unwrap_or_default(),
            Values::Range { .. } => shown(self.between(random.random())),
        }
    }

    /// The value at a fraction of a range.
    fn between(&self, fraction: f64) -> f64 {
        match self.values {
            Values::Range { from, to, logarithmic: true, .. } => from * (to / from).powf(fraction),
            Values::Range { from, to, .. } => from + (to - from) * fraction,
            Values::Listed(_) => f64::NAN,
        }
    }
}

/// A number without the digits of rounding errors.
fn shown(value: f64) -> String {
    format!("{:.6e}", value).parse::<f64>().map_or_else(|_| value.to_string(), |value| value.to_string())
}

/// Every combination of values.
///
/// # Errors
/// More than 10000 combinations.
pub fn grid(axes: &[Axis]) -> Result<Vec<Point>> {
    let count = axes.iter().map(|axis| axis.grid().len()).try_fold(1usize, usize::checked_mul);
    if count.is_none_or(|count| count > MAX_RUNS) {
        let fact = format!("there are more than {MAX_RUNS} combinations");
        return Err(Error::mismatch(Setting::VARY, fact, Hint::from("vary less").or(Hint::Give(Setting::RANDOM))));
    }
    let start = vec![Point::new()];
    Ok(axes.iter().fold(start, |points, axis| {
        let extended = |point: &Point| -> Vec<Point> {
            axis.grid().into_iter().map(|value| [&point[..], &[(axis.name.clone(), value)]].concat()).collect()
        };
        points.iter().flat_map(extended).collect()
    }))
}

/// `count` random combinations, fewer if some are drawn twice.
pub fn random(axes: &[Axis], count: usize, seed: u64) -> Vec<Point> {
    let mut random = generator(seed, Stream::Sweep);
    let mut points: Vec<Point> = Vec::new();
    for _ in 0..count {
        let point: Point = axes.iter().map(|axis| (axis.name.clone(), axis.random(&mut random))).collect();
        if !points.contains(&point) {
            points.push(point);
        }
    }
    points
}

/// A point in words.
pub fn described(point: &Point) -> String {
    point.iter().map(|(name, value)| format!("{name} {value}")).collect::<Vec<_>>().join(", ")
}

/// A point as the name of a folder on every system; other points with the same names have other folders.
pub fn folder_name(point: &Point) -> String {
    let joined = point.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(",");
    portable(&joined)
}

/// The text with `%` and the characters that some system forbids in names as `%` and their code in hexadecimal.
fn portable(text: &str) -> String {
    const FORBIDDEN: &str = "<>:\"/\\|?*%";
    let last = text.chars().count().saturating_sub(1);
    let escaped = |(i, c): (usize, char)| {
        // Windows drops dots and spaces at the end of names.
        match FORBIDDEN.contains(c) || c.is_control() || i == last && matches!(c, '.' | ' ') {
            true => format!("%{:02X}", u32::from(c)),
            false => c.to_string(),
        }
    };
    text.chars().enumerate().map(escaped).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::unportable;

    #[test]
    fn axes_are_lists_or_ranges() {
        let values = |text: &str| Axis::parse(text).unwrap().grid();
        assert_eq!(values("lam=0.5,1, 2"), ["0.5", "1", "2"]);
        assert_eq!(values("--gamma=4:16:4"), ["4", "8", "12", "16"]);
        assert_eq!(values("lam=log:0.1:10:3"), ["0.1", "1", "10"]);
        assert_eq!(values("lam=-1:1:3"), ["-1", "0", "1"]);
        for bad in ["lam", "=1", "lam=", "lam=1:2", "lam=1:x:3", "lam=log:-1:2:3", "lam=1:2:0", "lam=1:2:2.5"] {
            assert!(Axis::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn grids_hold_every_combination() {
        let axes = ["a=1,2", "b=x,y,z"].map(|text| Axis::parse(text).unwrap());
        let points = grid(&axes).unwrap();
        assert_eq!(points.len(), 6);
        assert_eq!(folder_name(&points[5]), "a=2,b=z");
        assert!(grid(&["a=1:2:5000", "b=1:2:5000"].map(|text| Axis::parse(text).unwrap())).is_err());
        let some = random(&axes, 20, 1);
        assert!(some.iter().all(|point| points.contains(point)) && some.len() <= points.len());
    }

    #[test]
    fn folders_of_points_are_portable_and_distinct() {
        let values =
            ["1", "1.", "1. ", "a/b", "a\\b", "a:b", "a?b", "a*b", "a<b", "a>b", "a|b", "a\"b", "a%b", "a%3Ab", "a\tb"];
        let names: Vec<String> =
            values.iter().map(|value| folder_name(&vec![("mask".to_owned(), (*value).to_owned())])).collect();
        for (i, name) in names.iter().enumerate() {
            assert_eq!(unportable(name), None, "{name}");
            assert!(!names[..i].contains(name), "{name} twice");
        }
        assert_eq!(names[0], "mask=1");
    }
}
