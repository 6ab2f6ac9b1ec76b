"""The oldest versions that CI installs are the lower bounds that pyproject.toml states."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def release(version):
    """Return the numbers of a version without trailing zeros: 2.0 and 2.0.0 are one."""
    return re.sub(r"(\.0)+$", "", version)


def lower_bounds(*extras):
    required = list(PROJECT["dependencies"])
    for extra in extras:
        required += PROJECT["optional-dependencies"][extra]
    found = [
        re.fullmatch(r"([\w-]+)(?:\[[\w,]+\])?>=([\d.]+)(,<[\d.]+)?", line)
        for line in required
    ]
    assert all(found), required
    return {match[1]: release(match[2]) for match in found}


def test_the_oldest_versions_are_the_lower_bounds():
    lines = (ROOT / ".ci" / "oldest.txt").read_text(encoding="utf-8").splitlines()
    pinned = dict(line.split("==") for line in lines if not line.startswith("#"))
    expected = lower_bounds("test", "plot")
    assert {name: release(version) for name, version in pinned.items()} == expected


def test_the_oldest_python_is_tested_and_every_supported_one_named():
    oldest = PROJECT["requires-python"].removeprefix(">=")
    named = re.findall(r"Python :: (3\.\d+)", "\n".join(PROJECT["classifiers"]))
    assert named == ["3.11", "3.12", "3.13", "3.14"]
    assert named[0] == oldest
    workflow = (ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8")
    tested = re.findall(r"python: \"(3\.\d+)\"", workflow)
    assert {named[0], named[-1]} <= set(tested)
    assert f"Python {named[0]} to {named[-1]}" in (ROOT / "README.md").read_text("utf-8")


def test_actions_are_pinned_by_commit():
    workflow = (ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8")
    used = re.findall(r"uses: (.*)", workflow)
    assert used
    for action in used:
        assert re.fullmatch(r"[\w/-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", action), action
