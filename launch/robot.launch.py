"""Starts gel cameras and perception of a robot's arms, a process and a namespace for each arm.

ros2 launch xmodal_ros robot.launch.py robot:=ur_gelsight.yaml

The other sensors' drivers are the robot's own: their topics are in the robot's file.
"""

from pathlib import Path

from ament_index_python.packages import get_package_share_directory
from launch import LaunchContext, LaunchDescription, LaunchDescriptionEntity
from launch.actions import DeclareLaunchArgument, OpaqueFunction
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node

from xmodal_ros.drivers.robot_file import choose, load_robot

ROBOTS = Path(get_package_share_directory("xmodal_ros"), "config", "robots")


def generate_launch_description() -> LaunchDescription:
    """A process per arm, and the arguments."""
    return LaunchDescription(
        [
            DeclareLaunchArgument(
                "robot",
                description="YAML file of the robot; a bare name is one of this package's "
                "config/robots folder",
            ),
            DeclareLaunchArgument(
                "arms", default_value="", description="with commas between; empty for all"
            ),
            DeclareLaunchArgument(
                "autostart",
                default_value="true",
                description="configure and activate the nodes; else a lifecycle manager does",
            ),
            DeclareLaunchArgument(
                "use_sim_time", default_value="false", description="take time from /clock"
            ),
            OpaqueFunction(function=_arms),
        ]
    )


def _arms(context: LaunchContext) -> list[LaunchDescriptionEntity]:
    """One process for each arm that is wanted; a wrong file ends the launch with its reason."""
    names = ("robot", "arms", "autostart", "use_sim_time")
    robot, wanted, autostart, sim_time = (
        LaunchConfiguration(name).perform(context) for name in names
    )
    path = ROBOTS / robot if robot == Path(robot).name else Path(robot)
    arms = load_robot(path)
    chosen = (
        [choose(arms, name.strip()) for name in wanted.split(",")] if wanted else arms.values()
    )
    start = "--autostart" if autostart == "true" else "--no-autostart"
    return [
        Node(
            package="xmodal_ros",
            executable="xmodal",
            arguments=["robot", str(path), "--arm", arm.namespace, start],
            parameters=[{"use_sim_time": sim_time == "true"}],
            output="screen",
        )
        for arm in chosen
    ]
