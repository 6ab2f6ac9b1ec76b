"""Run scikit-learn's own tests of its multi-layer perceptron on fastdnn's classes.

The tests come from the installed scikit-learn; nothing is copied. Their module is imported
as it is, and then the names ``MLPClassifier`` and ``MLPRegressor`` in it are pointed at
subclasses of ours whose default is ``dtype="auto"``: to compute in the precision of X, as
scikit-learn does. For each test that fails because it looks at a private attribute of
scikit-learn's implementation, the attribute is named.
"""

import re
import sys
from collections import Counter

import pytest
import sklearn.neural_network.tests.test_mlp as test_module

from fastdnn import DNNClassifier, DNNRegressor

# Away from this project's own settings.
_PYTEST_OPTIONS = [
    "-q",
    "--tb=short",
    "-p",
    "no:cacheprovider",
    "-c",
    "/dev/null",
    "--rootdir=/",
]
_PRIVATE = re.compile(r"has no attribute '(_\w+)'|cannot import name '(_\w+)'")


class MLPClassifier(DNNClassifier):
    """`DNNClassifier` that computes in the precision of X."""

    __init__ = DNNClassifier.__init__


class MLPRegressor(DNNRegressor):
    """`DNNRegressor` that computes in the precision of X."""

    __init__ = DNNRegressor.__init__


def default_to_auto(cls: type) -> None:
    """Give `cls` a constructor like its parent's, with another default for `dtype`."""
    original = cls.__init__

    def __init__(self, *args, **kwargs):
        kwargs.setdefault("dtype", "auto")
        original(self, *args, **kwargs)

    __init__.__signature__ = _signature_with_auto(original)  # what get_params reads
    cls.__init__ = __init__


def _signature_with_auto(function):
    import inspect

    signature = inspect.signature(function)
    parameters = [
        parameter.replace(default="auto") if name == "dtype" else parameter
        for name, parameter in signature.parameters.items()
    ]
    return signature.replace(parameters=parameters)


class Report:
    """Collects the outcome of every test function over its parameters."""

    def __init__(self) -> None:
        self.outcomes: Counter = Counter()
        self.failed: dict[str, str] = {}
        self.functions: set[str] = set()

    def pytest_collection_modifyitems(self, items):
        """Point the collected module at our classes."""
        for module in {item.module for item in items}:
            module.MLPClassifier = MLPClassifier
            module.MLPRegressor = MLPRegressor
        self.functions.update(item.originalname for item in items)

    def pytest_runtest_logreport(self, report):
        """Remember the first failure of each function."""
        if report.when != "call" and report.passed:
            return
        self.outcomes[report.outcome] += 1
        if report.failed:
            function = report.nodeid.split("::")[-1].split("[")[0]
            lines = str(report.longrepr).splitlines()
            message = next((line for line in lines if line.startswith("E  ")), "")
            self.failed.setdefault(function, message.removeprefix("E").strip())


def main() -> None:
    """Run the tests and print what passed, what failed and why."""
    for cls in (MLPClassifier, MLPRegressor):
        default_to_auto(cls)
    report = Report()
    pytest.main(
        [*_PYTEST_OPTIONS, test_module.__file__, *sys.argv[1:]],
        plugins=[report],
    )
    n_functions, n_failed = len(report.functions), len(report.failed)
    print(f"\n{n_functions - n_failed} of {n_functions} test functions passed.")
    for function, message in report.failed.items():
        private = _PRIVATE.search(message)
        reason = (
            f"does not apply: reads the private {private[1] or private[2]}"
            if private
            else f"FAILED: {message}"
        )
        print(f"  {function}: {reason}")
    print(f"{report.outcomes['passed']} passed, {report.outcomes['failed']} failed")


if __name__ == "__main__":
    main()
