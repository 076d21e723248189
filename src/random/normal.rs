//! Standard normals by Box and Muller (1958) with `libm`: the same bits on every platform.

use super::Stream;

/// A stream of standard normals; two uniforms make two normals.
#[derive(Clone, Debug)]
pub struct Normals {
    stream: Stream,
    spare: Option<f64>,
}

impl Normals {
    /// Draws from `stream`.
    pub fn new(stream: Stream) -> Self {
        Normals { stream, spare: None }
    }

    /// The next standard normal; at most 8.6 in magnitude.
    pub fn next_normal(&mut self) -> f64 {
        if let Some(spare) = self.spare.take() {
            return spare;
        }
        let radius = libm::sqrt(-2.0 * libm::log(self.stream.next_unit()));
        let (sine, cosine) = libm::sincos(core::f64::consts::TAU * self.stream.next_unit());
        self.spare = Some(radius * sine);
        radius * cosine
    }

    /// Uniform on 0..bound from the same stream, as [`Stream::next_below`].
    pub fn next_below(&mut self, bound: u64) -> u64 {
        self.stream.next_below(bound)
    }

    /// The stream itself.
    pub fn stream(&mut self) -> &mut Stream {
        &mut self.stream
    }

    /// Uniform on (0, 1] from the same stream.
    pub fn next_unit(&mut self) -> f64 {
        self.stream.next_unit()
    }
}

#[cfg(test)]
mod tests {
    use super::super::Purpose;
    use super::*;

    #[test]
    fn moments_are_those_of_the_standard_normal() {
        let mut normals = Normals::new(Stream::new(11, Purpose::Prior, 0));
        let n = 400_000;
        let mut moments = [0.0; 4];
        for _ in 0..n {
            let z = normals.next_normal();
            for (power, moment) in moments.iter_mut().enumerate() {
                *moment += z.powi(power as i32 + 1);
            }
        }
        // Variances of z, z^2, z^3, z^4: 1, 2, 15, 96.
        for ((moment, want), variance) in
            moments.iter().zip([0.0, 1.0, 0.0, 3.0]).zip([1.0, 2.0, 15.0, 96.0_f64])
        {
            let standard_error = (variance / n as f64).sqrt();
            assert!((moment / n as f64 - want).abs() < 3.5 * standard_error, "{moment} {want}");
        }
    }
}
