"""TQC's step by hand, for plain networks on the CPU; see :mod:`lagom.algorithms.by_hand`."""

import math

import numpy as np
import torch
from lagom.algorithms.by_hand import follower
from lagom.algorithms.continuous_by_hand import CriticsBackprop
from lagom.algorithms.off_policy import arrays
from lagom.algorithms.sac.closed_form import LOGGED, TanhGaussianBackprop, applies, improve_policy
from lagom.algorithms.tqc.loss import quantile_huber


class ClosedForm:
    """The arrays of an agent, where they are now."""

    lasts = True
    applies = staticmethod(applies)

    def __init__(self, agent):
        self.agent, self.critics = agent, CriticsBackprop(agent.critics)
        self.critics_target = CriticsBackprop(agent.critics_target)
        self.actor = TanhGaussianBackprop(agent.actor)
        tau = agent.config["agent.tau"]
        self.critics_follow = follower(agent.critics_target, agent.critics, tau)

    def step(self, D):
        """As ``Agent.step``."""
        agent = self.agent
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

        actor_loss, entropy = improve_policy(agent, self.actor, obs, self.critics.mean, alpha)
        self.critics_follow()
        row = critic_loss.item(), actor_loss, float(Z.mean()), entropy, alpha
        out = dict(zip(LOGGED, row, strict=True))
        if "weight" in D:
            out["td_error"] = target.mean(-1) - Z.mean((1, 2))
        return out
