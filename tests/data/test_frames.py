import numpy as np
import pytest
from configs import TINY_REPLAY, compose
from gymnasium.spaces import Box, Dict, MultiBinary

import lagom.engine
from lagom.data import PrioritizedReplayBuffer, ReplayBuffer, Trajectory, memory
from lagom.data.frames import Frames
from lagom.envs import make_envs
from lagom.experiment import job
from lagom.experiment.checkpoint import read_checkpoint, write_checkpoint
from lagom.experiment.guard import execute
from lagom.experiment.row_files import RowFiles

SHAPES = {"pictures": ((6, 5), np.uint8), "colours": ((3, 2, 2), np.uint8), "rows": ((2,), "f4")}


class Stream:
    """Fragments of episodes of stacked random frames, as a runner cuts them."""

    def __init__(self, num, kind="pictures", seed=0, num_stream=1, longest=6):
        self.num, (self.shape, self.dtype) = num, SHAPES[kind]
        self.rng, self.longest = np.random.default_rng(seed), longest
        self.frames = [None] * num_stream

    def frame(self):
        return self.rng.integers(0, 4, self.shape).astype(self.dtype)

    def stack(self, frames):
        if len(self.shape) == 2:
            return np.stack(frames[-self.num :])
        return np.concatenate(frames[-self.num :], -1)

    def __call__(self):
        b = int(self.rng.integers(len(self.frames)))
        if self.frames[b] is None or self.rng.random() < 0.1:  # anew, perhaps in mid-episode
            self.frames[b] = [self.frame()] * self.num
        frames, obs = self.frames[b], []
        T = int(self.rng.integers(1, self.longest + 1))
        for _ in range(T):
            obs.append(self.stack(frames))
            frames.append(self.frame())
        obs.append(self.stack(frames))
        end = self.rng.integers(3)
        if end:
            self.frames[b] = None
        return Trajectory(
            np.array(obs),
            self.rng.integers(3, size=T),
            self.rng.normal(size=T),
            terminated=bool(end == 1),
            truncated=bool(end == 2),
            stream=b,
        )


def same(D, E):
    assert D.keys() == E.keys()
    for key in D:
        np.testing.assert_array_equal(D[key], E[key], err_msg=key)
        assert D[key].dtype == E[key].dtype


def pair(cls, *args, num=3, **kwargs):
    return cls(*args, **kwargs), cls(*args, stack=num, **kwargs)


@pytest.mark.parametrize("cls", [ReplayBuffer, PrioritizedReplayBuffer])
@pytest.mark.parametrize("n_step", [1, 3])
@pytest.mark.parametrize(
    ("capacity", "num_stream", "longest"), [(9, 1, 12), (40, 1, 3), (31, 3, 6)]
)
def test_samples_are_those_of_whole_stacks(cls, n_step, capacity, num_stream, longest):
    """While rows are overwritten; episodes are shorter than the stack, longer, and broken off."""
    plain, once = pair(cls, capacity, num_stream, n_step)
    stream = Stream(3, num_stream=num_stream, longest=longest)
    for _ in range(80):
        tau = stream()
        plain.add([tau])
        once.add([tau])

        assert len(plain) == len(once)
        same(plain.sample(30), once.sample(30))


@pytest.mark.parametrize("kind", SHAPES)
@pytest.mark.parametrize("num", [2, 4])
def test_stacks_of_every_shape(kind, num):
    plain, once = pair(ReplayBuffer, 50, num=num)
    stream = Stream(num, kind)
    D = [stream() for _ in range(40)]
    plain.add(D)
    once.add(D)
    example = D[0].observations[0]
    once_more = ReplayBuffer(50, stack=num)
    once_more.allocate(Box(0, 255, example.shape, example.dtype), np.int64(0))
    once_more.add(D)

    D, E = plain.sample(200), once.sample(200)
    same(D, E)
    same(D, once_more.sample(200))


def test_samples_are_ones_own():
    once, stream = ReplayBuffer(50, stack=3), Stream(3)
    once.add([stream() for _ in range(10)])
    rows = once.sample(20)["index"]
    before = once._transitions(rows)
    for x in once._transitions(rows.copy()).values():
        x[:] = 0

    same(before, once._transitions(rows))


def test_masks_stay_beside():
    plain, once = pair(ReplayBuffer, 40)
    masks = Dict({"observation": Box(0, 255, (3, 6, 5), np.uint8), "action_mask": MultiBinary(2)})
    once.allocate(masks, Box(0, 1, ()))
    stream = Stream(3)
    for _ in range(30):
        tau = stream()
        mask = stream.rng.integers(2, size=(tau.T + 1, 2)).astype(np.int8)
        tau.observations = {"observation": tau.observations, "action_mask": mask}
        tau.actions = tau.actions.astype(np.float32)
        for replay in (plain, once):
            replay.add([tau])
    D, E = plain.sample(100), once.sample(100)

    for key in ("observation", "next_observation"):
        same(D.pop(key), E.pop(key))
    same(D, E)


def test_trajectories_built_by_hand():
    """Lists of observations, of another kind of floats."""
    plain, once = pair(ReplayBuffer, 10, num=2)
    obs = [np.array([x, x + 1.0]) for x in range(4)]
    tau = Trajectory([np.float32(x) for x in obs[:2]], [0], [1.0])
    for replay in (plain, once):
        replay.add([tau, Trajectory(obs[1:], [0, 1], [1.0, 2.0], terminated=True)])

    same(plain.sample(20), once.sample(20))


def test_bits_count_not_values():
    """-0 equals 0, and NaN not itself."""
    plain, once = pair(ReplayBuffer, 10, num=2)
    frames = np.array([0.0, -0.0, np.nan, np.nan, 1.0], np.float32)
    obs = np.stack([frames[:-1], frames[1:]], -1)
    for replay in (plain, once):
        replay.add([Trajectory(obs, np.arange(3), np.ones(3))])
    D, E = plain.sample(50), once.sample(50)

    assert D["observation"].tobytes() == E["observation"].tobytes()


# Memory


def test_frames_are_kept_once():
    obs = np.zeros((2, 4, 84, 84), np.uint8)
    plain, once = pair(ReplayBuffer, 1000, num=4)
    for replay in (plain, once):
        replay.add([Trajectory(obs, np.zeros(1, int), np.zeros(1))])

    extra = 17 * 4 * 84 * 84 + 1001 * 56
    assert 1001 * 84 * 84 < once.nbytes < 1001 * 84 * 84 + extra
    assert plain.nbytes > 3.7 * once.nbytes


def test_an_episode_costs_a_frame_an_observation():
    once, stream = ReplayBuffer(100, stack=4), Stream(4)
    D = []
    while sum(tau.T for tau in D) < 60:
        tau = stream()
        tau.terminated = True
        stream.frames = [None]
        D.append(tau)
    once.add(D)

    assert once._frames._rows[0].count == sum(tau.T + 1 for tau in D)


def test_memory_that_is_not_there(monkeypatch):
    monkeypatch.setattr(memory, "_memory", lambda: 10**6)
    with pytest.raises(ValueError, match=r"ReplayBuffer: 169 frames take 0.0 GB; expected at most"):
        ReplayBuffer(100, stack=4).allocate(Box(0, 255, (4, 84, 84), np.uint8), np.int64(0))


# State


@pytest.mark.parametrize("capacity", [25, 400])
def test_it_goes_on_from_its_checkpoints(tmp_path, capacity):
    """From files that are appended to; before the first trajectory, too."""
    make = lambda seed: ReplayBuffer(capacity, 2, n_step=2, seed=seed, stack=3)
    replay, files, stream = make(0), RowFiles(tmp_path / "rows"), Stream(3, num_stream=2)
    for step in range(25):
        write_checkpoint(tmp_path, step, {"replay": replay.state_dict()}, 2, files)
        other = make(1)
        other.add([Stream(3, seed=7)()])  # forgotten
        other.load_state_dict(read_checkpoint(tmp_path, RowFiles(tmp_path / "rows"))[0]["replay"])
        D = [stream() for _ in range(4)]
        for x in (replay, other):
            x.add(D)

        assert replay._frames._rows[0].count == other._frames._rows[0].count
        same(replay.sample(50), other.sample(50))


def test_states_of_other_buffers():
    plain, once = pair(ReplayBuffer, 20)
    tau = Stream(3)()
    for replay in (plain, once):
        replay.add([tau])
    with pytest.raises(ValueError, match="a state in which frames are kept in stacks; expected"):
        once.load_state_dict(plain.state_dict())
    with pytest.raises(ValueError, match="a state in which frames are kept once; expected the s"):
        plain.load_state_dict(once.state_dict())
    other = ReplayBuffer(20, stack=3)
    state = once.state_dict()
    state["frames"]["rows"] = []
    with pytest.raises(ValueError, match=r"ReplayBuffer: got frames of shapes \[\]; expected \[\("):
        other.load_state_dict(state)


# Jobs


@pytest.mark.parametrize("prioritized", [True, False])
def test_jobs_are_the_same_as_with_whole_stacks(tmp_path, monkeypatch, prioritized):
    values = {"env.stack": 3, "replay.prioritized": prioritized, "checkpoint.every": 0}
    config = compose("dqn", "CartPole-v1", **TINY_REPLAY | values)
    assert execute(job.run, config, 1, "cpu", tmp_path / "once")[0] == "done"
    name = "PrioritizedReplayBuffer" if prioritized else "ReplayBuffer"

    class Whole(getattr(lagom.engine, name)):
        def _observations(self, records, rows):
            # Matrix products of rows with gaps between them are rounded differently.
            return np.ascontiguousarray(super()._observations(records, rows))

    monkeypatch.setattr(lagom.engine, name, lambda **kwargs: Whole(**kwargs | {"stack": 1}))
    assert execute(job.run, config, 1, "cpu", tmp_path / "stacks")[0] == "done"

    for name in ("train.journal", "eval.journal", "policy/policy.safetensors"):
        once, stacks = (tmp_path / run / name for run in ("once", "stacks"))
        assert once.read_bytes() == stacks.read_bytes(), name


def test_it_is_chosen_where_frames_stay_what_they_are(tmp_path, capsys):
    def engine(**values):
        config = compose("dqn", "CartPole-v1", **TINY_REPLAY | values)
        env, eval_env = make_envs(config, 0)
        agent = job.resolve(config, "algo.agent")(config, env, "cpu")
        return lagom.engine.OffPolicyEngine(config, agent=agent, env=env, eval_env=eval_env)

    assert engine().replay.stack == 1
    assert engine(**{"env.stack": 3}).replay.stack == 3
    assert engine(**{"env.stack": 3, "env.normalize_obs": True}).replay.stack == 1

    config = compose("dqn", "CartPole-v1", **TINY_REPLAY | {"env.stack": 3, "train.timestep": 20})
    job.run(config, 1, "cpu", tmp_path)
    assert "replay buffer: at most 0 MB, each frame kept once" in capsys.readouterr().out


# What cannot be


def test_stacks_that_cannot_be():
    with pytest.raises(ValueError, match="ReplayBuffer: stack is 0; expected at least 1"):
        ReplayBuffer(10, stack=0)
    replay = ReplayBuffer(10, stack=3)
    with pytest.raises(
        ValueError, match=r"observations have shape \(4,\); expected 3 stacked ones"
    ):
        replay.allocate(np.zeros(4), np.zeros(1))
    replay.add([Stream(3)()])
    tau = Stream(3, "rows")()
    with pytest.raises(
        ValueError, match=r"observation is float32 of shape \(\d, 6\); expected uint8"
    ):
        replay.add([tau])
    tau.stream = 1
    with pytest.raises(ValueError, match="with T . and stream 1; expected at least one step"):
        replay.add([tau])


def test_observations_that_are_no_stacks():
    """They cost three frames each: exact while there is room, refused when there is none."""
    plain, once = pair(ReplayBuffer, 100)
    rng = np.random.default_rng(0)
    for _ in range(5):
        obs = rng.random((6, 3), np.float32)
        for replay in (plain, once):
            replay.add([Trajectory(obs, np.zeros(5), np.zeros(5))])
    same(plain.sample(50), once.sample(50))

    once.add([Trajectory(rng.random((91, 3), np.float32), np.zeros(90), np.zeros(90))])
    with pytest.raises(ValueError, match="observations have more new frames than steps; expected"):
        once.sample(200)


def test_observations_that_move_on_in_part_only():
    plain, once = pair(ReplayBuffer, 20)
    obs = np.array([[0, 1, 2], [1, 3, 4], [0, 4, 5]], np.float32)  # 1 stays, 2 does not; 4 does
    for replay in (plain, once):
        replay.add([Trajectory(obs, np.zeros(2), np.zeros(2))])

    same(plain.sample(40), once.sample(40))


def test_frames_in_the_open_slot_do_not_count():
    """A checkpoint would lack it, so an observation that needs it is refused without one, too."""
    frames = Frames(2, 1, 3)
    frames.layout(np.zeros(2, np.uint8))
    frames.allocate()
    stacks = np.arange(frames.capacity)[:, None] + np.arange(2)
    numbers = frames.encode(stacks[:-2].astype(np.uint8), 0)  # capacity - 1 frames
    stream = np.zeros(1, int)

    assert frames.decode(numbers[:1], stream).tolist() == [[0, 1]]
    frames.encode(stacks[-3:-1].astype(np.uint8), 0)  # one more
    with pytest.raises(ValueError, match="observations have more new frames than steps"):
        frames.decode(numbers[:1], stream)
    assert frames.decode(numbers[1:2], stream).tolist() == [[1, 2]]
