"""Converters are made known by a call, and by nothing else."""

import sys

import pytest

import fastdnn.onnx
from tests.processes import run_python


def test_neither_skl2onnx_nor_onnx_is_imported_before():
    run_python(
        "import sys, fastdnn, fastdnn.onnx\n"
        "wanted = {'onnx', 'skl2onnx', 'onnxruntime'}\n"
        "assert not wanted & set(sys.modules), wanted & set(sys.modules)\n"
        "fastdnn.onnx.register()\n"
        "fastdnn.onnx.register()\n"
        "assert 'skl2onnx' in sys.modules\n"
    )


def test_fastdnn_alone_does_not_import_the_room():
    run_python("import sys, fastdnn; assert 'fastdnn.onnx' not in sys.modules")


@pytest.mark.parametrize("call", ["register", "to_onnx"])
def test_without_skl2onnx(monkeypatch, call):
    monkeypatch.setitem(sys.modules, "skl2onnx", None)
    with pytest.raises(ImportError, match=r"needs skl2onnx, .*pip install 'fastdnn\[onnx\]'"):
        getattr(fastdnn.onnx, call)(*([None, None] if call == "to_onnx" else []))
