//! Numbers that Python and Rust make alike, for values that Python's packages have computed from them
//! (`tests/references`).

/// Uniform numbers of a linear congruential generator.
pub struct Uniforms(pub u64);

impl Iterator for Uniforms {
    type Item = f64;

    fn next(&mut self) -> Option<f64> {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        Some(((self.0 >> 11) as f64 + 0.5) / 9_007_199_254_740_992.0)
    }
}
