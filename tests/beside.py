"""Tests that wait for processes of their own, and some rooms, run in a second pytest.

Its reports become reports of the first. Where one looks for a single test, stops at the first
failure, debugs, or measures coverage, all run in one.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

MARK = "waits_for_processes"
# So that neither has much more to do than the other; they need what the first has compiled.
_ROOMS = {"callbacks", "cli", "displays", "mlflow", "models", "onnx", "search", "storage"}
_WANTED, _REPORTS = "FASTDNN_TESTS_BESIDE", "FASTDNN_REPORTS_BESIDE"
# Less is not worth a second pytest.
_FEWEST = 20


def register(config):
    """Add what the first or the second pytest needs."""
    options = config.option
    if _WANTED in os.environ:
        second = Second(config, os.environ.pop(_WANTED), os.environ.pop(_REPORTS))
        config.pluginmanager.register(second)
    # What is to stop at a first failure or in a debugger, or to be covered, runs in one.
    elif not (options.collectonly or options.maxfail or options.usepdb or _covers(options)):
        config.pluginmanager.register(First())


def _covers(options):
    return bool(getattr(options, "cov_source", None)) and not options.no_cov


class Second:
    """Runs what it is told to, and writes its reports down."""

    def __init__(self, config, wanted, reports):
        self._config, self._reports = config, Path(reports)
        self._wanted = set(json.loads(Path(wanted).read_text("utf-8")))

    def pytest_collection_modifyitems(self, items):
        """Leave what is wanted."""
        items[:] = [item for item in items if item.nodeid in self._wanted]

    def pytest_runtest_logreport(self, report):
        """Write a report down."""
        hook = self._config.hook
        data = hook.pytest_report_to_serializable(config=self._config, report=report)
        with self._reports.open("a", encoding="utf-8") as file:
            file.write(json.dumps(data) + "\n")


class First:
    """Begins the second pytest, and reports what that does."""

    @pytest.hookimpl(wrapper=True)
    def pytest_runtestloop(self, session):
        """Run a part of the tests beside the others."""
        waiting = [item for item in session.items if _goes_beside(item)]
        if not _FEWEST <= len(waiting) <= len(session.items) - _FEWEST:
            return (yield)
        session.items[:] = [item for item in session.items if item not in set(waiting)]
        with tempfile.TemporaryDirectory() as folder:
            process = _begin(session.config, waiting, Path(folder))
            try:
                result = yield
                process.wait()
            finally:
                process.kill()
            _report(session.config, Path(folder), len(waiting))
        return result


def _goes_beside(item):
    if isinstance(item, pytest.DoctestItem):  # a module that is collected first is another one
        return False
    return item.get_closest_marker(MARK) is not None or item.path.parent.name in _ROOMS


def _begin(config, items, folder):
    (folder / "wanted").write_text(json.dumps([item.nodeid for item in items]), "utf-8")
    (folder / "reports").touch()
    files = sorted({item.nodeid.partition("::")[0] for item in items})
    options = ["-q", "-p", "no:cacheprovider", "-m", config.option.markexpr]
    told = {_WANTED: str(folder / "wanted"), _REPORTS: str(folder / "reports")}
    with (folder / "said").open("w") as said:
        return subprocess.Popen(
            [sys.executable, "-m", "pytest", *options, *files],
            cwd=config.rootpath,
            env=os.environ | told,
            stdout=said,
            stderr=said,
        )


def _report(config, folder, n_items):
    reported = set()
    for line in (folder / "reports").read_text("utf-8").splitlines():
        data = json.loads(line)
        report = config.hook.pytest_report_from_serializable(config=config, data=data)
        if isinstance(report.longrepr, list):  # where and why it was skipped
            report.longrepr = tuple(report.longrepr)
        reported.add(report.nodeid)
        config.hook.pytest_runtest_logreport(report=report)
    if len(reported) < n_items:
        said = (folder / "said").read_text("utf-8")
        raise RuntimeError(f"The second pytest ran {len(reported)} of {n_items} tests: {said}")
