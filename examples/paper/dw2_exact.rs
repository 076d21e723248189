//! DW-2 exactly: one number, the distance d, carries all of it.
//!
//! On the zero-CoM subspace of two particles in the plane p(d) is proportional to d exp(-u(d)) with
//! u = -4 (d - 4)^2 + 0.9 (d - 4)^4.

/// d exp(-u(d)); beyond 12 it is below 1e-1500 of its maximum.
fn unnormalised(d: f64) -> f64 {
    let q2 = (d - 4.0) * (d - 4.0);
    d * (4.0 * q2 - 0.9 * q2 * q2).exp()
}

/// Simpson's rule for the integral of the density from `a` to `b`, `panels` even.
fn integral(a: f64, b: f64, panels: usize) -> f64 {
    let h = (b - a) / panels as f64;
    let weight = |i: usize| match i {
        0 => 1.0,
        i if i == panels => 1.0,
        i => 2.0 + 2.0 * (i % 2) as f64,
    };
    (0..=panels).map(|i| weight(i) * unnormalised(a + h * i as f64)).sum::<f64>() * h / 3.0
}

/// -log of the mean density of d in each bin between `edges` (`[bins + 1]`), in kT.
pub fn free_energies(edges: &[f64]) -> Vec<f64> {
    let whole = integral(0.0, 12.0, 12_000);
    let bin = |edges: &[f64]| -(integral(edges[0], edges[1], 100) / whole / (edges[1] - edges[0])).ln();
    edges.windows(2).map(bin).collect()
}
