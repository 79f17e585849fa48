//! `sweep.csv` and `sweep.html`.

use std::collections::BTreeMap;
use std::path::Path;

use maud::{Markup, PreEscaped, html};

use super::grid::{Axis, Point, described};
use super::row::{Row, best};
use crate::error::{Error, Result};
use crate::experiment::report::{document, lines, shown_mean};
use crate::files::write_atomically;
use crate::metrics::{ALL, About};

/// Writes `sweep.csv` and `sweep.html`, a table of all metrics and plots of `metric`, into the folder of a sweep.
///
/// # Errors
/// Places that cannot be written.
pub fn write(folder: &Path, axes: &[Axis], rows: &[Row], metric: &About) -> Result<()> {
    let title = folder.file_name().unwrap_or_default().to_string_lossy();
    write_atomically(&folder.join("sweep.csv"), &table(axes, rows)?)?;
    write_atomically(&folder.join("sweep.html"), page(&title, axes, rows, metric).as_bytes())
}

fn metrics_of(rows: &[Row]) -> Vec<About> {
    ALL.into_iter().filter(|about| rows.iter().any(|row| row.means.contains_key(about.name))).collect()
}

fn table(axes: &[Axis], rows: &[Row]) -> Result<Vec<u8>> {
    let failed = |e: &dyn std::fmt::Display| Error::unwritable(Path::new("sweep.csv"), e.to_string());
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
        } } p class="note" { "Means over pictures, with 95% confidence intervals." } }
    };
    document(title, &body)
}

/// The metric against each numeric parameter, one line per combination of the others.
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
