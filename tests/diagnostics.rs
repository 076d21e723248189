//! Chains, weights and replicas judged: against ArviZ (`tests/references/diagnostics.py`), and by hand.
#![cfg(feature = "std")]

#[path = "common/exact_series.rs"]
mod exact_series;

use eqflow::random::{Normals, Purpose, Stream};
use eqflow::sampling::{
    Error, ImportanceWeights, autocorrelation_time, convergence, effective_sample_size, round_trips,
};
use exact_series::Uniforms;

/// x' = a x + (u - 1/2); the last chain is shifted.
fn autoregression(seed: u64, chains: usize, length: usize, a: f64, shift: f64) -> Vec<f64> {
    let mut uniforms = Uniforms(seed);
    let mut values = Vec::new();
    for chain in 0..chains {
        let mut x = 0.0;
        for _ in 0..length {
            x = a * x + (uniforms.next().unwrap() - 0.5);
            values.push(x + if chain == chains - 1 { shift } else { 0.0 });
        }
    }
    values
}

#[track_caller]
fn assert_close(what: &str, got: f64, want: f64, tolerance: f64) {
    assert!((got - want).abs() <= tolerance * want.abs(), "{what}: {got} against {want}");
}

#[test]
fn chains_are_judged_as_arviz_judges_them() {
    let heavy = Uniforms(3).take(120).map(|u| 1.0 / (u + 1e-3)).collect();
    let ties = Uniforms(4).take(150).map(|u| (4.0 * u).floor()).collect();
    // R-hat, effective sample sizes of the bulk, of the tails, and for the mean.
    let cases: [(&str, Vec<f64>, usize, [f64; 4]); 5] = [
        (
            "correlated",
            autoregression(1, 4, 200, 0.7, 0.0),
            4,
            [1.00750132001224, 180.169748271383, 297.705644104901, 181.376953163418],
        ),
        (
            "one chain apart",
            autoregression(2, 3, 101, 0.5, 1.0),
            3,
            [1.63337148876704, 5.4576319220305, 28.5260960334029, 4.95265370778119],
        ),
        ("heavy", heavy, 2, [1.02211149649691, 74.8780139359613, 131.887890005288, 125.016520488681]),
        ("ties", ties, 2, [1.00286009286038, 226.516930480276, 148.0, 222.539845270694]),
        (
            "anticorrelated",
            autoregression(5, 2, 100, -0.6, 0.0),
            2,
            [1.00670267627307, 460.205999132796, 144.194788790005, 460.205999132796],
        ),
    ];
    for (name, values, chains, [r_hat, bulk, tail, mean]) in cases {
        let got = convergence(&values, chains).unwrap();
        assert_close(name, got.r_hat, r_hat, 1e-12);
        assert_close(name, got.bulk, bulk, 1e-10);
        assert_close(name, got.tail, tail, 1e-10);
        assert_close(name, effective_sample_size(&values, chains).unwrap(), mean, 1e-10);
    }
}

#[test]
fn the_effective_sample_size_of_an_autoregression_is_the_exact_one() {
    // x' = a x + noise is worth n (1 - a) / (1 + a) values, in the bulk as for the mean.
    let (chains, length, a) = (8, 5_000, 0.8);
    let mut values = Vec::new();
    for chain in 0..chains {
        let mut normals = Normals::new(Stream::new(3, Purpose::Chain, chain));
        let mut x = normals.next_normal();
        for _ in 0..length {
            x = a * x + (1.0 - a * a).sqrt() * normals.next_normal();
            values.push(x);
        }
    }
    let n = (chains * length) as f64;
    let exact = n * (1.0 - a) / (1.0 + a);
    let found = convergence(&values, chains as usize).unwrap();
    let time = autocorrelation_time(&values, chains as usize).unwrap();
    let relative = time.standard_error / time.value;
    for got in [found.bulk, effective_sample_size(&values, chains as usize).unwrap(), n / time.value] {
        assert!((got / exact - 1.0).abs() < 3.0 * relative, "{got} against {exact}");
    }
    assert!(found.r_hat < 1.005 && found.r_hat > 0.999, "{}", found.r_hat);
    assert!(found.tail > exact, "indicators of the tails forget sooner: {}", found.tail);
}

#[test]
fn one_chain_that_drifts_is_found_out_by_its_halves() {
    let ramp: Vec<f64> = Uniforms(1).take(100).enumerate().map(|(i, u)| i as f64 + u).collect();
    assert!(convergence(&ramp, 1).unwrap().r_hat > 1.5);
    let still: Vec<f64> = Uniforms(1).take(400).collect();
    assert!(convergence(&still, 1).unwrap().r_hat < 1.02);
    // Chains of one mean and of different widths: only the folded ranks tell.
    let wide: Vec<f64> =
        Uniforms(1).take(800).enumerate().map(|(i, u)| (u - 0.5) * [1.0, 5.0][i / 400]).collect();
    assert!(convergence(&wide, 2).unwrap().r_hat > 1.3);
}

#[test]
fn the_tail_of_weights_is_fitted_as_arviz_fits_it() {
    for (seed, n, k, reference) in [
        (6, 1000, 0.2, 0.166246378282746),
        (7, 1000, 0.8, 0.634372081869965),
        (8, 200, 1.2, 1.13295203729767),
        (9, 40, 0.5, 0.304650818975715),
    ] {
        let log_weights: Vec<f64> = Uniforms(seed).take(n).map(|u: f64| -k * u.ln()).collect();
        let tail = ImportanceWeights::new(&log_weights).unwrap().pareto_tail().unwrap();
        assert_close("k", tail.k, reference, 1e-10);
        assert_eq!(tail.samples, n);
        assert_eq!(tail.tail, (n as f64 / 5.0).min(3.0 * (n as f64).sqrt()).ceil() as usize);
        // u^-k is a Pareto variable of shape k: 1.9 is the spread of k in units of 1 / sqrt(tail).
        assert!((tail.k - k).abs() < 3.0 * (1.0 + k) / (tail.tail as f64).sqrt(), "{} {k}", tail.k);
    }
    let tail = |k: f64| {
        let log_weights: Vec<f64> = Uniforms(10).take(10_000).map(|u: f64| -k * u.ln()).collect();
        ImportanceWeights::new(&log_weights).unwrap().pareto_tail().unwrap()
    };
    assert!(tail(0.3).is_reliable() && !tail(1.0).is_reliable());
    assert_eq!(tail(0.3).threshold(), 0.7);
}

#[test]
fn round_trips_are_counted_by_hand() {
    // Replica 0: 0 -> 2 -> 0 -> 2 -> 0; replica 1 starts above and comes home once; replica 2 has no time to
    // come back.
    let rungs = [[0, 1, 2], [1, 0, 2], [2, 0, 1], [1, 2, 0], [0, 2, 1], [2, 0, 1], [1, 2, 0], [0, 1, 2]];
    assert_eq!(round_trips(&rungs.concat(), 3).unwrap(), [2, 1, 0]);
    assert_eq!(round_trips(&[], 2).unwrap(), [0, 0]);
    // Going up and down below the top is no trip.
    assert_eq!(round_trips(&[0, 1, 2, 1, 0, 2, 0, 1, 2], 3).unwrap(), [0, 0, 0]);
}

#[test]
fn what_cannot_be_judged_is_an_error() {
    assert!(matches!(convergence(&[1.0; 40], 2), Err(Error::Value { .. })));
    assert!(matches!(convergence(&[1.0, 2.0, 3.0, 4.0], 1), Err(Error::TooShort { length: 4 })));
    assert!(matches!(convergence(&[f64::NAN; 40], 2), Err(Error::Value { index: Some(0), .. })));
    assert!(matches!(effective_sample_size(&[1.0; 41], 2), Err(Error::Length { .. })));
    assert!(matches!(convergence(&[1.0; 41], 0), Err(Error::Value { name: "chains", .. })));
    let equal = ImportanceWeights::new(&[0.0; 100]).unwrap();
    assert!(matches!(equal.pareto_tail(), Err(Error::Length { length: 0, .. })));
    let few = ImportanceWeights::new(&[0.0, 1.0, 2.0]).unwrap();
    assert!(matches!(few.pareto_tail(), Err(Error::Length { .. })));
    assert!(matches!(round_trips(&[0], 1), Err(Error::Value { name: "replicas", .. })));
    assert!(matches!(round_trips(&[0, 1, 0], 2), Err(Error::Length { .. })));
    let twice = round_trips(&[0, 1, 1, 1], 2).unwrap_err();
    assert_eq!(twice.to_string(), "rungs[3] is 1, not a rung that no other replica occupies");
    assert!(matches!(round_trips(&[0, 2], 2), Err(Error::Value { index: Some(1), .. })));
}
