import importlib.util
import json.decoder
import multiprocessing
import os
import select
import signal
import subprocess
import sys
import textwrap
import threading
from functools import partial

import cloudpickle
import pytest

from lagom.utils import ProcessMaster, ProcessWorker, process


class Worker(ProcessWorker):
    """Calls its tasks; remembers which ones it had."""

    def __init__(self, master_conn, worker_conn):
        super().__init__(master_conn, worker_conn)
        self.seen = []

    def work(self, task_id, task):
        self.seen.append(task_id)
        return task(self)


class Master(ProcessMaster):
    def __init__(self, *tasks, num_worker=2, worker_class=Worker):
        super().__init__(worker_class, num_worker)
        self.tasks = tasks

    def make_tasks(self):
        return self.tasks


class Broken(Worker):
    def __init__(self, master_conn, worker_conn):
        raise ZeroDivisionError("could not be built")


class TwoArguments(Exception):
    def __init__(self, a, b):
        super().__init__(f"{a} and {b}")


class Point:
    def __init__(self, x):
        self.x = x


def fail(error, worker):
    raise error


def kill(worker):
    os.kill(os.getpid(), signal.SIGKILL)


def leave(worker):
    os._exit(3)


def leave_a_child_behind(path, worker):
    """Die while a forked process holds copies of all that was open here."""
    pid = os.fork()
    if pid == 0:
        signal.pause()
    path.write_text(str(pid))
    os._exit(3)


def hang(worker):
    threading.Event().wait()


def ignore_sigterm_and_hang(worker):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    threading.Event().wait()


def hang_at_the_end(worker):
    threading.Thread(target=threading.Event().wait).start()
    return "done"


def seen(worker):
    return list(worker.seen)


def leave_nothing_behind(master):
    assert multiprocessing.active_children() == []
    assert not any(p.is_alive() for p in master.list_process)
    assert all(conn.closed for conn in [*master.master_conns, *master.worker_conns])
    return True


def is_gone(pid, seconds=5):
    """Whether process ``pid`` ends within ``seconds``."""
    try:
        file = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([file], [], [], seconds)[0])
    finally:
        os.close(file)


def test_tasks_are_dealt_in_turn_and_results_are_in_order():
    master = Master(*[seen] * 5, num_worker=2)

    assert master() == [[0], [1], [0, 2], [1, 3], [0, 2, 4]]
    assert leave_nothing_behind(master)
    assert len(master.list_process) == 2


def test_never_more_workers_than_tasks_and_again():
    master = Master(lambda worker: os.getpid(), num_worker=10)

    pids = master() + master() + master.assign_tasks(iter(master.tasks))
    assert len({*pids, os.getpid()}) == 4
    assert len(master.list_process) == 1


def test_no_tasks():
    master = Master()

    assert master() == []
    assert master.list_process == []


def test_what_travels():
    """Lambdas, and instances of classes that are in this module only; large ones too."""
    point = Point(bytes(3_000_000))  # more than a pipe holds, both ways
    results = Master(lambda worker: lambda: 3, lambda worker: point, num_worker=1)()

    assert results[0]() == 3
    assert type(results[1]) is Point
    assert results[1].x == point.x


def test_classes_of_modules_that_cannot_be_imported(tmp_path, monkeypatch):
    (tmp_path / "elsewhere.py").write_text(
        textwrap.dedent("""
            from lagom.utils import ProcessWorker

            FACTOR = 3

            class Worker(ProcessWorker):
                def work(self, task_id, task):
                    return FACTOR * task
        """)
    )
    spec = importlib.util.spec_from_file_location("elsewhere", tmp_path / "elsewhere.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setitem(sys.modules, "elsewhere", module)

    assert Master(1, 2, worker_class=module.Worker)() == [3, 6]
    cloudpickle.unregister_pickle_by_value(module)
    monkeypatch.syspath_prepend(tmp_path)
    assert Master(1, 2, worker_class=module.Worker)() == [3, 6]
    assert "elsewhere" not in cloudpickle.list_registry_pickle_by_value()


def test_what_a_new_process_finds():
    assert process._is_found_anew(json.decoder)
    assert process._is_found_anew(process)
    assert not process._is_found_anew(type(sys)("json.nothing"))
    assert not process._is_found_anew(type(sys)("json.decoder"))  # of the same name


def test_exceptions_arrive_with_their_traceback():
    master = Master(seen, partial(fail, KeyError("task 1")), hang, seen, num_worker=3)

    with pytest.raises(KeyError, match="task 1") as caught:
        master()
    (note,) = caught.value.__notes__
    assert note.startswith("Master: task 1, in the worker:\nTraceback")
    assert "in fail\n    raise error\n" in note
    assert leave_nothing_behind(master)


@pytest.mark.parametrize(
    ("task", "kind", "message"),
    [
        (lambda worker: fail(TwoArguments(1, 2), worker), RuntimeError, "TwoArguments: 1 and 2"),
        (lambda worker: fail(ValueError(threading.Lock()), worker), RuntimeError, "ValueError: <u"),
        (lambda worker: threading.Lock(), TypeError, "cannot pickle '_thread.lock' object"),
        (lambda worker: sys.exit(4), RuntimeError, r"Master: task 0: .* died \(exit code 4\)"),
    ],
)
def test_what_cannot_travel_is_said(task, kind, message):
    with pytest.raises(kind, match=message):
        Master(task)()


def test_tasks_that_cannot_travel():
    master = Master(seen, threading.Lock())

    with pytest.raises(TypeError, match="cannot pickle '_thread.lock' object"):
        master()
    assert leave_nothing_behind(master)


def test_workers_that_cannot_be_built():
    with pytest.raises(ZeroDivisionError, match="could not be built") as caught:
        Master(seen, worker_class=Broken)()
    assert "Master: task 0, in the worker" in caught.value.__notes__[0]


@pytest.mark.parametrize(("task", "cause"), [(kill, "killed by SIGKILL"), (leave, "exit code 3")])
def test_dead_workers_are_named(task, cause):
    master = Master(seen, hang, seen, seen, task, num_worker=2)

    with pytest.raises(
        RuntimeError, match=rf"Master: task 4: the worker died \({cause}\); expected a result"
    ):
        master()
    assert leave_nothing_behind(master)


def test_a_worker_is_dead_though_its_child_lives(tmp_path):
    try:
        with pytest.raises(RuntimeError, match=r"task 0: the worker died \(exit code 3\)"):
            Master(partial(leave_a_child_behind, tmp_path / "pid"))()
    finally:
        os.kill(int((tmp_path / "pid").read_text()), signal.SIGKILL)  # it lived


def test_busy_workers_are_not_waited_for(monkeypatch):
    monkeypatch.setattr(process, "_GRACE_SECONDS", 0.3)
    master = Master(ignore_sigterm_and_hang, lambda worker: 1 / 0)

    with pytest.raises(ZeroDivisionError, match="division by zero"):
        master()
    assert leave_nothing_behind(master)


def test_a_worker_that_does_not_end_is_terminated(monkeypatch):
    monkeypatch.setattr(process, "_GRACE_SECONDS", 0.3)
    master = Master(hang_at_the_end, seen)

    assert master() == ["done", [1]]
    assert leave_nothing_behind(master)
    assert [p.exitcode for p in master.list_process] == [-signal.SIGTERM, 0]


def test_closing_again_is_harmless():
    master = Master(seen)
    master()

    master.close()


def test_a_worker_by_hand():
    """What a process of one's own does with it."""
    ours, theirs = multiprocessing.Pipe()
    other, unused = multiprocessing.Pipe()
    worker = Worker(other, theirs)
    for message in (cloudpickle.dumps((7, seen)), b"", b"not read"):
        ours.send_bytes(message)

    worker.serve()

    assert worker.work(8, seen) == [7, 8]
    assert cloudpickle.loads(ours.recv_bytes()) == (True, [7])
    assert theirs.closed
    assert other.closed
    ours.close()
    unused.close()


def test_a_worker_ends_with_its_master():
    ours, theirs = multiprocessing.Pipe()
    ours.close()

    Worker(None, theirs).serve()

    assert theirs.closed


def test_the_number_of_workers_is_checked():
    with pytest.raises(ValueError, match="Master: num_worker is 0; expected 1 or more"):
        Master(num_worker=0)


SCRIPT = """
    import os, threading
    from lagom.utils import ProcessMaster, ProcessWorker

    class Worker(ProcessWorker):
        def work(self, task_id, task):
            if task == "wait":
                os.write(1, b"%d\\n" % os.getpid())  # in one piece
                threading.Event().wait()

    class Master(ProcessMaster):
        def make_tasks(self):
            return ["wait", "wait", "nothing"]

    if __name__ == "__main__":
        Master(Worker, 3)()
"""


@pytest.fixture
def script(tmp_path):
    """A running master, and the pids of two workers busy for ever; a third one is idle."""
    (tmp_path / "script.py").write_text(textwrap.dedent(SCRIPT))
    with subprocess.Popen(
        [sys.executable, tmp_path / "script.py"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as running:
        try:
            yield running, [int(running.stdout.readline()) for _ in range(2)]
        finally:
            running.kill()


def test_workers_die_with_a_killed_master(script):
    running, pids = script
    os.kill(running.pid, signal.SIGKILL)

    assert all(map(is_gone, pids))
    assert running.stderr.read() == ""  # at its end only when the idle one is gone, too


def test_control_c_stops_all_quietly(script):
    running, pids = script
    os.kill(pids[0], signal.SIGINT)
    assert not is_gone(pids[0], seconds=0.5)  # the master decides
    os.killpg(running.pid, signal.SIGINT)

    assert all(map(is_gone, pids))
    assert running.stderr.read().count("Traceback") == 1
    assert running.wait(5) == -signal.SIGINT
