"""TD3: deterministic policy gradients with twin critics, delayed actors and smoothed targets.

Fujimoto et al., Addressing Function Approximation Error in Actor-Critic Methods, 2018
(arXiv:1802.09477).
"""

from copy import deepcopy
from functools import partial

import numpy as np
import torch
from lagom.algorithms.adam import adam
from lagom.algorithms.by_hand import Choice
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
from lagom.algorithms.td3.closed_form import ClosedForm
from torch.nn import functional as F

from lagom import BaseAgent
from lagom.utils import numpify


class Agent(BaseAgent):
    """TD3 for Box actions, observations of every kind; ``D`` is a sample of a replay buffer."""

    def __init__(self, config, env, device, **kwargs):
        super().__init__(config, env, device, **kwargs)
        action_dim = action_size("td3", self.action_space)
        space, sizes = self.observation_space, config["agent.hidden_sizes"]
        kinds = network_kinds(config)
        self.actor = DeterministicActor(space, sizes, action_dim, **kinds).to(self.device)
        self.critics = Critics(space, action_dim, sizes, **kinds).to(self.device)
        self.actor_target, self.critics_target = deepcopy(self.actor), deepcopy(self.critics)
        self.actor_optimizer = adam(self.actor.flat, config["agent.lr"])
        self.critic_optimizer = adam(self.critics.flat, config["agent.lr"])
        self.noise = Noise(config)
        self.choice = Choice(ClosedForm)  # a copy of step(), faster
        self.num_update = 0
        self.actor_loss = 0.0  # of the last update of the actor

    def choose_action(self, x, **kwargs):
        action = self.actor.numpy(x)
        return {"action": self.noise(action, self.rng) if self.training else action}

    def learn(self, D, timestep=0, **kwargs):
        decay_lr(self, timestep)
        return self.choice(self, partial(disagreement, self, D))(D)

    def step(self, D):
        """One update from a sample, of everything."""
        config = self.config
        obs, action, reward, next_obs, discount = tensors(D, self.device)

        with torch.no_grad():
            c = config["agent.target_clip"]
            noise = (config["agent.target_noise"] * torch.randn_like(action)).clamp(-c, c)
            next_action = (self.actor_target(next_obs) + noise).clamp(-1, 1)  # smoothed
            Q_next = torch.min(*self.critics_target(next_obs, next_action))  # [N]
            target = reward + discount * Q_next  # clipped double Q-learning
        Q1, Q2 = self.critics(obs, action)
        critic_loss = F.mse_loss(Q1, target) + F.mse_loss(Q2, target)
        self.critics.zero_grad()
        critic_loss.backward()
        self.critic_optimizer.step()

        self.num_update += 1
        if self.num_update % config["agent.policy_delay"] == 0:
            self._improve(obs)
        row = torch.stack([critic_loss.detach(), Q1.detach().mean()]).tolist()
        out = {"critic_loss": row[0], "actor_loss": self.actor_loss, "Q": row[1]}
        if "weight" in D:
            out["td_error"] = numpify(target - 0.5 * (Q1 + Q2), np.float32)
        return out

    def _improve(self, obs):
        """One step of the actor, and of all targets."""
        (Q,) = self.critics(obs, self.actor(obs), num=1)
        actor_loss = -Q.mean()  # the deterministic policy gradient, through the first critic
        self.actor.zero_grad()
        actor_loss.backward(inputs=[*self.actor.parameters()])  # nothing for the critics' weights
        self.actor_optimizer.step()
        self.actor_loss = actor_loss.item()
        with torch.no_grad():
            self.critics_target.flat.lerp_(self.critics.flat, self.config["agent.tau"])
            self.actor_target.flat.lerp_(self.actor.flat, self.config["agent.tau"])

    def get_extra_state(self):
        own = {"num_update": self.num_update, "actor_loss": self.actor_loss}
        return {**super().get_extra_state(), **own}

    def set_extra_state(self, state):
        super().set_extra_state(state)
        self.num_update, self.actor_loss = state["num_update"], state["actor_loss"]
