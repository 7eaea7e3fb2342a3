"""DDPG's step by hand, for plain networks on the CPU; see :mod:`lagom.algorithms.by_hand`."""

import numpy as np
from lagom.algorithms.by_hand import follower, is_plain, is_plain_adam
from lagom.algorithms.continuous_by_hand import CriticsBackprop, TanhBackprop
from lagom.algorithms.off_policy import arrays


class ClosedForm:
    """The arrays of an agent, where they are now."""

    lasts = True

    @staticmethod
    def applies(agent):
        """Whether ``agent`` has plain networks and plain Adam."""
        actors, critics = (agent.actor, agent.actor_target), (agent.critic, agent.critic_target)
        nets = [*(x.net for x in actors), *(Q for x in critics for Q in x.Q)]
        return (
            CriticsBackprop.applies(agent.critic)
            and is_plain(agent, nets)
            and all(is_plain_adam(x) for x in agent.optimizers.values())
        )

    def __init__(self, agent):
        self.agent, self.critic = agent, CriticsBackprop(agent.critic)
        self.critic_target = CriticsBackprop(agent.critic_target)
        self.actor, self.actor_target = TanhBackprop(agent.actor), TanhBackprop(agent.actor_target)
        tau = agent.config["agent.tau"]
        self.critic_follows = follower(agent.critic_target, agent.critic, tau)
        self.actor_follows = follower(agent.actor_target, agent.actor, tau)

    def step(self, D):
        """As ``Agent.step``."""
        agent = self.agent
        obs, action, reward, next_obs, discount = arrays(D)

        next_action = self.actor_target.forward(next_obs)
        (Q_next,) = self.critic_target.forward(next_obs, next_action)
        target = reward + discount * Q_next
        critic_loss, (Q,) = self.critic.regress(obs, action, target)
        agent.critic_optimizer.move()

        Q_new, d_action = self.critic.first(obs, self.actor.forward(obs))
        self.actor.backward(-d_action / np.float32(len(Q)))
        agent.actor_optimizer.move()
        self.critic_follows()
        self.actor_follows()
        means = critic_loss, -float(Q_new.mean()), float(Q.mean())
        out = dict(zip(["critic_loss", "actor_loss", "Q"], means, strict=True))
        if "weight" in D:
            out["td_error"] = target - Q
        return out
