//! How much closer alignment brings each prior draw of a batch to each datum.

use super::alignment::{EXACT_PARTICLES, nuclear_norm, permutations};
use crate::field::Shape;
use crate::lanes::{COMPLETE, Isa, Lanes, Vectorized, gather};

/// For datum i and draw j (`[n][N][D]` each) the largest x_i . P z_j R over permutations P and orthogonal R,
/// `[n][n]`: as |x - P z R|^2 = |x|^2 + |z|^2 - 2 x . P z R, the assignment with the greatest sum is the nearest one.
///
/// Exact in one dimension and for up to [`EXACT_PARTICLES`] particles. Beyond, the bound sum_k |x|_(k) |z|_(k) over
/// distances from the centre in rising order: |x_i - z_j R| >= ||x_i| - |z_j||, and sorting is the best permutation
/// of distances. It costs N a pair, where an alignment costs hundreds of N^2.
pub fn gains(shape: Shape, z: &[f64], x: &[f64]) -> Vec<f64> {
    match shape.dimension {
        1 => sorted_gains(shape, z, x, |p| p[0]),
        _ if shape.particles > EXACT_PARTICLES => {
            sorted_gains(shape, z, x, |p| libm::sqrt(p.iter().map(|v| v * v).sum()))
        }
        2 => Isa::best().run_at_fixed_width(Enumerated::<2> { shape, z, x }),
        _ => Isa::best().run_at_fixed_width(Enumerated::<3> { shape, z, x }),
    }
}

/// Sum of products of sorted keys, the larger one of rising with rising and rising with falling.
fn sorted_gains(shape: Shape, z: &[f64], x: &[f64], key: impl Fn(&[f64]) -> f64) -> Vec<f64> {
    let keys = |configuration: &[f64]| {
        let mut keys: Vec<f64> = configuration.chunks_exact(shape.dimension).map(&key).collect();
        keys.sort_by(f64::total_cmp);
        keys
    };
    let [z, x] = [z, x].map(|all| all.chunks_exact(shape.coordinates()).map(keys).collect::<Vec<Vec<f64>>>());
    let gain = |x: &[f64], z: &[f64]| {
        let rising: f64 = x.iter().zip(z).map(|(a, b)| a * b).sum();
        // Distances, which have no sign, are always nearer in the same order.
        let falling: f64 = x.iter().zip(z.iter().rev()).map(|(a, b)| a * b).sum();
        rising.max(-falling)
    };
    x.iter().flat_map(|x| z.iter().map(|z| gain(x, z)).collect::<Vec<f64>>()).collect()
}

/// All permutations with their best rotations, several data at a time.
struct Enumerated<'a, const D: usize> {
    shape: Shape,
    z: &'a [f64],
    x: &'a [f64],
}

impl<const D: usize> Vectorized<f64> for Enumerated<'_, D> {
    type Output = Vec<f64>;

    fn run<V: Lanes<Real = f64>>(self) -> Vec<f64> {
        let coordinates = self.shape.coordinates();
        let n = self.x.len() / coordinates;
        let permutations = permutations(self.shape.particles);
        let mut gains = vec![0.0; n * n];
        let (mut x, mut products) = (vec![V::zero(); coordinates], Vec::new());
        for first in (0..n).step_by(V::WIDTH) {
            gather(self.x, |lane| (first + lane).min(n - 1), &mut x).expect(COMPLETE);
            for (j, z) in self.z.chunks_exact(coordinates).enumerate() {
                let gain = V::vectorize(
                    #[inline(always)]
                    || best_gain::<D, V>(z, &x, &permutations, &mut products),
                );
                for (lane, &gain) in gain.as_slice().iter().enumerate().take(n - first) {
                    gains[(first + lane) * n + j] = gain;
                }
            }
        }
        gains
    }
}

/// The largest nuclear norm of sum_i z_p(i) x_i^T over the permutations p.
#[inline(always)]
fn best_gain<const D: usize, V: Lanes<Real = f64>>(
    z: &[f64],
    x: &[V],
    permutations: &[Vec<usize>],
    products: &mut Vec<[[V; D]; D]>,
) -> V {
    let ((z, _), (x, _)) = (z.as_chunks::<D>(), x.as_chunks::<D>());
    products.clear();
    for x in x {
        for z in z {
            products.push(core::array::from_fn(
                #[inline(always)]
                |a| {
                    core::array::from_fn(
                        #[inline(always)]
                        |b| V::splat(z[a]) * x[b],
                    )
                },
            ));
        }
    }
    let mut best = V::zero();
    for permutation in permutations {
        let mut h = [[V::zero(); D]; D];
        for (i, &p) in permutation.iter().enumerate() {
            let product = &products[i * z.len() + p];
            for a in 0..D {
                for b in 0..D {
                    h[a][b] += product[a][b];
                }
            }
        }
        let gain = nuclear_norm(&h);
        best = best.select_less(gain, gain, best);
    }
    best
}

#[cfg(test)]
mod tests {
    use super::super::alignment::{aligned, random_starts};
    use super::*;
    use crate::random::{Normals, Purpose, Stream, prior_sample};

    fn draws(shape: Shape, n: usize, seed: u64) -> Vec<f64> {
        let mut draws = vec![0.0; n * shape.coordinates()];
        for (i, z) in draws.chunks_exact_mut(shape.coordinates()).enumerate() {
            prior_sample(shape, &mut Normals::new(Stream::new(seed, Purpose::Prior, i as u64)), z);
        }
        draws
    }

    /// What alignment reaches is the gain where that is exact, and at most the bound elsewhere.
    #[test]
    fn gains_are_what_alignment_reaches_or_bound_it() {
        for (particles, dimension) in
            [(2, 1), (7, 1), (1, 2), (2, 2), (3, 2), (4, 2), (3, 3), (4, 3), (5, 2), (13, 3)]
        {
            let shape = Shape { particles, dimension };
            let (z, x) = (draws(shape, 5, 1), draws(shape, 5, 2));
            let gains = gains(shape, &z, &x);
            let exact = dimension == 1 || particles <= EXACT_PARTICLES;
            for (i, x) in x.chunks_exact(shape.coordinates()).enumerate() {
                for (j, z) in z.chunks_exact(shape.coordinates()).enumerate() {
                    let moved = aligned(shape, z, x, &random_starts(2));
                    let reached: f64 = moved.iter().zip(x).map(|(a, b)| a * b).sum();
                    let gain = gains[i * 5 + j];
                    assert!(reached <= gain + 1e-8, "N {particles} D {dimension}: {reached} {gain}");
                    assert!(
                        !exact || (reached - gain).abs() < 1e-8,
                        "N {particles} D {dimension}: {reached} {gain}"
                    );
                }
            }
        }
    }
}
