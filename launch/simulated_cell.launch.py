"""Starts the simulated robot cell and the perception node: a robot without hardware.

ros2 launch xmodal_ros simulated_cell.launch.py autonomous:=false
"""

from pathlib import Path

from ament_index_python.packages import get_package_share_directory
from launch import LaunchContext, LaunchDescription, LaunchDescriptionEntity
from launch.actions import (
    DeclareLaunchArgument,
    IncludeLaunchDescription,
    OpaqueFunction,
    SetLaunchConfiguration,
)
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node

from xmodal_ros.core.declare import describe
from xmodal_ros.sim.live_settings import RunSettings

SHARE = Path(get_package_share_directory("xmodal_ros"))
ARGUMENTS = ("seed", "autonomous", "lock_step")
TRUTH = {"true": True, "false": False}
STREAMS = "camera_wrist,tactile_left,tactile_right,imu,lidar"
"""What the installed bundle was trained with; perception's camera is then the one at the hand."""


def generate_launch_description() -> LaunchDescription:
    """Both nodes on the simulated clock; arguments of perception.launch.py are passed on."""
    docs = {row.name: row.doc for row in describe(RunSettings)}
    return LaunchDescription(
        [
            DeclareLaunchArgument("namespace", default_value="", description="of all nodes"),
            DeclareLaunchArgument(
                "cell_settings",
                default_value="simulated_cell.yaml",
                description="parameter file of the cell; a bare name is one of this package's "
                "config folder, empty for none",
            ),
            *(
                DeclareLaunchArgument(
                    name, default_value="", description=f"{docs[name]}; empty for the settings'"
                )
                for name in ARGUMENTS
            ),
            DeclareLaunchArgument("streams", default_value=STREAMS, description=docs["streams"]),
            OpaqueFunction(function=_cell),
            IncludeLaunchDescription(
                str(SHARE / "launch" / "perception.launch.py"),
                launch_arguments={"use_sim_time": "true"}.items(),
            ),
        ]
    )


def _cell(context: LaunchContext) -> list[LaunchDescriptionEntity]:
    """The cell, in lock-step with the node of the same namespace where that is asked for."""
    streams = LaunchConfiguration("streams").perform(context)
    at_hand = "camera_wrist" in streams and "camera" not in context.launch_configurations
    given = {name: LaunchConfiguration(name).perform(context) for name in ARGUMENTS}
    values = {name: TRUTH.get(text, text) for name, text in given.items() if text}
    if "seed" in values:
        values["seed"] = int(values["seed"])
    settings = LaunchConfiguration("cell_settings").perform(context)
    namespace = LaunchConfiguration("namespace").perform(context).strip("/")
    perception = f"/{namespace}/perception" if namespace else "/perception"
    return [
        *([SetLaunchConfiguration("camera", "camera_wrist/image_raw")] if at_hand else []),
        Node(
            package="xmodal_ros",
            executable="simulated_cell",
            namespace=namespace,
            output="screen",
            parameters=[
                *([str(_file(settings))] if settings else []),
                {"clock": True, "perception": perception, "streams": streams, **values},
            ],
        ),
    ]


def _file(settings: str) -> Path:
    return SHARE / "config" / settings if settings == Path(settings).name else Path(settings)
