"""Makes the environment a make target needs, then runs a command in it.

    python3 tools/setup_env.py EXTRA [COMMAND ...]

EXTRA is a key of EXTRAS, which names files of requirements/. XMODAL_VENV=DIR puts the environment
elsewhere, for several clones; XMODAL_ROS=kilted takes another release's wheels; the Python that
runs this is the one the environment gets. A step that is done leaves a stamp with the
hash of its inputs, and a call does the steps whose stamp does not fit: it may be stopped at any
moment. Needs nothing but the standard library.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from environment import Environment
from machine import SetupError, check_python, choose_ros, install_missing
from progress import CommandFailed

ROOT = Path(__file__).resolve().parents[1]
EXTRAS = {
    "runtime": ("runtime",),
    "language": ("runtime", "language"),
    "sim": ("runtime", "sim"),
    "demo": ("runtime", "sim", "datasets", "trees"),
    "train": ("runtime", "datasets", "train", "language"),
    "bench": ("runtime", "sim", "datasets", "train", "language", "trees", "bench"),
    "test": ("runtime", "sim", "datasets", "train", "language", "trees", "test"),
}


def main(arguments: list[str]) -> int:
    """Set up, then become the command; returns the exit code of a set-up without one."""
    if not arguments or arguments[0] not in EXTRAS:
        print(f"usage: setup_env.py {{{','.join(EXTRAS)}}} [COMMAND ...]", file=sys.stderr)
        return 2
    extra, *command = arguments
    try:
        check_python(sys.version_info[:2])
        ros = choose_ros(os.environ)
        venv = Path(os.environ.get("XMODAL_VENV") or ROOT / ros.default_folder).absolute()
        environment = Environment(ROOT, venv, ros, EXTRAS[extra])
        if environment.pending():
            install_missing(ros)
            environment.bring_up()
        environment.use_here()
    except (SetupError, CommandFailed, OSError) as error:
        print(f"\nset-up: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nset-up: interrupted; the next call goes on from here", file=sys.stderr)
        return 130
    if command:
        os.execvpe(command[0], command, environment.variables())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
