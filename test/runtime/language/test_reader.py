"""How streams are read and combined."""

import pytest
import torch

from xmodal_ros.runtime.language.reader import Reader
from xmodal_ros.runtime.language.settings import ReaderSettings, ReadingSettings

DIM, HIDDEN = 16, 24


@pytest.fixture
def make_reader():
    def make(**streams):
        torch.manual_seed(0)
        settings = ReaderSettings(latents=3, depth=1, heads=2, head_dim=8)
        return Reader(settings, streams, DIM, HIDDEN).eval()

    return make


@pytest.fixture
def encoded():
    torch.manual_seed(1)
    return {
        "camera": (torch.randn(2, 5, DIM), torch.randn(2, DIM)),
        "imu": (torch.randn(2, 7, DIM), torch.randn(2, DIM)),
    }


def read_alone(reader, tokens, embedding):
    """Latents of one stream, by hand: everything at unit length, the embedding first."""
    everything = torch.cat([embedding[:, None], tokens], dim=1)
    made = reader.resampler(everything / everything.norm(dim=2, keepdim=True))
    return made / made.norm(dim=2, keepdim=True)


def test_streams_are_read_one_after_the_other_at_unit_length(make_reader, encoded):
    """In the reader's own order, whatever that of what it is given."""
    reader = make_reader(camera=ReadingSettings(), imu=ReadingSettings())
    given = {name: encoded[name] for name in ("imu", "camera")}
    with torch.no_grad():
        both = torch.cat([read_alone(reader, *encoded[n]) for n in ("camera", "imu")], dim=1)
        torch.testing.assert_close(reader(given), reader.project(both * DIM**0.5))


def test_what_a_stream_gives_alone_stays_when_it_is_adapted_to_others(make_reader, encoded):
    reader = make_reader(camera=ReadingSettings(), imu=ReadingSettings())
    alone = {"camera": encoded["camera"]}
    with torch.no_grad():
        before = reader(alone), reader(encoded)
        reader.beside["camera"].weight.mul_(2.0)
        torch.testing.assert_close(reader(alone), before[0])
        torch.testing.assert_close(reader(encoded, adapted=False), before[1])
        camera, imu = (read_alone(reader, *encoded[n]) for n in ("camera", "imu"))
        expected = reader.project(torch.cat([2 * camera, imu], dim=1) * DIM**0.5)
        torch.testing.assert_close(reader(encoded), expected)


def test_an_absent_stream_leaves_the_others_as_they_are(make_reader, encoded):
    reader = make_reader(camera=ReadingSettings(), imu=ReadingSettings())
    with torch.no_grad():
        both = reader(encoded)
        torch.testing.assert_close(reader({"camera": encoded["camera"]}), both[:, :3])
        torch.testing.assert_close(reader({"imu": encoded["imu"]}), both[:, 3:])


def test_tokens_that_are_hidden_are_as_if_they_were_not_read(make_reader, encoded):
    whole = make_reader(imu=ReadingSettings())
    embedding_alone = make_reader(imu=ReadingSettings(tokens=False))
    with torch.no_grad():
        hidden = whole(encoded, {"imu": torch.zeros(2, 7)})
        torch.testing.assert_close(hidden, embedding_alone(encoded))
        assert not torch.allclose(hidden, whole(encoded))


def test_the_scale_of_what_encoders_give_does_not_matter(make_reader, encoded):
    reader = make_reader(camera=ReadingSettings(), imu=ReadingSettings())
    larger = {name: (9 * tokens, 9 * each) for name, (tokens, each) in encoded.items()}
    with torch.no_grad():
        torch.testing.assert_close(reader(larger), reader(encoded))
