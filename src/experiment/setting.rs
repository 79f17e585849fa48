//! Settings of experiments that no other part of the library has, by the reference's names.

use crate::error::Setting;

/// Degradation, by name.
pub const DEG: Setting = Setting::of("deg");
/// Factor of super-resolution, or sampling ratio of compressed sensing.
pub const DEG_SCALE: Setting = Setting::of("deg_scale");
/// Metric that a sweep compares by.
pub const METRIC: Setting = Setting::of("metric");
/// How the operator is inverted.
pub const OPERATOR_IMP: Setting = Setting::of("operator_imp");
