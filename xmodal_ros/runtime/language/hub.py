"""Loading of language models in the hub's format, from a folder or by name; errors name the file.

No code of a model is run that `transformers` does not have itself, and no pickle is opened.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from xmodal_ros.core.errors import BundleError, DeviceError

CONFIG, WEIGHTS, INDEX = "config.json", "model.safetensors", "model.safetensors.index.json"
TOKENIZER_CONFIG = "tokenizer_config.json"
TOKENIZERS = ("tokenizer.json", "tokenizer.model", "vocab.json", "vocab.txt")
"""Any of these holds a vocabulary."""
_NAME = re.compile(r"[\w.-]+(/[\w.-]+)?")


def load_language_model(source: str, device: str, precision: str) -> tuple[Any, Any]:
    """A causal language model, or an image-text-to-text one, and its tokenizer.

    Args:
        source: A folder, or a name on the hub.
        device: "auto", "cpu", "cuda", "cuda:N" or "spread".
        precision: "auto", "fp32" or "bf16".

    Returns:
        The model in evaluation mode, without gradients, and the tokenizer.

    Raises:
        BundleError: a file is missing or damaged, or the hub cannot be reached.
        DeviceError: the device, or a package, is not there.
    """
    try:
        import transformers
    except ImportError:
        raise DeviceError(
            "transformers is not installed",
            where="language model",
            do="Run: pip install -r requirements/language.txt",
        ) from None
    import torch
    from safetensors import SafetensorError
    from transformers.utils import logging

    quiet: Any = logging.disable_progress_bar  # untyped
    quiet()  # loading takes seconds at most, and nodes write logs
    folder = Path(source)
    if folder.is_dir():
        check_folder(folder)
    elif folder.exists() or not _NAME.fullmatch(source):
        raise BundleError("there is no such folder", where=source, do="Check the path")
    placed = _device(device)
    kind = {"fp32": torch.float32, "bf16": torch.bfloat16}.get(precision)
    if kind is None:
        kind = torch.float32 if placed == "cpu" else torch.bfloat16
    try:
        config = transformers.AutoConfig.from_pretrained(source, trust_remote_code=False)
        sees = type(config) in transformers.MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING
        auto: Any = (
            transformers.AutoModelForImageTextToText if sees else transformers.AutoModelForCausalLM
        )
        model, loaded = auto.from_pretrained(
            source,
            dtype=kind,
            device_map="auto" if placed == "spread" else None,
            use_safetensors=True,
            output_loading_info=True,
            trust_remote_code=False,
        )
        tokenizer = transformers.AutoTokenizer.from_pretrained(source, trust_remote_code=False)
    except (ImportError, OSError, ValueError, RuntimeError, SafetensorError) as error:
        raise _unloaded(source, folder.is_dir(), error) from error
    lacking = sorted(loaded["missing_keys"])
    if lacking:
        raise BundleError(
            f"{len(lacking)} tensors are missing from the weights, first {lacking[0]}",
            where=source,
            expected="the weights of the whole model",
        )
    if placed != "spread":
        model = model.to(placed)
    return model.eval().requires_grad_(False), tokenizer


def check_folder(folder: Path) -> None:
    """Refuse a folder that lacks a file of a model.

    Raises:
        BundleError: names the files.
    """
    missing = [name for name in (CONFIG, TOKENIZER_CONFIG) if not (folder / name).is_file()]
    if not any((folder / name).is_file() for name in TOKENIZERS):
        missing.append(" or ".join(TOKENIZERS))
    if (folder / INDEX).is_file():
        missing += [name for name in _shards(folder) if not (folder / name).is_file()]
    elif not (folder / WEIGHTS).is_file():
        missing.append(WEIGHTS)
    if missing:
        pickled = any(folder.glob("*.bin"))
        hint = " Weights in pickle files (.bin) can run code and are not opened." * pickled
        raise BundleError(
            f"{', '.join(missing)} {'is' if len(missing) == 1 else 'are'} missing",
            where=str(folder),
            expected="a language model as `save_pretrained` writes it",
            do=f"Copy the whole folder again.{hint}",
        )


def _shards(folder: Path) -> list[str]:
    path = folder / INDEX
    try:
        names = json.loads(path.read_text(encoding="utf-8"))["weight_map"].values()
        return sorted(set(names))
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        raise BundleError(f"is not readable ({error!r})", where=str(path)) from error


def _device(asked: str) -> str:
    import importlib.util

    import torch

    there = torch.cuda.is_available()
    if asked == "auto":
        return "cuda" if there else "cpu"
    if asked == "spread":
        if importlib.util.find_spec("accelerate") is None:
            raise DeviceError(
                "accelerate is not installed",
                where="language.device",
                do="Run: pip install -r requirements/language.txt",
            )
        return asked
    known = ["cpu", *(["cuda"] * there), *(f"cuda:{k}" for k in range(torch.cuda.device_count()))]
    if asked not in known:
        raise DeviceError(
            f"no device '{asked}'",
            where="language.device",
            expected="one of " + ", ".join(["auto", "spread", *known]),
        )
    return asked


def _unloaded(source: str, local: bool, error: Exception) -> BundleError:
    why = " ".join(str(error).split())
    if local:
        return BundleError(f"cannot be loaded ({why})", where=source, do="Copy it again")
    return BundleError(
        f"is no folder here, and cannot be had from the hub ({why})",
        where=source,
        do="Check the name and the network, or name a folder that has the model",
    )
