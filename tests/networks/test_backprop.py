import copy

import numpy as np
import pytest
import torch

from lagom.networks import MLP, CategoricalHead, DiagGaussianHead, Linear, Module, backprop
from lagom.networks.backprop import (
    AdamArrays,
    CategoricalBackprop,
    DiagGaussianBackprop,
    MLPBackprop,
)
from lagom.utils import threads


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def normal(rng, *shape):
    return rng.normal(size=shape).astype(np.float32)


class Pair(Module):
    """A network and, perhaps, a layer of something else on it."""

    def __init__(self, mlp, out=None):
        super().__init__()
        self.mlp, self.out = mlp, out


@pytest.mark.parametrize("activation", ["tanh", "relu"])
@pytest.mark.parametrize("sizes", [[], [5], [5, 4]])
@pytest.mark.parametrize("is_own", [True, False])
@pytest.mark.parametrize("is_large", [False, True])
def test_gradients_of_a_network_are_those_of_autograd(
    activation, sizes, is_own, is_large, rng, monkeypatch
):
    if is_large:  # kernels of torch
        monkeypatch.setattr(backprop, "_MANY", 0)
        monkeypatch.setattr(backprop, "_LARGE", 0)
        monkeypatch.setattr(threads, "_num_blas", None)
    mlp = MLP(3, sizes, 2 if is_own else None, activation)
    pair = Pair(mlp, None if is_own else Linear(mlp.out_features, 2))
    pair.flat.grad.fill_(7.0)  # overwritten, not added to
    x, dy = normal(rng, 6, 3), normal(rng, 6, 2)
    net = MLPBackprop(mlp, pair.out)

    y = net.forward(x)
    net.backward(dy)
    grad = pair.flat.grad.clone()
    dx, some = net.to_inputs(dy), net.to_inputs(dy[[4, 1]], [4, 1])
    pair.zero_grad()
    inputs = torch.from_numpy(x).requires_grad_()
    expected = mlp(inputs)
    expected = expected if is_own else pair.out(expected)
    expected.backward(torch.from_numpy(dy))

    np.testing.assert_allclose(y, expected.detach(), rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(grad, pair.flat.grad, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(dx, inputs.grad, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(some, inputs.grad[[4, 1]], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("activation", ["tanh", "relu"])
def test_a_network_may_end_with_an_activation(activation, rng):
    mlp, x, dy = MLP(3, [5, 4], None, activation), normal(rng, 6, 3), normal(rng, 6, 4)
    mlp.flat.grad.fill_(7.0)
    net = MLPBackprop(mlp)

    y = net.forward(x)
    kept = dy.copy()
    net.backward(dy)
    grad = mlp.flat.grad.clone()
    mlp.zero_grad()
    expected = mlp(torch.from_numpy(x))
    expected.backward(torch.from_numpy(dy))

    np.testing.assert_allclose(y, expected.detach(), rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(grad, mlp.flat.grad, rtol=1e-4, atol=1e-6)
    assert np.array_equal(dy, kept)  # what is handed over stays


@pytest.mark.parametrize("kind", ["categorical", "gaussian"])
def test_gradients_of_a_head_are_those_of_autograd(kind, rng):
    if kind == "categorical":
        head, action = CategoricalHead(3, 4, "cpu"), rng.integers(4, size=6)
        by_hand = CategoricalBackprop
    else:
        head, action = DiagGaussianHead(3, 2, "cpu", std0=0.5), normal(rng, 6, 2)
        by_hand = DiagGaussianBackprop
    with torch.no_grad():
        head.from_vec(torch.from_numpy(normal(rng, head.num_params)))
    head.flat.grad.fill_(7.0)
    features, d_logprob, d_entropy = torch.from_numpy(normal(rng, 6, 3)), normal(rng, 6), 0.3
    arrays = by_hand(head)

    y = arrays.out(features)
    logprob, entropy = arrays.forward(y.detach().numpy(), action)
    dy = arrays.backward(d_logprob, d_entropy)
    logstd_grad = None if kind == "categorical" else head.logstd_head.grad.clone()
    y.retain_grad()
    head.zero_grad()
    out = _evaluate(head, y, torch.from_numpy(action))
    (torch.from_numpy(d_logprob) @ out[0] + d_entropy * out[1].sum()).backward()

    np.testing.assert_allclose(logprob, out[0].detach(), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(entropy, out[1].detach(), rtol=1e-5)
    np.testing.assert_allclose(dy, y.grad, rtol=1e-4, atol=1e-6)
    if kind == "gaussian":
        torch.testing.assert_close(logstd_grad, head.logstd_head.grad, rtol=1e-4, atol=1e-6)


def _evaluate(head, y, action):
    """By distribution objects, from what the head's layer gives."""
    if hasattr(head, "logits"):
        dist = torch.distributions.Categorical(logits=y)
    else:
        normal = torch.distributions.Normal(y, head.logstd_head.exp().expand_as(y))
        dist = torch.distributions.Independent(normal, 1)
    return dist.log_prob(action), dist.entropy()


def test_improbable_actions_are_finite():
    head = CategoricalBackprop(CategoricalHead(3, 2, "cpu"))

    logprob, entropy = head.forward(np.array([[1e4, 0.0]], np.float32), np.array([1]))

    assert logprob.tolist() == [-1e4]
    assert entropy.tolist() == [0.0]


@pytest.mark.parametrize("max_norm", [0.1, 1e6])  # below all norms, above all norms
def test_adam_goes_on_in_the_optimizers_state(max_norm, rng):
    net = MLP(3, [4], 1)
    other = copy.deepcopy(net)
    optimizers = [torch.optim.Adam([x.flat], lr=0.01, eps=1e-5, fused=True) for x in (net, other)]
    for n in range(6):
        grad = torch.from_numpy(normal(rng, net.num_params))
        net.flat.grad.copy_(grad)
        other.flat.grad.copy_(grad)
        if n in (2, 5):  # by torch in between
            norm = net.clip_grad_norm(max_norm)
            optimizers[0].step()
        else:
            arrays = AdamArrays(optimizers[0])
            norm = arrays.clip_grad_norm(max_norm)
            arrays.step()
        expected = other.clip_grad_norm(max_norm)
        optimizers[1].step()

        assert float(norm) == pytest.approx(expected.item(), rel=1e-5)
        torch.testing.assert_close(net.flat, other.flat, rtol=1e-5, atol=1e-6)
    states = [optimizer.state_dict()["state"][0] for optimizer in optimizers]
    assert states[0].keys() == states[1].keys()
    for key, value in states[1].items():
        assert states[0][key].dtype == value.dtype
        torch.testing.assert_close(states[0][key], value, rtol=1e-4, atol=1e-8)
