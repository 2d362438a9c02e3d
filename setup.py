"""Packaging for colcon. What the package needs: package.xml for apt, requirements/ for pip."""

from pathlib import Path

from setuptools import find_packages, setup

NAME = "xmodal_ros"


def shared(folder: str) -> list[tuple[str, list[str]]]:
    """Install `folder` with what is below it under share/."""
    files = [path for path in Path(folder).rglob("*") if path.is_file()]
    folders = sorted({path.parent for path in files})
    return [
        (f"share/{NAME}/{where}", [str(path) for path in files if path.parent == where])
        for where in folders
    ]


setup(
    name=NAME,
    version="0.1.0",
    description="Cross-modal perception for manipulators on ROS 2",
    license="Apache-2.0",
    maintainer="xmodal_ros maintainers",
    maintainer_email="maintainers@xmodal-ros.org",
    python_requires=">=3.10",
    packages=find_packages(include=[NAME, f"{NAME}.*"]),
    package_data={NAME: ["py.typed", "**/*.j2", "**/*.csv"]},
    data_files=[
        ("share/ament_index/resource_index/packages", [f"resource/{NAME}"]),
        (f"share/{NAME}", ["package.xml"]),
        *shared("launch"),
        *shared("config"),
        *shared("models"),
    ],
    entry_points={
        "console_scripts": [
            f"xmodal = {NAME}.__main__:main",
            f"perception = {NAME}.ros.node:main",
            f"describe = {NAME}.ros.describe:main",
            f"gel_camera = {NAME}.ros.gel_camera:main",
            f"simulated_cell = {NAME}.ros.simulated_cell:main",
        ]
    },
    zip_safe=False,
)
