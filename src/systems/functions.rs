//! What the fields of flows are made of, and where their training starts.

use crate::field::Shape;
use crate::radial::Basis;
use crate::sampling::{Error, pair_distances};
use crate::train::{FlowMatching, Group, Pairing, Parameters, TrainError, fit, pairs};

/// Importances at the start. At 0 they would never move, because phi depends on their squares.
const IMPORTANCE: f64 = 0.1;

/// Where the weights start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// At zero: the flow is the identity.
    Identity,
    /// At the closed-form solution of flow matching.
    FlowMatching,
}

/// `functions` with their weights where training on `data` (`[n][N][D]`) starts.
///
/// # Errors
/// Those of [`pairs`] and [`fit`].
pub fn initial(
    functions: Parameters,
    start: Start,
    data: &[f64],
    seed: u64,
) -> Result<Parameters, TrainError> {
    if start == Start::Identity {
        return Ok(functions);
    }
    // At least 2000 pairs.
    let samples = (data.len() / functions.shape().coordinates()).max(1);
    let pairing = Pairing { rounds: 2000_usize.div_ceil(samples), ..Pairing::new(seed) };
    let pairs = pairs(functions.shape(), data, &pairing)?;
    Ok(fit(&functions, &pairs, FlowMatching::NODES, FlowMatching::REGULARISATION)?.parameters)
}

/// M normalised radial functions with means spread evenly from 0 to `longest`, and L time functions, 3 / L wide.
pub fn even(shape: Shape, (m, longest, bandwidth): (usize, f64, f64), l: usize) -> Parameters {
    let mut parameters =
        Parameters::identity(Basis::Normalized, shape, (m, longest, bandwidth), (l, 3.0 / l as f64));
    parameters.group_mut(Group::Importance).fill(IMPORTANCE);
    parameters
}

/// M normalised radial functions with means from 0 to `longest`, densest at r_m = 1 where phi is steepest, and
/// bandwidths of three spacings; L time functions, 2.7 to 2.85 spacings wide.
///
/// mu = 1 + w sinh(s) with s evenly spaced, so that the spacing is least at r_m and grows linearly from a distance w on.
/// This is our reading of the paper's appendix C.1, "concentrated around r_m": the authors' published code has the
/// functions, and for double wells their means (even from 0 to 8, bandwidths 0.5; ten time functions of bandwidth 0.3),
/// but no setting for LJ-13.
pub fn concentrated(shape: Shape, (m, width, longest): (usize, f64, f64), l: usize) -> Parameters {
    let mut parameters =
        Parameters::identity(Basis::Normalized, shape, (m, longest, 0.5), (l, 3.0 / l as f64));
    let arsinh = |x: f64| (x / width).asinh();
    let (first, last) = (arsinh(-1.0), arsinh(longest - 1.0));
    let spacing = (last - first) / (m - 1) as f64;
    for i in 0..m {
        let s = first + spacing * i as f64;
        parameters.group_mut(Group::Mu)[i] = (1.0 + width * s.sinh()).max(0.0);
        parameters.group_mut(Group::LogGamma)[i] = (3.0 * spacing * width * s.cosh()).ln();
    }
    parameters.group_mut(Group::Importance).fill(IMPORTANCE);
    parameters
}

/// M normalised radial functions with means spread evenly up to a tenth beyond the longest pair distance of `samples`
/// (`[n][N][D]`) and bandwidths of three spacings, and L time functions of as wide a reach: for configurations of which
/// nothing else is known. Returns two thirds of the spacing too, below which bandwidths fit noise
/// ([`crate::train::TrainConfig::least_bandwidth`]).
///
/// # Errors
/// Those of [`pair_distances`]; fewer than two functions; samples that are all one point.
pub fn spanning(shape: Shape, samples: &[f64], m: usize, l: usize) -> Result<(Parameters, f64), Error> {
    if m < 2 || l < 2 {
        return Err(Error::Value {
            name: "number of functions",
            index: None,
            value: m.min(l) as f64,
            demand: "at least 2",
        });
    }
    let longest = 1.1 * pair_distances(shape, samples)?.into_iter().fold(0.0, f64::max);
    if !longest.is_finite() || longest <= 0.0 {
        return Err(Error::Value {
            name: "longest distance",
            index: None,
            value: longest,
            demand: "above 0",
        });
    }
    let spacing = longest / (m - 1) as f64;
    Ok((even(shape, (m, longest, 3.0 * spacing), l), spacing * 2.0 / 3.0))
}
