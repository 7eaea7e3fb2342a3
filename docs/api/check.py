"""Whether built pages describe every documented name, lead somewhere, and load nothing from afar.

Run as ``python docs/api/check.py build/docs``.
"""

import ast
import sys
from html.parser import HTMLParser
from pathlib import Path

ROOT = Path(__file__).parents[2]


class Page(HTMLParser):
    """The ids of a page, its links, and what else it loads."""

    def __init__(self, path):
        super().__init__()
        self.ids, self.links, self.loads = set(), set(), set()
        self.formulas = 0
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        """Called by ``feed``."""
        attrs = dict(attrs)
        self.ids.add(attrs.get("id"))
        self.formulas += tag == "math"
        if tag == "a":
            self.links.add(attrs.get("href", "#"))
        else:
            self.loads |= {attrs[key] for key in ("src", "href") if key in attrs}


def documented():
    """The table of tests/test_api.py, as ``module, name``."""
    tree = ast.parse((ROOT / "tests/test_api.py").read_text(encoding="utf-8"))
    (table,) = (
        node.value
        for node in tree.body
        if isinstance(node, ast.Assign) and node.targets[0].id == "DOCUMENTED"
    )
    for module, names in ast.literal_eval(table).items():
        for name in names:
            yield module, name


def check(folder):
    """What is wrong, a line each."""
    pages = {path.name: Page(path) for path in sorted(folder.glob("*.html"))}
    if not any(page.formulas for page in pages.values()):
        yield "no page has a formula"
    for module, name in documented():
        page = pages[f"{module.removeprefix('lagom.')}.html"]
        where = pages["lagom.html"] if f"lagom.html#lagom.{name}" in page.links else page
        if not {f"{module}.{name}", f"lagom.{name}"} & where.ids:
            yield f"{module}.{name} is not described"
    for here, page in pages.items():
        yield from (f"{here} loads {x}" for x in sorted(page.loads) if "//" in x)
        for link in sorted(page.links):
            target, _, anchor = link.partition("#")
            target = pages.get(target or here)
            if "//" not in link and (target is None or (anchor and anchor not in target.ids)):
                yield f"{here}: {link} leads nowhere"


if __name__ == "__main__":
    wrong = [*check(Path(sys.argv[1]))]
    for line in wrong:
        print(line)
    sys.exit(bool(wrong))
