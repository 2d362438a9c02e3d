# make demo | test | check | bench | docs | setup
#
# Each target first makes the environment it needs (tools/setup_env.py):
#   XMODAL_VENV=DIR         another folder than .venv, also for several clones
#   XMODAL_ROS=kilted       other ROS 2 wheels than Jazzy's; a sourced ROS 2 is used as it is
#   XMODAL_PYTHON=python3.12  another Python than python3 (3.10 to 3.13)

XMODAL_PYTHON ?= python3
IN = $(XMODAL_PYTHON) tools/setup_env.py

export ROS_AUTOMATIC_DISCOVERY_RANGE ?= LOCALHOST

.DEFAULT_GOAL := demo
.PHONY: demo test check bench docs setup clean

demo:
	$(IN) demo python -m xmodal_ros demo

check:
	$(IN) test ruff check
	$(IN) test ruff format --check
	$(IN) test mypy
	$(IN) test lint-imports

test: check
	$(IN) test python -m pytest --numprocesses auto --maxprocesses 4 --dist loadfile

bench:
	$(IN) bench python -m bench

docs:
	$(IN) sim python tools/generate_docs.py

setup:
	$(IN) test

clean:
	rm -rf build install log out .mypy_cache .pytest_cache .ruff_cache .import_linter_cache
