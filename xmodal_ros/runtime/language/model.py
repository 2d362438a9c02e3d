"""A frozen language model that reads latents in the middle of its prompt and answers in text."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from xmodal_ros.core.errors import UserError

END, LENGTH = "end", "length"
MARKER = "<|sensors|>"
"""Where the latents go in a prompt that is still text."""
PLAIN = MARKER + "\nQuestion: {question}\nAnswer:"
"""The prompt of a tokenizer without a chat template."""
LONGEST_TOKEN = 64
"""Characters per token that no text reaches: a prompt is not tokenized only to be refused."""

Listener = Callable[[str], None]
Stop = Callable[[], str]
"""Why to stop now; empty to go on."""


class PromptError(UserError):
    """A question that a language model cannot be asked."""


@dataclass(frozen=True)
class Answer:
    """What a language model said."""

    text: str
    probabilities: tuple[float, ...]
    """Of each token, the one that ends the answer among them."""
    ended: str
    """"end", "length", or why it was stopped."""

    @property
    def confidence(self) -> float:
        """Least probability of its tokens: one wrong word makes an answer wrong. 0 without any."""
        return min(self.probabilities, default=0.0)


class LanguageModel:
    """Asks a model of `transformers`; its weights never change.

    Args:
        model: A `PreTrainedModel` that takes `inputs_embeds`.
        tokenizer: Its own, a `PreTrainedTokenizerBase`.
    """

    def __init__(self, model: Any, tokenizer: Any) -> None:
        self.model = model.eval().requires_grad_(False)
        self.tokenizer = tokenizer
        self.embed = model.get_input_embeddings()
        self.hidden: int = self.embed.weight.shape[1]
        text = model.config.get_text_config()
        self.positions: int = getattr(text, "max_position_embeddings", None) or 2**31
        """Most tokens of latents, prompt and answer together."""
        ends = getattr(model.generation_config, "eos_token_id", None)
        ends = tokenizer.eos_token_id if ends is None else ends
        self.ends: list[int] = ends if isinstance(ends, list) else [] if ends is None else [ends]

    def prompt(self, question: str, latents: int) -> tuple[list[int], list[int]]:
        """Tokens before and after the latents.

        Args:
            question: Any text.
            latents: How many there are.

        Raises:
            PromptError: it is empty, too long, or has control tokens of the model.
        """
        if not question.strip():
            raise PromptError("is empty", where="question", expected="a question")
        control = [token for token in self.tokenizer.all_special_tokens if token in question]
        if control:
            raise PromptError(
                f"has '{control[0]}', which controls the language model",
                where="question",
                expected="text",
            )
        if len(question) > LONGEST_TOKEN * self.positions:
            raise PromptError(
                f"has {len(question)} characters",
                where="question",
                expected=f"a question that fits into {self.positions} tokens",
            )
        text = PLAIN.replace("{question}", question)
        if self.tokenizer.chat_template:
            said = [{"role": "user", "content": f"{MARKER}\n{question}"}]
            text = self.tokenizer.apply_chat_template(
                said, tokenize=False, add_generation_prompt=True
            )
        parts = text.partition(MARKER)[::2]
        # A template writes its own control tokens.
        add = not self.tokenizer.chat_template
        before = self.tokenizer(parts[0], add_special_tokens=add)["input_ids"]
        after = self.tokenizer(parts[1], add_special_tokens=False)["input_ids"]
        used = latents + len(before) + len(after)
        if used >= self.positions:
            raise PromptError(
                f"has {len(after)} tokens",
                where="question",
                expected=f"at most {self.positions - used + len(after) - 1}",
                do="Ask in fewer words",
            )
        return before, after

    @torch.inference_mode()
    def answer(
        self,
        question: str,
        latents: Tensor,
        max_tokens: int,
        listener: Listener | None = None,
        stop: Stop = lambda: "",
    ) -> list[Answer]:
        """Ask one question about each example of a batch.

        Args:
            question: Of all examples.
            latents: From a `Reader`; none of them asks blindly. Shape: (batch, L, hidden).
            max_tokens: Longest answer.
            listener: Is given the text as it comes, of a batch of one.
            stop: Asked after every token.

        Raises:
            PromptError: see `prompt`.
        """
        from transformers import StoppingCriteriaList

        before, after = self.prompt(question, latents.shape[1])
        ends = [self._embedded(ids).expand(len(latents), -1, -1) for ids in (before, after)]
        read = torch.cat([ends[0], latents.to(ends[0]), ends[1]], dim=1)
        stopped = _Stopped(stop)
        made = self.model.generate(
            inputs_embeds=read,
            attention_mask=torch.ones(read.shape[:2], dtype=torch.long, device=read.device),
            max_new_tokens=min(max_tokens, self.positions - read.shape[1]),
            do_sample=False,
            num_beams=1,
            temperature=None,
            top_p=None,
            top_k=None,
            pad_token_id=self.ends[0] if self.ends else 0,
            return_dict_in_generate=True,
            output_logits=True,
            streamer=self._streamer(listener) if listener else None,
            stopping_criteria=StoppingCriteriaList([stopped]),
        )
        logits = torch.stack(made.logits, dim=1).float()  # (B, T, vocabulary)
        said = made.sequences[:, -logits.shape[1] :]
        chosen = logits.softmax(2).gather(2, said[..., None])[..., 0]  # (B, T)
        return [
            self._answer(ids, p, stopped.why)
            for ids, p in zip(said.tolist(), chosen.tolist(), strict=True)
        ]

    def _embedded(self, ids: list[int]) -> Tensor:
        device = self.embed.weight.device
        embedded: Tensor = self.embed(torch.tensor([ids], dtype=torch.long, device=device))
        return embedded

    def _answer(self, ids: list[int], probabilities: list[float], why: str) -> Answer:
        places = [k for k, token in enumerate(ids) if token in self.ends]
        if places:
            ids, probabilities, why = ids[: places[0]], probabilities[: places[0] + 1], END
        text = self.tokenizer.decode(ids, skip_special_tokens=True).strip()
        return Answer(text, tuple(probabilities), why or LENGTH)

    def _streamer(self, listener: Listener) -> Any:
        from transformers import TextStreamer

        class Streamer(TextStreamer):
            """Gives whole words to the listener."""

            def on_finalized_text(self, text: str, stream_end: bool = False) -> None:
                if text:
                    listener(text)

        return Streamer(self.tokenizer, skip_prompt=True, skip_special_tokens=True)


class _Stopped:
    """A stopping criterion of `generate` that remembers why."""

    def __init__(self, stop: Stop) -> None:
        self.stop, self.why = stop, ""

    def __call__(self, ids: Tensor, scores: Any, **kwargs: Any) -> Tensor:
        self.why = self.why or self.stop()
        return torch.full((len(ids),), bool(self.why), device=ids.device)
