"""The language model: prompts, probabilities, batches."""

import copy

import pytest
import torch

from xmodal_ros.runtime.language.model import PLAIN, LanguageModel, PromptError

QUESTION = "what is it?"


@pytest.fixture(scope="module")
def language(describer):
    return describer.language


def latents(language, count=1):
    torch.manual_seed(1)
    return torch.randn(count, 4, language.hidden)


def test_a_prompt_has_the_latents_where_the_chat_template_puts_what_the_user_says(language):
    before, after = language.prompt(QUESTION, 4)
    assert language.tokenizer.decode(before) == "<|start|><|user|>"
    assert language.tokenizer.decode(after).split() == ["what", "is", "it?<|assistant|>"]


def test_a_tokenizer_without_a_chat_template_gets_a_plain_prompt(language):
    tokenizer = copy.deepcopy(language.tokenizer)
    tokenizer.chat_template = None
    plain = LanguageModel(language.model, tokenizer)
    before, after = plain.prompt(QUESTION, 4)
    text = tokenizer.decode([*before, *after]).lower().split()
    assert text == PLAIN.partition("\n")[2].format(question=QUESTION).lower().split()
    assert plain.answer(QUESTION, latents(plain), 3)[0].probabilities


def test_probabilities_are_those_of_a_forward_pass_over_the_whole_answer(language):
    read = latents(language)
    [answer] = language.answer(QUESTION, read, 6)
    before, after = (torch.tensor([ids]) for ids in language.prompt(QUESTION, 4))
    whole = torch.cat([language.embed(before), read, language.embed(after)], dim=1)
    expected = []
    with torch.no_grad():
        for _ in answer.probabilities:
            last = language.model(inputs_embeds=whole, use_cache=False).logits[0, -1].softmax(0)
            expected.append(last.max().item())
            whole = torch.cat([whole, language.embed(last.argmax().view(1, 1))], dim=1)
    assert answer.probabilities == pytest.approx(expected, rel=1e-4)
    assert answer.confidence == min(answer.probabilities)


def test_a_batch_gives_what_each_gives_alone(language):
    read = latents(language, 3)
    together = language.answer(QUESTION, read, 6)
    alone = [language.answer(QUESTION, read[k : k + 1], 6)[0] for k in range(3)]
    assert [a.text for a in together] == [a.text for a in alone]
    for one, other in zip(together, alone, strict=True):
        assert one.probabilities == pytest.approx(other.probabilities, rel=1e-4)


def test_latents_matter_and_none_can_be_left_out(language):
    first, second = language.answer(QUESTION, latents(language, 2), 6)
    assert first.probabilities != second.probabilities
    blind = language.answer(QUESTION, latents(language)[:, :0], 6)[0]
    assert blind.probabilities != first.probabilities


def test_an_answer_ends_where_the_model_ends_it(language):
    ended = LanguageModel(language.model, language.tokenizer)
    ended.ends = list(range(300))  # any token
    [cut] = ended.answer(QUESTION, latents(language), 6)
    assert (cut.text, cut.ended, len(cut.probabilities)) == ("", "end", 1)


def test_it_stops_for_a_reason_and_keeps_what_it_said(language):
    asked = []

    def stop():
        asked.append(0)
        return "tired" if len(asked) == 3 else ""

    [answer] = language.answer(QUESTION, latents(language), 6, stop=stop)
    assert (answer.ended, len(answer.probabilities)) == ("tired", 3)


def test_the_longest_question_that_fits_leaves_room_for_an_answer(language):
    def fits(words):
        try:
            language.prompt("a " * words, 4)
        except PromptError:
            return False
        return True

    longest = next(words for words in range(200) if not fits(words + 1) and words)
    [answer] = language.answer("a " * longest, latents(language), 6)
    assert 1 <= len(answer.probabilities) < 6
    assert answer.ended == "length"
