//! phi(., t) as piecewise polynomials: the compiled path.

use super::Radial;
use super::cells::Cells;
use super::compile::padded_rows;
use crate::lanes::{Lanes, Real, Rows};

/// phi at one stage time, compiled; `C` coefficients a cell, lowest power first, in units of y = scale d.
///
/// The divergence uses the polynomials' own derivative, so the log-determinant is that of the compiled field.
#[derive(Clone, Copy, Debug)]
pub struct Table<'a, R, const C: usize> {
    rows: Rows<'a, R, C>,
    scale: R,
    end: R,
    stride: usize,
}

impl<'a, R: Real, const C: usize> Table<'a, R, C> {
    /// `rows` has [`Cells::rows`] elements; `None` where it has not.
    pub fn new(cells: &Cells, rows: &'a [[R; C]]) -> Option<Self> {
        let rows = Rows::new(rows.get(..cells.rows())?, &cells.segments)?;
        let stride = padded_rows(cells);
        Some(Table { rows, stride, scale: R::from_f64(cells.scale), end: R::from_f64(cells.end()) })
    }

    /// Where the coefficients for distance `d` are, and the distance from the middle of that cell, in y.
    ///
    /// Beyond the table's end that is the constant cell's middle; NaN stays NaN.
    #[inline(always)]
    fn locate<V: Lanes<Real = R>>(&self, d: V) -> (V, V) {
        let y = (d * V::splat(self.scale)).at_most(V::splat(self.end));
        (y, y + V::constant(1.0))
    }

    #[inline(always)]
    fn polynomial<V: Lanes<Real = R>>(&self, d: V) -> ([V; C], V) {
        let (y, z) = self.locate(d);
        let (coefficients, middle) = V::rows(&self.rows, z);
        // Exact: the middle has few digits, and y lies next to it.
        (coefficients, y - (middle - V::constant(1.0)))
    }

    /// Adds the coefficients' share of sum(phi_bar phi + slope_bar phi') to table number `stage` of `sums`, tables
    /// like this one ([`super::padded_rows`] each).
    pub fn scatter<V: Lanes<Real = R>>(
        &self,
        d: &[V],
        [phi_bar, slope_bar]: [&[V]; 2],
        stage: usize,
        sums: &mut [R],
    ) {
        let (sums, _) = sums.as_chunks_mut::<C>();
        let sums = &mut sums[stage * self.stride..(stage + 1) * self.stride];
        V::vectorize(
            #[inline(always)]
            || {
                let scale = V::splat(self.scale);
                for ((&d, &phi_bar), &slope_bar) in d.iter().zip(phi_bar).zip(slope_bar) {
                    let (y, z) = self.locate(d);
                    let u = y - (V::row_middles(&self.rows, z) - V::constant(1.0));
                    let slope_bar = slope_bar * scale;
                    // The k-th coefficient's share is u^(k-1) (phi_bar u + k slope_bar).
                    let mut terms = [phi_bar; C];
                    let (mut power, mut factor) = (V::constant(1.0), phi_bar * u);
                    for term in &mut terms[1..] {
                        factor += slope_bar;
                        *term = power * factor;
                        power = power * u;
                    }
                    V::add_to_rows(&self.rows, z, &terms, sums);
                }
            },
        );
    }
}

impl<V: Lanes, const C: usize> Radial<V> for Table<'_, V::Real, C> {
    #[inline]
    fn value_slope(&self, d: &[V], phi: &mut [V], slope: &mut [V]) {
        V::vectorize(
            #[inline(always)]
            || {
                let scale = V::splat(self.scale);
                for ((&d, phi), slope) in d.iter().zip(phi).zip(slope) {
                    let (a, u) = self.polynomial(d);
                    let mut value = a[C - 1] * u + a[C - 2];
                    let mut derivative = a[C - 1];
                    for k in (0..C - 2).rev() {
                        derivative = derivative * u + value;
                        value = value * u + a[k];
                    }
                    *phi = value;
                    *slope = derivative * scale;
                }
            },
        );
    }

    #[inline]
    fn value_slope_curvature(&self, d: &[V], phi: &mut [V], slope: &mut [V], curvature: &mut [V]) {
        V::vectorize(
            #[inline(always)]
            || {
                let scale = V::splat(self.scale);
                let outputs = phi.iter_mut().zip(slope).zip(curvature);
                for (&d, ((phi, slope), curvature)) in d.iter().zip(outputs) {
                    let (a, u) = self.polynomial(d);
                    let (mut value, mut derivative, mut half_second) = (a[C - 1], V::zero(), V::zero());
                    for k in (0..C - 1).rev() {
                        half_second = half_second * u + derivative;
                        derivative = derivative * u + value;
                        value = value * u + a[k];
                    }
                    *phi = value;
                    *slope = derivative * scale;
                    *curvature = (half_second + half_second) * (scale * scale);
                }
            },
        );
    }
}
