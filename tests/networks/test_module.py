import copy
import pickle

import numpy as np
import pytest
import torch
from torch import nn

from lagom.networks import MLP, LayerNormLSTMCell, Module, make_fc


class Net(Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(2, 3)

    def forward(self, x):
        return self.layer(x)


def is_view(module):
    """Whether parameters and gradients lie, in order, in ``flat`` and ``flat.grad``."""
    flat, start = module.flat, 0
    for p in module.parameters():
        if p.requires_grad:
            for whole, part in ((flat, p), (flat.grad, p.grad)):
                place = whole.data_ptr() + start * whole.element_size()
                if part.data_ptr() != place or not part.is_contiguous():
                    return False
            start += p.numel()
    return start == len(flat)


def test_number_of_parameters():
    net = Net()
    assert (net.num_params, net.num_trainable_params, net.num_untrainable_params) == (9, 9, 0)

    net.layer.bias.requires_grad_(False)
    assert (net.num_params, net.num_trainable_params, net.num_untrainable_params) == (9, 6, 3)


def test_vector_is_weights_then_biases_row_by_row():
    net = Net()
    net.from_vec(torch.arange(9.0))

    assert net.layer.weight.tolist() == [[0, 1], [2, 3], [4, 5]]
    assert net.layer.bias.tolist() == [6, 7, 8]
    assert net.to_vec().tolist() == list(range(9))


def test_parameters_travel_as_a_vector():
    one, two = Net(), Net()
    two.from_vec(one.to_vec())
    x = torch.randn(5, 2)

    assert torch.equal(one(x), two(x))


def test_vector_has_history():
    net = Net()
    net.to_vec().square().sum().backward()

    torch.testing.assert_close(net.layer.weight.grad, 2 * net.layer.weight.detach())


def test_from_vec_takes_float64_arrays_and_keeps_the_type():
    net = Net()
    net.from_vec(np.full(9, 0.5))

    assert net.layer.weight.dtype == torch.float32
    assert net.layer.weight.requires_grad
    assert (net.to_vec() == 0.5).all()


@pytest.mark.parametrize("shape", [(8,), (12,), (9, 1), (0,)])
def test_vectors_of_another_length_are_refused(shape):
    net = Net()
    before = net.to_vec()

    with pytest.raises(ValueError, match=r"from_vec: vector has shape .*; expected \(9,\)"):
        net.from_vec(np.zeros(shape))
    assert torch.equal(net.to_vec(), before)


def test_save_and_load(tmp_path):
    one, two = Net(), Net()
    one.save(tmp_path / "net.pt")
    two.load(tmp_path / "net.pt")

    assert torch.equal(one.to_vec(), two.to_vec())


class Mixed(Module):
    """Layers in lists, in other modules, with normalization, buffers and a weight used twice."""

    def __init__(self):
        super().__init__()
        self.fc = make_fc(3, [4, 4])
        self.norm = nn.BatchNorm1d(4)
        self.cell = LayerNormLSTMCell(4, 4)
        self.lstm = nn.LSTM(4, 3)
        self.conv = nn.Conv2d(2, 3, 3).to(memory_format=torch.channels_last)
        self.tied = nn.Linear(4, 4)
        self.tied.weight = self.fc[1].weight

    def forward(self, x):
        for layer in self.fc:
            x = torch.tanh(layer(x))
        x, _ = self.cell(self.norm(self.tied(x)), (x, x))
        x, _ = self.lstm(x[None])
        return self.conv(x[0, :, None, None, :].expand(-1, 2, 5, 3)).sum((1, 2, 3))


def make_mixed(seed):
    torch.manual_seed(seed)
    net = Mixed()
    net(torch.randn(8, 3))  # moves the running statistics
    return net.eval()


def test_vectors_of_modules_with_all_kinds_of_parts():
    one, two = make_mixed(0), make_mixed(1)
    two.norm.load_state_dict(one.norm.state_dict())  # its statistics are no parameters
    x = torch.randn(5, 3)

    assert one.num_params == sum(p.numel() for p in one.parameters()) == len(one.to_vec())
    assert not torch.allclose(one(x), two(x))
    two.from_vec(one.to_vec())
    torch.testing.assert_close(one(x), two(x), rtol=0, atol=1e-7)
    two.to_vec().sum().backward()
    assert all((p.grad == 1).all() for p in two.parameters())


@pytest.mark.parametrize("flat", [False, True])
def test_save_and_load_modules_with_all_kinds_of_parts(flat, tmp_path):
    one, two = make_mixed(0), make_mixed(1)
    if flat:
        _ = one.flat, two.flat
    one.save(tmp_path / "net.pt")
    two.load(tmp_path / "net.pt")

    assert all(torch.equal(x, y) for x, y in zip(one.buffers(), two.buffers(), strict=True))
    assert torch.equal(one.to_vec(), two.to_vec())
    assert is_view(two)


def test_files_that_hold_code_are_refused(tmp_path):
    torch.save({"layer": np.random.RandomState}, tmp_path / "net.pt")

    with pytest.raises(Exception, match="Weights only load failed"):
        Net().load(tmp_path / "net.pt")


# flat


def test_parameters_and_gradients_are_views():
    net = MLP(2, [3], 1)
    before = [p.detach().clone() for p in net.parameters()]
    flat = net.flat

    assert flat.is_leaf
    assert flat.requires_grad
    assert is_view(net)
    assert all(torch.equal(p, x) for p, x in zip(net.parameters(), before, strict=True))
    net(torch.ones(4, 2)).sum().backward()
    assert flat.grad[-1] == 4  # of the last bias, once for each row
    flat.detach().fill_(1.0)
    assert all((p == 1).all() for p in net.parameters())


def test_it_takes_all_kinds_of_parts():
    one, two = make_mixed(0), make_mixed(0)
    x = torch.randn(5, 3)
    before = one(x)
    optimizers = torch.optim.SGD([one.flat], lr=0.1), torch.optim.SGD(two.parameters(), lr=0.1)

    assert is_view(one)
    torch.testing.assert_close(one(x), before, rtol=0, atol=1e-7)
    for net, optimizer in zip((one, two), optimizers, strict=True):
        net(x).square().mean().backward()
        optimizer.step()
    torch.testing.assert_close(one.to_vec(), two.to_vec())
    assert is_view(one)


def test_parameters_of_several_types_are_refused():
    net = Net()
    net.layer.bias.data = net.layer.bias.data.double()

    with pytest.raises(ValueError, match=r"flat: .* of \['torch.float32', 'torch.float64'\]; exp"):
        _ = net.flat
    assert net.layer.weight.dtype == torch.float32


def test_modules_without_anything_to_train_are_refused():
    net = Net().requires_grad_(False)

    with pytest.raises(ValueError, match=r"Module.flat: .* of \[\]; expected some, of one dtype"):
        _ = net.flat


def test_it_is_made_once():
    net = Net()

    assert net.flat is net.flat


def test_it_is_no_parameter_of_its_own():
    net = Net()
    names = [name for name, _ in net.named_parameters()]
    _ = net.flat

    assert [name for name, _ in net.named_parameters()] == names == [*net.state_dict()]


def test_it_holds_what_is_trained():
    net = Net()
    net.layer.weight.requires_grad_(False)

    assert torch.equal(net.flat, net.layer.bias)


@pytest.mark.parametrize("clear", ["optimizer", "module", "in place"])
def test_one_step_on_it_equals_a_step_on_each_parameter(clear):
    torch.manual_seed(0)
    net = MLP(3, [8, 8], 2)
    twin = copy.deepcopy(net)
    fused = torch.optim.Adam([net.flat], lr=0.01, fused=True)
    plain = torch.optim.Adam(twin.parameters(), lr=0.01, fused=False, foreach=False)
    for _ in range(10):
        x = torch.randn(16, 3)
        for module, optimizer in ((net, fused), (twin, plain)):
            if clear == "module":
                module.zero_grad()
            else:
                optimizer.zero_grad(set_to_none=clear == "optimizer")
            module(x).square().mean().backward()
            optimizer.step()

    torch.testing.assert_close(net.to_vec(), twin.to_vec(), rtol=1e-5, atol=1e-6)


def _from_vec(net):
    net.from_vec(torch.arange(9.0))


def _load_state_dict(net):
    net.load_state_dict(Net().state_dict())


@pytest.mark.parametrize("change", [_from_vec, _load_state_dict])
def test_it_survives_what_copies_in_place(change):
    net = Net()
    flat = net.flat
    change(net)

    assert net.flat is flat
    assert is_view(net)
    assert torch.equal(flat, net.to_vec())


def test_copies_have_their_own():
    net = Net()
    net(torch.ones(1, 2)).sum().backward()
    _ = net.flat
    twin = copy.deepcopy(net)
    before = net.to_vec().detach()

    assert twin.flat.data_ptr() != net.flat.data_ptr()
    assert is_view(twin)
    assert is_view(net)
    twin.flat.detach().zero_()
    assert not twin.to_vec().any()
    assert torch.equal(net.to_vec(), before)


def test_a_copied_optimizer_moves_the_copy():
    net = Net()
    net.flat.grad.fill_(0.5)
    twin, optimizer = copy.deepcopy((net, torch.optim.SGD([net.flat], lr=1.0)))
    before = net.to_vec().detach()

    assert is_view(twin)
    assert (twin.layer.bias.grad == 0.5).all()
    optimizer.step()
    assert torch.equal(twin.to_vec(), before - 0.5)
    assert torch.equal(net.to_vec(), before)


def test_a_vector_left_behind_is_not_copied():
    net = Net()
    _ = net.flat
    net.layer.bias = nn.Parameter(torch.ones(3))
    twin = copy.deepcopy(net)

    assert torch.equal(twin.to_vec(), net.to_vec())
    assert is_view(twin)


def test_pickled_networks_make_it_again():
    net = Net()
    _ = net.flat
    twin = pickle.loads(pickle.dumps(net))

    assert torch.equal(twin.to_vec(), net.to_vec())
    twin.zero_grad()
    assert is_view(twin)


@pytest.mark.parametrize(
    "move",
    [
        lambda net: net.to(torch.float64),
        lambda net: setattr(net.layer, "bias", nn.Parameter(torch.ones(3))),
        lambda net: net.load_state_dict(Net().state_dict(), assign=True),
    ],
)
def test_it_is_made_again_after_a_move(move):
    net = Net()
    flat = net.flat
    move(net)
    values = net.to_vec().detach()

    assert net.flat is not flat
    assert is_view(net)
    assert torch.equal(net.flat, values)
    net.flat.detach().fill_(3.0)
    assert (net.to_vec() == 3).all()


def test_it_stays_where_nothing_moved():
    net = Net()
    flat = net.flat

    assert net.to("cpu").train().flat is flat


@pytest.mark.parametrize("max_norm", [0.1, 1e3])
def test_gradients_are_clipped_as_torch_clips_them(max_norm):
    net = MLP(3, [4], 2)
    flat = net.flat
    net(torch.ones(5, 3)).square().sum().backward()
    expected = flat.grad.clone()
    norm = expected.norm()

    assert net.clip_grad_norm(max_norm) == norm
    expected *= min(1.0, max_norm / (norm.item() + 1e-6))
    torch.testing.assert_close(flat.grad, expected)
    torch.testing.assert_close(net.layers[0].weight.grad.flatten(), expected[:12])
