"""The documents that are made by a program are up to date, and their links lead somewhere."""

import re
import subprocess
import sys

import pytest

from xmodal_ros.core.declare import describe
from xmodal_ros.core.settings import SyncSettings

DOCUMENTS = (
    "api", "messages", "architecture", "simulation", "datasets", "inertial", "pretraining",
    "training", "experiments", "alignment", "language", "lidar", "search", "teaching", "pipelines",
    "picking", "calibration", "robots",
)  # fmt: skip
PAGES = ["README.md", *(f"docs/{name}.md" for name in DOCUMENTS)]


def test_generated_tables_are_up_to_date(repository):
    result = subprocess.run(
        [sys.executable, repository / "tools" / "generate_docs.py", "--check"],
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stdout


def test_every_setting_is_in_the_readme(repository):
    readme = (repository / "README.md").read_text()
    for row in describe(SyncSettings, "sync."):
        assert f"`{row.name}`" in readme
        assert row.doc in readme


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(repository, page):
    path = repository / page
    for link in re.findall(r"\]\(([^)#]+)\)", path.read_text()):
        assert (path.parent / link).exists(), link
