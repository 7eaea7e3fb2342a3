import copy
import math

import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pack_sequence

from lagom.networks import LayerNormLSTMCell, LSTMCell, LSTMLayer, StackedLSTM, make_lnlstm

LENGTHS = [3, 1, 4, 3]


class Plain(nn.Module):
    """PyTorch's own cell, which knows nothing of ``project`` and ``step``."""

    def __init__(self, *args):
        super().__init__()
        self.inner = nn.LSTMCell(*args)

    def forward(self, input, state):
        h, c = self.inner(input, state)
        return h, (h, c)


def normal(*shape):
    return torch.randn(*shape, dtype=torch.float64)


def layer_of(cell, I=2, H=3):
    """A layer in float64 with random parameters, those of normalizations too."""
    torch.manual_seed(0)
    layer = LSTMLayer(cell, I, H).double()
    for p in layer.parameters():
        p.data.normal_()
    return layer


def start(B, H=3):
    return normal(B, H), normal(B, H)


def alone(layer, sequences, state, reset=None):
    """Outputs and final states, each sequence by itself, step by step through its cell."""
    outputs, finals = [], []
    for b, x in enumerate(sequences):
        s = tuple(part[b : b + 1] for part in state)
        outputs.append([])
        for t in range(len(x)):
            if reset is not None and reset[t, b]:
                s = tuple(torch.zeros_like(part) for part in s)
            output, s = layer.cell(x[t : t + 1], s)
            outputs[-1].append(output)
        outputs[-1] = torch.cat(outputs[-1])
        finals.append(s)
    return outputs, tuple(torch.cat(parts) for parts in zip(*finals, strict=True))


def close(one, two):
    assert len(one) == len(two)
    for x, y in zip(one, two, strict=True):
        torch.testing.assert_close(x, y)


# LayerNormLSTMCell


def norm(x, weight, bias):
    """Layer normalization of a list."""
    mean = sum(x) / len(x)
    std = math.sqrt(sum((v - mean) ** 2 for v in x) / len(x) + 1e-5)
    return [w * (v - mean) / std + b for v, w, b in zip(x, weight, bias, strict=True)]


def test_a_step_by_definition():
    cell = layer_of(LayerNormLSTMCell).cell
    x, (h, c) = normal(4, 2), start(4)
    out, (new_h, new_c) = cell(x, (h, c))
    i_norm, h_norm, c_norm = (
        (m.weight.tolist(), m.bias.tolist())
        for m in (cell.layernorm_i, cell.layernorm_h, cell.layernorm_c)
    )
    sigmoid = lambda v: 1 / (1 + math.exp(-v))

    for b in range(4):
        of_x = norm((cell.weight_ih @ x[b]).tolist(), *i_norm)
        of_h = norm((cell.weight_hh @ h[b]).tolist(), *h_norm)
        gates = [u + v for u, v in zip(of_x, of_h, strict=True)]
        i, f, g, o = gates[:3], gates[3:6], gates[6:9], gates[9:]
        cells = [sigmoid(f[j]) * c[b, j].item() + sigmoid(i[j]) * math.tanh(g[j]) for j in range(3)]
        cells = norm(cells, *c_norm)
        hidden = [sigmoid(o[j]) * math.tanh(cells[j]) for j in range(3)]

        assert new_c[b].tolist() == pytest.approx(cells)
        assert new_h[b].tolist() == pytest.approx(hidden)
    assert out is new_h


def test_gates_begin_orthogonal():
    cell = LayerNormLSTMCell(5, 8)

    for gate in cell.weight_hh.chunk(4):
        torch.testing.assert_close(gate @ gate.T, torch.eye(8), atol=1e-5, rtol=0)
    for gate in cell.weight_ih.chunk(4):
        torch.testing.assert_close(gate.T @ gate, torch.eye(5), atol=1e-5, rtol=0)
    assert not torch.equal(cell.weight_hh[:8], cell.weight_hh[8:16])


@pytest.mark.parametrize(("I", "H"), [(10, 8), (1, 1), (3, 5)])
def test_number_of_parameters(I, H):
    assert LayerNormLSTMCell(I, H).num_params == 4 * H * I + 4 * H * H + 18 * H


def test_normalized_over_one_value_is_nothing():
    lstm = make_lnlstm(3, 1)
    output, _ = lstm(torch.randn(5, 2, 3), [(torch.zeros(2, 1), torch.zeros(2, 1))])

    assert not output.any()


# LSTMLayer


@pytest.mark.parametrize("cell", [LayerNormLSTMCell, LSTMCell, Plain])
@pytest.mark.parametrize(("T", "B"), [(1, 1), (1, 3), (4, 1), (5, 3)])
def test_sequences_are_independent_rows(cell, T, B):
    layer = layer_of(cell)
    x, state = normal(T, B, 2), start(B)
    outputs, finals = alone(layer, x.unbind(1), state)
    output, final = layer(x, state)

    torch.testing.assert_close(output, torch.stack(outputs, 1))
    close(final, finals)
    torch.testing.assert_close(output[-1], final[0])


def test_a_sequence_in_two_parts_is_the_same_sequence():
    layer, x, state = layer_of(LayerNormLSTMCell), normal(5, 3, 2), start(3)
    output, final = layer(x, state)
    first, middle = layer(x[:2], state)
    second, last = layer(x[2:], middle)

    torch.testing.assert_close(torch.cat([first, second]), output)
    close(last, final)


@pytest.mark.parametrize("enforce_sorted", [True, False])
@pytest.mark.parametrize("cell", [LayerNormLSTMCell, LSTMCell, Plain])
def test_packed_sequences(cell, enforce_sorted):
    layer = layer_of(cell)
    lengths = sorted(LENGTHS, reverse=True) if enforce_sorted else LENGTHS
    sequences, state = [normal(T, 2) for T in lengths], start(4)
    outputs, finals = alone(layer, sequences, state)
    packed = pack_sequence(sequences, enforce_sorted=enforce_sorted)
    output, final = layer(packed, state)

    close(final, finals)
    assert isinstance(output, PackedSequence)
    expected = pack_sequence(outputs, enforce_sorted=enforce_sorted)
    torch.testing.assert_close(output.data, expected.data)
    assert all(x is y for x, y in zip(output[1:], packed[1:], strict=True))  # same order


def test_packed_sequences_of_one_length_are_a_batch():
    layer, x, state = layer_of(LayerNormLSTMCell), normal(4, 3, 2), start(3)
    packed, final = layer(pack_padded_sequence(x, [4, 4, 4]), state)
    output, expected = layer(x, state)

    torch.testing.assert_close(packed.data.view(4, 3, 3), output)
    close(final, expected)


@pytest.mark.parametrize("packed", [False, True])
def test_as_torch_does_it(packed):
    """The loop, checked against ``nn.LSTM`` with a cell of the same parameters."""
    layer, lstm = layer_of(Plain), nn.LSTM(2, 3).double()
    for name, p in layer.cell.inner.named_parameters():
        getattr(lstm, f"{name}_l0").data = p.data
    state = start(4)
    if packed:
        x = pack_sequence([normal(T, 2) for T in LENGTHS], enforce_sorted=False)
    else:
        x = normal(5, 4, 2)
    output, final = layer(x, state)
    expected, final_expected = lstm(x, tuple(s[None] for s in state))

    close(final, [s[0] for s in final_expected])
    if packed:
        output, expected = output.data, expected.data
    torch.testing.assert_close(output, expected)


@pytest.mark.parametrize("cell", [LayerNormLSTMCell, LSTMCell, Plain])
@pytest.mark.parametrize("packed", [False, True])
def test_resets_come_before_the_step(cell, packed):
    layer = layer_of(cell)
    reset = torch.tensor([[0, 1, 0, 0], [0, 0, 0, 0], [1, 1, 0, 0], [1, 0, 1, 0]]).bool()
    lengths = LENGTHS if packed else [4] * 4
    sequences, state = [normal(T, 2) for T in lengths], start(4)
    outputs, finals = alone(layer, sequences, state, reset)
    if packed:
        x, outputs = (pack_sequence(s, enforce_sorted=False) for s in (sequences, outputs))
    else:
        x, outputs = torch.stack(sequences, 1), torch.stack(outputs, 1)
    output, final = layer(x, state, reset)

    close(final, finals)
    if packed:
        output, outputs = output.data, outputs.data
    torch.testing.assert_close(output, outputs)


def test_resets_forget_everything_and_stop_gradients():
    layer, x = layer_of(LayerNormLSTMCell), normal(3, 2, 2).requires_grad_()
    h, c = (s.requires_grad_() for s in start(2))
    reset = torch.tensor([[0, 0], [1, 0], [0, 0]]).bool()
    layer(x, (h, c), reset)[0][1:].sum().backward()

    for g in (h.grad, c.grad, x.grad[0]):
        assert not g[0].any()
        assert g[1].any()
    assert x.grad[1:].any(-1).all()
    nan = torch.full_like(h, math.nan)
    output, _ = layer(x, (nan, nan), torch.ones(3, 2).bool())
    assert output.isfinite().all()


@pytest.mark.parametrize("packed", [False, True])
def test_gradients_equal_those_of_the_unrolled_cell(packed):
    layer = layer_of(LayerNormLSTMCell)
    lengths = LENGTHS if packed else [4] * 4
    sequences, state = [normal(T, 2).requires_grad_() for T in lengths], start(4)
    reset = torch.rand(4, 4) < 0.3
    inputs = [*sequences, *(s.requires_grad_() for s in state), *layer.parameters()]
    weights = [normal(T, 3) for T in lengths]

    outputs, (h, c) = alone(layer, sequences, state, reset)
    loss = sum((y * w).sum() for y, w in zip(outputs, weights, strict=True)) + (h * c).sum()
    expected = torch.autograd.grad(loss, inputs)
    if packed:
        x, w = (pack_sequence(s, enforce_sorted=False) for s in (sequences, weights))
        output, (h, c) = layer(x, state, reset)
        loss = (output.data * w.data).sum() + (h * c).sum()
    else:
        output, (h, c) = layer(torch.stack(sequences, 1), state, reset)
        loss = (output * torch.stack(weights, 1)).sum() + (h * c).sum()

    close(torch.autograd.grad(loss, inputs), expected)


def test_gradients_by_finite_differences():
    layer, x, state = layer_of(LayerNormLSTMCell), normal(3, 2, 2), start(2)

    def f(x, h, c, *parameters):
        named = dict(zip(dict(layer.named_parameters()), parameters, strict=True))
        output, state = torch.func.functional_call(layer, named, (x, (h, c)))
        return output, *state

    inputs = [v.detach().clone().requires_grad_() for v in (x, *state, *layer.parameters())]
    assert torch.autograd.gradcheck(f, inputs)


def test_the_input_is_projected_once(monkeypatch):
    layer, shapes = layer_of(LayerNormLSTMCell), []
    project = LayerNormLSTMCell.project

    def spy(cell, input):
        shapes.append(tuple(input.shape))
        return project(cell, input)

    monkeypatch.setattr(LayerNormLSTMCell, "project", spy)
    layer(normal(5, 3, 2), start(3))
    layer(pack_sequence([normal(T, 2) for T in LENGTHS], enforce_sorted=False), start(4))

    assert shapes == [(15, 2), (11, 2)]


def test_shapes_that_would_be_broadcast_are_refused():
    layer, x, (h, c) = layer_of(LayerNormLSTMCell), normal(4, 3, 2), start(3)

    with pytest.raises(ValueError, match="LSTMLayer: the input has no steps; expected"):
        layer(x[:0], (h, c))
    for wrong in (h[:1], h[None]):
        with pytest.raises(ValueError, match=r"state has shape .* for 3 seq.*; expected \(3, H\)"):
            layer(x, (h, wrong))
    with pytest.raises(ValueError, match=r"shape \(1, 1, 3\) for 1 seq.*; expected \(1, H\)"):
        layer(x[:, :1], (h[None, :1], c[None, :1]))
    for wrong in (torch.zeros(3, 4).bool(), torch.zeros(4, 1).bool(), torch.zeros(4, 3)):
        with pytest.raises(ValueError, match=r"reset has shape .*; expected \(4, 3\), bool"):
            layer(x, (h, c), wrong)


# StackedLSTM, make_lnlstm


@pytest.mark.parametrize("num_layers", [1, 2, 3])
@pytest.mark.parametrize("packed", [False, True])
def test_layers_are_fed_with_those_below(num_layers, packed):
    torch.manual_seed(0)
    lstm = make_lnlstm(2, 3, num_layers).double()
    states = [start(4) for _ in range(num_layers)]
    reset = torch.rand(4, 4) < 0.3
    sequences = [normal(T, 2) for T in (LENGTHS if packed else [4] * 4)]
    x = pack_sequence(sequences, enforce_sorted=False) if packed else torch.stack(sequences, 1)
    output, finals = lstm(x, states, reset)

    assert len(finals) == num_layers
    for layer, state, final in zip(lstm.layers, states, finals, strict=True):
        sequences, expected = alone(layer, sequences, state, reset)
        close(final, expected)
    if packed:
        output, expected = output.data, pack_sequence(sequences, enforce_sorted=False).data
    else:
        expected = torch.stack(sequences, 1)
    torch.testing.assert_close(output, expected)


def test_each_layer_gets_its_arguments():
    lstm = make_lnlstm(5, 3, num_layers=3)

    assert [layer.cell.weight_ih.shape for layer in lstm.layers] == [(12, 5), (12, 3), (12, 3)]
    assert lstm.num_params == sum(4 * 3 * I + 36 + 54 for I in (5, 3, 3))


def test_other_cells_can_be_stacked():
    lstm = StackedLSTM(2, LSTMLayer, [Plain, 2, 3], [Plain, 3, 4]).double()
    output, (one, two) = lstm(normal(5, 2, 2), [start(2), start(2, 4)])

    assert output.shape == (5, 2, 4)
    assert (one[0].shape, two[0].shape) == ((2, 3), (2, 4))


def test_numbers_of_layers_and_states_are_checked():
    with pytest.raises(ValueError, match="StackedLSTM: num_layers is 0; expected 1 or more"):
        make_lnlstm(2, 3, 0)
    with pytest.raises(ValueError, match="StackedLSTM: got 1 states; expected 2, one a layer"):
        make_lnlstm(2, 3, 2)(torch.zeros(1, 1, 2), [(torch.zeros(1, 3), torch.zeros(1, 3))])


def test_steps_through_flat_equal_steps_on_parameters():
    torch.manual_seed(0)
    lstm = make_lnlstm(2, 4, 2)
    twin = copy.deepcopy(lstm)
    x, states = torch.randn(6, 3, 2), [(torch.zeros(3, 4), torch.zeros(3, 4))] * 2
    optimizers = [
        torch.optim.Adam([lstm.flat], lr=0.01, fused=True),
        torch.optim.Adam(twin.parameters(), lr=0.01),
    ]
    losses = []
    for _ in range(30):
        for net, optimizer in zip((lstm, twin), optimizers, strict=True):
            optimizer.zero_grad()
            loss = (net(x, states)[0] - 0.3).square().mean()
            loss.backward()
            optimizer.step()
        losses.append(loss.item())

    torch.testing.assert_close(lstm.to_vec(), twin.to_vec(), rtol=1e-4, atol=1e-4)
    assert losses[-1] < 0.5 * losses[0]


@pytest.mark.parametrize("density", [0.0, 0.1, 1.0])
def test_all_steps_at_once_are_the_steps(density):
    """In float32, where another kernel runs than in float64."""
    torch.manual_seed(1)
    layer = LSTMLayer(LSTMCell, 3, 8)
    slow = LSTMLayer(Plain, 3, 8)
    slow.cell.inner.load_state_dict(layer.cell.state_dict())
    x, reset = torch.randn(12, 5, 3), torch.rand(12, 5) < density
    weight = torch.randn(12, 5, 8)
    results = []
    for each in (layer, slow):
        state = tuple(torch.full((5, 8), 0.1, requires_grad=True) for _ in range(2))
        inputs = x.clone().requires_grad_()
        output, final = each(inputs, state, reset)
        loss = (output * weight).sum() + final[0].sum() + 2 * final[1].sum()
        loss.backward()
        grads = [s.grad for s in state] + [inputs.grad] + [p.grad for p in each.parameters()]
        results.append([output, *final, *grads])

    for one, two in zip(*results, strict=True):
        torch.testing.assert_close(one, two, rtol=1e-4, atol=1e-5)


def test_all_steps_at_once_are_so_without_gradients_too():
    layer, x = LSTMLayer(LSTMCell, 3, 8), torch.randn(6, 2, 3)
    state = torch.zeros(2, 8), torch.zeros(2, 8)
    expected = layer(x, state)
    with torch.no_grad():
        output, final = layer.eval()(x, state)

    torch.testing.assert_close(output, expected[0].detach())
    close(final, tuple(s.detach() for s in expected[1]))
