//! Clocks and robust summaries.

use std::time::Instant;

#[cfg(target_arch = "x86_64")]
pub const UNIT: &str = "cycles";
#[cfg(not(target_arch = "x86_64"))]
pub const UNIT: &str = "ns";

#[cfg(target_arch = "x86_64")]
fn ticks() -> u64 {
    // SAFETY: every x86_64 processor has the time-stamp counter.
    unsafe { core::arch::x86_64::_rdtsc() }
}

#[cfg(not(target_arch = "x86_64"))]
fn ticks() -> u64 {
    static START: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    START.get_or_init(Instant::now).elapsed().as_nanos() as u64
}

/// Repetitions of one piece of work, sorted.
#[derive(Clone, Copy, Debug, Default)]
pub struct Times {
    pub fastest: f64,
    pub low: f64,
    pub median: f64,
    pub high: f64,
}

impl Times {
    fn of(mut values: Vec<f64>) -> Self {
        values.sort_by(f64::total_cmp);
        let at = |quarter: usize| values[quarter * (values.len() - 1) / 4];
        Times { fastest: values[0], low: at(1), median: at(2), high: at(3) }
    }

    /// The same in another unit.
    pub fn scaled(self, factor: f64) -> Self {
        let Times { fastest, low, median, high } = self;
        Times { fastest: factor * fastest, low: factor * low, median: factor * median, high: factor * high }
    }
}

/// Time of `work` in ticks and in seconds, after one run to warm up; for about 0.3 seconds, 5 to 51 times.
pub fn measure(mut work: impl FnMut()) -> [Times; 2] {
    let start = Instant::now();
    work();
    let once = start.elapsed().as_secs_f64();
    let repetitions = ((0.3 / once.max(1e-9)) as usize).clamp(5, 51);
    let (mut cycles, mut seconds) = (Vec::new(), Vec::new());
    for _ in 0..repetitions {
        let (start, from) = (Instant::now(), ticks());
        work();
        cycles.push((ticks() - from) as f64);
        seconds.push(start.elapsed().as_secs_f64());
    }
    [Times::of(cycles), Times::of(seconds)]
}
