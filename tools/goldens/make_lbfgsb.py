"""What scipy's L-BFGS-B finds, and with how many evaluations.

Makes optim/core/testdata/lbfgsb.json.

    python tools/goldens/make_lbfgsb.py
"""

import golden_io
import numpy
from scipy import optimize

INFINITY = 1e30  # stands for no bound, as JSON has no infinity


def rosenbrock(x):
    return numpy.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


def quadratic(x):
    """Eigenvalues 1 .. 10^4, centre (2, -2, 2, ...)."""
    i = numpy.arange(len(x))
    return 0.5 * numpy.sum(10 ** (4 * i / (len(x) - 1)) * (x - 2 * (-1.0) ** i) ** 2)


def hs3(x):
    return x[1] + 1e-5 * (x[1] - x[0]) ** 2


def hs4(x):
    return (x[0] + 1) ** 3 / 3 + x[1]


def hs5(x):
    return numpy.sin(x[0] + x[1]) + (x[0] - x[1]) ** 2 - 1.5 * x[0] + 2.5 * x[1] + 1


def hs38(x):
    return (
        100 * (x[1] - x[0] ** 2) ** 2
        + (1 - x[0]) ** 2
        + 90 * (x[3] - x[2] ** 2) ** 2
        + (1 - x[2]) ** 2
        + 10.1 * ((x[1] - 1) ** 2 + (x[3] - 1) ** 2)
        + 19.8 * (x[1] - 1) * (x[3] - 1)
    )


def hs45(x):
    return 2 - numpy.prod(x) / 120


def hs110(x):
    return numpy.sum(numpy.log(x - 2) ** 2 + numpy.log(10 - x) ** 2) - numpy.prod(x) ** 0.2


# Name, function, start, lower, upper. Functions have the same names in the test.
PROBLEMS = [
    ("rosenbrock2", "rosenbrock", [-1.2, 1.0], -INFINITY, INFINITY),
    ("rosenbrock10", "rosenbrock", [-1.2, 1.0] * 5, -INFINITY, INFINITY),
    ("rosenbrock25_bounded", "rosenbrock", [3.0] * 25, [1.0, -100.0] * 12 + [1.0], 100.0),
    ("rosenbrock4_corner", "rosenbrock", [-1.0, 0.3, 0.2, 0.1], -1.5, 0.5),
    ("quadratic8", "quadratic", [0.0] * 8, -INFINITY, INFINITY),
    ("quadratic8_bounded", "quadratic", [0.0] * 8, -1.0, [1.0, INFINITY] * 4),
    ("hs1", "rosenbrock", [-2.0, 1.0], [-INFINITY, -1.5], INFINITY),
    ("hs2", "rosenbrock", [-2.0, 1.0], [-INFINITY, 1.5], INFINITY),
    ("hs3", "hs3", [10.0, 1.0], [-INFINITY, 0.0], INFINITY),
    ("hs4", "hs4", [1.125, 0.125], [1.0, 0.0], INFINITY),
    ("hs5", "hs5", [0.0, 0.0], [-1.5, -3.0], [4.0, 3.0]),
    ("hs38", "hs38", [-3.0, -1.0, -3.0, -1.0], -10.0, 10.0),
    ("hs45", "hs45", [2.0] * 5, 0.0, [1.0, 2.0, 3.0, 4.0, 5.0]),
    ("hs110", "hs110", [9.0] * 10, 2.001, 9.999),
]


def gradient(function, x):
    """By complex steps: exact to the last digits."""
    columns = []
    for i in range(len(x)):
        z = x.astype(complex)
        z[i] += 1e-30j
        columns.append(function(z).imag / 1e-30)
    return numpy.array(columns)


def run(function, start, lower, upper, **options):
    found = optimize.minimize(
        function,
        start,
        jac=lambda x: gradient(function, x),
        method="L-BFGS-B",
        bounds=optimize.Bounds(lower, upper),
        options=dict(maxcor=10, maxfun=15000, **options),
    )
    return {"x": found.x.tolist(), "value": float(found.fun), "iterations": found.nit, "evaluations": found.nfev}


def main():
    runs = []
    for name, function_name, start, lower, upper in PROBLEMS:
        size = len(start)
        lower = numpy.broadcast_to(numpy.array(lower), size).astype(float)
        upper = numpy.broadcast_to(numpy.array(upper), size).astype(float)
        function = globals()[function_name]
        box = [numpy.where(numpy.abs(bound) < INFINITY, bound, numpy.copysign(numpy.inf, bound)) for bound in (lower, upper)]
        runs.append(
            {
                "name": name,
                "function": function_name,
                "start": start,
                "lower": lower.tolist(),
                "upper": upper.tolist(),
                "default": run(function, numpy.array(start), *box, ftol=2.220446049250313e-09, gtol=1e-5),
                "tight": run(function, numpy.array(start), *box, ftol=0, gtol=1e-9),
            }
        )
    path = golden_io.ROOT / "optim/core/testdata/lbfgsb.json"
    golden_io.save_json(path, {"problems": runs}, golden_io.peers("scipy", "numpy"))


if __name__ == "__main__":
    main()
