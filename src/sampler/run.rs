//! The loop that all methods share.

use burn::tensor::Tensor;

use super::guard::Guard;
use super::{Estimate, Gradient, Moment, Needs, Problem, Sampler, Step, Symmetry, Timeline, Transition, noised};
use crate::control::{self, Control, Event};
use crate::error::{Error, Hint, Result, Setting};
use crate::noise::Noise;
use crate::prior::{Call, ClassGradient, Denoiser, Vjp};

/// Guidance towards a class: `eps -= scale sqrt(1 - a) grad log p(class | x_t, t)` (Dhariwal and Nichol, 2021, algorithm 2).
pub struct ClassGuidance<'a> {
    /// The classifier.
    pub classifier: &'a dyn ClassGradient,
    /// The class.
    pub class: usize,
    /// Weight of its gradient.
    pub scale: f64,
}

/// A prior and a problem, put together.
pub struct Run<'a> {
    /// Predicts the noise.
    pub prior: &'a dyn Denoiser,
    /// Towards a class, where there is one.
    pub guidance: Option<&'a ClassGuidance<'a>>,
    /// The measurement.
    pub problem: &'a Problem<'a>,
    /// The transitions.
    pub timeline: &'a Timeline,
    /// Limits every estimate to `[-1, 1]`, as some of the papers do.
    pub clip: bool,
}

impl Run<'_> {
    /// Runs a method from standard normals `z` of the image's shape, or from `estimate` and as much noise as the first time
    /// has. A run that is cancelled in its last step has a result.
    ///
    /// # Errors
    /// [`Error::Stopped`] if the run is cancelled, [`Error::BadEstimate`] for estimates that are not finite or constant, and
    /// methods whose needs the problem does not meet.
    pub fn sample(
        &self,
        sampler: &mut dyn Sampler,
        z: Tensor<4>,
        estimate: Option<Tensor<4>>,
        noise: &mut dyn Noise,
        control: &dyn Control,
    ) -> Result<Tensor<4>> {
        let needs = sampler.needs(self.problem.sigma_y);
        self.check(needs)?;
        self.check_shapes(&z, estimate.as_ref())?;
        let steps = self.timeline.steps().count();
        let mut guard = Guard::new(steps);
        let mut done = 0;
        control.emit(Event::Step { done, all: steps });
        let mut x_t = sampler.begin(&self.timeline.first(), z, estimate, self.problem);
        let mut last = x_t.clone();
        for transition in self.timeline.transitions() {
            x_t = match transition {
                Transition::Renoise { a } => noised(last.clone(), noise.draw(x_t.dims(), &x_t.device()), *a),
                Transition::Denoise(step) => {
                    let call = Call { t: step.t, a: step.a, index: done, control };
                    let symmetries = sampler.symmetries(done);
                    let estimate = self.estimate(step, &x_t, &symmetries, needs.derivatives, &call, &mut guard)?;
                    last = estimate.x0.clone();
                    let at = Moment { step: *step, problem: self.problem, noise: &mut *noise };
                    let next = sampler.step(at, x_t, estimate)?;
                    done += 1;
                    control.emit(Event::Step { done, all: steps });
                    control.emit(Event::Estimate(&last));
                    if done < steps {
                        control::check(control, || format!("at step {done} of {steps}"))?;
                    }
                    next
                }
            };
        }
        let result = sampler.result(x_t, last, self.problem);
        guard.watch(&result)?;
        guard.read()?;
        Ok(result)
    }

    fn check_shapes(&self, z: &Tensor<4>, estimate: Option<&Tensor<4>>) -> Result<()> {
        if let Some(other) = estimate.filter(|estimate| estimate.dims() != z.dims()) {
            let fact = format!("it has the shape {:?}, where {:?} belongs", other.dims(), z.dims());
            return Err(Error::mismatch("the classical estimate", fact, "make it for an image of the same shape"));
        }
        if !self.problem.data.is_of_one_shape() {
            let hint = "make both ends of an interval for every measured value, and one mask for all channels";
            let fact = "its intervals, or its mask, have other shapes than its values";
            return Err(Error::mismatch("the measurement", fact, hint));
        }
        let ([_, c, h, w], [batch, channels, height, width]) = (self.problem.data.y().dims(), z.dims());
        let operator = self.problem.operator;
        let fits = operator.image_shape() == [channels, height, width] && operator.measured_shape() == [c, h, w];
        if fits && self.problem.data.y().dims()[0] == batch {
            return Ok(());
        }
        let fact =
            format!("it is {c}x{h}x{w} for an image of {channels}x{height}x{width}, which the operator does not give");
        Err(Error::mismatch("the measurement", fact, "measure the image with the same operator"))
    }

    fn check(&self, needs: Needs) -> Result<()> {
        let refuse = |fact: &str, hint: Hint| Err(Error::mismatch(Setting::METHOD, fact, hint));
        if needs.spectrum && self.problem.operator.spectral().is_none() {
            return refuse(
                "it needs the singular values of the degradation, which are not known",
                "choose another".into(),
            );
        }
        if needs.exact_data && !self.problem.data.is_exact() {
            let hint = Hint::set(Setting::DATA, "exact").or("choose another method");
            return refuse("it needs measured values that are points, not intervals", hint);
        }
        Ok(())
    }

    fn estimate(
        &self,
        step: &Step,
        x_t: &Tensor<4>,
        symmetries: &[Symmetry],
        differentiate: bool,
        call: &Call,
        guard: &mut Guard,
    ) -> Result<Estimate<'_>> {
        let (mut eps, of_eps) = if differentiate {
            let (eps, of_eps) = self.prior.differentiate(x_t.clone(), call)?;
            (eps, Some(of_eps))
        } else {
            (self.predict(x_t, symmetries, call)?, None::<Vjp<'_>>)
        };
        if let Some(ClassGuidance { classifier, class, scale }) = self.guidance {
            eps = eps - classifier.gradient(x_t.clone(), *class, call)? * (scale * (1.0 - step.a).sqrt());
        }
        let seen = (x_t.clone() - eps.clone() * (1.0 - step.a).sqrt()) / step.a.sqrt();
        // Before clipping, which may hide what is not a number.
        guard.watch(&seen)?;
        let x0 = if self.clip { seen.clone().clamp(-1.0, 1.0) } else { seen.clone() };
        let gradient = of_eps.map(|of_eps| Gradient {
            of_eps,
            inside: self.clip.then(|| seen.abs().lower_equal_elem(1.0).float()),
            a: step.a,
        });
        Ok(Estimate { eps, x0, gradient })
    }

    /// The predicted noise: the mean over the symmetries, each undone after the evaluation.
    fn predict(&self, x_t: &Tensor<4>, symmetries: &[Symmetry], call: &Call) -> Result<Tensor<4>> {
        let mut sum: Option<Tensor<4>> = None;
        for symmetry in symmetries {
            if sum.is_some() {
                control::check(call.control, || format!("at step {}", call.index + 1))?;
            }
            let eps = self.prior.predict_noise(symmetry.apply(x_t.clone()), call)?;
            let eps = symmetry.undo(eps);
            sum = Some(sum.map_or(eps.clone(), |sum| sum + eps));
        }
        let sum = sum.ok_or_else(|| Error::mismatch(Setting::METHOD, "it names no symmetry", "name the identity"))?;
        Ok(if symmetries.len() == 1 { sum } else { sum / symmetries.len() as f64 })
    }
}
