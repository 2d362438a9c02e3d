// A behaviour of BehaviorTree.CPP that succeeds where the grasp will hold: a plugin for
// behaviortree_ros2, to be loaded with RegisterRosNode. Use it as in pick.xml.

#include <cmath>
#include <string>
#include <vector>

#include "behaviortree_ros2/bt_action_node.hpp"
#include "behaviortree_ros2/plugins.hpp"
#include "xmodal_msgs/action/assess_grasp.hpp"

class AssessGrasp : public BT::RosActionNode<xmodal_msgs::action::AssessGrasp>
{
public:
  using RosActionNode::RosActionNode;

  static BT::PortsList providedPorts()
  {
    return providedBasicPorts({
      BT::InputPort<double>("timeout_s", 2.0, "longest wait for a decision"),
      BT::InputPort<double>("min_confidence", 0.0, "0.5 to 1; 0: the bundle's own"),
      BT::OutputPort<double>("probability", "that the grasp holds"),
    });
  }

  bool setGoal(Goal & goal) override
  {
    double timeout_s = 2.0, min_confidence = 0.0;
    getInput("timeout_s", timeout_s);
    getInput("min_confidence", min_confidence);
    goal.timeout.sec = static_cast<int32_t>(std::floor(timeout_s));
    goal.timeout.nanosec = static_cast<uint32_t>((timeout_s - std::floor(timeout_s)) * 1e9);
    goal.min_confidence = static_cast<float>(min_confidence);
    return true;
  }

  BT::NodeStatus onResultReceived(const WrappedResult & wrapped) override
  {
    const auto & result = *wrapped.result;
    setOutput("probability", static_cast<double>(result.probability));
    return result.decision == ActionType::Result::HOLD ? BT::NodeStatus::SUCCESS :
                                                         BT::NodeStatus::FAILURE;
  }

  // Called for a goal that was refused, and for one that was canceled: its message is in
  // the node's result, which behaviortree_ros2 does not hand on.
  BT::NodeStatus onFailure(BT::ActionNodeErrorCode error) override
  {
    RCLCPP_WARN(node_->get_logger(), "assess_grasp: %s", BT::toStr(error));
    return BT::NodeStatus::FAILURE;
  }
};

CreateRosNodePlugin(AssessGrasp, "AssessGrasp");
