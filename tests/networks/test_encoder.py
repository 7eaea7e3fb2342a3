import copy

import numpy as np
import pytest
import torch
from envs.tiny import KINDS
from gymnasium.spaces import Box, Dict, Discrete, MultiBinary, MultiDiscrete, Text, Tuple
from torch.nn import functional as F

from lagom.networks import MLP, Encoder, action_mask, check_mask, make_encoder, make_image_network
from lagom.networks.encoder import is_image
from lagom.utils import nested


def samples(space, num=5):
    space.seed(0)
    return nested.stack([space.sample() for _ in range(num)])


def test_vectors_of_floats_get_the_same_network_as_ever():
    torch.manual_seed(0)
    expected = MLP(3, [4], 2, activation="relu")
    torch.manual_seed(0)
    net = make_encoder(Box(-1.0, 1.0, (3,)), [4], 2, activation="relu")

    assert type(net) is MLP
    assert torch.equal(net.to_vec(), expected.to_vec())


@pytest.mark.parametrize(
    ("space", "obs", "expected"),
    [
        (Discrete(3, start=2), [2, 4], [[1, 0, 0], [0, 0, 1]]),
        (MultiDiscrete([2, 3]), [[0, 2], [1, 0]], [[1, 0, 0, 0, 1], [0, 1, 1, 0, 0]]),
        (MultiBinary(2), [[0, 1], [1, 1]], [[0, 1], [1, 1]]),
        (Box(0, 255, (2,), np.uint8), [[0, 255], [51, 0]], [[0, 1], [0.2, 0]]),
        (Box(-9, 9, (1, 2), np.int64), [[[3, -4]], [[0, 9]]], [[3, -4], [0, 9]]),
        (Box(-9.0, 9.0, (), np.float64), [0.5, 2.0], [[0.5], [2.0]]),
    ],
    ids=str,
)
def test_parts(space, obs, expected):
    net = make_encoder(space, [])
    obs = np.array(obs, space.dtype)

    assert net.out_features == len(expected[0])
    np.testing.assert_allclose(net.numpy(obs), expected, rtol=1e-6)
    np.testing.assert_allclose(net(nested.to_tensors(obs, "cpu")), expected, rtol=1e-6)


def test_entries_are_put_in_a_row_whatever_their_order():
    space = Dict(b=Tuple([Discrete(2), Box(-9.0, 9.0, (2,))]), a=MultiBinary(1))
    obs = {"a": np.array([[1]], np.int8), "b": (np.array([1]), np.array([[3.0, 4.0]], np.float32))}
    net = make_encoder(space, [])

    assert net.numpy(obs).tolist() == [[0, 1, 3, 4, 1]]  # b, then a
    assert net(nested.to_tensors(obs, "cpu")).tolist() == [[0, 1, 3, 4, 1]]


def test_arrays_and_tensors_give_the_same():
    for space in (KINDS, KINDS["picture"], Dict(x=Discrete(2), y=Box(0.0, 1.0, (3,)))):
        net, obs = make_encoder(space, [8], 3), samples(space)
        features = net(nested.to_tensors(obs, "cpu"))

        assert features.shape == (5, 3)
        np.testing.assert_allclose(net.numpy(obs), features.detach(), atol=1e-5)


def test_masks_are_no_features():
    space = Dict(x=Box(0.0, 1.0, (2,)), action_mask=MultiBinary(3))
    net, obs = make_encoder(space, []), samples(space)

    assert net.out_features == 2
    assert action_mask(obs) is obs["action_mask"]
    assert action_mask(obs["x"]) is action_mask({"x": 0}) is None
    check_mask(space, Discrete(3))
    check_mask(space, MultiDiscrete([2, 1]))
    check_mask(space["x"], Box(0.0, 1.0, (2,)))
    for actions in (Discrete(2), MultiDiscrete([2, 2]), Box(0.0, 1.0, (3,)), MultiBinary(3)):
        with pytest.raises(ValueError, match=r"action_mask: got MultiBinary\(3\) for actions"):
            check_mask(space, actions)


@pytest.mark.parametrize(
    ("shape", "dtype", "expected"),
    [
        ((84, 84, 3), np.uint8, True),
        ((4, 84, 84), np.uint8, True),
        ((84, 84), np.uint8, True),
        ((16, 16, 3), np.float32, True),
        ((16, 16), np.float32, False),
        ((7, 7, 3), np.uint8, False),
        ((100,), np.uint8, False),
        ((2, 9, 9, 3), np.uint8, False),
    ],
)
def test_what_is_a_picture(shape, dtype, expected):
    assert is_image(Box(0, 255, shape, dtype)) == expected


def test_channels_first_and_last_and_none_are_the_same_picture():
    x = np.random.default_rng(0).integers(0, 256, (2, 3, 12, 10), np.uint8)
    first = make_encoder(Box(0, 255, (3, 12, 10), np.uint8), [])
    last = make_encoder(Box(0, 255, (12, 10, 3), np.uint8), [])
    last.load_state_dict(copy.deepcopy(first.state_dict()))

    np.testing.assert_allclose(first.numpy(x), last.numpy(x.transpose(0, 2, 3, 1)), atol=1e-5)
    part = first.parts[0]
    expected = part.network(torch.from_numpy(x / np.float32(255)))
    np.testing.assert_allclose(first.numpy(x), expected.detach(), atol=1e-5)
    flat = make_encoder(Box(0, 255, (12, 10), np.uint8), [])
    one = make_encoder(Box(0, 255, (12, 10, 1), np.uint8), [])
    one.load_state_dict(copy.deepcopy(flat.state_dict()))
    np.testing.assert_allclose(flat.numpy(x[:, 0]), one.numpy(x[:, 0, :, :, None]), atol=1e-5)


def test_the_network_of_2015():
    net = make_image_network(4, 84, 84)
    x = torch.rand(2, 4, 84, 84)
    a, b, c = net.cnn.layers

    assert [tuple(layer.weight.shape) for layer in (a, b, c)] == [
        (32, 4, 8, 8),
        (64, 32, 4, 4),
        (64, 64, 3, 3),
    ]
    assert net.layer.weight.shape == (512, 64 * 7 * 7)
    h = F.relu(F.conv2d(x, a.weight, a.bias, 4))
    h = F.relu(F.conv2d(h, b.weight, b.bias, 2))
    h = F.relu(F.conv2d(h, c.weight, c.bias, 1))
    expected = F.relu(F.linear(h.flatten(1), net.layer.weight, net.layer.bias))
    torch.testing.assert_close(net(x), expected)


def test_the_network_of_impala():
    net = make_image_network(3, 40, 33, "impala")

    assert len(list(net.cnn.parameters())) == 2 * 15  # convolutions, with biases
    assert net.layer.weight.shape == (256, 32 * 5 * 5)
    x = torch.rand(2, 3, 40, 33)
    h = x
    for first, a, b, c, d in net.cnn.stages:
        h = F.max_pool2d(first(h), 3, 2, 1)
        h = h + b(F.relu(a(F.relu(h))))
        h = h + d(F.relu(c(F.relu(h))))
    expected = F.relu(net.layer(F.relu(h).flatten(1)))
    torch.testing.assert_close(net(x), expected)


def test_pictures_that_are_too_small():
    assert make_image_network(1, 8, 8).out_features == 128
    assert make_image_network(1, 36, 40).out_features == 512
    with pytest.raises(ValueError, match="pictures are 35 x 90; expected at least 36 pixels for"):
        make_image_network(1, 35, 90, "nature")
    with pytest.raises(ValueError, match="make_image_network: kind is 'resnet'; expected one of"):
        make_image_network(1, 35, 90, "resnet")


def test_gradients_reach_every_part():
    net = make_encoder(KINDS, [8], 1)
    net(nested.to_tensors(samples(KINDS), "cpu")).sum().backward()

    assert all(p.grad.abs().sum() > 0 for p in net.parts.parameters())


def test_spaces_without_an_encoder():
    with pytest.raises(ValueError, match=r"observation space: got Text.*; expected Box, Discrete"):
        Encoder(Dict(a=Text(3)), [])
