"""Recurrent proximal policy optimization: what was seen before is remembered by LSTMs.

Loss: Schulman et al., Proximal Policy Optimization Algorithms, 2017 (arXiv:1707.06347).
Sequences begin with the state that acting had there: Kapturowski et al., Recurrent Experience
Replay in Distributed Reinforcement Learning, 2019, section 3 ("stored state").
"""

import numpy as np
import torch
from lagom.algorithms.lr_decay import decay_lr
from lagom.algorithms.on_policy import head_options
from lagom.algorithms.recurrent_ppo.network import RecurrentNet, join
from torch.nn import functional as F

from lagom import BaseAgent
from lagom.data import actions, observations
from lagom.metric import gae
from lagom.networks import action_mask, make_head
from lagom.utils import numpify, tensorify
from lagom.utils.nested import index, map_leaves, num_rows, to_tensors


class Agent(BaseAgent):
    """Recurrent PPO for actions and observations of every kind; ``Dict`` may hold action masks.

    Raises:
        ValueError: ``train.num_step`` is no multiple of ``agent.sequence``.
    """

    def __init__(self, config, env, device, **kwargs):
        super().__init__(config, env, device, **kwargs)
        num_step = config["train.num_step"]
        self.L = min(config["agent.sequence"], num_step)
        if num_step % self.L:
            raise ValueError(
                f"agent.sequence: got {self.L} for train.num_step={num_step}; "
                "expected a divisor of it"
            )
        space, cell, H = self.observation_space, config["agent.cell"], config["agent.memory_size"]
        sizes = config["agent.hidden_sizes"]
        kinds = {"activation": config["agent.activation"], "cnn": config["agent.cnn"]}
        self.actor = RecurrentNet(space, cell, H, sizes, **kinds)
        self.critic = RecurrentNet(space, cell, H, sizes, 1, **kinds)
        self.head = make_head(
            self.actor.mlp.out_features, self.action_space, device, **head_options(config)
        )
        self.to(self.device)
        self.optimizer = torch.optim.Adam([self.flat], lr=config["agent.lr"], eps=1e-5, fused=True)
        # [B, 2, 2 H], of actor and critic; evaluation has a memory of its own.
        self.memory = {"train": None, "eval": None}

    @property
    def mode(self):
        return "train" if self.training else "eval"

    def remembered(self, B):
        """The memory ``[B, 2, 2 H]`` of this mode; empty where there is none for so many rows."""
        memory = self.memory[self.mode]
        if memory is None or len(memory) != B:
            H = self.config["agent.memory_size"]
            memory = torch.zeros(B, 2, 2 * H, device=self.device)
        return memory

    def begin(self, rows):
        memory = self.remembered(len(rows))
        rows = torch.as_tensor(rows, device=self.device)
        self.memory[self.mode] = memory.masked_fill(rows[:, None, None], 0.0)

    @torch.no_grad()
    def choose_action(self, x, **kwargs):
        memory = self.remembered(num_rows(x))
        obs = index(to_tensors(x, self.device), None)  # [1, B, *obs]
        features, actor_state = self.actor(obs, memory[:, 0])
        _, critic_state = self.critic(obs, memory[:, 1])
        self.memory[self.mode] = torch.stack([actor_state, critic_state], 1)
        features = numpify(features[0], np.float32)
        action = self.head.act(features, self.rng, not self.training, mask=action_mask(x))
        return {"action": action, "memory": numpify(memory, np.float32)}  # before this step

    def learn(self, D, timestep=0, **kwargs):
        config, L = self.config, self.L
        D = sorted(D, key=lambda tau: tau.stream)  # one environment's steps stay in order
        obs, action, memory, reset = map_leaves(lambda x: x.to(self.device), sequences(D, L))
        with torch.no_grad():
            logprob_old, _, V_old = self.evaluate(obs, action, memory, reset)  # [L, K]
        A = self.advantages(D, V_old)
        target = V_old + A
        A = (A - A.mean()) / (A.std(correction=0) + 1e-8)

        decay_lr(self, timestep)
        clip = config["agent.clip"]
        logs = []
        for _ in range(config["agent.num_epoch"]):
            order = torch.randperm(len(memory), device=self.device)
            for k in order.split(max(config["agent.batch_size"] // L, 1)):
                obs_k, action_k = index(obs, (slice(None), k)), index(action, (slice(None), k))
                logprob, entropy, V = self.evaluate(obs_k, action_k, memory[k], reset[:, k])
                logratio = logprob - logprob_old[:, k]
                ratio = logratio.exp()
                clipped = ratio.clamp(1 - clip, 1 + clip)
                policy_loss = -torch.min(ratio * A[:, k], clipped * A[:, k]).mean()  # eq. 7
                value_loss = F.mse_loss(V, target[:, k])
                entropy = entropy.mean()
                loss = (
                    policy_loss
                    + config["agent.value_coef"] * value_loss
                    - config["agent.entropy_coef"] * entropy  # eq. 9
                )

                self.zero_grad()
                loss.backward()
                grad_norm = self.clip_grad_norm(config["agent.max_grad_norm"])
                self.optimizer.step()

                with torch.no_grad():
                    approx_kl = (ratio - 1 - logratio).mean()  # joschu.net/blog/kl-approx.html, k3
                    clip_frac = (ratio != clipped).float().mean()
                    row = [policy_loss, value_loss, entropy, approx_kl, clip_frac, grad_norm]
                    logs.append(torch.stack(row))

        names = ["policy_loss", "value_loss", "entropy", "approx_kl", "clip_frac", "grad_norm"]
        return dict(zip(names, torch.stack(logs).mean(0).tolist(), strict=True))

    def evaluate(self, obs, action, memory, reset):
        """Log-probabilities, entropies and values of sequences, ``[L, K]`` each."""
        features, _ = self.actor(obs, memory[:, 0], reset)
        V, _ = self.critic(obs, memory[:, 1], reset)
        mask = action_mask(join(obs))
        logprob, entropy = self.head.evaluate(join(features), join(action), mask=mask)
        V = V.squeeze(-1)
        return logprob.view_as(V), entropy.view_as(V), V

    @torch.no_grad()
    def advantages(self, D, V_old):
        """``[L, K]`` generalized advantages."""
        # The critic's state at the last observation: one step on from the last that is known.
        last_two = [index(tau.observations, slice(-2, None)) for tau in D]
        obs = map_leaves(lambda *parts: np.stack(parts, 1), *last_two)  # [2, M, *obs]
        memory = np.stack([tau.extras["memory"][-1, 1] for tau in D])  # [M, 2 H]
        last_V, _ = self.critic(to_tensors(obs, self.device), tensorify(memory, self.device))
        A = gae(
            self.config["agent.gamma"],
            self.config["agent.lam"],
            np.concatenate([tau.rewards for tau in D]),
            numpify(V_old.T.reshape(-1), np.float32),
            numpify(last_V[1].squeeze(-1), np.float32),
            np.array([tau.terminated for tau in D]),
            lengths=[tau.T for tau in D],
        )
        return tensorify(A, self.device).view(V_old.T.shape).T

    def get_extra_state(self):
        memory = self.memory["train"]
        memory = None if memory is None else numpify(memory, np.float32)
        return {**super().get_extra_state(), "memory": memory}

    def set_extra_state(self, state):
        super().set_extra_state(state)
        memory = state["memory"]
        self.memory["train"] = None if memory is None else tensorify(memory, self.device)


def sequences(D, L):
    """Trajectories, ordered by stream, as ``K`` sequences of ``L`` steps.

    Returns:
        tuple: tensors; observations ``[L, K, *obs]``, actions ``[L, K, *action]``, memory before
        the first step of each ``[K, 2, 2 H]``, and where else episodes begin, ``[L, K]`` bool.
    """
    cut = lambda x: np.stack(np.split(x, len(x) // L), 1)  # [N, ...] -> [L, K, ...]
    memory = cut(np.concatenate([tau.extras["memory"] for tau in D]))[0]
    begins = cut(np.concatenate([np.arange(tau.T) == 0 for tau in D]))
    begins[0] = False  # the memory is that after the beginning
    obs, action = map_leaves(cut, observations(D)), map_leaves(cut, actions(D))
    return to_tensors((obs, action, memory, begins), "cpu")
