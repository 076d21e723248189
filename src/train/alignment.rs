//! The permutation, rotation and reflection that bring one configuration closest to another.

use super::assignment::assign;
use super::config::TrainError;
use crate::field::Shape;
use crate::lanes::Lanes;
use crate::particles::remove_com;
use crate::random::{Normals, Purpose, Stream};
use nalgebra::Matrix3;

/// Up to this number of particles all permutations are tried.
pub(super) const EXACT_PARTICLES: usize = 4;

/// Most times that permutation and rotation take turns; each turn shortens the distance, and few are needed.
const TURNS: usize = 50;

/// P z R, the configuration nearest to `x` (both `[N][D]`) that permuting the particles of `z`, rotating and
/// reflecting it can reach: min |x - P z R|^2 over permutation matrices P and orthogonal D x D matrices R.
///
/// Centres of mass are removed from both first. Exact in one dimension (sorting) and for up to 4 particles (every
/// permutation, each with its best R by the singular value decomposition of the covariance: Kabsch 1976). For more
/// particles a local minimum: permutation (linear assignment) and R take turns, first from the particles in the order
/// of their distance from the centre, then from `starts` random R, the same ones in every call; the best is taken.
///
/// Cost: O(N log N), N! N, or a few times (1 + starts) N^3.
///
/// # Errors
/// [`TrainError::Config`] where a size does not fit or a coordinate is not finite.
pub fn align(shape: Shape, z: &[f64], x: &[f64], starts: usize) -> Result<Vec<f64>, TrainError> {
    check_shape(shape)?;
    for (name, values) in [("z", z), ("x", x)] {
        if values.len() != shape.coordinates() {
            return Err(TrainError::Config(name, "must hold one configuration"));
        }
        check_finite(name, values)?;
    }
    let (mut z, mut x, mut com) = (z.to_vec(), x.to_vec(), [0.0; 3]);
    remove_com(shape, &mut z, &mut com);
    remove_com(shape, &mut x, &mut com);
    Ok(aligned(shape, &z, &x, &random_starts(starts)))
}

/// N at least 1 and D from 1 to 3.
pub(super) fn check_shape(shape: Shape) -> Result<(), TrainError> {
    match shape {
        Shape { particles: 0, .. } => Err(TrainError::Config("shape.particles", "must be at least 1")),
        Shape { dimension: 1..=3, .. } => Ok(()),
        _ => Err(TrainError::Config("shape.dimension", "must be 1, 2 or 3")),
    }
}

/// No NaN, no infinity.
pub(super) fn check_finite(name: &'static str, values: &[f64]) -> Result<(), TrainError> {
    match values.iter().all(|v| v.is_finite()) {
        true => Ok(()),
        false => Err(TrainError::Config(name, "holds a NaN or infinite coordinate")),
    }
}

/// Matrices whose leading D x D part gives an alignment in D dimensions its start.
pub(super) fn random_starts(n: usize) -> Vec<[[f64; 3]; 3]> {
    (0..n as u64)
        .map(|index| {
            let mut normals = Normals::new(Stream::new(0, Purpose::Alignment, index));
            [(); 3].map(|()| [(); 3].map(|()| normals.next_normal()))
        })
        .collect()
}

/// [`align`] for configurations without centre of mass.
pub(super) fn aligned(shape: Shape, z: &[f64], x: &[f64], starts: &[[[f64; 3]; 3]]) -> Vec<f64> {
    match shape.dimension {
        1 => aligned_in::<1>(z, x, starts),
        2 => aligned_in::<2>(z, x, starts),
        _ => aligned_in::<3>(z, x, starts),
    }
}

fn aligned_in<const D: usize>(z: &[f64], x: &[f64], starts: &[[[f64; 3]; 3]]) -> Vec<f64> {
    let ((z, _), (x, _)) = (z.as_chunks::<D>(), x.as_chunks::<D>());
    let permutation = if D == 1 {
        sorted(z, x)
    } else if z.len() <= EXACT_PARTICLES {
        enumerated(z, x)
    } else {
        alternated(z, x, starts)
    };
    let rotation = kabsch(&covariance(z, x, &permutation));
    permutation.iter().flat_map(|&p| rotated(&z[p], &rotation)).collect()
}

/// H = sum_i z_p(i) x_i^T: the sum of z_p(i) R . x_i is the trace of R^T H.
fn covariance<const D: usize>(z: &[[f64; D]], x: &[[f64; D]], permutation: &[usize]) -> [[f64; D]; D] {
    let mut h = [[0.0; D]; D];
    for (&p, x) in permutation.iter().zip(x) {
        for (a, row) in h.iter_mut().enumerate() {
            for (b, sum) in row.iter_mut().enumerate() {
                *sum += z[p][a] * x[b];
            }
        }
    }
    h
}

/// z R, with z a row.
fn rotated<const D: usize>(z: &[f64; D], rotation: &[[f64; D]; D]) -> [f64; D] {
    core::array::from_fn(|b| (0..D).map(|a| z[a] * rotation[a][b]).sum())
}

/// The orthogonal R with the largest trace of R^T H: U V^T where H = U S V^T (Kabsch, Acta Crystallographica A 32,
/// 922, 1976), reflections included.
fn kabsch<const D: usize>(h: &[[f64; D]; D]) -> [[f64; D]; D] {
    let r = match D {
        1 => [[if h[0][0] < 0.0 { -1.0 } else { 1.0 }, 0.0, 0.0], [0.0; 3], [0.0; 3]],
        2 => kabsch_in_the_plane(h[0][0], h[0][1], h[1][0], h[1][1]),
        _ => {
            let svd = Matrix3::from_fn(|a, b| h[a][b]).try_svd(true, true, f64::EPSILON, SVD_ITERATIONS);
            // Without convergence no rotation: a worse pair, still a valid one.
            let r = svd.and_then(|svd| Some(svd.u? * svd.v_t?)).unwrap_or_else(Matrix3::identity);
            core::array::from_fn(|a| core::array::from_fn(|b| r[(a, b)]))
        }
    };
    core::array::from_fn(|a| core::array::from_fn(|b| r[a][b]))
}

const SVD_ITERATIONS: usize = 1000;

/// The better of the best rotation [[c, s], [-s, c]] and the best reflection [[c, s], [s, -c]].
fn kabsch_in_the_plane(h00: f64, h01: f64, h10: f64, h11: f64) -> [[f64; 3]; 3] {
    let (turn, mirror) = ([h00 + h11, h01 - h10], [h00 - h11, h01 + h10]);
    let (turn_gain, mirror_gain) = (libm::hypot(turn[0], turn[1]), libm::hypot(mirror[0], mirror[1]));
    let (sign, [c, s], gain) = match mirror_gain > turn_gain {
        true => (-1.0, mirror, mirror_gain),
        false => (1.0, turn, turn_gain),
    };
    let [c, s] = if gain > 0.0 { [c / gain, s / gain] } else { [1.0, 0.0] };
    [[c, s, 0.0], [-sign * s, sign * c, 0.0], [0.0; 3]]
}

/// In one dimension: both in rising order, or one rising and one falling.
fn sorted<const D: usize>(z: &[[f64; D]], x: &[[f64; D]]) -> Vec<usize> {
    let (z_order, x_order) = (order_by(z, |p| p[0]), order_by(x, |p| p[0]));
    let matched = |reverse: bool| {
        let mut permutation = vec![0; z.len()];
        for (rank, &i) in x_order.iter().enumerate() {
            permutation[i] = z_order[if reverse { z.len() - 1 - rank } else { rank }];
        }
        permutation
    };
    let candidates = [false, true].map(matched);
    best_of(z, x, candidates)
}

/// Every permutation.
fn enumerated<const D: usize>(z: &[[f64; D]], x: &[[f64; D]]) -> Vec<usize> {
    best_of(z, x, permutations(z.len()))
}

/// Permutation and rotation in turns from several starts.
fn alternated<const D: usize>(z: &[[f64; D]], x: &[[f64; D]], starts: &[[[f64; 3]; 3]]) -> Vec<usize> {
    let square = |p: &[f64; D]| p.iter().map(|v| v * v).sum::<f64>();
    let mut by_radius = vec![0; z.len()];
    for (z_index, x_index) in order_by(z, square).into_iter().zip(order_by(x, square)) {
        by_radius[x_index] = z_index;
    }
    let from_start = |start: &[[f64; 3]; 3]| {
        // The orthogonal factor of a matrix of normals is uniformly distributed.
        let start: [[f64; D]; D] = core::array::from_fn(|a| core::array::from_fn(|b| start[a][b]));
        converged(z, x, nearest(z, x, &kabsch(&start)))
    };
    let others: Vec<Vec<usize>> = starts.iter().map(from_start).collect();
    best_of(z, x, core::iter::once(converged(z, x, by_radius)).chain(others))
}

/// Takes turns until the distance falls no more.
fn converged<const D: usize>(z: &[[f64; D]], x: &[[f64; D]], mut permutation: Vec<usize>) -> Vec<usize> {
    for _ in 0..TURNS {
        let next = nearest(z, x, &kabsch(&covariance(z, x, &permutation)));
        if next == permutation {
            break;
        }
        permutation = next;
    }
    permutation
}

/// The best permutation of z R.
fn nearest<const D: usize>(z: &[[f64; D]], x: &[[f64; D]], rotation: &[[f64; D]; D]) -> Vec<usize> {
    let z: Vec<[f64; D]> = z.iter().map(|z| rotated(z, rotation)).collect();
    let dot = |x: &[f64; D], z: &[f64; D]| x.iter().zip(z).map(|(a, b)| a * b).sum::<f64>();
    let gain: Vec<f64> = x.iter().flat_map(|x| z.iter().map(move |z| dot(x, z))).collect();
    assign(x.len(), &gain)
}

/// The candidate that comes nearest after its best rotation; the first one of equals.
fn best_of<const D: usize>(
    z: &[[f64; D]],
    x: &[[f64; D]],
    candidates: impl IntoIterator<Item = Vec<usize>>,
) -> Vec<usize> {
    let (mut best, mut best_gain) = (Vec::new(), f64::NEG_INFINITY);
    for candidate in candidates {
        let gain = nuclear_norm(&covariance(z, x, &candidate));
        // The first one also where the gain overflows to NaN.
        if best.is_empty() || gain > best_gain {
            (best, best_gain) = (candidate, gain);
        }
    }
    best
}

/// Indices in rising order of `key`.
fn order_by<const D: usize>(points: &[[f64; D]], key: impl Fn(&[f64; D]) -> f64) -> Vec<usize> {
    let mut order: Vec<usize> = (0..points.len()).collect();
    order.sort_by(|&i, &j| key(&points[i]).total_cmp(&key(&points[j])));
    order
}

/// All permutations of 0..n.
pub(super) fn permutations(n: usize) -> Vec<Vec<usize>> {
    let Some(last) = n.checked_sub(1) else { return vec![Vec::new()] };
    let inserted = |shorter: Vec<usize>| {
        (0..n).map(move |at| {
            let mut longer = shorter.clone();
            longer.insert(at, last);
            longer
        })
    };
    permutations(last).into_iter().flat_map(inserted).collect()
}

/// The sum of H's singular values: the largest trace of R^T H over orthogonal R, without R itself.
#[inline(always)]
pub(super) fn nuclear_norm<const D: usize, V: Lanes>(h: &[[V; D]; D]) -> V {
    match D {
        1 => h[0][0].magnitude(),
        2 => {
            let (c, s) = (h[0][0] + h[1][1], h[0][1] - h[1][0]);
            let (c_mirror, s_mirror) = (h[0][0] - h[1][1], h[0][1] + h[1][0]);
            let (turn, mirror) = (c * c + s * s, c_mirror * c_mirror + s_mirror * s_mirror);
            turn.select_less(mirror, mirror, turn).sqrt()
        }
        _ => nuclear_norm_3(&core::array::from_fn(|a| core::array::from_fn(|b| h[a][b]))),
    }
}

/// With s_k the singular values, p = sum s_k^2, q = sum of (s_j s_k)^2 and d = s_1 s_2 s_3 = |det H|, the sum is the
/// fixed point of f -> sqrt(p + 2 sqrt(q + 2 d f)), a contraction by s_1 s_2 s_3 / ((sum s_k)(sum s_j s_k)) <= 1/9.
#[inline(always)]
fn nuclear_norm_3<V: Lanes>(h: &[[V; 3]; 3]) -> V {
    let (mut p, mut q, mut det) = (V::zero(), V::zero(), V::zero());
    for a in 0..3 {
        for b in 0..3 {
            let [a1, a2, b1, b2] = [(a + 1) % 3, (a + 2) % 3, (b + 1) % 3, (b + 2) % 3];
            let minor = h[a1][b1] * h[a2][b2] - h[a1][b2] * h[a2][b1];
            p += h[a][b] * h[a][b];
            q += minor * minor;
            if a == 0 {
                det += h[a][b] * minor;
            }
        }
    }
    let two = V::constant(2.0);
    // d^4 <= (q / 3)^3, the inequality of the means. Where H has rank 1 both vanish, and the determinant's rounding
    // error, under the inner root, would be its square root.
    let third = (V::constant(1.0 / 3.0) * q).sqrt();
    let two_d = two * det.magnitude().at_most(third * third.sqrt());
    let mut sum = (V::constant(3.0) * p).sqrt();
    for _ in 0..CONTRACTIONS {
        sum = (p + two * (q + two_d * sum).sqrt()).sqrt();
    }
    sum
}

/// To 9^-12 = 4e-12 of the difference between the start and the sum.
const CONTRACTIONS: usize = 12;

#[cfg(test)]
mod tests {
    use super::*;

    fn random_matrix(index: u64) -> [[f64; 3]; 3] {
        random_starts(index as usize + 1)[index as usize]
    }

    #[test]
    fn the_nuclear_norm_is_the_sum_of_the_singular_values() {
        for index in 0..20 {
            let mut h = random_matrix(index);
            if index % 4 == 1 {
                h[2] = core::array::from_fn(|b| h[0][b] - 2.0 * h[1][b]); // rank 2
            }
            if index % 4 == 2 {
                let row = h[0];
                h = [row, row.map(|v| 3.0 * v), row.map(|v| -v)]; // rank 1
            }
            let want: f64 = nalgebra::DMatrix::from_fn(3, 3, |a, b| h[a][b]).singular_values().iter().sum();
            assert!((nuclear_norm(&h) - want).abs() < 1e-9 * want, "{index}");
            let plane = [[h[0][0], h[0][1]], [h[1][0], h[1][1]]];
            let want: f64 = nalgebra::DMatrix::from_fn(2, 2, |a, b| h[a][b]).singular_values().iter().sum();
            assert!((nuclear_norm(&plane) - want).abs() < 1e-13 * want.max(1.0), "{index}");
        }
    }

    /// R is orthogonal and reaches the nuclear norm, which no orthogonal matrix exceeds.
    fn check_kabsch<const D: usize>(h: [[f64; D]; D]) {
        let r = kabsch(&h);
        let mut gain = 0.0;
        for a in 0..D {
            for b in 0..D {
                gain += r[a][b] * h[a][b];
                let product: f64 = (0..D).map(|k| r[a][k] * r[b][k]).sum();
                assert!((product - if a == b { 1.0 } else { 0.0 }).abs() < 1e-13, "{r:?}");
            }
        }
        let want: f64 = nalgebra::DMatrix::from_fn(D, D, |a, b| h[a][b]).singular_values().iter().sum();
        assert!((gain - want).abs() < 1e-13 * want.max(1e-300), "{h:?}: {gain} {want}");
    }

    #[test]
    fn the_rotation_is_orthogonal_and_best() {
        for index in 0..40 {
            let h = random_matrix(index);
            check_kabsch([[h[0][0]]]);
            check_kabsch([[h[0][0], h[0][1]], [h[1][0], h[1][1]]]);
            check_kabsch(h);
        }
        check_kabsch([[0.0; 2]; 2]);
        check_kabsch([[0.0; 3]; 3]);
        check_kabsch([[1.0, 2.0, 0.0], [3.0, -1.0, 0.0], [0.0; 3]]); // a triangle in space
        check_kabsch([[1.0, 2.0, 3.0], [2.0, 4.0, 6.0], [0.0; 3]]); // a straight line
    }

    #[test]
    fn all_permutations_come_once() {
        for (n, count) in [(0, 1), (1, 1), (2, 2), (3, 6), (4, 24)] {
            let mut all = permutations(n);
            assert_eq!(all.len(), count);
            all.sort();
            all.dedup();
            assert_eq!(all.len(), count);
        }
    }
}
