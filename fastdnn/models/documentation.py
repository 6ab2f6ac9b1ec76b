"""Where the documentation of a class is, for the diagrams that scikit-learn makes in HTML."""

import functools
import importlib.metadata
from typing import Any

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
        kind: Any = type(self)
        url = documentation_url()
        is_own = kind.__module__.partition(".")[0] == _PACKAGE
        return f"{url}/generated/{_PACKAGE}.{kind.__name__}.html" if url and is_own else ""
