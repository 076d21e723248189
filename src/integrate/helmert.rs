//! Helmert's orthonormal basis of the subspace of zero centre of mass.
//!
//! Basis vector number (m - 1) D + d, m = 1 to N - 1, displaces the first m particles by 1/sqrt(m (m + 1)) and particle
//! m (counted from 0) by -m/sqrt(m (m + 1)) along axis d. There are k = (N - 1) D of them.

use crate::field::Shape;
use crate::lanes::Lanes;

/// 1/sqrt(m (m + 1)).
fn weight(m: usize) -> f64 {
    let m = m as f64;
    1.0 / libm::sqrt(m * (m + 1.0))
}

/// D, at least 1: the compiler then sees that a vector can be cut into particles.
fn axes(shape: Shape) -> usize {
    shape.dimension.max(1)
}

/// Writes the basis vectors to `tangents` (`[k][N][D]`).
pub fn seed<V: Lanes>(shape: Shape, tangents: &mut [V]) {
    let d = axes(shape);
    tangents.fill(V::zero());
    for (number, tangent) in tangents.chunks_exact_mut(shape.coordinates()).enumerate() {
        let (m, axis) = (number / d + 1, number % d);
        for (particle, x) in tangent.iter_mut().skip(axis).step_by(d).enumerate().take(m + 1) {
            *x = V::constant(if particle < m { weight(m) } else { -(m as f64) * weight(m) });
        }
    }
}

/// Replaces the first k numbers of each vector in `vectors` (`[..][N][D]`) by its components in the basis.
pub fn project<V: Lanes>(shape: Shape, vectors: &mut [V]) {
    let d = axes(shape);
    V::vectorize(
        #[inline(always)]
        || {
            for vector in vectors.chunks_exact_mut(shape.coordinates()) {
                for axis in 0..d {
                    let mut particles = vector.chunks_exact_mut(d).enumerate();
                    let Some((_, mut before)) = particles.next() else { continue };
                    let mut sum = V::zero();
                    for (m, particle) in particles {
                        // A component takes the place of a particle that is in the sum already.
                        sum += before[axis];
                        let difference = sum - V::constant(m as f64) * particle[axis];
                        before[axis] = V::constant(weight(m)) * difference;
                        before = particle;
                    }
                }
            }
        },
    );
}

/// The inverse of [`project`]: turns the k components at the front of `vector` (`[N][D]`) into displacements.
pub fn expand<V: Lanes>(shape: Shape, vector: &mut [V]) {
    let d = axes(shape);
    V::vectorize(
        #[inline(always)]
        || {
            for axis in 0..d {
                let mut particles = vector.chunks_exact_mut(d).enumerate().rev();
                let Some((mut m, mut particle)) = particles.next() else { continue };
                // What all particles up to the present one share.
                let mut shared = V::zero();
                for (number, before) in particles {
                    let component = V::constant(weight(m)) * before[axis];
                    particle[axis] = shared - V::constant(m as f64) * component;
                    shared += component;
                    (m, particle) = (number, before);
                }
                particle[axis] = shared;
            }
        },
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_basis_is_orthonormal_and_has_zero_centre_of_mass() {
        let shape = Shape { particles: 5, dimension: 3 };
        let (k, c) = (shape.free_dimension(), shape.coordinates());
        let mut basis = vec![0.0; k * c];
        seed(shape, &mut basis);
        for (a, u) in basis.chunks(c).enumerate() {
            for axis in 0..3 {
                assert!(u.iter().skip(axis).step_by(3).sum::<f64>().abs() < 1e-15);
            }
            for (b, v) in basis.chunks(c).enumerate() {
                let product: f64 = u.iter().zip(v).map(|(u, v)| u * v).sum();
                assert!((product - f64::from(a == b)).abs() < 1e-15, "{a} {b}");
            }
        }
    }

    #[test]
    fn projection_takes_components_and_expansion_gives_the_vector_back() {
        let shape = Shape { particles: 4, dimension: 2 };
        let (k, c) = (shape.free_dimension(), shape.coordinates());
        let mut basis = vec![0.0; k * c];
        seed(shape, &mut basis);
        let vector = [1.0, -2.0, 0.5, 3.0, -1.25, 0.25, -0.25, -1.25];
        let mut components = vector;
        project(shape, &mut components);
        for (component, basis) in components.iter().zip(basis.chunks(c)) {
            let product: f64 = basis.iter().zip(vector).map(|(u, v)| u * v).sum();
            assert!((component - product).abs() < 1e-15);
        }
        expand(shape, &mut components);
        for (got, want) in components.iter().zip(vector) {
            assert!((got - want).abs() < 1e-15);
        }
    }
}
