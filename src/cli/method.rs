//! Flags of the methods, by the papers' names.

use crate::degradation::{Degradation, Form};
use crate::error::{Error, Result};
use crate::regularizer::{Mode, Regularization};
use crate::restore::{Border, Method, MethodName, Quality, RestoreConfig};
use crate::sampler::{Ddnm, Ddrm, DiffPir, Dps, Guidance, PiGdm, RedDiff, StepSizeMode, Travel};

#[derive(Clone, Default, clap::Args)]
#[command(next_help_heading = "How it is restored (defaults fit the task and its noise)")]
pub(super) struct Args {
    /// Method
    #[arg(long, value_enum)]
    pub method: Option<MethodName>,
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
    /// FDGR, DDPG, DiffPIR: share of fresh noise in the noise injected
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
    /// DDNM, DDRM, PiGDM: share of fresh noise in a step
    #[arg(long, allow_negative_numbers = true)]
    eta: Option<f64>,
    /// DDRM: the same where the measurement is noisier than the state [default: --eta]
    #[arg(long = "etaA", visible_alias = "eta-a", allow_negative_numbers = true)]
    eta_a: Option<f64>,
    /// DDRM: trust in the measurement where it is less noisy than the state
    #[arg(long = "etaB", visible_alias = "eta-b", allow_negative_numbers = true)]
    eta_b: Option<f64>,
    /// DDRM: share of fresh noise where nothing is measured [default: --eta]
    #[arg(long = "etaC", visible_alias = "eta-c", allow_negative_numbers = true)]
    eta_c: Option<f64>,
    /// DPS: size of the step down the residual
    #[arg(long, visible_alias = "step_scale", allow_negative_numbers = true)]
    step_scale: Option<f64>,
    /// DiffPIR: trust in the prior
    #[arg(long, allow_negative_numbers = true)]
    lambda: Option<f64>,
    /// RED-diff: step size of Adam
    #[arg(long, allow_negative_numbers = true)]
    lr: Option<f64>,
    /// RED-diff: weight of the prior; PiGDM: factor on the guidance
    #[arg(long, visible_alias = "grad_term_weight", allow_negative_numbers = true)]
    grad_term_weight: Option<f64>,
    /// RED-diff: weight of the measurement
    #[arg(long, visible_alias = "obs_weight", allow_negative_numbers = true)]
    obs_weight: Option<f64>,
    /// How thorough, against time
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
}

impl Args {
    /// Whether any flag was given.
    pub fn any(&self) -> bool {
        self.method.is_some()
            || self.owned().iter().any(|(_, given, _)| *given)
            || self.steps.is_some()
            || self.start.is_some()
            || self.travel_length.is_some()
            || self.travel_repeat.is_some()
            || self.quality.is_some()
            || self.border.is_some()
            || self.no_clip
            || self.clip
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
        config.method = self.method(&config.method)?;
        config.start = self.start.unwrap_or(config.start);
        if let Some(quality) = self.quality {
            *config = config.clone().with_quality(quality);
        }
        config.steps = self.steps.unwrap_or(config.steps);
        config.border = self.border.unwrap_or(config.border);
        config.travel = Travel {
            length: self.travel_length.unwrap_or(config.travel.length),
            repeat: self.travel_repeat.unwrap_or(config.travel.repeat),
        };
        config.clip = (config.clip || self.clip) && !self.no_clip;
        config.check()
    }

    /// The method of the flags, with the parameters of `default` where it shares them.
    fn method(&self, default: &Method) -> Result<Method> {
        let name = self.method.unwrap_or(default.name());
        self.check_owners(name)?;
        let (guidance, regularization) = match default {
            Method::Fdgr { guidance, regularization } => (*guidance, *regularization),
            Method::Ddpg { guidance } | Method::Idpg { guidance } => (*guidance, Regularization::DEFAULT),
            _ => (Guidance::DEFAULT, Regularization::DEFAULT),
        };
        let base = if name == default.name() { default.clone() } else { Method::published(name) };
        Ok(match base {
            Method::Fdgr { .. } => {
                Method::Fdgr { guidance: self.guidance(guidance)?, regularization: self.regularization(regularization) }
            }
            Method::Ddpg { .. } => {
                Method::Ddpg { guidance: Guidance { inject_noise: true, ..self.guidance(guidance)? } }
            }
            Method::Idpg { .. } => {
                Method::Idpg { guidance: Guidance { inject_noise: false, ..self.guidance(guidance)? } }
            }
            Method::Ddnm(base) => Method::Ddnm(Ddnm { eta: self.eta.unwrap_or(base.eta) }),
            Method::Ddrm(base) => Method::Ddrm(Ddrm {
                eta_a: self.eta_a.or(self.eta).unwrap_or(base.eta_a),
                eta_b: self.eta_b.unwrap_or(base.eta_b),
                eta_c: self.eta_c.or(self.eta).unwrap_or(base.eta_c),
            }),
            Method::Dps(base) => Method::Dps(Dps { step_scale: self.step_scale.unwrap_or(base.step_scale) }),
            Method::PiGdm(base) => Method::PiGdm(PiGdm {
                eta: self.eta.unwrap_or(base.eta),
                grad_term_weight: self.grad_term_weight.unwrap_or(base.grad_term_weight),
            }),
            Method::DiffPir(base) => Method::DiffPir(DiffPir {
                lambda: self.lambda.unwrap_or(base.lambda),
                zeta: self.zeta.unwrap_or(base.zeta),
            }),
            Method::RedDiff(base) => Method::RedDiff(RedDiff {
                lr: self.lr.unwrap_or(base.lr),
                grad_term_weight: self.grad_term_weight.unwrap_or(base.grad_term_weight),
                obs_weight: self.obs_weight.unwrap_or(base.obs_weight),
            }),
        })
    }

    fn guidance(&self, default: Guidance) -> Result<Guidance> {
        let step_size_mode = match self.step_size_mode {
            Some(mode) => StepSizeMode::try_from(mode)
                .map_err(|_| Error::parameter("step_size_mode", mode, "it must be 0, 1 or 2"))?,
            None => default.step_size_mode,
        };
        let inject_noise = match self.inject_noise {
            Some(flag @ (0 | 1)) => flag == 1,
            Some(flag) => return Err(Error::parameter("inject_noise", flag, "it must be 0 or 1")),
            None => default.inject_noise,
        };
        Ok(Guidance {
            gamma: self.gamma.unwrap_or(default.gamma),
            eta_tilde: self.eta_tilde.unwrap_or(default.eta_tilde),
            xi: self.xi.unwrap_or(default.xi),
            zeta: self.zeta.unwrap_or(default.zeta),
            scale_ls: self.scale_ls.unwrap_or(default.scale_ls),
            step_size_mode,
            inject_noise,
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

    /// Flags that belong to some methods only: their names, whether they are given, and the methods.
    fn owned(&self) -> [(&'static str, bool, &'static [MethodName]); 20] {
        use MethodName::{Ddnm, Ddpg, Ddrm, DiffPir, Dps, Fdgr, Idpg, PiGdm, RedDiff};
        const GUIDED: &[MethodName] = &[Fdgr, Ddpg, Idpg];
        [
            ("--zeta", self.zeta.is_some(), &[Fdgr, Ddpg, DiffPir]),
            ("--xi", self.xi.is_some(), GUIDED),
            ("--mode", self.mode.is_some(), &[Fdgr]),
            ("--lam", self.lam.is_some(), &[Fdgr]),
            ("--alpha", self.alpha.is_some(), &[Fdgr]),
            ("--sigma-g", self.sigma_g.is_some(), &[Fdgr]),
            // The evaluation scripts of DDPG and IDPG say 1 and 0 with it, which the name of the method says here.
            ("--inject-noise", self.inject_noise.is_some(), GUIDED),
            ("--gamma", self.gamma.is_some(), GUIDED),
            ("--eta-tilde", self.eta_tilde.is_some(), GUIDED),
            ("--scale-ls", self.scale_ls.is_some(), GUIDED),
            ("--step-size-mode", self.step_size_mode.is_some(), GUIDED),
            ("--eta", self.eta.is_some(), &[Ddnm, Ddrm, PiGdm]),
            ("--etaA", self.eta_a.is_some(), &[Ddrm]),
            ("--etaB", self.eta_b.is_some(), &[Ddrm]),
            ("--etaC", self.eta_c.is_some(), &[Ddrm]),
            ("--step-scale", self.step_scale.is_some(), &[Dps]),
            ("--lambda", self.lambda.is_some(), &[DiffPir]),
            ("--lr", self.lr.is_some(), &[RedDiff]),
            ("--grad-term-weight", self.grad_term_weight.is_some(), &[PiGdm, RedDiff]),
            ("--obs-weight", self.obs_weight.is_some(), &[RedDiff]),
        ]
    }

    /// Refuses flags of another method, and noise that the method's name denies.
    fn check_owners(&self, method: MethodName) -> Result<()> {
        for (flag, given, owners) in self.owned() {
            if given && !owners.contains(&method) {
                let owners: Vec<String> = owners.iter().map(MethodName::to_string).collect();
                return Err(Error::Mismatch {
                    what: flag.into(),
                    fact: format!("it belongs to --method {}, but the method here is {method}", owners.join(", ")),
                    remedy: format!("leave it out, or pass --method {}", owners[0]),
                });
            }
        }
        let denied = match method {
            MethodName::Ddpg => Some(0),
            MethodName::Idpg => Some(1),
            _ => None,
        };
        if denied.is_some() && self.inject_noise == denied {
            let other = if method == MethodName::Ddpg { MethodName::Idpg } else { MethodName::Ddpg };
            return Err(Error::Mismatch {
                what: "--inject-noise".into(),
                fact: format!("{} is what makes {other} of {method}", self.inject_noise.unwrap_or_default()),
                remedy: format!("leave it out, or pass --method {other}"),
            });
        }
        Ok(())
    }
}
