//! The same bits for a sample in every batch, at every position, and for every width of the vectors.

mod common;

use common::Golden;
use common::cases::{Flow, Rng, latent, narrow};
use eqflow::field::{
    JacobianNorm, PairScratch, Shape, norm_extent, transpose, transpose_with, velocity_divergence,
};
use eqflow::flow::{Config, Integrator, Inverse, Precision};
use eqflow::lanes::{Lanes, exp2_neg};
use eqflow::potential::{DoubleWell, LennardJones, Potential};
use eqflow::radial::{Basis, Exact, Kernel, PerLane, Radial, Shared};

/// Exact: both types convert to f64 without rounding, and zero's sign counts.
fn bits<R: Precision>(values: &[R]) -> Vec<u64> {
    values.iter().map(|v| v.to_f64().to_bits()).collect()
}

#[track_caller]
fn assert_same<R: Precision>(what: &str, got: &[R], want: &[R]) {
    assert_eq!(got.len(), want.len(), "{what}: length");
    for (i, (g, w)) in bits(got).iter().zip(bits(want)).enumerate() {
        assert_eq!(*g, w, "{what}[{i}]: {} and {}", got[i], want[i]);
    }
}

/// Every result of a call, sample by sample one after the other.
type Call<R> = fn(&Flow<R>, &[R]) -> (Vec<R>, Vec<R>);

fn calls<R: Precision>() -> [(&'static str, Call<R>); 5] {
    [
        ("forward", |flow, x| flow.forward(x)),
        ("inverse", |flow, x| flow.inverse(x)),
        ("log_prob", |flow, x| (flow.log_prob(x), Vec::new())),
        ("score", |flow, x| flow.score(x)),
        ("field", |flow, x| flow.field(R::from_f64(0.4), x)),
    ]
}

/// Splits `x` into batches of `batch`, runs them apart, and joins what they return.
fn in_batches<R: Precision>(flow: &Flow<R>, call: Call<R>, x: &[R], batch: usize) -> (Vec<R>, Vec<R>) {
    let mut joined = (Vec::new(), Vec::new());
    for part in x.chunks(batch * flow.plan.shape().coordinates()) {
        let (a, b) = call(flow, part);
        joined.0.extend(a);
        joined.1.extend(b);
    }
    joined
}

fn check_batches<R: Precision>(golden: &Golden, config: Config, n: usize) {
    let flow = Flow::<R>::new(golden, config);
    let x = narrow::<R>(&latent(golden.shape, n, &mut Rng(21)));
    for (name, call) in calls::<R>() {
        let whole = call(&flow, &x);
        for batch in [1, 3, 64] {
            let parts = in_batches(&flow, call, &x, batch);
            let what = format!("{} {name} {config:?} batch {batch}", golden.name);
            assert_same(&what, &parts.0, &whole.0);
            assert_same(&what, &parts.1, &whole.1);
        }
    }
}

const RK4: Config = Config::rk4(3);
const ADAPTIVE: Config = Config::dopri5(1e-3, 1e-4);
/// Iterates on each step as often as each sample needs.
const EXACT: Config = Config::rk4(8).with_inverse(Inverse::Exact);

#[test]
fn bits_do_not_depend_on_the_batch() {
    for golden in Golden::all() {
        let n = if golden.shape.particles < 13 { 1000 } else { 66 };
        check_batches::<f64>(&golden, RK4, n);
        check_batches::<f32>(&golden, RK4, n);
        check_batches::<f64>(&golden, ADAPTIVE, 66);
        check_batches::<f32>(&golden, ADAPTIVE, 66);
        check_batches::<f64>(&golden, EXACT, 66);
        check_batches::<f32>(&golden, EXACT, 66);
    }
}

/// A thousand adaptive samples, and a thousand of Lennard-Jones on the grid, forward.
#[test]
fn bits_do_not_depend_on_a_large_batch() {
    for (name, config) in [("dw4_normalized", ADAPTIVE), ("lj13_normalized", Config::rk4(1))] {
        let golden = Golden::load(name);
        let flow = Flow::<f32>::new(&golden, config);
        let x = narrow::<f32>(&latent(golden.shape, 1000, &mut Rng(22)));
        let whole = flow.forward(&x);
        for batch in [1, 3, 64] {
            let parts = in_batches(&flow, |flow, x| flow.forward(x), &x, batch);
            assert_same(name, &parts.0, &whole.0);
            assert_same(name, &parts.1, &whole.1);
        }
    }
}

fn check_positions<R: Precision>(golden: &Golden, config: Config) {
    let flow = Flow::<R>::new(golden, config);
    let coordinates = golden.shape.coordinates();
    let mut rng = Rng(23);
    let sample = narrow::<R>(&latent(golden.shape, 1, &mut rng));
    for (name, call) in calls::<R>() {
        let alone = call(&flow, &sample);
        for n in 1..=2 * R::Lanes::WIDTH + 1 {
            for position in 0..n {
                // Neighbours of very different size, so that their steps differ.
                let others = latent(golden.shape, n, &mut rng);
                let mut x = narrow::<R>(&others.iter().map(|c| 3.0 * c).collect::<Vec<_>>());
                x[position * coordinates..(position + 1) * coordinates].copy_from_slice(&sample);
                let (a, b) = call(&flow, &x);
                let what = format!("{} {name} {position} of {n}", golden.name);
                for (got, want) in [(a, &alone.0), (b, &alone.1)] {
                    let one = want.len();
                    assert_same(&what, &got[position * one..(position + 1) * one], want);
                }
            }
        }
    }
}

#[test]
fn bits_do_not_depend_on_the_position_in_a_batch() {
    for name in ["pair_1d", "dw4_gaussian", "dw4_normalized"] {
        let golden = Golden::load(name);
        for config in [RK4, ADAPTIVE, EXACT] {
            check_positions::<f64>(&golden, config);
            check_positions::<f32>(&golden, config);
        }
    }
}

fn check_samples<R: Precision>(golden: &Golden, config: Config) {
    let flow = Flow::<R>::new(golden, config);
    let coordinates = golden.shape.coordinates();
    let draw = |first: u64, n: usize| {
        let (mut x, mut log_prob) = (vec![R::default(); n * coordinates], vec![R::default(); n]);
        flow.plan.sample(77, first, &mut x, Some(&mut log_prob), &mut flow.work(n)).unwrap();
        (x, log_prob)
    };
    let whole = draw(0, 70);
    for (first, n) in [(0, 1), (1, 1), (1, 3), (5, 64), (13, 7), (69, 1), (0, 64), (6, 64)] {
        let part = draw(first as u64, n);
        let what = format!("{} {config:?} first {first} n {n}", golden.name);
        assert_same(&what, &part.0, &whole.0[first * coordinates..(first + n) * coordinates]);
        assert_same(&what, &part.1, &whole.1[first..first + n]);
    }
    let far = draw(u64::MAX - 1, 2);
    assert_same("the last index", &far.0[coordinates..], &draw(u64::MAX, 1).0);
    let mut other_seed = vec![R::default(); coordinates];
    flow.plan.sample(78, 0, &mut other_seed, None, &mut flow.work(1)).unwrap();
    assert_ne!(bits(&other_seed), bits(&whole.0[..coordinates]));
    assert_ne!(bits(&whole.0[..coordinates]), bits(&whole.0[coordinates..2 * coordinates]));
}

#[test]
fn samples_depend_on_seed_and_index_alone() {
    for golden in Golden::all() {
        for config in [RK4, ADAPTIVE] {
            check_samples::<f64>(&golden, config);
            check_samples::<f32>(&golden, config);
        }
    }
}

/// Runs `wide` once on a vector and `narrow` on each of its lanes, and compares all that they return.
fn compare_widths<R: Precision>(
    what: &str,
    inputs: usize,
    rng: &mut Rng,
    mut value: impl FnMut(&mut Rng) -> f64,
    wide: impl Fn(&[R::Lanes]) -> Vec<R::Lanes>,
    one: impl Fn(usize, &[R]) -> Vec<R>,
) {
    let x: Vec<R::Lanes> = (0..inputs).map(|_| R::Lanes::from_fn(|_| R::from_f64(value(rng)))).collect();
    let together = wide(&x);
    for lane in 0..R::Lanes::WIDTH {
        let scalars: Vec<R> = x.iter().map(|x| x.lane(lane)).collect();
        let got: Vec<R> = together.iter().map(|v| v.lane(lane)).collect();
        assert_same(what, &got, &one(lane, &scalars));
    }
}

fn exponentials<R: Precision>() {
    let mut rng = Rng(31);
    for scale in [1e-8, 1.0, 50.0, 1200.0, 1e30] {
        let value = |rng: &mut Rng| scale * rng.unit();
        let each = |x: &[R]| x.iter().map(|&w| exp2_neg(w)).collect();
        let wide = |x: &[R::Lanes]| x.iter().map(|&w| exp2_neg(w)).collect();
        compare_widths::<R>("exp2_neg", 2000, &mut rng, value, wide, |_, x| each(x));
    }
}

/// A kernel with random parameters.
struct Parameters<R> {
    basis: Basis,
    arrays: [Vec<R>; 6],
}

impl<R: Precision> Parameters<R> {
    fn random(basis: Basis, m: usize, l: usize, rng: &mut Rng) -> Self {
        let mut positive = |n: usize, size: f64| -> Vec<f64> { (0..n).map(|_| size * rng.unit()).collect() };
        let [mean, scale] = [positive(m, 5.0), positive(m, 8.0)];
        let [time_mean, time_scale] = [positive(l, 1.0), positive(l, 8.0)];
        let [level, weights] = [rng.normals(l), rng.normals(l * m)];
        Parameters { basis, arrays: [mean, scale, time_mean, time_scale, level, weights].map(|a| narrow(&a)) }
    }

    fn kernel(&self) -> Kernel<'_, R> {
        let [mean, scale, time_mean, time_scale, level, weights] = &self.arrays;
        Kernel {
            basis: self.basis,
            eps: R::from_f64(1e-6),
            reach: eqflow::radial::reach(mean, scale),
            mean,
            scale,
            time_mean,
            time_scale,
            level,
            weights,
        }
    }

    fn collapse<V: Lanes<Real = R>>(&self, t: V) -> Vec<V> {
        let mut weights = vec![V::zero(); self.arrays[0].len()];
        let offset = self.kernel().collapse(t, &mut weights);
        weights.push(offset);
        weights
    }

    /// phi, phi', phi'' with the first input as the time and the others as distances; one odd distance out.
    fn radial<V: Lanes<Real = R>>(&self, x: &[V]) -> Vec<V> {
        let collapsed = self.collapse(x[0]);
        let (weights, offset) = collapsed.split_at(self.arrays[0].len());
        let radial = Exact { kernel: self.kernel(), offset: offset[0], weights: PerLane(weights) };
        let d = &x[1..];
        let [mut phi, mut slope, mut curvature] = [0, 1, 2].map(|_| vec![V::zero(); d.len()]);
        radial.value_slope_curvature(d, &mut phi, &mut slope, &mut curvature);
        let [mut phi_1, mut slope_1] = [0, 1].map(|_| vec![V::zero(); d.len()]);
        radial.value_slope(d, &mut phi_1, &mut slope_1);
        [phi, slope, curvature, phi_1, slope_1].concat()
    }

    /// Velocity, divergence and their transpose at positions `x`, then with the norm of the Jacobian.
    fn pairs<V: Lanes<Real = R>>(&self, shape: Shape, x: &[V]) -> Vec<V> {
        let m = self.arrays[0].len();
        let radial = Exact {
            kernel: self.kernel(),
            offset: V::splat(self.arrays[4][0]),
            weights: Shared(&self.arrays[5][..m]),
        };
        let mut memory = vec![V::zero(); PairScratch::<V>::extent(shape, 1)];
        let (mut scratch, _) = PairScratch::carve(shape, 1, &mut memory).unwrap();
        let (mut v, mut x_bar) = (vec![V::zero(); x.len()], vec![V::zero(); x.len()]);
        let mut div = vec![V::zero()];
        velocity_divergence(shape, &radial, x, &mut v, &mut div, &mut scratch).unwrap();
        transpose(shape, x, &v, &div, &mut x_bar, &mut scratch, |d, _, [phi, slope, curvature]| {
            radial.value_slope_curvature(d, phi, slope, curvature);
        })
        .unwrap();
        let (mut norms, mut norm_x_bar) = (vec![V::zero()], x_bar.clone());
        let norm_scratch = &mut vec![V::zero(); norm_extent::<V>(shape, 1)];
        let mut norm = JacobianNorm {
            radial,
            weights: (&[V::constant(0.3)], V::constant(1.0)),
            values: &mut norms,
            scratch: norm_scratch,
        };
        let inputs = [x, &v[..]];
        transpose_with(shape, inputs, &div, &mut norm_x_bar, &mut scratch, &mut norm, |d, _, outputs| {
            let [phi, slope, curvature] = outputs;
            radial.value_slope_curvature(d, phi, slope, curvature);
        })
        .unwrap();
        [v, x_bar, div, norms, norm_x_bar].concat()
    }
}

fn kernels<R: Precision>() {
    let mut rng = Rng(32);
    for basis in [Basis::Gaussian, Basis::Normalized] {
        let parameters = Parameters::<R>::random(basis, 20, 4, &mut rng);
        compare_widths::<R>(
            "collapse",
            1,
            &mut rng,
            Rng::unit,
            |t| parameters.collapse(t[0]),
            |_, t| parameters.collapse(t[0]),
        );
        for inputs in [2, 3, 40] {
            compare_widths::<R>(
                "radial",
                inputs,
                &mut rng,
                |rng| 6.0 * rng.unit(),
                |x| parameters.radial(x),
                |_, x| parameters.radial(x),
            );
        }
        for (particles, dimension) in [(2, 1), (4, 2), (5, 3)] {
            let shape = Shape { particles, dimension };
            compare_widths::<R>(
                "pairs",
                shape.coordinates(),
                &mut rng,
                Rng::normal,
                |x| parameters.pairs(shape, x),
                |_, x| parameters.pairs(shape, x),
            );
        }
    }
}

fn energy<V: Lanes>(shape: Shape, potential: &impl Potential<V>, x: &[V]) -> Vec<V> {
    let mut gradient = vec![V::zero(); x.len()];
    let u = potential.energy(shape, x, Some(&mut gradient));
    gradient.push(u);
    gradient
}

fn potentials<R: Precision>() {
    let mut rng = Rng(33);
    for (particles, dimension) in [(1, 2), (2, 1), (4, 2), (13, 3)] {
        let shape = Shape { particles, dimension };
        let well = DoubleWell::<R>::dw4();
        let cluster = LennardJones::<R>::lj13();
        let n = shape.coordinates();
        let value = Rng::normal;
        compare_widths::<R>(
            "double well",
            n,
            &mut rng,
            value,
            |x| energy::<R::Lanes>(shape, &well, x),
            |_, x| energy::<R>(shape, &well, x),
        );
        compare_widths::<R>(
            "Lennard-Jones",
            n,
            &mut rng,
            value,
            |x| energy::<R::Lanes>(shape, &cluster, x),
            |_, x| energy::<R>(shape, &cluster, x),
        );
    }
}

#[test]
fn one_lane_has_the_bits_of_many() {
    exponentials::<f64>();
    exponentials::<f32>();
    kernels::<f64>();
    kernels::<f32>();
    potentials::<f64>();
    potentials::<f32>();
}

#[test]
fn the_adaptive_configuration_steps_differently_for_neighbours() {
    // Without this the adaptive comparisons above would say nothing about lanes with steps of their own.
    let golden = Golden::load("dw4_normalized");
    let Integrator::Dopri5 { rtol, atol, .. } = ADAPTIVE.integrator else { panic!() };
    let z = latent(golden.shape, 2, &mut Rng(24));
    let wild: Vec<f64> = z.iter().map(|c| 3.0 * c).collect();
    let needs = |z: &[f64]| {
        (1..100).find(|&max_steps| {
            let config =
                Config { integrator: Integrator::Dopri5 { rtol, atol, max_steps }, ..Config::default() };
            let flow = Flow::<f64>::new(&golden, config);
            flow.plan.forward(z, &mut vec![0.0; z.len()], None, &mut flow.work(1)).is_ok()
        })
    };
    let (tame, wild) = (needs(&z[..8]).unwrap(), needs(&wild[8..]).unwrap());
    assert_ne!(tame, wild);
}
