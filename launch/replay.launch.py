"""Plays a recording into the perception node, on the recording's clock, and ends with it.

ros2 launch xmodal_ros replay.launch.py recording:=demo.mcap

Topics are played under the names they were recorded with: a node in a namespace is told them, as
in `camera:=/camera/image_raw`. Arguments of perception.launch.py are passed on.
"""

from pathlib import Path

from ament_index_python.packages import get_package_share_directory
from launch import LaunchDescription
from launch.actions import (
    DeclareLaunchArgument,
    ExecuteProcess,
    IncludeLaunchDescription,
    RegisterEventHandler,
    Shutdown,
)
from launch.substitutions import LaunchConfiguration
from launch_ros.event_handlers import OnStateTransition
from launch_ros.substitutions import ExecutableInPackage

LAUNCH = Path(get_package_share_directory("xmodal_ros"), "launch")


def generate_launch_description() -> LaunchDescription:
    """The node, and the player once the node is active."""
    play = ExecuteProcess(
        cmd=[
            ExecutableInPackage(package="xmodal_ros", executable="xmodal"),
            "play",
            LaunchConfiguration("recording"),
            "--rate",
            LaunchConfiguration("rate"),
        ],
        output="screen",
        on_exit=Shutdown(reason="the recording has ended"),
    )
    return LaunchDescription(
        [
            DeclareLaunchArgument("recording", description="rosbag2 recording, sqlite3 or MCAP"),
            DeclareLaunchArgument(
                "rate", default_value="1.0", description="recorded seconds per second"
            ),
            RegisterEventHandler(
                OnStateTransition(goal_state="active", entities=[play], handle_once=True)
            ),
            IncludeLaunchDescription(
                str(LAUNCH / "perception.launch.py"),
                launch_arguments={"use_sim_time": "true"}.items(),
            ),
        ]
    )
