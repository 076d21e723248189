//! phi itself: at any time, and as a fixed grid's integrator sees it.

use super::calls::check_time;
use super::input::{check_finite, check_length};
use super::operations::Chunk;
use super::plan::Plan;
use super::precision::Precision;
use crate::error::{Argument, Error, Missing, Status};
use crate::lanes::{Block, Lanes, Real, Vectorized};
use crate::radial::{AtTime, Exact, Radial};
use core::ops::Deref;

impl<R: Precision, S: Deref<Target = [Block]>> Plan<R, S> {
    /// phi(d, t) and its derivative in d for each distance `d >= 0` at time `t` in [0, 1]; needs no workspace.
    ///
    /// # Errors
    /// As [`Plan::forward`], and [`Status::Argument`] for `t` and negative distances.
    pub fn radial(&self, t: R, d: &[R], phi: &mut [R], dphi: Option<&mut [R]>) -> Result<(), Error> {
        check_time(t)?;
        check_radial(d, phi, dphi.as_deref())?;
        Ok(R::write_phi(Phi { plan: self.borrow(), at: At::Time(t), d, phi, dphi })?)
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
        Ok(R::write_phi(Phi { plan: self.borrow(), at: At::Stage(stage), d, phi, dphi })?)
    }
}

/// Where on the time axis phi is evaluated.
pub enum At<R> {
    /// At any time, by the Gaussians.
    Time(R),
    /// At a stage of the fixed grid, as its integrator sees it.
    Stage(usize),
}

/// [`Plan::radial`] and [`Plan::stage_phi`] on the plan's vectors.
pub struct Phi<'a, R> {
    pub plan: Plan<R, &'a [Block]>,
    pub at: At<R>,
    pub d: &'a [R],
    pub phi: &'a mut [R],
    pub dphi: Option<&'a mut [R]>,
}

impl<R: Precision> Vectorized<R> for Phi<'_, R> {
    type Output = Result<(), Missing>;

    fn run<V: Lanes<Real = R>>(self) -> Result<(), Missing> {
        let Phi { plan, at, d, phi, dphi } = self;
        match at {
            At::Time(t) => {
                let kernel = plan.kernel()?;
                let weights = AtTime { kernel, t };
                let radial = Exact { kernel, offset: weights.offset(), weights };
                write_radial::<V>(&radial, d, phi, dphi)
            }
            At::Stage(stage) => write_radial::<V>(&plan.stage_radial::<V>(stage)?, d, phi, dphi),
        }
    }
}

/// Writes phi and, where it is wanted, phi' for each distance.
fn write_radial<V: Lanes>(
    radial: &impl Radial<V>,
    d: &[V::Real],
    phi: &mut [V::Real],
    mut dphi: Option<&mut [V::Real]>,
) -> Result<(), Missing> {
    for first in (0..d.len()).step_by(V::WIDTH) {
        let chunk = Chunk { first, count: V::WIDTH.min(d.len() - first) };
        let [mut distance, mut value, mut slope] = [[V::zero()]; 3];
        chunk.load(d, &mut distance, 1)?;
        radial.value_slope(&distance, &mut value, &mut slope);
        chunk.store(&value, phi, 1)?;
        if let Some(dphi) = dphi.as_deref_mut() {
            chunk.store(&slope, dphi, 1)?;
        }
    }
    Ok(())
}

fn check_radial<R: Real>(d: &[R], phi: &[R], dphi: Option<&[R]>) -> Result<(), Error> {
    check_finite(Argument::Distance, d)?;
    if let Some(index) = d.iter().position(|d| d.to_f64() < 0.0) {
        return Err(Error::at(Status::Argument, Argument::Distance, index, d[index].to_f64()));
    }
    check_length(Argument::Phi, phi.len(), d.len())?;
    dphi.map_or(Ok(()), |dphi| check_length(Argument::PhiSlope, dphi.len(), d.len()))
}
