"""What BoTorch's Gaussian processes and acquisitions give, in float64.

Makes optim/bayesian/testdata/botorch_gaussian_process.json and botorch_acquisitions.json.

    python tools/goldens/make_botorch_bayesian.py
"""

import golden_io
import torch
from botorch.acquisition import (
    ExpectedImprovement,
    LogExpectedImprovement,
    ProbabilityOfImprovement,
    UpperConfidenceBound,
    qLogExpectedImprovement,
)
from botorch.acquisition.analytic import LogConstrainedExpectedImprovement
from botorch.fit import fit_gpytorch_mll
from botorch.models import ModelListGP, SingleTaskGP
from botorch.models.transforms import Standardize
from botorch.sampling.base import MCSampler
from botorch.test_functions import Branin, Hartmann
from gpytorch.kernels import MaternKernel, RBFKernel
from gpytorch.mlls import ExactMarginalLogLikelihood
from scipy.stats import qmc

torch.set_default_dtype(torch.float64)

FOLDER = golden_io.ROOT / "optim/bayesian/testdata"
PEER = golden_io.peers("botorch", "gpytorch", "torch")


def points(count, dimension, seed):
    return torch.tensor(qmc.Sobol(dimension, seed=seed).random(count))


def kernel(name, lengthscales):
    base = RBFKernel(ard_num_dims=len(lengthscales)) if name == "RBF" else MaternKernel(nu={"1": 0.5, "3": 1.5, "5": 2.5}[name[7]], ard_num_dims=len(lengthscales))
    base.lengthscale = torch.tensor(lengthscales)
    return base


def model_of(name, lengthscales, noise, mean, x, y):
    model = SingleTaskGP(x, y.unsqueeze(-1), covar_module=kernel(name, lengthscales), outcome_transform=None)
    model.likelihood.noise = torch.tensor([noise])
    model.mean_module.initialize(constant=torch.tensor(mean))
    return model.eval()


class Given(MCSampler):
    """Normal numbers that the golden file holds."""

    def __init__(self, normals):
        super().__init__(sample_shape=torch.Size([len(normals)]), seed=0)
        self.normals = normals

    def forward(self, posterior):
        shape = self.sample_shape + posterior.base_sample_shape
        base = self.normals.view(len(self.normals), *[1] * (len(shape) - 2), -1)
        return posterior.rsample_from_base_samples(self.sample_shape, base.expand(shape))


def value_and_gradient(acquisition, groups):
    x = groups.clone().requires_grad_(True)
    values = acquisition(x)
    (gradient,) = torch.autograd.grad(values.sum(), x)
    return {"values": values.detach().tolist(), "gradients": gradient.flatten().tolist()}


def data():
    x = points(12, 3, 1)
    y = torch.sin(5 * x[:, 0]) + x[:, 1] ** 2 - x[:, 2] * x[:, 0]
    return x, y


def posteriors():
    x, y = data()
    groups = points(8, 3, 2).view(4, 2, 3)
    cases = []
    for name in ("RBF", "MATERN_1_2", "MATERN_3_2", "MATERN_5_2"):
        lengthscales, noise, mean = [0.4, 0.7, 1.1], 0.01, 0.3
        model = model_of(name, lengthscales, noise, mean, x, y)
        posterior = model.posterior(groups)
        means, covariances = posterior.mean, posterior.distribution.covariance_matrix
        model.train()
        density = model.likelihood(model(x)).log_prob(y).item()
        cases.append({"kernel": name, "lengthscales": lengthscales, "noise": noise, "mean": mean, "log_marginal_likelihood": density,
                      "means": means.flatten().tolist(), "covariances": covariances.flatten().tolist()})
    return {"points": x.flatten().tolist(), "values": y.tolist(), "groups": groups.flatten().tolist(), "cases": cases}


def fits():
    cases = []
    for name, function, count in (("branin", Branin(), 15), ("hartmann6", Hartmann(), 25)):
        unit = points(count, function.dim, 3)
        y = function(function.bounds[0] + (function.bounds[1] - function.bounds[0]) * unit)
        model = SingleTaskGP(unit, y.unsqueeze(-1), outcome_transform=Standardize(1))
        likelihood = ExactMarginalLogLikelihood(model.likelihood, model)
        fit_gpytorch_mll(likelihood, optimizer_kwargs={"options": {"gtol": 1e-9, "ftol": 1e-15, "maxiter": 5000}})
        likelihood.train()
        log_posterior = likelihood(model(*model.train_inputs), model.train_targets).item()
        likelihood.eval()
        queries = points(4, function.dim, 4)
        posterior = model.posterior(queries.unsqueeze(1))
        cases.append({"function": name, "points": unit.flatten().tolist(), "values": y.tolist(), "log_posterior": log_posterior,
                      "lengthscales": model.covar_module.lengthscale.flatten().tolist(), "noise": model.likelihood.noise.item(),
                      "mean": model.mean_module.constant.item(), "queries": queries.flatten().tolist(),
                      "means": posterior.mean.flatten().tolist(), "variances": posterior.variance.flatten().tolist()})
    return cases


def acquisitions():
    """For a minimised objective: BoTorch is given the negated values."""
    x, y = data()
    lengthscales, noise, mean = [0.4, 0.7, 1.1], 0.01, 0.3
    model = model_of("MATERN_5_2", lengthscales, noise, -mean, x, -y)
    best = y.min().item()
    single = points(4, 3, 2).unsqueeze(1)
    answers = {
        "expected_improvement": ExpectedImprovement(model, best_f=-best),
        "log_expected_improvement": LogExpectedImprovement(model, best_f=-best),
        "probability_of_improvement": ProbabilityOfImprovement(model, best_f=-best),
        "lower_confidence_bound": UpperConfidenceBound(model, beta=4.0),
    }
    result = {name: value_and_gradient(acquisition, single) for name, acquisition in answers.items()}

    constraint_values = x[:, 0] + x[:, 1] - 0.9
    constraint = model_of("MATERN_5_2", [0.5, 0.5, 0.5], noise, 0.0, x, constraint_values)
    pair = ModelListGP(model, constraint)
    result["log_constrained_expected_improvement"] = value_and_gradient(
        LogConstrainedExpectedImprovement(pair, best_f=-best, objective_index=0, constraints={1: [0.0, None]}), single)
    result["constraint"] = {"values": constraint_values.tolist(), "lengthscales": [0.5, 0.5, 0.5], "noise": noise}

    normals = torch.tensor(qmc.MultivariateNormalQMC(torch.zeros(3).numpy(), seed=1).random(32))
    batches = points(8, 3, 6).view(4, 2, 3)
    pending = points(1, 3, 7)
    # What is negated moves against its normal numbers.
    sampler = Given(-normals[:, :2])
    result["batch"] = dict(value_and_gradient(qLogExpectedImprovement(model, best_f=-best, sampler=sampler), batches),
                           groups=batches.flatten().tolist())
    result["batch_pending"] = dict(
        value_and_gradient(qLogExpectedImprovement(model, best_f=-best, sampler=Given(-normals), X_pending=pending), batches),
        pending=pending.flatten().tolist())
    return {"points": x.flatten().tolist(), "values": y.tolist(), "kernel": "MATERN_5_2", "lengthscales": lengthscales, "noise": noise,
            "mean": mean, "best": best, "single": single.flatten().tolist(), "normals": normals.flatten().tolist(), **result}


def main():
    golden_io.save_json(FOLDER / "botorch_gaussian_process.json", {**posteriors(), "fits": fits()}, PEER)
    golden_io.save_json(FOLDER / "botorch_acquisitions.json", acquisitions(), PEER)


if __name__ == "__main__":
    main()
