import numpy as np
import pytest
import torch
from gymnasium.spaces import Box, Discrete
from lagom.algorithms.trpo.natural_gradient import conjugate_gradient, fisher_product, flat_grad
from torch.distributions import kl_divergence

from lagom.networks import MLP, Module, make_head


class Policy(Module):
    def __init__(self, space, mask=None, **options):
        super().__init__()
        torch.manual_seed(0)
        self.trunk, self.head = MLP(3, [5, 4]), make_head(4, space, "cpu", **options)
        self.rest = [] if mask is None else [mask]
        for p in self.parameters():
            torch.nn.init.normal_(p, std=0.5)

    def forward(self, obs):
        return self.head(self.trunk(obs), *self.rest)


SOME = torch.tensor([[1, 1, 0], [0, 1, 1], [1, 0, 1], [1, 1, 1], [1, 0, 1], [0, 1, 1]])
SDE = {"logstd0": -1.0, "every": 1}


@pytest.mark.parametrize(
    ("space", "options"),
    [
        (Discrete(3), {}),
        (Discrete(3), {"mask": SOME}),
        (Box(-1, 1, (2,)), {}),
        (Box(-1, 1, (2,)), {"sde": SDE}),
    ],
    ids=["discrete", "masked", "box", "sde"],
)
def test_products_are_second_derivatives_of_the_divergence(space, options):
    policy, obs = Policy(space, **options), torch.randn(6, 3)
    parameters = list(policy.parameters())
    with torch.no_grad():
        old = policy(obs)
    divergence = kl_divergence(old, policy(obs)).mean()
    gradient = flat_grad(divergence, parameters, create_graph=True)

    product = fisher_product(policy(obs), parameters)

    for _ in range(3):
        v = torch.randn(policy.num_params)
        expected = flat_grad(gradient @ v, parameters, retain_graph=True)
        torch.testing.assert_close(product(v), expected, rtol=1e-4, atol=1e-6)
        assert expected.abs().max() > 1e-3


def test_conjugate_gradients_solve_the_system():
    rng = np.random.default_rng(0)
    M = torch.tensor(rng.normal(size=(6, 6)))
    A, b = M @ M.T + torch.eye(6), torch.tensor(rng.normal(size=6))
    calls = []

    def product(v):
        calls.append(v)
        return A @ v

    x = conjugate_gradient(product, b, 10)
    torch.testing.assert_close(x, torch.linalg.solve(A, b))
    assert len(calls) <= 7  # as many as there are dimensions, and rounding
    assert (A @ conjugate_gradient(product, b, 2) - b).norm() < b.norm()  # not yet
    torch.testing.assert_close(conjugate_gradient(product, 0 * b, 3), 0 * b)


def test_gradient_is_one_vector():
    x, y = torch.tensor([1.0, 2.0], requires_grad=True), torch.tensor([[3.0]], requires_grad=True)

    torch.testing.assert_close(
        flat_grad((x**2).sum() * y.sum(), [x, y]), torch.tensor([6.0, 12, 5])
    )
