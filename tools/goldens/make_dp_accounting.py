"""What Google's dp-accounting says of the Gaussian mechanism with Poisson sampling.

Makes optim/private/testdata/dp_accounting.json. For fractional orders dp-accounting adds the absolute values of an
alternating series, which is an upper bound, or infinite where the series does not converge; `rdp_exact_epsilon` and
`rdp_exact_delta` have those orders by scipy's quadrature, `rdp_integer_epsilon` and `rdp_integer_delta` have integer orders
alone, for which dp-accounting's sum is exact.

    python tools/goldens/make_dp_accounting.py
"""

import math
import random

import dp_accounting
import golden_io
import numpy
from dp_accounting import pld, rdp
from dp_accounting.rdp import rdp_privacy_accountant
from scipy import integrate

SETTINGS = 50
INTEGER_ORDERS = [*range(2, 64), 128, 256, 512, 1024]


def event(noise_multiplier, sampling_rate, steps):
    gaussian = dp_accounting.GaussianDpEvent(noise_multiplier)
    return dp_accounting.SelfComposedDpEvent(dp_accounting.PoissonSampledDpEvent(sampling_rate, gaussian), steps)


def log_moment(noise_multiplier, sampling_rate, order):
    """log E[(1 - q + q exp((2x - 1) / (2 s^2)))^order], x ~ N(0, s^2), by quadrature about its largest value."""

    def exponent(t):
        z = (2 * t * noise_multiplier - 1) / (2 * noise_multiplier**2)
        ratio = numpy.logaddexp(math.log1p(-sampling_rate), math.log(sampling_rate) + z)
        return order * ratio - t * t / 2

    points = numpy.linspace(-12, order / noise_multiplier + 12, 400)
    top = max(exponent(point) for point in points)
    total = 0
    for left, right in zip(points, points[1:]):
        total += integrate.fixed_quad(lambda t: numpy.exp(exponent(t) - top), left, right, n=8)[0]
    return math.log(total) + top - 0.5 * math.log(2 * math.pi)


def exact_rdp(phases, accountant):
    """The accountant's divergences with those of fractional orders replaced."""
    total = numpy.array(accountant._rdp)
    for i, order in enumerate(accountant._orders):
        if order == int(order) or any(rate == 1 for _, rate, _ in phases):
            continue
        total[i] = sum(steps * log_moment(noise, rate, order) / (order - 1) for noise, rate, steps in phases)
    return total


def case(phases, delta):
    """Epsilons of phases (noise multiplier, sampling rate, steps) one after the other."""
    row = {"phases": [list(phase) for phase in phases], "delta": delta}
    for name, accountant in (("rdp", rdp.RdpAccountant()), ("pld", pld.PLDAccountant())):
        for phase in phases:
            accountant.compose(event(*phase))
        row[name + "_epsilon"] = float(accountant.get_epsilon(delta))
        row[name + "_delta"] = float(accountant.get_delta(row[name + "_epsilon"] / 2))
        if name == "rdp":
            orders, exact = accountant._orders, exact_rdp(phases, accountant)
            row["rdp_exact_epsilon"] = float(rdp_privacy_accountant.compute_epsilon(orders, exact, delta)[0])
            row["rdp_exact_delta"] = float(rdp_privacy_accountant.compute_delta(orders, exact, row["rdp_epsilon"] / 2)[0])
    integer = rdp.RdpAccountant(orders=INTEGER_ORDERS)
    for phase in phases:
        integer.compose(event(*phase))
    row["rdp_integer_epsilon"] = float(integer.get_epsilon(delta))
    row["rdp_integer_delta"] = float(integer.get_delta(row["rdp_integer_epsilon"] / 2))
    return row


def random_phase(generator):
    noise_multiplier = round(0.5 * 20 ** generator.random(), 4)
    sampling_rate = round(1e-4 * 3000 ** generator.random(), 6)
    return noise_multiplier, sampling_rate, round(5000 ** generator.random())


def cases():
    generator = random.Random(1)
    rows = [
        case([(1.0, 0.01, 1000)], 1e-5),
        case([(1.0, 1.0, 1)], 1e-5),
        case([(5.0, 1.0, 20)], 1e-6),
        case([(1.0, 0.02, 300), (2.0, 0.05, 200)], 1e-5),
    ]
    for _ in range(SETTINGS):
        rows.append(case([random_phase(generator)], 10 ** -round(4 + 4 * generator.random(), 2)))
    return rows


def calibrations():
    rows = []
    for epsilon, sampling_rate, steps in [(1.0, 0.01, 1000), (3.0, 0.1, 100), (8.0, 0.004, 10000), (0.5, 1.0, 1)]:
        row = {"epsilon": epsilon, "delta": 1e-5, "sampling_rate": sampling_rate, "steps": steps}
        for name, accountant in (("rdp", rdp.RdpAccountant), ("pld", pld.PLDAccountant)):
            row[name + "_noise_multiplier"] = dp_accounting.calibrate_dp_mechanism(
                accountant, lambda sigma: event(sigma, sampling_rate, steps), epsilon, row["delta"]
            )
        rows.append(row)
    return rows


def main():
    golden = {"cases": cases(), "calibrations": calibrations()}
    peer = golden_io.peers("dp-accounting")
    golden_io.save_json(golden_io.ROOT / "optim/private/testdata/dp_accounting.json", golden, peer)


if __name__ == "__main__":
    main()
