"""Builds the zip that Azure runs, its SHA-256 and its bill of materials; see deployment/package.py."""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from deployment.package import build, find_python
from deployment.template import ROOT
from deployment.wheels import MINOR, PackageError


def main() -> int:
    """The exit status: 1 when the pins do not make a package."""
    parser = argparse.ArgumentParser(prog="scripts/package", description=(__doc__ or "").partition(";")[0])
    parser.add_argument("--out", type=Path, default=ROOT / "dist", help="the folder for the three files")
    options = parser.parse_args()
    python = find_python()
    if python is None:
        print(
            f"No Python {MINOR} with pip was found; another one's pip fetches the same wheels.",
            file=sys.stderr,
        )
    try:
        path = build(options.out, python or sys.executable)
    except PackageError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"{path}  {path.stat().st_size / 1e6:.1f} MB")
    print(path.with_name(f"{path.name}.sha256").read_text(encoding="ascii").strip())
    return 0


if __name__ == "__main__":
    sys.exit(main())
