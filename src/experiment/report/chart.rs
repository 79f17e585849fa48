//! Charts as SVG.

use plotters::prelude::*;

const SIZE: (u32, u32) = (480, 260);
/// Columns of a histogram.
const COLUMNS: usize = 16;
/// A palette that is safe for colour-blind readers (P. Tol's bright scheme).
const COLOURS: [RGBColor; 7] = [
    RGBColor(68, 119, 170),
    RGBColor(238, 102, 119),
    RGBColor(34, 136, 51),
    RGBColor(204, 187, 68),
    RGBColor(102, 204, 238),
    RGBColor(170, 51, 119),
    RGBColor(136, 136, 136),
];

fn colour(i: usize) -> RGBColor {
    COLOURS[i % COLOURS.len()]
}

/// Histogram of the values of each series.
pub fn histogram(title: &str, series: &[(&str, Vec<f64>)]) -> String {
    let all: Vec<f64> =
        series.iter().flat_map(|(_, values)| values.iter().copied()).filter(|v| v.is_finite()).collect();
    let (low, high) = range(&all);
    let width = (high - low) / COLUMNS as f64;
    let counted = |values: &[f64]| {
        let mut counts = [0u32; COLUMNS];
        for value in values.iter().filter(|v| v.is_finite()) {
            counts[(((value - low) / width) as usize).min(COLUMNS - 1)] += 1;
        }
        counts
    };
    let counts: Vec<[u32; COLUMNS]> = series.iter().map(|(_, values)| counted(values)).collect();
    let tallest = counts.iter().flatten().copied().max().unwrap_or(1).max(1);
    drawn(|area| {
        let mut chart = ChartBuilder::on(&area)
            .caption(title, ("sans-serif", 16))
            .margin(8)
            .x_label_area_size(28)
            .y_label_area_size(36)
            .build_cartesian_2d(low..high, 0..tallest + tallest.div_ceil(10))?;
        chart.configure_mesh().disable_x_mesh().x_labels(6).y_labels(5).draw()?;
        let share = width / series.len() as f64;
        for (i, counts) in counts.iter().enumerate() {
            let bars = counts.iter().enumerate().filter(|(_, count)| **count > 0).map(|(k, &count)| {
                let left = low + k as f64 * width + i as f64 * share;
                Rectangle::new([(left, 0), (left + 0.92 * share, count)], colour(i).filled())
            });
            let drawn = chart.draw_series(bars)?;
            if series.len() > 1 {
                drawn
                    .label(series[i].0)
                    .legend(move |(x, y)| Rectangle::new([(x, y - 4), (x + 8, y + 4)], colour(i).filled()));
            }
        }
        if series.len() > 1 {
            chart.configure_series_labels().background_style(WHITE.mix(0.8)).border_style(BLACK).draw()?;
        }
        Ok(())
    })
}

/// One line per series, through its points.
pub fn lines(title: &str, x: &str, y: &str, series: &[(String, Vec<(f64, f64)>)]) -> String {
    let points: Vec<(f64, f64)> = series.iter().flat_map(|(_, points)| points.iter().copied()).collect();
    let (left, right) = range(&points.iter().map(|p| p.0).collect::<Vec<_>>());
    let (low, high) = range(&points.iter().map(|p| p.1).collect::<Vec<_>>());
    drawn(|area| {
        let mut chart = ChartBuilder::on(&area)
            .caption(title, ("sans-serif", 16))
            .margin(8)
            .x_label_area_size(40)
            .y_label_area_size(56)
            .build_cartesian_2d(left..right, low..high)?;
        chart.configure_mesh().x_desc(x).y_desc(y).x_labels(6).y_labels(6).draw()?;
        for (i, (name, points)) in series.iter().enumerate() {
            let drawn = chart.draw_series(LineSeries::new(points.iter().copied(), colour(i).stroke_width(2)))?;
            if series.len() > 1 {
                drawn
                    .label(name)
                    .legend(move |(x, y)| PathElement::new([(x, y), (x + 12, y)], colour(i).stroke_width(2)));
            }
            chart.draw_series(points.iter().map(|&point| Circle::new(point, 3, colour(i).filled())))?;
        }
        if series.len() > 1 {
            chart.configure_series_labels().background_style(WHITE.mix(0.8)).border_style(BLACK).draw()?;
        }
        Ok(())
    })
}

type Area<'a> = DrawingArea<SVGBackend<'a>, plotters::coord::Shift>;
type Drawn = std::result::Result<(), Box<dyn std::error::Error>>;

/// The drawing as SVG; empty if `draw` fails.
fn drawn(draw: impl FnOnce(Area) -> Drawn) -> String {
    let mut text = String::new();
    let done = {
        let area = SVGBackend::with_string(&mut text, SIZE).into_drawing_area();
        area.fill(&WHITE).map_err(Box::from).and_then(|()| draw(area))
    };
    match done {
        Ok(()) => text,
        Err(_) => String::new(),
    }
}

/// The range of the values with a margin.
fn range(values: &[f64]) -> (f64, f64) {
    let (low, high) =
        values.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (low.min(*v), high.max(*v)));
    if low > high {
        return (0.0, 1.0);
    }
    let room = if high > low { 0.04 * (high - low) } else { low.abs().max(1.0) * 0.05 };
    (low - room, high + room)
}
