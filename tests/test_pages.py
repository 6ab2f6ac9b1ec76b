"""Pages in a real browser, as wide as a phone and as a desktop: the site's, and diagrams."""

import re
from contextlib import nullcontext

import pytest
import sklearn
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from fastdnn import DNNClassifier, DNNRegressor
from fastdnn.models import documentation
from fastdnn.tables import TabularDNNClassifier, TabularDNNRegressor
from scripts import look_at_pages

pytestmark = pytest.mark.skipif(
    bool(look_at_pages.why_not()), reason=f"no browser: {look_at_pages.why_not()}"
)
ADDRESS = "https://docs.test/1.0"
HEAD = '<!doctype html><meta name="viewport" content="width=device-width"><title>.</title>'
# A square.
PICTURE = (
    "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' width='9' height='9'/%3E"
)


@pytest.fixture(scope="module")
def viewer():
    """A browser for all tests here."""
    with look_at_pages.viewer() as looking:
        yield looking


@pytest.fixture
def page(tmp_path):
    """Return a function that writes a page and returns its path."""

    def of_body(body, head=HEAD):
        path = tmp_path / "page.html"
        path.write_text(f"{head}<body>{body}</body>", encoding="utf-8")
        return path

    return of_body


def test_a_page_in_order_has_no_problems(viewer, page):
    body = f'<p>text</p><img src="{PICTURE}"><script src="https://a.test/b.js"></script>'
    assert viewer.problems(page(body)) == []


def test_what_scrolls_by_itself_is_not_too_wide(viewer, page):
    body = '<div style="overflow-x: auto"><p style="width: 2000px">wide</p></div>'
    assert viewer.problems(page(body)) == []


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (
            '<p class="a b" style="width: 600px">text',
            r'on a phone <p class="a b"> reaches 6\d\d of 390',
        ),
        ('<img src="gone.png">', "gone.png cannot be loaded"),
        ('<script src="gone.js"></script>', "gone.js cannot be loaded"),
        ('<img src="data:image/png;base64,AAAA">', "picture data:.* is not drawn"),
        ("<script>undefined.x</script>", "a script fails: .*undefined"),
        ("<script>console.error('oh')</script>", "a script says: oh"),
    ],
)
def test_each_fault_of_a_page_is_found_and_those_after_it_are_without(
    body, problem, viewer, page
):
    found = viewer.problems(page(body))
    assert any(re.search(problem, text) for text in found), found
    assert not any("desktop" in text for text in found)
    assert viewer.problems(page("")) == []


def test_a_page_that_is_not_made_for_phones_is_found(viewer, page):
    """A phone shows it as wide as a desktop, in tiny letters."""
    body = '<p style="width: 900px">text'
    assert viewer.problems(page(body)) != []
    assert viewer.problems(page("<p>text", head="<!doctype html>")) != []


def test_screenshots_are_as_wide_as_the_screens(viewer, page, tmp_path):
    viewer.problems(page("<p>text"), tmp_path / "shots")
    for screen, (width, height) in look_at_pages.SCREENS.items():
        png = (tmp_path / "shots" / f"page-{screen}.png").read_bytes()
        size = int.from_bytes(png[16:20], "big"), int.from_bytes(png[20:24], "big")
        assert size == (width, height)


def test_pages_are_named_with_their_problems(viewer, page, tmp_path, monkeypatch):
    monkeypatch.setattr(look_at_pages, "viewer", lambda: nullcontext(viewer))
    page('<img src="gone.png">')
    (tmp_path / "_static").mkdir()
    (tmp_path / "_static" / "part.html").write_text("<p>")
    assert look_at_pages.problems_of(tmp_path) == [
        "page.html: gone.png cannot be loaded",
        "page.html: the picture gone.png is not drawn",
    ]


# -- diagrams of estimators -----------------------------------------------------------------

MODELS = {
    "classifier": DNNClassifier(hidden_layer_sizes=(5,), alpha=0.5),
    "regressor": DNNRegressor(),
    "table classifier": TabularDNNClassifier(),
    "table regressor": TabularDNNRegressor(max_time=60),
    "pipeline": make_pipeline(StandardScaler(), DNNClassifier()),
}
shows_parameters = pytest.mark.skipif(
    tuple(map(int, sklearn.__version__.split(".")[:2])) < (1, 9),
    reason="scikit-learn describes parameters from 1.9 on",
)


@pytest.fixture
def stated(monkeypatch):
    """Let the package's metadata state an address."""
    monkeypatch.setattr(documentation, "documentation_url", lambda: ADDRESS)


@pytest.mark.parametrize("kind", MODELS)
def test_a_diagram_is_shown_and_fits_a_phone(kind, viewer, page, stated):
    assert viewer.problems(page(MODELS[kind]._repr_html_())) == []
    names = viewer.page.locator("label.sk-toggleable__label").all_inner_texts()
    assert type(MODELS[kind]).__name__ in names[0]


@shows_parameters
@pytest.mark.parametrize("kind", ["classifier", "table classifier"])
def test_a_diagram_opens_and_its_parameters_lead_to_the_documentation(
    kind, viewer, page, stated
):
    model = MODELS[kind]
    assert viewer.problems(page(model._repr_html_())) == []
    diagram = viewer.page
    links = diagram.locator("a.param-doc-link")
    assert not links.first.is_visible()
    diagram.locator("summary").first.click()
    assert links.first.is_visible()
    assert viewer.too_wide() == []
    name = documentation._public_name(type(model))
    expected = f"{ADDRESS}/generated/{name}.html"
    assert [link.get_attribute("href").split("#")[0] for link in links.all()] == (
        [expected] * len(model.get_params())
    )
    assert diagram.locator("a.sk-estimator-doc-link").first.get_attribute("href") == expected
