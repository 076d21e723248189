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

    /// The uniform number on (0, 1] by which chain `i` is judged, and the normals of its proposal.
    pub(super) fn chain(&self, i: usize) -> (f64, Normals) {
        self.stream(Purpose::Chain, i)
    }

    /// The uniform number on (0, 1] by which the exchange between two replicas in ladder `i` is judged.
    pub(crate) fn exchange(&self, i: usize) -> f64 {
        self.stream(Purpose::Exchange, i).0
    }

    fn stream(&self, purpose: Purpose, i: usize) -> (f64, Normals) {
        let index = self.first.wrapping_add(i as u64);
        let mut normals = Normals::new(Stream::new(self.step_seed(), purpose, index));
        (normals.next_unit(), normals)
    }
}

/// Whether a move that raises the cost by `change` happens, where `unit` is uniform on (0, 1]: with probability
/// min(1, exp(-change)) (Metropolis et al. 1953), never where `change` is NaN.
pub(crate) fn accepts(change: f64, unit: f64) -> bool {
    change < -libm::log(unit)
}

impl<R: Real> Chains<'_, R> {
    /// The number of chains: lengths fit, positions and energies are finite.
    pub(super) fn check(&self, shape: Shape) -> Result<usize, Error> {
        let n = self.check_positions(shape, self.u.len(), Argument::X)?;
        self.check_rest(n)?;
        Ok(n)
    }

    /// `n`, where that is the number of chains; positions, which are argument `name`, are finite.
    pub(super) fn check_positions(&self, shape: Shape, n: usize, name: Argument) -> Result<usize, Error> {
        if shape.particles == 0 {
            return Err(Error::new(Status::Shape, Argument::NParticles, 0.0));
        }
        if shape.dimension == 0 || shape.dimension > 3 {
            return Err(Error::new(Status::Shape, Argument::Dimension, shape.dimension as f64));
        }
        let wanted = n.checked_mul(shape.coordinates());
        if wanted != Some(self.x.len()) {
            return Err(Error::new(Status::Shape, name, n as f64));
        }
        check_finite(name, self.x)?;
        Ok(n)
    }

    /// Counters and energies of `n` chains.
    pub(super) fn check_rest(&self, n: usize) -> Result<(), Error> {
        if self.accepted.as_ref().is_some_and(|accepted| accepted.len() != n) {
            return Err(Error::new(Status::Shape, Argument::Accepted, n as f64));
        }
        check_finite(Argument::Energy, self.u)
    }

    /// The energy of chain `i`; NaN beyond the last.
    pub(super) fn energy(&self, i: usize) -> f64 {
        self.u.get(i).map_or(f64::NAN, |u| u.to_f64())
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
        let moves = accepts(change, draws.chain(i).0) && u.is_finite();
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

/// The first `n` reals of a workspace, which it loses.
pub(super) fn take_reals<'w, R>(work: &mut &'w mut [R], n: usize) -> Result<&'w mut [R], Error> {
    work.split_off_mut(..n).ok_or(Error::new(Status::Workspace, Argument::Work, n as f64))
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Four states whose energies are multiples of log 2, so that a fine grid of units counts probabilities exactly.
    const LEVELS: [i32; 4] = [0, 3, 1, 2];
    const GRID: u32 = 1 << 10;

    fn energy(state: usize) -> f64 {
        f64::from(LEVELS[state]) * core::f64::consts::LN_2
    }

    /// How many of the grid's units accept a rise by `change`: middles of cells, so that none lies on a boundary.
    fn accepted(change: f64) -> u32 {
        (0..GRID).filter(|k| accepts(change, (f64::from(*k) + 0.5) / f64::from(GRID))).count() as u32
    }

    /// Weights 2^-level, in units of 1/8.
    fn weight(state: usize) -> u32 {
        8 >> LEVELS[state]
    }

    #[test]
    fn symmetric_moves_on_four_states_are_in_detailed_balance() {
        for a in 0..4 {
            for b in 0..4 {
                let [there, back] = [energy(b) - energy(a), energy(a) - energy(b)].map(accepted);
                assert_eq!(weight(a) * there, weight(b) * back, "{a} {b}");
                assert!(there == GRID || back == GRID, "one of the two is certain");
            }
        }
    }

    /// Proposals with probabilities 1/8, 1/4, 1/8, 1/2, whatever the state (Hastings 1970).
    #[test]
    fn independent_proposals_on_four_states_are_in_detailed_balance() {
        const LOG2_PROPOSAL: [i32; 4] = [-3, -2, -3, -1];
        let log_weight = |s: usize| -energy(s) - f64::from(LOG2_PROPOSAL[s]) * core::f64::consts::LN_2;
        for a in 0..4 {
            for b in 0..4 {
                let flow = |from: usize, to: usize| {
                    weight(from) * (8 >> -LOG2_PROPOSAL[to]) * accepted(log_weight(from) - log_weight(to))
                };
                assert_eq!(flow(a, b), flow(b, a), "{a} {b}");
            }
        }
    }

    /// Two replicas, the second at half the inverse temperature of the first: 16 joint states.
    #[test]
    fn exchanges_on_four_states_are_in_detailed_balance() {
        let joint = |a: usize, b: usize| 2 * LEVELS[a] + LEVELS[b];
        for a in 0..4 {
            for b in 0..4 {
                let cost = |first: usize, second: usize| 2.0 * energy(first) + energy(second);
                let [there, back] = [cost(b, a) - cost(a, b), cost(a, b) - cost(b, a)].map(accepted);
                let weight = |level: i32| 1_u64 << (16 - level);
                let flow = |level: i32, count: u32| weight(level) * u64::from(count);
                assert_eq!(flow(joint(a, b), there), flow(joint(b, a), back), "{a} {b}");
            }
        }
    }

    #[test]
    fn what_is_not_a_number_is_never_accepted() {
        assert_eq!(accepted(f64::NAN), 0);
        assert_eq!(accepted(f64::INFINITY), 0);
        assert!(!accepts(f64::NAN, f64::MIN_POSITIVE));
    }
}
