//! The Jacobian of a plan's map as a matrix.

use super::config::LogDet;
use super::input::{check_finite, check_length};
use super::operations::Chunk;
use super::plan::Plan;
use super::precision::Precision;
use super::transport::GridField;
use crate::error::{Argument, Error, Status};
use crate::integrate::rk4::Direction;
use crate::integrate::tangent::{self, TangentScratch};
use crate::lanes::{Block, Lanes, Vectorized, at, check, part_mut};
use core::ops::Deref;

impl<R: Precision, S: Deref<Target = [Block]>> Plan<R, S> {
    /// The Jacobian dx/dz of the discrete forward map at each sample of `z` (`[n][N][D]`), on the subspace of zero
    /// centre of mass: `jacobian[s][a][c]` (`[n][k][k]`, k = (N - 1) D) is the a-th component of the image of the c-th
    /// basis vector.
    ///
    /// The basis is Helmert's: vector number (m - 1) D + d displaces, along axis d, the first m particles by
    /// 1/sqrt(m (m + 1)) and particle m (counted from 0) by -m/sqrt(m (m + 1)). It is orthonormal, so that singular
    /// values and determinants are those of the map itself: a least singular value that is bounded away from zero says
    /// that the map can be inverted near the sample, and by how much it magnifies rounding there.
    ///
    /// For plans with [`LogDet::Jacobian`]. Cost: about k/2 forward passes for many particles; serial.
    ///
    /// # Errors
    /// As [`Plan::forward`]; [`Status::Unsupported`] naming the log-determinant for other plans.
    pub fn jacobian(&self, z: &[R], jacobian: &mut [R], work: &mut [Block]) -> Result<(), Error> {
        if self.config.log_det != LogDet::Jacobian {
            return Err(Error::new(Status::Unsupported, Argument::LogDetKind, 0.0));
        }
        let (coordinates, k) = (self.shape.coordinates(), self.shape.free_dimension());
        if !z.len().is_multiple_of(coordinates) {
            return Err(Error::new(Status::Shape, Argument::Z, coordinates as f64));
        }
        let n = z.len() / coordinates;
        check_finite(Argument::Z, z)?;
        check_length(Argument::Jacobian, jacobian.len(), n * k * k)?;
        if n == 0 {
            return Ok(());
        }
        R::write_jacobians(Jacobians { plan: self.borrow(), z, jacobian, work })
    }
}

/// [`Plan::jacobian`] on the plan's vectors.
pub struct Jacobians<'a, R> {
    pub plan: Plan<R, &'a [Block]>,
    pub z: &'a [R],
    pub jacobian: &'a mut [R],
    pub work: &'a mut [Block],
}

impl<R: Precision> Vectorized<R> for Jacobians<'_, R> {
    type Output = Result<(), Error>;

    fn run<V: Lanes<Real = R>>(self) -> Result<(), Error> {
        let Jacobians { plan, z, jacobian, work } = self;
        let (coordinates, k) = (plan.shape.coordinates(), plan.shape.free_dimension());
        let n = z.len() / coordinates;
        let (mut parts, _) = plan.workspace::<V>(n, work)?;
        let mut parts = parts.first(1)?;
        for first in (0..n).step_by(V::WIDTH) {
            let chunk = Chunk { first, count: V::WIDTH.min(n - first) };
            chunk.load(z, parts.x, coordinates)?;
            let mut field = GridField { plan: &plan, pairs: &mut parts.pairs };
            let (mut scratch, _) = TangentScratch::carve(plan.shape, 1, parts.ladder)?;
            let grid = plan.grid(Direction::Forward)?;
            let columns = tangent::jacobian(&mut field, grid, parts.x, &mut scratch)?;
            check(columns.len() == k * coordinates)?;
            for sample in 0..chunk.count {
                let matrix = part_mut(jacobian, (first + sample) * k * k, k * k)?;
                for (a, row) in matrix.chunks_exact_mut(k.max(1)).enumerate() {
                    for (element, column) in row.iter_mut().zip(columns.chunks_exact(coordinates)) {
                        *element = at(at(column, a)?.as_slice(), sample)?;
                    }
                }
            }
        }
        Ok(())
    }
}
