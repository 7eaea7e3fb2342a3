import base64
import json
from itertools import pairwise

import numpy as np
import pytest
from browser import CHROMIUM, Browser
from reports import CONFIG, ESCAPE, EVIL, make_run, write_log, write_run

from lagom.experiment.storage import write_json
from lagom.vis.report import make_report, render, report_data

browser_only = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium (apt-get install chromium)")


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    browser = Browser(tmp_path_factory.mktemp("profile"))
    yield browser
    browser.close()


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """Two environments, two configurations of two seeds each, one of them diverged."""
    root = tmp_path_factory.mktemp("outputs")
    for ID, (env, lr) in enumerate([("A-v0", 0.1), ("A-v0", 0.2), ("B-v0", 0.1), ("B-v0", 0.2)]):
        for seed in (1, 2):
            ys = [100.0 * (ID + 1) * (t + seed) for t in range(5)]
            bad = {"status": "diverged", "error": "no\nnumber"} if (ID, seed) == (3, 2) else {}
            folder = root / "x" / str(ID) / str(seed)
            write_run(folder, ys, CONFIG | {"env.id": env, "agent.lr": lr}, **bad)
            if bad:
                (folder / "job.log").write_text("the end")
                gif = "R0lGODlhAQABAIAAAP8AAP8AACwAAAAAAQABAAACAkQBADs="
                webp = "UklGRhoAAABXRUJQVlA4TA0AAAAvAAAAEAcQERGIiP4HAA=="
                for name, film in (("film.gif", gif), ("film.webp", webp)):
                    (folder / name).write_bytes(base64.b64decode(film))
    path = root / "report.html"
    path.write_bytes(make_report([root])[0])
    return path


@pytest.fixture
def opened(browser, page):
    browser.open(page)
    yield browser
    assert browser.complaints() == []


def count(browser, selector):
    return browser.js(f"document.querySelectorAll({json.dumps(selector)}).length")


def texts(browser, selector):
    found = f"[...document.querySelectorAll({json.dumps(selector)})]"
    return browser.js(f"{found}.map((element) => element.textContent)")


def click(browser, selector, num=0):
    browser.js(f"document.querySelectorAll({json.dumps(selector)})[{num}].click()")


def choose(browser, name, value):
    select = f"document.getElementById({json.dumps(name)})"
    browser.js(f"{select}.value = {json.dumps(value)}, {select}.dispatchEvent(new Event('change'))")


def panel_place(browser, x, y, num=0):
    """A place in a panel, scrolled into view, from shares of its width and height."""
    panel = f"document.querySelectorAll('figure > svg')[{num}]"
    browser.js(f"{panel}.scrollIntoView({{block: 'center'}})")
    left, top, width, height = browser.js(
        f"(({{x, y, width, height}}) => [x, y, width, height])({panel}.getBoundingClientRect())"
    )
    return left + x * width, top + y * height


def x_ticks(browser, num=0):
    return texts(browser, f"figure:nth-of-type({num + 1}) text[text-anchor=middle]")[:-1]


@browser_only
def test_the_page_opens_from_the_disk_without_a_word(opened, page):
    assert opened.js("document.title") == "lagom: x"
    assert opened.complaints() == []
    own = [url for url in opened.requests() if not url.startswith("data:image/")]
    assert own == [page.as_uri()]


@browser_only
def test_films_that_are_pictures_are_shown(opened):
    found = "[...document.querySelectorAll('.videos img')].map((image) => image.naturalWidth)"
    assert opened.js(found) == [1, 1]
    assert texts(opened, ".videos small") == ["x/3/2/film.gif", "x/3/2/film.webp"]


@browser_only
def test_curves_are_drawn(opened):
    assert texts(opened, "figcaption")[:2] == ["A-v0", "B-v0lr=0.2: 1/2 seeds, 1 diverged"]
    assert (count(opened, "path.mean"), count(opened, "path.band")) == (4, 4)
    assert (count(opened, "path.seed"), count(opened, "path.cross")) == (0, 1)
    path = opened.js("document.querySelector('path.mean').getAttribute('d')")
    points = [[float(x) for x in point.split(",")] for point in path[1:].split("L")]
    assert len(points) == 5
    assert len({round(b[0] - a[0]) for a, b in pairwise(points)}) == 1
    assert points == sorted(points, key=lambda point: (point[0], -point[1]))  # it rises
    assert x_ticks(opened) == ["0", "10", "20", "30", "40", "50"]


@browser_only
def test_pointing_tells_all_values_at_a_step(opened):
    opened.mouse("Moved", *panel_place(opened, 0.6, 0.5))

    (rows,) = texts(opened, ".readout:not([hidden])")
    # seeds at 30 steps: 300 and 400, 600 and 800; t 12.706 times half the difference
    assert rows == ("environment steps: 30lr=0.2700.0 ± 1270.6 (n = 2)lr=0.1350.0 ± 635.3 (n = 2)")
    opened.mouse("Moved", 1, 1)
    assert count(opened, ".readout:not([hidden])") == 0


@browser_only
def test_values_between_rows_are_on_the_line_and_never_beyond_it(browser, tmp_path):
    runs = [make_run("x", 0, 0, (4, 8, 12, 16), agent__lr=0.1)]  # at 10, 20, 30 and 40 steps
    runs += [make_run("x", 1, 0, (2, 10), agent__lr=0.2)]
    runs[1].logs["eval"]["timestep"] = np.array([18.0, 34.0])
    path = tmp_path / "report.html"
    path.write_bytes(render(report_data(runs)))
    browser.open(path)
    browser.js("document.querySelector('figure > svg').focus()")

    told = []
    for _ in range(6):
        browser("Input.dispatchKeyEvent", type="keyDown", key="ArrowRight")
        told += texts(browser, ".readout")

    assert told == [
        "environment steps: 10lr=0.14 (n = 1)",
        "environment steps: 18lr=0.17.2 (n = 1)lr=0.22 (n = 1)",
        "environment steps: 20lr=0.18 (n = 1)lr=0.23 (n = 1)",
        "environment steps: 30lr=0.112 (n = 1)lr=0.28 (n = 1)",
        "environment steps: 34lr=0.113.6 (n = 1)lr=0.210 (n = 1)",
        "environment steps: 40lr=0.116 (n = 1)",
    ]


@browser_only
def test_a_legend_entry_hides_its_curves(opened):
    click(opened, ".legend button")

    assert count(opened, "path.mean") == 2
    assert opened.js("document.querySelector('.legend button').ariaPressed") == "false"
    opened.mouse("Moved", *panel_place(opened, 0.6, 0.5))
    assert "lr=0.1" not in texts(opened, ".readout")[0]
    click(opened, ".legend button", 1)
    assert count(opened, "path.mean") == 0
    assert "nothing chosen" in texts(opened, "figure text")
    click(opened, ".legend button")
    assert count(opened, "path.mean") == 2


@browser_only
def test_seeds_are_shown_if_asked(opened):
    click(opened, "#choose-seeds")
    assert (count(opened, "path.seed"), count(opened, "path.mean")) == (8, 4)
    click(opened, "#choose-seeds")
    assert count(opened, "path.seed") == 0


@browser_only
def test_axes_can_be_chosen(opened):
    choose(opened, "choose-x", "seconds")
    assert x_ticks(opened) == ["0", "5", "10", "15", "20", "25"]
    assert texts(opened, "figure text[text-anchor=middle]")[6] == "wall time (seconds)"
    choose(opened, "choose-x", "episode")
    assert x_ticks(opened) == ["0", "2", "4", "6", "8", "10"]
    choose(opened, "choose-y", "train.loss")
    assert "loss (training)" in texts(opened, "figure text")
    opened.mouse("Moved", *panel_place(opened, 0.99, 0.5))
    assert texts(opened, ".readout")[0].startswith("episodes: 10lr=0.10.02 ± 0 (n = 2)")


@browser_only
def test_dragging_zooms_and_a_double_click_resets(opened):
    left, right = panel_place(opened, 0.5, 0.5), panel_place(opened, 0.9, 0.5)
    opened.mouse("Moved", *left)
    opened.mouse("Pressed", *left, button="left", clickCount=1)
    opened.mouse("Moved", *right, button="left")
    assert count(opened, "rect.selection") == 1
    opened.mouse("Released", *right, button="left", clickCount=1)

    assert 24 <= float(x_ticks(opened)[0]) <= 28
    assert x_ticks(opened, 1) == ["0", "10", "20", "30", "40", "50"]  # the other panel stays
    assert count(opened, "figure > button:not([hidden])") == 1
    for clicks in (1, 2):
        opened.mouse("Pressed", *left, button="left", clickCount=clicks)
        opened.mouse("Released", *left, button="left", clickCount=clicks)
    assert x_ticks(opened) == ["0", "10", "20", "30", "40", "50"]
    assert count(opened, "figure > button:not([hidden])") == 0


@browser_only
def test_dragging_may_end_outside(opened):
    left, right = panel_place(opened, 0.5, 0.5), panel_place(opened, 1.3, 0.5)
    opened.mouse("Moved", *left)
    opened.mouse("Pressed", *left, button="left", clickCount=1)
    opened.mouse("Moved", *right, button="left")
    opened.mouse("Released", *right, button="left", clickCount=1)

    assert float(x_ticks(opened)[0]) > 20
    click(opened, "figure > button")
    assert x_ticks(opened) == ["0", "10", "20", "30", "40", "50"]


@browser_only
def test_the_keyboard_reads_and_zooms(opened):
    opened.js("document.querySelector('figure > svg').focus()")

    def press(key):
        for kind in ("keyDown", "keyUp"):
            opened("Input.dispatchKeyEvent", type=kind, key=key)
        return texts(opened, ".readout")[0].split("lr")[0]

    keys = ("ArrowRight", "ArrowRight", "ArrowLeft", "ArrowLeft", "End", "ArrowRight", "Home")
    assert [press(key) for key in keys] == [
        f"environment steps: {x}" for x in (10, 20, 10, 10, 50, 50, 10)
    ]
    press("+")
    assert float(x_ticks(opened)[-1]) < 40
    for _ in range(60):  # at 10 steps the means are 150 and 300
        press("+")
    assert len(x_ticks(opened)) > 1
    heights = [float(text) for text in texts(opened, "figure:first-of-type text[text-anchor=end]")]
    assert min(heights) < 150 < 300 < max(heights)
    press("Escape")
    assert x_ticks(opened) == ["0", "10", "20", "30", "40", "50"]
    press("-")
    assert x_ticks(opened) == ["0", "10", "20", "30", "40", "50"]  # there is no more


@browser_only
def test_tables_sort_by_any_column(opened):
    head = "#results th button"
    finals = "#results td:nth-child(3)"
    assert texts(opened, head)[2] == "final return"
    means = [550.0, 1100.0, 1650.0, 2200.0]
    by_row = [float(text.split(" ")[0]) for text in texts(opened, finals)]
    assert by_row == means

    click(opened, head, 2)
    assert [float(text.split(" ")[0]) for text in texts(opened, finals)] == means[::-1]
    assert opened.js("document.querySelectorAll('#results thead th')[2].ariaSort") == "descending"
    click(opened, head, 2)
    assert [float(text.split(" ")[0]) for text in texts(opened, finals)] == means
    click(opened, head, 0)
    assert texts(opened, "#results tbody th") == ["lr=0.1", "lr=0.1", "lr=0.2", "lr=0.2"]


@browser_only
def test_configurations_can_be_filtered(opened):
    def search(term):
        field = "document.getElementById('filter')"
        opened.js(f"{field}.value = {json.dumps(term)}, {field}.dispatchEvent(new Event('input'))")
        return texts(opened, "#configs thead th")[1:], texts(opened, "#configs tbody th")

    every = ["ID 0", "ID 1", "ID 2", "ID 3"]
    assert search("") == (every, ["env.id", "agent.lr"])
    assert search("LR") == (every, ["agent.lr"])
    assert search("gamma") == (every, ["agent.gamma"])  # the same in all, but asked for
    assert search("b-v0") == (["ID 2", "ID 3"], ["env.id", "agent.lr"])
    assert search("nowhere")[0] == []
    search("")
    click(opened, "#all-keys")
    assert texts(opened, "#configs tbody th") == ["env.id", "agent.lr", "algo.name", "agent.gamma"]


@browser_only
def test_many_configurations_stand_below_each_other(browser, tmp_path):
    runs = [make_run("x", ID, 0, [ID], agent__lr=ID) for ID in range(8)]
    path = tmp_path / "report.html"
    path.write_bytes(render(report_data(runs)))
    browser.open(path)

    assert texts(browser, "#configs tbody th") == [f"ID {ID}" for ID in range(8)]
    assert texts(browser, "#configs thead th") == ["configuration", "agent.lr"]
    assert count(browser, "circle.mean") == 8  # a single point is a dot
    click(browser, ".legend .plain", 1)
    assert count(browser, "circle.mean") == 0
    click(browser, ".legend .plain", 0)
    assert count(browser, "circle.mean") == 8


@browser_only
def test_failures_films_and_provenance_are_there(opened):
    assert texts(opened, "nav a") == [
        "Learning curves", "Results", "Differences between configurations", "Configurations",
        "Failures", "Videos", "Provenance",
    ]  # fmt: skip
    assert texts(opened, "#failures pre") == ["no\nnumber", "the end"]
    assert opened.js("document.querySelector('#films img').naturalWidth") == 1
    assert texts(opened, "#provenance p") == ["Runs without a readable fingerprint: 8."]
    assert texts(opened, "#differences td:last-child") == ["undecided"] * 2
    opened.js("window.dispatchEvent(new Event('beforeprint'))")
    assert opened.js("document.querySelector('details').open") is True


@browser_only
def test_hostile_text_is_shown_as_text(browser, tmp_path):
    config = {"env.id": ESCAPE, "algo.name": EVIL, f"agent.{EVIL}": ESCAPE}
    for ID in (0, 1):
        folder = tmp_path / EVIL / str(ID) / "1"
        write_run(folder, (), config | {"agent.lr": ID}, "failed", error=EVIL)
        write_log(folder / "eval.journal", [{"timestep": 1, ESCAPE: 1.0, "__proto__": 2.0}])
        (folder / "job.log").write_text(f"{EVIL}\n{ESCAPE}\n")
        write_json(folder / "fingerprint.json", {EVIL: ESCAPE, "ID": ID})
        (folder / f"{EVIL}.mp4").write_bytes(b"no film")
    (folder / "status.json").write_text(f'{{"status": "{EVIL}"}}')
    path = tmp_path / "report.html"
    path.write_bytes(make_report([tmp_path])[0])

    browser.open(path)
    click(browser, "#all-keys")
    browser.mouse("Moved", *panel_place(browser, 0.5, 0.5))

    assert browser.complaints() == []
    assert browser.js("window.hacked ?? null") is None
    assert count(browser, "main script, main img, main iframe, [onerror]") == 0
    assert texts(browser, "h1") == [f"lagom: {EVIL}"]
    assert texts(browser, "figcaption")[0].startswith(ESCAPE)
    assert texts(browser, "#failures pre") == [EVIL, *[f"{EVIL}\n{ESCAPE}"] * 2]
    assert f"agent.{EVIL}" in texts(browser, "#configs tbody th")
    assert f"{ESCAPE} (evaluation)" in texts(browser, "option")
    choose(browser, "choose-y", "eval.__proto__")
    assert count(browser, "circle.mean") == 2


@browser_only
def test_the_policy_is_in_force(browser, page):
    browser.open(page)
    browser.js(
        "const s = document.createElement('script'); s.textContent = 'window.injected = 1';"
        "document.body.append(s)"
    )
    browser.js(
        "const i = new Image(); i.src = 'https://example.org/x.png'; document.body.append(i)"
    )
    browser.js("document.body.insertAdjacentHTML('beforeend', '<b onclick=\"injected = 1\"></b>')")
    click(browser, "body > b")

    assert browser.js("window.injected ?? null") is None
    assert any("Content Security Policy" in json.dumps(c) for c in browser.complaints())


@browser_only
@pytest.mark.parametrize("width", [390, 1200])
def test_nothing_is_wider_than_the_screen(browser, page, width):
    browser.open(page, width=width)

    assert browser.js("document.documentElement.scrollWidth") == width
    panels = browser.js("[...document.querySelectorAll('figure > svg')].map((e) => e.clientWidth)")
    assert max(panels) <= width
    assert len({*panels}) == 1


@browser_only
def test_dark_pages_have_bright_curves(browser, page):
    colours = {}
    for dark in (False, True):
        browser.open(page, dark=dark)
        colours[dark] = [
            browser.js("getComputedStyle(document.body).backgroundColor"),
            browser.js("getComputedStyle(document.querySelector('path.mean')).stroke"),
        ]

    assert colours[False] == ["rgb(255, 255, 255)", "rgb(0, 114, 178)"]
    assert colours[True] == ["rgb(20, 23, 27)", "rgb(86, 180, 233)"]
