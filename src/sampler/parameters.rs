//! The parameters of a method, as recipes store and shells show them.

use burn::tensor::Device;
use serde::{Serialize, de::DeserializeOwned};

use super::Sampler;
use crate::error::{Error, Result};
use crate::parameter::{self, Parameter, Values};

/// The parameters of a method, with the papers' names as fields.
pub trait Parameters: Serialize + DeserializeOwned + Clone {
    /// Its name in recipes and for shells.
    const NAME: &'static str;
    /// What it does, in one phrase.
    const TITLE: &'static str;
    /// Its parameters, for shells.
    const PARAMETERS: &'static [Parameter];
    /// Evaluations of the network that its publication makes, where its parameters are for that number.
    const PUBLISHED_STEPS: usize = 100;
    /// Whether its publication limits estimates to `[-1, 1]`.
    const PUBLISHED_CLIP: bool = false;
    /// Whether it has time travel.
    const TRAVELS: bool = false;
    /// The parameter that counts its steps, where its times are its own and not those of a configuration.
    const STEPS: Option<&'static str> = None;
    /// Whether it starts from a classical estimate however long the run is.
    const FROM_ESTIMATE: bool = false;

    /// The parameters of its publication.
    fn published() -> Self;

    /// The same, its first noise at most `largest` of a `[-1, 1]` image, for methods that may start from any.
    #[must_use]
    fn starting_from(&self, largest: f64) -> Self {
        _ = largest;
        self.clone()
    }

    /// The method for one image of `height` x `width`.
    ///
    /// # Errors
    /// Parameters outside their range.
    fn sampler(&self, size: [usize; 2], device: &Device) -> Result<Box<dyn Sampler>>;

    /// The same parameters with other values.
    ///
    /// # Errors
    /// Values outside their range.
    fn with(&self, values: &Values) -> Result<Self> {
        let mut object = to_object(self)?;
        parameter::patch(&mut object, Self::PARAMETERS, values)?;
        from_object(object)
    }
}

pub(super) fn to_object(parameters: &impl Serialize) -> Result<serde_json::Value> {
    serde_json::to_value(parameters).map_err(|e| Error::mismatch("parameters", e.to_string(), "use their defaults"))
}

pub(super) fn from_object<T: DeserializeOwned>(object: serde_json::Value) -> Result<T> {
    serde_json::from_value(object).map_err(|e| Error::mismatch("parameters", e.to_string(), "use their defaults"))
}
