"""TQC's step by hand, for plain networks on the CPU; see :mod:`lagom.algorithms.by_hand`."""

import math

import numpy as np
import torch
from lagom.algorithms.continuous_by_hand import CriticsBackprop
from lagom.algorithms.off_policy import arrays
from lagom.algorithms.sac.closed_form import ClosedForm as SACClosedForm
from lagom.algorithms.sac.closed_form import TanhGaussianBackprop
from lagom.algorithms.tqc.loss import quantile_huber


class ClosedForm:
    """The arrays of an agent, where they are now."""

    lasts = True
    applies = SACClosedForm.applies
    improve_temperature = SACClosedForm.improve_temperature

    def __init__(self, agent):
        self.agent, self.critics = agent, CriticsBackprop(agent.critics)
        self.critics_target = CriticsBackprop(agent.critics_target)
        self.actor = TanhGaussianBackprop(agent.actor)

    def step(self, D):
        """As ``Agent.step``."""
        agent, config = self.agent, self.agent.config
        obs, action, reward, next_obs, discount = arrays(D)
        alpha = math.exp(agent.log_alpha.item())

        next_action, next_logprob = self.actor.sample(next_obs)
        Z_next = np.concatenate(self.critics_target.quantiles(next_obs, next_action), -1)
        Z_next.sort(-1)
        V_next = Z_next[:, : agent.num_kept] - np.float32(alpha) * next_logprob[:, None]
        target = reward[:, None] + discount[:, None] * V_next  # [N, num_kept]
        Z = np.stack(self.critics.quantiles(obs, action), 1)  # [N, C, M]
        critic_loss, grad = quantile_huber(torch.from_numpy(Z), torch.from_numpy(target))
        for c, Q in enumerate(self.critics.Q):
            Q.backward(np.ascontiguousarray(grad[:, c]))
        agent.critic_optimizer.move()

        new_action, logprob = self.actor.sample(obs)
        Q, d_action = self.critics.mean(obs, new_action)
        N = len(Q)
        self.actor.backward(-d_action / np.float32(N), np.float32(alpha / N))
        agent.actor_optimizer.move()
        entropy = -float(logprob.mean())
        if config["agent.alpha"] == "auto":
            self.improve_temperature(alpha, entropy)
        with torch.no_grad():
            agent.critics_target.flat.lerp_(agent.critics.flat, config["agent.tau"])
        out = {
            "critic_loss": critic_loss.item(),
            "actor_loss": -alpha * entropy - float(Q.mean()),
            "Q": float(Z.mean()),
            "entropy": entropy,
            "alpha": alpha,
        }
        if "weight" in D:
            out["td_error"] = target.mean(-1) - Z.mean((1, 2))
        return out
