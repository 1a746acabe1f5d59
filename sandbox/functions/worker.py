"""The Python worker of Azure Functions: ``python -m sandbox.functions.worker``.

In Azure a program of Microsoft's stands here. This one does the same work: it sets the app's path, connects
to the host, and hands what the host asks to Microsoft's runtime.
"""

import argparse
import asyncio
import importlib
import os
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The host passes its address, the worker's id and the app's folder."""
    parser = argparse.ArgumentParser(prog="sandbox.functions.worker", description="Runs a function app.")
    parser.add_argument("--host", required=True)
    parser.add_argument("--port", required=True, type=int)
    parser.add_argument("--worker-id", required=True)
    parser.add_argument("--app-root", required=True, type=Path)
    parser.add_argument("--site-packages", nargs="*", type=Path, default=[])
    return parser.parse_args(arguments)


def app_path(app_root: Path, site_packages: Sequence[Path], path: Sequence[str]) -> list[str]:
    """The app comes first, then the packages deployed with it, then the given ones, then the worker's own.

    ``path[0]`` is the folder that ``python -m`` started in. It goes, or the project's modules would hide that
    a packaged app lacks its own.
    """
    packages = app_root / ".python_packages" / "lib" / "site-packages"
    deployed = [packages] if packages.is_dir() else []
    return [*map(str, [app_root, *deployed, *site_packages]), *path[1:]]


def leave(status: int) -> NoReturn:
    """A function that is still running must not hold the process, and neither does it in Azure."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def main() -> NoReturn:
    """The event loop has the main thread, where function modules may install signal handlers."""
    options = parse()
    app_root = options.app_root.resolve()
    sys.path[:] = app_path(app_root, options.site_packages, sys.path)
    os.chdir(app_root)
    try:
        dispatcher = importlib.import_module("sandbox.functions.dispatcher")
        asyncio.run(dispatcher.serve(options.host, options.port, options.worker_id, leave))
    except BaseException:  # noqa: BLE001 - whatever it was, the host finds it in the worker's output
        traceback.print_exc()
        leave(1)
    leave(0)


if __name__ == "__main__":
    main()
