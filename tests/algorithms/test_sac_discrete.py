import copy

import numpy as np
import probes
import pytest
import torch
from replay_sample import adam, make_agent, make_sample, same, targets


@pytest.mark.parametrize("alpha", ["auto", 0.3])
def test_update_equals_the_definition(alpha):
    words = (f"agent.alpha={alpha}", "agent.entropy_share=1")
    agent = make_agent("sac_discrete", *words, env_class=probes.MatchDiscrete)
    with torch.no_grad():
        agent.actor.head.logits.weight.mul_(100)  # far from uniform: the entropy is too low
    D = make_sample(discrete=True)
    actor, critics, target = map(copy.deepcopy, (agent.actor, agent.critics, agent.critics_target))
    obs, next_obs = torch.tensor(D["observation"]), torch.tensor(D["next_observation"])

    out = agent.learn({**D, "weight": np.ones(6, np.float32)})

    temperature = 1.0 if alpha == "auto" else alpha
    with torch.no_grad():
        probs = actor(next_obs).exp()
        Q1, Q2 = target(next_obs)
        values = [
            sum(
                probs[i, a] * (min(Q1[i, a], Q2[i, a]) - temperature * probs[i, a].log())
                for a in range(2)
            )
            for i in range(6)
        ]
        y = targets(D, torch.stack(values))
    Q1, Q2 = critics(obs)
    losses, errors = 0.0, []
    for i, a in enumerate(D["action"]):
        losses = losses + ((Q1[i, a] - y[i]) ** 2 + (Q2[i, a] - y[i]) ** 2) / 6
        errors.append((y[i] - (Q1[i, a] + Q2[i, a]) / 2).item())
    critic_optimizer, actor_optimizer = adam(critics), adam(actor)
    losses.backward()
    critic_optimizer.step()
    logprobs = actor(obs)
    Q = torch.stack(critics(obs)).amin(0).detach()
    entropy = -(logprobs.exp() * logprobs).sum(1).mean()
    actor_loss = (logprobs.exp() * (temperature * logprobs - Q)).sum(1).mean()
    actor_loss.backward()
    actor_optimizer.step()
    step = 0.005 * float(np.sign((np.log(2) - entropy).item()))
    log_alpha = np.log(temperature) + (step if alpha == "auto" else 0.0)

    same(agent.critics, critics)
    same(agent.actor, actor)
    same(agent.critics_target, 0.995 * target.to_vec() + 0.005 * critics.to_vec())
    assert agent.log_alpha.item() == pytest.approx(log_alpha, abs=1e-6)
    assert out["critic_loss"] == pytest.approx(losses.item(), rel=1e-5)
    assert out["actor_loss"] == pytest.approx(actor_loss.item(), rel=1e-5)
    assert out["entropy"] == pytest.approx(entropy.item(), rel=1e-5)
    np.testing.assert_allclose(out["td_error"], errors, rtol=1e-4, atol=1e-6)
