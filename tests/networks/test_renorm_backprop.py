"""Networks with batch renormalization by hand, against autograd in twice the precision."""

import copy

import numpy as np
import pytest
import torch

from lagom.networks import Linear
from lagom.networks.batch_renorm import RenormMLP
from lagom.networks.renorm_backprop import RenormMLPBackprop


def make(hidden_sizes, out_features, activation, warmup):
    """A network in the middle of learning: moments that fit the minibatches, gradients there."""
    net = RenormMLP(3, hidden_sizes, out_features, activation=activation, warmup=warmup)
    net.from_vec(0.5 + 0.3 * torch.randn(net.num_params))
    for _ in range(200):
        net(minibatch(40), learn=True)
    net.flat.grad.fill_(7.0)  # is overwritten
    return net


def minibatch(N):
    return 2 + torch.randn(N, 3) * torch.tensor([0.1, 1.0, 5.0])


CASES = [([], 2), ([6], 1), ([6, 5], None)]


@pytest.mark.parametrize(("hidden_sizes", "out_features"), CASES)
@pytest.mark.parametrize("activation", ["relu", "tanh"])
@pytest.mark.parametrize("warmup", [0, 1000])
@pytest.mark.parametrize("shift", [0.0, 30.0])  # within the bounds of the correction; beyond
def test_learning_equals_autograd(hidden_sizes, out_features, activation, warmup, shift):
    net = make(hidden_sizes, out_features, activation, warmup)
    x = minibatch(8) + shift
    exact = copy.deepcopy(net).double()
    for p in exact.parameters():
        p.grad = None
    expected = exact(x.double(), learn=True)
    d_out = torch.linspace(-1, 2, expected.numel()).reshape(expected.shape)
    (expected * d_out).sum().backward()

    by_hand = RenormMLPBackprop(net)
    out = by_hand.forward(x.numpy(), learn=True)
    by_hand.backward(d_out.numpy().copy())

    close = lambda x, y: torch.testing.assert_close(x.double(), y, rtol=1e-3, atol=1e-3)
    close(torch.from_numpy(out), expected.detach())
    for own, other in zip(net.parameters(), exact.parameters(), strict=True):
        scale = max(1.0, float(other.grad.abs().max()))
        close(own.grad / scale, other.grad / scale)
    for own, other in zip(net.buffers(), exact.buffers(), strict=True):
        close(own, other)
    assert [x.num_batch for x in net.norms] == [x.num_batch for x in exact.norms]


def test_gradient_of_the_inputs_passes_through_the_moments():
    net = make([], 2, "relu", 0)
    x = minibatch(8)
    exact, x_exact = copy.deepcopy(net).double(), x.double().requires_grad_()
    d_out = torch.linspace(-1, 2, 16).reshape(8, 2)
    (exact(x_exact, learn=True) * d_out).sum().backward()

    (layer,) = RenormMLPBackprop(net).renorms
    layer.learns = True
    layer.forward(x.numpy())
    layer.backward(d_out.numpy())

    expected = x_exact.grad.numpy()
    np.testing.assert_allclose(layer.to_inputs(d_out.numpy()), expected, rtol=1e-4, atol=1e-5)
    columns = layer.to_inputs(d_out.numpy(), slice(1, None))
    np.testing.assert_allclose(columns, expected[:, 1:], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("hidden_sizes", "out_features"), CASES)
def test_acting_equals_autograd_and_changes_nothing(hidden_sizes, out_features):
    net = make(hidden_sizes, out_features, "relu", 0)
    before = [net.to_vec().clone(), *(x.clone() for x in net.buffers())]
    x = minibatch(8).requires_grad_()
    expected = net(x)
    d_out = torch.linspace(-1, 2, expected.numel()).reshape(expected.shape)
    (expected * d_out).sum().backward()
    by_hand = RenormMLPBackprop(net)
    by_hand.forward(x.detach().numpy(), learn=True)  # what that leaves behind does not matter
    for buffer, value in zip(net.buffers(), before[1:], strict=True):
        buffer.copy_(value)

    out = by_hand.forward(x.detach().numpy())

    np.testing.assert_allclose(out, expected.detach(), rtol=1e-4, atol=1e-5)
    d_x = by_hand.to_inputs(d_out.numpy().copy())
    np.testing.assert_allclose(d_x, x.grad, rtol=1e-4, atol=1e-4)
    rows = by_hand.to_inputs(d_out[2:5].numpy().copy(), slice(2, 5), slice(0, 2))
    np.testing.assert_allclose(rows, x.grad[2:5, :2], rtol=1e-4, atol=1e-4)
    for x, y in zip([net.to_vec(), *net.buffers()], before, strict=True):
        assert torch.equal(x, y)


def test_a_last_layer_of_a_head_is_not_normalized():
    net, last = make([6], None, "relu", 0), Linear(6, 2)
    x = minibatch(8)
    with torch.no_grad():
        expected = last(copy.deepcopy(net)(x, learn=True))

    by_hand = RenormMLPBackprop(net, last)
    assert len(by_hand.layers) == 2
    np.testing.assert_allclose(by_hand.forward(x.numpy(), True), expected, rtol=1e-4, atol=1e-5)
