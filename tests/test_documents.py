"""What the documents say of files, tests and names is true, and their examples run."""

import ast
import builtins
import functools
import os
import re
import tokenize
from pathlib import Path

import pytest

from fastdnn.callbacks.support import HAS_CALLBACKS
from fastdnn.models.declarations import ROWS

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
CONTRIBUTING = ROOT / ".github" / "CONTRIBUTING.md"
SECURITY = ROOT / ".github" / "SECURITY.md"
PAGE_FOLDER = ROOT / "scripts" / "docs"
PAGES = sorted(PAGE_FOLDER.rglob("*.md"))
DOCUMENTS = [README, CONTRIBUTING, SECURITY, *PAGES]
# Here every name in code type is one of the sources.
OF_NAMES = [CONTRIBUTING, *(ROOT / "scripts" / "docs" / "engine").glob("*.md")]

FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
CODE = re.compile(r"`([^`\n]+)`")
PATH = re.compile(
    r"((?:fastdnn|tests|scripts|benchmarks|\.ci|\.github)/[\w/.]*)(?:::([\w.]+))?"
)

of_documents = pytest.mark.parametrize(
    "document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT))
)


def code_in(document):
    """Return what a document has in code type, but for whole blocks."""
    return CODE.findall(FENCED.sub("", document.read_text(encoding="utf-8")))


def names_in(path):
    """Return what a Python file defines: functions, classes, their members, constants."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    names = set(defined_in(tree.body))
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            names |= {f"{node.name}.{name}" for name in defined_in(node.body)}
    return names


def defined_in(body):
    """Yield the names that a module or a class defines, be it on a condition."""
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            for target in getattr(node, "targets", [getattr(node, "target", None)]):
                yield from (part.id for part in ast.walk(target) if isinstance(part, ast.Name))
        for inner in ("body", "orelse") if isinstance(node, ast.If) else ():
            yield from defined_in(getattr(node, inner))


@functools.cache
def words_of_sources():
    """Return the names in the package's sources, also those in strings of one word."""
    words = set(dir(builtins))
    for folder in ("fastdnn", "tests", "benchmarks", "scripts"):
        for path in (ROOT / folder).rglob("*.py"):
            words.add(path.stem)
            with path.open("rb") as source:
                for token in tokenize.tokenize(source.readline):
                    if token.type == tokenize.NAME:
                        words.add(token.string)
                    elif token.type == tokenize.STRING:
                        words.add(token.string.strip("\"'"))
    return words


def anchors_of(document):
    """Return the anchors of a document's headings."""
    headings = re.findall(r"^#+ (.+)$", document.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", text.lower()).replace(" ", "-") for text in headings}


@of_documents
def test_files_tests_and_functions_that_a_document_names_exist(document):
    for code in code_in(document):
        for path, name in PATH.findall(code):
            assert (ROOT / path).exists(), path
            if name:
                assert name in names_in(ROOT / path), f"{path}::{name}"


@of_documents
def test_what_a_document_links_to_exists(document):
    links = re.findall(r"\]\(([^)\s]+)\)", document.read_text(encoding="utf-8"))
    for link in links:
        if link.startswith("https://"):
            continue
        path, _, anchor = link.partition("#")
        target = document.parent / path if path else document
        assert target.exists(), link
        assert not anchor or anchor in anchors_of(target), link


def test_every_page_can_be_reached_from_the_readme():
    reached, to_read = set(), [README]
    while to_read:
        page = to_read.pop()
        reached.add(page)
        for link in re.findall(r"\]\(([^)\s#]+\.md)", page.read_text(encoding="utf-8")):
            target = Path(os.path.normpath(page.parent / link))
            if target not in reached:
                to_read.append(target)
    assert set(DOCUMENTS) <= reached


@pytest.mark.parametrize("document", OF_NAMES, ids=lambda path: path.name)
def test_names_in_code_type_are_those_of_the_sources(document):
    words = words_of_sources()
    for code in code_in(document):
        name = re.fullmatch(r"(?:@|s\.)?([A-Za-z_][\w.]*?)(?:\(.*\))?", code)
        if name is None or code.endswith((".py", ".md")):
            continue
        for word in name[1].split("."):
            assert word in words, code


def test_pages_that_sources_name_exist():
    named = set()
    for path in (ROOT / "fastdnn").rglob("*.py"):
        source = path.read_text(encoding="utf-8")
        named |= set(re.findall(r"(?:scripts/docs|\.github)/[\w/]+\.md", source))
    assert named
    missing = {name for name in named if not (ROOT / name).exists()}
    assert not missing


def test_the_page_on_reproducibility_names_a_test_for_each_clause():
    text = (ROOT / "scripts" / "docs" / "reproducibility.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (.+) \| (.+) \|$", text, re.MULTILINE)
    clauses = [row for row in rows if row[0] != "whatever the ..."]
    assert len(clauses) > 5
    assert all("::test_" in tests for _, tests in clauses)


def test_the_readme_is_short():
    assert len(README.read_text(encoding="utf-8").splitlines()) <= 150


def test_the_page_for_those_who_come_names_parameters_that_there_are():
    page = (PAGE_FOLDER / "coming_from.md").read_text(encoding="utf-8")
    given = {"X_val", "y_val", "n_steps", "return_std", "transform_input"}
    known = {row.name for row in ROWS} | given
    cells = [line.split(" | ")[-1] for line in page.splitlines() if line.startswith("| ")]
    codes = [code for cell in cells for code in CODE.findall(cell)]
    named = {name for code in codes for name in re.findall(r"\b([A-Za-z_]\w*) ?=", code)}
    assert len(named) > 40
    assert named <= known, named - known
    # The others are methods, attributes and values of parameters.
    words = {code for code in codes if re.fullmatch(r'"?[A-Za-z_]\w*"?', code)}
    assert {word.strip('"') for word in words} <= words_of_sources()


WITH_EXAMPLES = [
    README,
    *(
        PAGE_FOLDER / name
        for name in (
            "index.md",
            *("textbook.md", "coming_from.md", "losses.md", "tables.md", "onnx.md"),
            *("callbacks.md", "pictures.md", "members.md", "searches.md", "streams.md"),
        )
    ),
]


@pytest.mark.slow_without_jit
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("document", WITH_EXAMPLES, ids=lambda path: path.name)
def test_examples_run(document):
    if document.name in {"callbacks.md", "searches.md"} and not HAS_CALLBACKS:
        pytest.skip("scikit-learn has callbacks from 1.9 on")
    if document.name == "searches.md":
        pytest.importorskip("optuna")
    blocks = FENCED.findall(document.read_text(encoding="utf-8"))
    examples = [code for language, code in blocks if language == "python"]
    assert examples
    for code in examples:
        exec(compile(code, str(document), "exec"), {})
