"""Nothing but ``set_global_seeds`` touches the global random streams."""

import pickle
import random

import numpy as np
import pytest
import torch

from lagom import CEM, CMAES, StepRunner
from lagom.data import PrioritizedReplayBuffer, ReplayBuffer
from lagom.envs import NormalizeObservation, make, make_vec_env
from lagom.experiment import Config, Grid, Sample
from lagom.utils import Seeder, set_global_seeds


def streams():
    return pickle.dumps((random.getstate(), np.random.get_state(), torch.get_rng_state().numpy()))


class Constant:
    def choose_action(self, x, **kwargs):
        return {"action": np.zeros((len(x), 1), np.float32)}


def evolve(es):
    for _ in range(2):
        candidates = es.ask()
        es.tell(candidates, [float(np.sum(np.square(x))) for x in candidates])
    es.load_state_dict(es.state_dict())


def collect():
    env = NormalizeObservation(make_vec_env(lambda: make("Pendulum-v1"), 2, 0))
    return StepRunner()(Constant(), env, 5)


def replay(kind):
    buffer = kind(100, num_stream=2)
    buffer.add(collect())
    buffer.sample(8)


@pytest.mark.parametrize(
    "use",
    [
        lambda: evolve(CEM([0.0, 0.0], 1.0, {"seed": 1})),
        lambda: evolve(CEM([0.0, 0.0], 1.0)),
        lambda: evolve(CMAES([0.0, 0.0], 1.0, {"seed": 1})),
        lambda: Seeder(3)(5),
        collect,
        lambda: replay(ReplayBuffer),
        lambda: replay(PrioritizedReplayBuffer),
        lambda: Config(
            {"a": Grid([1, 2]), "b": Sample(lambda rng: rng.random())}, 3
        ).make_configs(),
    ],
)
def test_streams_are_left_alone(use):
    before = streams()
    use()
    assert streams() == before


def test_the_check_can_fail():
    before = streams()
    set_global_seeds(3)
    assert streams() != before
    before = streams()
    np.random.rand()
    assert streams() != before
