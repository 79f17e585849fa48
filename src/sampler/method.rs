//! Every method by name, with its parameters.

use burn::tensor::Device;

use super::parameters::to_object;
use super::{DdpgParameters, FdgrParameters, Guidance, IdpgParameters, Method, Needs, signed_sigma};
use crate::error::{Error, Hint, Result, Setting};
use crate::parameter::{self, Parameter, Values};
use crate::regularizer::Regularization;

/// The one list of methods, by the files that they are in.
macro_rules! methods {
    ($($module:ident { $($(#[$doc:meta])* $variant:ident($parameters:ident) $name:literal),* $(,)? })*) => {
        $(mod $module;)*
        $(pub use $module::*;)*

        /// A method with its parameters.
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        #[serde(tag = "name")]
        pub enum Method {
            $($($(#[$doc])* #[serde(rename = $name)] $variant($parameters),)*)*
        }

        impl Method {
            /// Names of all methods.
            pub const NAMES: &'static [&'static str] = &[$($($parameters::NAME),*),*];
            /// What they do, in the same order.
            pub const TITLES: &'static [&'static str] = &[$($($parameters::TITLE),*),*];
            /// Their parameters, in the same order.
            pub const TABLES: &'static [&'static [Parameter]] = &[$($($parameters::PARAMETERS),*),*];

            /// The method of that name, as published.
            ///
            /// # Errors
            /// Unknown names.
            pub fn named(name: &str) -> Result<Self> {
                match name {
                    $($($name => Ok(Self::$variant($parameters::published())),)*)*
                    _ => {
                        let fact = format!("no method is called {name}; there are {}", Self::NAMES.join(", "));
                        Err(Error::mismatch(Setting::METHOD, fact, "choose one of them"))
                    }
                }
            }

            /// Its name.
            pub fn name(&self) -> &'static str {
                match self { $($(Self::$variant(_) => $parameters::NAME,)*)* }
            }

            /// Its parameters, for shells.
            pub fn parameters(&self) -> &'static [Parameter] {
                match self { $($(Self::$variant(_) => $parameters::PARAMETERS,)*)* }
            }

            /// Evaluations of the network that its publication makes.
            pub fn published_steps(&self) -> usize {
                match self { $($(Self::$variant(_) => $parameters::PUBLISHED_STEPS,)*)* }
            }

            /// Whether its publication limits estimates to `[-1, 1]`.
            pub fn published_clip(&self) -> bool {
                match self { $($(Self::$variant(_) => $parameters::PUBLISHED_CLIP,)*)* }
            }

            /// Whether it starts from a classical estimate however long the run is.
            pub fn starts_from_estimate(&self) -> bool {
                match self { $($(Self::$variant(_) => $parameters::FROM_ESTIMATE,)*)* }
            }

            /// The parameter that counts its steps, where its times are its own.
            pub fn own_steps(&self) -> Option<&'static str> {
                match self { $($(Self::$variant(_) => $parameters::STEPS,)*)* }
            }

            /// Whether it has time travel.
            pub fn travels(&self) -> bool {
                match self { $($(Self::$variant(_) => $parameters::TRAVELS,)*)* }
            }

            /// Names of the methods with time travel.
            pub fn travellers() -> Vec<&'static str> {
                let travels = [$($(($parameters::NAME, $parameters::TRAVELS)),*),*];
                travels.into_iter().filter(|(_, travels)| *travels).map(|(name, _)| name).collect()
            }

            /// The method for one image of `height` x `width`.
            ///
            /// # Errors
            /// Parameters outside their range.
            pub fn sampler(&self, size: [usize; 2], device: &Device) -> Result<Box<dyn Sampler>> {
                self.check()?;
                match self { $($(Self::$variant(parameters) => parameters.sampler(size, device),)*)* }
            }

            /// The same method, its first noise at most `largest` of a `[-1, 1]` image where it may start from any.
            #[must_use]
            pub fn starting_from(&self, largest: f64) -> Self {
                match self { $($(Self::$variant(parameters) => Self::$variant(parameters.starting_from(largest)),)*)* }
            }

            pub(super) fn patched(&self, values: &Values) -> Result<Self> {
                Ok(match self { $($(Self::$variant(parameters) => Self::$variant(parameters.with(values)?),)*)* })
            }
        }
    };
}

pub(super) use methods;

impl Method {
    /// FDGR.
    pub fn fdgr(guidance: Guidance, regularization: Regularization) -> Self {
        Self::Fdgr(FdgrParameters { guidance, regularization })
    }

    /// DDPG.
    pub fn ddpg(guidance: Guidance) -> Self {
        Self::Ddpg(DdpgParameters { guidance: Guidance { inject_noise: true, ..guidance } })
    }

    /// IDPG.
    pub fn idpg(guidance: Guidance) -> Self {
        Self::Idpg(IdpgParameters { guidance: Guidance { inject_noise: false, ..guidance } })
    }

    /// Methods that have a parameter, by name.
    pub fn owners(parameter: &str) -> Vec<&'static str> {
        let has = |table: &&[Parameter]| table.iter().any(|p| p.name == parameter);
        Self::NAMES.iter().zip(Self::TABLES).filter(|(_, table)| has(table)).map(|(name, _)| *name).collect()
    }

    /// What it needs for noise of standard deviation `sigma` of a `[0, 1]` image.
    pub fn needs(&self, sigma: f64) -> Needs {
        // Needs depend on neither the size nor the device.
        self.sampler([16, 16], &Device::flex()).map_or(Needs::default(), |sampler| sampler.needs(signed_sigma(sigma)))
    }

    /// The guidance of FDGR, DDPG and IDPG.
    pub fn guidance(&self) -> Option<Guidance> {
        match self {
            Self::Fdgr(fdgr) => Some(fdgr.guidance),
            Self::Ddpg(ddpg) => Some(ddpg.guidance),
            Self::Idpg(idpg) => Some(idpg.guidance),
            _ => None,
        }
    }

    /// The same method with another guidance and regularisation, where it has them.
    #[must_use]
    pub fn with_guidance(self, guidance: Guidance, regularization: Regularization) -> Self {
        match self {
            Self::Fdgr(_) => Self::fdgr(guidance, regularization),
            Self::Ddpg(_) => Self::ddpg(guidance),
            Self::Idpg(_) => Self::idpg(guidance),
            other => other,
        }
    }

    /// The same method with other values.
    ///
    /// # Errors
    /// Parameters of other methods, and values outside their range.
    pub fn with(&self, values: &Values) -> Result<Self> {
        for (name, _) in values.iter() {
            if !self.parameters().iter().any(|parameter| parameter.name == name) {
                let owners = Self::owners(name);
                let setting = Setting(name.to_owned().into());
                let fact = format!("it belongs to {}, but the method here is {}", owners.join(", "), self.name());
                let other = owners.first().map(|owner| Hint::set(Setting::METHOD, *owner));
                let hint = other.into_iter().fold(Hint::Omit(setting.clone()), Hint::or);
                return Err(Error::mismatch(setting, fact, hint));
            }
        }
        self.patched(values)
    }

    /// # Errors
    /// Parameters outside their range.
    pub fn check(&self) -> Result<()> {
        parameter::check(&to_object(self)?, self.parameters())
    }
}
