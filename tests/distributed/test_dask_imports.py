"""What is said where Dask, or a client, is not there."""

import sys

import pytest

from fastdnn.distributed.dask_imports import client_or_default, dask_module


def test_a_client_is_needed():
    pytest.importorskip("distributed")
    with pytest.raises(ValueError, match=r"client=None stands for .* but there is none"):
        client_or_default(None)
    with pytest.raises(TypeError, match=r"client=3 must be a dask\.distributed\.Client"):
        client_or_default(3)


def test_a_client_that_does_not_wait_is_refused():
    distributed = pytest.importorskip("distributed")

    class NotWaiting(distributed.Client):
        asynchronous = True

        def __repr__(self):
            return "NotWaiting()"

    client = object.__new__(NotWaiting)
    with pytest.raises(ValueError, match="asynchronous"):
        client_or_default(client)


def test_dask_is_needed(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ImportError, match=r'pip install "fastdnn\[dask\]"'):
        dask_module("distributed")
