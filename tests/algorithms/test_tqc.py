import copy

import numpy as np
import pytest
import torch
from lagom.algorithms.tqc.loss import quantile_huber
from replay_sample import adam, make_agent, make_sample, same, targets

WORDS = ("agent.num_critic=2", "agent.num_quantile=3", "agent.drop=1")


def slow_quantile_huber(Z, target):
    """Equation 8, one pair after the other."""
    total = 0.0
    N, C, M = Z.shape
    for n in range(N):
        for c in range(C):
            for m in range(M):
                tau = (2 * m + 1) / (2 * M)
                for y in target[n]:
                    u = y - Z[n, c, m]
                    huber = 0.5 * u**2 if u.abs() <= 1 else u.abs() - 0.5
                    total = total + abs(tau - float(u < 0)) * huber
    return total / (N * C * M * target.shape[1])


def test_loss_and_gradient_equal_the_definition():
    torch.manual_seed(0)
    Z, target = torch.randn(3, 2, 4, requires_grad=True), 2 * torch.randn(3, 5)
    expected = slow_quantile_huber(Z, target)
    expected.backward()

    loss, grad = quantile_huber(Z, target)

    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)
    torch.testing.assert_close(grad, Z.grad)


def test_minimum_is_at_the_quantiles():
    """Two of them, for 1/4 and 3/4, of a uniform distribution on [0, 0.1]."""
    target = torch.linspace(0, 0.1, 1001)[None]
    _, grad = quantile_huber(torch.tensor([[[0.025, 0.075]]]), target)
    _, low = quantile_huber(torch.tensor([[[0.0, 0.0]]]), target)
    _, high = quantile_huber(torch.tensor([[[0.1, 0.1]]]), target)

    # With the Huber loss these are expectiles within its threshold: near, but not the quantiles.
    assert grad.abs().max() < 0.2 * low.abs().max()
    assert (low < 0).all()
    assert (high > 0).all()


@pytest.mark.parametrize("alpha", ["auto", 0.3])
def test_update_equals_the_definition(alpha):
    agent, D = make_agent("tqc", *WORDS, f"agent.alpha={alpha}"), make_sample()
    actor, critics, target = map(copy.deepcopy, (agent.actor, agent.critics, agent.critics_target))
    obs, next_obs = torch.tensor(D["observation"]), torch.tensor(D["next_observation"])

    torch.manual_seed(5)
    out = agent.learn({**D, "weight": np.ones(6, np.float32)})

    torch.manual_seed(5)
    temperature = 1.0 if alpha == "auto" else alpha
    with torch.no_grad():
        next_action, next_logprob = actor.sample(next_obs)
        atoms = [torch.cat(row).sort().values[:4] for row in zip(*target(next_obs, next_action))]  # noqa: B905
        y = [targets(D, torch.stack(atoms)[:, k] - temperature * next_logprob) for k in range(4)]
        y = torch.stack(y, 1)  # of six quantiles the two highest are gone
    Z = torch.stack(critics(obs, torch.tensor(D["action"])), 1)
    loss = slow_quantile_huber(Z, y)
    critic_optimizer, actor_optimizer = adam(critics), adam(actor)
    loss.backward()
    critic_optimizer.step()
    action, logprob = actor.sample(obs)
    Q = torch.cat(critics(obs, action), 1).mean(1)
    actor_loss = (temperature * logprob - Q).mean()
    actor_loss.backward()
    actor_optimizer.step()
    # Adam's first step is the learning rate against the sign of the gradient.
    step = 0.005 * float(np.sign((logprob.mean() + agent.target_entropy).item()))
    log_alpha = np.log(temperature) + (step if alpha == "auto" else 0.0)

    same(agent.critics, critics)
    same(agent.actor, actor)
    same(agent.critics_target, 0.995 * target.to_vec() + 0.005 * critics.to_vec())
    assert agent.log_alpha.item() == pytest.approx(log_alpha, abs=1e-6)
    assert out["critic_loss"] == pytest.approx(loss.item(), rel=1e-5)
    assert out["actor_loss"] == pytest.approx(actor_loss.item(), rel=1e-5)
    assert out["entropy"] == pytest.approx(-logprob.mean().item(), rel=1e-5)
    expected = y.mean(1) - Z.mean((1, 2))
    np.testing.assert_allclose(out["td_error"], expected.detach(), rtol=1e-4, atol=1e-6)


def test_something_must_be_left():
    with pytest.raises(ValueError, match=r"tqc: agent.drop is 3 of 3 quantiles; expected less"):
        make_agent("tqc", "agent.num_quantile=3", "agent.drop=3")
