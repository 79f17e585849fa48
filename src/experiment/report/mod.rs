//! A page about one or several runs: settings, tables, distributions, pictures, differences. One file contains everything, and
//! no path of the machine that made it.

mod address;
mod chart;
mod run;

use std::collections::BTreeMap;

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::results::Record;
use super::statistics::{Difference, Mean};
use crate::metrics::{About, LPIPS_ALEX, PSNR, named};

pub use chart::{histogram, lines};
pub use run::Run;

use run::file_name;

const STYLE: &str = include_str!("../../../assets/report/report.css");
const SCRIPT: &str = include_str!("../../../assets/report/report.js");
/// Largest number of pictures that are shown; of more, a sample from best to worst.
const SHOWN: usize = 12;

/// The page about `runs`; the others are compared with the first.
pub fn page(runs: &[Run]) -> String {
    let Some(first) = runs.first() else {
        return document("No runs", &html! { header { h1 { "No runs" } } });
    };
    let title = match runs {
        [run] => run.name.clone(),
        _ => format!("{} runs", runs.len()),
    };
    let metrics = metrics_of(runs);
    let ranked = ranked(first, &metrics);
    let body = html! {
        header {
            h1 { (title) }
            p { "fdgr " (first.settings.version) ", " (pictures(runs)) }
        }
        section id="summary" { h2 { "Results" } (summary(runs, &metrics)) (skipped(runs)) }
        @if runs.len() > 1 {
            section id="differences" { h2 { "Differences from " (first.name) } (differences(runs, &metrics)) }
        }
        section id="pictures" {
            h2 { "Pictures" }
            p class="note" {
                "Drag the divider: measurement on the left, restored picture on the right. "
                @if ranked.len() < first.done().count() { "A sample from best to worst is shown." }
            }
            @for &(index, remark) in &ranked { (comparison(runs, index, remark, &metrics)) }
        }
        section id="distributions" { h2 { "Distributions" } (distributions(runs, &metrics)) }
        section id="settings" { h2 { "Settings" } (settings(runs)) }
    };
    document(&title, &body)
}

/// A complete page around its body.
pub fn document(title: &str, body: &Markup) -> String {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                main { (body) }
                script { (PreEscaped(SCRIPT)) }
            }
        }
    }
    .into_string()
}

fn pictures(runs: &[Run]) -> String {
    let counts: Vec<usize> = runs.iter().map(|run| run.done().count()).collect();
    match counts[..] {
        [1] => "1 picture".into(),
        [count] => format!("{count} pictures"),
        _ => format!("{} pictures", counts.iter().map(usize::to_string).collect::<Vec<_>>().join(", ")),
    }
}

/// Metrics of any run, in the order of tables.
fn metrics_of(runs: &[Run]) -> Vec<About> {
    let has = |about: &About| runs.iter().any(|run| run.done().any(|record| record.metrics.contains_key(about.name)));
    crate::metrics::ALL.into_iter().filter(has).collect()
}

/// `mean ± half width` with the metric's decimals and unit.
pub fn shown_mean(about: &About, mean: &Mean) -> String {
    match mean.half_width {
        Some(half) => format!("{:.*} ± {}", about.decimals, mean.mean, about.shown(half)),
        None => about.shown(mean.mean),
    }
}

fn arrow(about: &About) -> &'static str {
    if about.higher_is_better { "↑" } else { "↓" }
}

fn summary(runs: &[Run], metrics: &[About]) -> Markup {
    let means: Vec<BTreeMap<String, Mean>> = runs.iter().map(Run::means).collect();
    let best = |about: &About| {
        let values = means.iter().filter_map(|means| Some(means.get(about.name)?.mean));
        let better = |a: f64, b: f64| if about.higher_is_better == (a > b) { a } else { b };
        values.reduce(better).filter(|_| runs.len() > 1)
    };
    html! {
        div class="wide" { table {
            thead { tr {
                th { "run" } th { "pictures" }
                @for about in metrics { th { (about.title) " " (arrow(about)) } }
                @for name in sets(runs) { th { (named(&name).map_or(name.clone(), |a| a.title.into())) " ↓" } }
                th { "seconds per picture" }
            } }
            tbody { @for (run, means) in runs.iter().zip(&means) { tr {
                th { (run.name) } td { (run.done().count()) }
                @for about in metrics { td class=[(means.get(about.name).map(|m| m.mean) == best(about)).then_some("best")] {
                    @if let Some(mean) = means.get(about.name) { (shown_mean(about, mean)) }
                } }
                @for name in sets(runs) { td {
                    @if let (Some(value), Some(about)) = (run.sets.get(&name), named(&name)) { (about.shown(*value)) }
                } }
                td { @if let Some(mean) = Mean::of(&run.done().map(|r| r.seconds).collect::<Vec<_>>()) { (format!("{:.1}", mean.mean)) } }
            } } }
        } }
        p class="note" { "Means over pictures, with 95% confidence intervals. ↑ higher is better, ↓ lower is better." }
    }
}

fn sets(runs: &[Run]) -> Vec<String> {
    let mut names: Vec<String> = runs.iter().flat_map(|run| run.sets.keys().cloned()).collect();
    names.sort();
    names.dedup();
    names
}

fn skipped(runs: &[Run]) -> Markup {
    let skipped: Vec<&Record> = runs
        .iter()
        .flat_map(|run| run.records.values().map(|(record, _)| record))
        .filter(|r| r.error.is_some())
        .collect();
    html! {
        @if !skipped.is_empty() {
            @let were = if skipped.len() == 1 { "picture was" } else { "pictures were" };
            p { (skipped.len()) " " (were) " skipped:" }
            ul { @for record in skipped { li { (reason(record)) } } }
        }
    }
}

/// Why a picture was skipped, without the folder it is in.
fn reason(record: &Record) -> String {
    let error = record.error.as_deref().unwrap_or_default();
    error.replace(&record.path.display().to_string(), &file_name(&record.path))
}

fn differences(runs: &[Run], metrics: &[About]) -> Markup {
    let pairs = |run: &Run, about: &About| -> Vec<(f64, f64)> {
        let of = |run: &Run, index: usize| run.records.get(&index)?.0.metrics.get(about.name).copied();
        runs[0].records.keys().filter_map(|&index| Some((of(&runs[0], index)?, of(run, index)?))).collect()
    };
    html! {
        div class="wide" { table {
            thead { tr { th { "run" } @for about in metrics { th { (about.title) " " (arrow(about)) } } } }
            tbody { @for run in &runs[1..] { tr {
                th { (run.name) }
                @for about in metrics { td {
                    @if let Some(Difference { mean, p }) = Difference::of(&pairs(run, about)) {
                        @let better = (mean.mean > 0.0) == about.higher_is_better && mean.mean != 0.0;
                        @let sure = p.is_some_and(|p| p < 0.05);
                        span class=[sure.then_some(if better { "better" } else { "worse" })] {
                            (format!("{:+.*}", about.decimals, mean.mean))
                        }
                        @if let Some(p) = p { br; small { (probability(p)) } }
                    }
                } }
            } } }
        } }
        p class="note" {
            "Mean differences over the pictures that both runs have. p: paired t-test, two-sided, not corrected for multiple \
             comparisons; coloured if p < 0.05."
        }
    }
}

fn probability(p: f64) -> String {
    if p < 0.001 { "p < 0.001".into() } else { format!("p = {p:.3}") }
}

/// Indices to show, and why: best first.
fn ranked(run: &Run, metrics: &[About]) -> Vec<(usize, &'static str)> {
    // LPIPS, if installed, agrees better with human judgement than PSNR.
    let judge = metrics
        .iter()
        .find(|about| about.name == LPIPS_ALEX.name)
        .or_else(|| metrics.iter().find(|about| about.name == PSNR.name));
    let mut done: Vec<&Record> = run.done().collect();
    if let Some(judge) = judge {
        let value = |record: &Record| record.metrics.get(judge.name).copied().unwrap_or(f64::NAN);
        done.sort_by(|a, b| value(a).total_cmp(&value(b)));
        if judge.higher_is_better {
            done.reverse();
        }
    }
    let n = done.len();
    let places: Vec<usize> =
        if n <= SHOWN { (0..n).collect() } else { (0..SHOWN).map(|i| i * (n - 1) / (SHOWN - 1)).collect() };
    let remark = |place: usize| match place {
        0 if n > 1 => "best",
        place if place + 1 == n && n > 1 => "worst",
        _ => "",
    };
    places.into_iter().map(|place| (done[place].index, remark(place))).collect()
}

fn comparison(runs: &[Run], index: usize, remark: &str, metrics: &[About]) -> Markup {
    let file = runs.iter().find_map(|run| run.records.get(&index)).map(|(record, _)| file_name(&record.path));
    let name = format!("{index}: {}", file.unwrap_or_default());
    html! {
        article {
            h3 { (name) @if !remark.is_empty() { " " span class="badge" { (remark) } } }
            div class="row" {
                @if let Some(original) = runs.iter().find_map(|run| run.embedded(index, |results| results.original(index))) {
                    figure { img src=(original) alt="original"; figcaption { "original" } }
                }
                @for run in runs { @if let Some(restored) = run.embedded(index, |results| results.restored(index)) {
                    figure {
                        @let measured = run.embedded(index, |r| r.measured(index)).or_else(|| run.embedded(index, |r| r.inverse(index)));
                        @if let Some(measured) = measured {
                            div class="slider" {
                                img src=(restored) alt="restored";
                                img class="before" src=(measured) alt="measured";
                                input type="range" min="0" max="100" value="50" aria-label="measured on the left, restored on the right";
                            }
                        } @else { img src=(restored) alt="restored"; }
                        figcaption {
                            @if runs.len() > 1 { b { (run.name) } br; }
                            (values(run, index, metrics))
                        }
                    }
                } }
            }
        }
    }
}

fn values(run: &Run, index: usize, metrics: &[About]) -> String {
    let Some((record, _)) = run.records.get(&index) else { return String::new() };
    let value = |about: &About| Some(format!("{} {}", about.title, about.shown(*record.metrics.get(about.name)?)));
    metrics.iter().filter_map(value).collect::<Vec<_>>().join(", ")
}

fn distributions(runs: &[Run], metrics: &[About]) -> Markup {
    html! {
        div class="charts" {
            @for about in metrics {
                @let series: Vec<(&str, Vec<f64>)> = runs.iter().map(|run| {
                    (run.name.as_str(), run.done().filter_map(|r| r.metrics.get(about.name).copied()).collect())
                }).collect();
                figure { (PreEscaped(histogram(about.title, &series))) }
            }
        }
    }
}

fn settings(runs: &[Run]) -> Markup {
    html! {
        @for run in runs {
            details open[runs.len() == 1] {
                summary { (run.name) }
                table class="settings" { tbody {
                    @for (name, value) in run.described() { tr { th { (name) } td { (value) } } }
                } }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn a_page_without_runs_says_so() {
        assert!(page(&[]).contains("No runs"));
    }

    #[test]
    fn pages_show_no_folders() {
        for path in ["/home/me/photos/a.png", "C:\\photos\\a.png", "photos/a.png", "a.png"] {
            assert_eq!(file_name(Path::new(path)), "a.png");
        }
        assert_eq!(file_name(Path::new("photo")), "photo");
        let error = Some("/home/me/photos/a.png: it is not a picture".to_owned());
        let path = "/home/me/photos/a.png".into();
        let record = Record { index: 0, path, metrics: BTreeMap::new(), seconds: 0.0, error };
        assert_eq!(reason(&record), "a.png: it is not a picture");
    }
}
