import os
import sys

import pandas as pd
import pytest
from fake_runs import make_run, write

import lagom.cli.plot as module
from lagom.cli.main import main
from lagom.cli.plot import plot
from lagom.experiment.journal import Journal
from lagom.experiment.storage import write_json
from lagom.vis import read_runs


@pytest.fixture
def outputs(tmp_path):
    """Two configurations with two seeds each."""
    for ID, lr in enumerate([0.1, 0.2]):
        for seed in (1, 2):
            rows = [(0, 0.0), (100, 1000.0 * lr + seed)]
            write(make_run(tmp_path / "outputs" / "x" / str(ID) / str(seed), rows, agent__lr=lr))
    return tmp_path / "outputs"


def test_command_writes_figure_and_table(outputs, tmp_path, capsys):
    assert plot([outputs]) == 0

    out, err = capsys.readouterr()
    assert (outputs / "curve.png").read_bytes().startswith(b"\x89PNG")
    assert err == ""
    assert out.splitlines() == [
        "environment  configuration  seeds    final return  best mean return  steps",
        "CartPole-v1  lr=0.1         2 seeds  101.5 ± 6.35  101.5 at 100      100",
        "CartPole-v1  lr=0.2         2 seeds  201.5 ± 6.35  201.5 at 100      100",
        f"wrote {outputs / 'curve.png'}",
    ]


def test_command_writes_what_it_is_asked_for(outputs, tmp_path, capsys):
    svg, table = tmp_path / "figure.SVG", tmp_path / "rows.csv"

    assert plot([outputs / "x" / "0", outputs / "x"], svg, group="agent.lr,ID", csv=table) == 0

    out, _ = capsys.readouterr()
    assert svg.read_bytes().startswith(b"<?xml")
    assert "lr=0.1 ID=0" in out
    assert out.endswith(f"wrote {svg}\nwrote {table}\n")
    rows = pd.read_csv(table)
    assert rows["return"].tolist() == [0, 101, 0, 102, 0, 201, 0, 202]
    assert rows["seed"].tolist() == [1, 1, 2, 2] * 2
    assert not (outputs / "curve.png").exists()


def test_command_on_a_terminal(outputs, capsys, monkeypatch):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)

    assert plot([outputs / "x" / "0"]) == 0

    assert "101.5 ± 6.35" in capsys.readouterr().out


def test_command_names_training_returns(outputs, capsys):
    write(make_run(outputs / "y" / "0" / "1", status="running", log="train"))

    assert plot([outputs / "y"]) == 0

    assert "ppo (training)  1 seed, running" in capsys.readouterr().out


def test_bad_files_are_told_and_the_rest_is_drawn(outputs, capsys):
    for ID in range(2, 16):
        write(make_run(outputs / "x" / str(ID) / "1"))
        (outputs / "x" / str(ID) / "config.yml").write_text("a: [\n\x1b[31m")

    assert plot([outputs]) == 0

    out, err = capsys.readouterr()
    lines = err.splitlines()
    assert lines[0] == "14 problems in what was read:"
    assert lines[-1] == "  and 4 more"
    assert len(lines) == 12
    assert "\x1b" not in err
    assert out.count("2 seeds") == 2


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        ({"paths": ["outptus/x"]}, 2, "no such folder 'outptus/x'; did you mean 'outputs'"),
        (
            {"paths": ["outputs/y/0"]},
            2,
            "no such folder 'outputs/y/0'; expected a folder that lagom",
        ),
        ({"paths": ["outputs/x/0/3"]}, 2, "no such folder 'outputs/x/0/3'"),
        ({"paths": ["a\0b"]}, 2, "no such folder"),
        ({"paths": ["outputs", "x" * 300]}, 2, "no such folder"),
        ({"output": "curve.jpg"}, 2, "'curve.jpg' is no figure; expected a name in .png, .pdf"),
        ({"output": "outputs"}, 2, "'outputs' is no figure"),
        ({"y": "retrun"}, 2, "y: no run has 'retrun'; expected for example 'return'"),
        ({"group": "lr"}, 2, "group: no run has 'lr'; expected for example 'agent.lr'"),
        ({"output": "gone/curve.png"}, 4, "cannot write gone/curve.png (No such file"),
        ({"csv": "gone/rows.csv"}, 4, "cannot write gone/rows.csv (No such file"),
        ({"paths": ["empty"]}, 5, "nothing to draw: no run in empty has logged timestep and"),
        ({"paths": ["outputs/x/0/1/status.json"]}, 5, "nothing to draw"),
    ],
)
def test_mistakes_are_answered_in_a_line(outputs, monkeypatch, capsys, words, code, message):
    monkeypatch.chdir(outputs.parent)
    (outputs.parent / "empty").mkdir()

    assert plot(**{"paths": ["outputs"], **words}) == code

    err = capsys.readouterr().err
    assert message in err
    assert len(err.splitlines()) <= 3


def test_a_full_disk_has_its_own_code(outputs, monkeypatch, capsys):
    def full(path, data):
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr("lagom.cli.plot.write_bytes", full)

    assert plot([outputs]) == 6
    assert "No space left on device" in capsys.readouterr().err


def test_terminals_without_unicode(outputs, monkeypatch, tmp_path):
    with open(tmp_path / "out", "w", encoding="ascii") as file:
        monkeypatch.setattr(sys, "stdout", file)
        assert plot([outputs]) == 0

    assert "101.5 ? 6.35" in (tmp_path / "out").read_text()


def test_reading_gives_what_was_written(outputs):
    runs, messages = read_runs([outputs])

    assert [(run.ID, run.seed, run.status) for run in runs] == [
        *((0, 1, "done"), (0, 2, "done"), (1, 1, "done"), (1, 2, "done"))
    ]
    assert runs[0].logs["eval"]["return"] == [0.0, 101.0]
    assert messages == []


def test_command_takes_all_options(outputs, tmp_path, capsys):
    reference, table = tmp_path / "lines.csv", tmp_path / "rows.csv"
    reference.write_text("label,env,y\nsolved,,150\nother,Ant-v5,3\n")
    words = ["--x", "timestep", "--facet", "agent.lr", "--band", "minmax", "--seeds"]
    words += ["--smooth", "2", "--reference", str(reference), "--ylim", "0,300", "--title", "T"]
    words += ["--style", "dark", "--width", "5", "--height", "4", "--csv", str(table)]
    words += ["-o", str(tmp_path / "curve.svg")]

    assert main(["plot", str(outputs), *words]) == 0

    out, err = capsys.readouterr()
    lines = out.splitlines()
    assert lines[0] == "agent.lr  configuration  seeds    final return  best mean return  steps"
    assert lines[1] == "lr=0.1    ppo            2 seeds  101.5 ± 6.35  101.5 at 100      100"
    assert err.splitlines()[1:] == ["  reference 'other' is for 'Ant-v5', which no run has"]
    assert 'width="360pt" height="288pt"' in (tmp_path / "curve.svg").read_text()
    assert "smooth" not in pd.read_csv(table)


def test_options_reach_the_figure(outputs, tmp_path, monkeypatch):
    seen = {}

    def plot_curves(curves, *args, **options):
        seen.update(options, curves=curves)
        return figure(curves, *args, **options)

    figure = module.plot_curves
    monkeypatch.setattr(module, "plot_curves", plot_curves)
    words = ["--band", "sd", "--seeds", "--smooth", "2", "--ylim", ",300", "--style", "talk"]

    assert main(["plot", str(outputs), *words, "--logx"]) == 0

    del seen["references"]
    assert [curve.mean.tolist() for curve in seen.pop("curves")] == [[0, 50.75], [0, 100.75]]
    assert seen == {
        "band": "sd",
        "smooth": 2,
        "seeds": True,
        "logx": True,
        "ylim": (None, 300.0),
        "style": "talk",
        "title": None,
        "width": None,
        "height": None,
    }


def test_wall_time_from_the_command_line(outputs, capsys):
    for path in outputs.glob("x/0/[12]"):
        journal = Journal(path / "timing.journal")
        for timestep, seconds in ((0, 0.5), (100, 2.0)):
            journal.append({"timestep": timestep, "learn_seconds": seconds})
        journal.close()

    assert main(["plot", str(outputs / "x"), "--x", "seconds"]) == 0

    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split()[-1] == "seconds"
    assert lines[1].split()[-3:] == ["at", "2", "2"]
    assert lines[2].split()[-3:] == ["-", "-", "-"]


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["--band", "ci"], 2, "band: got 'ci'; expected one of t, sd, minmax, none"),
        (["--style", "poster"], 2, "style: got 'poster'; expected one of paper, talk, dark"),
        (["--smooth", "0"], 2, "smooth: got 0; expected a number of points, at least 1"),
        (["--facet", "lr"], 2, "facet: no run has 'lr'; expected for example 'agent.lr'"),
        (["--width", "0.5"], 2, "--width: got 0.5; expected 1 to 60 inches"),
        (["--height", "nan"], 2, "--height: got nan; expected 1 to 60 inches"),
        (["--ylim", "5"], 2, "--ylim: got '5'; expected LOW,HIGH such as 0,500 or 0,"),
        (["--ylim", "5,1"], 2, "--ylim: got '5,1'; expected LOW,HIGH"),
        (["--ylim", "1,1"], 2, "--ylim: got '1,1'; expected LOW,HIGH"),
        (["--ylim", "0,nan"], 2, "--ylim: got '0,nan'; expected LOW,HIGH"),
        (["--ylim", "a,b"], 2, "--ylim: got 'a,b'; expected LOW,HIGH"),
        (["--reference", "gone.csv"], 2, "--reference: gone.csv: no such file; expected a CSV"),
        (
            ["--reference", "bad.csv"],
            2,
            "--reference: bad.csv, line 2: y is 'x'; expected a number",
        ),
        (["--x", "seconds"], 5, "no run in outputs has logged seconds and return yet"),
        (["--y", "timestep", "--logx", "--x", "return"], 0, ""),
    ],
)
def test_mistakes_in_options_are_answered_in_a_line(
    outputs, monkeypatch, capsys, words, code, message
):
    monkeypatch.chdir(outputs.parent)
    (outputs.parent / "bad.csv").write_text("label,y\na,x\n")

    assert main(["plot", "outputs", *words]) == code

    err = capsys.readouterr().err
    assert message in err
    assert len(err.splitlines()) == (code > 0)


# Live


@pytest.fixture
def running(outputs):
    """One of four runs has not ended."""
    path = outputs / "x" / "0" / "1"
    state = {"status": "running", "pid": os.getpid(), "host": os.uname().nodename}
    write_json(path / "status.json", state)
    return path


def test_live_redraws_until_all_has_ended(running, outputs, capsys, monkeypatch):
    sizes, sleeps = [], []

    def sleep(seconds):
        sleeps.append(seconds)
        sizes.append((outputs / "curve.png").read_bytes())
        journal = Journal(running / "eval.journal", len(sleeps) + 1)
        journal.append({"timestep": 50 + 10 * len(sleeps), "return": 900.0})
        journal.close()
        if len(sleeps) == 2:
            write_json(running / "status.json", {"status": "done"})

    monkeypatch.setattr(module.time, "sleep", sleep)
    monkeypatch.setattr(module.time, "strftime", lambda form: "12:00:00")
    others = {p: p.read_bytes() for p in outputs.rglob("*.*") if running not in p.parents}

    assert main(["plot", str(outputs), "--live", "30"]) == 0

    out, err = capsys.readouterr()
    lines = out.splitlines()
    wrote = f"wrote {outputs / 'curve.png'}"
    assert lines[:2] == [f"12:00:00  1 running, 3 done  {wrote}"] * 2
    assert lines[2].startswith("environment")
    assert "485.7 at 70" in lines[3]  # (900 + 71.4) / 2
    assert (lines[-1], len(lines), err) == (wrote, 6, "")
    assert sleeps == [30.0, 30.0]
    assert sizes[0] != sizes[1] != (outputs / "curve.png").read_bytes()
    assert all(path.read_bytes() == content for path, content in others.items())
    assert [p.name for p in outputs.iterdir()].count("curve.png") == len([*outputs.iterdir()]) - 1


def test_live_waits_for_the_first_rows(tmp_path, capsys, monkeypatch):
    folder = tmp_path / "x" / "0" / "1"

    def sleep(seconds):
        assert seconds == 10.0
        if not folder.exists():
            write(make_run(folder, (), "waiting"))
        else:
            write_json(folder / "status.json", {"status": "failed"})

    monkeypatch.setattr(module.time, "sleep", sleep)
    monkeypatch.setattr(module.time, "strftime", lambda form: "12:00:00")

    assert main(["plot", str(tmp_path), "--live"]) == 5

    out, err = capsys.readouterr()
    assert out.splitlines() == [
        "12:00:00  no runs  nothing to draw yet",
        "12:00:00  1 waiting  nothing to draw yet",
    ]
    assert "nothing to draw: no run in" in err


def test_live_ends_quietly_with_ctrl_c(running, outputs, capsys, monkeypatch):
    def sleep(seconds):
        raise KeyboardInterrupt

    monkeypatch.setattr(module.time, "sleep", sleep)

    assert main(["plot", str(outputs), "--live"]) == 130
    assert capsys.readouterr().err == ""
    assert [p.name for p in outputs.iterdir() if p.name.endswith(".tmp")] == []


def test_live_does_not_keep_a_core_busy(running, outputs, monkeypatch):
    def sleep(seconds):
        assert seconds == 70.0
        raise KeyboardInterrupt

    clock = iter([100.0, 170.0])
    monkeypatch.setattr(module.time, "monotonic", lambda: next(clock))
    monkeypatch.setattr(module.time, "sleep", sleep)

    assert main(["plot", str(outputs), "--live", "5"]) == 130


def test_live_ends_where_it_cannot_write(running, outputs, capsys, monkeypatch):
    monkeypatch.setattr(module.time, "sleep", pytest.fail)

    assert main(["plot", str(outputs), "--live", "-o", str(outputs / "gone" / "x.png")]) == 4
    assert "cannot write" in capsys.readouterr().err
    assert main(["plot", str(outputs), "--live", "--facet", "lr"]) == 2


def test_a_folder_named_like_a_number_is_a_folder(outputs, monkeypatch, capsys):
    monkeypatch.chdir(outputs / "x")

    assert main(["plot", "0", "--live"]) == 0
    assert "wrote 0/curve.png" in capsys.readouterr().out


def test_broken_logs_among_many_are_named_and_the_rest_is_drawn(tmp_path, capsys):
    folders = [tmp_path / "outputs" / "x" / str(ID) / "1" for ID in range(200)]
    for ID, folder in enumerate(folders):
        write(make_run(folder, [(0, 0.0), (100, float(ID))], agent__lr=ID % 2))
    broken = [folders[i] / "eval.journal" for i in (3, 50, 120, 199)]
    line = broken[0].read_bytes().splitlines(keepends=True)[0]
    flipped = line[:9] + b"x" + line[10:]  # its checksum is another
    for path, data in zip(
        broken, (b"\0" * 99 + b"\n", b"gARjb3MK\n", flipped, b"?\n"), strict=True
    ):
        path.write_bytes(data)

    assert plot([tmp_path / "outputs"], tmp_path / "a.svg", group="agent.lr") == 0

    out, err = capsys.readouterr()
    assert err.startswith("4 problems in what was read:\n")
    assert [path for path in folders if str(path) in err] == [path.parent for path in broken]
    assert (tmp_path / "a.svg").exists()
    assert "98/100 runs, 2 unreadable" in out
