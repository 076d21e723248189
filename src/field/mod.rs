//! Pair sums: the velocity, its divergence, Jacobian and the norm of that, and their transposes, for vectors of samples.
//!
//! ```text
//! v_i(x,t) = sum_{j != i} phi(d_ij, t) (x_i - x_j),      d_ij = |x_i - x_j|
//! div v    = sum_{i != j} [ d_ij phi'(d_ij, t) + D phi(d_ij, t) ]
//! ```
//!
//! Only unordered pairs are visited (Newton's third law: the pair's force acts on both partners with opposite
//! sign), always in the order (0,1), (0,2), ..., (1,2), ...: the sum over all v_i, and with it the drift of the
//! centre of mass, is zero up to rounding. Three short passes: distances, radial function, forces.

mod norm;
mod pairs;
mod tangent;
mod transpose;

pub use norm::{JacobianNorm, norm_extent};
pub use pairs::{PairScratch, Shape, add_forces, distances, pair_potential, velocity_divergence};
pub use tangent::{matrices_extent, multiply, pair_matrices};
pub use transpose::{Addend, TileRadials, transpose, transpose_with};
