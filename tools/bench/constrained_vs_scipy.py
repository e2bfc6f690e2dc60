"""Counts the problems of Hock and Schittkowski that this project, SciPy's SLSQP and Ipopt solve, and writes docs/benchmarks.md.

All start from the book's points and have first derivatives alone, from one program: constrained_vs_scipy_ours. Ipopt (through ipyopt)
approximates Hessians by limited memory. A problem is solved where no constraint or bound is violated by more than 1e-6 and the value
is at most f* + 1e-5 max(1, |f*|). Evaluations are the points at which a program asked for anything.
"""

import argparse
import math
import os
import statistics
import sys
from importlib.metadata import version

import ipyopt
import numpy as np
from scipy.optimize import minimize

import benchmarks_page
from program import Program

HERE = os.path.dirname(os.path.abspath(__file__))
MOST_EVALUATIONS = 20000
SOLVED_VIOLATION, SOLVED_VALUE = 1e-6, 1e-5


class Problem:
    """Functions of a point, asked for once at each; not numbers beyond MOST_EVALUATIONS, which ends all programs."""

    def __init__(self, oracle, description):
        self.oracle, self.number, self.optimum = oracle, description["number"], description["optimum"]
        self.start = np.array(description["start"], dtype=float)
        self.lower = np.array([-math.inf if bound is None else bound for bound in description["lower"]])
        self.upper = np.array([math.inf if bound is None else bound for bound in description["upper"]])
        self.equalities, self.constraints = description["equalities"], description["constraints"]
        self.evaluations, self.last = 0, None

    def at(self, x):
        if self.last is None or not np.array_equal(self.last[0], x):
            self.evaluations += 1
            if self.evaluations > MOST_EVALUATIONS or not np.all(np.isfinite(x)):
                answer = {"value": None, "gradient": [None] * len(x), "constraints": [None] * self.constraints,
                          "jacobian": [None] * len(x) * self.constraints}
            else:
                answer = self.oracle.ask({"evaluate": self.number, "x": [float(element) for element in x]})
            self.last = (np.array(x), {name: np.array(numbers, dtype=float) for name, numbers in answer.items()})
        return self.last[1]

    def value(self, x):
        return float(self.at(x)["value"])

    def gradient(self, x):
        return self.at(x)["gradient"]

    def constraint(self, x):
        return self.at(x)["constraints"]

    def jacobian(self, x):
        return self.at(x)["jacobian"].reshape(self.constraints, len(x))

    def solved(self, x):
        x = np.asarray(x)
        if not np.all(np.isfinite(x)):
            return False
        c = self.constraint(x)
        violation = max([0, *np.abs(c[:self.equalities]), *-c[self.equalities:], *(self.lower - x), *(x - self.upper)])
        return bool(violation <= SOLVED_VIOLATION
                    and self.value(x) <= self.optimum + SOLVED_VALUE * max(1, abs(self.optimum)))


def run_slsqp(problem, tolerance):
    equalities = problem.equalities
    constraints = []
    if equalities:
        constraints.append({"type": "eq", "fun": lambda x: problem.constraint(x)[:equalities],
                            "jac": lambda x: problem.jacobian(x)[:equalities]})
    if problem.constraints > equalities:
        constraints.append({"type": "ineq", "fun": lambda x: problem.constraint(x)[equalities:],
                            "jac": lambda x: problem.jacobian(x)[equalities:]})
    result = minimize(problem.value, problem.start, jac=problem.gradient, method="SLSQP", constraints=constraints,
                      bounds=list(zip(problem.lower, problem.upper)), options={"ftol": tolerance, "maxiter": 1000})
    return result.x, result.success


def run_ipopt(problem, tolerance):
    size, constraints = len(problem.start), problem.constraints
    infinity = 2e19  # Ipopt's own
    rows, columns = np.repeat(np.arange(constraints), size), np.tile(np.arange(size), constraints)

    def fill(out, numbers):
        out[()] = np.ravel(numbers)
        return out

    solver = ipyopt.Problem(
        size, np.maximum(problem.lower, -infinity), np.minimum(problem.upper, infinity), constraints, np.zeros(constraints),
        np.where(np.arange(constraints) < problem.equalities, 0.0, infinity), (rows, columns), ([], []), problem.value,
        lambda x, out: fill(out, problem.gradient(x)), lambda x, out: fill(out, problem.constraint(x)),
        lambda x, out: fill(out, problem.jacobian(x)),
        ipopt_options={"tol": tolerance, "constr_viol_tol": tolerance, "bound_relax_factor": 0.0, "print_level": 0, "sb": "yes",
                       "hessian_approximation": "limited-memory", "max_iter": 3000})
    x, _, status = solver.solve(problem.start.copy())
    return x, status == 0


def run_peer(run, problem, tolerance):
    try:
        x, converged = run(problem, tolerance)
    except (ArithmeticError, ValueError, RuntimeError) as error:
        print(f"HS{problem.number}: {run.__name__}: {type(error).__name__} {error}", file=sys.stderr)
        x, converged = (problem.last[0] if problem.last else problem.start), False
    evaluations = problem.evaluations
    problem.evaluations = 0
    return {"solved": problem.solved(x), "evaluations": evaluations, "converged": converged}


def measure(oracle, descriptions, arguments):
    runs = {"plumb": [], "SLSQP": [], "Ipopt": []}
    for description in descriptions:
        answer = oracle.ask({"solve": description["number"], "tolerance": arguments.tolerance})
        problem = Problem(oracle, description)
        runs["plumb"].append({"solved": problem.solved(answer["x"]), "evaluations": answer["evaluations"],
                              "converged": answer["converged"]})
        for name, run in (("SLSQP", run_slsqp), ("Ipopt", run_ipopt)):
            runs[name].append(run_peer(run, Problem(oracle, description), arguments.tolerance))
        print(f"HS{description['number']}: " + ", ".join(
            f"{name} {'solved' if rows[-1]['solved'] else 'not'} in {rows[-1]['evaluations']}" for name, rows in runs.items()), flush=True)
    return runs


def report(runs, descriptions, arguments):
    count = len(descriptions)
    both = [i for i in range(count) if all(rows[i]["solved"] for rows in runs.values())]
    lines = [
        "## Constrained problems: plumb, SLSQP and Ipopt",
        "",
        f"{count} problems of Hock and Schittkowski from the book's starts, first derivatives, tolerance {arguments.tolerance:g}; SciPy "
        f"{version('scipy')}, ipyopt {version('ipyopt')} with limited-memory Hessians. Solved: violations at most {SOLVED_VIOLATION:g} and a "
        f"value at most f* + {SOLVED_VALUE:g} max(1, |f*|). Evaluations: points asked for, median over the {len(both)} problems that all "
        "solve; the augmented Lagrangian has no quadratic programmes to solve.",
        "",
        "| program | solved | converged, as it says itself | evaluations | not solved |",
        "|---|---|---|---|---|",
    ]
    names = {"plumb": "plumb, augmented Lagrangian with L-BFGS-B", "SLSQP": "SciPy SLSQP", "Ipopt": "Ipopt"}
    for name, rows in runs.items():
        evaluations = statistics.median(rows[i]["evaluations"] for i in both) if both else math.nan
        missed = ", ".join(str(descriptions[i]["number"]) for i in range(count) if not rows[i]["solved"])
        lines.append(f"| {names[name]} | {sum(row['solved'] for row in rows)} | {sum(row['converged'] for row in rows)} | "
                     f"{evaluations:.0f} | {missed} |")
    lines += ["", benchmarks_page.command("constrained_vs_scipy")]
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    benchmarks_page.add_arguments(parser)
    parser.add_argument("--tolerance", type=float, default=1e-8)
    parser.add_argument("--ours", default=os.path.join(HERE, "constrained_vs_scipy_ours"), help="our program (default: the one built beside)")
    arguments = parser.parse_args()
    oracle = Program("plumb", [arguments.ours], arguments.threads)
    descriptions = oracle.ask({"list": True})
    runs = measure(oracle, descriptions, arguments)
    oracle.close()
    text = report(runs, descriptions, arguments)
    benchmarks_page.write_section(arguments.docs, "constrained_vs_scipy", text)
    print(text)


if __name__ == "__main__":
    main()
