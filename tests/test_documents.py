"""What the documents refer to exists."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "scripts" / "docs").glob("*.md"))]
_WITH_TESTS = ROOT / "scripts" / "docs" / "reproducibility.md"


def names_in(path):
    """Return the functions that a Python file defines."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_tests_and_files_that_a_document_names_exist(document):
    text = document.read_text(encoding="utf-8")
    for path, name in re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", text):
        assert name in names_in(ROOT / path)
    for path in re.findall(r"`((?:fastdnn|tests|scripts|benchmarks)/[\w/.]+\.\w+)`", text):
        assert (ROOT / path).exists(), path
    for link in re.findall(r"\]\(([\w/.]+\.\w+)\)", text):
        assert (document.parent / link).exists(), link


def test_the_page_on_reproducibility_names_a_test_for_each_clause():
    rows = re.findall(r"^\| (.+) \| (.+) \|$", _WITH_TESTS.read_text("utf-8"), re.MULTILINE)
    clauses = [row for row in rows if row[0] != "whatever the ..."]
    assert len(clauses) > 5
    assert all("::test_" in tests for _, tests in clauses)
