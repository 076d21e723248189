//! Free energies: against pymbar (`tests/references/states.py`), quadrature and exact values.
#![cfg(feature = "std")]

#[path = "common/exact_series.rs"]
mod exact_series;

use eqflow::field::Shape;
use eqflow::flow::{Block, Config, Inverse, LogDet, Plan};
use eqflow::io::ModelFile;
use eqflow::potential::DoubleWell;
use eqflow::radial::Basis;
use eqflow::random::{Normals, Purpose, Stream};
use eqflow::sampling::{
    ChainConfig, ChainSamples, Error, Estimate, FlowSamples, Histogram, ImportanceWeights, Initial, Mbar,
    Profile, autocorrelation_time, bar, bootstrap_profile, bridge_log_z, draw_samples, energies,
    pair_distances, sample_chains,
};
use eqflow::train::{FlowMatching, Pairing, Parameters, fit, pairs};
use exact_series::Uniforms;

const DW2: Shape = Shape { particles: 2, dimension: 2 };
const DW4: Shape = Shape { particles: 4, dimension: 2 };
const DW2_LOG_Z: f64 = 7.260392993086798;
const DW4_LOG_Z: f64 = 29.66723223290428;
const DW4_MEAN_ENERGY: f64 = -22.541509603480378;

#[track_caller]
fn assert_agrees(what: &str, estimate: Estimate, exact: f64) {
    let deviation = (estimate.value - exact).abs();
    assert!(deviation < 3.0 * estimate.standard_error, "{what}: {estimate:.5} against {exact:.5}");
}

#[track_caller]
fn assert_close(got: f64, want: f64, tolerance: f64) {
    assert!((got - want).abs() <= tolerance * (1.0 + want.abs()), "{got} against {want}");
}

const CENTERS: [f64; 4] = [0.0, 0.8, 1.9, 1.2];
const STIFFNESS: [f64; 4] = [1.0, 1.5, 0.7, 2.0];
const COUNTS: [usize; 4] = [60, 40, 50, 0];

/// The samples of `tests/references/states.py` and their energies in all states.
fn harmonic_states() -> (Vec<f64>, Vec<f64>) {
    let mut uniforms = Uniforms(11);
    let mut x = Vec::new();
    for state in 0..4 {
        for _ in 0..COUNTS[state] {
            let normal = uniforms.by_ref().take(12).fold(-6.0, |sum, u| sum + u);
            x.push(CENTERS[state] + normal / STIFFNESS[state].sqrt());
        }
    }
    let energy = |state: usize, x: f64| 0.5 * STIFFNESS[state] * (x - CENTERS[state]) * (x - CENTERS[state]);
    let energies = (0..4).flat_map(|state| x.iter().map(move |&x| energy(state, x))).collect();
    (x, energies)
}

#[test]
fn mbar_gives_what_pymbar_gives() {
    let (x, energies) = harmonic_states();
    let mbar = Mbar::new(&energies, &COUNTS).unwrap();
    let f = [0.0, 0.334906210765646, -0.030396045860237, 0.533934352616639];
    let f_errors = [0.0, 0.084525195503435, 0.160569410494107, 0.127606384342524];
    let means = [-0.11407618074491, 0.714761828666689, 1.803108495723621, 1.201034489624541];
    let mean_errors = [0.09661517356368, 0.077605635966477, 0.132269218855366, 0.070643576836495];
    for state in 0..4 {
        let difference = mbar.difference(0, state).unwrap();
        assert_close(difference.value, f[state], 1e-10);
        assert_close(difference.standard_error, f_errors[state], 1e-8);
        let mean = mbar.expectation(state, &x).unwrap();
        assert_close(mean.value, means[state], 1e-10);
        assert_close(mean.standard_error, mean_errors[state], 1e-8);
        assert_close(mbar.weights(state).unwrap().iter().sum(), 1.0, 1e-12);
    }
    let difference = mbar.difference(1, 3).unwrap();
    assert_close(difference.value, 0.19902814185099338, 1e-10);
    assert_close(difference.standard_error, 0.05160642941599662, 1e-8);
    let overlap = [0.586987498745321, 0.255154087531841, 0.157858413722838, 0.0];
    for (got, want) in mbar.overlap()[0].iter().zip(overlap) {
        assert_close(*got, want, 1e-9);
    }
}

#[test]
fn bar_gives_what_pymbar_gives_and_is_mbar_of_two_states() {
    let (_, energies) = harmonic_states();
    let difference = |to: usize, from: usize, n| energies[to * 150 + n] - energies[from * 150 + n];
    let forward: Vec<f64> = (0..60).map(|n| difference(1, 0, n)).collect();
    let reverse: Vec<f64> = (60..100).map(|n| difference(0, 1, n)).collect();
    let found = bar(&forward, &reverse).unwrap();
    assert_close(found.value, 0.26610296027386404, 1e-12);
    assert_close(found.standard_error, 0.09055162184857192, 1e-12);
    let back = bar(&reverse, &forward).unwrap();
    assert_close(back.value, -found.value, 1e-12);
    assert_close(back.standard_error, found.standard_error, 1e-12);

    let two: Vec<f64> = [&energies[..100], &energies[150..250]].concat();
    let mbar = Mbar::new(&two, &[60, 40]).unwrap().difference(0, 1).unwrap();
    assert_close(mbar.value, found.value, 1e-10);
    // The same asymptotically; one takes its variances from each side, the other from both together.
    assert!((mbar.standard_error / found.standard_error - 1.0).abs() < 0.01);
}

#[test]
fn the_errors_of_bar_and_mbar_are_the_scatter_between_seeds() {
    // exp(-k (x - c)^2 / 2) has Z = sqrt(2 pi / k).
    let exact = 0.5 * (STIFFNESS[1] / STIFFNESS[0]).ln();
    let mut pulls = [0.0; 2];
    let seeds = 200;
    for seed in 0..seeds {
        let draw = |state: usize| {
            let mut normals = Normals::new(Stream::new(seed, Purpose::Chain, state as u64));
            (0..100).map(move |_| CENTERS[state] + normals.next_normal() / STIFFNESS[state].sqrt())
        };
        let x: Vec<f64> = draw(0).chain(draw(1)).collect();
        let energy = |state: usize| {
            x.iter().map(move |x| 0.5 * STIFFNESS[state] * (x - CENTERS[state]) * (x - CENTERS[state]))
        };
        let energies: Vec<f64> = energy(0).chain(energy(1)).chain(energy(2)).collect();
        let mbar = Mbar::new(&energies, &[100, 100, 0]).unwrap();
        let difference = mbar.difference(0, 1).unwrap();
        pulls[0] += ((difference.value - exact) / difference.standard_error).powi(2);
        let mean = mbar.expectation(0, &x).unwrap();
        pulls[1] += (mean.value / mean.standard_error).powi(2);
    }
    // Chi-square of 200 degrees of freedom: 1 +- 0.1.
    for pull in pulls {
        assert!((pull / seeds as f64 - 1.0).abs() < 0.3, "{}", pull / seeds as f64);
    }
}

#[test]
fn states_that_share_nothing_have_no_error_bar_and_bad_input_is_named() {
    let apart = Mbar::new(&[0.0, 0.1, 900.0, 900.0, 900.0, 900.0, 0.0, 0.2], &[2, 2]);
    if let Ok(apart) = apart {
        assert_eq!(apart.difference(0, 1).unwrap().standard_error, f64::INFINITY);
    }
    let inf = f64::INFINITY;
    assert!(matches!(Mbar::new(&[], &[]), Err(Error::Length { name: "counts", .. })));
    assert!(matches!(Mbar::new(&[0.0], &[1, 1]), Err(Error::Length { name: "energies", .. })));
    assert!(matches!(Mbar::new(&[f64::NAN], &[1]), Err(Error::Value { index: Some(0), .. })));
    assert!(matches!(Mbar::new(&[inf, 0.0], &[1, 0]), Err(Error::Value { index: Some(0), .. })));
    let forbidden = Mbar::new(&[0.0, inf], &[1, 0]).unwrap();
    assert!(matches!(forbidden.difference(0, 1), Err(Error::NoWeight { .. })));
    assert!(matches!(forbidden.difference(0, 2), Err(Error::Value { name: "to", .. })));
    assert!(matches!(forbidden.expectation(0, &[]), Err(Error::Length { .. })));
    assert!(matches!(forbidden.expectation(0, &[inf]), Err(Error::Value { index: Some(0), .. })));
    assert!(matches!(bar(&[], &[0.0]), Err(Error::Length { name: "forward", .. })));
    assert!(matches!(bar(&[0.0], &[f64::NEG_INFINITY]), Err(Error::Value { name: "reverse", .. })));
    assert!(matches!(bar(&[inf], &[0.0]), Err(Error::NoWeight { samples: 1 })));
    assert!(matches!(bridge_log_z((&[0.0], &[]), (&[0.0], &[0.0])), Err(Error::Length { .. })));
    // Far from zero, and with a sample that the other state never visits.
    assert_close(bar(&[5000.0, inf], &[-5000.0, -5000.0]).unwrap().value, 5000.0 + 2.0_f64.ln(), 1e-10);
    for temperature in [0.0, -1.0, f64::NAN] {
        assert!(ImportanceWeights::between_temperatures(1.0, temperature, &[0.0]).is_err());
        assert!(ImportanceWeights::from_densities_at(temperature, &[0.0], &[0.0]).is_err());
    }
}

/// Equilibrium samples of the double well at a temperature, some of them a chain.
fn equilibrium(shape: Shape, tau: f64, chains: usize, per_chain: usize, seed: u64) -> ChainSamples<f64> {
    let thin = if shape == DW2 { 300 } else { 3_000 };
    thinned(shape, tau, thin, chains, per_chain, seed)
}

fn thinned(
    shape: Shape,
    tau: f64,
    thin: usize,
    chains: usize,
    per_chain: usize,
    seed: u64,
) -> ChainSamples<f64> {
    let config =
        ChainConfig { chains, burn_in: 4 * thin, thin, samples_per_chain: per_chain, step_size: 0.6, seed };
    let well = DoubleWell { tau, ..DoubleWell::dw4() };
    sample_chains(&well, shape, &config, Initial::Prior { scale: 2.0 }, &|_| ()).unwrap()
}

/// The exact density of the discrete map: no discretisation error in any weight.
const EXACT: Config = Config::rk4(20).with_log_det(LogDet::Jacobian).with_inverse(Inverse::Exact);
/// Twice the steps and half the cost. The trained flow's log-densities by 20 steps are off by 0.006 on average, so by
/// 40 by some 4e-4.
const FINE: Config = Config::rk4(40);

fn plan(parameters: &Parameters, config: &Config) -> Plan<f64, Vec<Block>> {
    parameters.with_model(|model| Plan::allocate(model, config)).unwrap()
}

fn flow_samples(
    parameters: &Parameters,
    config: &Config,
    n: usize,
    seed: u64,
) -> (FlowSamples<f64>, Vec<f64>) {
    let plan = plan(parameters, config);
    let drawn = draw_samples(&plan, seed, n, &|_| ()).unwrap();
    let u = energies(&DoubleWell::dw4(), parameters.shape(), &drawn.samples).unwrap();
    (drawn, u)
}

fn log_probs(parameters: &Parameters, config: &Config, samples: &[f64]) -> Vec<f64> {
    let plan = plan(parameters, config);
    let mut log_probs = vec![0.0; samples.len() / parameters.shape().coordinates()];
    plan.parallel().log_prob(samples, &mut log_probs, None).unwrap();
    log_probs
}

/// d exp(-u(d) / T) for two particles.
fn dw2_density(temperature: f64, d: f64) -> f64 {
    let q2 = (d - 4.0) * (d - 4.0);
    d * ((4.0 * q2 - 0.9 * q2 * q2) / temperature).exp()
}

/// Simpson's rule.
fn integral(function: impl Fn(f64) -> f64, a: f64, b: f64) -> f64 {
    let (panels, h) = (2_000, (b - a) / 2_000.0);
    let weight = |i: usize| if i == 0 || i == panels { 1.0 } else { 2.0 + 2.0 * (i % 2) as f64 };
    (0..=panels).map(|i| weight(i) * function(a + h * i as f64)).sum::<f64>() * h / 3.0
}

/// log of the integral over the zero-CoM subspace, where d = sqrt(2) |y|.
fn dw2_log_z(temperature: f64) -> f64 {
    (std::f64::consts::PI * integral(|d| dw2_density(temperature, d), 0.0, 12.0)).ln()
}

/// A flow of DW-2 by flow matching, in a second.
fn dw2_flow() -> Parameters {
    let data = equilibrium(DW2, 1.0, 100, 40, 99).samples;
    let functions = Parameters::identity(Basis::Normalized, DW2, (50, 8.0, 0.5), (10, 0.3));
    let pairs = pairs(DW2, &data, &Pairing { rounds: 2, ..Pairing::new(1) }).unwrap();
    fit(&functions, &pairs, FlowMatching::NODES, FlowMatching::REGULARISATION).unwrap().parameters
}

#[test]
fn log_z_and_averages_of_dw2_are_exact_at_every_temperature() {
    assert_close(dw2_log_z(1.0), DW2_LOG_Z, 1e-12);
    let flow = dw2_flow();
    let temperatures = [1.0, 1.5, 2.2];
    let replicas: Vec<_> = (0..3).map(|k| equilibrium(DW2, temperatures[k], 100, 60, 7 + k as u64)).collect();
    let n = 20_000;
    let (drawn, u) = flow_samples(&flow, &EXACT, n, 5);

    // The flow alone, at its own and at another temperature.
    let weights = ImportanceWeights::from_densities(&u, &drawn.log_probs).unwrap();
    assert_agrees("importance, T = 1", weights.log_z_by_delta(), dw2_log_z(1.0));
    assert!(weights.pareto_tail().unwrap().is_reliable());
    let hot = ImportanceWeights::from_densities_at(1.5, &u, &drawn.log_probs).unwrap();
    assert_agrees("importance, T = 1.5", hot.log_z_by_delta(), dw2_log_z(1.5));
    // Chains alone: the energies are those in units of their own temperature.
    let energies_at = |replica: &ChainSamples<f64>, tau: f64| -> Vec<f64> {
        replica.energies.iter().map(|u| u * tau).collect()
    };
    let cooled = ImportanceWeights::between_temperatures(1.5, 1.0, &energies_at(&replicas[1], 1.5)).unwrap();
    assert_agrees("cooled", cooled.log_z_by_delta(), dw2_log_z(1.0) - dw2_log_z(1.5));

    // All together, and at 1.2, where nothing was sampled. State 0 is the flow.
    let samples: Vec<f64> = [&drawn.samples[..]]
        .into_iter()
        .chain(replicas.iter().map(|r| &r.samples[..]))
        .flatten()
        .copied()
        .collect();
    let energy: Vec<f64> =
        u.iter().copied().chain((0..3).flat_map(|k| energies_at(&replicas[k], temperatures[k]))).collect();
    let log_prob: Vec<f64> = [&drawn.log_probs[..], &log_probs(&flow, &EXACT, &samples[4 * n..])].concat();
    let mut states: Vec<f64> = log_prob.iter().map(|log_prob| -log_prob).collect();
    for temperature in [1.0, 1.5, 2.2, 1.2] {
        states.extend(energy.iter().map(|u| u / temperature));
    }
    let mbar = Mbar::new(&states, &[n, 6_000, 6_000, 6_000, 0]).unwrap();
    for (state, temperature) in [(1, 1.0), (2, 1.5), (3, 2.2), (4, 1.2)] {
        let free_energy = mbar.difference(0, state).unwrap();
        let log_z = Estimate { value: -free_energy.value, ..free_energy };
        assert_agrees("MBAR", log_z, dw2_log_z(temperature));
        assert!(log_z.standard_error < 0.01);
        let z = integral(|d| dw2_density(temperature, d), 0.0, 12.0);
        let u = |d: f64| -4.0 * (d - 4.0) * (d - 4.0) + 0.9 * (d - 4.0_f64).powi(4);
        let mean = integral(|d| u(d) * dw2_density(temperature, d), 0.0, 12.0) / z;
        assert_agrees("mean energy", mbar.expectation(state, &energy).unwrap(), mean);
    }
}

#[test]
fn log_z_of_dw4_is_the_exact_one_by_weights_bar_and_mbar() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/models/dw4-trained.eqf");
    let flow = Parameters::from_model(&ModelFile::open(path).unwrap().model());
    let seed = 1;
    let n = 20_000;
    let (drawn, u) = flow_samples(&flow, &EXACT, n, seed);
    let data = equilibrium(DW4, 1.0, 200, 20, seed);
    let time = autocorrelation_time(&data.energies, 200).unwrap();
    assert!(time.value < 1.1, "thinned enough to count as independent: {time}");
    let reverse = log_probs(&flow, &EXACT, &data.samples);
    let weights = ImportanceWeights::from_densities(&u, &drawn.log_probs).unwrap();
    assert_agrees("importance", weights.log_z_by_delta(), DW4_LOG_Z);
    let bridge = bridge_log_z((&u, &drawn.log_probs), (&data.energies, &reverse)).unwrap();
    assert_agrees("BAR", bridge, DW4_LOG_Z);
    assert!(bridge.standard_error < weights.log_z_by_delta().standard_error);
    let flow_state = drawn.log_probs.iter().chain(&reverse).map(|log_prob| -log_prob);
    let energy: Vec<f64> = u.iter().chain(&data.energies).copied().collect();
    let states: Vec<f64> = flow_state.chain(energy.iter().copied()).collect();
    let mbar = Mbar::new(&states, &[n, data.energies.len()]).unwrap();
    let difference = mbar.difference(1, 0).unwrap();
    assert_close(difference.value, bridge.value, 1e-9);
    assert!((difference.standard_error / bridge.standard_error - 1.0).abs() < 0.01);
    assert_agrees("mean energy", mbar.expectation(1, &energy).unwrap(), DW4_MEAN_ENERGY);
}

/// Free energy of one bin along the distance of two particles.
fn exact_profile(edges: &[f64]) -> Vec<f64> {
    let whole = integral(|d| dw2_density(1.0, d), 0.0, 12.0);
    let bin = |e: &[f64]| -(integral(|d| dw2_density(1.0, d), e[0], e[1]) / whole / (e[1] - e[0])).ln();
    edges.windows(2).map(bin).collect()
}

#[test]
fn the_free_energy_along_the_distance_of_dw2_is_the_exact_one() {
    let n = 20_000;
    let (drawn, u) = flow_samples(&dw2_flow(), &EXACT, n, 3);
    let weights = ImportanceWeights::from_densities(&u, &drawn.log_probs).unwrap().normalized();
    let d = pair_distances(DW2, &drawn.samples).unwrap();
    let edges = Histogram::linear_edges(1.9, 6.1, 21).unwrap();
    let exact = exact_profile(&edges);
    let mut profile = Profile::new(&edges).unwrap();
    for (d, w) in d.iter().zip(&weights) {
        profile.add(&[*d], *w).unwrap();
    }
    let by_delta = profile.free_energies();
    let by_bootstrap = bootstrap_profile(&d, Some(&weights), &edges, n, (200, 1)).unwrap();
    let mut chi2 = [0.0; 2];
    for bin in 0..21 {
        let (delta, bootstrap) = (by_delta[bin], by_bootstrap[bin]);
        assert_close(delta.value, bootstrap.value, 1e-12);
        // 200 replicates know an error to 5 %.
        let ratio = delta.standard_error / bootstrap.standard_error;
        assert!((ratio - 1.0).abs() < 0.25, "bin {bin}: {ratio}");
        chi2[0] += ((delta.value - exact[bin]) / delta.standard_error).powi(2);
        chi2[1] += ((profile.unweighted()[bin] - exact[bin]) / delta.standard_error).powi(2);
    }
    // 21 +- 6.5; without weights the flow is not the target.
    assert!(chi2[0] < 41.0, "{chi2:?}");
    assert!(chi2[1] > 100.0, "{chi2:?}");
    assert_eq!(profile.samples(), n);
    assert!((profile.effective_sample_size() / n as f64 - 0.8).abs() < 0.2);

    // Chains, block by block.
    let chains = equilibrium(DW2, 1.0, 100, 40, 17);
    let d = pair_distances(DW2, &chains.samples).unwrap();
    let blocks = bootstrap_profile(&d, None, &edges, 100, (200, 1)).unwrap();
    for (found, exact) in blocks.iter().zip(&exact).filter(|(_, exact)| **exact < 3.0) {
        assert!((found.value - exact).abs() < 4.0 * found.standard_error, "{found} {exact}");
    }
}

#[test]
fn profiles_of_several_values_are_worked_by_hand() {
    // Two samples of weights 1 and 3 with two values each: bin [0, 1) holds (1 + 1.5) / 4 of the weight, bin [1, 3]
    // 1.5 / 4; the value 9 lies outside.
    let mut profile = Profile::new(&[0.0, 1.0, 3.0]).unwrap();
    profile.add(&[0.2, 0.4], 1.0).unwrap();
    profile.add(&[0.5, 3.0], 3.0).unwrap();
    let found = profile.free_energies();
    assert_close(found[0].value, -(2.5_f64 / 4.0).ln(), 1e-15);
    assert_close(found[1].value, -(1.5_f64 / 4.0 / 2.0).ln(), 1e-15);
    // Sum of w^2 (c - p)^2 with p = 5/8: (3/8)^2 + 9 (1/8)^2 = 18 / 64, over 2.5^2.
    assert_close(found[0].standard_error, (18.0_f64 / 64.0).sqrt() / 2.5, 1e-14);
    assert_close(profile.unweighted()[0], -(1.5_f64 / 2.0).ln(), 1e-15);
    assert_close(profile.effective_sample_size(), 1.6, 1e-15);
    let whole =
        bootstrap_profile(&[0.2, 0.4, 0.5, 3.0], Some(&[1.0, 3.0]), &[0.0, 1.0, 3.0], 2, (10, 1)).unwrap();
    assert_close(whole[0].value, found[0].value, 1e-14);
    assert_eq!(whole[1].standard_error, f64::INFINITY, "some resample holds the first sample alone");

    assert!(matches!(Profile::new(&[1.0, 0.0]), Err(Error::Value { name: "edges", .. })));
    assert!(matches!(profile.add(&[], 1.0), Err(Error::Length { .. })));
    assert!(matches!(profile.add(&[f64::NAN], 1.0), Err(Error::Value { name: "values", .. })));
    assert!(matches!(profile.add(&[0.0], -1.0), Err(Error::Value { name: "weight", .. })));
    let fails = |values: &[f64], weights: Option<&[f64]>, blocks, replicates| {
        bootstrap_profile(values, weights, &[0.0, 1.0], blocks, (replicates, 1)).unwrap_err()
    };
    assert!(matches!(fails(&[0.5; 4], None, 1, 10), Error::Value { name: "blocks", .. }));
    assert!(matches!(fails(&[0.5; 4], None, 2, 1), Error::Value { name: "replicates", .. }));
    assert!(matches!(fails(&[0.5; 3], None, 2, 10), Error::Length { name: "values", .. }));
    assert!(matches!(fails(&[0.5; 3], Some(&[1.0; 3]), 2, 10), Error::Length { name: "weights", .. }));
    assert!(matches!(fails(&[0.5; 2], Some(&[0.0; 2]), 2, 10), Error::NoWeight { .. }));
    assert!(pair_distances(Shape { particles: 1, dimension: 2 }, &[0.0, 0.0]).is_err());
    assert!(pair_distances(DW2, &[0.0]).is_err());
    let three = pair_distances(Shape { particles: 3, dimension: 1 }, &[0.0, 1.0, 3.0]).unwrap();
    assert_eq!(three, [1.0, 3.0, 2.0]);
}

/// How often log Z comes within 0.005 (DW-4) and 0.002 (DW-2) of the exact one, which at these sizes are 4 and 3.6
/// standard errors, and how often its error bars cover: `cargo test --release --all-features --test estimators -- --ignored --nocapture twenty`.
/// Samples of a chain of four particles are twice the slowest autocorrelation time apart.
#[test]
#[ignore = "minutes"]
fn twenty_seeds_cover_the_exact_log_z() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/models/dw4-renyi.eqf");
    let dw4 = Parameters::from_model(&ModelFile::open(path).unwrap().model());
    let cases = [
        (dw4, DW4, DW4_LOG_Z, 0.005, 20, (1_600_000, 20_000, 12_000)),
        (dw2_flow(), DW2, DW2_LOG_Z, 0.002, 100, (300_000, 20_000, 300)),
    ];
    let mut short = Vec::new();
    for (flow, shape, exact, most, seeds, (n, m, thin)) in cases {
        let mut within = [[0; 3]; 3];
        for seed in 1..=seeds {
            let (drawn, u) = flow_samples(&flow, &FINE, n, seed);
            let data = thinned(shape, 1.0, thin, m / 20, 20, seed);
            let reverse = log_probs(&flow, &FINE, &data.samples);
            let importance =
                ImportanceWeights::from_densities(&u, &drawn.log_probs).unwrap().log_z_by_delta();
            let bridge = bridge_log_z((&u, &drawn.log_probs), (&data.energies, &reverse)).unwrap();
            let minus = |values: &[f64]| values.iter().map(|value| -value).collect::<Vec<_>>();
            let states =
                [minus(&drawn.log_probs), minus(&reverse), u.clone(), data.energies.clone()].concat();
            let difference = Mbar::new(&states, &[n, m]).unwrap().difference(1, 0).unwrap();
            for (k, found) in [importance, bridge, difference].into_iter().enumerate() {
                let deviation = (found.value - exact).abs();
                within[k][0] += usize::from(deviation < most);
                within[k][1] += usize::from(deviation < found.standard_error);
                within[k][2] += usize::from(deviation < 1.96 * found.standard_error);
            }
            let shown = [importance, bridge, difference].map(|found| format!("{found:.5}"));
            println!("N = {} seed {seed}: {}", shape.particles, shown.join("   "));
        }
        for (name, [close, one, two]) in ["importance", "BAR", "MBAR"].iter().zip(within) {
            println!("{name}: {close} of {seeds} within {most}; {one} within one error, {two} within 1.96");
            // Each is covered with probability 0.95: a shortfall of 2.6 standard deviations has probability 0.01.
            let covered = 0.95 * seeds as f64 - 2.6 * (0.0475 * seeds as f64).sqrt();
            if 20 * close < 19 * seeds as usize || (two as f64) < covered {
                short.push((shape.particles, *name));
            }
        }
    }
    assert!(short.is_empty(), "not close in 19 of 20 seeds, or not covered: {short:?}");
}
