"""BoTorch's half of bo_vs_botorch: the runs that come as lines of JSON, each answered by a line with the seconds of every
iteration (fit and acquisition, not the objective) and the best value after it. BoTorch maximises, so values are negated."""

import json
import sys
import time
import warnings

import torch
from botorch.acquisition import LogExpectedImprovement, qLogExpectedImprovement
from botorch.fit import fit_gpytorch_mll
from botorch.models import SingleTaskGP
from botorch.models.transforms import Standardize
from botorch.optim import optimize_acqf
from botorch.sampling import SobolQMCNormalSampler
from botorch.test_functions import Ackley, Branin, Hartmann
from gpytorch.mlls import ExactMarginalLogLikelihood

FUNCTIONS = {"branin": Branin, "hartmann6": Hartmann, "ackley5": lambda negate: Ackley(dim=5, negate=negate)}


def answer(request):
    torch.manual_seed(request["seed"])
    function = FUNCTIONS[request["function"]](negate=True)
    low, width = function.bounds[0].double(), (function.bounds[1] - function.bounds[0]).double()
    unit = torch.stack([torch.zeros_like(low), torch.ones_like(low)])
    x = (torch.tensor(request["start"], dtype=torch.float64).view(-1, function.dim) - low) / width
    y = function(low + width * x).unsqueeze(-1)
    seconds, best = [], []
    for _ in range(request["iterations"]):
        begin = time.perf_counter()
        model = SingleTaskGP(x, y, outcome_transform=Standardize(1))
        fit_gpytorch_mll(ExactMarginalLogLikelihood(model.likelihood, model))
        if request["q"] == 1:
            acquisition = LogExpectedImprovement(model, best_f=y.max())
        else:
            sampler = SobolQMCNormalSampler(torch.Size([request["samples"]]), seed=request["seed"])
            acquisition = qLogExpectedImprovement(model, best_f=y.max(), sampler=sampler)
        points, _ = optimize_acqf(acquisition, unit, q=request["q"], num_restarts=request["num_restarts"],
                                  raw_samples=request["raw_samples"])
        seconds.append(time.perf_counter() - begin)
        x, y = torch.cat([x, points]), torch.cat([y, function(low + width * points).unsqueeze(-1)])
        best.append(-y.max().item())
    return {"seconds": seconds, "best": best}


def main():
    warnings.simplefilter("ignore")
    torch.set_num_threads(int(sys.argv[1]))
    torch.set_default_dtype(torch.float64)
    for line in sys.stdin:
        print(json.dumps(answer(json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
