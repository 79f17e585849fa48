//! Flags of the methods, by the papers' names.

use clap::ValueEnum;

use crate::degradation::{Degradation, Form};
use crate::error::{Error, Result};
use crate::regularizer::{Mode, Regularization};
use crate::restore::{Border, Method, Quality, RestoreConfig};
use crate::sampler::{DiffPir, Guidance, StepSizeMode};

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Name {
    /// Guidance and a gradient regulariser
    Fdgr,
    /// Guidance, noise injected
    Ddpg,
    /// Guidance, no noise injected
    Idpg,
    /// Proximal data step
    Diffpir,
}

#[derive(clap::Args)]
#[command(next_help_heading = "How it is restored (defaults fit the task and its noise)")]
pub(super) struct Args {
    /// Method
    #[arg(long, value_enum)]
    method: Option<Name>,
    /// FDGR: regulariser in space (g+) or in frequency (g-)
    #[arg(long, value_enum)]
    mode: Option<Mode>,
    /// FDGR: weight of the regulariser
    #[arg(long, allow_negative_numbers = true)]
    lam: Option<f64>,
    /// FDGR: exponent of the gradients
    #[arg(long, allow_negative_numbers = true)]
    alpha: Option<f64>,
    /// FDGR: scale of the gradients
    #[arg(long, visible_alias = "sigma_g", allow_negative_numbers = true)]
    sigma_g: Option<f64>,
    /// FDGR, DDPG, IDPG: how fast back-projection gives way to least squares
    #[arg(long, allow_negative_numbers = true)]
    gamma: Option<f64>,
    /// FDGR, DDPG, IDPG: regularisation of the inverse per noise variance; below 0, --xi is used
    #[arg(long, visible_alias = "eta_tilde", allow_negative_numbers = true)]
    eta_tilde: Option<f64>,
    /// FDGR, DDPG, IDPG: regularisation where eta_tilde is below 0
    #[arg(long, allow_negative_numbers = true)]
    xi: Option<f64>,
    /// Share of fresh noise in the noise injected
    #[arg(long, allow_negative_numbers = true)]
    zeta: Option<f64>,
    /// FDGR, DDPG, IDPG: factor on the least-squares step
    #[arg(long, visible_alias = "scale_ls", allow_negative_numbers = true)]
    scale_ls: Option<f64>,
    /// FDGR, DDPG, IDPG: 0 unit steps, 1 both follow the schedule, 2 only least squares does
    #[arg(long, visible_alias = "step_size_mode", value_name = "0|1|2")]
    step_size_mode: Option<u8>,
    /// FDGR: whether noise is injected
    #[arg(long, visible_alias = "inject_noise", value_name = "0|1")]
    inject_noise: Option<u8>,
    /// DiffPIR: trust in the prior
    #[arg(long, allow_negative_numbers = true)]
    lambda: Option<f64>,
    /// How thorough, against time
    #[arg(long, value_enum, conflicts_with = "steps")]
    quality: Option<Quality>,
    /// Steps of a full run
    #[arg(long)]
    steps: Option<usize>,
    /// Share of the steps that is run, from a classical estimate where below 1
    #[arg(long, allow_negative_numbers = true)]
    start: Option<f64>,
    /// Let estimates leave the range of pixels, as the papers do
    #[arg(long)]
    no_clip: bool,
    /// A blurred picture's border: extend for photos, periodic for circular convolutions
    #[arg(long, value_enum)]
    border: Option<Border>,
}

impl Args {
    /// Whether any flag was given.
    pub fn any(&self) -> bool {
        let numbers = [
            self.lam,
            self.alpha,
            self.sigma_g,
            self.gamma,
            self.eta_tilde,
            self.xi,
            self.zeta,
            self.scale_ls,
            self.lambda,
            self.start,
        ];
        numbers.iter().any(Option::is_some)
            || self.method.is_some()
            || self.mode.is_some()
            || self.step_size_mode.is_some()
            || self.inject_noise.is_some()
            || self.steps.is_some()
            || self.quality.is_some()
            || self.border.is_some()
            || self.no_clip
    }

    /// Puts the flags in the place of defaults.
    pub fn apply(&self, config: &mut RestoreConfig) -> Result<()> {
        let blurred = matches!(config.degradation, Degradation::Deblur { form: Form::Fft, .. });
        if self.border.is_some() && !blurred {
            return Err(Error::Mismatch {
                what: "--border".into(),
                fact: "it belongs to --task deblur --form fft".into(),
                remedy: "leave it out".into(),
            });
        }
        config.method = self.method(config)?;
        config.start = self.start.unwrap_or(config.start);
        if let Some(quality) = self.quality {
            *config = config.clone().with_quality(quality);
        }
        config.steps = self.steps.unwrap_or(config.steps);
        config.border = self.border.unwrap_or(config.border);
        config.clip &= !self.no_clip;
        config.check()
    }

    fn method(&self, config: &RestoreConfig) -> Result<Method> {
        let (default, guidance, regularization, diffpir) = match &config.method {
            Method::Fdgr { guidance, regularization } => (Name::Fdgr, *guidance, *regularization, DiffPir::DEFAULT),
            Method::Ddpg { guidance } => (Name::Ddpg, *guidance, Regularization::DEFAULT, DiffPir::DEFAULT),
            Method::Idpg { guidance } => (Name::Idpg, *guidance, Regularization::DEFAULT, DiffPir::DEFAULT),
            Method::DiffPir(method) => (Name::Diffpir, Guidance::DEFAULT, Regularization::DEFAULT, *method),
        };
        let name = self.method.unwrap_or(default);
        self.check_owners(name)?;
        let step_size_mode = match self.step_size_mode {
            Some(mode) => StepSizeMode::try_from(mode)
                .map_err(|_| Error::parameter("step_size_mode", mode, "it must be 0, 1 or 2"))?,
            None => guidance.step_size_mode,
        };
        let inject_noise = match self.inject_noise {
            Some(flag @ (0 | 1)) => flag == 1,
            Some(flag) => return Err(Error::parameter("inject_noise", flag, "it must be 0 or 1")),
            None => guidance.inject_noise,
        };
        let guidance = Guidance {
            gamma: self.gamma.unwrap_or(guidance.gamma),
            eta_tilde: self.eta_tilde.unwrap_or(guidance.eta_tilde),
            xi: self.xi.unwrap_or(guidance.xi),
            zeta: self.zeta.unwrap_or(guidance.zeta),
            scale_ls: self.scale_ls.unwrap_or(guidance.scale_ls),
            step_size_mode,
            inject_noise,
        };
        Ok(match name {
            Name::Fdgr => Method::Fdgr { guidance, regularization: self.regularization(regularization) },
            Name::Ddpg => Method::Ddpg { guidance: Guidance { inject_noise: true, ..guidance } },
            Name::Idpg => Method::Idpg { guidance: Guidance { inject_noise: false, ..guidance } },
            Name::Diffpir => Method::DiffPir(DiffPir {
                lambda: self.lambda.unwrap_or(diffpir.lambda),
                zeta: self.zeta.unwrap_or(diffpir.zeta),
            }),
        })
    }

    /// The reference's parameters of G- where it is chosen over a default of G+.
    fn regularization(&self, default: Regularization) -> Regularization {
        let mode = self.mode.unwrap_or(default.mode);
        let default = match mode {
            mode if mode == default.mode => default,
            Mode::Spatial => Regularization::DEFAULT,
            Mode::Frequency => Regularization::REFERENCE_FREQUENCY,
        };
        Regularization {
            mode,
            lam: self.lam.unwrap_or(default.lam),
            alpha: self.alpha.unwrap_or(default.alpha),
            sigma_g: self.sigma_g.unwrap_or(default.sigma_g),
        }
    }

    /// Refuses flags of another method.
    fn check_owners(&self, method: Name) -> Result<()> {
        use Name::{Ddpg, Diffpir, Fdgr, Idpg};
        const GUIDED: &[Name] = &[Fdgr, Ddpg, Idpg];
        let owned: [(&str, bool, &[Name]); 12] = [
            ("--zeta", self.zeta.is_some(), &[Fdgr, Ddpg, Diffpir]),
            ("--xi", self.xi.is_some(), GUIDED),
            ("--mode", self.mode.is_some(), &[Fdgr]),
            ("--lam", self.lam.is_some(), &[Fdgr]),
            ("--alpha", self.alpha.is_some(), &[Fdgr]),
            ("--sigma-g", self.sigma_g.is_some(), &[Fdgr]),
            ("--inject-noise", self.inject_noise.is_some(), &[Fdgr]),
            ("--gamma", self.gamma.is_some(), GUIDED),
            ("--eta-tilde", self.eta_tilde.is_some(), GUIDED),
            ("--scale-ls", self.scale_ls.is_some(), GUIDED),
            ("--step-size-mode", self.step_size_mode.is_some(), GUIDED),
            ("--lambda", self.lambda.is_some(), &[Diffpir]),
        ];
        let name =
            |method: Name| method.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned());
        for (flag, given, owners) in owned {
            if given && !owners.contains(&method) {
                let owners: Vec<String> = owners.iter().map(|&owner| name(owner)).collect();
                return Err(Error::Mismatch {
                    what: flag.into(),
                    fact: format!(
                        "it belongs to --method {}, but the method here is {}",
                        owners.join(", "),
                        name(method)
                    ),
                    remedy: format!("leave it out, or pass --method {}", owners[0]),
                });
            }
        }
        Ok(())
    }
}
