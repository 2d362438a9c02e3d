"""The miniature's tokenizer and decoder, trained here, written in the hub's format."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from xmodal_ros.train.language.settings import DecoderSettings

START, USER, ASSISTANT, END = "<|start|>", "<|user|>", "<|assistant|>", "<|end|>"
_TEMPLATE = (
    START + "{% for message in messages %}"
    "{{ '" + USER + "' if message['role'] == 'user' else '" + ASSISTANT + "' }}"
    "{{ message['content'] }}{% endfor %}"
    "{% if add_generation_prompt %}" + ASSISTANT + "{% endif %}"
)


def make_tokenizer(texts: Iterable[str], size: int) -> Any:
    """Train byte-pair encoding on texts; bytes make any script readable.

    Args:
        texts: All that the decoder is to say and to be asked.
        size: Most tokens, at least 260.

    Returns:
        A tokenizer of `transformers` with a chat template.
    """
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    inner = Tokenizer(models.BPE())
    inner.normalizer = normalizers.Lowercase()
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    inner.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        special_tokens=[START, USER, ASSISTANT, END],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    inner.train_from_iterator(texts, trainer)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=inner,
        bos_token=START,
        eos_token=END,
        pad_token=END,
        additional_special_tokens=[USER, ASSISTANT],
    )
    tokenizer.chat_template = _TEMPLATE
    return tokenizer


def make_decoder(settings: DecoderSettings, tokenizer: Any) -> Any:
    """A Llama of that size with random weights."""
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=settings.width,
        intermediate_size=3 * settings.width,
        num_hidden_layers=settings.depth,
        num_attention_heads=settings.heads,
        max_position_embeddings=settings.positions,
        tie_word_embeddings=True,
        initializer_range=settings.width**-0.5,  # the usual 0.02 is for widths of thousands
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return LlamaForCausalLM(config)


def save_decoder(folder: Path, model: Any, tokenizer: Any) -> None:
    """Write both as `save_pretrained` does."""
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
