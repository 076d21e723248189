//! Whether chains agree with each other, and how many independent values they are worth: the diagnostics of Vehtari,
//! Gelman, Simpson, Carpenter, Bürkner, "Rank-normalization, folding, and localization: an improved R-hat for assessing
//! convergence of MCMC", Bayesian Analysis 16, 667 (2021).

use super::error::{Error, check_each};
use super::normal::normal_quantile;
use super::statistics::{autocovariance, chain_length, mean, standard_deviation};

/// What [`convergence`] finds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Convergence {
    /// Rank-normalised split R-hat: how much wider all chains together are than each, in location and in scale. Above
    /// 1.01 the chains have not forgotten where they started.
    pub r_hat: f64,
    /// Effective sample size for the location: of the rank-normalised values.
    pub bulk: f64,
    /// Effective sample size for the tails: the smaller of those of the 5 % and the 95 % quantile.
    pub tail: f64,
}

/// Judges `values` (`[chains][samples]`) of several chains, or of one, of which the halves are compared.
///
/// Nothing is assumed of the values' distribution but that they can be ranked: means and variances may be infinite.
/// Cost: n log n, and n times the lag at which autocorrelations drown in noise.
///
/// # Errors
/// [`Error::TooShort`] for fewer than 8 values a chain; a constant series; a NaN or infinite value; a length that is not
/// a multiple of `chains`.
pub fn convergence(values: &[f64], chains: usize) -> Result<Convergence, Error> {
    let (halves, length) = halves(values, chains)?;
    let bulk = rank_normalized(&halves);
    let center = quantile(&sorted(&halves), 0.5);
    let folded: Vec<f64> = halves.iter().map(|value| (value - center).abs()).collect();
    let r_hat = r_hat(&bulk, length).max(r_hat(&rank_normalized(&folded), length));
    let order = sorted(values);
    let tail = [0.05, 0.95].map(|probability| {
        let quantile = quantile(&order, probability);
        let below: Vec<f64> = halves.iter().map(|&v| if v <= quantile { 1.0 } else { 0.0 }).collect();
        effective(&below, length)
    });
    Ok(Convergence { r_hat, bulk: effective(&bulk, length), tail: tail[0].min(tail[1]) })
}

/// How many independent values `values` (`[chains][samples]`) are worth for their mean: by Geyer's initial monotone
/// sequence (1992) of autocorrelations that count the scatter between the halves of all chains too, so that chains that
/// disagree are worth little. With [`super::autocorrelation_time`], which trusts that all chains share one distribution,
/// it agrees once they do.
///
/// # Errors
/// As [`convergence`].
pub fn effective_sample_size(values: &[f64], chains: usize) -> Result<f64, Error> {
    let (halves, length) = halves(values, chains)?;
    Ok(effective(&halves, length))
}

/// Each chain's halves, the middle value of an odd length left out, and their length.
fn halves(values: &[f64], chains: usize) -> Result<(Vec<f64>, usize), Error> {
    let length = chain_length(values, chains)?;
    check_each("values", values, "finite", f64::is_finite)?;
    if length < 8 {
        return Err(Error::TooShort { length });
    }
    if is_constant(values) {
        return Err(Error::value("variance of the values", 0.0, "above 0"));
    }
    let half = length / 2;
    let split = |chain: &[f64]| [&chain[..half], &chain[length - half..]].concat();
    Ok((values.chunks_exact(length).flat_map(split).collect(), half))
}

fn is_constant(values: &[f64]) -> bool {
    values.iter().all(|value| *value == values[0])
}

fn sorted(values: &[f64]) -> Vec<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted
}

/// Linear interpolation between order statistics.
fn quantile(sorted: &[f64], probability: f64) -> f64 {
    let at = probability * (sorted.len() - 1) as f64;
    let below = at as usize;
    let above = (below + 1).min(sorted.len() - 1);
    sorted[below] + (at - below as f64) * (sorted[above] - sorted[below])
}

/// Normal scores of the ranks, (r - 3/8) / (n + 1/4) (Blom 1958); ties share their mean rank.
fn rank_normalized(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&a, &b| values[a].total_cmp(&values[b]));
    let mut scores = vec![0.0; values.len()];
    let mut ranked = 0;
    for ties in order.chunk_by(|&a, &b| values[a] == values[b]) {
        let rank = ranked as f64 + 0.5 * (ties.len() + 1) as f64;
        let score = normal_quantile((rank - 0.375) / (values.len() as f64 + 0.25));
        ties.iter().for_each(|&i| scores[i] = score);
        ranked += ties.len();
    }
    scores
}

/// R-hat of rows of `length` values (Gelman and Rubin 1992).
fn r_hat(rows: &[f64], length: usize) -> f64 {
    let square = |x: f64| x * x;
    let means: Vec<f64> = rows.chunks_exact(length).map(mean).collect();
    let variances: Vec<f64> = rows.chunks_exact(length).map(|row| square(standard_deviation(row))).collect();
    let n = length as f64;
    libm::sqrt((n * square(standard_deviation(&means)) / mean(&variances) + n - 1.0) / n)
}

/// Effective sample size of at least two rows of `length` values.
fn effective(rows: &[f64], length: usize) -> f64 {
    let total = rows.len() as f64;
    if is_constant(rows) {
        return total;
    }
    let means: Vec<f64> = rows.chunks_exact(length).map(mean).collect();
    let deviation: Vec<f64> = rows.iter().enumerate().map(|(i, value)| value - means[i / length]).collect();
    let covariance = |lag| autocovariance(&deviation, length, lag) / total;
    let (n, between) = (length as f64, standard_deviation(&means));
    let within = covariance(0) * n / (n - 1.0);
    let pooled = covariance(0) + between * between;
    let correlation = |lag| 1.0 - (within - covariance(lag)) / pooled;
    // Sums of two neighbours: positive and falling for a reversible chain (Geyer 1992).
    let (mut even, mut odd) = (1.0, correlation(1));
    let (mut time, mut least, mut lag) = (-1.0, f64::INFINITY, 0);
    while even + odd > 0.0 && lag + 4 < length {
        least = least.min(even + odd);
        time += 2.0 * least;
        lag += 2;
        (even, odd) = (correlation(lag), correlation(lag + 1));
    }
    // Anticorrelated chains may be worth more than as many independent values, but not without bound.
    total / (time + even.max(0.0)).max(1.0 / libm::log10(total))
}
