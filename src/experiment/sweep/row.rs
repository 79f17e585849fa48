//! The result of one run of a sweep.

use std::collections::BTreeMap;

use super::grid::Point;
use crate::experiment::statistics::Mean;
use crate::metrics::About;

/// A run that was made.
#[derive(Clone, Debug)]
pub struct Row {
    /// Its parameters.
    pub point: Point,
    /// The mean of every metric.
    pub means: BTreeMap<String, Mean>,
}

/// The best row by a metric.
pub(super) fn best<'a>(rows: &'a [Row], metric: &About) -> Option<&'a Row> {
    let value = |row: &Row| row.means.get(metric.name).map(|mean| mean.mean);
    let better = |a: &&Row, b: &&Row| {
        let order = value(a).unwrap_or(f64::NAN).total_cmp(&value(b).unwrap_or(f64::NAN));
        if metric.higher_is_better { order } else { order.reverse() }
    };
    rows.iter().filter(|row| value(row).is_some()).max_by(better)
}
