"""The documentation site has all pages and all public names, and its examples run."""

import importlib
import re
import runpy
from pathlib import Path
from types import SimpleNamespace

import matplotlib
import pytest

ROOT = Path(__file__).parent.parent
PAGES = ROOT / "scripts" / "docs"
EXAMPLES = sorted((PAGES / "examples").glob("*.py"))
BUILDING = runpy.run_path(str(ROOT / "scripts" / "build_docs.py"))
# What is built into the site, and is no page of the sources.
BUILT = {"examples_run/index", *(name[:-3] for name in BUILDING["ELSEWHERE"].values())}
ROOMS = (
    "tables",
    "search",
    "distributed",
    "training",
    "callbacks",
    "onnx",
    "mlflow",
    "textbook",
)
PUBLIC = ["fastdnn", *(f"fastdnn.{name}" for name in ROOMS)]
# The others take a few seconds each, and are run by the build of the site.
QUICK = {"first_steps", "larger_than_memory", "reproducibility"}


def entries_of(page):
    """Return what the trees of contents of a page name, from the folder of all pages."""
    text = page.read_text(encoding="utf-8")
    trees = re.findall(r"^:::\{toctree\}\n((?::\w+:[^\n]*\n)*)\n(.*?)^:::$", text, re.M | re.S)
    lines = [line for _, body in trees for line in body.split("\n") if line]
    names = [re.sub(r"^.* <(.+)>$", r"\1", line) for line in lines]
    folder = page.parent.relative_to(PAGES)
    return [(folder / name).as_posix() for name in names]


def test_every_page_is_once_in_a_tree_of_contents():
    reached, to_read = [], ["index"]
    while to_read:
        name = to_read.pop()
        reached.append(name)
        page = PAGES / f"{name}.md"
        if page.exists():
            to_read += entries_of(page)
        else:
            assert name in BUILT or (PAGES / f"{name}.rst").exists(), name
    pages = [*PAGES.rglob("*.md"), PAGES / "api.rst"]
    expected = {page.relative_to(PAGES).with_suffix("").as_posix() for page in pages} | BUILT
    assert sorted(reached) == sorted(expected)
    assert not expected & {"search", "genindex", "py-modindex"}  # which Sphinx makes itself


@pytest.mark.parametrize("module", PUBLIC)
def test_every_public_name_is_in_the_reference(module):
    text = (PAGES / "api.rst").read_text(encoding="utf-8")
    parts = re.split(r"^\.\. currentmodule:: (\S+)$", text, flags=re.M)
    sections = zip(parts[1::2], parts[2::2], strict=True)
    body = "".join(body for name, body in sections if name == module)
    listed = re.findall(r"^   (\w+)$", body, re.M)
    assert len(listed) == len(set(listed))
    constants = set(re.findall(r"``(\w+)``", text)) if module == "fastdnn.textbook" else set()
    names = set(importlib.import_module(module).__all__) - {"__version__"}
    assert set(listed) == names - constants


def test_every_example_has_its_place_in_the_gallery():
    tags = SimpleNamespace(has=lambda name: False)
    settings = runpy.run_path(str(PAGES / "conf.py"), {"tags": tags})
    order = settings["sphinx_gallery_conf"]["within_subsection_order"]
    assert sorted(order.names) == [path.stem for path in EXAMPLES]
    assert len(EXAMPLES) >= 12
    assert order("")("first_steps.py") == 0


@pytest.mark.slow_without_jit
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize(
    "path",
    [
        pytest.param(path, marks=() if path.stem in QUICK else pytest.mark.exhaustive)
        for path in EXAMPLES
    ],
    ids=lambda path: path.stem,
)
def test_an_example_runs(path, capsys):
    with matplotlib.rc_context({"backend": "agg"}):
        runpy.run_path(str(path), run_name="__main__")
        matplotlib.pyplot.close("all")
    assert capsys.readouterr().out


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_fetches_nothing_and_needs_no_other_network(path):
    source = path.read_text(encoding="utf-8")
    imported = set(re.findall(r"^(?:from|import) (\w+)", source, re.M))
    assert not imported & {"torch", "skorch", "keras", "tensorflow", "urllib", "requests"}
    assert "fetch_" not in source


def test_links_that_leave_the_pages_lead_to_copies(tmp_path):
    pages, sources = tmp_path / "repository" / "docs", tmp_path / "sources"
    for name in ("index.md", "inner/a.md", "examples/b.py", "../pictures/c.svg"):
        (pages / name).parent.mkdir(parents=True, exist_ok=True)
        (pages / name).write_text(name)
    page, target = pages / "inner" / "a.md", sources / "inner" / "a.md"
    expected = {
        "../index.md#top": "../index.md#top",
        "#here": "#here",
        "https://a.test/x.md": "https://a.test/x.md",
        "../examples/b.py": "../examples_run/b.rst",
        "../examples": "../examples_run/index.rst",
        "../../pictures/c.svg": "../files/c.svg",
    }
    for link, there in expected.items():
        assert BUILDING["moved"](link, page, target, sources, pages) == there
    assert (sources / "files" / "c.svg").read_text() == "../pictures/c.svg"


def test_links_that_lead_nowhere_are_found(tmp_path):
    (tmp_path / "a.html").write_text(
        '<p id="x"><a href="#x"><a href="b.html#y"><a href="https://c.test/d">'
        '<a href="#z"><a href="b.html#x"><img src="e.png">'
    )
    (tmp_path / "b.html").write_text('<p id="y"><a href="a.html">')
    problems = BUILDING["broken_links"](tmp_path)
    assert len(problems) == 3
    for problem, link in zip(problems, ("#z", "b.html#x", "e.png"), strict=True):
        assert problem.startswith(f"a.html: {link} ")
