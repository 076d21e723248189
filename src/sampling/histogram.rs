//! Weighted histograms of scalars such as energies.

use super::error::{Error, check_each, check_length};

/// A density estimated from weighted values. Bin i holds `edges[i] <= value < edges[i + 1]`, the last bin also
/// its upper edge.
///
/// Everything is normalised by the weight of all values, inside the edges or not: the density approximates the
/// true one whatever range was chosen, and the bins' masses, `below` and `above` add up to one.
#[derive(Clone, Debug, PartialEq)]
pub struct Histogram {
    edges: Vec<f64>,
    density: Vec<f64>,
    standard_error: Vec<f64>,
    below: f64,
    above: f64,
}

impl Histogram {
    /// Sorts `values` (`[n]`, infinite ones fall outside) with `weights` (`[n]`, equal where absent; of any
    /// common scale) into the bins between the ascending `edges` (`[bins + 1]`). Cost: n log bins.
    ///
    /// # Errors
    /// Fewer than two edges or edges that are not finite and ascending; different lengths; a NaN value; a weight
    /// that is negative or not finite; [`Error::NoWeight`] where the weights sum to zero or there are none.
    pub fn new(values: &[f64], weights: Option<&[f64]>, edges: &[f64]) -> Result<Self, Error> {
        check_edges(edges)?;
        check_each("values", values, "a number", |value| !value.is_nan())?;
        if let Some(weights) = weights {
            check_length("weights", weights.len(), values.len(), "that of the values")?;
            check_each("weights", weights, "finite and at least 0", |w| w.is_finite() && w >= 0.0)?;
        }
        let weight = |i: usize| weights.map_or(1.0, |weights| weights[i]);
        let total: f64 = (0..values.len()).map(weight).sum();
        if total <= 0.0 {
            return Err(Error::NoWeight { samples: values.len() });
        }
        let bins = edges.len() - 1;
        let (mut mass, mut square) = (vec![0.0; bins], vec![0.0; bins]);
        let (mut below, mut above) = (0.0, 0.0);
        for (i, &value) in values.iter().enumerate() {
            let w = weight(i) / total;
            match bin(edges, value) {
                Some(bin) => {
                    mass[bin] += w;
                    square[bin] += w * w;
                }
                None if value < edges[0] => below += w,
                None => above += w,
            }
        }
        let width = |bin: usize| edges[bin + 1] - edges[bin];
        let density = (0..bins).map(|bin| mass[bin] / width(bin)).collect();
        let standard_error = (0..bins).map(|bin| libm::sqrt(square[bin]) / width(bin)).collect();
        Ok(Histogram { edges: edges.to_vec(), density, standard_error, below, above })
    }

    /// `bins + 1` equidistant edges from `low` to `high`.
    ///
    /// # Errors
    /// No bins, or a range that is empty or not finite.
    pub fn linear_edges(low: f64, high: f64, bins: usize) -> Result<Vec<f64>, Error> {
        if bins == 0 {
            return Err(Error::value("bins", 0.0, "at least 1"));
        }
        let at = |i: usize| {
            let fraction = i as f64 / bins as f64;
            low * (1.0 - fraction) + high * fraction
        };
        let edges: Vec<f64> = (0..=bins).map(at).collect();
        check_edges(&edges)?;
        Ok(edges)
    }

    /// The edges (`[bins + 1]`).
    pub fn edges(&self) -> &[f64] {
        &self.edges
    }

    /// Midpoints of the bins (`[bins]`).
    pub fn centers(&self) -> Vec<f64> {
        self.edges.windows(2).map(|edge| 0.5 * edge[0] + 0.5 * edge[1]).collect()
    }

    /// Probability per unit of the value (`[bins]`).
    pub fn density(&self) -> &[f64] {
        &self.density
    }

    /// Standard errors of the density for independent values, sqrt(sum w^2) / (total weight x bin width)
    /// (`[bins]`); zero in an empty bin.
    pub fn standard_error(&self) -> &[f64] {
        &self.standard_error
    }

    /// Fraction of the weight below the first edge.
    pub fn below(&self) -> f64 {
        self.below
    }

    /// Fraction of the weight above the last edge.
    pub fn above(&self) -> f64 {
        self.above
    }
}

/// The bin that holds `value`, if any; the last one holds its upper edge too.
pub(super) fn bin(edges: &[f64], value: f64) -> Option<usize> {
    let bins = edges.len() - 1;
    let inside = (edges[0]..=edges[bins]).contains(&value);
    inside.then(|| edges.partition_point(|&edge| edge <= value).min(bins) - 1)
}

pub(super) fn check_edges(edges: &[f64]) -> Result<(), Error> {
    if edges.len() < 2 {
        return Err(Error::Length { name: "edges", length: edges.len(), demand: "at least 2" });
    }
    check_each("edges", edges, "finite", f64::is_finite)?;
    match edges.windows(2).position(|edge| edge[0] >= edge[1]) {
        None => Ok(()),
        Some(i) => Err(Error::element("edges", i + 1, edges[i + 1], "above the edge before it")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bins_hold_what_was_counted_by_hand() {
        // Total weight 8: 1 below, 2 + 1 in [0, 1), 1 in [1, 3], none of the edges' values lost, 3 above.
        let values = [-1.0, 0.0, 0.5, 3.0, f64::INFINITY];
        let histogram = Histogram::new(&values, Some(&[1.0, 2.0, 1.0, 1.0, 3.0]), &[0.0, 1.0, 3.0]).unwrap();
        assert_eq!(histogram.density(), [3.0 / 8.0, 1.0 / 16.0]);
        assert_eq!(histogram.standard_error(), [5.0_f64.sqrt() / 8.0, 1.0 / 16.0]);
        assert_eq!((histogram.below(), histogram.above()), (1.0 / 8.0, 3.0 / 8.0));
        assert_eq!(histogram.centers(), [0.5, 2.0]);
        assert_eq!(histogram.edges(), [0.0, 1.0, 3.0]);
    }

    #[test]
    fn equal_weights_have_poisson_errors() {
        let values: Vec<f64> = (0..100).map(|i| f64::from(i) / 100.0).collect();
        let edges = Histogram::linear_edges(0.0, 1.0, 4).unwrap();
        let histogram = Histogram::new(&values, None, &edges).unwrap();
        for (density, error) in histogram.density().iter().zip(histogram.standard_error()) {
            // 25 of 100 in a bin of width 1/4: density 1, error sqrt(25) / 100 / (1/4).
            assert!((density - 1.0).abs() < 1e-12);
            assert!((error - 0.2).abs() < 1e-12);
        }
    }

    #[test]
    fn linear_edges_end_where_they_should() {
        let edges = Histogram::linear_edges(-0.1, 0.7, 7).unwrap();
        assert_eq!((edges.len(), edges[0], edges[7]), (8, -0.1, 0.7));
    }

    #[test]
    fn bad_input_is_named() {
        let new = |values: &[f64], weights: Option<&[f64]>, edges: &[f64]| {
            Histogram::new(values, weights, edges).unwrap_err()
        };
        assert_eq!(new(&[], None, &[0.0, 1.0]), Error::NoWeight { samples: 0 });
        assert_eq!(new(&[1.0], Some(&[0.0]), &[0.0, 1.0]), Error::NoWeight { samples: 1 });
        assert!(matches!(new(&[0.0], None, &[0.0]), Error::Length { name: "edges", .. }));
        assert!(matches!(new(&[0.0], None, &[0.0, 0.0]), Error::Value { index: Some(1), .. }));
        assert!(matches!(new(&[0.0, f64::NAN], None, &[0.0, 1.0]), Error::Value { index: Some(1), .. }));
        assert!(matches!(new(&[0.0], Some(&[-1.0]), &[0.0, 1.0]), Error::Value { name: "weights", .. }));
        assert!(matches!(new(&[0.0], Some(&[]), &[0.0, 1.0]), Error::Length { name: "weights", .. }));
        assert!(Histogram::linear_edges(0.0, 1.0, 0).is_err());
        assert!(Histogram::linear_edges(1.0, 0.0, 3).is_err());
        assert!(Histogram::linear_edges(0.0, f64::INFINITY, 3).is_err());
    }
}
