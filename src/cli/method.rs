//! Flags of the methods, made from their tables of parameters.

use clap::builder::{PossibleValue, PossibleValuesParser};
use clap::{Arg, ArgMatches, Command, FromArgMatches};

use super::flags;
use crate::parameter::{Parameter, Values};
use crate::restore::{Border, DataModel, Method, Overrides, Preference, Quality};

const HEADING: &str = "How it is restored (defaults fit the task and its noise)";

/// The flags of one command line.
#[derive(Clone, Debug, Default)]
pub(super) struct Args {
    named: Option<String>,
    parameters: Values,
    common: Common,
}

/// Flags that all methods share.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = HEADING)]
struct Common {
    /// What the result should be close to: the true picture, or photographs with their texture [default: fidelity]
    #[arg(long, value_enum, conflicts_with = "method")]
    prefer: Option<Preference>,
    /// Quality/speed preset
    #[arg(long, value_enum, conflicts_with = "steps")]
    quality: Option<Quality>,
    /// Steps of a full run
    #[arg(long, visible_alias = "timesteps")]
    steps: Option<usize>,
    /// Share of the steps that is run, from a classical estimate where below 1
    #[arg(long, allow_negative_numbers = true)]
    start: Option<f64>,
    /// Steps of a jump back to noise
    #[arg(long, visible_alias = "travel_length")]
    travel_length: Option<usize>,
    /// Times each stretch is run
    #[arg(long, visible_alias = "travel_repeat")]
    travel_repeat: Option<usize>,
    /// Let estimates leave the range of pixels, as the papers do
    #[arg(long)]
    no_clip: bool,
    /// Limit estimates to the range of pixels
    #[arg(long, conflicts_with = "no_clip")]
    clip: bool,
    /// A blurred picture's border: extend for photos, periodic for circular convolutions
    #[arg(long, value_enum)]
    border: Option<Border>,
    /// What pixels say [default: robust for a single blur unless a method is named, else exact]
    #[arg(long, value_enum)]
    data: Option<DataModel>,
    /// Denoising: share of BM3D's answer in the result, from 0 to 1 [default: by the noise, 0.83 at 0.01 to 0.4 at 0.2; 0 with --method]
    #[arg(long, allow_negative_numbers = true)]
    bm3d: Option<f64>,
}

impl Args {
    /// Whether any flag was given.
    pub fn any(&self) -> bool {
        !self.overrides().is_empty()
    }

    /// The flags as the library takes them.
    pub fn overrides(&self) -> Overrides {
        let Common { prefer, quality, steps, start, travel_length, travel_repeat, no_clip, clip, border, data, bm3d } =
            self.common;
        Overrides {
            method: self.named.clone(),
            parameters: self.parameters.clone(),
            preference: prefer,
            quality,
            steps,
            start,
            travel_length,
            travel_repeat,
            clip: (clip || no_clip).then_some(clip),
            border,
            data,
            bm3d,
        }
    }
}

/// The parameters of all methods.
fn parameters() -> Vec<&'static Parameter> {
    flags::once(Method::TABLES.iter().flat_map(|table| table.iter()))
}

impl clap::Args for Args {
    fn augment_args(command: Command) -> Command {
        let named =
            Method::NAMES.iter().zip(Method::TITLES).map(|(name, title)| PossibleValue::new(*name).help(*title));
        let method = Arg::new("method").long("method").value_parser(PossibleValuesParser::new(named)).help("Method");
        let command = command.next_help_heading(HEADING).arg(method);
        let command = parameters().into_iter().fold(command, |command, parameter| {
            let help = format!("{}: {}", Method::owners(parameter.name).join(", "), parameter.help);
            command.arg(flags::of(parameter, help))
        });
        Common::augment_args(command)
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for Args {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let named = matches.get_one::<String>("method").cloned();
        Ok(Self {
            named,
            parameters: flags::values(matches, &parameters()),
            common: Common::from_arg_matches(matches)?,
        })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}
