//! The closed form of the Jacobian's Frobenius norm, its gradient, and the penalty of training that it makes.

mod common;

use common::Golden;
use common::cases::{Rng, latent, norm};
use eqflow::field::{JacobianNorm, PairScratch, Shape, norm_extent, transpose_with};
use eqflow::flow::{Block, Config, Plan, RadialPath};
use eqflow::radial::Radial;
use eqflow::train::{Batch, Discretisation, Objective, Parameters, Penalties, Tangent, loss_gradient};

/// phi = cos(1.3 d) - 0.4 d^2: even, so that v is smooth where particles meet.
struct Wave;

impl Wave {
    fn derivatives(d: f64) -> [f64; 3] {
        let (sine, cosine) = (1.3 * d).sin_cos();
        [cosine - 0.4 * d * d, -1.3 * sine - 0.8 * d, -1.69 * cosine - 0.8]
    }
}

impl Radial<f64> for Wave {
    fn value_slope(&self, d: &[f64], phi: &mut [f64], slope: &mut [f64]) {
        for (p, &d) in d.iter().enumerate() {
            [phi[p], slope[p], _] = Wave::derivatives(d);
        }
    }

    fn value_slope_curvature(&self, d: &[f64], phi: &mut [f64], slope: &mut [f64], curvature: &mut [f64]) {
        for (p, &d) in d.iter().enumerate() {
            [phi[p], slope[p], curvature[p]] = Wave::derivatives(d);
        }
    }
}

/// v_i = sum over j of phi(|x_i - x_j|) (x_i - x_j), as it is written.
fn velocity(shape: Shape, x: &[f64]) -> Vec<f64> {
    let (n, dim) = (shape.particles, shape.dimension);
    let mut v = vec![0.0; x.len()];
    for i in 0..n {
        for j in (0..n).filter(|&j| j != i) {
            let r: Vec<f64> = (0..dim).map(|k| x[i * dim + k] - x[j * dim + k]).collect();
            let phi = Wave::derivatives(norm(&r))[0];
            (0..dim).for_each(|k| v[i * dim + k] += phi * r[k]);
        }
    }
    v
}

/// The derivative of `f` along coordinate `c`, component by component; error h^4/30 f'''''.
fn column(f: impl Fn(&[f64]) -> Vec<f64>, x: &[f64], c: usize) -> Vec<f64> {
    let h = 2e-3;
    let at = |step: f64| {
        let mut moved = x.to_vec();
        moved[c] += step;
        f(&moved)
    };
    let [a, b, p, q] = [-2.0 * h, -h, h, 2.0 * h].map(at);
    (0..a.len()).map(|i| (8.0 * (p[i] - b[i]) - (q[i] - a[i])) / (12.0 * h)).collect()
}

/// |Dv|^2 of each group, column by column.
fn dense(shape: Shape, x: &[f64]) -> Vec<f64> {
    let of_group =
        |x: &[f64]| (0..x.len()).map(|c| norm(&column(|x| velocity(shape, x), x, c)).powi(2)).sum();
    x.chunks(shape.coordinates()).map(of_group).collect()
}

/// The norms times the weights, and the gradient of their sum.
fn closed_form(shape: Shape, x: &[f64], weights: &[f64], factor: f64) -> (Vec<f64>, Vec<f64>) {
    let groups = weights.len();
    let mut memory = vec![0.0; PairScratch::<f64>::extent(shape, groups)];
    let (mut pairs, _) = PairScratch::carve(shape, groups, &mut memory).unwrap();
    let mut scratch = vec![f64::NAN; norm_extent::<f64>(shape, groups)];
    let (mut values, mut x_bar) = (vec![0.0; groups], vec![f64::NAN; x.len()]);
    let mut norm =
        JacobianNorm { radial: Wave, weights: (weights, factor), values: &mut values, scratch: &mut scratch };
    let (v_bar, div_bar) = (vec![0.0; x.len()], vec![0.0; groups]);
    let evaluate = |d: &[f64], _: [&[f64]; 2], [phi, slope, curvature]: [&mut [f64]; 3]| {
        Wave.value_slope_curvature(d, phi, slope, curvature);
    };
    transpose_with(shape, [x, &v_bar], &div_bar, &mut x_bar, &mut pairs, &mut norm, evaluate).unwrap();
    (values, x_bar)
}

const SHAPES: [(usize, usize); 8] = [(1, 2), (2, 1), (5, 1), (2, 2), (4, 2), (3, 3), (5, 3), (13, 3)];

#[test]
fn the_closed_form_is_the_norm_of_the_dense_jacobian_and_its_gradient() {
    let mut rng = Rng(31);
    for (particles, dimension) in SHAPES {
        let shape = Shape { particles, dimension };
        // More groups than fill a tile, where particles are few.
        let groups = if particles < 5 { 67 } else { 2 };
        let x = latent(shape, groups, &mut rng);
        let weights: Vec<f64> = (0..groups).map(|_| rng.unit()).collect();
        let (values, x_bar) = closed_form(shape, &x, &weights, 0.7);
        for ((value, weight), want) in values.iter().zip(&weights).zip(dense(shape, &x)) {
            assert!((value - 0.7 * weight * want).abs() <= 1e-9 * (1.0 + want), "{shape:?}: {value} {want}");
        }
        let total = |x: &[f64]| vec![closed_form(shape, x, &weights, 0.7).0.iter().sum()];
        for c in (0..x.len()).step_by(1 + x.len() / 40) {
            let want = column(total, &x, c)[0];
            assert!(
                (x_bar[c] - want).abs() <= 1e-7 * (1.0 + norm(&x_bar)),
                "{shape:?} {c}: {} {want}",
                x_bar[c]
            );
        }
    }
}

/// At d = 0 the pair matrix is phi(0) 1: with both of two particles at one place Dv has blocks +-phi(0) 1, whose norm is
/// 4 D phi(0)^2.
#[test]
fn coincident_particles_have_a_finite_norm_and_no_direction() {
    struct Shifted;
    impl Radial<f64> for Shifted {
        fn value_slope(&self, d: &[f64], phi: &mut [f64], slope: &mut [f64]) {
            phi.iter_mut().zip(d).for_each(|(phi, d)| *phi = 0.6 + d);
            slope.fill(1.0);
        }

        fn value_slope_curvature(
            &self,
            d: &[f64],
            phi: &mut [f64],
            slope: &mut [f64],
            curvature: &mut [f64],
        ) {
            self.value_slope(d, phi, slope);
            curvature.fill(0.0);
        }
    }
    for dimension in 1..=3 {
        let shape = Shape { particles: 2, dimension };
        let x = vec![0.0; shape.coordinates()];
        let mut memory = vec![0.0; PairScratch::<f64>::extent(shape, 1)];
        let (mut pairs, _) = PairScratch::carve(shape, 1, &mut memory).unwrap();
        let mut scratch = vec![0.0; norm_extent::<f64>(shape, 1)];
        let (mut values, mut x_bar) = ([0.0], x.clone());
        let mut norm = JacobianNorm {
            radial: Shifted,
            weights: (&[1.0], 1.0),
            values: &mut values,
            scratch: &mut scratch,
        };
        let evaluate = |d: &[f64], _: [&[f64]; 2], [phi, slope, curvature]: [&mut [f64]; 3]| {
            Shifted.value_slope_curvature(d, phi, slope, curvature);
        };
        transpose_with(shape, [&x, &x], &[0.0], &mut x_bar, &mut pairs, &mut norm, evaluate).unwrap();
        assert!((values[0] - 4.0 * dimension as f64 * 0.36).abs() < 1e-14, "{values:?}");
        assert!(x_bar.iter().all(|&bar| bar == 0.0), "{x_bar:?}");
    }
}

/// |Dv|^2 at time t by forward differentiation along every coordinate.
fn brute_force(plan: &Plan<f64, Vec<Block>>, t: f64, x: &[f64]) -> f64 {
    let tangent = Tangent::new(plan, t, x).unwrap();
    let (mut unit, mut out) = (vec![0.0; x.len()], vec![0.0; x.len()]);
    let mut sum = 0.0;
    for c in 0..x.len() {
        unit[c] = 1.0;
        tangent.derivative(&unit, &mut out);
        sum += norm(&out).powi(2);
        unit[c] = 0.0;
    }
    sum
}

fn moved(x: &[f64], reach: f64, k: &[f64]) -> Vec<f64> {
    x.iter().zip(k).map(|(x, k)| x + reach * k).collect()
}

/// The penalty of one sample: Runge and Kutta's rule for the norm along the way from t = 1 to 0.
fn quadrature(plan: &Plan<f64, Vec<Block>>, nodes: &[f64], x: &[f64]) -> f64 {
    let mut work = plan.allocate_workspace(1).unwrap();
    let mut velocity = |t: f64, x: &[f64]| {
        let mut v = vec![0.0; x.len()];
        plan.field(t, x, &mut v, None, &mut work).unwrap();
        v
    };
    let (mut x, mut sum) = (x.to_vec(), 0.0);
    for step in nodes.windows(2).rev() {
        let (h, end, middle) = (step[0] - step[1], step[1], 0.5 * (step[0] + step[1]));
        let k1 = velocity(end, &x);
        let second = moved(&x, 0.5 * h, &k1);
        let k2 = velocity(middle, &second);
        let third = moved(&x, 0.5 * h, &k2);
        let k3 = velocity(middle, &third);
        let fourth = moved(&x, h, &k3);
        let k4 = velocity(step[0], &fourth);
        let norms = [(end, &x, 1.0), (middle, &second, 2.0), (middle, &third, 2.0), (step[0], &fourth, 1.0)];
        sum += norms.iter().map(|(t, x, weight)| weight * brute_force(plan, *t, x)).sum::<f64>() * -h / 6.0;
        let slopes = k1.iter().zip(&k2).zip(&k3).zip(&k4);
        let change: Vec<f64> = slopes.map(|(((a, b), c), d)| a + 2.0 * b + 2.0 * c + d).collect();
        x = moved(&x, h / 6.0, &change);
    }
    sum
}

#[test]
fn the_penalty_is_the_integral_of_the_norm_along_the_trajectory() {
    let nodes = [0.0, 0.1, 0.3, 0.45, 0.7, 1.0];
    for golden in Golden::all() {
        let parameters = Parameters::from_model(&golden.model());
        let plan: Plan<f64, Vec<Block>> = Plan::allocate(&golden.model(), &Config::rk4(4)).unwrap();
        let samples = golden.array("ml.x");
        let indices = [2, 0, 1];
        let c = golden.shape.coordinates();
        let want =
            indices.iter().map(|i| quadrature(&plan, &nodes, &samples[i * c..(i + 1) * c])).sum::<f64>()
                / 3.0;
        let penalties = Penalties { jacobian: 0.25, ..Penalties::default() };
        for (radial, tolerance) in [(RadialPath::Exact, 1e-11), (RadialPath::Compiled, 1e-8)] {
            let discretisation =
                Discretisation { table_tolerance: 1e-12, ..Discretisation::new(&nodes).with_radial(radial) };
            let batch = Batch { samples: &samples, indices: &indices };
            let objective = Objective::MaximumLikelihood;
            let loss =
                loss_gradient::<f64>(&parameters, &discretisation, &objective, penalties, batch).unwrap();
            let difference = (loss.penalty - 0.25 * want).abs();
            assert!(difference <= tolerance * want, "{} {radial:?}: {} {want}", golden.name, loss.penalty);
        }
    }
}
