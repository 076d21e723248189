//! phi itself: at any time, and as a fixed grid's integrator sees it.

use super::calls::check_time;
use super::input::{check_finite, check_length};
use super::operations::Chunk;
use super::plan::Plan;
use crate::error::{Argument, Error, Status};
use crate::lanes::{Block, Lanes, Real, Vectorized};
use crate::radial::{AtTime, Exact, Radial};
use core::ops::Deref;

impl<R: Real, S: Deref<Target = [Block]>> Plan<R, S> {
    /// phi(d, t) and its derivative in d for each distance `d >= 0` at time `t` in [0, 1]; needs no workspace.
    ///
    /// # Errors
    /// As [`Plan::forward`], and [`Status::Argument`] for `t` and negative distances.
    pub fn radial(&self, t: R, d: &[R], phi: &mut [R], dphi: Option<&mut [R]>) -> Result<(), Error> {
        check_time(t)?;
        check_radial(d, phi, dphi.as_deref())?;
        let weights = AtTime { kernel: self.kernel(), t };
        let radial = Exact { kernel: self.kernel(), offset: weights.offset(), weights };
        write_radial::<R::Lanes>(&radial, d, phi, dphi);
        Ok(())
    }

    /// As [`Plan::radial`], at stage time number `stage` of the fixed grid and as its integrator sees it: from the
    /// compiled table where the plan has one.
    ///
    /// Even stages are the grid's nodes, odd ones the middles between them: 2 steps + 1 in all.
    ///
    /// # Errors
    /// As [`Plan::radial`]; [`Status::Argument`] on the time for a stage out of range, of which an adaptive plan has
    /// none.
    pub fn stage_phi(
        &self,
        stage: usize,
        d: &[R],
        phi: &mut [R],
        dphi: Option<&mut [R]>,
    ) -> Result<(), Error> {
        let steps = self.config.grid_steps();
        if steps == 0 || stage > 2 * steps {
            return Err(Error::new(Status::Argument, Argument::Time, stage as f64));
        }
        check_radial(d, phi, dphi.as_deref())?;
        self.isa().run(StagePhi { plan: self, stage, d, phi, dphi });
        Ok(())
    }
}

/// [`Plan::stage_phi`] on the plan's vectors.
struct StagePhi<'a, R, S> {
    plan: &'a Plan<R, S>,
    stage: usize,
    d: &'a [R],
    phi: &'a mut [R],
    dphi: Option<&'a mut [R]>,
}

impl<R: Real, S: Deref<Target = [Block]>> Vectorized<R> for StagePhi<'_, R, S> {
    type Output = ();

    fn run<V: Lanes<Real = R>>(self) {
        write_radial::<V>(&self.plan.stage_radial::<V>(self.stage), self.d, self.phi, self.dphi);
    }
}

/// Writes phi and, where it is wanted, phi' for each distance.
fn write_radial<V: Lanes>(
    radial: &impl Radial<V>,
    d: &[V::Real],
    phi: &mut [V::Real],
    mut dphi: Option<&mut [V::Real]>,
) {
    for first in (0..d.len()).step_by(V::WIDTH) {
        let chunk = Chunk { first, count: V::WIDTH.min(d.len() - first) };
        let [mut distance, mut value, mut slope] = [[V::zero()]; 3];
        chunk.load(d, &mut distance, 1);
        radial.value_slope(&distance, &mut value, &mut slope);
        chunk.store(&value, phi, 1);
        if let Some(dphi) = dphi.as_deref_mut() {
            chunk.store(&slope, dphi, 1);
        }
    }
}

fn check_radial<R: Real>(d: &[R], phi: &[R], dphi: Option<&[R]>) -> Result<(), Error> {
    check_finite(Argument::Distance, d)?;
    if let Some(index) = d.iter().position(|d| d.to_f64() < 0.0) {
        return Err(Error::at(Status::Argument, Argument::Distance, index, d[index].to_f64()));
    }
    check_length(Argument::Phi, phi.len(), d.len())?;
    dphi.map_or(Ok(()), |dphi| check_length(Argument::PhiSlope, dphi.len(), d.len()))
}
