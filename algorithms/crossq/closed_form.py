"""CrossQ's step by hand, for plain networks on the CPU; see :mod:`lagom.algorithms.by_hand`."""

import math

import numpy as np
from lagom.algorithms.by_hand import is_plain, is_plain_adam
from lagom.algorithms.continuous_by_hand import CriticsBackprop
from lagom.algorithms.off_policy import arrays
from lagom.algorithms.sac.closed_form import TanhGaussianBackprop, improve_policy, is_usual

from lagom.networks.batch_renorm import BatchRenorm, RenormMLP
from lagom.networks.renorm_backprop import RenormMLPBackprop


class ClosedForm:
    """The arrays of an agent, where they are now."""

    lasts = True

    @staticmethod
    def applies(agent):
        """Whether ``agent`` has plain networks, the usual head, and plain Adam."""
        nets, head = [agent.actor.trunk, *agent.critics.Q], agent.actor.head
        kinds = {"kinds": (BatchRenorm,), "net_kind": RenormMLP}
        return (
            is_usual(head)
            and is_plain(agent, nets, [head.out], [agent.log_alpha], **kinds)
            and all(is_plain_adam(x) for x in agent.optimizers.values())
        )

    def __init__(self, agent):
        self.agent = agent
        self.actor = TanhGaussianBackprop(agent.actor, RenormMLPBackprop)
        self.critics = CriticsBackprop(agent.critics, RenormMLPBackprop)

    def step(self, D):
        """As ``Agent.step``."""
        agent = self.agent
        obs, action, reward, next_obs, discount = arrays(D)
        alpha, N = math.exp(agent.log_alpha.item()), len(reward)

        next_action, next_logprob = self.actor.sample(next_obs)
        x = np.block([[obs, action], [next_obs, next_action]])
        values = [Q.forward(x, learn=True)[:, 0] for Q in self.critics.Q]  # [2 N] each
        Q_next = np.minimum(*(value[N:] for value in values))
        target = reward + discount * (Q_next - np.float32(alpha) * next_logprob)
        critic_loss = 0.0
        for Q, value in zip(self.critics.Q, values, strict=True):
            error, d_value = value[:N] - target, np.zeros((2 * N, 1), np.float32)
            critic_loss += float(error @ error) / N
            d_value[:N, 0] = error * np.float32(2 / N)
            Q.backward(d_value)
        agent.critic_optimizer.move()

        agent.num_update += 1
        if agent.num_update % agent.config["agent.policy_delay"] == 0:
            least = self.critics.least
            agent.actor_row = [*improve_policy(agent, self.actor, obs, least, alpha, learn=True)]
        (Q1, Q2), (actor_loss, entropy) = (value[:N] for value in values), agent.actor_row
        out = {"critic_loss": critic_loss, "Q": float(Q1.mean()), "alpha": alpha}
        out |= {"actor_loss": actor_loss, "entropy": entropy}
        if "weight" in D:
            out["td_error"] = target - 0.5 * (Q1 + Q2)
        return out
