//! Carries plans out: loads a prior once, runs experiments with it, and summarises their results.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::dataset::Entry;
use super::evaluation;
use super::event::{Event, Listener, Remark};
use super::plan::{Defaults, Plan, Resolved};
use super::report::{self, Run};
use super::results::{Existing, Record, Results, means};
use super::runner::Experiment;
use super::settings::Settings;
use super::statistics::Mean;
use crate::control::check;
use crate::device;
use crate::error::{Error, Hint, Result, Setting};
use crate::files::write_atomically;
use crate::metrics::{Metrics, Unavailable};
use crate::recipe::PriorRecord;
use crate::restore::{Measurement, PriorChoice, Restorer};

/// Runs plans one after the other. The prior stays loaded while consecutive plans use the same one.
#[derive(Default)]
pub struct Driver {
    loaded: Option<Loaded>,
}

/// A prior on a device, and the metrics there.
struct Loaded {
    restorer: Restorer,
    metrics: Metrics,
    choice: PriorChoice,
    device: String,
}

/// The results of an experiment.
pub struct Outcome {
    /// Their folder.
    pub results: Results,
    /// Records of the pictures of all shards so far, by index.
    pub records: Vec<Record>,
    /// Distances of the sets; empty until all pictures are done, and without the network for them.
    pub sets: BTreeMap<String, f64>,
    /// Metrics whose weights are not installed.
    pub unavailable: Vec<Unavailable>,
}

impl Outcome {
    /// The mean of every metric over pictures that were not skipped.
    pub fn means(&self) -> BTreeMap<String, Mean> {
        means(&self.records)
    }

    /// Number of pictures that were skipped.
    pub fn skipped(&self) -> usize {
        self.records.iter().filter(|record| record.error.is_some()).count()
    }

    /// Writes the report page of the results, and returns its path; without a finished picture there is nothing to write.
    ///
    /// # Errors
    /// Results that cannot be read, and places that cannot be written.
    pub fn write_report(&self) -> Result<Option<PathBuf>> {
        let runs = Run::open(&[self.results.root().to_owned()])?;
        if runs.iter().all(|run| run.done().next().is_none()) {
            return Ok(None);
        }
        let place = self.results.report();
        write_atomically(&place, report::page(&runs).as_bytes())?;
        Ok(Some(place))
    }
}

impl Driver {
    /// Runs a plan, and writes `results.json` and `results.csv`, also when it is stopped.
    ///
    /// # Errors
    /// As [`Plan::resolve`]; pictures that are results of the run itself; existing results that may not be touched, or were
    /// made with other settings; priors and devices that fail; places that cannot be written; and cancellation.
    pub fn run(&mut self, plan: &Plan, listener: &dyn Listener) -> Result<Outcome> {
        let resolved = plan.resolve()?;
        refuse_own_results(&resolved.folder, &resolved.pictures)?;
        // Before a prior is loaded in vain.
        resolved.config.check_for([resolved.side; 2])?;
        if plan.existing == Existing::Refuse && Results::are_in(&resolved.folder) {
            return Err(Results::present(&resolved.folder));
        }
        for remark in &resolved.remarks {
            listener.hear(&Event::Remark(remark.clone()));
        }
        let loaded = self.load(&resolved, &plan.device, listener)?;
        let Loaded { restorer, metrics, .. } = loaded;
        let Resolved { folder, side, config, measurement: named, .. } = &resolved;
        let measurement = Measurement::new(&config.degradation, config.border, [*side; 2], &restorer.device().device)?;
        let batch = batch(plan, &resolved, restorer, &measurement, listener);
        let settings = Settings {
            version: env!("CARGO_PKG_VERSION").into(),
            measurement: named.clone(),
            config: config.clone(),
            prior: PriorRecord::of(restorer, &loaded.choice),
            device: restorer.device().record(),
            side: *side,
            batch,
            pictures: hashed(&resolved.pictures, listener)?,
        };
        remark_few_steps(plan, &settings, listener);
        listener.hear(&Event::Settings(&settings));
        let results = Results::create(folder, settings, plan.existing)?;
        let experiment = Experiment {
            restorer,
            metrics,
            results: &results,
            measurement: &measurement,
            keep_measured: plan.keep_measured,
        };
        // Distances of sets are of other pictures once more are restored.
        let finished = results.settings.pictures.iter().all(|entry| results.has(entry.index));
        let sets = if finished { results.sets()? } else { BTreeMap::new() };
        let ran = experiment.run(plan.shard, listener);
        // What was done before an interruption is summarised, too.
        let records = results.summarize(&sets)?;
        ran?;
        let sets = match complete(&results, &records) {
            true => distances(folder, metrics, listener)?,
            false => BTreeMap::new(),
        };
        let records = if sets.is_empty() { records } else { results.summarize(&sets)? };
        Ok(Outcome { results, records, sets, unavailable: metrics.unavailable.clone() })
    }

    /// The prior of a plan, loaded unless it is already.
    fn load(&mut self, resolved: &Resolved, device: &str, listener: &dyn Listener) -> Result<&Loaded> {
        let kept = self.loaded.take().filter(|loaded| loaded.choice == resolved.prior && loaded.device == device);
        let loaded = match kept {
            Some(loaded) => loaded,
            None => Loaded::new(resolved, device, listener)?,
        };
        Ok(self.loaded.insert(loaded))
    }
}

impl Loaded {
    fn new(resolved: &Resolved, device: &str, listener: &dyn Listener) -> Result<Self> {
        let selected = device::open(device)?;
        listener.hear(&Event::Device(&selected));
        let metrics = Metrics::load(&selected.device, listener)?;
        let choice = resolved.prior.clone();
        let restorer = Restorer::load(&choice, selected, listener)?;
        listener.hear(&Event::Prior { prior: restorer.prior(), side: resolved.side });
        Ok(Self { restorer, metrics, choice, device: device.into() })
    }
}

/// Refuses pictures that are results of the run itself.
fn refuse_own_results(folder: &Path, pictures: &[Entry]) -> Result<()> {
    let Ok(folder) = folder.canonicalize() else { return Ok(()) };
    let own = |entry: &&Entry| entry.path.canonicalize().is_ok_and(|path| path.starts_with(&folder));
    let hint = || Hint::Give(Setting::RESULTS).or(Hint::Give(Setting::PICTURES));
    pictures.iter().find(own).map_or(Ok(()), |entry| Err(Error::Overwrites { path: entry.path.clone(), hint: hint() }))
}

/// Pictures per batch: those of existing results, whatever memory this machine has, else as many as fit.
fn batch(
    plan: &Plan,
    resolved: &Resolved,
    restorer: &Restorer,
    measurement: &Measurement,
    listener: &dyn Listener,
) -> usize {
    let resumed = plan.existing == Existing::Resume && plan.batch.is_none();
    let kept = resumed.then(|| Results::open(&resolved.folder).ok()).flatten().map(|results| results.settings.batch);
    let wanted = plan.batch.or(kept).unwrap_or(resolved.batch).max(1);
    if resolved.measurement.differs_by_picture() {
        if wanted > 1 {
            listener.hear(&Event::Remark(Remark::OneByOne));
        }
        return 1;
    }
    let batch = kept.unwrap_or_else(|| restorer.batch_that_fits(&resolved.config, measurement, wanted));
    if batch < wanted {
        listener.hear(&Event::Remark(Remark::SmallerBatch { batch, wanted }));
    }
    batch
}

fn hashed(pictures: &[Entry], listener: &dyn Listener) -> Result<Vec<Entry>> {
    let hashed = |entry: &Entry| {
        check(listener, || "while the pictures were hashed".into())?;
        Ok(entry.clone().hashed())
    };
    pictures.iter().map(hashed).collect()
}

/// Says where a run of published parameters has far fewer steps than its publication.
fn remark_few_steps(plan: &Plan, settings: &Settings, listener: &dyn Listener) {
    let method = &settings.config.method;
    // The configuration has been checked.
    let Ok(steps) = settings.config.evaluations() else { return };
    let published = method.published_steps();
    if plan.defaults == Defaults::Reference && 2 * steps < published {
        listener.hear(&Event::Remark(Remark::FewSteps { method: method.name(), steps, published }));
    }
}

/// Whether every picture of the settings was restored, and its original kept.
fn complete(results: &Results, records: &[Record]) -> bool {
    let restored = |index: usize| records.iter().any(|record| record.index == index && record.error.is_none());
    let kept = |index: usize| results.original(index).is_file();
    results.settings.pictures.iter().all(|entry| restored(entry.index) && kept(entry.index))
}

/// Distances of the restored pictures from the originals as sets, if the network for them is installed.
fn distances(folder: &Path, metrics: &Metrics, listener: &dyn Listener) -> Result<BTreeMap<String, f64>> {
    if metrics.inception.is_none() {
        return Ok(BTreeMap::new());
    }
    let pairs = evaluation::pairs_of_results(folder)?;
    listener.hear(&Event::Sets { pairs: pairs.len() });
    evaluation::sets(&pairs, metrics, listener)
}
