import json
import os
import pickle
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lagom.cli.main import main
from lagom.cli.progress import clip, columns, count_places
from lagom.experiment.storage import lock, write_json, write_pickle, write_yaml
from lagom.vis import read_runs

HOST = os.uname().nodename
CONFIG = {"algo.name": "ppo", "env.id": "CartPole-v1", "train.timestep": 1000, "agent.gamma": 0.9}


def write_config(folder, **config):
    """A configuration, ``<name>/<ID>``."""
    folder.mkdir(parents=True, exist_ok=True)
    write_yaml(folder / "config.yml", {"ID": int(folder.name), **CONFIG, **config})


def write_run(folder, status="done", config=None, **state):
    """A run ``<name>/<ID>/<seed>`` of this process, 100 s old, at 400 of 1000 steps."""
    write_config(folder.parent, **(config or {}))
    folder.mkdir()
    now = time.time()
    content = {
        "status": status, "timestep": 400, "budget": 1000, "started": now - 100, "updated": now,
        "pid": os.getpid(), "host": HOST, "error": None,
    }  # fmt: skip
    write_json(folder / "status.json", content | state)
    return folder


def write_waiting(folder, **config):
    """A run ``<name>/<ID>/<seed>`` that is planned and has not begun."""
    write_config(folder.parent, **config)
    folder.mkdir()
    write_json(folder / "status.json", {"status": "waiting", "budget": 1000})


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """The working directory, with a terminal of 120 columns."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setenv("LINES", "20")
    return tmp_path / "outputs"


@pytest.fixture
def lagom(capsys):
    """Run the program: exit code, lines of stdout, stderr."""

    def run(*words):
        code = main([*map(str, words)])
        out, err = capsys.readouterr()
        assert "\x1b" not in out + err
        return code, out.splitlines(), err

    return run


def test_ls_has_a_row_for_each_configuration(here, lagom):
    ago = time.time() - 61
    for seed, value in ((1, 10.0), (2, 20.0)):
        state = {"timestep": 1000, "updated": ago, "return": value}
        write_run(here / "x/0" / str(seed), config={"agent.lr": 0.1}, **state)
    write_run(here / "x/1/1", "failed", error="ValueError: no", updated=ago)
    write_run(here / "x/1/2", "running")
    write_run(here / "x/1/30", timestep=1000, config={"agent.lr": 0.01}, updated=ago)

    code, lines, err = lagom("ls")

    assert (code, err) == (0, "")
    assert [re.sub(r"\b\d s ago", "now", " ".join(line.split())) for line in lines] == [
        "run algo env configuration seeds state steps return updated",
        "x/0 ppo CartPole-v1 lr=0.1 2/2 done 100% 15 ± 7.07 1 min ago",
        "x/1 ppo CartPole-v1 lr=0.01 1/3 1 failed, 1 running 60% - now",
    ]
    assert lines[0].index("seeds") == lines[1].index("2/2") == lines[2].index("1/3")


def test_ls_has_a_row_for_each_run_if_asked(here, lagom):
    write_run(here / "x/0/2", updated=time.time() - 7300, **{"return": 12.3456})
    write_run(here / "x/0/10", "stopped", updated=time.time() - 3 * 86400, timestep=999)

    _, lines, _ = lagom("ls", "--seeds")

    assert [" ".join(line.split()) for line in lines] == [
        "run algo env state steps return updated",
        "x/0/2 ppo CartPole-v1 done 40% 12.35 2 h ago",
        "x/0/10 ppo CartPole-v1 stopped 99% - 3 d ago",
    ]


def test_runs_that_have_not_begun_are_counted(here, lagom):
    write_run(here / "x/0/1", timestep=1000)
    (here / "x/0/2").mkdir()  # a moment before its status is there
    for seed in range(5):
        write_waiting(here / f"x/1/{seed}")
    write_config(here / "x/2")  # no run of it is planned yet

    _, lines, _ = lagom("ls")

    assert [" ".join(line.split()) for line in lines[1:]] == [
        "x/0 ppo CartPole-v1 1/2 1 waiting 50% - 0 s ago",
        "x/1 ppo CartPole-v1 0/5 5 waiting - - -",
    ]
    assert lagom("ls", "--seeds")[1][-1].split()[:4] == ["x/1/4", "ppo", "CartPole-v1", "waiting"]


def test_a_job_that_stalls_hides_no_other(here, lagom, monkeypatch):
    write_run(here / "x/0/1", "running", host="elsewhere", updated=time.time() - 400)
    write_run(here / "x/0/2", "failed")
    write_run(here / "x/0/3", "running", host="elsewhere")

    assert "1 stalled?, 1 failed, 1 running" in lagom("ls")[1][1]


def test_what_is_no_configuration_is_passed_over(here, lagom):
    write_run(here / "x/0/1")
    for name in ("notes", "old-1-1", ".2", "²"):
        (here / "x" / name / "1").mkdir(parents=True)
        (here / "x" / name / "config.yml").write_text("a: 1")

    assert names(lagom("ls")[1]) == ["x/0"]


def test_what_varies_is_known_where_one_configuration_is_asked_for(here, lagom):
    for i, lr in enumerate((0.1, 0.2)):
        write_run(here / f"x/{i}/1", config={"agent.lr": lr})
    write_pickle(here / "x/configs.pkl", [{"ID": i, **CONFIG, "agent.lr": i} for i in (0, 1)])

    assert "lr=1" in lagom("ls", here / "x/1")[1][1].split()  # the table, not config.yml
    assert "lr=1" in lagom("ls", here / "x/1/1")[1][1].split()


def test_a_configuration_that_the_table_lacks_comes_from_its_own_file(here, lagom):
    for i in (0, 1):
        write_run(here / f"x/{i}/1", config={"agent.lr": i + 5})
    write_pickle(here / "x/configs.pkl", [{"ID": 0, **CONFIG, "agent.lr": 0}, {"ID": True}])

    _, lines, err = lagom("ls")

    assert ["lr=0" in lines[1].split(), "lr=6" in lines[2].split(), err] == [True, True, ""]


def test_json_has_everything_about_each_run(here, lagom):
    now = time.time()
    write_run(here / "x/3/7", "failed", {"agent.lr": 0.5}, error="E: \x1b[31m\nno", timestep=40,
              started=now - 9, updated=now, **{"return": float("nan")})  # fmt: skip
    write_waiting(here / "x/4/7", **{"agent.lr": float("inf")})

    code, lines, _ = lagom("ls", "outputs", "--json")
    run, waiting = json.loads("\n".join(lines), parse_constant=pytest.fail)

    assert code == 0
    assert run == {
        "path": "outputs/x/3/7", "experiment": str(here / "x"), "name": "x", "ID": 3, "seed": 7,
        "algo": "ppo", "env": "CartPole-v1", "status": "failed", "stalled": False, "timestep": 40,
        "budget": 1000, "steps_per_second": None, "eta": None, "return": None, "started": now - 9,
        "updated": now, "host": HOST, "pid": os.getpid(), "error": "E: \x1b[31m\nno",
        "config": {"agent.lr": 0.5},
    }  # fmt: skip
    assert [waiting[key] for key in ("seed", "status", "budget")] == [7, "waiting", 1000]
    assert (waiting["timestep"], waiting["updated"]) == (None, None)
    assert waiting["config"] == {"agent.lr": None}


def test_json_takes_any_value(here, lagom):
    write_waiting(here / "x/0/1")
    text = "a: {2020-01-01: [!!set {b}, .nan, 1]}\n"
    (here / "x/0/config.yml").write_text(text)
    write_waiting(here / "x/1/1")
    (here / "x/1/config.yml").write_text("a: 1\n")

    documents = json.loads("\n".join(lagom("ls", "--json")[1]))

    assert documents[0]["config"] == {"a": {"2020-01-01": ["{'b'}", None, 1]}}


def names(lines):
    return [line.split()[0] for line in lines[1:]]


def test_filters_and_sorting(here, lagom):
    for i, (lr, value) in enumerate(((1e-3, 5.0), (1e-4, -7.0), (3e-4, None), (1e-2, 30.0))):
        state = {} if value is None else {"return": value}
        config = {"agent.lr": lr, "agent.hidden": [64, i], "agent.on": i > 1, "env.num_env": "a"}
        write_run(here / f"x/{i}/1", "failed" if i == 1 else "done", config, **state)
    write_run(here / "y/0/3", "diverged", {"env.id": "Ant-v2"})

    def ls(*words):
        code, lines, err = lagom("ls", *words)
        assert (code, err) == (0, "")
        return names(lines)

    assert ls("--sort", "return") == ["x/1", "x/0", "x/3", "x/2", "y/0"]
    assert ls("--sort", "-return") == ["x/3", "x/0", "x/1", "x/2", "y/0"]
    assert ls("--sort", "agent.lr") == ["x/1", "x/2", "x/0", "x/3", "y/0"]
    assert ls("--sort", "-env") == ["x/0", "x/1", "x/2", "x/3", "y/0"]
    assert ls("--failed") == ["x/1", "y/0"]
    assert ls("--failed", "--filter", "name=x") == ["x/1"]
    assert ls("--filter", "lr=0.001") == ["x/0"]
    assert ls("--filter", "lr=1e-3") == ["x/0"]
    assert ls("--filter", "on=true", "--filter", "ID=2") == ["x/2"]
    assert ls("--filter", "hidden=[64,1]") == ["x/1"]
    assert ls("--filter", "env=Ant*") == ["y/0"]
    assert ls("--filter", "seed=3") == ["y/0"]
    assert ls("--filter", "gamma=0.9", "--seeds", "--sort", "seed")[-1] == "y/0/3"
    documents = json.loads("\n".join(lagom("ls", "--json", "--filter", "lr=0.01")[1]))
    assert [document["ID"] for document in documents] == [3]


def test_nothing_that_fits_is_said(here, lagom):
    write_run(here / "x/0/1")

    assert lagom("ls", "--failed") == (0, [], "no runs to show in outputs\n")
    assert lagom("ls", "--failed", "--json") == (0, ["[]"], "no runs to show in outputs\n")
    (here.parent / "empty").mkdir()
    assert lagom("ls", "empty", "--filter", "a=1", "--sort", "b")[0] == 0
    assert lagom("status", "empty") == (0, [], "no runs to show in empty\n")


WRONG = [
    (["ls", "outputz"], "error: PATH: no such folder 'outputz'; did you mean 'outputs'"),
    (["status", "nowhere"], "error: PATH: no such folder 'nowhere'; expected a folder that"),
    (["status", "5"], "error: PATH: no such folder '5'"),
    (["ls", "--filter", "done"], "error: --filter: got 'done'; expected key=value, such as"),
    (["ls", "--filter", "statu=done"], "error: --filter: no key 'statu' in these runs; .* status"),
    (["ls", "--sort", "rate"], "error: --sort: no key 'rate' .* agent.rate, critic.rate$"),
]


@pytest.mark.parametrize(("words", "message"), WRONG, ids=[" ".join(w) for w, _ in WRONG])
def test_wrong_words_are_answered_in_a_line(here, lagom, words, message):
    write_run(here / "x/0/1", config={"agent.rate": 1, "critic.rate": 2})

    code, lines, err = lagom(*words)

    assert (code, lines, err.count("\n")) == (2, [], 1)
    assert re.match(message, err.strip()), err


def test_outputs_need_not_be_there(lagom):
    assert lagom("ls")[0] == 2


def test_looking_takes_no_lock_and_writes_nothing(here, lagom):
    folder = write_run(here / "x/0/1", "running")
    with lock(folder):
        before = {path: path.stat().st_mtime_ns for path in here.rglob("*")}
        assert "running" in lagom("ls")[1][1]
        assert lagom("status")[0] == 0
        assert {path: path.stat().st_mtime_ns for path in here.rglob("*")} == before


@pytest.mark.parametrize("budget", [0, -5, 1e-300, "100", None, float("inf")])
def test_without_a_budget_there_is_no_percentage(here, lagom, budget):
    write_run(here / "x/0/1", "running", timestep=1e99, budget=budget)

    assert lagom("ls")[1][1].split()[5:7] == ["running", "-"]
    assert lagom("status")[0] == lagom("ls", "--json")[0] == 0


DAMAGES = {
    "status is no JSON": ("x/0/1/status.json", b"{", "not readable as JSON"),
    "status is unknown": ("x/0/1/status.json", b'{"status": "fine"}', "status is 'fine'"),
    "status is huge": ("x/0/1/status.json", b" " * 1_000_001, "larger than 1000000 bytes"),
    "status is deep": ("x/0/1/status.json", b"[" * 100_000, "not readable as JSON"),
    "status is a FIFO": ("x/0/1/status.json", os.mkfifo, "not a file; expected the status"),
    "status is a folder": ("x/0/1/status.json", os.mkdir, "not a file; expected the status"),
    "table is a FIFO": ("x/configs.pkl", os.mkfifo, "not a file; expected the configurations"),
    "table asks for code": ("x/configs.pkl", b"cposix\nsystem\n(S'true'\ntR.", "asks for posix"),
    "table is cut": ("x/configs.pkl", b"\x80\x05\x95\xff", "not a pickle of plain values"),
    "table is a number": ("x/configs.pkl", pickle.dumps(1), "not a table; expected a list"),
    "table lists numbers": ("x/configs.pkl", pickle.dumps([1]), "not a configuration"),
    "config is no YAML": ("x/0/config.yml", b"a: [\n\t", "not readable as YAML"),
    "config has a number": ("x/0/config.yml", b"a: 0x" + b"f" * 5000, "too deep or too many"),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_one_bad_file_is_a_message(here, lagom, name):
    write_run(here / "x/0/1", config={"agent.lr": 0.1})
    write_run(here / "x/1/1", config={"agent.lr": 0.2})
    file, damage, message = DAMAGES[name]
    (here / file).unlink(missing_ok=True)
    damage(here / file) if callable(damage) else (here / file).write_bytes(damage)

    code, lines, err = lagom("ls")

    assert code == 0
    assert [line.split()[0] for line in lines] == ["run", "x/0", "x/1"]
    assert err.startswith("1 problems in what was read:\n")
    assert err.count("\n") == 2
    assert message in err
    assert str(file) in err
    if "status" in name:
        assert "1 unreadable" in lines[1]
        assert read_runs([here])[0][0].status == "unknown"
    elif "table" in name:  # the configurations themselves are good
        assert [line.split()[3] for line in lines[1:]] == ["lr=0.1", "lr=0.2"]
    else:
        assert lines[1].split()[:5] == ["x/0", "-", "-", "1/1", "done"]


def nested(make):
    """``make`` of nine times the same of nine times the same ...: 9 ** 29 values in all."""
    value = make("x" for _ in range(9))
    for _ in range(29):
        value = make(value for _ in range(9))
    return value


def test_values_that_unfold_are_refused(here, lagom):
    write_run(here / "x/0/1", config={"a": 1})
    write_run(here / "x/1/1", config={"a": 2})
    for make in (tuple, list):
        table = pickle.dumps([{"ID": 0, "a": nested(make)}, {"ID": 1, "a": 1}])
        (here / "x/configs.pkl").write_bytes(table)

        _, lines, err = lagom("ls")

        assert "too many values; expected flat configurations" in err
        assert "a=1" in lines[1].split()


def test_values_of_any_depth(here, lagom):
    for depth in (10, 50, 300):
        deep = json.loads("[" * depth + "]" * depth)
        write_run(here / f"x{depth}/0/1", "failed", error=deep, host=deep, pid=deep)
        write_run(here / f"x{depth}/1/1", "failed")
        table = [{"ID": 0, "a": deep}, {"ID": 1, "a": 1}]
        (here / f"x{depth}/configs.pkl").write_bytes(pickle.dumps(table))

    code, lines, err = lagom("ls", "--json")

    assert (code, err.count("too deep or too many values")) == (0, 2)
    documents = json.loads("\n".join(lines))
    assert documents[0]["config"]["a"] == json.loads("[" * 10 + "]" * 10)
    assert [documents[0][key] for key in ("error", "host", "pid")] == [None, None, None]
    assert lagom("status")[0] == 0


def test_nothing_but_damaged_files(here, lagom):
    write_run(here / "x/0/1")
    (here / "x/0/1/status.json").write_text("{")
    assert [lagom(*words)[0] for words in (["ls"], ["ls", "--json"], ["status"])] == [5, 5, 5]

    (here / "x/0/1/status.json").unlink()
    assert lagom("ls")[0] == 0
    (here / "x/0/config.yml").write_text("[")
    assert lagom("ls")[0] == 5
    write_json(here / "x/0/1/status.json", {"status": "done"})
    assert lagom("ls")[0] == 0
    Path("file").write_text("")
    assert lagom("ls", "file")[0] == 5
    assert "file: Not a directory" in lagom("status", "file")[2]


def test_hostile_text_stays_on_its_line(here, lagom):
    evil = "a\x1b]0;x\x07\n\u202eb[bold]" + "c" * 500
    write_run(here / "x/0/1", "failed", {"env.id": evil, "algo.name": evil, evil: evil},
              error=evil * 100, host=evil, pid=[evil])  # fmt: skip
    write_run(here / "x/1/1", "running", {"env.id": evil, "algo.name": evil, evil: 1}, host=evil)
    (here / "x").rename(here / "y\x1b[31m\n")

    for words in (["ls"], ["ls", "--seeds"], ["status"]):
        _, lines, _ = lagom(*words)
        assert max(map(len, lines)) <= 120
        assert all(line.isprintable() for line in lines)
    assert len(lines) == 4


@pytest.mark.parametrize("width", [40, 80, 120])
def test_lines_fit_the_terminal(here, lagom, monkeypatch, width):
    monkeypatch.setenv("COLUMNS", str(width))
    for i in (0, 1):
        config = {"agent.learning_rate_of_the_actor": 0.1 + i, "agent.text": "環境" * 20 + str(i)}
        write_run(here / "a-rather-long-name-of-an-experiment" / str(i) / "1", "running", config)

    for words in (["ls"], ["ls", "--seeds"], ["status"]):
        _, lines, _ = lagom(*words)
        assert max(map(count_places, lines)) <= width
        assert len(lines) == 3
        if width == 120:
            assert "…" in lines[1]
            assert f"{HOST}:{os.getpid()}" in lines[1] or "s ago" in lines[1]  # the end is there


def test_places_on_a_terminal():
    assert count_places("") == 0
    assert count_places("a±b") == 3
    assert count_places("環境e\u0301") == 5
    assert clip("0123456789", 10) == "0123456789"
    assert clip("0123456789", 9) == "01234567…"
    assert clip("環境" * 9, 6) == "環境…"


def test_columns():
    """Ten, ten and one places, and two between: 25 in all; a column loses two at most."""
    rows = [["a", "", "b", "c"], ["0123456789", "", "環", ""], ["x", "", "0123456789", "y"]]
    whole = ["a           b           c", "0123456789  環", "x           0123456789  y"]
    both_cut = ["a         b         c", "01234…89  環", "x         01234…89  y"]
    first_cut = ["a         b          …", "01234…89  環", "x         0123456789 …"]

    assert columns(rows) == columns(rows, 25, (0, 2)) == whole
    assert columns(rows, 21, (0, 2)) == both_cut
    assert columns(rows, 22, (0,)) == first_cut


def test_experiments_of_one_name_are_told_apart(here, lagom):
    write_run(here / "a/x/0/1")
    write_run(here / "b/x/0/1")
    write_run(here / "b/y/0/1")

    assert names(lagom("ls")[1]) == ["outputs/a/x/0", "outputs/b/x/0", "y/0"]


def test_relative_places(here, lagom, monkeypatch):
    folder = write_run(here / "x/0/7")

    for where, path in ((folder, "."), (folder.parent, "7"), (folder.parent, "."), (folder, "..")):
        monkeypatch.chdir(where)
        assert names(lagom("ls", path)[1]) == ["x/0"]
        assert lagom("status", path)[1][0].endswith(": 1 of 1 done")


def test_terminals_of_any_encoding(here):
    for seed in (1, 2):
        write_run(here / "x/0" / str(seed), **{"return": float(seed)})
    done = subprocess.run(
        [sys.executable, "-m", "lagom", "ls"],
        capture_output=True, check=True, env={**os.environ, "PYTHONIOENCODING": "ascii"},
    )  # fmt: skip

    assert b"1.5 ? 0.707" in done.stdout


def test_nothing_heavy_is_loaded(here):
    write_run(here / "x/0/1")
    code = (
        "from lagom.cli.main import main; import sys\n"
        "main(['ls']); main(['status']); main(['ls', '--json'])\n"
        "print('LOADED', *sys.modules)"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {name.split(".")[0] for name in out.stdout.split("LOADED")[1].split()}

    heavy = {"torch", "pandas", "matplotlib", "scipy", "hydra", "omegaconf", "gymnasium", "rich"}
    assert not loaded & heavy
