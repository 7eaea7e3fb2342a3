import numpy as np
import pytest
import torch
from torch import nn

from lagom.networks.batch_renorm import BatchRenorm, RenormMLP


def make_norm(warmup, **kwargs):
    torch.manual_seed(0)
    norm = BatchRenorm(3, warmup, **kwargs)
    with torch.no_grad():
        norm.weight.copy_(torch.tensor([1.0, 2.0, -1.0]))
        norm.bias.copy_(torch.tensor([0.0, 1.0, 0.5]))
    return norm


def test_warmup_is_batch_normalization():
    norm, plain = make_norm(warmup=10), nn.BatchNorm1d(3, eps=1e-3, momentum=0.01)
    plain.load_state_dict({"weight": norm.weight, "bias": norm.bias}, strict=False)
    for k in range(3):
        x = torch.randn(64, 3) * (k + 1) + k
        torch.testing.assert_close(norm(x, learn=True), plain(x))
    plain.running_var.copy_(norm.var)  # torch counts N - 1

    torch.testing.assert_close(norm.mean, plain.running_mean)
    torch.testing.assert_close(norm(x), plain.eval()(x))
    assert norm.num_batch == 3


@pytest.mark.parametrize("shift", [0.5, 100.0])
def test_correction_equals_the_definition(shift):
    """Near the running moments outputs are by those; far away the correction has its bounds."""
    norm = make_norm(warmup=0, momentum=0.1)
    x = torch.randn(32, 3) * (1 + shift) + shift
    mean, std = x.mean(0), (x.var(0, correction=0) + 1e-3).sqrt()
    std_all = np.sqrt(1 + 1e-3)
    r, d = (std / std_all).clamp(1 / 3, 3), (mean / std_all).clamp(-5, 5)

    y = norm(x, learn=True)

    expected = ((x - mean) / std * r + d) * norm.weight + norm.bias
    torch.testing.assert_close(y, expected)
    if shift == 0.5:
        torch.testing.assert_close(y, x / std_all * norm.weight + norm.bias)
    torch.testing.assert_close(norm.mean, 0.1 * mean)
    torch.testing.assert_close(norm.var, 0.9 + 0.1 * x.var(0, correction=0))


def test_gradient_passes_through_the_moments_of_the_batch_alone():
    """r and d are constants: gradients are those of batch normalization, times r."""
    norm = make_norm(warmup=0)
    x = torch.randn(16, 3, dtype=torch.float32, requires_grad=True)
    weights = torch.randn(16, 3)
    (norm(x, learn=True) * weights).sum().backward()

    z = x.detach().clone().requires_grad_()
    std = (z.var(0, correction=0) + 1e-3).sqrt()
    r = (std.detach() / np.sqrt(1 + 1e-3)).clamp(1 / 3, 3)
    ((z - z.mean(0)) / std * r * norm.weight.detach() * weights).sum().backward()

    torch.testing.assert_close(x.grad, z.grad, rtol=1e-4, atol=1e-6)


def test_acting_changes_nothing():
    norm = make_norm(warmup=0)
    norm(torch.randn(8, 3) + 2, learn=True)
    mean, x = norm.mean.clone(), torch.randn(8, 3)

    first, second = norm(x), norm(x)

    assert torch.equal(first, second)
    assert torch.equal(norm.mean, mean)
    assert norm.num_batch == 1


@pytest.mark.parametrize("out_features", [None, 2])
@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_network_is_the_same_on_arrays(out_features, activation):
    torch.manual_seed(0)
    net = RenormMLP(3, [8, 6], out_features, activation, warmup=2)
    for _ in range(4):
        out = net(torch.randn(16, 3) + 1, learn=True)
    x = torch.randn(5, 3)

    assert out.shape == (16, net.out_features)
    assert net.out_features == (6 if out_features is None else 2)
    np.testing.assert_allclose(net.numpy(x.numpy()), net(x).detach(), rtol=1e-4, atol=1e-5)
    if out_features is None:
        assert (net(x).detach() >= (0 if activation == "relu" else -1)).all()
    else:
        assert (net(torch.randn(500, 3)).detach() < -1).any()  # no activation after the last


def test_unknown_activation():
    with pytest.raises(ValueError, match="RenormMLP: activation 'gelu'; expected one of"):
        RenormMLP(3, [4], activation="gelu")


def test_state():
    first, second = make_norm(warmup=2), make_norm(warmup=2)
    for _ in range(3):
        first(torch.randn(8, 3) + 1, learn=True)
    second.load_state_dict(first.state_dict())
    x = torch.randn(8, 3)

    assert second.num_batch == 3
    assert torch.equal(first(x, learn=True), second(x, learn=True))
