"""How a laboratory puts a public Inspect task into its suite: by a task of its own around it.

A public benchmark cannot know how the laboratory elicited, so the manifest is the laboratory's to
add; without one the evaluation rules nothing out.
"""

from __future__ import annotations

import importlib
from typing import Any

from inspect_ai import Task

from tests.support.fitting import DONE


def elicited(task: str, **arguments: Any) -> Task:
    """The task `module:function` of somebody else, with this laboratory's elicitation manifest."""
    module, _, name = task.partition(":")
    found: Task = getattr(importlib.import_module(module), name)(**arguments)
    found.metadata = {**(found.metadata or {}), "elicitation": DONE}
    return found
