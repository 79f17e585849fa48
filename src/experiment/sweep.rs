//! Runs over values of parameters, to find the best.

use std::collections::BTreeMap;
use std::path::Path;

use maud::{Markup, PreEscaped, html};
use rand::{Rng, RngExt, seq::IndexedRandom};

use super::report::{document, lines, shown_mean};
use super::statistics::Mean;
use crate::error::{Error, Result};
use crate::metrics::{ALL, About};
use crate::noise::{Stream, generator};
use crate::picture::write_atomically;

/// More runs than this are refused.
const MOST: usize = 10_000;

/// A parameter and where its values come from.
#[derive(Clone, Debug, PartialEq)]
pub struct Axis {
    /// Its flag without dashes.
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

/// A run that was made.
#[derive(Clone, Debug)]
pub struct Row {
    /// Its parameters.
    pub point: Point,
    /// What came out.
    pub means: BTreeMap<String, Mean>,
}

impl Axis {
    /// Reads `NAME=V,V,...`, `NAME=FROM:TO:COUNT` or `NAME=log:FROM:TO:COUNT`.
    ///
    /// # Errors
    /// Other forms.
    pub fn parse(text: &str) -> Result<Self> {
        let refuse = |fact: &str| Error::Mismatch {
            what: format!("--vary {text}"),
            fact: fact.into(),
            remedy: "write NAME=1,2,3 or NAME=FROM:TO:COUNT or NAME=log:FROM:TO:COUNT".into(),
        };
        let (name, values) = text.split_once('=').ok_or_else(|| refuse("there is no = in it"))?;
        let name = name.trim_start_matches('-').to_owned();
        if name.is_empty() || values.is_empty() {
            return Err(refuse("a name or its values are missing"));
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
        let sound = from.is_finite() && to.is_finite() && count.fract() == 0.0 && (1.0..=MOST as f64).contains(&count);
        if !sound || logarithmic && (from <= 0.0 || to <= 0.0) {
            return Err(refuse("its numbers make no range"));
        }
        Ok(Self { name, values: Values::Range { from, to, count: count as usize, logarithmic } })
    }

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

    /// The value at a share of a range.
    fn between(&self, share: f64) -> f64 {
        match self.values {
            Values::Range { from, to, logarithmic: true, .. } => from * (to / from).powf(share),
            Values::Range { from, to, .. } => from + (to - from) * share,
            Values::Listed(_) => f64::NAN,
        }
    }
}

/// A number without the digits that computing it added.
fn shown(value: f64) -> String {
    format!("{:.6e}", value).parse::<f64>().map_or_else(|_| value.to_string(), |value| value.to_string())
}

/// Every combination of values.
///
/// # Errors
/// More runs than anyone has time for.
pub fn grid(axes: &[Axis]) -> Result<Vec<Point>> {
    let count = axes.iter().map(|axis| axis.grid().len()).try_fold(1usize, usize::checked_mul);
    if count.is_none_or(|count| count > MOST) {
        return Err(Error::Mismatch {
            what: "--vary".into(),
            fact: format!("the combinations are more than {MOST} runs"),
            remedy: "vary less, or pass --random COUNT".into(),
        });
    }
    let start = vec![Point::new()];
    Ok(axes.iter().fold(start, |points, axis| {
        let extended = |point: &Point| -> Vec<Point> {
            axis.grid().into_iter().map(|value| [&point[..], &[(axis.name.clone(), value)]].concat()).collect()
        };
        points.iter().flat_map(extended).collect()
    }))
}

/// `count` random combinations, or fewer where some come up twice.
pub fn random(axes: &[Axis], count: usize, seed: u64) -> Vec<Point> {
    let mut random = generator(seed, Stream::SensingPattern);
    let mut points: Vec<Point> = Vec::new();
    for _ in 0..count {
        let point: Point = axes.iter().map(|axis| (axis.name.clone(), axis.random(&mut random))).collect();
        if !points.contains(&point) {
            points.push(point);
        }
    }
    points
}

/// A point as the name of a folder.
pub fn folder_name(point: &Point) -> String {
    let safe = |text: &str| text.replace(['/', '\\', ':'], "_");
    point.iter().map(|(name, value)| format!("{}={}", safe(name), safe(value))).collect::<Vec<_>>().join(",")
}

/// The best row by a metric.
pub fn best<'a>(rows: &'a [Row], metric: &About) -> Option<&'a Row> {
    let value = |row: &Row| row.means.get(metric.name).map(|mean| mean.mean);
    let better = |a: &&Row, b: &&Row| {
        let order = value(a).unwrap_or(f64::NAN).total_cmp(&value(b).unwrap_or(f64::NAN));
        if metric.higher_is_better { order } else { order.reverse() }
    };
    rows.iter().filter(|row| value(row).is_some()).max_by(better)
}

/// Writes `sweep.csv` and `sweep.html` with a table and a plot of `metric`.
///
/// # Errors
/// Places that cannot be written.
pub fn write(folder: &Path, title: &str, axes: &[Axis], rows: &[Row], metric: &About) -> Result<()> {
    write_atomically(&folder.join("sweep.csv"), &table(axes, rows)?)?;
    write_atomically(&folder.join("sweep.html"), page(title, axes, rows, metric).as_bytes())
}

fn metrics_of(rows: &[Row]) -> Vec<About> {
    ALL.into_iter().filter(|about| rows.iter().any(|row| row.means.contains_key(about.name))).collect()
}

fn table(axes: &[Axis], rows: &[Row]) -> Result<Vec<u8>> {
    let failed = |e: &dyn std::fmt::Display| Error::Unwritable { path: "sweep.csv".into(), reason: e.to_string() };
    let metrics = metrics_of(rows);
    let mut writer = csv::Writer::from_writer(Vec::new());
    let header = axes.iter().map(|axis| axis.name.clone()).chain(metrics.iter().map(|about| about.name.to_owned()));
    writer.write_record(header).map_err(|e| failed(&e))?;
    for row in rows {
        let values =
            metrics.iter().map(|about| row.means.get(about.name).map_or_else(String::new, |m| m.mean.to_string()));
        let cells = row.point.iter().map(|(_, value)| value.clone()).chain(values);
        writer.write_record(cells).map_err(|e| failed(&e))?;
    }
    writer.into_inner().map_err(|e| failed(&e))
}

fn page(title: &str, axes: &[Axis], rows: &[Row], metric: &About) -> String {
    let metrics = metrics_of(rows);
    let best = best(rows, metric);
    let body = html! {
        header {
            h1 { (title) }
            @if let Some(best) = best {
                p { "best by " (metric.title) ": " (described(&best.point)) }
            }
        }
        section { h2 { "Curves" } div class="charts" { (plots(axes, rows, metric)) } }
        section { h2 { "Runs" } div class="wide" { table {
            thead { tr { @for axis in axes { th { (axis.name) } } @for about in &metrics { th { (about.title) } } } }
            tbody { @for row in rows { tr class=[best.is_some_and(|best| best.point == row.point).then_some("best")] {
                @for (_, value) in &row.point { td { (value) } }
                @for about in &metrics { td { @if let Some(mean) = row.means.get(about.name) { (shown_mean(about, mean)) } } }
            } } }
        } } p class="note" { "Means with their 95% confidence intervals over pictures." } }
    };
    document(title, &body)
}

/// A point in words.
pub fn described(point: &Point) -> String {
    point.iter().map(|(name, value)| format!("{name} {value}")).collect::<Vec<_>>().join(", ")
}

/// The metric against each parameter of numbers, a line for each combination of the others.
fn plots(axes: &[Axis], rows: &[Row], metric: &About) -> Markup {
    let plot = |(i, axis): (usize, &Axis)| {
        let mut series: BTreeMap<String, Vec<(f64, f64)>> = BTreeMap::new();
        for row in rows {
            let (Ok(x), Some(mean)) = (row.point[i].1.parse(), row.means.get(metric.name)) else { continue };
            let others: Point = row.point.iter().enumerate().filter(|(k, _)| *k != i).map(|(_, p)| p.clone()).collect();
            series.entry(described(&others)).or_default().push((x, mean.mean));
        }
        let mut series: Vec<(String, Vec<(f64, f64)>)> = series.into_iter().collect();
        series.iter_mut().for_each(|(_, points)| points.sort_by(|a, b| a.0.total_cmp(&b.0)));
        (!series.is_empty()).then(|| lines(metric.title, &axis.name, metric.title, &series))
    };
    html! { @for chart in axes.iter().enumerate().filter_map(plot) { figure { (PreEscaped(chart)) } } }
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
