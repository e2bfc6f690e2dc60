"""jaxopt's half of hypergradients_vs_jaxopt: L-BFGS with implicit differentiation, compiled. Lines of JSON in, each answered by a line
with the seconds of each hypergradient and the last one's numbers."""

import json
import sys
import time
from functools import lru_cache

import jax
import jax.numpy as jnp
import jaxopt

MOST_ITERATIONS = 1000


def loss(w, data):
    return jnp.mean(jnp.logaddexp(0, -data["labels"] * (data["inputs"] @ w)))


def objective(w, theta, data):
    return loss(w, data) + 0.5 * jnp.sum(jnp.exp(theta) * w * w)


@lru_cache
def hypergradient(tolerance, linesearch):
    solver = jaxopt.LBFGS(objective, maxiter=MOST_ITERATIONS, tol=tolerance, linesearch=linesearch, implicit_diff=True)

    def outer(theta, train, held_out):
        return loss(solver.run(jnp.zeros_like(theta), theta, train).params, held_out)

    return jax.jit(jax.value_and_grad(outer))


def answer(request):
    compute = hypergradient(request["tolerance"], request["how"])
    if request["fresh"]:
        compute.clear_cache()
    train, held_out = ({name: jnp.array(numbers, dtype=float) for name, numbers in request[part].items()} for part in ("train", "held_out"))
    seconds = []
    for theta in request["thetas"]:
        thetas = jnp.full(train["inputs"].shape[1], float(theta))
        jax.block_until_ready((thetas, train, held_out))
        begin = time.perf_counter()
        value, gradient = compute(thetas, train, held_out)
        jax.block_until_ready(gradient)
        seconds.append(time.perf_counter() - begin)
    return {"seconds": seconds, "value": float(value), "gradient": gradient.tolist()}


def main():
    jax.config.update("jax_enable_x64", True)
    for line in sys.stdin:
        print(json.dumps(answer(json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
