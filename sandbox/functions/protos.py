"""The FunctionRpc messages and service, taken from the wheel of Microsoft's runtime.

The wheel carries them in a stray top-level folder ``tests/protos``. Our own tests live in ``tests`` too, so
the folder is found through the wheel's list of files and loaded under a name that is nobody else's.
"""

import importlib.metadata
import importlib.util
import sys
from pathlib import Path
from types import ModuleType

RUNTIME = "azure-functions-runtime-v1"

# The host is on loopback: gRPC would send even that through a lower-case proxy variable.
CHANNEL_OPTIONS = (
    ("grpc.enable_http_proxy", 0),
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
)


def _init_file() -> Path:
    for file in importlib.metadata.files(RUNTIME) or ():
        if file.as_posix() == "tests/protos/__init__.py":
            return Path(str(file.locate()))
    raise ImportError(f"{RUNTIME} has no tests/protos: another version than the pinned one is installed")


def _load(name: str) -> ModuleType:
    """The protos' own imports are relative, so the name must be registered before they run."""
    path = _init_file()
    spec = importlib.util.spec_from_file_location(name, path, submodule_search_locations=[str(path.parent)])
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} cannot be loaded")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


# Loaded when this module is, under the import lock: a second copy in the process would clash with the first.
protos = _load("function_rpc_protos")
