"""What the programs share that compare eqflow's LJ-13 potential inside a molecular-dynamics engine with the engine's own
forces (examples/lammps, examples/openmm): the configurations, the comparison, and what counts as agreement."""

import numpy as np

import eqflow

N, STEPS = 13, 2000
WELL = eqflow.LennardJones()


def cluster_samples(n):
    """Configurations near equilibrium: 20000 Metropolis steps from a loose cube."""
    grid = np.array([(i, j, k) for i in range(3) for j in range(3) for k in range(3)][:N], float)
    x = np.repeat((1.1 * (grid - grid.mean(axis=0)))[None], n, axis=0)
    u = WELL.energy(x)
    for step in range(20000):
        eqflow.metropolis(WELL, x, u, 0.03, seed=1, first=0, step=step)
    return x


def velocities():
    """Normal velocities that move no centre of mass, [N, 3]."""
    v = np.random.default_rng(2).normal(size=(N, 3))
    return v - v.mean(axis=0)


def compare_forces(evaluate, own, ours, clusters):
    """Prints how far energies and forces of two engines differ; returns whether they agree. `evaluate` maps an engine and
    positions, [N, 3], to both."""
    worst_energy = worst_force = 0.0
    for x in clusters:
        (e, f), (e_ours, f_ours) = evaluate(own, x), evaluate(ours, x)
        worst_energy = max(worst_energy, abs(e - e_ours) / abs(e))
        worst_force = max(worst_force, abs(f - f_ours).max() / abs(f).max())
    print(f"{len(clusters)} configurations, energies {e:.4f} to the last")
    print(f"largest relative difference of energies  {worst_energy:.1e}")
    print(f"largest difference of forces, relative   {worst_force:.1e}")
    return worst_energy <= 1e-10 and worst_force <= 1e-8


def compare_drifts(whose, drift, drift_ours):
    """Prints the changes of the total energy along two trajectories; returns whether eqflow's is as small."""
    print(f"{STEPS} steps of constant energy: drift   {drift:.2e} by {whose}, {drift_ours:.2e} by eqflow")
    return drift_ours <= 2 * drift + 1e-6
