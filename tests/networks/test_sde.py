import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from gymnasium import spaces

from lagom.networks import KeptNoise, NestedHead, StateDependentHead, make_head, marginal_logstd


def build(every=3):
    torch.manual_seed(0)
    head = StateDependentHead(4, 2, "cpu", logstd0=-0.5, every=every)
    with torch.no_grad():
        head.logstd.add_(0.3 * torch.randn(4, 2))
        head.mean_head.weight.normal_()
        head.mean_head.bias.copy_(torch.tensor([0.3, -0.2]))
    return head


def moments(head, z):
    """Mean and variance of the actions for one vector of features, term by term (eq. 8)."""
    W, b, logstd = (x.tolist() for x in (head.mean_head.weight, head.mean_head.bias, head.logstd))
    mean = [b[j] + sum(W[j][i] * z[i] for i in range(4)) for j in range(2)]
    var = [sum(z[i] ** 2 * math.exp(2 * logstd[i][j]) for i in range(4)) for j in range(2)]
    return mean, var


def test_densities_and_entropies_are_those_of_the_marginal_gaussian():
    head, features = build(), torch.randn(5, 4)
    action = torch.randn(5, 2)

    logprob, entropy = head.evaluate(features, action)

    dist = head(features)
    assert (dist.batch_shape, dist.event_shape) == ((5,), (2,))
    for n in range(5):
        mean, var = moments(head, features[n].tolist())
        rows = [(action[n, j].item(), mean[j], var[j]) for j in range(2)]
        density = sum(
            -((a - m) ** 2) / (2 * v) - 0.5 * math.log(2 * math.pi * v) for a, m, v in rows
        )
        assert logprob[n].item() == pytest.approx(density, rel=1e-4)
        expected = sum(0.5 * math.log(2 * math.pi * math.e * v) for v in var)
        assert entropy[n].item() == pytest.approx(expected, rel=1e-4)
    torch.testing.assert_close(dist.log_prob(action), logprob)
    torch.testing.assert_close(dist.entropy(), entropy)


def test_actions_are_drawn_from_that_distribution():
    head, rng = build(every=1), np.random.default_rng(0)
    z = [1.0, -2.0, 0.5, 0.0]
    actions = head.act(np.repeat(np.float32([z]), 50_000, 0), rng)  # each row draws its own W

    mean, var = moments(head, z)
    assert actions.dtype == np.float32
    np.testing.assert_allclose(actions.mean(0), mean, atol=0.03)
    np.testing.assert_allclose(actions.var(0), var, rtol=0.03)


def test_noise_stays_for_some_steps_and_depends_on_the_state():
    head, rng = build(every=3), np.random.default_rng(0)
    features = np.ones((2, 4), np.float32)

    noise = [head.act(features, rng) - head.mean_head.numpy(features) for _ in range(6)]
    twice = head.act(2 * features, rng) - head.mean_head.numpy(2 * features)
    same = head.act(features, rng) - head.mean_head.numpy(features)

    assert [np.array_equal(a, b) for a, b in pairwise(noise)] == [True, True, False, True, True]
    assert not np.allclose(noise[0][0], noise[0][1])  # of each sub-environment its own
    np.testing.assert_allclose(twice, 2 * same, rtol=1e-4)  # linear; both after the third draw


def test_a_new_scale_counts_at_once():
    head, rng = build(), np.random.default_rng(0)
    features = np.ones((2, 4), np.float32)
    before = head.act(features, rng) - head.mean_head.numpy(features)
    head.logstd.data += math.log(2)

    after = head.act(features, rng) - head.mean_head.numpy(features)

    np.testing.assert_allclose(after, 2 * before, rtol=1e-4)


def test_greedy_actions_leave_the_noise_alone():
    head, other, features = build(), build(), np.ones((2, 4), np.float32)
    rng, same = np.random.default_rng(0), np.random.default_rng(0)
    head.act(features, rng), other.act(features, same)

    greedy = [head.act(np.ones((B, 4), np.float32), rng, greedy=True) for B in (2, 5)]

    np.testing.assert_allclose(greedy[0], head(torch.ones(2, 4)).mean.detach(), rtol=1e-5)
    for _ in range(4):  # beyond the next draw
        assert np.array_equal(head.act(features, rng), other.act(features, same))


def test_another_number_of_rows_draws_anew():
    noise, rng, logstd = KeptNoise(5), np.random.default_rng(0), torch.zeros(4, 2)
    for B in (2, 3):
        assert noise(np.ones((B, 4), np.float32), logstd, rng).shape == (B, 2)
    assert (noise.age, noise.noise.shape) == (1, (3, 4, 2))


def test_features_get_no_gradient_from_the_variance():
    head, features = build(), torch.randn(3, 4, requires_grad=True)
    marginal_logstd(features, head.logstd).sum().backward()

    assert features.grad is None
    assert head.logstd.grad.abs().min() > 0
    head.evaluate(features, torch.randn(3, 2))[0].sum().backward()
    assert features.grad.abs().min() > 0  # from the mean


def test_features_of_nothing_have_a_finite_density():
    head = build()
    logprob, entropy = head.evaluate(torch.zeros(1, 4), torch.zeros(1, 2))
    (logprob + entropy).sum().backward()

    assert all(p.grad.isfinite().all() for p in head.parameters())


def test_state():
    first, second = build(), build()
    features, rng = np.ones((2, 4), np.float32), np.random.default_rng(0)
    first.act(features, rng), first.act(features, rng)
    second.load_state_dict(first.state_dict())
    other = np.random.default_rng(0)
    other.bit_generator.state = rng.bit_generator.state

    for _ in range(3):  # the same noise once more, then the same new one
        assert np.array_equal(first.act(features, rng), second.act(features, other))


def test_noise_is_kept_for_a_step_at_least():
    with pytest.raises(ValueError, match=r"sde_every: got 0; expected at least one step"):
        KeptNoise(0)


# make_head

SDE = {"logstd0": -1.0, "every": 2}


def test_heads_for_numbers():
    head = make_head(8, spaces.Box(-1, 1, (2,)), "cpu", sde=SDE, std0=0.5)

    assert type(head) is StateDependentHead
    assert head.logstd.shape == (8, 2)
    assert (head.logstd == -1).all()
    assert head.noise.every == 2
    parts = spaces.Tuple([spaces.Box(-1, 1, (2,)), spaces.Box(-1, 1, (1,))])
    nested = make_head(8, parts, "cpu", sde=SDE)
    assert type(nested) is NestedHead
    assert [type(part) for part in nested.heads] == [StateDependentHead] * 2


@pytest.mark.parametrize(
    "space",
    [
        spaces.Discrete(3),
        spaces.Box(-1, 1, (2, 2)),
        spaces.MultiBinary(2),
        spaces.Dict(a=spaces.Box(-1, 1, (2,)), b=spaces.Discrete(2)),
    ],
    ids=str,
)
def test_other_actions_have_no_such_noise(space):
    with pytest.raises(ValueError, match=r"agent.sde: got actions .*; expected Box with one axis"):
        make_head(8, space, "cpu", sde=SDE)
