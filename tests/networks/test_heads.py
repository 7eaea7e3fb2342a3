import math

import numpy as np
import pytest
import torch
from gymnasium import spaces
from torch import distributions as D

from lagom.networks import CategoricalHead, DiagGaussianHead, make_head


def categorical(num_action=4):
    """A head whose logits are far from uniform."""
    torch.manual_seed(0)
    head = CategoricalHead(3, num_action, "cpu")
    head.from_vec(torch.randn(head.num_params))
    return head


def gaussian(action_dim=2):
    torch.manual_seed(0)
    head = DiagGaussianHead(3, action_dim, "cpu")
    head.from_vec(0.5 * torch.randn(head.num_params))
    return head


def case(kind, N=7):
    """Head, features ``[N, 3]``, actions."""
    features = torch.randn(N, 3, generator=torch.Generator().manual_seed(1))
    if kind == "categorical":
        return categorical(), features, torch.arange(N) % 4
    return gaussian(), features, torch.linspace(-3, 3, 2 * N).view(N, 2)


# forward


def test_categorical_is_a_distribution():
    head = CategoricalHead(30, 4, "cpu")
    x = torch.randn(2, 30)
    policy, alone = head(x), head(x[:1])

    assert type(policy) is D.Categorical
    assert policy.probs.shape == (2, 4)
    assert policy.batch_shape == policy.sample().shape == (2,)
    torch.testing.assert_close(policy.probs[:1], alone.probs)  # rows do not influence each other


def test_categorical_begins_nearly_uniform():
    head = CategoricalHead(30, 4, "cpu")

    assert head(torch.randn(1000, 30)).entropy().min() > 1.38  # log 4 is 1.3863


def test_gaussian_is_a_distribution():
    policy = DiagGaussianHead(10, 4, "cpu", 0.45)(torch.randn(2, 10))

    assert type(policy) is D.Independent
    assert type(policy.base_dist) is D.Normal
    assert policy.event_shape == (4,)
    assert policy.batch_shape == (2,)
    torch.testing.assert_close(policy.stddev, torch.full((2, 4), 0.45), atol=1e-6, rtol=0)
    assert policy.mean.abs().max() < 0.2


@pytest.mark.parametrize("std0", [-0.5, 0.0, math.nan])
def test_scales_that_are_not_positive_are_refused(std0):
    with pytest.raises(
        ValueError, match=f"DiagGaussianHead: std0 is {std0!r}; expected a number > 0"
    ):
        DiagGaussianHead(3, 2, "cpu", std0)


# evaluate


@pytest.mark.parametrize("kind", ["categorical", "gaussian"])
@pytest.mark.parametrize("N", [1, 7])
def test_closed_forms_equal_the_distribution(kind, N):
    head, features, action = case(kind, N)
    logprob, entropy = head.evaluate(features, action)

    assert logprob.shape == entropy.shape == (N,)
    torch.testing.assert_close(logprob, head(features).log_prob(action), rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(entropy, head(features).entropy(), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("kind", ["categorical", "gaussian"])
@pytest.mark.parametrize("which", [0, 1])  # log-probability, entropy
def test_gradients_equal_those_of_the_distribution(kind, which):
    head, features, action = case(kind)
    features.requires_grad_()
    weights = torch.linspace(-1, 1, 7)
    policy = head(features)
    reference = (policy.log_prob(action), policy.entropy())[which]
    inputs = [features, *head.parameters()]

    expected = torch.autograd.grad(reference @ weights, inputs, allow_unused=True)
    closed = torch.autograd.grad(
        head.evaluate(features, action)[which] @ weights, inputs, allow_unused=True
    )

    for x, y in zip(expected, closed, strict=True):
        x, y = (torch.zeros(1) if g is None else g for g in (x, y))
        torch.testing.assert_close(y.expand_as(x), x, rtol=1e-4, atol=1e-5)


def test_unlikely_actions_have_finite_log_probabilities():
    head = CategoricalHead(1, 2, "cpu")
    head.from_vec(torch.tensor([200.0, -200.0, 0.0, 0.0]))
    logprob, entropy = head.evaluate(torch.ones(1, 1), torch.tensor([1]))

    assert logprob.item() == -400
    assert entropy.item() == 0


# act


def test_categorical_draws_with_its_probabilities():
    head, rng = categorical(), np.random.default_rng(0)
    features = np.array([[0.3, -0.2, 0.1], [-1.0, 0.5, 0.2]], np.float32)
    action = head.act(features.repeat(50_000, 0), rng)

    probs = head(torch.from_numpy(features)).probs.detach().numpy()
    for drawn, p in zip(np.split(action, 2), probs, strict=True):
        frequencies = np.bincount(drawn, minlength=4) / len(drawn)
        np.testing.assert_allclose(frequencies, p, atol=0.01)
    assert action.dtype == np.int64


class Fixed:
    """A generator that always draws ``u``."""

    def __init__(self, u):
        self.u = u

    def random(self, shape, dtype):
        return np.full(shape, self.u, dtype)


@pytest.mark.parametrize(
    ("u", "action"),
    [(0.0, 1), (0.24, 1), (0.26, 3), (0.99, 3), (1 - 2**-24, 3)],  # probabilities 0, 1/4, 0, 3/4, 0
)
def test_impossible_actions_are_never_drawn(u, action):
    head = CategoricalHead(1, 5, "cpu")
    logits = [-1e30, 0.0, -1e30, math.log(3), -1e30]
    head.from_vec(torch.tensor([0.0] * 5 + logits))

    assert head.act(np.zeros((1, 1), np.float32), Fixed(u)).tolist() == [action]


def test_huge_logits_do_not_overflow():
    head = CategoricalHead(1, 2, "cpu")
    head.from_vec(torch.tensor([0.0, 0.0, 1000.0, 999.0]))
    action = head.act(np.zeros((10_000, 1), np.float32), np.random.default_rng(0))

    assert action.mean() == pytest.approx(1 / (1 + math.e), abs=0.02)


def test_gaussian_draws_with_its_moments():
    head, rng = gaussian(), np.random.default_rng(0)
    features = np.array([[0.3, -0.2, 0.1], [-1.0, 0.5, 0.2]], np.float32)
    action = head.act(features.repeat(50_000, 0), rng)

    policy = head(torch.from_numpy(features))
    for drawn, mean, std in zip(np.split(action, 2), policy.mean, policy.stddev, strict=True):
        np.testing.assert_allclose(drawn.mean(0), mean.detach(), atol=0.02)
        np.testing.assert_allclose(drawn.std(0), std.detach(), rtol=0.02)
        assert np.corrcoef(drawn.T)[0, 1] == pytest.approx(0, abs=0.02)
    assert action.dtype == np.float32
    assert action.shape == (100_000, 2)


@pytest.mark.parametrize("kind", ["categorical", "gaussian"])
def test_greedy_is_the_likeliest_action_and_draws_nothing(kind):
    head, features, _ = case(kind)
    action = head.act(features.numpy(), None, greedy=True)

    np.testing.assert_allclose(action, head(features).mode.detach(), rtol=1e-5)


@pytest.mark.parametrize("kind", ["categorical", "gaussian"])
def test_actions_follow_the_generator(kind):
    head, features, _ = case(kind)
    draws = [head.act(features.numpy(), np.random.default_rng(seed)) for seed in (0, 0, 1)]

    np.testing.assert_array_equal(draws[0], draws[1])
    assert (draws[0] != draws[2]).any()


# make_head


def test_head_fits_the_action_space():
    head = make_head(8, spaces.Discrete(3), "cpu", std0=0.5)
    assert isinstance(head, CategoricalHead)
    assert head(torch.zeros(1, 8)).probs.shape == (1, 3)

    head = make_head(8, spaces.Box(-1, 1, (2,)), "cpu", std0=0.5)
    assert isinstance(head, DiagGaussianHead)
    assert head(torch.zeros(1, 8)).stddev.tolist() == [[0.5, 0.5]]


@pytest.mark.parametrize(
    "space",
    [spaces.MultiDiscrete([2, 3]), spaces.Box(-1, 1, (2, 2)), spaces.Discrete(3, start=1)],
)
def test_spaces_without_a_head_are_refused(space):
    with pytest.raises(
        ValueError, match="action space: got .*; expected Discrete .*or Box with one"
    ):
        make_head(8, space, "cpu")
