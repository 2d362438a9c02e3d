from __future__ import annotations

import dataclasses
import importlib.util
import sys

import numpy as np
import pytest
import torch

from xmodal_ros.core.errors import DeviceError
from xmodal_ros.core.settings import InferenceSettings
from xmodal_ros.runtime.backends import onnxruntime as ort_backend
from xmodal_ros.runtime.backends import selection
from xmodal_ros.runtime.backends.base import ConversionCache, Target
from xmodal_ros.runtime.backends.selection import computes, create, select
from xmodal_ros.runtime.bundle import Bundle
from xmodal_ros.runtime.export import TOLERANCE, measure_backends, record_backends
from xmodal_ros.runtime.manifest import BackendRecord
from xmodal_ros.runtime.predictor import Predictor

ON_CPU = [("torch", "bf16"), ("openvino", "fp32"), ("openvino", "bf16"), ("onnxruntime", "fp32")]


def settings(backend: str = "auto", device: str = "cpu", precision: str = "auto"):
    return InferenceSettings(backend=backend, device=device, precision=precision, threads=1)


def predict(bundle: Bundle, inference: InferenceSettings, observations) -> list[dict]:
    with Predictor(bundle, inference) as predictor:
        answers = [predictor.predict(o) for o in observations]
    return [{n: h.probabilities for n, h in a.heads.items()} for a in answers]


@pytest.fixture(scope="module")
def observations(observe):
    return [observe(step) for step in range(3)] + [observe(1, ("tactile_left", "imu"))]


@pytest.fixture(scope="module")
def reference(bundle, observations):
    return predict(bundle, settings("torch", precision="fp32"), observations)


@pytest.mark.parametrize(("backend", "precision"), ON_CPU)
def test_agrees_with_torch_fp32_and_with_itself(
    bundle, observations, reference, backend, precision
):
    pytest.importorskip(backend)
    if not computes(precision):
        pytest.skip(f"this CPU does not compute in {precision}")
    found = predict(bundle, settings(backend, precision=precision), observations)
    again = predict(bundle, settings(backend, precision=precision), observations[::-1])[::-1]
    for ours, twice, theirs in zip(found, again, reference, strict=True):
        assert ours.keys() == theirs.keys()
        for head, probabilities in ours.items():
            np.testing.assert_allclose(probabilities, theirs[head], atol=TOLERANCE[precision])
            np.testing.assert_array_equal(probabilities, twice[head])
            assert probabilities.dtype == np.float32


@pytest.mark.parametrize("backend", ["torch", "openvino", "onnxruntime"])
def test_results_belong_to_the_caller(bundle, backend):
    pytest.importorskip(backend)
    with Predictor(bundle, settings(backend, precision="fp32")) as predictor:
        stage = predictor.encode["imu"]
        window = np.ones((1, 64, 6), np.float32)
        begun = stage(window)
        first = begun()
        kept = [x.copy() for x in first]
        stage(2 * window)()
        for ours, before in zip(first, kept, strict=True):
            np.testing.assert_array_equal(ours, before)
        assert all(a is b for a, b in zip(begun(), first, strict=True))


def test_openvino_computes_several_inputs_at_a_time(bundle):
    pytest.importorskip("openvino")
    windows = [np.full((1, 64, 6), value, np.float32) for value in range(7)]
    inference = InferenceSettings(backend="openvino", precision="fp32", threads=3)
    with Predictor(bundle, inference) as predictor:
        stage = predictor.encode["imu"]
        alone = [stage(window)() for window in windows]
        begun = [stage(window) for window in windows]  # more than there are requests
        assert len(stage.running) == 3
        for run, expected in reversed(list(zip(begun, alone, strict=True))):
            for ours, theirs in zip(run(), expected, strict=True):
                np.testing.assert_array_equal(ours, theirs)
        assert not stage.running
        assert len(stage.idle) == 3
        with pytest.raises(RuntimeError):
            stage(np.zeros((1, 3, 6), np.float32))
        np.testing.assert_array_equal(stage(windows[0])()[0], alone[0][0])


def test_graphs_are_converted_once(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    made = []

    def make(path):
        made.append(path)
        path.write_text("graph")
        path.with_suffix(".bin").write_text("weights")

    first = ConversionCache("key").get("stage", ("torch",), make, ".xml")
    again = ConversionCache("key").get("stage", ("torch",), make, ".xml")
    other = ConversionCache("another").get("stage", ("torch",), make, ".xml")
    assert first == again != other
    assert len(made) == 2
    assert (first.read_text(), first.with_suffix(".bin").read_text()) == ("graph", "weights")
    assert len(list(first.parent.iterdir())) == 4  # nothing half-written is left


def test_a_cache_that_cannot_be_written_is_named(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(DeviceError, match=r"graphs: converted graphs cannot be kept .*XDG_CACHE"):
        ConversionCache("key").get("stage", ("torch",), lambda path: None, ".onnx")


class TestSelect:
    RECORDS = (
        BackendRecord("torch", "cpu", "fp32", 0.0, True, 80.0),
        BackendRecord("torch", "cpu", "bf16", 0.2, False, 1.0),
        BackendRecord("openvino", "cpu", "fp32", 0.0, True, 14.0),
        BackendRecord("onnxruntime", "cpu", "fp32", 0.0, True, 15.0),
        BackendRecord("openvino", "cpu", "bf16", 0.001, True, 10.0),
    )

    @pytest.fixture(autouse=True)
    def no_gpu(self, monkeypatch):
        monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
        monkeypatch.setattr(selection, "missing_packages", lambda name: [])
        monkeypatch.setattr(selection, "computes", lambda precision: True)

    def chosen(self, **asked) -> tuple[str, str]:
        name, target = select(InferenceSettings(threads=3, **asked), self.RECORDS)
        assert (target.device, target.threads) == ("cpu", 3)
        return name, target.precision

    def test_auto_is_the_fastest_that_passed(self):
        assert self.chosen() == ("openvino", "bf16")
        assert self.chosen(precision="fp32") == ("openvino", "fp32")
        assert self.chosen(backend="onnxruntime") == ("onnxruntime", "fp32")
        assert self.chosen(backend="torch") == ("torch", "fp32")

    def test_auto_leaves_out_what_cannot_run_here(self, monkeypatch):
        monkeypatch.setattr(selection, "computes", lambda precision: precision != "bf16")
        assert self.chosen() == ("openvino", "fp32")
        monkeypatch.setattr(
            selection, "missing_packages", lambda n: ["openvino"] * (n == "openvino")
        )
        assert self.chosen() == ("onnxruntime", "fp32")

    def test_what_is_asked_for_by_name_is_used_whatever_the_check_said(self):
        assert self.chosen(backend="torch", precision="bf16") == ("torch", "bf16")

    def test_without_records_it_is_torch_fp32(self):
        assert select(InferenceSettings(), ()) == ("torch", Target("cpu", "fp32"))
        assert select(InferenceSettings(backend="openvino"), ())[0] == "openvino"

    @pytest.mark.parametrize(
        ("asked", "text"),
        [
            (
                {"device": "cuda"},
                "inference.device: cuda was asked for and PyTorch sees 0 CUDA devices. "
                "Set inference.device to auto or cpu, or check the driver with nvidia-smi",
            ),
            ({"device": "cuda:3"}, "inference.device: cuda:3 was asked for"),
            (
                {"device": "gpu"},
                "inference.device: got 'gpu'; expected auto, cpu, cuda or cuda:N",
            ),
            (
                {"backend": "onnxruntime", "precision": "bf16"},
                "inference.precision: onnxruntime has no bf16 on cpu; expected fp32",
            ),
            (
                {"precision": "fp16"},
                "inference.precision: torch has no fp16 on cpu; expected fp32 or bf16",
            ),
        ],
    )
    def test_what_is_not_there_is_an_error(self, asked, text):
        with pytest.raises(DeviceError) as caught:
            select(InferenceSettings(**asked), self.RECORDS)
        assert str(caught.value).startswith(text)

    def test_a_missing_package_is_named_with_its_extra(self, monkeypatch):
        monkeypatch.undo()
        monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
        find = importlib.util.find_spec
        monkeypatch.setattr(
            importlib.util, "find_spec", lambda n: None if n == "onnxscript" else find(n)
        )
        text = (
            "inference.backend: onnxruntime needs packages that are not installed: onnxscript. "
            r"Run: pip install onnxscript \(extra 'onnxruntime'\)"
        )
        with pytest.raises(DeviceError, match=text):
            select(InferenceSettings(backend="onnxruntime"), ())

    def test_with_a_gpu(self, monkeypatch):
        monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
        monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: False)
        assert select(InferenceSettings(), self.RECORDS) == ("torch", Target("cuda:0", "fp16"))
        asked = InferenceSettings(backend="onnxruntime", device="cuda:1")
        assert select(asked, ()) == ("onnxruntime", Target("cuda:1", "fp32"))
        assert select(InferenceSettings(device="cpu"), ())[1].device == "cpu"
        with pytest.raises(DeviceError, match="PyTorch sees 2 CUDA devices"):
            select(InferenceSettings(device="cuda:2"), ())
        with pytest.raises(DeviceError, match="openvino does not run on cuda; expected cpu"):
            select(InferenceSettings(backend="openvino", device="cuda"), ())


def test_onnxruntime_without_gpu_providers_is_an_error():
    pytest.importorskip("onnxruntime")
    text = "inference.device cuda:0: onnxruntime has no {}; expected onnxruntime-gpu"
    for precision, provider in (
        ("fp32", "CUDAExecutionProvider"),
        ("fp16", "TensorrtExecutionProvider"),
    ):
        with pytest.raises(DeviceError, match=text.format(provider)):
            create("onnxruntime", Target("cuda:0", precision), ConversionCache("key"))


def test_onnxruntime_on_a_gpu_prefers_the_fittest_provider():
    available = ["TensorrtExecutionProvider", "CUDAExecutionProvider", "CPUExecutionProvider"]
    names = {
        precision: [n for n, _ in ort_backend._providers(Target("cuda:1", precision), available)]
        for precision in ("fp32", "fp16")
    }
    assert names == {"fp32": available[1:], "fp16": available}


def test_export_measures_and_records(bundle, observe, tmp_path, monkeypatch):
    import shutil

    # Conversion is tested above; torch alone is enough here.
    only = {"torch": selection.BACKENDS["torch"]}
    monkeypatch.setattr("xmodal_ros.runtime.export.BACKENDS", only)
    folder = shutil.copytree(bundle.path, tmp_path / "copy")
    records = measure_backends(Bundle.load(folder), [observe(s) for s in range(2)], threads=1)
    assert (records[0].backend, records[0].precision, records[0].difference) == (
        "torch",
        "fp32",
        0,
    )
    for record in records:
        assert record.passed is (record.difference <= TOLERANCE[record.precision])
        assert 0 < record.milliseconds_p10 <= record.milliseconds <= record.milliseconds_p90
    loaded = record_backends(Bundle.load(folder), records)
    assert loaded.backends == records
    assert dataclasses.replace(loaded, backends=(), path=bundle.path) == bundle


def test_importing_the_runtime_loads_no_backend():
    import subprocess

    code = (
        "import sys, xmodal_ros.runtime.bundle, xmodal_ros.runtime.predictor; "
        "print([m for m in ('torch', 'openvino', 'onnxruntime', 'rclpy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_cuda_stage_copies_in_replays_and_copies_out():
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    module = torch.nn.Linear(4, 2).eval()
    backend = create("torch", Target("cuda:0", "fp32"), ConversionCache("key"))
    stage = backend.compile("stage", SimpleModule(module), (np.zeros((1, 4), np.float32),))
    for value in (1.0, -2.0):
        inputs = np.full((1, 4), value, np.float32)
        expected = module.cpu()(torch.from_numpy(inputs)).detach().numpy()
        np.testing.assert_allclose(stage(inputs)()[0], expected, atol=1e-4)


class SimpleModule(torch.nn.Module):
    """A module with a tuple of outputs, as stages have."""

    def __init__(self, inner: torch.nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor]:
        return (self.inner(x),)
