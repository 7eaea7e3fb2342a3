import math

import numpy as np
import pytest
import torch
from gymnasium import spaces
from torch import distributions as D

from lagom.networks import CategoricalHead, DiagGaussianHead, TanhGaussianHead, make_head


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


# TanhGaussianHead


def squashed(low=-1.0, high=1.0, action_dim=2):
    """A head in float64 whose means and scales differ from row to row."""
    torch.manual_seed(0)
    head = TanhGaussianHead(3, action_dim, "cpu", low, high)
    head.from_vec(0.3 * torch.randn(head.num_params))
    return head.double()


BOUNDS = [(-1.0, 1.0), (-2.0, 2.0), (np.array([-3.0, 0.1]), np.array([1.0, 0.2]))]


def normal(*shape, seed=1):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize(("low", "high"), BOUNDS)
def test_densities_integrate_to_one(low, high):
    head = squashed(low, high)
    policy = head(normal(1, 3))
    x = torch.linspace(-8, 8, 400, dtype=torch.float64)
    grid = [head.center[d] + head.scale[d] * x.tanh() for d in range(2)]
    widths = [torch.gradient(g)[0] for g in grid]
    points = torch.cartesian_prod(*grid)
    mass = policy.log_prob(points).exp() @ torch.cartesian_prod(*widths).prod(1)

    assert mass.item() == pytest.approx(1, abs=1e-3)
    for x, *bounds in zip(grid, np.broadcast_to(low, 2), np.broadcast_to(high, 2), strict=True):
        assert [x.min(), x.max()] == pytest.approx(bounds, abs=1e-5)


@pytest.mark.parametrize(("low", "high"), BOUNDS)
def test_squashed_samples_by_definition(low, high):
    head, features = squashed(low, high), normal(7, 3)
    torch.manual_seed(3)
    action, logprob = head.sample(features)
    torch.manual_seed(3)
    noise = torch.randn(7, 2, dtype=torch.float64)

    out = features @ head.out.weight.T + head.out.bias
    mean, std = out[:, :2], out[:, 2:].exp()
    x = mean + std * noise
    low, high = torch.as_tensor(low), torch.as_tensor(high)
    expected = D.Normal(mean, std).log_prob(x) - torch.log(1 - x.tanh() ** 2)
    expected = (expected - torch.log((high - low) / 2)).sum(1)
    assert logprob.shape == (7,)
    # Bounds are kept in float32.
    torch.testing.assert_close(
        action, (low + high) / 2 + (high - low) / 2 * x.tanh(), rtol=1e-6, atol=1e-6
    )
    torch.testing.assert_close(logprob, expected, rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(
        head(features).log_prob(action.detach()), expected, rtol=1e-6, atol=1e-6
    )


@pytest.mark.parametrize(("low", "high"), BOUNDS)
def test_squashed_samples_have_the_gradients_of_the_distribution(low, high):
    head, features = squashed(low, high), normal(7, 3).requires_grad_()
    weights = normal(7, 3, seed=2)
    inputs = [features, *head.parameters()]
    torch.manual_seed(3)
    action, logprob = head.sample(features)
    ours = torch.autograd.grad((action * weights[:, :2]).sum() + logprob @ weights[:, 2], inputs)
    torch.manual_seed(3)
    policy = head(features)
    action = policy.rsample()
    loss = (action * weights[:, :2]).sum() + policy.log_prob(action) @ weights[:, 2]

    for x, y in zip(ours, torch.autograd.grad(loss, inputs), strict=True):
        assert x.any()
        torch.testing.assert_close(x, y, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("mean", [-60.0, -9.0, 0.0, 9.0, 60.0])
def test_log_probabilities_of_saturated_actions_are_right(mean):
    head = TanhGaussianHead(1, 1, "cpu")
    head.from_vec(torch.tensor([0.0, 0.0, mean, -1.0]))
    torch.manual_seed(0)
    action, logprob = head.sample(torch.zeros(1, 1))
    logprob.backward()
    torch.manual_seed(0)
    noise = torch.randn(1, 1).item()
    x = mean + math.exp(-1) * noise
    # 1 - tanh(x)^2 = 4 e^-2|x| / (1 + e^-2|x|)^2
    log_slope = math.log(4) - 2 * abs(x) - 2 * math.log1p(math.exp(-2 * abs(x)))
    expected = -noise * noise / 2 + 1 - math.log(2 * math.pi) / 2 - log_slope

    assert action.item() == pytest.approx(math.tanh(x))
    assert logprob.item() == pytest.approx(expected, rel=1e-5)
    torch.manual_seed(0)
    policy = head(torch.zeros(1, 1))
    assert policy.log_prob(policy.rsample()).item() == pytest.approx(expected, rel=1e-5)
    # d logprob / d mean = 2 tanh(x)
    assert head.out.bias.grad[0].item() == pytest.approx(2 * math.tanh(x), rel=1e-5)


def test_scales_are_clamped():
    head, features = TanhGaussianHead(1, 2, "cpu"), torch.zeros(1, 1)
    head.from_vec(torch.tensor([0.0] * 4 + [0.1, 0.2, -1e3, 1e3]))
    mean, logstd = head.moments(features)
    drawn = head.act(np.zeros((10_000, 1), np.float32), np.random.default_rng(0))

    assert mean.tolist() == [pytest.approx([0.1, 0.2])]
    assert logstd.tolist() == [[-20, 2]]
    assert head.sample(features)[1].isfinite()
    np.testing.assert_allclose(drawn[:, 0], math.tanh(0.1), rtol=1e-5)
    gaussian = D.Normal(0.2, math.exp(2))
    share = (gaussian.cdf(torch.tensor(1.0)) - gaussian.cdf(torch.tensor(-1.0))).item()
    assert (np.abs(drawn[:, 1]) < math.tanh(1)).mean() == pytest.approx(share, abs=0.01)


def test_new_heads_explore_everywhere():
    head = TanhGaussianHead(30, 1, "cpu")
    drawn = head.act(
        np.random.default_rng(0).normal(size=(50_000, 30)).astype(np.float32),
        np.random.default_rng(1),
    )

    share = np.histogram(drawn, bins=10, range=(-1, 1))[0] / len(drawn)
    assert share.min() > 0.05
    assert drawn.mean() == pytest.approx(0, abs=0.02)


@pytest.mark.parametrize(("low", "high"), BOUNDS)
def test_arrays_are_drawn_as_tensors_are(low, high):
    head = squashed(low, high).float()
    features = np.array([[0.3, -0.2, 0.1]], np.float32).repeat(50_000, 0)
    torch.manual_seed(0)
    with torch.no_grad():
        expected = head.sample(torch.from_numpy(features))[0].numpy()
    action = head.act(features, np.random.default_rng(0))

    assert action.dtype == np.float32
    assert action.shape == (50_000, 2)
    scale = (np.broadcast_to(high, 2) - low) / 2
    np.testing.assert_allclose(action.mean(0) / scale, expected.mean(0) / scale, atol=0.02)
    np.testing.assert_allclose(action.std(0), expected.std(0), rtol=0.02)
    assert np.corrcoef(action.T)[0, 1] == pytest.approx(0, abs=0.02)
    greedy = head.act(features[:1], None, greedy=True)[0]
    np.testing.assert_allclose(greedy, np.median(action, 0), atol=0.02 * scale.max())


def test_squashed_actions_follow_the_generator():
    head, features = squashed().float(), np.ones((5, 3), np.float32)
    draws = [head.act(features, np.random.default_rng(seed)) for seed in (0, 0, 1)]

    np.testing.assert_array_equal(draws[0], draws[1])
    assert (draws[0] != draws[2]).all()


def test_bounds_are_no_parameters():
    head = TanhGaussianHead(3, 2, "cpu", -2.0, 2.0)

    assert [*head.state_dict()] == ["out.weight", "out.bias"]
    assert head.num_params == 3 * 4 + 4


@pytest.mark.parametrize(
    ("low", "high"),
    [(1.0, 1.0), (1.0, -1.0), (-np.inf, 1.0), (0.0, np.nan), ([-1.0, 2.0], [1.0, 1.0])],
)
def test_bounds_that_are_none_are_refused(low, high):
    with pytest.raises(
        ValueError, match=r"TanhGaussianHead: bounds are \[.*\] and .*; expected finite ones"
    ):
        TanhGaussianHead(3, 2, "cpu", low, high)


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
    [
        spaces.MultiDiscrete([2, 3], start=[0, 1]),
        spaces.MultiDiscrete([[2, 3]]),
        spaces.MultiBinary([2, 2]),
        spaces.Box(-1, 1, (2, 2)),
        spaces.Discrete(3, start=1),
        spaces.Dict(),
        spaces.Tuple([spaces.Text(3)]),
    ],
)
def test_spaces_without_a_head_are_refused(space):
    with pytest.raises(
        ValueError, match="action space: got .*; expected Discrete .*MultiBinary with one"
    ):
        make_head(8, space, "cpu")
