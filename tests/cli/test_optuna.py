"""Hyperparameters by Optuna: the space, the trials as jobs, what counts, and the program."""

import json
import math
import shutil
import signal
import subprocess
import sys
import time
from collections import deque

import pytest

optuna = pytest.importorskip("optuna")

from optuna.trial import TrialState  # noqa: E402

from lagom.cli import optuna_sweeper, trials  # noqa: E402
from lagom.cli.optuna_sweeper import OptunaSweeper, corners, definition, new_seeds, search_space  # noqa: E402
from lagom.cli.trials import Trials, curve, last_value  # noqa: E402
from lagom.cli.words import Refused  # noqa: E402
from lagom.experiment import storage  # noqa: E402
from lagom.experiment.journal import Journal  # noqa: E402
from lagom.experiment.sweep import Job  # noqa: E402
from lagom.utils import Seeder  # noqa: E402

OPTIONS = {
    "n_trials": 3, "n_jobs": None, "direction": "maximize", "metric": "return",
    "statistic": "mean", "storage": None, "sampler": "random", "pruner": "none", "seed": 0,
    "validate": 0,
}  # fmt: skip
optuna.logging.set_verbosity(optuna.logging.WARNING)


def test_the_command_lines_grammar_is_the_search_space():
    space, fixed = search_space([
        "agent.lr=tag(log,interval(1e-5,1e-2))", "agent.clip=interval(0.1,0.3)",
        "agent.num_epoch=int(interval(1,10))", "algo=ppo,cmaes", "e=choice(3,x)", "b=range(1,4)",
        "name=n", "train.timestep=1", "train.timestep=2", "c=1,2", "c=3", "a=4", "a=3,x",
        "+env.kwargs.d=1,2",
    ])  # fmt: skip

    distributions = optuna.distributions
    assert space == {
        "agent.lr": distributions.FloatDistribution(1e-5, 1e-2, log=True),
        "agent.clip": distributions.FloatDistribution(0.1, 0.3),
        "agent.num_epoch": distributions.IntDistribution(1, 10),
        "algo": distributions.CategoricalDistribution(["ppo", "cmaes"]),
        "a": distributions.CategoricalDistribution(["3", "x"]),
        "e": distributions.CategoricalDistribution(["3", "x"]),
        "b": distributions.CategoricalDistribution(["1", "2", "3"]),
        "env.kwargs.d": distributions.CategoricalDistribution(["1", "2"]),
    }
    assert fixed == ["name=n", "train.timestep=2", "c=3"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["agent.lr=1"], "nothing to search; expected intervals or choices, such as agent.lr="),
        (["a=interval(2,1)"], "a: .*low.*high"),
        (["a=tag(log,interval(0,1))"], "a: .*low"),
    ],
)
def test_spaces_that_are_none(words, message):
    with pytest.raises(Refused, match=message):
        search_space(words)


def test_corners_name_every_choice_and_both_ends():
    space, fixed = search_space(["x=interval(0.5,2)", "c=a,b,c", "n=1"])

    assert corners(space, fixed) == [
        ["n=1", "x=0.5", "c=a"], ["n=1", "x=2.0", "c=a"], ["n=1", "x=0.5", "c=b"],
        ["n=1", "x=0.5", "c=c"],
    ]  # fmt: skip


def test_statistics():
    values = [5.0, 1.0, 2.0, 9.0, 4.0, 100.0, 3.0, 0.0]

    results = {name: f(values) for name, f in trials.STATISTICS.items()}
    assert results == {"mean": 15.5, "median": 3.5, "min": 0.0, "iqm": (2 + 3 + 4 + 5) / 4}
    assert trials.iqm([1.0, 2.0, 6.0]) == 3.0  # of three, none can be left out on either side


def test_new_seeds_are_new():
    first = Seeder(0)(7)

    assert new_seeds(first[:2], 5) == first[2:]
    assert new_seeds([1, 2], 5) == first[:5]
    assert new_seeds([first[1], first[3], 8], 2) == [first[0], first[2]]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sampler": "tpee"}, "sampler: got 'tpee'; expected one of: tpe, .*did you mean tpe"),
        ({"sampler": "cmaes"}, "sampler: got 'cmaes'; expected one of"),
        ({"statistic": "max"}, "statistic: got 'max'; expected one of: mean, median, min, iqm"),
        ({"direction": "up"}, "direction: got 'up'"),
        ({"pruner": None}, "pruner: got None; expected one of: none, median"),
        ({"n_trials": 0}, "n_trials: got 0; expected at least 1"),
        ({"n_jobs": 0.5}, "n_jobs: got 0.5; expected at least 1"),
        ({"validate": True}, "validate: got True; expected at least 0"),
        ({"pruner": "median", "metric": "train.return"}, "pruner: evaluations are compared"),
    ],
)
def test_options_that_do_not_exist(change, message):
    sweeper = OptunaSweeper({}, **OPTIONS | change)
    with pytest.raises(Refused, match=f"hydra.sweeper.{message}"):
        sweeper.setup(hydra_context=None, task_function=None, config=None)


def test_optuna_missing(monkeypatch):
    monkeypatch.setattr("lagom.cli.plugins.find_spec", lambda name: None)
    sweeper = OptunaSweeper({}, **OPTIONS)
    with pytest.raises(Refused, match=r"hydra/sweeper=optuna needs lagom\[optuna\]"):
        sweeper.setup(hydra_context=None, task_function=None, config=None)


def log(job, returns, every=10, column="return"):
    """Write an evaluation log."""
    job.logdir.mkdir(parents=True, exist_ok=True)
    journal = Journal(job.logdir / "eval.journal")
    for i, value in enumerate(returns):
        journal.append({"timestep": every * (i + 1) + i, column: value})
    journal.close()


def test_last_value_and_curve(tmp_path):
    job = Job({"ID": 0, "eval.every": 10, "train.timestep": 40}, 7, tmp_path / "0/7")
    with pytest.raises(ValueError, match=r"no 'return' in its eval log; there is nothing"):
        last_value(job, "return")
    assert curve(job, "return") == {}
    log(job, [1.0, None, 3.0, 4.0])

    assert last_value(job, "return") == 4.0
    assert curve(job, "return") == {1: 1.0, 3: 3.0}
    assert curve(Job({"eval.every": 0, "train.timestep": 40}, 7, job.logdir), "return") == {}
    with pytest.raises(ValueError, match="no 'x' in its eval log; there is timestep, return"):
        last_value(job, "x")
    log(other := Job({}, 8, tmp_path / "0/8"), [math.nan])
    with pytest.raises(ValueError, match="return is nan; expected a finite number"):
        last_value(other, "return")


class Machine:
    """A launcher of ``workers`` slots that runs pretended jobs, one step at a time."""

    def __init__(self, trials, workers, end):
        self.trials, self.workers, self.end = trials, workers, end
        self.jobs, self.running, self.order, self.stopped = trials.jobs(), deque(), [], []
        trials.stop = self.stopped.append

    def fill(self):
        while len(self.running) < self.workers and (job := next(self.jobs, None)) is not None:
            self.running.append(job)
            self.order.append((job.config["ID"], job.seed))

    def finish(self, job):
        """End ``job`` with the status and the last return that ``end`` gives."""
        status, value = self.end(job)
        if value is not None:
            log(job, [value])
        storage.write_json(job.logdir / "status.json", {"status": status, "error": "why"})
        self.running.remove(job)
        self.trials.watch([*self.running], [(job, status, None)])

    def run(self):
        self.fill()
        while self.running:
            self.finish(self.running[0])
            self.fill()


@pytest.fixture
def make(tmp_path):
    """Trials over x in [0, 1], of which configurations are the words themselves."""

    def compose(words):
        config = dict(word.split("=") for word in words)
        config = {"x": float(config["x"]), "train.timestep": 30, "eval.every": 10}
        return config, config, "x is too small" if config["x"] < -1 else None

    def make(seeds=(1, 2), n_jobs=2, interval="interval(0.0,1.0)", **options):
        options = OPTIONS | options
        folder = tmp_path / "study"
        folder.mkdir(exist_ok=True)
        backend = optuna.storages.journal.JournalFileBackend(str(folder / "study.journal"))
        study = optuna.create_study(
            storage=optuna.storages.JournalStorage(backend), study_name="study",
            direction=options["direction"], load_if_exists=True,
            pruner=optuna.pruners.MedianPruner(n_startup_trials=1),
        )  # fmt: skip
        space, fixed = search_space([f"x={interval}"])
        return Trials(study, folder, compose, space, fixed, list(seeds), n_jobs, options)

    return make


def test_a_trial_is_the_statistic_over_its_seeds(make):
    trials = make(statistic="min")
    machine = Machine(trials, 1, lambda job: ("done", job.config["x"] + job.seed))
    machine.run()

    assert machine.order == [(0, 1), (0, 2), (1, 1), (1, 2), (2, 1), (2, 2)]
    complete = trials.complete()
    assert [t.value for t in complete] == sorted([t.value for t in complete], reverse=True)
    for trial in complete:
        assert trial.value == float(f"{trial.params['x']:.6g}") + 1
        config = storage.read_yaml(trials.folder / str(trial.user_attrs["ID"]) / "config.yml")
        assert config["x"] == float(f"{trial.params['x']:.6g}")
    assert trials.counts() == {"complete": 3}


def test_no_more_trials_at_a_time_than_asked_for(make):
    machine = Machine(make(n_jobs=2), 8, lambda job: ("done", 1.0))
    machine.fill()

    assert machine.order == [(0, 1), (0, 2), (1, 1), (1, 2)]
    machine.finish(machine.running[2])
    machine.finish(machine.running[2])
    machine.fill()
    assert machine.order[4:] == [(2, 1), (2, 2)]


def test_minimizing(make):
    trials = make(direction="minimize")
    Machine(trials, 1, lambda job: ("done", job.config["x"])).run()

    complete = trials.complete()
    assert [t.value for t in complete] == sorted(t.value for t in complete)
    for trial in complete:  # evaluations are kept, whether or not anybody looked in time
        assert trial.intermediate_values == {1: trial.value}


@pytest.mark.parametrize("status", ["failed", "diverged"])
def test_a_failed_job_is_a_failed_trial_however_good_the_others(make, status, capsys):
    trials = make()
    bad = lambda job: (status, 1e6) if job.config["ID"] == 1 and job.seed == 1 else ("done", 1.0)
    machine = Machine(trials, 1, bad)
    machine.run()

    assert trials.counts() == {"complete": 2, "failed": 1}
    assert (1, 2) not in machine.order  # no use
    assert "failed: why -> " in capsys.readouterr().err


def test_values_that_are_none_fail(make):
    trials = make()
    Machine(trials, 1, lambda job: ("done", math.nan)).run()

    assert trials.counts() == {"failed": 3}
    assert trials.complete() == []


def test_a_configuration_that_does_not_fit_is_a_failed_trial(make, capsys):
    trials = make(interval="interval(-3.0,-2.0)")
    machine = Machine(trials, 1, None)
    machine.run()

    assert machine.order == []
    assert trials.counts() == {"failed": 3}
    assert "failed: x is too small" in capsys.readouterr().err


def test_the_same_configuration_twice_runs_once(make):
    trials = make(interval="choice(0.5)", n_jobs=3)
    machine = Machine(trials, 2, lambda job: ("done", 1.0))
    machine.run()

    assert machine.order == [(0, 1), (0, 2)]
    assert [t.value for t in trials.complete()] == [1.0] * 3


def test_an_interrupted_study_continues_and_counts_all(make):
    whole = make()
    Machine(whole, 1, lambda job: ("done", job.config["x"])).run()
    wanted = [t.params for t in whole.study.get_trials()]
    shutil.rmtree(whole.folder)

    first = make(n_trials=3)
    machine = Machine(first, 1, lambda job: ("done", job.config["x"]))
    for _ in range(3):  # all of trial 0, half of trial 1
        machine.fill()
        machine.finish(machine.running[0])
    machine.fill()
    storage.write_json(machine.running[0].logdir / "status.json", {"status": "stopped"})
    assert first.counts() == {"complete": 1, "open": 1}

    again = make(n_trials=3)
    machine = Machine(again, 1, lambda job: ("done", job.config["x"]))
    machine.run()
    assert machine.order[0] == (1, 2)
    assert again.counts() == {"complete": 3}
    assert [t.params for t in again.study.get_trials()] == wanted
    more = make(n_trials=4)
    Machine(more, 1, lambda job: ("done", job.config["x"])).run()
    assert len({t.params["x"] for t in more.study.get_trials()}) == 4  # not the first draws again


def test_a_stopped_job_leaves_its_trial_open(make):
    trials = make(n_trials=1)
    Machine(trials, 1, lambda job: ("stopped" if job.seed == 1 else "done", 1.0)).run()

    assert trials.counts() == {"open": 1}


def test_pruning_stops_what_is_below_the_median(make):
    trials = make(pruner="median", n_trials=2, seeds=(1, 2, 3))
    machine = Machine(trials, 2, lambda job: ("done", None))
    machine.fill()
    for job in [*machine.running]:
        log(job, [5.0, 6.0])
    trials.watch([*machine.running], [])
    machine.finish(machine.running[0])
    machine.fill()
    log(machine.running[1], [5.0, 6.0])
    while not trials.complete():
        machine.finish(machine.running[0])
    machine.fill()
    assert machine.stopped == []  # nothing to compare with so far
    one, other = machine.running
    log(one, [1.0, 2.0])
    trials.watch([one, other], [])
    assert machine.stopped == []  # the other one has not come so far
    log(other, [3.0])
    trials.watch([one, other], [])

    assert machine.stopped == [one, other]
    machine.end = lambda job: ("stopped", None)
    machine.run()
    assert machine.order[3:] == [(1, 1), (1, 2)]  # the third seed was not begun
    assert trials.counts() == {"complete": 1, "pruned": 1}
    pruned = trials.study.get_trials(states=[TrialState.PRUNED])[0]
    assert pruned.intermediate_values == {1: 2.0}  # the mean of 1 and 3


def test_pruning_lets_the_good_go_on(make):
    trials = make(pruner="median", n_trials=2, seeds=(1,), n_jobs=1)
    machine = Machine(trials, 1, lambda job: ("done", None))
    for value in (5.0, 5.5):
        machine.fill()
        log(machine.running[0], [value])
        trials.watch([*machine.running], [])
        machine.finish(machine.running[0])

    assert machine.stopped == []
    assert trials.counts() == {"complete": 2}


@pytest.mark.parametrize("sampler", ["tpe", "random", "gp"])
def test_samplers_draw_by_trial_and_seed(sampler):
    space, _ = search_space(["x=interval(0.0,1.0)"])

    def draw(seed, number):
        options = OPTIONS | {"sampler": sampler, "seed": seed}
        study = optuna.create_study(sampler=trials._sampler(options, number))
        return study.ask(space).params["x"]

    assert draw(0, 3) == draw(0, 3)
    assert len({draw(0, 0), draw(0, 1), draw(1, 0)}) == 3


def test_what_makes_trials_comparable():
    def make(*words, seeds=(1,), **options):
        return definition(*search_space([*words]), [*seeds], OPTIONS | options)

    study = optuna.create_study()
    assert optuna_sweeper._difference(study, make("x=1,2", "n=1", "device=cpu")) is None
    assert optuna_sweeper._difference(study, make("name=a", "n=1", "x=1,2")) is None
    json.dumps(study.user_attrs)
    for other, text in [
        (make("x=1,2", "n=2"), "n: 1, now 2"),
        (make("x=1,2"), "n: 1, now not given"),
        (make("x=1,3", "n=1"), "x: "),
        (make("x=1,2", "n=1", seeds=[2]), "seeds: [1], now [2]"),
        (make("x=1,2", "n=1", metric="length"), "hydra.sweeper.metric: return, now length"),
    ]:
        difference = optuna_sweeper._difference(study, other)
        assert difference.startswith(f"the study was begun with another {text}")


def test_validation_counts_what_is_done(make, capsys):
    trials = make(n_trials=1)
    Machine(trials, 1, lambda job: ("done", 1.0)).run()
    sweeper = OptunaSweeper({}, **OPTIONS | {"validate": 4})

    def run_jobs(jobs, varying):
        for job, status, value in zip(
            jobs, ["done", "failed", "done", "done"], [1.0, 9.0, 4.0, math.nan], strict=True
        ):
            log(job, [value])
            storage.write_json(job.logdir / "status.json", {"status": status})

    sweeper.run_jobs = run_jobs
    result, well = sweeper._validate(trials, trials.complete()[0], [1, 2])

    seeds = Seeder(0)(4)
    assert not well
    assert result["seeds"] == [seeds[0], seeds[2]]
    assert (result["mean"], result["sd"]) == (2.5, pytest.approx(math.sqrt(4.5)))
    out, err = capsys.readouterr()
    assert f"re-validated on {seeds[0]}, {seeds[2]}: 2.5 +- 2.121 (mean +- sd)" in out
    assert f"{seeds[1]}: failed; left out of the validation" in err
    assert "return is nan" in err


def lagom(folder, *words):
    """Exit code, stdout and stderr of the program."""
    done = subprocess.run(
        [sys.executable, "-m", "lagom", "train", *words], cwd=folder, timeout=200,
        capture_output=True, text=True, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    return done.returncode, done.stdout, done.stderr


ENV = '''
import glob, gymnasium, numpy, signal

class Bandit(gymnasium.Env):
    """Each episode is one step, rewarded by ``arm``."""

    observation_space = gymnasium.spaces.Box(-1, 1, (1,), numpy.float32)
    action_space = gymnasium.spaces.Discrete(2)

    def __init__(self, arm=0.0, tricky=False):
        self.arm, self.tricky, self.n = arm, tricky, 0

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        return numpy.zeros(1, numpy.float32), {}

    def step(self, action):
        self.n += 1
        if self.tricky and self.n == 160:  # between the two evaluations
            if self.arm > 0.8:
                raise OverflowError("the lever broke")
            if self.arm < 0.3 and len(glob.glob("outputs/*/*/1/policy")) >= 5:
                signal.pause()  # until the pruner asks for the end
        return numpy.zeros(1, numpy.float32), self.arm, True, False, {}

gymnasium.register("Bandit-v0", Bandit, max_episode_steps=5)
'''
TINY = ["train.timestep=256", "train.num_step=32", "agent.batch_size=32", "eval.episodes=1",
        "agent.num_epoch=1", "agent.hidden_sizes=[4]", "eval.every=128", "env.num_env=1",
        "env=bandit:Bandit-v0"]  # fmt: skip


def test_the_program_finds_the_best_and_tries_it_on_new_seeds(tmp_path):
    (tmp_path / "bandit.py").write_text(ENV)
    words = [*TINY, "hydra/sweeper=optuna", "name=s", "seeds=2", "env.kwargs.arm=interval(0.0,1.0)",
             "hydra.sweeper.validate=3", "hydra.sweeper.sampler=random"]  # fmt: skip

    code, out, err = lagom(tmp_path, *words, "hydra.sweeper.n_trials=2")
    assert code == 0, err
    code, out, err = lagom(tmp_path, *words, "hydra.sweeper.n_trials=4")
    assert code == 0, err

    assert err.count("lagom: trial ") == 2  # those of before are kept
    folder = tmp_path / "outputs/s"
    configs = {int(p.parent.name): storage.read_yaml(p) for p in folder.glob("*/config.yml")}
    arms = {ID: config["env.kwargs"]["arm"] for ID, config in configs.items()}
    assert sorted(arms) == [0, 1, 2, 3]
    best = max(arms, key=arms.get)
    record = storage.read_json(folder / "optuna.json")
    first = Seeder(0)(5)
    assert record["trials"] == {"complete": 4}
    assert record["best"]["ID"] == best
    assert record["best"]["params"] == {"env.kwargs.arm": arms[best]}
    assert record["best"]["value"] == pytest.approx(arms[best])
    assert record["best"]["seeds"] == first[:2]
    assert record["validation"]["seeds"] == first[2:]
    assert record["validation"]["values"] == pytest.approx([arms[best]] * 3)
    assert record["validation"]["sd"] == pytest.approx(0, abs=1e-9)
    assert {int(path.name) for path in folder.glob(f"{best}/*[0-9]")} == {*first}
    assert f"selected on seeds {first[0]}, {first[1]}: return (mean of 2)" in out
    assert f"re-validated on {', '.join(map(str, first[2:]))}: " in out
    assert "4 trials: 4 complete" in out

    code, out, err = lagom(tmp_path, *words, "train.timestep=128")
    assert code == 4
    assert "the study was begun with another train.timestep: 256, now 128; name=..." in err
    assert len(err.splitlines()) <= 3


def test_the_program_prunes_and_counts_failures(tmp_path):
    (tmp_path / "bandit.py").write_text(ENV)
    words = [*TINY, "hydra/sweeper=optuna", "name=s", "seeds=[1]", "env.kwargs.tricky=true",
             "env.kwargs.arm=interval(0.0,1.0)", "hydra.sweeper.n_trials=14",
             "hydra.sweeper.pruner=median", "hydra.sweeper.sampler=random",
             "hydra.sweeper.validate=0", "hydra.launcher.workers=1"]  # fmt: skip

    code, _, err = lagom(tmp_path, *words)

    assert code == 3, err
    folder = tmp_path / "outputs/s"
    status = {
        int(path.parts[-3]): storage.read_json(path)["status"]
        for path in folder.glob("*/1/status.json")
    }
    arms = {
        ID: storage.read_yaml(folder / f"{ID}/config.yml")["env.kwargs"]["arm"] for ID in status
    }
    assert {ID for ID in arms if arms[ID] > 0.8} == {ID for ID in arms if status[ID] == "failed"}
    pruned = {ID for ID in arms if status[ID] == "stopped"}
    assert pruned
    assert all(arms[ID] < 0.55 for ID in pruned)  # medians of these draws
    record = storage.read_json(folder / "optuna.json")
    failed = [*status.values()].count("failed")
    assert record["trials"]["failed"] == failed > 0
    assert record["trials"]["pruned"] >= len(pruned)
    assert record["best"]["value"] == pytest.approx(max(a for a in arms.values() if a <= 0.8))
    assert record["validation"] is None
    assert "pruned: below the median at evaluation 1" in err


def test_the_program_asked_to_stop_continues_the_trial(tmp_path):
    (tmp_path / "bandit.py").write_text(ENV)
    words = [*TINY, "hydra/sweeper=optuna", "name=s", "seeds=[1]", "train.timestep=20000",
             "agent.lr=interval(1e-4,1e-3)", "hydra.sweeper.n_trials=2", "hydra.sweeper.validate=0",
             "hydra.launcher.workers=1"]  # fmt: skip
    process = subprocess.Popen(
        [sys.executable, "-m", "lagom", "train", *words], cwd=tmp_path,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    path = tmp_path / "outputs/s/0/1/status.json"
    deadline = time.monotonic() + 100
    while not path.exists() or not storage.read_json(path).get("timestep"):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=60)

    assert process.returncode == 143, err
    assert "the same command continues" in err
    code, out, err = lagom(tmp_path, *words)
    assert code == 0, err
    assert "2 trials: 2 complete" in out
    assert "resumed at timestep" in (path.parent / "job.log").read_text()


def test_the_program_through_another_launcher(tmp_path):
    (tmp_path / "bandit.py").write_text(ENV)
    code, out, err = lagom(
        tmp_path, *TINY, "hydra/sweeper=optuna", "hydra/launcher=basic", "hydra.sweeper.n_trials=3",
        "env.kwargs.arm=interval(0.0,1.0)", "hydra.sweeper.n_jobs=2", "hydra.sweeper.validate=1",
    )  # fmt: skip

    assert code == 0, err
    assert "3 trials: 3 complete" in out
    assert "re-validated on 398764591: " in out
    assert err.count("BasicLauncher") == 3  # two trials, one trial, the winner


def test_one_study_is_no_place_for_two(tmp_path):
    (tmp_path / "outputs/s").mkdir(parents=True)
    with storage.lock(tmp_path / "outputs/s"):
        code, _, err = lagom(tmp_path, "hydra/sweeper=optuna", "name=s", "agent.lr=1e-3,1e-4")

    assert code == 4
    assert "outputs/s: in use by pid" in err


def test_a_damaged_study_is_named(tmp_path):
    (tmp_path / "outputs/s").mkdir(parents=True)
    (tmp_path / "outputs/s/study.journal").write_text("nonsense\n{}\n")
    words = ["hydra/sweeper=optuna", "name=s", "agent.lr=1e-3,1e-4"]

    code, _, err = lagom(tmp_path, *words)

    assert code == 4
    assert "study.journal: not readable as a study (" in err
    assert "Traceback" not in err


def test_what_a_search_would_do(tmp_path):
    words = ["hydra/sweeper=optuna", "agent.lr=interval(1e-4,1e-3)", "train.timestep=2048"]

    code, out, err = lagom(tmp_path, *words, "--dry-run")

    assert code == 0, err
    assert "times 20 trials over:\n  agent.lr  FloatDistribution(" in out
    assert not (tmp_path / "outputs").exists()
