//! Which instruction set a computation uses, chosen at run time.

use super::{Lanes, Real};

/// An instruction set. All of them give the same bits; they differ in speed alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
#[non_exhaustive]
pub enum Isa {
    /// One sample at a time.
    Scalar = 1,
    /// The vectors that the compilation's target always has: SSE2 on x86-64, NEON on aarch64.
    Baseline = 2,
    /// 256 bits on x86-64.
    Avx2 = 3,
    /// 512 bits on x86-64.
    Avx512 = 4,
}

/// Whether the vectors that the target always has are to be the only ones: a program becomes less than half as large,
/// and the compiler's `-C target-cpu` chooses.
const BASELINE_ALONE: bool = cfg!(eqf_baseline);

impl Isa {
    /// All, the widest last.
    pub const ALL: [Isa; 4] = [Isa::Scalar, Isa::Baseline, Isa::Avx2, Isa::Avx512];

    /// A short lower-case name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Isa::Scalar => "scalar",
            Isa::Baseline => "baseline",
            Isa::Avx2 => "avx2",
            Isa::Avx512 => "avx512",
        }
    }

    /// Whether this processor, its operating system and this library have it.
    pub fn is_available(self) -> bool {
        // The numbers rise with the width, and whoever has a set has those below it.
        let least = if BASELINE_ALONE { Isa::best() } else { Isa::Scalar };
        (least as u32..=Isa::best() as u32).contains(&(self as u32))
    }

    /// The fastest that is available.
    pub fn best() -> Isa {
        #[cfg(target_arch = "x86_64")]
        return if BASELINE_ALONE { Isa::Baseline } else { super::x86::best() };
        #[cfg(not(target_arch = "x86_64"))]
        return if HAS_VECTORS { Isa::Baseline } else { Isa::Scalar };
    }

    /// Runs `job` on vectors of this instruction set, or on the best available where there is none such.
    #[inline(always)]
    pub fn run<R: Real, J: Vectorized<R>>(self, job: J) -> J::Output {
        match self.or_best() {
            Isa::Scalar => job.run::<R>(),
            isa => isa.run_on_vectors(job),
        }
    }

    /// As [`Isa::run`], but for [`Isa::Scalar`] on the target's own vectors where it has any: for what is done once a
    /// plan, whose code is large.
    #[inline(always)]
    pub fn run_on_vectors<R: Real, J: Vectorized<R>>(self, job: J) -> J::Output {
        match self.or_best() {
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => job.run::<R::Avx512>(),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => job.run::<R::Avx2>(),
            #[cfg(any(target_feature = "sse2", target_feature = "neon", target_feature = "simd128"))]
            _ => job.run::<R::Lanes>(),
            #[cfg(not(any(target_feature = "sse2", target_feature = "neon", target_feature = "simd128")))]
            _ => job.run::<R>(),
        }
    }

    #[inline(always)]
    fn or_best(self) -> Isa {
        if self.is_available() { self } else { Isa::best() }
    }

    /// As [`Isa::run`], on vectors as wide as [`Real::Lanes`] whatever the instruction set: for sums over samples,
    /// whose order, and with it their bits, the width decides.
    #[inline(always)]
    pub fn run_at_fixed_width<R: Real, J: Vectorized<R>>(self, job: J) -> J::Output {
        #[cfg(target_arch = "x86_64")]
        if Isa::Avx2.is_available() && matches!(self, Isa::Avx2 | Isa::Avx512) {
            return job.run::<R::Avx2>();
        }
        job.run::<R::Lanes>()
    }
}

/// Whether the target of this compilation has vector registers that `wide` uses.
#[cfg(not(target_arch = "x86_64"))]
const HAS_VECTORS: bool =
    cfg!(any(target_feature = "sse2", target_feature = "neon", target_feature = "simd128"));

/// Work that is written once for all vector types.
pub trait Vectorized<R: Real> {
    /// What it returns.
    type Output;
    /// Does the work on vectors `V`.
    fn run<V: Lanes<Real = R>>(self) -> Self::Output;
}

/// The vector types that only some processors have. Out of reach for other crates: whoever could name one could use
/// it where its instructions do not exist.
pub trait Hardware {
    /// 256 bits.
    #[cfg(target_arch = "x86_64")]
    type Avx2: Lanes<Real = Self>;
    /// 512 bits.
    #[cfg(target_arch = "x86_64")]
    type Avx512: Lanes<Real = Self>;
}

impl Hardware for f64 {
    #[cfg(target_arch = "x86_64")]
    type Avx2 = super::x86::Avx2F64;
    #[cfg(target_arch = "x86_64")]
    type Avx512 = super::x86::Avx512F64;
}

impl Hardware for f32 {
    #[cfg(target_arch = "x86_64")]
    type Avx2 = super::x86::Avx2F32;
    #[cfg(target_arch = "x86_64")]
    type Avx512 = super::x86::Avx512F32;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_set_is_available_and_so_is_one_lane() {
        assert!(Isa::best().is_available());
        assert!(Isa::Scalar.is_available());
    }
}
