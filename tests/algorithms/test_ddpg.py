import copy

import numpy as np
import pytest
import torch
from replay_sample import adam, make_agent, make_sample, same, targets
from torch.nn import functional as F


def test_update_equals_the_definition():
    agent, D = make_agent("ddpg"), make_sample()
    names = ("actor", "critic", "actor_target", "critic_target")
    actor, critic, actor_target, critic_target = (copy.deepcopy(getattr(agent, n)) for n in names)
    obs, next_obs = torch.tensor(D["observation"]), torch.tensor(D["next_observation"])

    out = agent.learn({**D, "weight": np.ones(6, np.float32)})

    with torch.no_grad():
        y = targets(D, critic_target(next_obs, actor_target(next_obs))[0])
    Q = critic(obs, torch.tensor(D["action"]))[0]
    critic_loss = F.mse_loss(Q, y)
    critic_optimizer, actor_optimizer = adam(critic), adam(actor)
    critic_loss.backward()
    critic_optimizer.step()
    actor_loss = -critic(obs, actor(obs))[0].mean()
    actor_loss.backward()
    actor_optimizer.step()

    same(agent.critic, critic)
    same(agent.actor, actor)
    same(agent.critic_target, 0.995 * critic_target.to_vec() + 0.005 * critic.to_vec())
    same(agent.actor_target, 0.995 * actor_target.to_vec() + 0.005 * actor.to_vec())
    np.testing.assert_allclose(out.pop("td_error"), (y - Q).detach(), rtol=1e-4, atol=1e-6)
    assert out == {
        "critic_loss": pytest.approx(critic_loss.item(), rel=1e-5),
        "actor_loss": pytest.approx(actor_loss.item(), rel=1e-5),
        "Q": pytest.approx(Q.mean().item(), rel=1e-5),
    }
