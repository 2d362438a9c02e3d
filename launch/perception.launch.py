"""Starts the perception node, sensor topics in, predictions out, and on request `describe`.

ros2 launch xmodal_ros perception.launch.py settings:=gripper.yaml camera:=/wrist/image_raw
"""

from pathlib import Path

import launch_ros.events.lifecycle as lifecycle
from ament_index_python.packages import get_package_share_directory
from launch import LaunchContext, LaunchDescription, LaunchDescriptionEntity
from launch.actions import (
    DeclareLaunchArgument,
    EmitEvent,
    OpaqueFunction,
    RegisterEventHandler,
    SetEnvironmentVariable,
)
from launch.conditions import IfCondition
from launch.event_handlers import OnProcessStart
from launch.events import matches_action
from launch.substitutions import EnvironmentVariable, LaunchConfiguration
from launch_ros.actions import LifecycleNode, Node
from launch_ros.event_handlers import OnStateTransition
from lifecycle_msgs.msg import Transition

from xmodal_ros.core.declare import describe
from xmodal_ros.core.settings import DEFAULT_STREAMS, InferenceSettings

CONFIG = Path(get_package_share_directory("xmodal_ros"), "config")
PROFILE_VARIABLES = ("FASTRTPS_DEFAULT_PROFILES_FILE", "FASTDDS_DEFAULT_PROFILES_FILE")
INFERENCE = ("bundle", "backend", "device")


def generate_launch_description() -> LaunchDescription:
    """The node, its arguments and its way through the lifecycle."""
    docs = {row.name: row.doc for row in describe(InferenceSettings)}
    profile = EnvironmentVariable(
        PROFILE_VARIABLES[0],
        default_value=EnvironmentVariable(
            PROFILE_VARIABLES[1], default_value=str(CONFIG / "fastdds.xml")
        ),
    )
    return LaunchDescription(
        [
            DeclareLaunchArgument("namespace", default_value="", description="of node and topics"),
            DeclareLaunchArgument(
                "settings",
                default_value="",
                description="parameter file, for all nodes ('/**:'): what is keyed 'perception:' "
                "does not reach describe; a bare name is one of this package's config folder",
            ),
            *(
                DeclareLaunchArgument(
                    name, default_value="", description=f"{docs[name]}; empty for the settings'"
                )
                for name in INFERENCE
            ),
            *(
                DeclareLaunchArgument(
                    stream.name, default_value=stream.topic, description="topic of this stream"
                )
                for stream in DEFAULT_STREAMS
            ),
            DeclareLaunchArgument(
                "language",
                default_value="",
                description="folder of a describer: starts the node describe, which answers "
                "questions with it; empty for none",
            ),
            DeclareLaunchArgument(
                "autostart",
                default_value="true",
                description="configure and activate the node once it runs",
            ),
            DeclareLaunchArgument(
                "use_sim_time",
                default_value="",
                description="take time from /clock: true or false; empty for the settings'",
            ),
            DeclareLaunchArgument(
                "lock_step",
                default_value="",
                description="acknowledge each message, for who waits for it: true or false; empty "
                "for the settings'",
            ),
            DeclareLaunchArgument(
                "fastdds_profile",
                default_value=profile,
                description="Fast DDS profile of the processes that are started; empty for none",
            ),
            OpaqueFunction(function=_profile),
            OpaqueFunction(function=_node),
        ]
    )


def _profile(context: LaunchContext) -> list[LaunchDescriptionEntity]:
    """The profile's variables, of both releases."""
    profile = LaunchConfiguration("fastdds_profile").perform(context)
    return [SetEnvironmentVariable(name, profile) for name in PROFILE_VARIABLES if profile]


def _node(context: LaunchContext) -> list[LaunchDescriptionEntity]:
    """The nodes with the parameters that were given, so that the others stay the settings'."""
    names = ("settings", "use_sim_time", "lock_step", *INFERENCE)
    given = {name: LaunchConfiguration(name).perform(context) for name in names}
    settings, sim_time = given.pop("settings"), given.pop("use_sim_time")
    lock_step = given.pop("lock_step")
    file = str(CONFIG / settings) if settings == Path(settings).name else settings
    parameters = [
        *([file] if settings else []),
        {f"inference.{name}": value for name, value in given.items() if value},
        *([{"use_sim_time": sim_time == "true"}] if sim_time else []),
    ]
    common = {
        "package": "xmodal_ros",
        "namespace": LaunchConfiguration("namespace"),
        "output": "screen",
        "remappings": [(s.topic, LaunchConfiguration(s.name)) for s in DEFAULT_STREAMS],
    }
    step = [{"output.lock_step": lock_step == "true"}] if lock_step else []
    node = LifecycleNode(
        executable="perception", name="perception", parameters=[*parameters, *step], **common
    )
    language = LaunchConfiguration("language").perform(context)
    asked = {"language.path": language}
    describe = Node(
        executable="describe",
        name="describe",
        parameters=[*parameters, asked],
        sigterm_timeout="30",  # s; of the lowest priority, it is slow to end where others compute
        **common,
    )
    configure, activate = (
        EmitEvent(
            event=lifecycle.ChangeState(
                lifecycle_node_matcher=matches_action(node), transition_id=transition
            )
        )
        for transition in (Transition.TRANSITION_CONFIGURE, Transition.TRANSITION_ACTIVATE)
    )
    autostart = IfCondition(LaunchConfiguration("autostart"))
    return [
        RegisterEventHandler(
            OnStateTransition(
                target_lifecycle_node=node,
                start_state="configuring",
                goal_state="inactive",
                entities=[activate],
                handle_once=True,
            ),
            condition=autostart,
        ),
        RegisterEventHandler(
            OnProcessStart(target_action=node, on_start=[configure]), condition=autostart
        ),
        node,
        *([describe] if language else []),
    ]
