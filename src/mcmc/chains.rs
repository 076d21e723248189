//! Many chains in the caller's memory, their random numbers, and the rule by which they move.

use crate::error::{Argument, Error, Missing, Status};
use crate::field::Shape;
use crate::flow::check_finite;
use crate::lanes::{Block, Real, copy, part_mut};
use crate::random::{Normals, Purpose, Stream, step_seed};

/// Chains that make one step together.
#[derive(Debug)]
pub struct Chains<'a, R> {
    /// Configurations of zero centre of mass, `[n][N][D]`.
    pub x: &'a mut [R],
    /// Their energies in units of kT, finite, `[n]`.
    pub u: &'a mut [R],
    /// Accepted proposals of each chain, `[n]`: the step adds one where a chain moves.
    pub accepted: Option<&'a mut [u64]>,
}

/// Names the random numbers of a step: chain i of a batch draws those of (seed, first + i, step), whatever chains move
/// with it and on however many calls they are spread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Draws {
    /// Seed of the run.
    pub seed: u64,
    /// Number of the batch's first chain in the run.
    pub first: u64,
    /// Number of the step in the run; a number that comes twice repeats its random numbers.
    pub step: u64,
}

impl Draws {
    /// The seed of this step.
    pub(super) fn step_seed(&self) -> u64 {
        step_seed(self.seed, self.step)
    }

    /// By how much the cost of chain `i` may rise, an exponential variate, and the normals of its proposal.
    pub(super) fn chain(&self, i: usize) -> (f64, Normals) {
        let index = self.first.wrapping_add(i as u64);
        let mut normals = Normals::new(Stream::new(self.step_seed(), Purpose::Chain, index));
        (-libm::log(normals.next_unit()), normals)
    }
}

impl<R: Real> Chains<'_, R> {
    /// The number of chains: lengths fit, positions and energies are finite.
    pub(super) fn check(&self, shape: Shape) -> Result<usize, Error> {
        if shape.particles == 0 {
            return Err(Error::new(Status::Shape, Argument::NParticles, 0.0));
        }
        if shape.dimension == 0 || shape.dimension > 3 {
            return Err(Error::new(Status::Shape, Argument::Dimension, shape.dimension as f64));
        }
        let n = self.u.len();
        let wanted = n.checked_mul(shape.coordinates());
        if wanted != Some(self.x.len()) {
            return Err(Error::new(Status::Shape, Argument::X, n as f64));
        }
        if self.accepted.as_ref().is_some_and(|accepted| accepted.len() != n) {
            return Err(Error::new(Status::Shape, Argument::Accepted, n as f64));
        }
        check_finite(Argument::X, self.x)?;
        check_finite(Argument::Energy, self.u)?;
        Ok(n)
    }

    /// Moves chain `i` to a proposal of energy `u` where `change`, the rise of its cost, is below what the draws allow
    /// (Metropolis et al. 1953) and the energy is finite. Says whether it moved.
    pub(super) fn accept(
        &mut self,
        i: usize,
        draws: &Draws,
        change: f64,
        proposal: &[R],
        u: R,
    ) -> Result<bool, Missing> {
        let moves = change < draws.chain(i).0 && u.is_finite();
        if moves {
            copy(proposal, part_mut(self.x, i * proposal.len(), proposal.len())?)?;
            *self.u.get_mut(i).ok_or(Missing)? = u;
            if let Some(accepted) = &mut self.accepted {
                let accepted = accepted.get_mut(i).ok_or(Missing)?;
                *accepted = accepted.wrapping_add(1);
            }
        }
        Ok(moves)
    }
}

/// Blocks for `n` proposals of `each` reals.
pub(super) fn proposals_extent<R: Real>(n: usize, each: usize) -> Result<usize, Error> {
    let reals = n.checked_mul(each).filter(|&reals| reals <= isize::MAX as usize / size_of::<R>());
    reals.map(Block::count::<R>).ok_or(Error::new(Status::Shape, Argument::Count, n as f64))
}

/// The first `blocks` of a workspace, and the rest.
pub(super) fn take_blocks(work: &mut [Block], blocks: usize) -> Result<(&mut [Block], &mut [Block]), Error> {
    work.split_at_mut_checked(blocks).ok_or(Error::new(Status::Workspace, Argument::Work, blocks as f64))
}

/// Asks for the energies of the proposals `x`; what the call does not write stays NaN, which no chain accepts.
pub(super) fn energies_of<R: Real>(
    energies: impl FnOnce(&[R], &mut [R]) -> Result<(), Error>,
    x: &[R],
    u: &mut [R],
) -> Result<(), Error> {
    u.fill(R::from_f64(f64::NAN));
    energies(x, u)
}
