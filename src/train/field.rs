//! The field of a plan's fixed grid with a memory for its parameters' cotangents.

use crate::error::Missing;
use crate::field::{self, Addend, JacobianNorm, PairScratch};
use crate::flow::{Block, Plan, Precision, StageRadial};
use crate::integrate::rk4::{StageField, StageTranspose};
use crate::lanes::{COMPLETE, Lanes};
use crate::radial::{RadialGradient, TRANSPOSE_SCRATCH_PER_GAUSSIAN, padded_rows};

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

/// Where a plan's parameters enter the field, and so where their cotangents add up.
#[derive(Clone, Debug)]
pub enum Sink<V> {
    /// At the sums over Gaussians.
    Collapsed(StageGradient<V>),
    /// At the coefficients of the stages' tables, `[stages][rows][C]`, the lanes already added.
    Tables(Vec<Block>),
}

impl<V: Lanes<Real: Precision>> Sink<V> {
    /// All zero.
    pub fn zeros(plan: &Plan<V::Real, Vec<Block>>, stages: usize) -> Self {
        if let Some(cells) = plan.cells() {
            let reals = stages * padded_rows(&cells) * cells.degree.coefficients();
            return Sink::Tables(vec![Block::default(); Block::count::<V::Real>(reals)]);
        }
        let n_radial = plan.kernel().expect(COMPLETE).mean.len();
        let zeros = |n: usize| vec![V::zero(); n];
        Sink::Collapsed(StageGradient {
            offsets: zeros(stages),
            weights: zeros(stages * n_radial),
            mean: zeros(n_radial),
            log_gamma: zeros(n_radial),
        })
    }
}

/// A plan's field that adds its parameters' cotangents to a [`Sink`] whenever it is transposed.
pub struct TrainField<'p, R: Precision, V> {
    /// The plan on its fixed grid.
    pub plan: &'p Plan<R, Vec<Block>>,
    /// Scratch of the pair loop.
    pub pairs: PairScratch<'p, V>,
    /// Scratch of the Gaussians' transpose.
    pub gaussians: &'p mut [V],
    /// Where the cotangents go.
    pub sink: &'p mut Sink<V>,
    /// The penalty on the Jacobian's norm, if there is one.
    pub jacobian: Option<JacobianPenalty<'p, V>>,
}

/// A running cost: |Dv|^2 of each group times its weight (`[groups]` each).
pub struct JacobianPenalty<'p, V> {
    pub weights: &'p [V],
    /// Where its integral over time is added.
    pub values: &'p mut [V],
    /// [`field::norm_extent`] vectors.
    pub scratch: &'p mut [V],
}

/// Vectors that [`TrainField::gaussians`] needs for M radial functions.
pub const fn gaussian_extent(n_radial: usize) -> usize {
    n_radial * TRANSPOSE_SCRATCH_PER_GAUSSIAN
}

impl<R: Precision, V: Lanes<Real = R>> StageField<V> for TrainField<'_, R, V> {
    fn evaluate(&mut self, stage: usize, x: &[V], v: &mut [V], div: &mut [V]) -> Result<(), Missing> {
        let radial = self.plan.stage_radial::<V>(stage)?;
        field::velocity_divergence(self.plan.shape(), &radial, x, v, div, &mut self.pairs)
    }
}

impl<R: Precision, V: Lanes<Real = R>> StageTranspose<V> for TrainField<'_, R, V> {
    fn transpose(
        &mut self,
        stage: usize,
        x: &[V],
        v_bar: &[V],
        div_bar: &[V],
        x_bar: &mut [V],
    ) -> Result<(), Missing> {
        self.transpose_with(&mut (), stage, [x, v_bar], div_bar, x_bar)
    }

    fn transpose_with_cost(
        &mut self,
        (stage, share): (usize, V),
        x: &[V],
        v_bar: &[V],
        div_bar: &[V],
        x_bar: &mut [V],
    ) -> Result<(), Missing> {
        let Some(JacobianPenalty { weights, values, scratch }) = self.jacobian.take() else {
            return self.transpose(stage, x, v_bar, div_bar, x_bar);
        };
        let radial = self.plan.stage_radial::<V>(stage)?;
        let mut norm = JacobianNorm { radial, weights: (weights, share), values, scratch };
        self.transpose_with(&mut norm, stage, [x, v_bar], div_bar, x_bar)?;
        let JacobianNorm { values, scratch, .. } = norm;
        self.jacobian = Some(JacobianPenalty { weights, values, scratch });
        Ok(())
    }
}

impl<R: Precision, V: Lanes<Real = R>> TrainField<'_, R, V> {
    fn transpose_with(
        &mut self,
        addend: &mut impl Addend<V>,
        stage: usize,
        inputs: [&[V]; 2],
        div_bar: &[V],
        x_bar: &mut [V],
    ) -> Result<(), Missing> {
        let (shape, radial) = (self.plan.shape(), self.plan.stage_radial::<V>(stage)?);
        let (sink, gaussians) = (&mut *self.sink, &mut *self.gaussians);
        let pairs = &mut self.pairs;
        field::transpose_with(shape, inputs, div_bar, x_bar, pairs, addend, |d, bars, outputs| {
            transpose_radial(&radial, stage, d, bars, outputs, sink, gaussians);
        })
    }
}

/// Evaluates phi, phi', phi'' and adds the parameters' share of the cotangents to the sink.
fn transpose_radial<V: Lanes>(
    radial: &StageRadial<'_, V>,
    stage: usize,
    d: &[V],
    bars: [&[V]; 2],
    [phi, slope, curvature]: [&mut [V]; 3],
    sink: &mut Sink<V>,
    gaussians: &mut [V],
) {
    use crate::radial::Radial;
    match (radial, sink) {
        (StageRadial::Exact(exact), Sink::Collapsed(gradient)) => {
            let m = gradient.mean.len();
            let mut sink = RadialGradient {
                offset: &mut gradient.offsets[stage],
                weights: &mut gradient.weights[stage * m..(stage + 1) * m],
                mean: &mut gradient.mean,
                log_gamma: &mut gradient.log_gamma,
            };
            let outputs = [phi, slope, curvature];
            exact.value_slope_curvature_transpose(d, bars, outputs, &mut sink, gaussians);
        }
        (StageRadial::Cubic(table), Sink::Tables(sums)) => {
            table.value_slope_curvature(d, phi, slope, curvature);
            table.scatter(d, bars, stage, Block::reals_mut(sums));
        }
        (StageRadial::Septic(table), Sink::Tables(sums)) => {
            table.value_slope_curvature(d, phi, slope, curvature);
            table.scatter(d, bars, stage, Block::reals_mut(sums));
        }
        // A plan's cells decide both.
        _ => unreachable!("a sink of the other kind"),
    }
}
