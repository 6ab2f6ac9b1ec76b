"""Files that were damaged, or made to do damage, give a clear error and cost no memory."""

import json
import os
import random
import sys
import tracemalloc

import numpy as np
import pytest

import fastdnn
from fastdnn import ModelFileError
from fastdnn.storage import checked_json
from scripts.corrupt_files import corrupt, damaged, parts_of, sealed, with_document, write_anew
from tests.model_files import FOLDER

# Every kind of file has a part that others have not.
GOLDEN = {path.stem: path.read_bytes() for path in sorted(FOLDER.glob("*.safetensors"))}
BINARY = GOLDEN["binary"]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "hostile.safetensors"


def refuse(path, content, match):
    """Assert that a content is refused, by name, with advice, and without much memory."""
    write_anew(path, content)
    tracemalloc.start()
    try:
        with pytest.raises(ModelFileError, match=match) as caught:
            fastdnn.load(path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    message = str(caught.value)
    assert message.startswith(f"Cannot load {str(path)!r}: ")
    assert message.isprintable()
    assert message.isascii()
    assert "Use an intact copy" in message or "newer fastdnn" in message
    assert peak < 2**20 + 40 * len(content)


def test_a_sealed_file_is_the_file():
    # So the files below are refused for what was changed, not for how that was done.
    for content in GOLDEN.values():
        assert sealed(*parts_of(content)) == content


def test_an_edit_that_changes_nothing_loads(path):
    for content in GOLDEN.values():
        write_anew(path, with_document(content, lambda header, document: None))
        fastdnn.load(path)


def test_random_damage(tmp_path):
    outcomes = corrupt(1000, 20, tmp_path)
    assert outcomes["refused"] > 300
    assert outcomes["loaded"] > 20


def test_no_damage_goes_unnoticed_where_it_is_not_sealed(path):
    draw = random.Random(1)
    for content in GOLDEN.values():
        for _ in range(20):
            changed = bytearray(content)
            changed[draw.randrange(len(changed))] ^= 1 << draw.randrange(8)
            refuse(path, bytes(changed), "Cannot load")


def test_flipped_bits_are_noticed_all_along_a_file(path):
    content = min(GOLDEN.values(), key=len)
    for position in range(0, len(content), 3):
        changed = bytearray(content)
        changed[position] ^= 1 << (position % 8)
        write_anew(path, changed)
        with pytest.raises(ModelFileError):
            fastdnn.load(path)


def test_truncations_are_noticed_all_along_a_file(path):
    for size in range(0, len(BINARY), 2):
        write_anew(path, BINARY[:size])
        with pytest.raises(ModelFileError):
            fastdnn.load(path)


def test_the_script_damages_in_a_way_that_can_be_repeated():
    first, second = (damaged(random.Random(7), BINARY) for _ in range(2))
    assert first == second != BINARY


# -- containers ----------------------------------------------------------------------------

HEADER, PAYLOAD = parts_of(BINARY)


def edited(edit, content=BINARY):
    """Return a sealed file whose safetensors header was edited."""
    return with_document(content, lambda header, document: edit(header))


def entry(name, **changes):
    return edited(lambda header: header[name].update(changes))


def renamed(old, new):
    return edited(lambda header: header.update({new: header.pop(old)}))


CONTAINERS = {
    "empty": (b"", "length of a header"),
    "seven bytes": (b"\x10" + b"\0" * 6, "length of a header"),
    "zeros": (bytes(100), "length of a header"),
    "a huge header": (b"\xff" * 8 + HEADER + PAYLOAD, "length of a header"),
    "a header of 2**62": ((2**62).to_bytes(8, "little") + HEADER, "length of a header"),
    "a header longer than the file": (
        (len(HEADER) + len(PAYLOAD) + 1).to_bytes(8, "little") + HEADER + PAYLOAD,
        "length of a header",
    ),
    "a header too long to parse": (
        sealed(HEADER[:-1] + b" " * 2**20 + b"}", b""),
        "length of a header",
    ),
    "a pickle": (b"\x80\x04cos\nsystem\n(S'true'\ntR.", "length of a header"),
    "text": (b"\x05\0\0\0\0\0\0\0hello", "header is not valid"),
    "no UTF-8": (sealed(b'{"\xff"}', b""), "header is not valid"),
    "an empty object": (sealed(b"{}", b""), "lacks '__metadata__'"),
    "a list": (sealed(b"[]", b""), "type object"),
    "null": (sealed(b"null", b""), "type object"),
    "deep lists": (sealed(b"[" * 10_000 + b"]" * 10_000, b""), "nested"),
    "deep objects": (sealed(b'{"a":' * 10_000 + b"1" + b"}" * 10_000, b""), "nested"),
    "deep lists without an end": (sealed(b"[" * 1_000_000, b""), "nested"),
    "many brackets": (sealed(b"[" + b"[]," * 100_000 + b"[]]", b""), "type object"),
    "NaN": (sealed(HEADER.replace(b"[0,24]", b"[NaN,24]", 1), PAYLOAD), "NaN is not JSON"),
    "Infinity": (
        sealed(HEADER.replace(b"[0,24]", b"[0,Infinity]", 1), PAYLOAD),
        "Infinity is not JSON",
    ),
    "a number of many digits": (
        sealed(HEADER.replace(b"[0,24]", b"[0," + b"9" * 10_000 + b"]", 1), PAYLOAD),
        "header is not valid",
    ),
    "a key twice": (
        sealed(b'{"a":1,' + HEADER[1:].rstrip()[:-1] + b',"a":1}', PAYLOAD),
        "'a' twice",
    ),
    "a tensor twice": (
        sealed(HEADER.rstrip()[:-1] + b"," + HEADER[HEADER.index(b'"classes"') :], PAYLOAD),
        "'classes' twice",
    ),
    "the metadata twice": (
        sealed(HEADER.rstrip()[:-1] + b"," + HEADER[1:], PAYLOAD),
        "'__metadata__' twice",
    ),
    "something after the header": (sealed(HEADER.rstrip() + b"{}", PAYLOAD), "not valid"),
    "a part that is missing": (
        edited(lambda header: header["classes"].pop("shape")),
        "'classes' lacks 'shape'",
    ),
    "a part too many": (entry("classes", more=1), "'more', which is unknown"),
    "a tensor that is a number": (edited(lambda header: header.update(classes=3)), "classes"),
    "an unknown type": (entry("classes", dtype="F128"), "dtype"),
    "a type that is a number": (entry("classes", dtype=64), "dtype"),
    "another type": (entry("classes", dtype="U64"), "uint64.*needs int64"),
    "another type of floats": (entry("coefs.0", dtype="I32"), "int32.*needs float32"),
    "a size that is negative": (entry("classes", shape=[-2]), "shape"),
    "a size with a point": (entry("classes", shape=[2.0]), "type integer"),
    "a size that is true": (entry("classes", shape=[True, 2]), "type integer"),
    "a size that is text": (entry("classes", shape=["2"]), "type integer"),
    "a size of 2**62": (entry("classes", shape=[2**62]), "does not lie where it should"),
    "a size of 2**64": (entry("classes", shape=[2**64]), "or less"),
    "sizes whose product overflows": (entry("coefs.0", shape=[2**62, 2**62]), "does not lie"),
    "sizes whose product is small in 64 bits": (
        entry("coefs.0", shape=[2**33, 2**33]),
        "does not lie",
    ),
    "three sizes": (entry("coefs.0", shape=[3, 4, 1]), "2 items or fewer"),
    "sizes exchanged": (entry("coefs.0", shape=[4, 3]), r"shape \(4, 3\).*\(3, 4\)"),
    "a scalar": (entry("classes", shape=[]), "does not lie"),
    "offsets exchanged": (entry("classes", data_offsets=[40, 24]), "does not lie"),
    "one offset": (entry("classes", data_offsets=[24]), "2 items or more"),
    "three offsets": (entry("classes", data_offsets=[24, 32, 40]), "2 items or fewer"),
    "offsets out of the file": (
        entry("classes", data_offsets=[2**40, 2**40 + 16]),
        "does not",
    ),
    "offsets below zero": (entry("classes", data_offsets=[-8, 8]), "or more"),
    "offsets that overlap": (entry("classes", data_offsets=[0, 16]), "does not lie"),
    "a gap": (sealed(HEADER, PAYLOAD + b"\0"), "describes.*bytes"),
    "a missing end": (sealed(HEADER, PAYLOAD[:-1]), "describes.*bytes"),
    "a tensor that is missing": (
        sealed(
            json.dumps(
                {k: v for k, v in json.loads(HEADER).items() if k != "optimizer.memory"}
            ).encode(),
            PAYLOAD[: json.loads(HEADER)["optimizer.memory"]["data_offsets"][0]],
        ),
        "'optimizer.memory' is missing",
    ),
    "a tensor too many": (
        edited(
            lambda header: header.update(
                more={"dtype": "U8", "shape": [0], "data_offsets": [len(PAYLOAD)] * 2}
            )
        ),
        "'more' does not belong",
    ),
    "a tensor of another name": (renamed("coefs.0", "coefs.00"), "coefs"),
    "a tensor of another alphabet": (renamed("coefs.0", "\u0441oefs.0"), "coefs"),
    "a name of control characters": (renamed("coefs.0", "\x1b[31m\r\n"), "coefs|x1b"),
    "a name of many characters": (renamed("coefs.0", "c" * 100_000), "coefs|ccc"),
    "a name of half a character": (renamed("coefs.0", "\ud800"), "coefs|ud800"),
    "no digest": (edited(lambda header: header["__metadata__"].pop("sha256")), "sha256"),
    "a wrong digest": (HEADER and BINARY[:-1] + b"\1", "digest"),
    "a digest that is no text": (
        edited(lambda header: header["__metadata__"].update(sha256=1)),
        "type string",
    ),
    "a short digest": (
        BINARY[:8] + HEADER.replace(b'"sha256":"', b'"sha256":"0', 1)[: len(HEADER)] + PAYLOAD,
        "sha256|not valid",
    ),
}


@pytest.mark.parametrize("name", CONTAINERS)
def test_a_container_is_refused(name, path):
    refuse(path, *CONTAINERS[name])


# -- what is said of the file --------------------------------------------------------------


def about(**changes):
    header = json.loads(HEADER)
    header["__metadata__"].update(changes)
    return sealed(json.dumps(header, separators=(",", ":")).encode(), PAYLOAD)


METADATA = {
    "of another library": (about(format="pt"), "not a model of fastdnn"),
    "without a format": (
        edited(lambda header: header["__metadata__"].pop("format")),
        "not a model of fastdnn",
    ),
    "of a newer format": (about(format_version="2", model="{}"), "version 2.*newer fastdnn"),
    "of a far newer format": (about(format_version="99999999", more="1"), "newer fastdnn"),
    "of format 0": (about(format_version="0"), "format_version"),
    "of format -1": (about(format_version="-1"), "format_version"),
    "of format 1.0": (about(format_version="1.0"), "format_version"),
    "of a format in other digits": (about(format_version="\u0661"), "format_version"),
    "of a format of many digits": (about(format_version="9" * 5000), "format_version"),
    "with more to it": (about(more="1"), "'more', which is unknown"),
    "by a strange version": (about(fastdnn_version="1; rm -rf /"), "fastdnn_version"),
    "without a model": (about(model=""), "what it says of its model is not valid"),
    "of a model of deep lists": (about(model="[" * 100_000), "nested"),
    "of a model with a key twice": (about(model='{"class":"a","class":"b"}'), "'class' twice"),
    "of a model of NaN": (about(model='{"class":NaN}'), "NaN is not JSON"),
    "of a model that is a list": (about(model="[]"), "class=None must be one of"),
}


@pytest.mark.parametrize("name", METADATA)
def test_a_file_is_refused(name, path):
    refuse(path, *METADATA[name])


# -- what is said of the model -------------------------------------------------------------


def change(kind, *keys_and_value):
    """Return a sealed file of a kind, whose document has another value somewhere."""
    *keys, last, value = keys_and_value

    def edit(header, document):
        for key in keys:
            document = document[key]
        document[last] = value

    return with_document(GOLDEN[kind], edit)


def _parameter(name, value, match=None):
    return "binary", ("parameters", name, value), match or name


def _fitted(kind, name, value, match=None):
    return kind, ("fitted", name, value), match or name


def _history(name, value, match=None):
    return "binary", ("fitted", "history", name, value), match or name


def _optimizer(name, value, match=None):
    return "binary", ("fitted", "optimizer", name, value), match or name


MODELS = [
    ("binary", ("class", "os.system"), "class='os.system' must be one of"),
    ("binary", ("class", ["DNNClassifier"]), "class="),
    ("binary", ("class", None), "class="),
    ("binary", ("class", "DNNRegressor"), "DNNRegressor|loss|parameters"),
    ("network", ("class", "DNNClassifier"), "lacks 'parameters'"),
    ("binary", ("__reduce__", "os.system"), "which is unknown"),
    ("binary", ("parameters", None), "type object"),
    ("binary", ("fitted", []), "type"),
    ("unfitted", ("fitted", {}), "lacks"),
    _parameter("alpha", "0.1"),
    _parameter("alpha", -1.0),
    _parameter("alpha", 10**400),
    _parameter("alpha", None),
    _parameter("alpha", {"float": "inf"}),
    _parameter("batch_size", 2.0),
    _parameter("batch_size", 0),
    _parameter("batch_size", 2**64),
    _parameter("activation", "softmax"),
    _parameter("activation", "RELU"),
    _parameter("solver", "eve"),
    _parameter("hidden_layer_sizes", [4, "5"]),
    _parameter("hidden_layer_sizes", [0]),
    _parameter("hidden_layer_sizes", [[4]]),
    _parameter("hidden_layer_sizes", {"$ref": "#"}),
    _parameter("n_iter_no_change", "nan"),
    _parameter("n_iter_no_change", 1.5),
    _parameter("random_state", 2**32),
    _parameter("random_state", -1),
    _parameter("random_state", {"position": 1}),
    _parameter(
        "random_state",
        {"position": 1, "has_gauss": 0, "cached_gaussian": 0.0},
        "random_state.key' is missing",
    ),
    _parameter("momentum", 2.0),
    _parameter("validation_fraction", 1.0),
    _parameter("shuffle", 1),
    _parameter("verbose", -1),
    _parameter("max_iter", True),
    _parameter("n_threads", 0),
    _parameter("dtype", "float16"),
    _parameter("loss", "poisson", "'loss', which is unknown"),
    _parameter("__class__", "DNNClassifier", "which is unknown"),
    ("names", ("parameters", "loss", "log_loss"), "loss"),
    *(
        ("strings_random_state", ("parameters", "random_state", name, value), name)
        for name, value in [
            ("position", 625),
            ("position", -1),
            ("position", 1.0),
            ("has_gauss", 2),
            ("cached_gaussian", "inf"),
            ("more", 1),
        ]
    ),
    _fitted("binary", "layer_sizes", [3, 1], "does not belong|coefs.0"),
    _fitted("binary", "layer_sizes", [3], "2 items or more"),
    _fitted("binary", "layer_sizes", [3, -4, 1]),
    _fitted("binary", "layer_sizes", [3, 4.0, 1]),
    _fitted("binary", "layer_sizes", [3, 2**62, 1], "tensor"),
    _fitted("binary", "layer_sizes", [3, 2**70, 1], "layer_sizes"),
    _fitted("binary", "layer_sizes", 2**62, "layer_sizes"),
    _fitted("binary", "layer_sizes", [1] * 1000, "tensor"),
    _fitted("binary", "layer_sizes", [4, 4, 1], "tensor"),
    _fitted("binary", "layer_sizes", [3, 4, 2], "2 classes do not go with 2 outputs"),
    _fitted("binary", "dtype", "float64", "needs float64"),
    _fitted("binary", "dtype", "object"),
    _fitted("binary", "out_activation", "softmax", "2 classes do not go"),
    _fitted("binary", "out_activation", "identity"),
    _fitted("binary", "multilabel", True, "2 classes do not go with 1 outputs"),
    _fitted("binary", "multilabel", 0),
    _fitted("binary", "classes", None, "type"),
    _fitted("binary", "classes", {"kind": "numbers", "dtype": "object", "count": 2}, "dtype"),
    _fitted("binary", "classes", {"kind": "numbers", "dtype": "int32", "count": 2}, "int32"),
    _fitted("binary", "classes", {"kind": "pickle", "width": 2, "count": 2}, "kind"),
    _fitted("binary", "classes", {"kind": "str", "width": 2**40, "count": 2}, "width"),
    _fitted("binary", "classes", {"kind": "str", "width": 2**29, "count": 2}, "classes"),
    _fitted("binary", "classes", {"kind": "str", "width": 0, "count": 2}, "width"),
    _fitted("binary", "classes", {"kind": "numbers", "dtype": "int64", "count": 0}, "count"),
    _fitted(
        "binary", "classes", {"kind": "numbers", "dtype": "int64", "count": 3}, "3 classes"
    ),
    _fitted("binary", "classes", {"kind": "numbers", "dtype": "int64", "count": 1}, "classes"),
    _fitted("binary", "feature_name_width", 5, "'feature_names' is missing"),
    _fitted("names", "feature_name_width", 2**29, "feature_names"),
    _fitted("names", "feature_name_width", None, "'feature_names' does not belong"),
    _fitted("names", "out_activation", "softmax"),
    _fitted("names", "classes", {"kind": "numbers"}, "unknown"),
    _fitted("sgd_momentum", "optimizer", None, "'optimizer.memory' does not belong"),
    _fitted(
        "lbfgs",
        "optimizer",
        {"name": "adam", "dtype": "float32", "learning_rate": 0.1, "t": 1},
        "'optimizer.memory' is missing",
    ),
    _optimizer("dtype", "float64", "float32.*needs float64"),
    _optimizer("dtype", "int64"),
    _optimizer("name", "gradient"),
    _optimizer("name", "momentum", "optimizer.memory"),
    _optimizer("learning_rate", "inf"),
    _optimizer("learning_rate", -0.1),
    _optimizer("t", -1, "[.]t=-1"),
    _optimizer("t", 2**63, "[.]t="),
    _optimizer("memory", [1], "unknown"),
    _history("n_losses", 4, "loss_curve"),
    _history("n_losses", 2**62, "loss_curve"),
    _history("n_scores", 1, "validation_scores"),
    _history("n_iter", -1),
    _history("t", 1.5, "[.]t="),
    _history("loss", "infinite"),
    _history("loss", None),
    _history("has_best_theta", True, "best_theta"),
    _history("early_stopping", "yes"),
    ("network", ("layer_sizes", [3, 4, 2]), "tensor|activation"),
    ("network", ("layer_sizes", []), "layer_sizes"),
    ("network", ("activations", ["tanh", "softmax"]), "activation"),
    ("network", ("activations", ["tanh", "relu", "eval"]), "activations"),
    ("network", ("activations", []), "activations"),
    ("network", ("loss", "mine"), "loss"),
    ("network", ("loss", "poisson"), "loss"),
    ("network", ("dtype", "float64"), "float64"),
    ("network", ("note", "mine"), "unknown"),
]


@pytest.mark.parametrize(("kind", "keys_and_value", "match"), MODELS)
def test_a_model_is_refused(kind, keys_and_value, match, path):
    refuse(path, change(kind, *keys_and_value), match)


def test_every_name_of_a_document_is_needed_and_no_other(path):
    for kind, content in GOLDEN.items():
        document = json.loads(json.loads(parts_of(content)[0])["__metadata__"]["model"])
        places = [
            (),
            ("parameters",),
            ("fitted",),
            ("fitted", "history"),
            ("fitted", "optimizer"),
        ]
        for keys in places:
            part = document
            for key in keys:
                part = part.get(key) if part else None
            for name in part or ():

                def remove(header, document, keys=keys, name=name):
                    for key in keys:
                        document = document[key]
                    del document[name]

                refuse(path, with_document(content, remove), "lacks|class=")
            if part:
                refuse(path, change(kind, *keys, "more", 1), "unknown")


# -- what the tensors hold -----------------------------------------------------------------


def with_numbers(kind, name, position, value):
    """Return a sealed file in which one number of a tensor is another."""
    header, payload = parts_of(GOLDEN[kind])
    tensor = json.loads(header)[name]
    types = {"F32": "<f4", "F64": "<f8", "U32": "<u4", "I64": "<i8", "BOOL": "u1", "U8": "u1"}
    begin, end = tensor["data_offsets"]
    numbers = np.frombuffer(payload[begin:end], types[tensor["dtype"]]).copy()
    numbers[position] = value
    return sealed(header, payload[:begin] + numbers.tobytes() + payload[end:])


NUMBERS = [
    ("binary", "coefs.0", 3, np.nan, "coefs.0 has NaN"),
    ("binary", "coefs.1", 0, np.inf, "coefs.1 has NaN"),
    ("bytes_float64", "intercepts.0", 0, -np.inf, "intercepts.0 has NaN"),
    ("binary", "optimizer.memory", 1, np.nan, "optimizer.memory has NaN"),
    ("binary", "optimizer.memory", -1, -1.0, "second moment below zero"),
    ("sgd_momentum", "optimizer.memory", 0, np.inf, "optimizer.memory has NaN"),
    ("binary", "classes", 0, 5, "ascending"),
    ("binary", "classes", 1, -4, "ascending"),
    ("sparse", "classes", 1, np.nan, "classes has NaN"),
    ("sparse", "classes", 2, 0.0, "ascending"),
    ("binary_bool", "classes", 1, 2, "truth values"),
    ("binary_bool", "classes", 1, 0, "ascending"),
    ("strings_early_stopping", "classes", 0, 0x110000, "characters that do not exist"),
    ("strings_early_stopping", "classes", 0, 2**32 - 1, "characters that do not exist"),
    ("strings_early_stopping", "classes", 0, ord("z"), "ascending"),
    ("bytes_float64", "classes", 0, ord("z"), "ascending"),
    ("names", "feature_names", 0, 0x110000, "characters that do not exist"),
    ("strings_random_state", "random_state.key", slice(None), 0, "all zeros"),
    ("network", "coefs.0", 0, np.nan, "coefs.0 has NaN"),
]


@pytest.mark.parametrize(("kind", "name", "position", "value", "match"), NUMBERS)
def test_numbers_are_refused(kind, name, position, value, match, path):
    refuse(path, with_numbers(kind, name, position, value), match)


def test_other_numbers_are_another_model(path):
    write_anew(path, with_numbers("binary", "coefs.0", 3, 0.25))
    assert fastdnn.load(path).coefs_[0].ravel()[3] == 0.25


# -- what is no file -----------------------------------------------------------------------


def test_a_file_that_is_missing(path):
    with pytest.raises(ModelFileError, match=r"No such file.*Give the path of a file"):
        fastdnn.load(path)


def test_a_name_that_no_file_can_have(path):
    with pytest.raises(ModelFileError, match="null"):
        fastdnn.load(f"{path}\0")
    with pytest.raises(ModelFileError, match="null"):
        fastdnn.DNNRegressor().save(f"{path}\0")


def test_a_folder(path):
    with pytest.raises(ModelFileError, match=r"regular file|directory|denied"):
        fastdnn.load(path.parent)


@pytest.mark.skipif(os.name != "posix", reason="files of POSIX")
def test_pipes_and_devices_are_not_waited_for(path):
    os.mkfifo(path)
    for other in (path, "/dev/zero", "/dev/null"):
        with pytest.raises(ModelFileError, match="not a regular file"):
            fastdnn.load(other)


@pytest.mark.skipif(os.name != "posix", reason="links of POSIX")
def test_a_link_to_itself(path):
    path.symlink_to(path)
    with pytest.raises(ModelFileError, match="Cannot load"):
        fastdnn.load(path)
    with pytest.raises(ModelFileError, match="Cannot save"):
        fastdnn.DNNRegressor().save(path)


def test_a_file_that_may_not_be_read(path, monkeypatch):
    def refuse_to_open(*_):
        raise PermissionError(13, "Permission denied")

    write_anew(path, BINARY)
    monkeypatch.setattr(os, "open", refuse_to_open)
    with pytest.raises(ModelFileError, match=r"Permission denied.*may read"):
        fastdnn.load(path)


def test_a_file_that_ends_while_it_is_read(path, monkeypatch):
    write_anew(path, BINARY)
    cut_off = os.fstat

    def fstat(descriptor):
        status = cut_off(descriptor)
        os.truncate(path, len(BINARY) - 5)
        return status

    monkeypatch.setattr(os, "fstat", fstat)
    with pytest.raises(ModelFileError, match="ends early"):
        fastdnn.load(path)


# -- JSON ----------------------------------------------------------------------------------


def test_depth_counts_brackets_but_not_those_in_strings():
    text = json.dumps({"a": "[" * 100, "b": '\\"[[[[' * 9, "c": [["]}"]]})
    assert checked_json.parse(text) == json.loads(text)


def test_depth_does_not_depend_on_the_recursion_limit():
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(10**6)
    try:
        with pytest.raises(ValueError, match="nested"):
            checked_json.parse("[" * 500_000)
        with pytest.raises(ValueError, match=r"nested|JSON|Expecting|Unterminated"):
            checked_json.parse('"\\"' + "[" * 500_000)
    finally:
        sys.setrecursionlimit(limit)


@pytest.mark.parametrize(
    ("schema", "right", "wrong"),
    [
        ({"type": "integer"}, [0, -1, 2**80], [True, 1.0, "1", None, [1]]),
        ({"type": "integer", "minimum": 3, "maximum": 5}, [3, 5], [2, 6]),
        ({"type": "number"}, [0, 0.5, -1e308], [True, "1", float("inf"), 10**400]),
        ({"type": "number", "minimum": 0}, [0, 0.5], [-0.5, -1]),
        ({"type": "boolean"}, [True, False], [0, 1, "true"]),
        ({"type": "null"}, [None], [0, False, ""]),
        ({"type": "string", "enum": ["a", "inf"]}, ["a", "inf"], ["A", "", None, ["a"], {}]),
        ({"type": "string", "pattern": "^[a-f]{1,2}$"}, ["a", "ff"], ["g", "abc", "a\n", 1]),
        ({"type": "array", "items": {"type": "null"}}, [[], [None]], [[1], {}, None]),
        ({"type": "array", "minItems": 1, "maxItems": 2}, [[1], [1, 2]], [[], [1, 2, 3]]),
        ({"anyOf": [{"type": "null"}, {"type": "string"}]}, [None, "a"], [1, []]),
        (
            {
                "type": "object",
                "properties": {"a": {"type": "null"}, "b": {"type": "null"}},
                "required": ["a"],
                "additionalProperties": False,
            },
            [{"a": None}, {"a": None, "b": None}],
            [{}, {"b": None}, {"a": 1}, {"a": None, "c": None}, [], ["a"]],
        ),
        (
            {"type": "object", "additionalProperties": {"type": "string"}},
            [{}, {"a": "b"}],
            [{"a": 1}, "a"],
        ),
    ],
)
def test_a_schema_is_kept_to(schema, right, wrong):
    for value in right:
        checked_json.check(value, schema, "value")
    for value in wrong:
        with pytest.raises(ValueError, match=r"value|'a'"):
            checked_json.check(value, schema, "value")
