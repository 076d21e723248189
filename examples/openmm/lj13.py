"""eqflow's LJ-13 potential inside OpenMM, by `PythonForce`, against OpenMM's own custom forces:

    python lj13.py

compares energies and forces of a hundred configurations on the Reference platform (double precision), and the total energy
of a short trajectory that either drives. Lengths are in nm and energies in kJ/mol there, so kT, the unit of eqflow's
energies, is taken for 1 kJ/mol. README.md beside this file says how to set it up."""

import sys

import numpy as np
import openmm
from openmm import unit

from lj13_comparison import N, STEPS, WELL, cluster_samples, compare_drifts, compare_forces, velocities


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


def main():
    own, ours = context(own_forces()), context(openmm.PythonForce(external))
    clusters, v = cluster_samples(100), velocities()
    agree = compare_forces(evaluate, own, ours, clusters)
    drifts = (energy_drift(engine, clusters[0], v) for engine in (own, ours))
    return 0 if compare_drifts("OpenMM's forces", *drifts) and agree else 1


if __name__ == "__main__":
    sys.exit(main())
