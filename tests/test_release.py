"""What a release is made by agrees: versions, requirements, addresses, and pinned actions."""

import re
import tomllib
from pathlib import Path

import fastdnn

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
CITATION = (ROOT / ".github" / "CITATION.cff").read_text(encoding="utf-8")
RECIPE = (ROOT / "scripts" / "conda" / "recipe.yaml").read_text(encoding="utf-8")
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


def test_the_version_is_the_same_everywhere():
    assert f"\nversion: {fastdnn.__version__}\n" in CITATION
    assert f'\n  version: "{fastdnn.__version__}"\n' in RECIPE


def test_the_licence_is_the_same_everywhere():
    assert f"\nlicense: {PROJECT['license']}\n" in CITATION
    assert f"\n  license: {PROJECT['license']}\n" in RECIPE


def test_the_conda_package_needs_what_the_wheel_needs():
    [run] = re.findall(r"^  run:\n((?:    - .*\n)+)", RECIPE, re.MULTILINE)
    listed = re.findall(r"^    - (.*)$", run, re.MULTILINE)
    assert listed[0] == "python >=${{ python_min }}"
    assert [name.replace(" ", "") for name in listed[1:]] == PROJECT["dependencies"]
    assert f'python_min: "{PROJECT["requires-python"].removeprefix(">=")}"' in RECIPE
    entries = [f"{name} = {place}" for name, place in PROJECT["scripts"].items()]
    assert re.findall(r"entry_points:\n      - (.*)\n", RECIPE) == entries


def test_addresses_are_of_the_documentation():
    urls = PROJECT["urls"]
    assert urls["Documentation"].startswith("https://")
    assert urls["Documentation"].endswith("/")
    page = urls["Changelog"].removeprefix(urls["Documentation"])
    assert (ROOT / "scripts" / "docs" / page).with_suffix(".md").exists()
    assert RECIPE.count(urls["Documentation"]) == 2


def test_extras_that_the_page_names_are_there():
    page = (ROOT / "scripts" / "docs" / "install.md").read_text(encoding="utf-8")
    named = re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE)
    extras = PROJECT["optional-dependencies"]
    of_developers = {
        name for name in extras if name.startswith(("bench", "test", "docs", "dev"))
    }
    assert set(named) == set(extras) - of_developers


def test_actions_are_pinned_to_commits():
    for workflow in WORKFLOWS:
        uses = re.findall(r"uses: (.+)$", workflow.read_text(encoding="utf-8"), re.MULTILINE)
        assert uses
        for action in uses:
            assert re.fullmatch(r"[\w/-]+@[0-9a-f]{40} # v[\d.]+", action), action


def test_only_the_job_that_publishes_may_ask_for_identity():
    text = (ROOT / ".github" / "workflows" / "release.yml").read_text(encoding="utf-8")
    before, _, publish = text.partition("\n  publish:\n")
    assert "id-token" not in before
    assert "id-token: write" in publish
    assert "password" not in publish
