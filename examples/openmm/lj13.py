"""eqflow's LJ-13 potential inside OpenMM, by `PythonForce`, against OpenMM's own custom forces:

    python lj13.py

compares energies and forces of a hundred configurations on the Reference platform (double precision), and the total energy
of a short trajectory that either drives. Lengths are in nm and energies in kJ/mol there, so kT, the unit of eqflow's
energies, is taken for 1 kJ/mol. README.md beside this file says how to set it up."""

import sys

import numpy as np
import openmm
from openmm import unit

import eqflow

N, STEPS = 13, 2000
WELL = eqflow.LennardJones()


def context(*forces):
    """13 particles of mass 1 under these forces."""
    system = openmm.System()
    for _ in range(N):
        system.addParticle(1.0)
    for force in forces:
        system.addForce(force)
    return openmm.Context(system, openmm.VerletIntegrator(0.0005), openmm.Platform.getPlatformByName("Reference"))


def own_forces():
    """Lennard-Jones pairs and the tether to the centre of mass, k/2 sum_i |x_i - com|^2 = k/(2N) sum_(i<j) d_ij^2."""
    pairs = openmm.CustomBondForce("epsilon*((r_m/r)^12-2*(r_m/r)^6)+k/(2*N)*r^2")
    for name, value in (("epsilon", WELL.c.epsilon), ("r_m", WELL.c.r_m), ("k", WELL.c.oscillator), ("N", N)):
        pairs.addGlobalParameter(name, value)
    for i in range(N):
        for j in range(i):
            pairs.addBond(i, j)
    return pairs


def external(state):
    """The same energies and forces by a call of eqflow."""
    x = np.ascontiguousarray(state.getPositions(asNumpy=True).value_in_unit(unit.nanometer))
    u, gradient = WELL.energy(x.reshape(1, N, 3), gradient=True)
    return u[0], -gradient[0]


def evaluate(context, x):
    """Energy and forces at x, [N, 3]."""
    context.setPositions(x)
    state = context.getState(getEnergy=True, getForces=True)
    energy = state.getPotentialEnergy().value_in_unit(unit.kilojoule_per_mole)
    return energy, state.getForces(asNumpy=True).value_in_unit(unit.kilojoule_per_mole / unit.nanometer)


def total_energy(context):
    state = context.getState(getEnergy=True)
    return (state.getPotentialEnergy() + state.getKineticEnergy()).value_in_unit(unit.kilojoule_per_mole)


def energy_drift(context, x, v):
    """Largest change of the total energy along a trajectory."""
    context.setPositions(x)
    context.setVelocities(v)
    start, worst = total_energy(context), 0.0
    for _ in range(STEPS // 100):
        context.getIntegrator().step(100)
        worst = max(worst, abs(total_energy(context) - start))
    return worst


def cluster_samples(n):
    """Configurations near equilibrium: 20000 Metropolis steps from a loose cube."""
    grid = np.array([(i, j, k) for i in range(3) for j in range(3) for k in range(3)][:N], float)
    x = np.repeat((1.1 * (grid - grid.mean(axis=0)))[None], n, axis=0)
    u = WELL.energy(x)
    for step in range(20000):
        eqflow.metropolis(WELL, x, u, 0.03, seed=1, first=0, step=step)
    return x


def main():
    own, ours = context(own_forces()), context(openmm.PythonForce(external))
    clusters = cluster_samples(100)
    worst_energy = worst_force = 0.0
    for x in clusters:
        (e, f), (e_ours, f_ours) = evaluate(own, x), evaluate(ours, x)
        worst_energy = max(worst_energy, abs(e - e_ours) / abs(e))
        worst_force = max(worst_force, abs(f - f_ours).max() / abs(f).max())
    print(f"{len(clusters)} configurations, energies {e:.4f} to the last")
    print(f"largest relative difference of energies  {worst_energy:.1e}")
    print(f"largest difference of forces, relative   {worst_force:.1e}")
    v = np.random.default_rng(2).normal(size=(N, 3))
    v -= v.mean(axis=0)
    drift, drift_ours = (energy_drift(engine, clusters[0], v) for engine in (own, ours))
    print(f"{STEPS} steps of constant energy: drift   {drift:.2e} by OpenMM's forces, {drift_ours:.2e} by eqflow")
    return 0 if worst_energy <= 1e-10 and worst_force <= 1e-8 and drift_ours <= 2 * drift + 1e-6 else 1


if __name__ == "__main__":
    sys.exit(main())
