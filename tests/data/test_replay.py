import json
import random

import gymnasium
import numpy as np
import pytest
import torch
from envs.count_env import CountEnv

from lagom import StepRunner
from lagom.data import ReplayBuffer, Rows, StepType, TimeStep, Trajectory, memory
from lagom.envs import VecEnv


def trajectory(start, T, terminated=False, truncated=False, stream=0):
    """Observation ``i`` is [i, i], what follows it action 2 i and reward i / 4."""
    i = np.arange(start, start + T + 1)
    return Trajectory(
        observations=np.repeat(i[:, None], 2, axis=1).astype(np.float32),
        actions=2 * i[:-1],
        rewards=i[:-1] / 4,
        terminated=terminated,
        truncated=truncated,
        stream=stream,
    )


def contents(replay, rounds=40):
    """First observation -> what came with it, of everything that a long sample shows."""
    found = {}
    D = replay.sample(rounds * len(replay))
    for i in range(len(D["index"])):
        assert D["observation"][i, 0] == D["observation"][i, 1]
        assert D["next_observation"][i, 0] == D["next_observation"][i, 1]
        row = (
            D["action"][i],
            D["reward"][i],
            D["next_observation"][i, 0],
            D["terminated"][i],
            D["discount"][i],
        )
        row = tuple(x.item() for x in row)
        assert found.setdefault(int(D["observation"][i, 0]), row) == row
    return found


class Definition:
    """Every row there ever was of each stream, in lists; targets by loops."""

    def __init__(self, capacity, num_stream, n_step, gamma):
        self.kept = capacity // num_stream  # of each stream
        self.n_step, self.gamma = n_step, gamma
        self.streams = [[] for _ in range(num_stream)]
        self.newest = [None] * num_stream  # observation of an unfinished episode

    def add(self, tau):
        rows, newest = self.streams[tau.stream], self.newest[tau.stream]
        if newest is not None and newest != tau.observations[0, 0]:
            rows.append(None)
        for t in range(tau.T):
            end = tau.terminated and t == tau.T - 1
            obs, next_obs = tau.observations[t : t + 2, 0]
            rows.append((int(obs), int(tau.actions[t]), tau.rewards[t], int(next_obs), end))
        if tau.finished:
            rows.append(None)
        self.newest[tau.stream] = None if tau.finished else tau.observations[-1, 0]

    def contents(self):
        out = {}
        for rows in self.streams:
            for i in range(max(0, len(rows) - self.kept), len(rows)):
                if rows[i] is None:
                    continue
                reward, k = 0.0, 0
                while k < self.n_step and i + k < len(rows) and rows[i + k] is not None:
                    reward += self.gamma**k * rows[i + k][2]
                    k += 1
                _, _, _, next_obs, end = rows[i + k - 1]
                discount = float(np.float32(self.gamma**k))
                out[rows[i][0]] = (rows[i][1], pytest.approx(reward), next_obs, end, discount)
        return out


def stream_of_trajectories(rng, num_stream, num, longest):
    """Fragments of episodes; now and then one is broken off."""
    now, start = [0] * num_stream, 1
    for _ in range(num):
        b, T = int(rng.integers(num_stream)), int(rng.integers(1, longest + 1))
        if now[b] == 0 or rng.random() < 0.1:
            now[b], start = start, start + 1000
        end = rng.integers(4)
        yield trajectory(now[b], T, terminated=end == 1, truncated=end == 2, stream=b)
        now[b] = 0 if end in (1, 2) else now[b] + T


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("n_step", [1, 2, 5])
@pytest.mark.parametrize(
    ("capacity", "num_stream", "longest"),
    [(2, 1, 1), (9, 1, 12), (30, 1, 4), (20, 4, 6), (7, 3, 3)],
)
def test_it_holds_what_it_should(capacity, num_stream, longest, n_step, seed):
    rng = np.random.default_rng(seed)
    replay = ReplayBuffer(capacity, num_stream, n_step, gamma=0.5)
    definition = Definition(capacity, num_stream, n_step, gamma=0.5)
    for tau in stream_of_trajectories(rng, num_stream, 40, longest):
        replay.add([tau])
        definition.add(tau)
        expected = definition.contents()

        assert len(replay) == len(expected)
        assert contents(replay) == expected


def test_one_step():
    replay = ReplayBuffer(10, gamma=0.9)
    replay.add([trajectory(1, 2, truncated=True), trajectory(5, 2, terminated=True)])

    gamma = float(np.float32(0.9))
    assert contents(replay) == {
        1: (2, 0.25, 2, False, gamma),
        2: (4, 0.5, 3, False, gamma),  # a time limit: what follows has a value
        5: (10, 1.25, 6, False, gamma),
        6: (12, 1.5, 7, True, gamma),
    }


def test_three_steps():
    replay = ReplayBuffer(20, n_step=3, gamma=0.5)
    replay.add([trajectory(1, 4, terminated=True), trajectory(9, 1)])

    assert contents(replay) == {
        1: (2, 0.25 + 0.25 + 0.1875, 4, False, 0.125),
        2: (4, 0.5 + 0.375 + 0.25, 5, True, 0.125),
        3: (6, 0.75 + 0.5, 5, True, 0.25),
        4: (8, 1.0, 5, True, 0.5),
        9: (18, 2.25, 10, False, 0.5),  # as far as is known
    }
    replay.add([trajectory(10, 1)])
    assert contents(replay)[9] == (18, 2.25 + 1.25, 11, False, 0.25)


@pytest.mark.parametrize("gamma", [0.0, 1.0])
def test_discounts_at_the_ends(gamma):
    replay = ReplayBuffer(10, n_step=2, gamma=gamma)
    replay.add([trajectory(2, 2)])

    assert contents(replay)[2] == (4, 0.5 + gamma * 0.75, 4, False, gamma)


def test_how_a_stream_is_cut_does_not_matter():
    def filled(steps):
        replay = ReplayBuffer(40, num_stream=2, n_step=3)
        runner = StepRunner(reset_on_call=False)
        env = VecEnv([lambda: CountEnv(5), lambda: CountEnv(9, limit=4)])
        for T in steps:
            replay.add(runner(Counting(), env, T))
        return replay

    whole, pieces = filled([30]), filled([1] * 12 + [5, 7, 6])
    D, E = whole.sample(500), pieces.sample(500)

    assert len(whole) == len(pieces)
    for key in D:
        np.testing.assert_array_equal(D[key], E[key])


class Counting:
    def choose_action(self, x):
        return {"action": x[:, 0].astype(int) % 2}


def test_an_episode_broken_off_ends_as_at_a_time_limit():
    replay = ReplayBuffer(10, n_step=2, gamma=0.5)
    replay.add([trajectory(1, 2), trajectory(7, 1)])

    assert contents(replay) == {
        1: (2, 0.25 + 0.25, 3, False, 0.25),
        2: (4, 0.5, 3, False, 0.5),
        7: (14, 1.75, 8, False, 0.5),
    }


def test_each_transition_has_the_same_chance():
    """Also with streams of unequal length, and many rows that are none."""
    replay = ReplayBuffer(400, num_stream=4)
    for i in range(30):
        replay.add([trajectory(10 * i, 1, terminated=True, stream=1)])
    replay.add([trajectory(1000, 10, stream=3)])
    num = 40_000
    D = replay.sample(num)
    _, counts = np.unique(D["observation"][:, 0], return_counts=True)

    assert len(counts) == len(replay) == 40
    deviation = (counts - num / 40) / np.sqrt(num / 40 * 39 / 40)  # of a binomial distribution
    assert abs(deviation).max() < 4
    assert 0.5 < np.mean(deviation**2) < 1.6


@pytest.mark.parametrize("N", [1, 7, 256])
def test_as_many_as_wanted(N):
    replay = ReplayBuffer(2000, num_stream=500)  # of 1000 used rows a single one is a transition
    replay.add([trajectory(3, 1, stream=499)])

    D = replay.sample(N)

    assert {key: len(x) for key, x in D.items()} == dict.fromkeys(D, N)
    assert D["observation"].tolist() == [[3, 3]] * N
    assert all(len(replay.sample(1)["index"]) == 1 for _ in range(30))


def test_shapes_and_kinds():
    replay = ReplayBuffer(10)
    replay.add([trajectory(1, 5)])
    kinds = {key: (x.dtype, x.shape) for key, x in replay.sample(4).items()}

    assert kinds == {
        "observation": (np.float32, (4, 2)),
        "action": (np.int64, (4,)),
        "reward": (np.float32, (4,)),
        "next_observation": (np.float32, (4, 2)),
        "terminated": (np.bool_, (4,)),
        "discount": (np.float32, (4,)),
        "index": (np.int64, (4,)),
    }


@pytest.mark.parametrize("n_step", [1, 3])
@pytest.mark.parametrize(
    ("obs", "action"),
    [(np.float32, np.float32), (np.uint8, np.int64), (np.float64, np.uint8), (np.int8, np.int16)],
)
def test_tensors_are_made_without_copies(n_step, obs, action):
    tau = trajectory(1, 5)
    tau.observations, tau.actions = tau.observations.astype(obs), tau.actions.astype(action)
    replay = ReplayBuffer(10, n_step=n_step)
    replay.add([tau])

    for x in replay.sample(8).values():
        tensor = torch.from_numpy(x)
        assert x.flags.aligned
        assert tensor.data_ptr() == x.ctypes.data
        assert tensor.tolist() == x.tolist()


@pytest.mark.parametrize("n_step", [1, 3])
def test_samples_are_ones_own(n_step):
    replay = ReplayBuffer(10, n_step=n_step)
    replay.add([trajectory(1, 5, terminated=True)])
    before = contents(replay)
    for x in replay.sample(20).values():
        x[:] = 0

    assert contents(replay) == before


def test_what_was_added_may_change_afterwards():
    replay, tau = ReplayBuffer(10), trajectory(1, 5)
    replay.add([tau])
    before = contents(replay)
    for x in (tau.observations, tau.actions, tau.rewards):
        x[:] = 0

    assert contents(replay) == before


def test_observations_in_dictionaries():
    replay = ReplayBuffer(6, n_step=2, gamma=0.5)
    for start in (0, 3):
        i = np.arange(start, start + 4)
        obs = {"image": np.full((4, 2, 2), i[:, None, None], np.uint8), "speed": i / 2}
        replay.add([Trajectory(obs, i[:3], np.ones(3), terminated=start == 3)])
    D = replay.sample(50)
    i, k = D["action"], np.where(D["discount"] == 0.25, 2, 1)

    assert {*i.tolist()} == {1, 2, 3, 4, 5}  # seven rows for seven observations, one is open
    assert list(D["observation"]) == list(D["next_observation"]) == ["image", "speed"]
    assert D["observation"]["image"].dtype == np.uint8
    assert D["observation"]["image"].tolist() == [[[x, x], [x, x]] for x in i]
    assert D["observation"]["speed"].tolist() == (i / 2).tolist()
    assert D["next_observation"]["speed"].tolist() == ((i + k) / 2).tolist()
    assert D["terminated"].tolist() == (i + k == 6).tolist()


@pytest.mark.parametrize("wrap", [lambda x: x, lambda x: {"x": x}])
def test_trajectories_built_by_hand(wrap):
    tau = Trajectory()
    tau.add(TimeStep(StepType.FIRST, wrap(0.0), None, None, None), None)
    tau.add(TimeStep(StepType.MID, wrap(1.0), 0.5, False, {}), 3)
    tau.add(TimeStep(StepType.LAST, wrap(2.0), 1.5, True, {}), 4)
    replay = ReplayBuffer(10)
    replay.add([tau])
    D = replay.sample(20)
    obs = D["next_observation"]["x"] if wrap(0) else D["next_observation"]

    assert len(replay) == 2
    assert obs.tolist() == [x - 2 for x in D["action"]]
    assert D["reward"].tolist() == (obs - 0.5).tolist()
    assert D["terminated"].tolist() == (obs == 2).tolist()


# Randomness


def test_equal_seeds_draw_equal_samples():
    def sample(seed, rng=None):
        replay = ReplayBuffer(100, seed=seed)
        replay.add([trajectory(0, 90)])
        return replay.sample(30, rng)["index"].tolist()

    assert sample(1) == sample(1) != sample(2)
    assert sample(1, np.random.default_rng(5)) == sample(2, np.random.default_rng(5)) != sample(1)


def test_a_generator_given_is_the_only_one_used():
    replay, rng = ReplayBuffer(100), np.random.default_rng(5)
    replay.add([trajectory(0, 90)])
    own, given = (str(g.bit_generator.state) for g in (replay.rng, rng))
    replay.sample(3, rng)

    assert str(replay.rng.bit_generator.state) == own
    assert str(rng.bit_generator.state) != given


def test_global_generators_are_left_alone():
    before = random.getstate(), np.random.get_state(legacy=False), torch.get_rng_state()
    replay = ReplayBuffer(10)
    replay.add([trajectory(0, 5)])
    replay.sample(3)

    after = random.getstate(), np.random.get_state(legacy=False), torch.get_rng_state()
    assert str(before) == str(after)


# Memory


def test_observations_are_kept_once():
    replay = ReplayBuffer(1000)
    replay.add([Trajectory(np.zeros((2, 84, 84), np.uint8), np.zeros(1, int), np.zeros(1))])

    assert 1001 * 84 * 84 < replay.nbytes < 1001 * (84 * 84 + 32)


@pytest.mark.parametrize(
    ("space", "example"),
    [
        (gymnasium.spaces.Box(-1, 1, (17,)), np.zeros(17, np.float32)),
        (gymnasium.spaces.Discrete(5), np.int64(3)),
        (
            gymnasium.spaces.Dict({"x": gymnasium.spaces.Box(0, 255, (3, 2), np.uint8)}),
            {"x": np.zeros((3, 2), np.uint8)},
        ),
    ],
)
def test_memory_is_known_before_there_is_data(space, example):
    replays = [ReplayBuffer(1000, num_stream=4) for _ in range(3)]
    assert replays[0].nbytes == 0

    replays[0].allocate(space, gymnasium.spaces.MultiDiscrete([3, 4]))
    replays[1].allocate(example, np.zeros(2, np.int64))
    obs = (
        {k: x[None].repeat(2, 0) for k, x in example.items()}
        if isinstance(example, dict)
        else (np.array([example] * 2))
    )
    replays[2].add([Trajectory(obs, np.zeros((1, 2), np.int64), np.zeros(1))])

    assert replays[0].nbytes == replays[1].nbytes == replays[2].nbytes > 1000 * 20
    assert [len(replay) for replay in replays] == [0, 0, 1]


def test_memory_is_not_reserved_anew():
    replay = ReplayBuffer(10)
    replay.add([trajectory(1, 3)])

    with pytest.raises(ValueError, match=r"ReplayBuffer.allocate: there are 3 transitions; expect"):
        replay.allocate(np.zeros(2), np.zeros(1))


def test_memory_that_is_not_there(monkeypatch):
    needed = 10_000_001 * (17 * 4 + 6 * 4 + 4 + 2 + 2 + 1)  # two bytes of padding
    obs, action = np.zeros(17, np.float32), np.zeros(6, np.float32)
    monkeypatch.setattr(memory, "_memory", lambda: needed)
    replay = ReplayBuffer(10**7)
    replay.allocate(obs, action)
    assert replay.nbytes == needed

    monkeypatch.setattr(memory, "_memory", lambda: needed - 1)
    with pytest.raises(
        ValueError, match=r"10000001 rows take 1.0 GB; .* the 1.0 GB of memory here"
    ):
        ReplayBuffer(10**7).allocate(obs, action)


@pytest.mark.parametrize("limit", [None, "max\n", "1234\n"])
def test_the_memory_of_a_container(limit, monkeypatch, tmp_path):
    monkeypatch.setattr(memory, "Path", lambda path: tmp_path / "limit")
    if limit:
        (tmp_path / "limit").write_text(limit)

    assert (memory._memory() == 1234) == (limit == "1234\n")
    assert limit == "1234\n" or memory._memory() > 10**8


def test_memory_that_no_machine_has():
    replay = ReplayBuffer(10**12)
    with pytest.raises(
        ValueError, match=r"1000000000001 rows take \d+.\d GB; expected at most the"
    ):
        replay.add([trajectory(1, 1)])
    assert (len(replay), replay.nbytes) == (0, 0)


# State


def same(replay, other, N=300):
    D, E = replay.sample(N), other.sample(N)
    for key in D:
        np.testing.assert_array_equal(D[key], E[key])


@pytest.mark.parametrize("n_step", [1, 3])
@pytest.mark.parametrize(("capacity", "num_stream"), [(50, 1), (50, 3), (2000, 2)])
def test_it_goes_on_from_its_state(capacity, num_stream, n_step):
    """At any moment; with more trajectories afterwards, too."""
    make = lambda seed: ReplayBuffer(capacity, num_stream, n_step, gamma=0.5, seed=seed)
    D = [*stream_of_trajectories(np.random.default_rng(0), num_stream, 60, 6)]
    for stop in (0, 1, 7, 20, 59):
        replay, other = make(0), make(1)
        other.add([trajectory(9, 4)])  # forgotten
        replay.add(D[:stop])
        if stop:
            replay.sample(5)
        other.load_state_dict(replay.state_dict())
        for tau in D[stop:]:
            for x in (replay, other):
                x.add([tau])
            same(replay, other, 20)

        assert len(replay) == len(other)
        same(replay, other)


def test_its_state_is_plain_but_for_the_rows():
    def plain(x):
        if isinstance(x, dict):
            return all(isinstance(key, str) and plain(value) for key, value in x.items())
        if isinstance(x, list):
            return all(map(plain, x))
        return x is None or type(x) in (bool, int, float, str, np.ndarray, Rows)

    for replay in (ReplayBuffer(10, 2), ReplayBuffer(10, 2)):
        assert plain(replay.state_dict())
        replay.add([trajectory(1, 3), trajectory(1, 3, terminated=True, stream=1)])
        state = replay.state_dict()
        assert plain(state)
        json.dumps([state["rng"], state["table"]["layout"], state["table"]["running"]])


@pytest.mark.parametrize(("capacity", "num_stream"), [(12, 1), (40, 3)])
def test_rows_saved_piece_by_piece_make_the_buffer_anew(capacity, num_stream):
    """A file that takes the rows since the last save, and a ring filled from its newest ones."""
    replay, files = ReplayBuffer(capacity, num_stream, n_step=2), {}
    rng = np.random.default_rng(3)
    for n, tau in enumerate(stream_of_trajectories(rng, num_stream, 80, 5)):
        replay.add([tau])
        if n % 7:
            continue
        state = replay.state_dict()
        for b, rows in enumerate(state["table"]["rows"]):
            file = files.setdefault(b, np.zeros((0, rows.width), np.uint8))
            lost = max(0, rows.oldest - len(file))
            empty = np.zeros((lost, rows.width), np.uint8)
            files[b] = np.concatenate([file, empty, rows.since(len(file))])
            fresh = Rows(np.zeros(rows.ring.shape, np.uint8), rows.oldest)
            fresh.extend(files[b][rows.oldest : rows.count])
            state["table"]["rows"][b] = fresh
        other = ReplayBuffer(capacity, num_stream, n_step=2, seed=1)
        other.load_state_dict(state)

        same(replay, other)


def test_complete_rows_do_not_change():
    replay, before = ReplayBuffer(12), {}
    for tau in stream_of_trajectories(np.random.default_rng(0), 1, 60, 5):
        replay.add([tau])
        (rows,) = replay.state_dict()["table"]["rows"]
        now = dict(zip(range(rows.oldest, rows.count), rows.since(0).tolist(), strict=True))
        for r in now.keys() & before.keys():
            assert now[r] == before[r]
        before = now


def test_equal_buffers_have_equal_bytes():
    """Gaps between fields, too: checkpoints are compared by their hashes."""
    first, second = (ReplayBuffer(12, num_stream=2) for _ in range(2))
    for replay in (first, second):
        replay.add(stream_of_trajectories(np.random.default_rng(0), 2, 30, 5))
    states = [replay.state_dict()["table"] for replay in (first, second)]

    for x, y in zip(*(state["rows"] for state in states), strict=True):
        assert x.ring.tobytes() == y.ring.tobytes()
    assert states[0]["open"].tobytes() == states[1]["open"].tobytes()
    for b, rows in enumerate(states[0]["rows"]):
        np.testing.assert_array_equal(states[0]["open"][b], rows.ring[rows.count % rows.capacity])


def test_rows_are_not_copied():
    replay = ReplayBuffer(100)
    replay.add([trajectory(1, 3)])
    (rows,) = replay.state_dict()["table"]["rows"]
    replay.add([trajectory(4, 1)])

    assert rows.count == 3
    assert replay.state_dict()["table"]["rows"][0].count == 4
    assert np.shares_memory(rows.ring, replay.state_dict()["table"]["rows"][0].ring)


@pytest.mark.parametrize("other", [ReplayBuffer(11), ReplayBuffer(10, num_stream=2)])
def test_states_of_other_buffers(other):
    replay = ReplayBuffer(10)
    replay.add([trajectory(1, 3)])

    with pytest.raises(ValueError, match=r"ReplayBuffer: got rings of shapes .*; expected \["):
        other.load_state_dict(replay.state_dict())


# What cannot be


@pytest.mark.parametrize("args", [(1,), (0,), (10, 0), (10, 6), (-4, -2)])
def test_capacities_that_cannot_be(args):
    with pytest.raises(
        ValueError, match=r"ReplayBuffer: capacity is .*; expected at least one str"
    ):
        ReplayBuffer(*args)


@pytest.mark.parametrize("kwargs", [{"n_step": 0}, {"gamma": -0.1}, {"gamma": 1.1}])
def test_targets_that_cannot_be(kwargs):
    with pytest.raises(
        ValueError, match=r"ReplayBuffer: n_step is .* and gamma .*; expected at le"
    ):
        ReplayBuffer(10, **kwargs)


@pytest.mark.parametrize("N", [1, 0, -1])
def test_samples_that_cannot_be(N):
    replay = ReplayBuffer(10)
    with pytest.raises(ValueError, match=rf"sample: N is {N}, of 0 transitions; expected at least"):
        replay.sample(N)
    if N < 1:
        replay.add([trajectory(1, 3)])
        with pytest.raises(ValueError, match=rf"sample: N is {N}, of 3 transitions"):
            replay.sample(N)


def test_trajectories_that_cannot_be():
    replay = ReplayBuffer(10, num_stream=2)
    for tau in (Trajectory(), trajectory(1, 2, stream=2), trajectory(1, 2, stream=-1)):
        with pytest.raises(
            ValueError, match=r"add: got a trajectory with T . and stream -?\d; exp"
        ):
            replay.add([tau])
    assert len(replay) == 0


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("observations", np.zeros((4, 3), np.float32), r"observation is float32 of shape \(4, 3\)"),
        ("observations", np.zeros((3, 2), np.float32), r"expected float32 of shape \(4, 2\)"),
        ("observations", np.zeros((4, 2), complex), "observation is complex128"),
        ("observations", {"x": np.zeros((4, 2))}, r"got \['observation.x', 'action'\]; expected"),
        ("actions", np.zeros(3), r"action is float64 of shape \(3,\); expected int64 of shape"),
        ("rewards", np.zeros((3, 1)), r"reward is float64 of shape \(3, 1\); expected float32"),
    ],
)
def test_arrays_that_do_not_fit(name, value, message):
    replay, tau = ReplayBuffer(20), trajectory(4, 3)
    replay.add([trajectory(1, 3)])
    before = contents(replay)
    setattr(tau, name, value)

    with pytest.raises(ValueError, match=f"ReplayBuffer.add: .*{message}"):
        replay.add([tau])
    assert contents(replay) == before


@pytest.mark.parametrize(
    "x", [gymnasium.spaces.Text(3), gymnasium.spaces.Tuple([]), np.array(["a"]), object()]
)
def test_observations_that_are_no_numbers(x):
    with pytest.raises(ValueError, match="ReplayBuffer: observation is .*; expected an array of n"):
        ReplayBuffer(10).allocate(x, np.zeros(1))
