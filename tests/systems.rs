//! The benchmark systems by name, and the functions of flows for configurations of which nothing is known.
#![cfg(feature = "std")]

use eqflow::field::Shape;
use eqflow::io::KernelDynamics;
use eqflow::sampling::{Error, chain_mean};
use eqflow::systems::{DW4, System, Truth, spanning};
use eqflow::train::Group;

#[test]
fn systems_have_names_and_what_is_known_of_them() {
    for (key, name, particles, dimension, known) in [
        ("dw2", "DW-2", 2, 2, true),
        ("dw4", "DW-4", 4, 2, true),
        ("lj13", "LJ-13", 13, 3, true),
        ("lj7", "LJ-7", 7, 3, false),
    ] {
        let system = System::named(key).unwrap();
        assert_eq!((system.name.as_ref(), system.key.as_ref()), (name, key));
        assert_eq!(system.shape, Shape { particles, dimension });
        assert_eq!(system.log_z.is_known(), known);
        assert_eq!(system.functions().shape(), system.shape);
    }
    for key in ["", "dw3", "lj", "lj1", "lj-3", "lj1001", "LJ13"] {
        assert!(System::named(key).is_none(), "{key}");
    }
    assert_eq!(format!("{:.3}", DW4.log_z), "29.667");
    assert_eq!(Truth::UNKNOWN.to_string(), "unknown");
}

/// Two Lennard-Jones particles: the energy depends on one distance alone, so that its mean is an integral.
#[test]
fn chains_of_another_cluster_have_the_exact_mean_energy() {
    // u = 2 (d^-12 - 2 d^-6) over the ordered pairs, that is twice over the pair, halved; tether 1/2 * 2 (d/2)^2.
    let u = |d: f64| 2.0 * (d.powi(-12) - 2.0 * d.powi(-6)) + 0.25 * d * d;
    let (mut z, mut mean) = (0.0, 0.0);
    for i in 1..200_000 {
        let d = 1e-4 * f64::from(i);
        let weight = d * d * (-u(d)).exp();
        z += weight;
        mean += weight * u(d);
    }
    let system = System::named("lj2").unwrap();
    let n = 2_000;
    let drawn = system.sample(n, 0.3, 5, &|_| ()).unwrap();
    let found = chain_mean(&drawn.energies, system.chains_of(n)).unwrap();
    assert!((found.value - mean / z).abs() < 3.0 * found.standard_error, "{found} against {}", mean / z);
}

#[test]
fn functions_span_the_distances_of_the_configurations() {
    let shape = Shape { particles: 2, dimension: 2 };
    let (functions, least) = spanning(shape, &[0.0, 0.0, 3.0, 4.0, 0.0, 0.0, 0.0, 1.0], 12, 4).unwrap();
    let mu = functions.group(Group::Mu);
    assert_eq!((functions.n_radial(), functions.n_time(), mu[0]), (12, 4, 0.0));
    assert!((mu[11] - 5.5).abs() < 1e-12 && (least - 1.0 / 3.0).abs() < 1e-12);
    assert!((functions.group(Group::LogGamma)[3].exp() - 1.5).abs() < 1e-12);
    assert!(functions.group(Group::Weights).iter().all(|w| *w == 0.0));
    assert!(matches!(spanning(shape, &[0.0; 4], 12, 4), Err(Error::Value { name: "longest distance", .. })));
    assert!(matches!(spanning(shape, &[0.0; 3], 12, 4), Err(Error::Length { .. })));
    assert!(spanning(shape, &[0.0, 0.0, 3.0, 4.0], 1, 4).is_err());
    assert!(spanning(Shape { particles: 1, dimension: 2 }, &[0.0, 0.0], 12, 4).is_err());
}

#[test]
fn the_authors_double_well_functions_are_those_of_the_paper() {
    let known = KernelDynamics::double_well(DW4.shape);
    let functions = DW4.functions();
    let exponentials = |group| functions.group(group).iter().map(|v: &f64| v.exp()).collect::<Vec<_>>();
    let pairs = [
        (known.mu, functions.group(Group::Mu).to_vec()),
        (known.mu_time, functions.group(Group::MuTime).to_vec()),
        (known.gamma, exponentials(Group::LogGamma)),
        (known.gamma_time, exponentials(Group::LogGammaTime)),
    ];
    for (theirs, ours) in pairs {
        assert_eq!(theirs.len(), ours.len());
        assert!(theirs.iter().zip(&ours).all(|(a, b)| (a - b).abs() < 1e-14));
    }
}
