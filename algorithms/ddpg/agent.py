"""DDPG: a deterministic policy that climbs the critic's gradient.

Lillicrap et al., Continuous control with deep reinforcement learning, 2015 (arXiv:1509.02971).
"""

from copy import deepcopy
from functools import partial

import numpy as np
import torch
from lagom.algorithms.adam import adam
from lagom.algorithms.by_hand import Choice
from lagom.algorithms.ddpg.closed_form import ClosedForm
from lagom.algorithms.lr_decay import decay_lr
from lagom.algorithms.off_policy import (
    Critics,
    DeterministicActor,
    Noise,
    action_size,
    network_kinds,
    tensors,
)
from lagom.algorithms.off_policy_check import disagreement
from torch.nn import functional as F

from lagom import BaseAgent
from lagom.utils import numpify


class Agent(BaseAgent):
    """DDPG for Box actions, observations of every kind; ``D`` is a sample of a replay buffer."""

    def __init__(self, config, env, device, **kwargs):
        super().__init__(config, env, device, **kwargs)
        action_dim = action_size("ddpg", self.action_space)
        space, sizes = self.observation_space, config["agent.hidden_sizes"]
        kinds = network_kinds(config)
        self.actor = DeterministicActor(space, sizes, action_dim, **kinds).to(self.device)
        self.critic = Critics(space, action_dim, sizes, num_critic=1, **kinds).to(self.device)
        self.actor_target, self.critic_target = deepcopy(self.actor), deepcopy(self.critic)
        self.actor_optimizer = adam(self.actor.flat, config["agent.lr"])
        self.critic_optimizer = adam(self.critic.flat, config["agent.lr"])
        self.noise = Noise(config)
        self.choice = Choice(ClosedForm)  # a copy of step(), faster

    def choose_action(self, x, **kwargs):
        action = self.actor.numpy(x)
        return {"action": self.noise(action, self.rng) if self.training else action}

    def learn(self, D, timestep=0, **kwargs):
        decay_lr(self, timestep)
        return self.choice(self, partial(disagreement, self, D))(D)

    def step(self, D):
        """One update from a sample, of everything."""
        obs, action, reward, next_obs, discount = tensors(D, self.device)

        with torch.no_grad():
            (Q_next,) = self.critic_target(next_obs, self.actor_target(next_obs))  # [N]
            target = reward + discount * Q_next
        (Q,) = self.critic(obs, action)
        critic_loss = F.mse_loss(Q, target)
        self.critic.zero_grad()
        critic_loss.backward()
        self.critic_optimizer.step()

        actor_loss = -self.critic(obs, self.actor(obs))[0].mean()  # its gradient is the policy's
        self.actor.zero_grad()
        actor_loss.backward(inputs=[*self.actor.parameters()])  # nothing for the critic's weights
        self.actor_optimizer.step()

        with torch.no_grad():
            self.critic_target.flat.lerp_(self.critic.flat, self.config["agent.tau"])
            self.actor_target.flat.lerp_(self.actor.flat, self.config["agent.tau"])
            row = torch.stack([critic_loss, actor_loss, Q.mean()]).tolist()
        out = dict(zip(["critic_loss", "actor_loss", "Q"], row, strict=True))
        if "weight" in D:
            out["td_error"] = numpify(target - Q, np.float32)
        return out
