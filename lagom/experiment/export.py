"""A saved policy for use elsewhere: a graph that other runtimes play, without lagom or torch."""

import logging
import warnings
from pathlib import Path

import numpy as np
import torch
from torch import nn

from lagom.experiment import storage
from lagom.experiment.checkpoint import read_arrays
from lagom.experiment.policy import read_policy
from lagom.networks import (
    CategoricalHead,
    DiagGaussianHead,
    StateDependentHead,
    TanhGaussianHead,
)

_NUM_CHECK = 256  # observations on which the graph must act as the agent does


def to_onnx(folder):
    """The policy in ``folder`` as an ONNX graph, from raw observations to greedy actions.

    Its input is ``observation`` ``[N, *obs]`` float32, its output ``action``: ``[N]`` int64, or
    ``[N, *action]`` float32 as :func:`~lagom.envs.make_envs` takes them, between -1 and 1.

    Args:
        folder (Path): as :func:`~lagom.experiment.policy.write_policy` left it.

    Returns:
        bytes: the model.

    Raises:
        ValueError: the policy is refused, or it is none of those that can be written so.
        ImportError: the packages onnx and onnxscript are missing.
        FileNotFoundError: there is no policy.
    """
    agent, normalize = read_policy(folder)
    shape = agent.observation_space.shape
    if shape is None:
        raise ValueError(f"no ONNX for observations that are no array: {agent.observation_space}")
    policy = GreedyPolicy(agent, _moments(folder)).eval()
    _check(agent, normalize, policy)
    example, batch = torch.zeros(2, *shape), torch.export.Dim("batch")
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # those of torch about itself
        program = torch.onnx.export(
            policy,
            (example,),
            dynamo=True,
            verbose=False,
            input_names=["observation"],
            output_names=["action"],
            dynamic_shapes=({0: batch},),
        )
    return program.model_proto.SerializeToString()


def _moments(folder):
    """Mean, standard deviation and bound of normalized observations; None without."""
    bound = storage.read_json(Path(folder) / "policy.json")["normalizer"]
    if bound is None:
        return None
    arrays = read_arrays(Path(folder) / "policy.safetensors")
    mean, var = (
        next(x for key, x in arrays.items() if key.startswith("normalizer.") and key.endswith(end))
        for end in (".mean", ".var")
    )
    return mean, np.sqrt(var + 1e-8), float(bound["clip"])


def _check(agent, normalize, policy):
    """Refuse a graph that acts otherwise than the agent: agents are free to act as they like."""
    rng = np.random.default_rng(0)
    obs = rng.normal(0.0, 3.0, (_NUM_CHECK, *agent.observation_space.shape)).astype(np.float32)
    expected = agent.choose_action(normalize(obs))["action"]
    try:
        with torch.no_grad():
            actions = policy(torch.from_numpy(obs)).numpy()
    except (TypeError, NotImplementedError) as error:  # of what is called with observations
        raise ValueError(
            f"no ONNX for {agent.config['algo.agent']}: its network takes more than observations"
        ) from error
    is_same = np.isclose(actions, expected, rtol=1e-4, atol=1e-4)
    if actions.shape != expected.shape or is_same.mean() < 0.99:  # a tie may go either way
        raise ValueError(f"no ONNX for {agent.config['algo.agent']}: it would act differently")


class GreedyPolicy(nn.Module):
    """Raw observations to the actions that ``lagom eval`` plays, on tensors.

    Args:
        agent (BaseAgent): as ``read_policy`` gave it.
        normalizer (tuple): mean and standard deviation ``[*obs]`` and the bound of normalized
            observations; None where they go in as they are.

    Raises:
        ValueError: how the agent acts is not known here.
    """

    def __init__(self, agent, normalizer=None):
        super().__init__()
        self.network, self.last = _parts(agent)
        self.clip = None
        if normalizer is not None:
            mean, std, self.clip = normalizer
            self.register_buffer("mean", torch.as_tensor(mean, dtype=torch.float64))
            self.register_buffer("std", torch.as_tensor(std, dtype=torch.float64))

    def forward(self, observation):
        """``[N, *obs]`` float32 to ``[N]`` int64, or ``[N, *action]`` float32."""
        if self.clip is not None:
            observation = (observation.double() - self.mean) / self.std
            observation = observation.clamp(-self.clip, self.clip).float()
        return self.last(self.network(observation))


def _parts(agent):
    """The network of an agent, and what makes an action of its output."""
    actor, head = getattr(agent, "actor", None), getattr(agent, "head", None)
    if isinstance(head or getattr(actor, "head", None), nn.Module):
        trunk, head = (actor, head) if head is not None else (actor.trunk, actor.head)
        if isinstance(head, CategoricalHead):
            return nn.Sequential(trunk, head.logits), _largest(0)
        if isinstance(head, DiagGaussianHead | StateDependentHead):
            return nn.Sequential(trunk, head.mean_head), nn.Identity()
        if type(head) is TanhGaussianHead:
            return nn.Sequential(trunk, head.out), _Squash(head)
        raise ValueError(f"no ONNX for actions of {type(head).__name__}")
    for name in ("actor", "Q", "policy"):
        network, start = getattr(agent, name, None), getattr(agent.action_space, "start", None)
        if isinstance(network, nn.Module):
            return network, nn.Identity() if start is None else _largest(int(start))
    raise ValueError(
        f"no ONNX for {agent.config['algo.agent']}: it has neither an actor nor a network called Q "
        "or policy"
    )


def _largest(start):
    return lambda x: x.argmax(-1) + start


class _Squash(nn.Module):
    """Mean and log standard deviation ``[N, 2 D]`` to the squashed mean ``[N, D]``."""

    def __init__(self, head):
        super().__init__()
        self.register_buffer("center", head.center.clone())
        self.register_buffer("scale", head.scale.clone())

    def forward(self, x):
        return self.center + self.scale * x.chunk(2, -1)[0].tanh()
