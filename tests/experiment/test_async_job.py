"""Jobs whose environments live in processes of their own."""

from configs import TINY, compose

from lagom.experiment import storage
from lagom.experiment.guard import execute
from lagom.experiment.job import run

CLOCKED = {"status.json", "fingerprint.json", "job.log", "timing.journal", "timing_logs.pkl"}


def files(logdir):
    """Relative path -> bytes of what must not depend on clocks and interruptions."""
    return {
        str(path.relative_to(logdir)): path.read_bytes()
        for path in logdir.rglob("*")
        if path.is_file() and path.name not in CLOCKED | {".lock"}
    }


def train(logdir, config):
    """The outcome, and what the job says of itself."""
    outcome, result = execute(run, config, 1, "cpu", logdir)
    return outcome, result, storage.read_json(logdir / "status.json")


def test_the_same_files_as_in_one_process(tmp_path):
    config = compose("ppo", **TINY)
    for backend in ("serial", "async"):
        extra = {"env.backend": backend, "env.workers": 1}
        assert train(tmp_path / backend, config | extra)[0] == "done"
    serial, others = files(tmp_path / "serial"), files(tmp_path / "async")
    policy = "policy/policy.json"  # which has the configuration
    assert (serial.pop(policy), serial) != (others.pop(policy), serial)
    assert serial == others


def test_a_killed_environment_fails_the_job_and_the_same_command_goes_on(tmp_path):
    file = tmp_path / "die"
    config = compose("ppo", "gym", **TINY) | {
        **{"env.id": "envs.slow_env:Mortal-v0", "env.kwargs": {"file": str(file)}},
        **{"env.backend": "async", "env.workers": 2, "eval.every": 0, "eval.episodes": 1},
    }
    assert train(tmp_path / "whole", config)[0] == "done"
    file.touch()

    outcome, error, status = train(tmp_path / "killed", config)

    assert outcome == "failed"
    assert isinstance(error, RuntimeError)
    assert "AsyncVecEnv.step: the process of sub-environment" in status["error"]
    assert "died (killed by SIGKILL, perhaps for want of memory)" in status["error"]
    assert train(tmp_path / "killed", config)[0] == "done"
    assert files(tmp_path / "killed") == files(tmp_path / "whole")
