//! Means, how sure they are, and whether two runs differ.

use serde::Serialize;
use statrs::distribution::{ContinuousCDF, StudentsT};

/// A mean over pictures.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Mean {
    /// Number of pictures.
    pub count: usize,
    /// The mean.
    pub mean: f64,
    /// Half the width of its 95% confidence interval (Student's t); none for fewer than two pictures.
    pub half_width: Option<f64>,
}

impl Mean {
    /// Of finite values; none where there are no such values.
    pub fn of(values: &[f64]) -> Option<Self> {
        let finite: Vec<f64> = values.iter().copied().filter(|v| v.is_finite()).collect();
        let count = finite.len();
        if count == 0 {
            return None;
        }
        let mean = finite.iter().sum::<f64>() / count as f64;
        Some(Self { count, mean, half_width: standard_error(&finite, mean).map(|error| error * quantile(count - 1)) })
    }
}

/// Two runs on the same pictures.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Difference {
    /// The mean difference, second less first.
    pub mean: Mean,
    /// Probability of one as large where the runs do not differ (paired t-test, two-sided); none for fewer than two pictures.
    pub p: Option<f64>,
}

impl Difference {
    /// Of pairs of values; none where there are none.
    pub fn of(pairs: &[(f64, f64)]) -> Option<Self> {
        let differences: Vec<f64> =
            pairs.iter().map(|(first, second)| second - first).filter(|d| d.is_finite()).collect();
        let mean = Mean::of(&differences)?;
        let p = standard_error(&differences, mean.mean).map(|error| {
            if error == 0.0 {
                return if mean.mean == 0.0 { 1.0 } else { 0.0 };
            }
            let t = (mean.mean / error).abs();
            2.0 * (1.0 - student(mean.count - 1).cdf(t))
        });
        Some(Self { mean, p })
    }
}

fn standard_error(values: &[f64], mean: f64) -> Option<f64> {
    let n = values.len() as f64;
    let squares: f64 = values.iter().map(|v| (v - mean).powi(2)).sum();
    (values.len() > 1).then(|| (squares / (n - 1.0) / n).sqrt())
}

fn student(freedom: usize) -> StudentsT {
    StudentsT::new(0.0, 1.0, freedom as f64).expect("at least one degree of freedom")
}

/// What 95% of Student's distribution lie within.
fn quantile(freedom: usize) -> f64 {
    student(freedom).inverse_cdf(0.975)
}

#[cfg(test)]
mod tests {
    use super::{Difference, Mean};

    #[test]
    fn means_and_intervals_as_in_textbooks() {
        // Student's t with 4 degrees of freedom: 2.776.
        let mean = Mean::of(&[1.0, 2.0, 3.0, 4.0, 5.0]).unwrap();
        assert!((mean.mean - 3.0).abs() < 1e-12);
        assert!((mean.half_width.unwrap() - 2.7764 * (2.5f64 / 5.0).sqrt()).abs() < 1e-3);
        assert_eq!(Mean::of(&[7.0]).unwrap().half_width, None);
        assert_eq!(Mean::of(&[f64::INFINITY]), None);
    }

    #[test]
    fn differences_are_paired() {
        // scipy.stats.ttest_rel([1.1, 2.3, 2.9, 4.2], [1, 2, 3, 4]): p = 0.2394.
        let pairs = [(1.0, 1.1), (2.0, 2.3), (3.0, 2.9), (4.0, 4.2)];
        let difference = Difference::of(&pairs).unwrap();
        assert!((difference.mean.mean - 0.125).abs() < 1e-12);
        assert!((difference.p.unwrap() - 0.2394).abs() < 2e-3, "{:?}", difference.p);
        assert_eq!(Difference::of(&[(1.0, 1.0), (2.0, 2.0)]).unwrap().p, Some(1.0));
    }
}
