//! The linear assignment problem, by the Hungarian algorithm of the crate `pathfinding`.

use pathfinding::prelude::{Matrix, kuhn_munkres};

/// For each row of the n x n matrix `gain` its column, every column once, so that the sum of the gains is greatest.
///
/// Gains are rounded to 2^-40 of the largest magnitude: on integers the search neither cycles nor depends on the order
/// of additions. Gains that are not finite count as 0. Cost: O(n^3).
pub fn assign(n: usize, gain: &[f64]) -> Vec<usize> {
    if n < 2 {
        return (0..n).collect();
    }
    let largest = gain.iter().filter(|g| g.is_finite()).fold(f64::MIN_POSITIVE, |a, g| a.max(g.abs()));
    let fixed = |g: &f64| if g.is_finite() { libm::round(g / largest * ONE) as i64 } else { 0 };
    match Matrix::from_vec(n, n, gain.iter().map(fixed).collect()) {
        Ok(weights) => kuhn_munkres(&weights).1,
        // Not n x n: whoever calls made a mistake; any assignment is valid.
        Err(_) => (0..n).collect(),
    }
}

/// The fixed-point number 1; sums of up to 2^22 of them fit.
const ONE: f64 = (1_u64 << 40) as f64;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{Purpose, Stream};

    /// The greatest sum over all ways to give the rows from `row` on a free column.
    fn brute_force(n: usize, gain: &[f64], row: usize, taken: &mut Vec<usize>) -> f64 {
        let mut best = if row == n { 0.0 } else { f64::NEG_INFINITY };
        for column in 0..n {
            if row < n && !taken.contains(&column) {
                taken.push(column);
                best = best.max(gain[row * n + column] + brute_force(n, gain, row + 1, taken));
                taken.pop();
            }
        }
        best
    }

    #[test]
    fn no_assignment_of_six_is_better() {
        for seed in 0..50 {
            let mut stream = Stream::new(seed, Purpose::Pairing, 0);
            let gain: Vec<f64> = (0..36).map(|_| 1e3 * (stream.next_unit() - 0.5)).collect();
            let columns = assign(6, &gain);
            let mut sorted = columns.clone();
            sorted.sort_unstable();
            assert_eq!(sorted, [0, 1, 2, 3, 4, 5]);
            let sum: f64 = columns.iter().enumerate().map(|(row, column)| gain[row * 6 + column]).sum();
            assert!((sum - brute_force(6, &gain, 0, &mut Vec::new())).abs() < 1e-8, "seed {seed}");
        }
    }

    #[test]
    fn equal_gains_and_few_rows_are_no_trouble() {
        assert!(assign(0, &[]).is_empty());
        assert_eq!(assign(1, &[-3.0]), [0]);
        let mut columns = assign(5, &[0.0; 25]);
        columns.sort_unstable();
        assert_eq!(columns, [0, 1, 2, 3, 4]);
    }
}
