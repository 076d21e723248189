//! Random-walk Metropolis.

use super::chains::{Chains, Draws, energies_of, proposals_extent, take_blocks, take_reals};
use crate::error::{Argument, Error, Status};
use crate::field::Shape;
use crate::lanes::{Block, Lanes, Real, part};
use crate::particles::remove_com;
use crate::potential::{Moved, Potential, coordinate};
use crate::random::{Normals, Stream};

/// One random-walk Metropolis step for the chains in the lanes of one vector.
///
/// Proposes x + `step_size` times a standard normal on the zero-CoM subspace (all particles at once) and
/// accepts with probability min(1, exp(u(x) - u(x'))). `x` is `[N][D]`, `energy` its potential energy, both
/// updated in place; lane i draws from `random[i]` (as many as there are lanes); `proposal` is scratch of x's
/// length. Returns one in lanes that accepted and zero in the others; a NaN energy is never
/// accepted. A chain must start at an energy that is neither NaN nor minus infinity: it could never leave.
pub fn metropolis_step<V: Lanes>(
    potential: &(impl Potential<V> + ?Sized),
    shape: Shape,
    step_size: V::Real,
    x: &mut [V],
    energy: &mut V,
    random: &mut [Normals],
    proposal: &mut [V],
) -> V {
    random_walk(shape, step_size, x, random, proposal);
    let proposed = potential.energy(shape, proposal, None);
    let allowed = V::from_fn(|i| V::Real::from_f64(-libm::log(random[i].next_unit())));
    judge(x, energy, proposal, proposed, allowed)
}

/// As [`metropolis_step`] with a proposal that costs little to draw: each coordinate of the move is uniform, with
/// standard deviation `step_size` (Metropolis et al. 1953 moved so), before the centre of mass is removed.
///
/// Where energies are cheap this is the faster walk: normals cost more than the energy of a small cluster. A word of
/// `random` (as many as there are lanes) makes two coordinates, with 32 bits each; a last one makes the decision.
pub fn metropolis_cube_step<V: Lanes>(
    potential: &(impl Potential<V> + ?Sized),
    shape: Shape,
    step_size: V::Real,
    x: &mut [V],
    energy: &mut V,
    random: &mut [Stream],
    proposal: &mut [V],
) -> V {
    cube_walk(shape, step_size, x, random, proposal);
    let proposed = potential.energy(shape, proposal, None);
    let allowed = rises_allowed(random);
    judge(x, energy, proposal, proposed, allowed)
}

/// By how much each lane's energy may rise.
fn rises_allowed<V: Lanes>(random: &mut [Stream]) -> V {
    let mut unit = |i: usize| random.get_mut(i).map_or(f64::NAN, Stream::next_unit);
    V::from_fn(|i| V::Real::from_f64(-libm::log(unit(i))))
}

/// Writes x + a uniform move with standard deviation `step_size` of each coordinate, less its centre of mass, to `proposal`.
fn cube_walk<V: Lanes>(shape: Shape, step_size: V::Real, x: &[V], random: &mut [Stream], proposal: &mut [V]) {
    V::vectorize(
        #[inline(always)]
        || {
            cube_moves(random, proposal);
            remove_com(shape, proposal, &mut [V::zero(); 3]);
            for (proposal, &x) in proposal.iter_mut().zip(x) {
                *proposal = x + cube_length::<V>(step_size) * *proposal;
            }
        },
    );
}

/// What takes [`cube_moves`] to uniform numbers of standard deviation `step_size`: on (-1, 1) they have variance 1/3.
#[inline(always)]
fn cube_length<V: Lanes>(step_size: V::Real) -> V {
    V::splat(step_size) * V::constant(SQRT_3 / 2_147_483_648.0)
}

/// One step by a move of one particle for the chains in the lanes of one vector: in each lane one particle, drawn at random,
/// moves by uniform numbers with standard deviation `step_size`, accepted with probability min(1, exp(u(x) - u(x'))).
///
/// The change of the energy is [`Potential::change`]: N - 1 pairs for the potentials of this crate instead of all. The
/// centre of mass is removed afterwards, so energies must not depend on it. `energy` gains what is accepted: its rounding
/// errors add up, to some 1e-12 of its magnitude in 1e5 steps (1e-3 in `f32`: evaluate it afresh now and then). Arguments
/// otherwise as of [`metropolis_cube_step`]; N of these steps are a sweep.
pub fn metropolis_particle_step<V: Lanes>(
    potential: &(impl Potential<V> + ?Sized),
    shape: Shape,
    step_size: V::Real,
    x: &mut [V],
    energy: &mut V,
    random: &mut [Stream],
    scratch: &mut [V],
) -> V {
    let mut moved = [0; MOST_LANES];
    for (moved, stream) in moved.iter_mut().zip(random.iter_mut()) {
        *moved = stream.next_below(shape.particles.max(1) as u64) as usize;
    }
    let mut to = [V::zero(); 3];
    let to = to.get_mut(..shape.dimension).unwrap_or_default();
    cube_moves(random, to);
    V::vectorize(
        #[inline(always)]
        || {
            for (k, to) in to.iter_mut().enumerate() {
                *to = coordinate(shape, x, &moved, k) + cube_length::<V>(step_size) * *to;
            }
        },
    );
    let moved = Moved { particle: &moved, to };
    let change = potential.change(shape, x, *energy, moved, scratch);
    let allowed: V = rises_allowed(random);
    V::vectorize(
        #[inline(always)]
        || {
            for (particle, x) in x.chunks_exact_mut(shape.dimension.max(1)).enumerate() {
                let is = moved.is(particle);
                for (x, &to) in x.iter_mut().zip(moved.to) {
                    let there = V::zero().select_less(is, to, *x);
                    *x = change.select_less(allowed, there, *x);
                }
            }
            remove_com(shape, x, &mut [V::zero(); 3]);
            *energy += change.select_less(allowed, change, V::zero());
            change.select_less(allowed, V::constant(1.0), V::zero())
        },
    )
}

const SQRT_3: f64 = 1.732_050_807_568_877_2;
/// Lanes of the widest vector.
const MOST_LANES: usize = 16;

/// Writes odd whole numbers between -2^31 and 2^31, each as likely as its negative, two from a word of each lane's stream.
#[inline(always)]
fn cube_moves<V: Lanes>(random: &mut [Stream], moves: &mut [V]) {
    let mut words = [0_u64; MOST_LANES];
    for pair in moves.chunks_mut(2) {
        for (word, stream) in words.iter_mut().zip(random.iter_mut()) {
            *word = stream.next_u64();
        }
        for (half, move_) in pair.iter_mut().enumerate() {
            let bits = |i: usize| words.get(i).map_or(0, |word| (word >> (32 * half)) as u32 | 1);
            *move_ = V::from_fn(|i| V::Real::from_f64(f64::from(bits(i) as i32)));
        }
    }
}

/// Moves each lane to its proposal where the energy rises by less than is `allowed`; one in lanes that moved, else zero.
fn judge<V: Lanes>(x: &mut [V], energy: &mut V, proposal: &[V], proposed: V, allowed: V) -> V {
    V::vectorize(
        #[inline(always)]
        || {
            let change = proposed - *energy;
            for (x, &proposal) in x.iter_mut().zip(proposal) {
                *x = change.select_less(allowed, proposal, *x);
            }
            *energy = change.select_less(allowed, proposed, *energy);
            change.select_less(allowed, V::constant(1.0), V::zero())
        },
    )
}

/// Writes x + `step_size` times a standard normal on the zero-CoM subspace to `proposal`.
pub(super) fn random_walk<V: Lanes>(
    shape: Shape,
    step_size: V::Real,
    x: &[V],
    random: &mut [Normals],
    proposal: &mut [V],
) {
    for move_ in proposal.iter_mut() {
        *move_ = V::from_fn(|i| V::Real::from_f64(random[i].next_normal()));
    }
    V::vectorize(
        #[inline(always)]
        || {
            remove_com(shape, proposal, &mut [V::zero(); 3]);
            for (proposal, &x) in proposal.iter_mut().zip(x) {
                *proposal = x + V::splat(step_size) * *proposal;
            }
        },
    );
}

/// Blocks of workspace that [`metropolis`], [`metropolis_cube`] and [`metropolis_particle`] take for `n` chains.
///
/// # Errors
/// [`Status::Shape`] where the size overflows.
pub fn metropolis_extent<R: Real>(shape: Shape, n: usize) -> Result<usize, Error> {
    proposals_extent::<R>(n, shape.coordinates().saturating_add(1))
}

/// One random-walk Metropolis step of many chains: x' = x + `step_size` times a standard normal on the zero-CoM
/// subspace, accepted with probability min(1, exp(u(x) - u(x'))).
///
/// `energies(x, u)` is called once: it writes u(x'), `[n]`, in units of kT, for proposals `[n][N][D]` of zero centre of
/// mass. A proposal whose energy is not finite, or is not written, is refused. Cost besides it: (N D + 1) random numbers
/// a chain.
///
/// # Errors
/// [`Status::Shape`] for lengths, [`Status::NonFinite`] for `chains.x`, `chains.u` and the step size,
/// [`Status::Argument`] for a step size that is not above 0, [`Status::Workspace`] (the value is what it takes), and what
/// `energies` returns. No chain has changed then.
pub fn metropolis<R: Real>(
    shape: Shape,
    step_size: R,
    draws: Draws,
    chains: Chains<'_, R>,
    energies: impl FnOnce(&[R], &mut [R]) -> Result<(), Error>,
    work: &mut [Block],
) -> Result<(), Error> {
    walk(shape, step_size, draws, chains, energies, work, |normals, x, proposal| {
        random_walk(shape, step_size, x, core::slice::from_mut(normals), proposal);
    })
}

/// As [`metropolis`] with moves that cost little to draw: those of [`metropolis_cube_step`]. Cost besides `energies`:
/// (N D + 3) / 2 random words a chain.
///
/// # Errors
/// Those of [`metropolis`].
pub fn metropolis_cube<R: Real>(
    shape: Shape,
    step_size: R,
    draws: Draws,
    chains: Chains<'_, R>,
    energies: impl FnOnce(&[R], &mut [R]) -> Result<(), Error>,
    work: &mut [Block],
) -> Result<(), Error> {
    walk(shape, step_size, draws, chains, energies, work, |normals, x, proposal| {
        cube_walk(shape, step_size, x, core::slice::from_mut(normals.stream()), proposal);
    })
}

/// One step of many chains by moves of single particles: one of them, drawn anew for each chain and step, moves by
/// `step_size` times a standard normal, and the centre of mass is removed from what results; accepted with probability
/// min(1, exp(u(x) - u(x'))).
///
/// The move back is as likely as the move, so each step keeps exp(-u) by itself (a sweep in fixed order would do so only
/// as a whole). N of them make a sweep. `energies`, workspace, and errors are those of [`metropolis`]; the cost besides
/// `energies` is (D + 2) random numbers a chain.
///
/// # Errors
/// Those of [`metropolis`].
pub fn metropolis_particle<R: Real>(
    shape: Shape,
    step_size: R,
    draws: Draws,
    chains: Chains<'_, R>,
    energies: impl FnOnce(&[R], &mut [R]) -> Result<(), Error>,
    work: &mut [Block],
) -> Result<(), Error> {
    walk(shape, step_size, draws, chains, energies, work, |normals, x, proposal| {
        move_particle(shape, step_size, x, normals, proposal);
    })
}

/// Writes `x` with one particle, chosen by the draws, moved by `step_size` times a standard normal to `proposal`.
fn move_particle<R: Real>(shape: Shape, step_size: R, x: &[R], normals: &mut Normals, proposal: &mut [R]) {
    for (proposal, &x) in proposal.iter_mut().zip(x) {
        *proposal = x;
    }
    let chosen = normals.next_below(shape.particles as u64) as usize;
    for x in proposal.iter_mut().skip(chosen * shape.dimension).take(shape.dimension) {
        *x += step_size * R::from_f64(normals.next_normal());
    }
}

/// One step with the proposals of `propose(normals, x, proposal)`, which must be symmetric: x' is as likely from x as x
/// is from x'. The centre of mass is removed from them.
fn walk<R: Real>(
    shape: Shape,
    step_size: R,
    draws: Draws,
    mut chains: Chains<'_, R>,
    energies: impl FnOnce(&[R], &mut [R]) -> Result<(), Error>,
    work: &mut [Block],
    propose: impl Fn(&mut Normals, &[R], &mut [R]),
) -> Result<(), Error> {
    let n = chains.check(shape)?;
    check_step_size(step_size)?;
    if n == 0 {
        return Ok(());
    }
    let (work, _) = take_blocks(work, metropolis_extent::<R>(shape, n)?)?;
    let mut work = Block::reals_mut(work);
    let proposals = take_reals(&mut work, n * shape.coordinates())?;
    let proposed = take_reals(&mut work, n)?;
    let coordinates = shape.coordinates();
    for (i, proposal) in proposals.chunks_exact_mut(coordinates).enumerate() {
        let x = part(chains.x, i * coordinates, coordinates)?;
        let (_, mut normals) = draws.chain(i);
        propose(&mut normals, x, proposal);
        // Rounding would let the centre of mass drift, step by step.
        remove_com(shape, proposal, &mut [R::default(); 3]);
    }
    energies_of(energies, proposals, proposed)?;
    for (i, (proposal, &u)) in proposals.chunks_exact(shape.coordinates()).zip(&*proposed).enumerate() {
        let change = u.to_f64() - chains.energy(i);
        chains.accept(i, &draws, change, proposal, u)?;
    }
    Ok(())
}

pub(super) fn check_step_size<R: Real>(step_size: R) -> Result<(), Error> {
    let status = match step_size.to_f64() {
        value if !value.is_finite() => Status::NonFinite,
        value if value <= 0.0 => Status::Argument,
        _ => return Ok(()),
    };
    Err(Error::new(status, Argument::StepSize, step_size.to_f64()))
}
