//! Moves to copies of a configuration that are as likely as it is.

use super::chains::Draws;
use crate::error::{Argument, Error, Missing, Status};
use crate::field::Shape;
use crate::flow::check_finite;
use crate::lanes::{Real, part_mut, split};
use crate::particles::remove_com;
use crate::random::{Normals, Purpose, Stream};

/// Which copies of a configuration are as likely as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "std", derive(serde::Serialize, serde::Deserialize))]
pub struct Symmetry {
    /// Those with particles in another order.
    pub permutations: bool,
    /// Those turned about the centre of mass.
    pub rotations: bool,
    /// Those seen in a mirror.
    pub reflections: bool,
}

impl Symmetry {
    /// Of identical particles whose energy depends on their distances from each other and from the centre of mass, such as
    /// those of [`potential`](crate::potential) and of flows.
    pub const ALL: Symmetry = Symmetry { permutations: true, rotations: true, reflections: true };
}

/// Takes each of n configurations to one of its copies under `symmetry`, drawn at random: every order of the particles is as
/// likely as any other, rotations are uniform (Haar's measure), and a fair coin decides on a reflection.
///
/// For energies that have the symmetry this is a move that is always accepted and keeps exp(-u). Observables of labelled
/// particles, such as the distance between the first and the second, then forget as fast as those of unlabelled ones.
///
/// Configuration i of each of the `arrays`, `[n][N][D]`, goes to the same copy: the first are positions, which are left
/// with zero centre of mass; others may be what turns with them, such as gradients or latent coordinates. Chain i draws from
/// (seed, first + i, step) of `draws`; the chains' own moves have other random numbers. Cost: N + D^2 random numbers and
/// N D^2 multiplications a configuration.
///
/// # Errors
/// [`Status::Shape`] for the shape, and for lengths that differ or are not whole numbers of configurations;
/// [`Status::NonFinite`] for positions. Nothing has changed then.
pub fn symmetrise<R: Real, const K: usize>(
    shape: Shape,
    symmetry: Symmetry,
    draws: Draws,
    mut arrays: [&mut [R]; K],
) -> Result<(), Error> {
    if shape.particles == 0 {
        return Err(Error::new(Status::Shape, Argument::NParticles, 0.0));
    }
    if shape.dimension == 0 || shape.dimension > 3 {
        return Err(Error::new(Status::Shape, Argument::Dimension, shape.dimension as f64));
    }
    let (each, length) = (shape.coordinates(), arrays.first().map_or(0, |x| x.len()));
    let n = length.checked_div(each).unwrap_or(0);
    if arrays.iter().any(|array| array.len() != n * each) {
        return Err(Error::new(Status::Shape, Argument::X, n as f64));
    }
    if let Some(x) = arrays.first() {
        check_finite(Argument::X, x)?;
    }
    for i in 0..n {
        let index = draws.first.wrapping_add(i as u64);
        let mut normals = Normals::new(Stream::new(draws.step_seed(), Purpose::Symmetry, index));
        if symmetry.permutations {
            permute(shape, &mut normals, i * each, &mut arrays)?;
        }
        if symmetry.rotations || symmetry.reflections {
            let turn = orthogonal(shape.dimension, symmetry, &mut normals);
            for array in &mut arrays {
                let row = part_mut(array, i * each, each)?;
                row.chunks_exact_mut(shape.dimension).for_each(|particle| apply(&turn, particle));
            }
        }
        if let Some(x) = arrays.first_mut() {
            remove_com(shape, part_mut(x, i * each, each)?, &mut [R::default(); 3]);
        }
    }
    Ok(())
}

/// A uniform order of the particles of the configuration from coordinate `start` on (Fisher and Yates; Durstenfeld 1964).
fn permute<R: Real, const K: usize>(
    shape: Shape,
    normals: &mut Normals,
    start: usize,
    arrays: &mut [&mut [R]; K],
) -> Result<(), Missing> {
    for last in (1..shape.particles).rev() {
        let other = normals.next_below(last as u64 + 1) as usize;
        if other == last {
            continue;
        }
        for array in arrays.iter_mut() {
            let row = part_mut(array, start, shape.coordinates())?;
            let (front, back) = split(row, last * shape.dimension)?;
            let other = part_mut(front, other * shape.dimension, shape.dimension)?;
            other.iter_mut().zip(back).for_each(|(a, b)| core::mem::swap(a, b));
        }
    }
    Ok(())
}

type Matrix = [[f64; 3]; 3];

/// The identity, or a uniform rotation, after a mirror on the first axis or none. Rows and columns beyond the dimension are
/// those of the identity.
fn orthogonal(dimension: usize, symmetry: Symmetry, normals: &mut Normals) -> Matrix {
    let mut rows = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]];
    if symmetry.rotations {
        for row in rows.iter_mut().take(dimension) {
            row.iter_mut().take(dimension).for_each(|entry| *entry = normals.next_normal());
        }
        orthonormalise(&mut rows);
    }
    let mirrors = symmetry.reflections && normals.next_below(2) == 1;
    let [a, b, c] = rows;
    let is_mirror = symmetry.rotations && dot(a, cross(b, c)) < 0.0;
    if mirrors != is_mirror {
        rows.iter_mut().for_each(|[first, ..]| *first = -*first);
    }
    rows
}

/// Gram's and Schmidt's way, twice for the sake of rounding. Of standard normals it makes a uniform orthogonal matrix (Stewart,
/// SIAM J. Numer. Anal. 17, 403 (1980)).
fn orthonormalise(rows: &mut Matrix) {
    for _ in 0..2 {
        let [a, b, c] = *rows;
        let a = unit(a);
        let b = unit(less(b, a));
        *rows = [a, b, unit(less(less(c, a), b))];
    }
}

fn dot(a: [f64; 3], b: [f64; 3]) -> f64 {
    let [x, y, z] = a;
    let [u, v, w] = b;
    x * u + y * v + z * w
}

fn cross(a: [f64; 3], b: [f64; 3]) -> [f64; 3] {
    let [x, y, z] = a;
    let [u, v, w] = b;
    [y * w - z * v, z * u - x * w, x * v - y * u]
}

/// Without its part along the unit vector `along`.
fn less(vector: [f64; 3], along: [f64; 3]) -> [f64; 3] {
    let length = dot(vector, along);
    let ([x, y, z], [u, v, w]) = (vector, along);
    [x - length * u, y - length * v, z - length * w]
}

fn unit(vector: [f64; 3]) -> [f64; 3] {
    let length = libm::sqrt(dot(vector, vector));
    vector.map(|x| x / length)
}

fn apply<R: Real>(turn: &Matrix, particle: &mut [R]) {
    let mut from = [0.0; 3];
    from.iter_mut().zip(&*particle).for_each(|(from, x)| *from = x.to_f64());
    particle.iter_mut().zip(turn).for_each(|(x, row)| *x = R::from_f64(dot(*row, from)));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matrix(dimension: usize, symmetry: Symmetry, index: u64) -> Matrix {
        orthogonal(dimension, symmetry, &mut Normals::new(Stream::new(21, Purpose::Symmetry, index)))
    }

    fn determinant([a, b, c]: Matrix) -> f64 {
        dot(a, cross(b, c))
    }

    #[test]
    fn matrices_are_orthogonal_and_of_the_kind_that_was_asked_for() {
        for dimension in 1..=3 {
            for kind in 0..4 {
                let symmetry =
                    Symmetry { permutations: false, rotations: kind & 1 > 0, reflections: kind & 2 > 0 };
                let mut mirrors = 0;
                for index in 0..1000 {
                    let rows = matrix(dimension, symmetry, index);
                    for i in 0..3 {
                        for j in 0..3 {
                            let wanted = f64::from(u8::from(i == j));
                            assert!((dot(rows[i], rows[j]) - wanted).abs() < 1e-14, "{rows:?}");
                            assert!(i.max(j) < dimension || rows[i][j] == wanted, "{rows:?}");
                        }
                    }
                    mirrors += usize::from(determinant(rows) < 0.0);
                }
                // Half of 1000, with standard deviation 16.
                let wanted = if symmetry.reflections { 420..580 } else { 0..1 };
                assert!(wanted.contains(&mirrors), "{dimension} {symmetry:?}: {mirrors}");
            }
        }
    }

    /// Moments of Haar's measure on SO(D) and O(D): E q = 0, E q^2 = 1/D, E q^4 = 3 / (D (D + 2)), and products of different
    /// entries vanish; of the trace E t^2 = 2 on SO(2), 1 on SO(3) and O(D), and E t = 0 but for SO(2) and SO(3), where
    /// cos gives 0 and the characters of spin 1 give 0 too.
    #[test]
    fn rotations_have_the_moments_of_haars_measure() {
        let n = 40_000;
        for (dimension, reflections, squared_trace) in
            [(2, false, 2.0), (2, true, 1.0), (3, false, 1.0), (3, true, 1.0)]
        {
            let symmetry = Symmetry { permutations: false, rotations: true, reflections };
            let d = dimension as f64;
            let mut sums = [[0.0; 2]; 6];
            for index in 0..n {
                let rows = matrix(dimension, symmetry, index);
                let q = rows[dimension - 1][0];
                let trace: f64 = (0..dimension).map(|i| rows[i][i]).sum();
                let values = [q, q * q, q.powi(4), rows[0][0] * rows[0][1], trace, trace * trace];
                for (sum, value) in sums.iter_mut().zip(values) {
                    *sum = [sum[0] + value, sum[1] + value * value];
                }
            }
            let wanted = [0.0, 1.0 / d, 3.0 / (d * (d + 2.0)), 0.0, 0.0, squared_trace];
            for (moment, ([sum, square], wanted)) in sums.into_iter().zip(wanted).enumerate() {
                let mean = sum / n as f64;
                let error = ((square / n as f64 - mean * mean) / n as f64).sqrt();
                assert!((mean - wanted).abs() < 3.5 * error, "{dimension} {moment}: {mean} {wanted} {error}");
            }
        }
    }
}
