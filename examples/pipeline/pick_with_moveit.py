"""Grasp at one place after another until a grasp holds, and lift there: MoveIt and `assess_grasp`.

Written for the Panda of MoveIt's tutorials; started by a launch file that gives this node the
parameters of MoveItPy, beside the perception node.
"""

from collections.abc import Sequence

import rclpy
from geometry_msgs.msg import PoseStamped
from moveit.planning import MoveItPy

from xmodal_ros.ros.client import Perception

ARM, HAND, LINK = "panda_arm", "hand", "panda_link8"
HEIGHTS_M = (0.50, 0.48, 0.46)


def go(robot: MoveItPy, group: str, **goal: object) -> None:
    """Plan and execute a motion of a group to a goal of `set_goal_state`."""
    part = robot.get_planning_component(group)
    part.set_start_state_to_current_state()
    part.set_goal_state(**goal)
    plan = part.plan()
    if not plan:
        raise RuntimeError(f"{group}: no plan to {goal}")
    robot.execute(plan.trajectory, controllers=[])


def pick(robot: MoveItPy, perception: Perception, grasps: Sequence[PoseStamped]) -> bool:
    """Try one grasp after another; whether one held, and the object was lifted."""
    for grasp in grasps:
        go(robot, HAND, configuration_name="open")
        go(robot, ARM, pose_stamped_msg=grasp, pose_link=LINK)
        go(robot, HAND, configuration_name="close")
        answer = perception.assess_grasp(timeout_s=2.0, min_confidence=0.8)
        print(answer.message)
        if answer.holds:
            go(robot, ARM, configuration_name="ready")
            return True
    go(robot, HAND, configuration_name="open")
    return False


def place(height_m: float) -> PoseStamped:
    """A grasp from above, so high over the robot's foot."""
    pose = PoseStamped()
    pose.header.frame_id = "panda_link0"
    pose.pose.position.x, pose.pose.position.z = 0.4, height_m
    pose.pose.orientation.x = 1.0
    return pose


def main() -> None:
    """Pick once."""
    rclpy.init()
    perception = Perception(rclpy.create_node("pick"))
    pick(MoveItPy(node_name="moveit_py"), perception, [place(h) for h in HEIGHTS_M])


if __name__ == "__main__":
    main()
