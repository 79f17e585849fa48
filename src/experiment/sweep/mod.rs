//! Sweeps: an experiment for every combination of values of parameters.

mod grid;
mod html;
mod row;

use std::collections::BTreeSet;
use std::path::PathBuf;

use super::driver::Driver;
use super::event::{Event, Listener};
use super::plan::{Plan, canonical};
use super::results::{Existing, Results};
use crate::error::{Error, Result, Setting, Subject};
use crate::files::collision;
use crate::metrics::{ALL, About};

pub use grid::{Axis, Point, described, folder_name};
pub use row::Row;

/// Combinations of values, and the metric that compares them.
#[derive(Clone, Debug)]
pub struct Sweep {
    axes: Vec<Axis>,
    points: Vec<Point>,
    metric: About,
}

impl Sweep {
    /// All combinations of the values of `axes`, or `random` random ones with `seed`, compared by the metric of that name.
    ///
    /// # Errors
    /// Parameters that are varied twice, more than 10000 combinations, and unknown metrics.
    pub fn new(axes: Vec<Axis>, random: Option<usize>, seed: u64, metric: &str) -> Result<Self> {
        let mut names = BTreeSet::new();
        if let Some(twice) = axes.iter().find(|axis| !names.insert(canonical(&axis.name))) {
            let subject = Subject::given(Setting::VARY, &twice.name);
            return Err(Error::mismatch(subject, "it is varied twice", "give all its values at once"));
        }
        let metric = ALL.into_iter().find(|about| about.name == metric).ok_or_else(|| {
            let hint = format!("choose one of {}", ALL.map(|about| about.name).join(", "));
            Error::mismatch(Subject::given(Setting::METRIC, metric), "no metric of single pictures has that name", hint)
        })?;
        if random == Some(0) {
            return Err(Error::parameter(Setting::RANDOM, 0, "at least one combination must be run"));
        }
        let points = match random {
            Some(count) => grid::random(&axes, count, seed),
            None => grid::grid(&axes)?,
        };
        Ok(Self { axes, points, metric })
    }

    /// The metric that compares the runs.
    pub fn metric(&self) -> &About {
        &self.metric
    }

    /// The folder of every run.
    ///
    /// # Errors
    /// As [`Plan::set`], and runs that would share a folder.
    pub fn folders(&self, base: &Plan) -> Result<Vec<PathBuf>> {
        self.plans(base)?.iter().map(Plan::folder).collect()
    }

    /// The plan of every run, in the folder of `base`'s results.
    fn plans(&self, base: &Plan) -> Result<Vec<Plan>> {
        base.folder()?;
        let plan = |point: &Point| {
            let mut plan = base.with(point)?;
            plan.image_folder = format!("{}/{}", base.image_folder, folder_name(point));
            Ok(plan)
        };
        let plans = self.points.iter().map(plan).collect::<Result<Vec<Plan>>>()?;
        let folders = plans.iter().map(Plan::folder).collect::<Result<Vec<PathBuf>>>()?;
        if let Some(shared) = collision(folders.iter().map(PathBuf::as_path)) {
            let name = shared.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let hint = "give each value once, not only in another case";
            return Err(Error::mismatch(Setting::VARY, format!("two runs would write to the folder {name}"), hint));
        }
        Ok(plans)
    }

    /// Makes every run, and writes `sweep.csv` and `sweep.html` after each. Everything is checked before the first.
    ///
    /// # Errors
    /// As [`Sweep::folders`], [`Plan::resolve`] and [`Driver::run`].
    pub fn run(&self, base: &Plan, driver: &mut Driver, listener: &dyn Listener) -> Result<Vec<Row>> {
        let plans = self.plans(base)?;
        plans.iter().try_for_each(|plan| plan.resolve().map(drop))?;
        for plan in plans.iter().filter(|plan| plan.existing == Existing::Refuse) {
            let folder = plan.folder()?;
            if Results::are_in(&folder) {
                return Err(Results::present(&folder));
            }
        }
        let root = base.folder()?;
        let mut rows = Vec::new();
        for (i, (point, plan)) in self.points.iter().zip(&plans).enumerate() {
            listener.hear(&Event::Run { number: i + 1, count: plans.len(), point });
            let row = Row { point: point.clone(), means: driver.run(plan, listener)?.means() };
            listener.hear(&Event::Row { row: &row, metric: &self.metric });
            rows.push(row);
            html::write(&root, &self.axes, &rows, &self.metric)?;
        }
        Ok(rows)
    }

    /// The best of the rows by the metric.
    pub fn best<'a>(&self, rows: &'a [Row]) -> Option<&'a Row> {
        row::best(rows, &self.metric)
    }
}

#[cfg(test)]
mod tests {
    use super::row::best;
    use super::*;
    use crate::experiment::statistics::Mean;

    fn sweep(vary: &[&str]) -> Result<Sweep> {
        Sweep::new(vary.iter().map(|text| Axis::parse(text)).collect::<Result<_>>()?, None, 0, "psnr")
    }

    #[test]
    fn runs_do_not_share_a_folder() {
        let plan = Plan::default();
        let error = sweep(&["lam=1,2,1"]).unwrap().plans(&plan).err().unwrap().to_string();
        assert!(error.contains("lam=1"), "{error}");
        assert!(sweep(&["sigma_g=1", "sigma-g=2"]).is_err() && sweep(&["steps=1", "timesteps=2"]).is_err());
        assert!(Sweep::new(Vec::new(), Some(0), 0, "psnr").is_err(), "no combination at all");
        assert!(Sweep::new(Vec::new(), None, 0, "sharpness").is_err());
    }

    #[test]
    fn the_best_is_the_highest_or_the_lowest() {
        let row = |value: f64| Row {
            point: vec![("lam".into(), value.to_string())],
            means: ["psnr", "gmsd"].map(|name| (name.into(), Mean { count: 1, mean: value, half_width: None })).into(),
        };
        let rows = [row(1.0), row(3.0), row(2.0)];
        let best_of = |name: &str| best(&rows, &crate::metrics::named(name).unwrap()).unwrap().point[0].1.clone();
        assert_eq!((best_of("psnr"), best_of("gmsd")), ("3".to_owned(), "1".to_owned()));
    }
}
