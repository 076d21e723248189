//! A flow's parameters, borrowed from wherever the caller keeps them.

use crate::error::{Argument, Error, Status};
use crate::field::Shape;
use crate::radial::Basis;

/// An array of `f64` parameters: native, or little-endian bytes at any alignment (as in a model file).
#[derive(Clone, Copy, Debug)]
pub enum Reals<'a> {
    /// Native numbers.
    Native(&'a [f64]),
    /// Little-endian IEEE doubles, 8 bytes each; fewer than 8 bytes left over at the end do not count.
    LittleEndian(&'a [u8]),
}

impl Reals<'_> {
    /// Number of reals.
    pub fn len(&self) -> usize {
        match self {
            Reals::Native(values) => values.len(),
            Reals::LittleEndian(bytes) => bytes.len() / 8,
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Element `i`; NaN beyond the end.
    pub fn get(&self, i: usize) -> f64 {
        match self {
            Reals::Native(values) => values.get(i).copied().unwrap_or(f64::NAN),
            Reals::LittleEndian(bytes) => {
                bytes.as_chunks::<8>().0.get(i).map_or(f64::NAN, |chunk| f64::from_le_bytes(*chunk))
            }
        }
    }

    /// All elements in order.
    pub fn iter(&self) -> impl Iterator<Item = f64> {
        (0..self.len()).map(|i| self.get(i))
    }
}

/// The parameters of an equivariant kernel flow for N particles in D dimensions with M radial and L time
/// functions; see [`crate::radial`] for the formula.
#[derive(Clone, Copy, Debug)]
pub struct Model<'a> {
    /// Which basis.
    pub basis: Basis,
    /// N and D.
    pub shape: Shape,
    /// W, `[L][M]`.
    pub weights: Reals<'a>,
    /// b, `[L]`; zero when absent.
    pub bias: Option<Reals<'a>>,
    /// a, `[M]`; zero when absent.
    pub importance: Option<Reals<'a>>,
    /// mu, `[M]`, in the unit of length of the configurations.
    pub mu: Reals<'a>,
    /// gamma > 0, `[M]`, in the unit of length of the configurations.
    pub gamma: Reals<'a>,
    /// mu^t, `[L]`.
    pub mu_time: Reals<'a>,
    /// gamma^t > 0, `[L]`.
    pub gamma_time: Reals<'a>,
    /// The normalisation's regulariser, 1e-6 in the paper's experiments; at least 0.
    pub eps: f64,
}

impl<'a> Model<'a> {
    /// Largest N, M and L: what keeps every number of reals or vectors below 2^32.
    pub const MAX_COUNT: usize = 4096;

    /// M, the number of radial functions.
    pub fn n_radial(&self) -> usize {
        self.mu.len()
    }

    /// L, the number of time functions.
    pub fn n_time(&self) -> usize {
        self.mu_time.len()
    }

    /// b_l + sum_m W_lm a_m^2.
    pub(super) fn level(&self, l: usize) -> f64 {
        let m = self.n_radial();
        let mut sum = self.bias.map_or(0.0, |bias| bias.get(l));
        if let Some(importance) = self.importance {
            for (i, a) in importance.iter().enumerate() {
                sum += self.weights.get(l * m + i) * a * a;
            }
        }
        sum
    }

    /// All arrays by name, in the order of the model file.
    pub fn arrays(&self) -> [(Argument, Option<Reals<'a>>); 7] {
        [
            (Argument::Weights, Some(self.weights)),
            (Argument::Bias, self.bias),
            (Argument::Importance, self.importance),
            (Argument::Mu, Some(self.mu)),
            (Argument::Gamma, Some(self.gamma)),
            (Argument::MuTime, Some(self.mu_time)),
            (Argument::GammaTime, Some(self.gamma_time)),
        ]
    }

    /// Checks sizes, ranges and that every parameter is finite.
    ///
    /// # Errors
    /// [`Status::Shape`] for sizes, [`Status::NonFinite`] or [`Status::Model`] for values; names field and index.
    pub fn check(&self) -> Result<(), Error> {
        self.check_sizes()?;
        for (argument, values) in self.arrays() {
            for (index, value) in values.iter().flat_map(Reals::iter).enumerate() {
                if !value.is_finite() {
                    return Err(Error::at(Status::NonFinite, argument, index, value));
                }
            }
        }
        for (argument, values) in [(Argument::Gamma, self.gamma), (Argument::GammaTime, self.gamma_time)] {
            for (index, value) in values.iter().enumerate() {
                if value <= 0.0 {
                    return Err(Error::at(Status::Model, argument, index, value));
                }
            }
        }
        if !self.eps.is_finite() {
            return Err(Error::new(Status::NonFinite, Argument::Eps, self.eps));
        }
        if self.eps < 0.0 {
            return Err(Error::new(Status::Model, Argument::Eps, self.eps));
        }
        Ok(())
    }

    fn check_sizes(&self) -> Result<(), Error> {
        let (m, l) = (self.n_radial(), self.n_time());
        for (argument, count, most) in [
            (Argument::NParticles, self.shape.particles, Self::MAX_COUNT),
            (Argument::Dimension, self.shape.dimension, 3),
            (Argument::NRadial, m, Self::MAX_COUNT),
            (Argument::NTime, l, Self::MAX_COUNT),
        ] {
            if count == 0 || count > most {
                return Err(Error::new(Status::Shape, argument, count as f64));
            }
        }
        let lengths = [
            (Argument::Weights, Some(self.weights), l * m),
            (Argument::Bias, self.bias, l),
            (Argument::Importance, self.importance, m),
            (Argument::Gamma, Some(self.gamma), m),
            (Argument::GammaTime, Some(self.gamma_time), l),
        ];
        for (argument, values, length) in lengths {
            if let Some(values) = values
                && values.len() != length
            {
                return Err(Error::new(Status::Shape, argument, length as f64));
            }
        }
        Ok(())
    }
}
