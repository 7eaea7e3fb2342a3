import copy
import pickle

import numpy as np
import pytest
import torch
from torch import nn

from lagom.networks import MLP, Linear, ortho_init
from lagom.networks.batch_renorm import RenormMLP


def same(module, x):
    """Whether the module gives the same on tensors and on arrays."""
    with torch.no_grad():
        expected = module(torch.from_numpy(x)).numpy()
    out = module.numpy(x)
    assert out.dtype == np.float32
    assert out.shape == expected.shape
    return np.allclose(out, expected, rtol=1e-5, atol=1e-6)


@pytest.fixture
def x():
    return np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)


# ortho_init


@pytest.mark.parametrize(("nonlinearity", "scale"), [("relu", 2.0), ("tanh", 25 / 9), (None, 1.0)])
def test_rows_are_orthogonal_with_the_gain_of_the_nonlinearity(nonlinearity, scale):
    layer = ortho_init(nn.Linear(64, 64), nonlinearity=nonlinearity)

    torch.testing.assert_close(
        layer.weight @ layer.weight.T, scale * torch.eye(64), atol=1e-4, rtol=0
    )


def test_scale_and_bias():
    layer = ortho_init(nn.Linear(2, 3), weight_scale=2.0, constant_bias=10.0)
    torch.testing.assert_close(layer.weight.T @ layer.weight, 4 * torch.eye(2), atol=1e-5, rtol=0)
    assert layer.bias.tolist() == [10, 10, 10]

    layer = ortho_init(nn.Linear(2, 3))
    torch.testing.assert_close(layer.weight.T @ layer.weight, torch.eye(2), atol=1e-5, rtol=0)
    assert layer.bias.tolist() == [0, 0, 0]


def test_recurrent_layers_too():
    cell = ortho_init(nn.LSTMCell(4, 4), constant_bias=0.5)

    torch.testing.assert_close(cell.weight_hh.T @ cell.weight_hh, torch.eye(4), atol=1e-5, rtol=0)
    assert (cell.bias_ih == 0.5).all()
    assert (cell.bias_hh == 0.5).all()


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(
    "make",
    [
        nn.Linear,
        *(lambda i, o, bias, c=c: c(i, o, 3, bias=bias) for c in (nn.Conv1d, nn.Conv2d, nn.Conv3d)),
        lambda i, o, bias: nn.ConvTranspose1d(i, o, 3, bias=bias),
        lambda i, o, bias: nn.ConvTranspose2d(i, o, 3, bias=bias),
        lambda i, o, bias: nn.ConvTranspose3d(i, o, 3, bias=bias),
        lambda i, o, bias: nn.RNN(i, o, num_layers=2, bias=bias),
        lambda i, o, bias: nn.LSTM(i, o, bidirectional=True, bias=bias),
        lambda i, o, bias: nn.LSTM(i, o, proj_size=2, bias=bias),
        lambda i, o, bias: nn.GRU(i, o, bias=bias),
        *(nn.RNNCell, nn.LSTMCell, nn.GRUCell),
    ],
)
def test_every_kind_of_layer(make, bias):
    layer = ortho_init(make(4, 6, bias=bias), weight_scale=3.0, constant_bias=0.5)

    for name, p in layer.named_parameters():
        if name.startswith("weight"):
            W = p.flatten(1)
            W = W if len(W) <= W.shape[1] else W.T
            torch.testing.assert_close(W @ W.T, 9 * torch.eye(len(W)), atol=1e-4, rtol=0)
        else:
            assert name.startswith("bias")
            assert (p == 0.5).all()
    assert bias == any(name.startswith("bias") for name, _ in layer.named_parameters())


@pytest.mark.parametrize(
    "module",
    [nn.Sequential(nn.Linear(2, 3)), MLP(2, [3]), nn.LayerNorm(3), nn.MultiheadAttention(4, 2)],
)
def test_modules_of_several_layers_are_refused(module):
    before = {name: p.clone() for name, p in module.named_parameters()}

    with pytest.raises(TypeError, match="ortho_init: got .*; expected one linear, .*one by one"):
        ortho_init(module)
    assert all(torch.equal(p, before[name]) for name, p in module.named_parameters())


# On arrays as on tensors


@pytest.mark.parametrize("activation", ["tanh", "relu"])
@pytest.mark.parametrize(
    ("hidden_sizes", "out_features"),
    [([], 2), ([4], None), ([7, 5], 1), ([64, 64], None), ([], None)],
)
@pytest.mark.parametrize("N", [0, 1, 5])
def test_arrays_and_tensors_agree(activation, hidden_sizes, out_features, N, x):
    net = MLP(3, hidden_sizes, out_features, activation=activation, out_scale=3.0)
    net.from_vec(0.3 * torch.randn(net.num_params))  # biases too; sums that stay near one

    assert same(net, x[:1].repeat(N, 0) if N < 2 else x)
    assert net.out_features == net.numpy(x).shape[-1]


def test_activations_stand_between_layers_and_not_after_the_last():
    net = MLP(1, [1], 1, activation="relu")
    net.from_vec(torch.tensor([-1.0, 0.0, 2.0, -5.0]))  # 2 relu(-x) - 5

    assert net.numpy(np.array([[3.0], [-3.0]], np.float32)).tolist() == [[-5], [1]]


def test_last_layer_has_its_own_scale():
    net = MLP(4, [4], 4, activation="relu", out_scale=0.01)
    hidden, out = net.layers[0].weight, net.out.weight

    torch.testing.assert_close(hidden @ hidden.T, 2 * torch.eye(4), atol=1e-5, rtol=0)
    torch.testing.assert_close(out @ out.T, 1e-4 * torch.eye(4), atol=1e-8, rtol=0)


@pytest.mark.parametrize("make", [MLP, RenormMLP])
def test_networks_begin_as_init_says(make):
    """Orthogonal ones with the gain of the activation, or as torch draws them, biases too."""
    linear = lambda net: [x for x in net.modules() if isinstance(x, nn.Linear)]
    first, last = linear(make(30, [20], 10, activation="relu"))
    for layer, expected in (first, 2 * torch.eye(20)), (last, torch.eye(10)):
        torch.testing.assert_close(layer.weight @ layer.weight.T, expected, atol=1e-5, rtol=0)
        assert not layer.bias.any()

    torch.manual_seed(1)
    net = make(30, [20], 10, activation="relu", init="uniform")
    torch.manual_seed(1)
    for layer, of_torch in zip(linear(net), (nn.Linear(30, 20), nn.Linear(20, 10)), strict=True):
        assert torch.equal(layer.weight, of_torch.weight)
        assert torch.equal(layer.bias, of_torch.bias)

    with pytest.raises(ValueError, match="init 'zeros'; expected one of .'orthogonal', 'uniform'"):
        make(3, [4], init="zeros")


def test_unknown_activation_is_refused():
    with pytest.raises(
        ValueError, match=r"MLP: activation 'elu'; expected one of \['tanh', 'relu'"
    ):
        MLP(2, [3], activation="elu")


def test_layers_without_bias(x):
    assert same(Linear(3, 2, bias=False), x)


# Never stale


def _step(net):
    optimizer = torch.optim.SGD([net.flat], lr=1.0)
    net.flat.grad.fill_(1.0)
    optimizer.step()


CHANGES = {
    "from_vec": lambda net: net.from_vec(torch.randn(net.num_params)),
    "flat": lambda net: net.flat,
    "optimizer on flat": _step,
    "load_state_dict": lambda net: net.load_state_dict(MLP(3, [4], 2).state_dict()),
    "assign": lambda net: net.load_state_dict(MLP(3, [4], 2).state_dict(), assign=True),
    "new weight": lambda net: setattr(net.out, "weight", nn.Parameter(torch.randn(2, 4))),
    "new bias": lambda net: setattr(net.out, "bias", nn.Parameter(torch.randn(2))),
    "there and back": lambda net: net.double().float(),
}


@pytest.mark.parametrize("first", CHANGES)
@pytest.mark.parametrize("second", CHANGES)
def test_arrays_follow_the_parameters(first, second, x):
    net = MLP(3, [4], 2)
    assert same(net, x)
    for change in (first, second):
        CHANGES[change](net)
        assert same(net, x), change


def test_arrays_follow_an_optimizer_on_parameters(x):
    net = MLP(3, [4], 2)
    optimizer = torch.optim.Adam(net.parameters(), lr=0.1)
    for _ in range(3):
        before = net.numpy(x)
        net(torch.from_numpy(x)).sum().backward()
        optimizer.step()

        assert same(net, x)
        assert not np.allclose(net.numpy(x), before)


def test_no_copies():
    layer = Linear(3, 2)
    layer.numpy(np.zeros((1, 3), np.float32))
    W, b = layer._shared[1:]

    assert (W.ctypes.data, b.ctypes.data) == (layer.weight.data_ptr(), layer.bias.data_ptr())


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_copies_take_no_arrays_along(copied, x):
    """The original's memory may become that of the copy's parameters: addresses prove nothing."""
    layer = Linear(3, 2)
    layer.numpy(x)
    twin = copied(layer)

    assert "_shared" not in vars(twin)
    assert same(twin, x)
    twin.weight.data += 1
    assert same(twin, x)
    assert same(layer, x)
