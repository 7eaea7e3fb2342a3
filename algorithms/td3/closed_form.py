"""TD3's step by hand, for plain networks on the CPU; see :mod:`lagom.algorithms.by_hand`."""

import numpy as np
import torch
from lagom.algorithms.by_hand import follower, is_plain, is_plain_adam
from lagom.algorithms.continuous_by_hand import CriticsBackprop, TanhBackprop
from lagom.algorithms.off_policy import arrays


class ClosedForm:
    """The arrays of an agent, where they are now."""

    lasts = True

    @staticmethod
    def applies(agent):
        """Whether ``agent`` has plain networks and plain Adam."""
        actors, critics = (agent.actor, agent.actor_target), (agent.critics, agent.critics_target)
        nets = [*(x.net for x in actors), *(Q for x in critics for Q in x.Q)]
        return (
            CriticsBackprop.applies(agent.critics)
            and is_plain(agent, nets)
            and all(is_plain_adam(x) for x in agent.optimizers.values())
        )

    def __init__(self, agent):
        self.agent, self.critics = agent, CriticsBackprop(agent.critics)
        self.critics_target = CriticsBackprop(agent.critics_target)
        self.actor, self.actor_target = TanhBackprop(agent.actor), TanhBackprop(agent.actor_target)
        tau = agent.config["agent.tau"]
        self.critics_follow = follower(agent.critics_target, agent.critics, tau)
        self.actor_follows = follower(agent.actor_target, agent.actor, tau)

    def step(self, D):
        """As ``Agent.step``."""
        agent, config = self.agent, self.agent.config
        obs, action, reward, next_obs, discount = arrays(D)

        c = config["agent.target_clip"]
        noise = np.float32(config["agent.target_noise"]) * torch.randn(action.shape).numpy()
        next_action = self.actor_target.forward(next_obs) + np.clip(noise, -c, c)
        Q_next = np.minimum(*self.critics_target.forward(next_obs, np.clip(next_action, -1, 1)))
        target = reward + discount * Q_next
        critic_loss, (Q1, Q2) = self.critics.regress(obs, action, target)
        agent.critic_optimizer.move()

        agent.num_update += 1
        if agent.num_update % config["agent.policy_delay"] == 0:
            Q, d_action = self.critics.first(obs, self.actor.forward(obs))
            self.actor.backward(-d_action / np.float32(len(Q)))
            agent.actor_optimizer.move()
            agent.actor_loss = -float(Q.mean())
            self.critics_follow()
            self.actor_follows()
        out = {"critic_loss": critic_loss, "actor_loss": agent.actor_loss, "Q": float(Q1.mean())}
        if "weight" in D:
            out["td_error"] = target - 0.5 * (Q1 + Q2)
        return out
