from itertools import pairwise

import numpy as np
import pytest
import torch
from lagom.algorithms.sac.sde import StateDependentHead
from replay_sample import make_agent, make_sample


def make_head(every=3):
    torch.manual_seed(0)
    head = StateDependentHead(4, 2, "cpu", logstd0=-0.5, every=every)
    with torch.no_grad():
        head.logstd.add_(0.3 * torch.randn(4, 2))
    return head


def test_variance_is_that_of_the_noise_drawn():
    head, rng = make_head(every=1), np.random.default_rng(0)
    features = np.array([[1.0, -2.0, 0.5, 0.0]], np.float32)
    B = 20_000

    action = head.act(features.repeat(B, 0), rng)  # each row draws a W of its own
    mean, logstd = head.moments(torch.tensor(features))
    expected = [
        sum(features[0, i] ** 2 * np.exp(2 * head.logstd[i, j].item()) for i in range(4))
        for j in range(2)
    ]

    np.testing.assert_allclose((2 * logstd).exp().detach()[0], expected, rtol=1e-4)
    x = np.arctanh(action.clip(-1 + 1e-6, 1 - 1e-6))
    np.testing.assert_allclose(np.median(x, 0), mean.detach()[0], atol=0.05)
    middle = np.percentile(x, 84.13, axis=0) - np.percentile(x, 15.87, axis=0)  # 2 sigma
    np.testing.assert_allclose(middle / 2, np.sqrt(expected), rtol=0.03)


def test_noise_stays_for_some_steps_and_depends_on_the_state():
    head, rng = make_head(every=3), np.random.default_rng(0)
    features = np.ones((2, 4), np.float32)

    actions = [head.act(features, rng) for _ in range(6)]
    greedy = head.act(features, rng, greedy=True)
    other = head.act(np.zeros((2, 4), np.float32), rng)

    same = [np.array_equal(a, b) for a, b in pairwise(actions)]
    assert same == [True, True, False, True, True]
    assert not np.allclose(actions[0][0], actions[0][1])  # of each sub-environment its own
    assert not np.allclose(actions[0], greedy)
    np.testing.assert_allclose(greedy, np.tanh(2 * np.tanh(head.out.numpy(features) / 2)))
    np.testing.assert_allclose(other, 0, atol=1e-7)  # no features, no noise; the bias is 0


def test_features_get_no_gradient_from_the_variance():
    head = make_head()
    features = torch.randn(3, 4, requires_grad=True)
    _, logstd = head.moments(features)
    logstd.sum().backward()

    assert features.grad is None
    assert head.logstd.grad.abs().min() > 0


def test_a_mean_at_its_bound_can_come_back():
    head = make_head()
    with torch.no_grad():
        head.out.bias.fill_(5.0)
    mean, _ = head.moments(torch.zeros(3, 4))
    mean.sum().backward()

    assert 1.9 < mean.min() <= mean.max() < 2
    assert head.out.bias.grad.min() > 0.05


def test_state():
    first, second = make_head(), make_head()
    features = np.ones((2, 4), np.float32)
    rng = np.random.default_rng(0)
    first.act(features, rng)
    second.load_state_dict(first.state_dict())

    assert np.array_equal(first.act(features, rng), second.act(features, None))


def test_sac_learns_the_scale_of_the_noise():
    agent = make_agent("sac", "agent.sde=true", "agent.sde_logstd=-1")
    assert (agent.actor.head.logstd == -1).all()

    out = agent.learn(make_sample())

    assert (agent.actor.head.logstd != -1).any()
    assert out["entropy"] == pytest.approx(out["entropy"])  # finite


@pytest.mark.parametrize(("every", "kept"), [(7, 7), (0, 30)])
def test_sac_keeps_the_noise_for_so_many_steps(every, kept):
    agent = make_agent("sac", "agent.sde=true", f"agent.sde_every={every}", "train.num_step=30")
    assert agent.actor.head.noise.every == kept
