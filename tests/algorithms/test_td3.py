import copy

import numpy as np
import pytest
import torch
from replay_sample import adam, make_agent, make_sample, same, targets
from torch.nn import functional as F

TAU = 0.005


def test_update_equals_the_definition():
    """The actor and all targets move at every second update only; each gradient is a new one."""
    agent, D = make_agent("td3", "agent.target_noise=2.0"), make_sample()
    names = ("actor", "critics", "actor_target", "critics_target")
    actor, critics, actor_target, critics_target = (copy.deepcopy(getattr(agent, n)) for n in names)
    critic_optimizer, actor_optimizer = adam(critics), adam(actor)
    obs, next_obs = torch.tensor(D["observation"]), torch.tensor(D["next_observation"])

    torch.manual_seed(5)
    outs = [agent.learn(dict(D)) for _ in range(4)]

    torch.manual_seed(5)
    losses = [0.0]
    for k in range(4):
        with torch.no_grad():
            noise = (2.0 * torch.randn(6, 1)).clamp(-0.5, 0.5)
            assert (noise.abs() == 0.5).any()  # some of it was clipped
            next_action = (actor_target(next_obs) + noise).clamp(-1, 1)
            y = targets(D, torch.stack(critics_target(next_obs, next_action)).amin(0))
        Q1, Q2 = critics(obs, torch.tensor(D["action"]))
        critic_loss = F.mse_loss(Q1, y) + F.mse_loss(Q2, y)
        critic_optimizer.zero_grad()
        critic_loss.backward()
        critic_optimizer.step()
        assert outs[k]["critic_loss"] == pytest.approx(critic_loss.item(), rel=1e-5)
        assert outs[k]["Q"] == pytest.approx(Q1.mean().item(), rel=1e-5)
        if k % 2:
            loss = -critics(obs, actor(obs))[0].mean()
            actor_optimizer.zero_grad()
            loss.backward()
            actor_optimizer.step()
            losses.append(loss.item())
            for target, module in ((actor_target, actor), (critics_target, critics)):
                target.from_vec((1 - TAU) * target.to_vec() + TAU * module.to_vec())

    expected = [losses[0], losses[1], losses[1], losses[2]]  # as it was at the last one
    assert [out["actor_loss"] for out in outs] == pytest.approx(expected, rel=1e-5)
    same(agent.critics, critics)
    same(agent.actor, actor)
    same(agent.critics_target, critics_target)
    same(agent.actor_target, actor_target)


def test_priorities_come_from_the_mean_of_both_critics():
    agent, D = make_agent("td3", "agent.target_noise=0"), make_sample()
    obs, next_obs = torch.tensor(D["observation"]), torch.tensor(D["next_observation"])
    with torch.no_grad():
        Q = torch.stack(agent.critics(obs, torch.tensor(D["action"]))).mean(0)
        values = torch.stack(agent.critics_target(next_obs, agent.actor_target(next_obs))).amin(0)

    out = agent.learn({**D, "weight": np.ones(6, np.float32)})

    np.testing.assert_allclose(out["td_error"], targets(D, values) - Q, rtol=1e-4, atol=1e-6)


def test_exploration_is_noise_around_the_greedy_action():
    agent = make_agent("td3", "agent.noise_scale=0.3")
    obs = np.zeros((4000, 1), np.float32)
    greedy = agent.eval().choose_action(obs)["action"]
    action = agent.train().choose_action(obs)["action"]

    assert action.dtype == greedy.dtype == np.float32
    assert np.std(action - greedy) == pytest.approx(0.3, abs=0.02)
    assert np.mean(action - greedy) == pytest.approx(0.0, abs=0.02)
