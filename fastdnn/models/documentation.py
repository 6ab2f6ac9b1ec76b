"""Where the documentation of a class is, for the diagrams that scikit-learn makes in HTML."""

import functools
import importlib.metadata
import sys
from itertools import accumulate

_PACKAGE = "fastdnn"


@functools.cache
def documentation_url() -> str:
    """Return the address of the documentation, which the package's metadata states; or ''."""
    try:
        urls = importlib.metadata.metadata(_PACKAGE).get_all("Project-URL") or []
    except importlib.metadata.PackageNotFoundError:  # a copy that is not installed
        return ""
    stated = dict(url.split(", ", 1) for url in urls)
    return str(stated.get("Documentation", "")).rstrip("/")


class DocumentationLink:
    """What the estimators inherit: a link to their page, and to each parameter on it.

    scikit-learn shows what the docstring says of a parameter with the link, and only then.
    """

    # Of scikit-learn, for its own estimators.
    _doc_link_module = _PACKAGE

    def _get_doc_link(self) -> str:
        url, name = documentation_url(), _public_name(type(self))
        return f"{url}/generated/{name}.html" if url and name else ""


def _public_name(kind: type) -> str:
    """Return by what name users import a class, or '' if it is not of this package."""
    if kind.__module__.partition(".")[0] != _PACKAGE:
        return ""
    rooms = accumulate(kind.__module__.split("."), "{}.{}".format)
    for room in rooms:
        if kind.__name__ in getattr(sys.modules[room], "__all__", ()):
            return f"{room}.{kind.__name__}"
    return ""
