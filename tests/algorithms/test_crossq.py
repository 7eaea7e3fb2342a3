import copy

import numpy as np
import pytest
import torch
from replay_sample import adam, make_agent, make_sample, same, targets
from torch.nn import functional as F

WORDS = ("agent.critic_sizes=[8]", "agent.policy_delay=2", "agent.renorm_warmup=1")


@pytest.mark.parametrize("alpha", ["auto", 0.3])
def test_update_equals_the_definition(alpha):
    """Two updates, the second with a step of the actor, and past the warm-up."""
    agent, D = make_agent("crossq", *WORDS, f"agent.alpha={alpha}"), make_sample()
    actor, critics = copy.deepcopy(agent.actor), copy.deepcopy(agent.critics)
    critic_optimizer = adam(critics, betas=(0.5, 0.999))
    actor_optimizer = adam(actor, betas=(0.5, 0.999))
    obs, next_obs = torch.tensor(D["observation"]), torch.tensor(D["next_observation"])

    torch.manual_seed(5)
    outs = [agent.learn({**D, "weight": np.ones(6, np.float32)}) for _ in range(2)]

    torch.manual_seed(5)
    temperature = 1.0 if alpha == "auto" else alpha
    for out in outs:
        with torch.no_grad():
            next_action, next_logprob = actor.sample(next_obs)
        x = torch.cat([obs, next_obs]), torch.cat([torch.tensor(D["action"]), next_action])
        Q1, Q2 = critics(*x, learn=True)
        y = targets(D, torch.min(Q1, Q2)[6:].detach() - temperature * next_logprob)
        critic_loss = F.mse_loss(Q1[:6], y) + F.mse_loss(Q2[:6], y)
        critic_optimizer.zero_grad()
        critic_loss.backward()
        critic_optimizer.step()
        assert out["critic_loss"] == pytest.approx(critic_loss.item(), rel=1e-4)
        expected = y - 0.5 * (Q1 + Q2)[:6]
        np.testing.assert_allclose(out["td_error"], expected.detach(), rtol=1e-4, atol=1e-5)
    action, logprob = actor.sample(obs, learn=True)
    actor_loss = (temperature * logprob - torch.min(*critics(obs, action))).mean()
    actor_loss.backward()
    actor_optimizer.step()
    step = 0.005 * float(np.sign((logprob.mean() + agent.target_entropy).item()))
    log_alpha = np.log(temperature) + (step if alpha == "auto" else 0.0)

    same(agent.critics, critics)
    same(agent.actor, actor)
    assert agent.log_alpha.item() == pytest.approx(log_alpha, abs=1e-6)
    assert [outs[0]["actor_loss"], outs[0]["entropy"]] == [0.0, 0.0]  # there was none yet
    assert outs[1]["actor_loss"] == pytest.approx(actor_loss.item(), rel=1e-4)
    assert outs[1]["entropy"] == pytest.approx(-logprob.mean().item(), rel=1e-4)
    for own, other in zip(agent.critics.Q, critics.Q, strict=True):
        assert [norm.num_batch for norm in own.norms] == [2, 2]
        torch.testing.assert_close(own.norms[1].mean, other.norms[1].mean)
    assert [norm.num_batch for norm in agent.actor.trunk.norms] == [1]


def test_acting_is_the_same_on_arrays_and_on_tensors():
    agent = make_agent("crossq", *WORDS)
    for _ in range(4):
        agent.learn(make_sample())  # moments move
    obs = np.random.default_rng(0).normal(size=(5, 1))

    greedy = agent.eval().choose_action(obs)["action"]

    trunk, head = agent.actor.trunk, agent.actor.head
    mean, _ = head.moments(trunk(torch.tensor(obs, dtype=torch.float32)))
    np.testing.assert_allclose(greedy, mean.tanh().detach(), atol=1e-6)
    assert not np.allclose(agent.train().choose_action(obs)["action"], greedy)
