"""Diagrams in HTML: what parameters mean, with a link to the documentation."""

import html
import importlib.metadata
import re
from functools import partial

import pytest
import sklearn
from sklearn.datasets import load_iris
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from fastdnn import DNNClassifier, DNNRegressor
from fastdnn.models import documentation
from fastdnn.models.declarations import ROWS
from fastdnn.search import DNNSearchCV, HalvingDNNSearchCV
from fastdnn.tables import TableEncoder, TabularDNNClassifier, TabularDNNRegressor

ALL = {
    "fastdnn.DNNClassifier": DNNClassifier,
    "fastdnn.DNNRegressor": DNNRegressor,
    "fastdnn.tables.TabularDNNClassifier": TabularDNNClassifier,
    "fastdnn.tables.TabularDNNRegressor": TabularDNNRegressor,
    "fastdnn.tables.TableEncoder": TableEncoder,
}
SEARCHES = {
    f"fastdnn.search.{kind.__name__}": partial(kind, DNNClassifier(), {"alpha": [1e-3]})
    for kind in (DNNSearchCV, HalvingDNNSearchCV)
}
VERSION = tuple(int(part) for part in sklearn.__version__.split(".")[:2])
describes = pytest.mark.skipif(
    VERSION < (1, 9), reason="scikit-learn describes parameters and attributes from 1.9 on"
)


@pytest.fixture
def stated(monkeypatch):
    """Let the package's metadata state an address."""
    monkeypatch.setattr(documentation, "documentation_url", lambda: "https://docs.test/1.0")


@pytest.mark.parametrize("name", ALL | SEARCHES)
def test_a_diagram_links_to_the_page_of_the_class(name, stated):
    text = (ALL | SEARCHES)[name]()._repr_html_()
    assert f"https://docs.test/1.0/generated/{name}.html" in text


@describes
@pytest.mark.parametrize("path", ALL)
def test_each_parameter_has_a_description_and_a_link(path, stated):
    text = " ".join(ALL[path]()._repr_html_().split())
    page = f"https://docs.test/1.0/generated/{path}.html"
    for name in ALL[path]().get_params():
        assert f'href="{page}#:~:text={name},-' in text, name
        assert f"{name}: " in text, name


@describes
@pytest.mark.parametrize("Estimator", [DNNClassifier, DNNRegressor])
def test_the_descriptions_are_those_that_are_declared(Estimator, stated):
    text = re.sub(r"(<br>|\s)+", " ", Estimator()._repr_html_())
    for row in ROWS:
        if Estimator.__name__ in row.estimators:
            assert html.escape(row.text) in text, row.name


@describes
def test_fitted_attributes_are_described(stated):
    X, y = load_iris(return_X_y=True)
    model = DNNClassifier((3,), max_iter=1, tol=1e9, random_state=0)
    with pytest.warns(UserWarning):
        model.fit(X, y)
    text = " ".join(model._repr_html_().split())
    for name in ("classes_", "coefs_", "loss_", "n_iter_", "n_layers_", "out_activation_"):
        assert f"#:~:text={name},-" in text, name


def test_in_a_pipeline(stated):
    text = make_pipeline(StandardScaler(), DNNClassifier())._repr_html_()
    assert "https://docs.test/1.0/generated/fastdnn.DNNClassifier.html" in text


def test_a_class_of_the_users_own_has_no_page(stated):
    class Mine(DNNClassifier):
        pass

    assert Mine()._get_doc_link() == ""
    assert "docs.test" not in Mine()._repr_html_()


@pytest.mark.parametrize(
    ("stated_urls", "expected"),
    [
        (["Documentation, https://a.test/b/"], "https://a.test/b"),
        (["Source, https://c.test", "Documentation, https://a.test"], "https://a.test"),
        (["Source, https://c.test"], ""),
        (None, ""),
    ],
)
def test_the_address_is_that_of_the_packages_metadata(stated_urls, expected, monkeypatch):
    class Metadata:
        def get_all(self, name):
            assert name == "Project-URL"
            return stated_urls

    monkeypatch.setattr(importlib.metadata, "metadata", lambda name: Metadata())
    assert documentation.documentation_url.__wrapped__() == expected


def test_a_copy_that_is_not_installed_has_none(monkeypatch):
    def raising(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "metadata", raising)
    assert documentation.documentation_url.__wrapped__() == ""
    monkeypatch.setattr(documentation, "documentation_url", lambda: "")
    assert DNNClassifier()._repr_html_()
