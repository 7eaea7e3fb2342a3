"""Behaviours that must hold, by their ids: lagom.networks."""

import pytest
import torch
from torch import distributions as D
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence

from lagom.networks import (
    CategoricalHead,
    DiagGaussianHead,
    LayerNormLSTMCell,
    MDNHead,
    Module,
    linear_lr_scheduler,
    make_cnn,
    make_fc,
    make_lnlstm,
    make_transposed_cnn,
    ortho_init,
)


class Net(Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(2, 3)

    def forward(self, x):
        return self.layer(x)


def run(layers, x):
    for layer in layers:
        x = layer(x)
    return x


def num_params(module):
    return sum(p.numel() for p in module.parameters())


def close(x, expected, atol):
    expected = torch.as_tensor(expected, dtype=x.dtype)
    torch.testing.assert_close(x.detach(), expected, atol=atol, rtol=0)


def test_NET_01_make_fc():
    layers = make_fc(3, [4, 5, 6])

    assert [(x.in_features, x.out_features) for x in layers] == [(3, 4), (4, 5), (5, 6)]
    assert num_params(layers) == 77
    assert type(layers) is nn.ModuleList


def test_NET_02_make_fc_wants_a_list():
    with pytest.raises(TypeError, match="expected a list"):
        make_fc(3, 4)


def test_NET_03_make_cnn():
    layers = make_cnn(
        input_channel=3, channels=[16, 32], kernels=[4, 3], strides=[2, 1], paddings=[1, 0]
    )

    assert run(layers, torch.randn(2, 3, 32, 32)).shape == (2, 32, 14, 14)
    assert num_params(layers) == 5424


def test_NET_05_make_transposed_cnn():
    layers = make_transposed_cnn(
        input_channel=3,
        channels=[16, 32],
        kernels=[4, 3],
        strides=[2, 1],
        paddings=[1, 0],
        output_paddings=[1, 0],
    )

    assert run(layers, torch.randn(2, 3, 8, 8)).shape == (2, 32, 19, 19)
    assert layers[1].kernel_size == (3, 3)


def test_NET_06_ortho_init_with_a_nonlinearity():
    layer = nn.Linear(64, 64)
    ortho_init(layer, nonlinearity="relu")

    close(layer.weight @ layer.weight.T, 2 * torch.eye(64), 1e-4)


def test_NET_08_ortho_init():
    layer = nn.Linear(2, 3)
    ortho_init(layer, weight_scale=2.0, constant_bias=10.0)
    close(layer.weight.T @ layer.weight, 4 * torch.eye(2), 1e-5)
    close(layer.bias, [10.0, 10.0, 10.0], 1e-5)

    layer = nn.Linear(2, 3)
    ortho_init(layer)
    close(layer.weight.T @ layer.weight, torch.eye(2), 1e-5)
    close(layer.bias, [0.0, 0.0, 0.0], 1e-5)


def test_NET_10_linear_lr_scheduler():
    optimizer = torch.optim.Adam(nn.Linear(2, 3).parameters(), lr=1e-3)
    scheduler = linear_lr_scheduler(optimizer, 10, 3e-4)
    rates = []
    for _ in range(201):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()

    expected = [1e-3, 9e-4, 5e-4, 3e-4, 3e-4, 3e-4]
    assert [rates[k] for k in (0, 1, 5, 7, 8, 200)] == pytest.approx(expected, rel=0, abs=1e-12)


def test_NET_12_module_counts_parameters():
    net = Net()
    assert net.num_params == 9

    net.layer.bias.requires_grad_(False)
    assert (net.num_trainable_params, net.num_untrainable_params) == (6, 3)


def test_NET_14_module_travels_as_a_vector():
    m1, m2 = Net(), Net()
    m2.from_vec(m1.to_vec())
    x = torch.randn(5, 2)

    close(m2(x), m1(x), 1e-7)


@pytest.mark.parametrize("length", [12, 8])
def test_NET_16_module_refuses_other_lengths(length):
    with pytest.raises(ValueError, match="from_vec"):
        Net().from_vec(torch.zeros(length))


def test_NET_18_categorical_head():
    head = CategoricalHead(30, 4, "cpu")
    x = torch.randn(2, 30)
    policy = head(x)

    assert type(policy) is D.Categorical
    assert policy.probs.shape == (2, 4)
    assert policy.batch_shape == (2,)
    assert policy.sample().shape == (2,)
    changed = head(torch.stack([x[0], x[1] + 1.0])).probs
    close(changed[0], policy.probs[0].detach(), 1e-6)
    assert not torch.equal(changed[1], policy.probs[1])


def test_NET_19_categorical_head_begins_uniform():
    policy = CategoricalHead(30, 4, "cpu")(torch.randn(1000, 30))

    assert policy.entropy().min() > 1.38


def test_NET_20_gaussian_head():
    policy = DiagGaussianHead(10, 4, "cpu", 0.45)(torch.randn(2, 10))

    close(policy.base_dist.stddev, torch.full((2, 4), 0.45), 1e-6)
    assert type(policy) is D.Independent
    assert type(policy.base_dist) is D.Normal
    assert policy.event_shape == (4,)


def test_NET_22_gaussian_head_refuses_negative_scales():
    with pytest.raises(ValueError, match="std0"):
        DiagGaussianHead(10, 4, "cpu", -0.5)


def test_NET_24_mdn_head():
    outputs = MDNHead(5, 2, 3, "cpu")(torch.randn(7, 5))

    assert [x.shape for x in outputs] == [(7, 3, 2)] * 3
    close(outputs[2], torch.ones(7, 3, 2), 0.1)


def test_NET_25_mdn_loss_of_one_component():
    zeros = torch.zeros(4, 1, 2)
    loss = MDNHead(5, 2, 1, "cpu").loss(zeros, zeros, torch.ones(4, 1, 2), torch.zeros(4, 2))

    close(loss, 1.8378770664, 1e-5)


def test_NET_27_mdn_loss():
    loss = MDNHead(5, 2, 3, "cpu").loss(
        torch.tensor([[[0.1, 0.2], [0.3, -0.4], [0.0, 0.5]]]),
        torch.tensor([[[0.0, 1.0], [1.0, 0.0], [-1.0, 0.5]]]),
        torch.tensor([[[1.0, 0.5], [0.5, 1.0], [2.0, 1.0]]]),
        torch.tensor([[0.3, -0.2]]),
    )

    close(loss, 4.0545415643, 1e-5)


@pytest.mark.parametrize(("tau", "std"), [(1.0, 1.0), (0.25, 0.5)])
def test_NET_29_mdn_sample(tau, std):
    torch.manual_seed(0)
    N = 100_000
    mean = torch.tensor([[-5.0], [5.0]]).expand(N, 2, 1)
    x = MDNHead(5, 1, 2, "cpu").sample(torch.zeros(N, 2, 1), mean, torch.ones(N, 2, 1), tau)

    assert x.shape == (N, 1)
    close((x > 0).double().mean(), 0.5, 0.02)
    close((x[x > 0] - 5.0).std(), std, 0.02)
    close((x[x < 0] + 5.0).std(), std, 0.02)


@pytest.mark.parametrize(("sizes", "number"), [((10, 8), 720), ((1, 1), 26), ((3, 5), 250)])
def test_NET_31_lstm_cell_parameters(sizes, number):
    assert num_params(LayerNormLSTMCell(*sizes)) == number


def test_NET_32_lstm_cell_step():
    cell = LayerNormLSTMCell(2, 3).double()
    with torch.no_grad():
        cell.weight_ih.copy_(torch.arange(24, dtype=torch.float64).sin().view(12, 2))
        cell.weight_hh.copy_(torch.arange(36, dtype=torch.float64).cos().view(12, 3))
    x, h, c = (
        torch.tensor([row], dtype=torch.float64)
        for row in ([1.0, -1.0], [0.1, 0.2, 0.3], [-0.1, 0.0, 0.1])
    )
    _, (h, c) = cell(x, (h, c))

    close(h, [[-0.0237150, -0.6165147, 0.4273668]], 1e-5)
    close(c, [[-0.3474755, -1.0134353, 1.3609107]], 1e-5)


def test_NET_33_make_lnlstm():
    lstm = make_lnlstm(10, 8)
    output, states = lstm(torch.randn(3, 5, 10), [(torch.zeros(5, 8), torch.zeros(5, 8))])

    assert output.shape == (3, 5, 8)
    assert len(states) == 1
    assert [x.shape for x in states[0]] == [(5, 8), (5, 8)]


def test_NET_35_lstm_of_one_unit_is_zero():
    lstm = make_lnlstm(10, 1)
    output, _ = lstm(torch.randn(3, 5, 10), [(torch.zeros(5, 1), torch.zeros(5, 1))])

    assert (output == 0).all()


@pytest.mark.parametrize("num_layers", [1, 2])
def test_NET_37_lstm_of_packed_sequences(num_layers):
    H, lengths = 8, [3, 1, 4]
    lstm = make_lnlstm(10, H, num_layers)
    x = torch.randn(4, 3, 10)
    zeros = lambda B: [(torch.zeros(B, H), torch.zeros(B, H))] * num_layers
    packed = pack_padded_sequence(x, lengths, enforce_sorted=False)
    output, states = lstm(packed, zeros(3))

    assert output.batch_sizes.tolist() == [3, 2, 2, 1]
    assert len(states) == num_layers
    for i, T in enumerate(lengths):
        _, alone = lstm(x[:T, i : i + 1], zeros(1))
        for (h, c), (h_alone, c_alone) in zip(states, alone, strict=True):
            assert h.shape == c.shape == (3, H)
            close(h[i : i + 1], h_alone.detach(), 1e-5)
            close(c[i : i + 1], c_alone.detach(), 1e-5)
