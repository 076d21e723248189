//! The field of a plan's fixed grid with a memory for its parameters' cotangents.

use crate::field::{self, PairScratch};
use crate::flow::Plan;
use crate::integrate::rk4::{StageField, StageTranspose};
use crate::lanes::{Block, Lanes, Real};
use crate::radial::{RadialGradient, TRANSPOSE_SCRATCH_PER_GAUSSIAN};

/// Cotangents of the collapsed parameters, lane by lane.
#[derive(Clone, Debug)]
pub struct StageGradient<V> {
    /// Of the offset at each stage.
    pub offsets: Vec<V>,
    /// Of the weights, `[stages][M]`.
    pub weights: Vec<V>,
    /// Of mu, `[M]`.
    pub mean: Vec<V>,
    /// Of log gamma, `[M]`.
    pub log_gamma: Vec<V>,
}

impl<V: Lanes> StageGradient<V> {
    /// All zero.
    pub fn zeros(stages: usize, n_radial: usize) -> Self {
        let zeros = |n: usize| vec![V::zero(); n];
        StageGradient {
            offsets: zeros(stages),
            weights: zeros(stages * n_radial),
            mean: zeros(n_radial),
            log_gamma: zeros(n_radial),
        }
    }
}

/// A plan's field that adds its parameters' cotangents to a [`StageGradient`] whenever it is transposed.
pub struct TrainField<'p, R: Real> {
    /// The plan on its fixed grid.
    pub plan: &'p Plan<R, Vec<Block>>,
    /// Scratch of the pair loop.
    pub pairs: PairScratch<'p, R::Lanes>,
    /// Scratch of the radial transpose.
    pub gaussians: &'p mut [R::Lanes],
    /// Where the cotangents go.
    pub gradient: StageGradient<R::Lanes>,
}

impl<R: Real> TrainField<'_, R> {
    /// Vectors that `gaussians` needs for M radial functions.
    pub const fn gaussian_extent(n_radial: usize) -> usize {
        n_radial * TRANSPOSE_SCRATCH_PER_GAUSSIAN
    }
}

impl<R: Real> StageField<R::Lanes> for TrainField<'_, R> {
    fn evaluate(&mut self, stage: usize, x: &[R::Lanes], v: &mut [R::Lanes], div: &mut [R::Lanes]) {
        let radial = self.plan.stage_radial::<R::Lanes>(stage);
        field::velocity_divergence(self.plan.shape(), &radial, x, v, div, &mut self.pairs);
    }
}

impl<R: Real> StageTranspose<R::Lanes> for TrainField<'_, R> {
    fn transpose(
        &mut self,
        stage: usize,
        x: &[R::Lanes],
        v_bar: &[R::Lanes],
        div_bar: &[R::Lanes],
        x_bar: &mut [R::Lanes],
    ) {
        let radial = self.plan.exact_stage_radial::<R::Lanes>(stage);
        let m = self.gradient.mean.len();
        let mut sink = RadialGradient {
            offset: &mut self.gradient.offsets[stage],
            weights: &mut self.gradient.weights[stage * m..(stage + 1) * m],
            mean: &mut self.gradient.mean,
            log_gamma: &mut self.gradient.log_gamma,
        };
        let gaussians = &mut *self.gaussians;
        field::transpose(self.plan.shape(), x, v_bar, div_bar, x_bar, &mut self.pairs, |d, bars, outputs| {
            radial.value_slope_curvature_transpose(d, bars, outputs, &mut sink, gaussians);
        });
    }
}
