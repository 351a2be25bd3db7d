"""Prints the OpenAPI document of the console: ``python -m selflow.console.openapi``. No server."""

import json
import sys

from selflow.console.server.app import make_app
from selflow.console.server.read_model import ReadModel
from selflow.core.clock import SystemClock
from selflow.core.paths import find_root

_model = ReadModel(find_root(None, {}), {}, SystemClock())
sys.stdout.write(json.dumps(make_app(_model).openapi(), indent=1, ensure_ascii=False) + "\n")
