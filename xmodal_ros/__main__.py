"""The `xmodal` command with all its parts, those that need ROS among them."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Sequence

from xmodal_ros import demo
from xmodal_ros.cli import app
from xmodal_ros.core.errors import UserError


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; a user's mistake is told in one line, with exit code 2."""
    demo.register(app)
    if importlib.util.find_spec("rclpy"):
        from xmodal_ros.ros.commands import register

        register(app)
    try:
        app(arguments, prog_name="xmodal")
    except UserError as error:
        from rich.console import Console
        from rich.text import Text

        Console(stderr=True, soft_wrap=True).print(Text(str(error), style="red"))
        sys.exit(2)


if __name__ == "__main__":
    main()
