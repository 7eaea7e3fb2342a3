import os
import select
import signal
import subprocess
import sys
import textwrap
import types

import pytest

from lagom.experiment import storage
from lagom.experiment.guard import Stopped
from lagom.experiment.scheduler import Scheduler, call
from lagom.experiment.sweep import make_jobs


def jobs_of(folder, *kinds):
    return make_jobs(folder, [{"ID": i, "kind": kind} for i, kind in enumerate(kinds)], [0])


def status(job):
    return storage.read_json(job.logdir / "status.json")


def is_gone(pid, seconds=3):
    """Whether process ``pid`` ends within ``seconds``."""
    try:
        file = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([file], [], [], seconds)[0])
    finally:
        os.close(file)


def misbehave(config, seed, device, logdir):
    """A job of every kind of end."""
    kind = config["kind"]

    class TwoArguments(Exception):
        def __init__(self, a, b):
            super().__init__(f"{a} and {b}")

    if kind == "raise":
        raise ZeroDivisionError("went wrong")
    if kind == "raise what cannot be rebuilt":
        raise TwoArguments(1, 2)
    if kind == "diverge":
        raise FloatingPointError("loss not finite")
    if kind == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if kind == "_exit":
        os._exit(0)
    if kind == "exit":
        sys.exit("enough")
    if kind == "return what cannot travel":
        return open(logdir / "file", "w")
    print(f"{kind} to the log")
    return kind


@pytest.fixture
def by_value():
    """A function as a copy that workers get whole: they cannot import this module."""
    return lambda f: types.FunctionType(f.__code__, {"os": os, "sys": sys, "signal": signal})


def test_failures_stay_where_they_happen(tmp_path, by_value):
    kinds = {
        "good": ("done", None),
        "raise": ("failed", "ZeroDivisionError: went wrong"),
        "kill": ("failed", "RuntimeError: its process died (killed by SIGKILL)"),
        "_exit": ("failed", "RuntimeError: its process died (exit code 0)"),
        "exit": ("failed", "SystemExit: enough"),
        "diverge": ("diverged", "FloatingPointError: loss not finite"),
        "raise what cannot be rebuilt": ("failed", "TwoArguments: 1 and 2"),
        "return what cannot travel": ("failed", None),
        "good too": ("done", None),
    }
    jobs, seen = jobs_of(tmp_path, *kinds), []
    watch = lambda running, finished: seen.extend(finished)
    outcomes = Scheduler(by_value(misbehave), workers=3, watch=watch)(jobs)

    assert [outcome for outcome, _ in outcomes] == [outcome for outcome, _ in kinds.values()]
    assert outcomes[0][1] == "good"
    assert outcomes[-1][1] == "good too"
    assert isinstance(outcomes[1][1], ZeroDivisionError)
    assert "1 and 2" in str(outcomes[6][1])
    assert "TextIOWrapper" in str(outcomes[7][1])
    for job, (kind, (outcome, error)) in zip(jobs, kinds.items(), strict=True):
        if kind != "return what cannot travel":  # the work of this one is done
            assert (status(job)["status"], status(job)["error"]) == (outcome, error)
    assert (jobs[0].logdir / "job.log").read_text() == "good to the log\n"
    assert "ZeroDivisionError: went wrong" in (jobs[1].logdir / "job.log").read_text()
    # Each was announced once, as it ended.
    assert sorted(job.config["ID"] for job, *_ in seen) == list(range(9))
    assert all(outcomes[job.config["ID"]] == (outcome, x) for job, outcome, x in seen)


def test_no_more_than_workers_at_a_time(tmp_path):
    def run(config, seed, device, logdir):
        return device

    numbers = []
    watch = lambda running, finished: numbers.append(len(running) + len(finished))
    outcomes = Scheduler(run, workers=2, watch=watch)(jobs_of(tmp_path, *"abcde"))
    assert outcomes == [("done", "cpu")] * 5
    assert max(numbers) == 2
    assert Scheduler(run)([]) == []


def test_folder_in_use_is_left_alone(tmp_path, by_value):
    (job,) = jobs = jobs_of(tmp_path, "good")
    job.logdir.mkdir(parents=True)
    storage.write_json(job.logdir / "status.json", {"status": "running", "pid": 1})
    with storage.lock(job.logdir):
        ((outcome, error),) = Scheduler(by_value(misbehave))(jobs)
    assert outcome == "failed"
    assert isinstance(error, BlockingIOError)
    assert f"in use by pid {os.getpid()}" in str(error)
    assert status(job) == {"status": "running", "pid": 1}


def test_devices_are_handed_out_and_given_back(tmp_path):
    def run(config, seed, device, logdir):
        return device

    scheduler = Scheduler(run, workers=8, gpus=[3, 5], jobs_per_gpu=2)
    assert scheduler.workers == 4
    outcomes = scheduler(jobs_of(tmp_path, *"abcdefgh"))
    devices = [device for _, device in outcomes]
    assert devices[:4] == ["cuda:3", "cuda:3", "cuda:5", "cuda:5"]
    assert {*devices[4:]} <= {"cuda:3", "cuda:5"}


def test_fixed_devices(tmp_path):
    def run(config, seed, device, logdir):
        return device

    outcomes = Scheduler(run, workers=2)(jobs_of(tmp_path, *"abc"), ["cuda:1", "cuda:0", "cuda:1"])
    assert [device for _, device in outcomes] == ["cuda:1", "cuda:0", "cuda:1"]


def listen(config, seed, device, logdir):
    """Say that it runs; then wait to be asked to stop, listening or not, and save."""
    from lagom.experiment.guard import Stopped, stop_signals

    if config["kind"] == "deaf":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if config["kind"] != "listening":
        (logdir / "ready").write_text(str(os.getpid()))
        while True:
            signal.pause()
    with stop_signals() as asked:
        (logdir / "ready").write_text(str(os.getpid()))
        while not asked:
            os.sched_yield()
    (logdir / "saved").touch()
    raise Stopped(asked[0])


def signal_when_ready(jobs, *numbers):
    """Send this process the next of ``numbers`` whenever all ``jobs`` run."""
    numbers = [*numbers]

    def watch(running, finished):
        if numbers and all((job.logdir / "ready").exists() for job in jobs):
            os.kill(os.getpid(), numbers.pop(0))

    return watch


STOPPING = [signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2]


@pytest.mark.parametrize("number", STOPPING)
def test_first_signal_asks_jobs_to_save_and_stop(tmp_path, by_value, number):
    jobs = jobs_of(tmp_path, "listening", "not listening", "waiting")
    handlers = [signal.getsignal(n) for n in STOPPING]
    scheduler = Scheduler(by_value(listen), 2, watch=signal_when_ready(jobs[:2], number))
    outcomes = scheduler(jobs)
    assert scheduler.asked == number
    assert [outcome for outcome, _ in outcomes] == ["stopped", "stopped", "waiting"]
    assert all(isinstance(result, Stopped) for _, result in outcomes[:2])
    assert (jobs[0].logdir / "saved").exists()
    assert [status(job)["status"] for job in jobs[:2]] == ["stopped"] * 2
    assert [status(job)["error"] for job in jobs[:2]] == [None] * 2
    assert not jobs[2].logdir.exists()
    assert handlers == [signal.getsignal(n) for n in STOPPING]


def test_one_job_is_stopped_the_others_go_on(tmp_path, by_value):
    jobs = jobs_of(tmp_path, "listening", "not listening", "good", "good too")
    listening = jobs[:2]

    def watch(running, finished):
        if all((job.logdir / "ready").exists() for job in listening):
            for job in listening:
                scheduler.stop(job)  # again and again: asked once

    def either(config, seed, device, logdir):
        kind = config["kind"]
        return listen(config, seed, device, logdir) if "listen" in kind else kind

    both = types.FunctionType(either.__code__, {"listen": by_value(listen)})
    scheduler = Scheduler(both, 3, watch=watch)
    scheduler.stop(jobs[3])  # it does not run
    outcomes = scheduler(jobs)

    assert [outcome for outcome, _ in outcomes] == ["stopped", "stopped", "done", "done"]
    assert scheduler.asked is None
    assert (jobs[0].logdir / "saved").exists()
    assert [status(job)["status"] for job in jobs] == ["stopped", "stopped", "done", "done"]


def test_a_stopped_job_that_is_deaf_is_killed(tmp_path, by_value, monkeypatch):
    monkeypatch.setattr("lagom.experiment.scheduler._KILL_SECONDS", 0.1)
    jobs = jobs_of(tmp_path, "deaf")
    ready = lambda: (jobs[0].logdir / "ready").exists()
    watch = lambda running, finished: [scheduler.stop(job) for job in running if ready()]
    scheduler = Scheduler(by_value(listen), watch=watch)
    ((outcome, error),) = scheduler(jobs)
    assert outcome == "failed"
    assert "killed by SIGKILL" in str(error)


def test_jobs_are_made_when_there_is_room(tmp_path):
    def run(config, seed, device, logdir):
        return config["kind"]

    jobs, events = jobs_of(tmp_path, *"abcd"), []

    def make():
        for i, job in enumerate(jobs):
            while i == 3 and len([e for e in events if e.startswith("end")]) < 3:
                yield None  # the last one needs the results of all others
            events.append(f"make {job.config['kind']}")
            yield job

    watch = lambda running, finished: events.extend(
        f"end {job.config['kind']}" for job, *_ in finished
    )
    outcomes = Scheduler(run, workers=2, watch=watch)(make())

    assert outcomes == [("done", kind) for kind in "abcd"]
    assert events[:2] == ["make a", "make b"]
    assert events[2].startswith("end")  # no third one before there is room
    assert events[-2:] == ["make d", "end d"]
    assert Scheduler(run)(iter([])) == []


def test_second_signal_kills(tmp_path, by_value):
    jobs = jobs_of(tmp_path, "deaf")
    watch = signal_when_ready(jobs, signal.SIGINT, signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        Scheduler(by_value(listen), watch=watch)(jobs)
    assert is_gone(int((jobs[0].logdir / "ready").read_text()))


def test_jobs_that_do_not_stop_are_killed(tmp_path, by_value, monkeypatch):
    monkeypatch.setattr("lagom.experiment.scheduler._KILL_SECONDS", 0.1)
    jobs = jobs_of(tmp_path, "deaf")
    ((outcome, error),) = Scheduler(
        by_value(listen), watch=signal_when_ready(jobs, signal.SIGTERM)
    )(jobs)
    assert outcome == "failed"
    assert "killed by SIGKILL" in str(error)
    assert status(jobs[0])["status"] == "failed"


DRIVER = textwrap.dedent("""
    import os, subprocess, sys
    from pathlib import Path
    from lagom.experiment.scheduler import Scheduler
    from lagom.experiment.sweep import make_jobs

    def run(config, seed, device, logdir):
        import os, signal, subprocess
        child = subprocess.Popen(["sleep", "1000"])
        with open(logdir.parents[1] / "fifo", "w") as fifo:
            fifo.write(f"{os.getpid()} {child.pid}\\n")
        signal.pause()

    Scheduler(run, workers=2)(make_jobs(Path(sys.argv[1]), [{"ID": 0}], [0, 1]))
""")


def test_nothing_survives_a_killed_parent(tmp_path):
    os.mkfifo(tmp_path / "fifo")
    parent = subprocess.Popen([sys.executable, "-c", DRIVER, str(tmp_path)])
    pids = []
    while len(pids) < 4:
        with open(tmp_path / "fifo") as fifo:
            pids += [int(pid) for pid in fifo.read().split()]
    parent.kill()
    parent.wait()
    assert [pid for pid in pids if not is_gone(pid)] == []
    with storage.lock(tmp_path / "0" / "0"):  # free for whoever continues
        pass


def test_call_returns_what_the_function_returns():
    assert call(lambda a, b: (os.getpid(), a + b), 1, 2) != (os.getpid(), 3)
    assert call(lambda a, b: a + b, [1], [2]) == [1, 2]
    assert call(bytes, 10_000_000) == bytes(10_000_000)  # more than a pipe holds


def test_call_raises_what_the_function_raises():
    def fail():
        raise KeyError("some key")

    with pytest.raises(KeyError, match="some key"):
        call(fail)


def test_call_reports_a_dead_process():
    def die():
        os.kill(os.getpid(), signal.SIGSEGV)

    def leave():
        os._exit(7)

    with pytest.raises(RuntimeError, match=r"die: its process died \(killed by SIGSEGV\)"):
        call(die)
    with pytest.raises(RuntimeError, match=r"leave: its process died \(exit code 7\)"):
        call(leave)


def test_call_tells_of_answers_that_cannot_travel():
    class TwoArguments(Exception):
        def __init__(self, a, b):
            super().__init__(f"{a} and {b}")

    def fail():
        raise TwoArguments(1, 2)

    with pytest.raises(RuntimeError, match=r"TwoArguments\('1 and 2'\)"):
        call(fail)
    with pytest.raises(RuntimeError, match="generator"):
        call(lambda: (x for x in ()))


def test_process_that_dies_in_the_middle_of_its_answer_is_dead():
    def die_while_answering():
        from multiprocessing.connection import Connection

        def send_bytes(self, data):
            os.write(self.fileno(), len(data).to_bytes(4, "big") + data[:10])
            os._exit(9)

        Connection.send_bytes = send_bytes

    with pytest.raises(RuntimeError, match=r"its process died \(exit code 9\)"):
        call(die_while_answering)
