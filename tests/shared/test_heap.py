import subprocess
import sys

import pytest

from shared import heap


class Library:
    """Records what the process is told."""

    def __init__(self) -> None:
        self.told: dict[int, int] = {}

    def mallopt(self, option: int, value: int) -> int:
        """Take one option."""
        self.told[option] = value
        return 1


def test_large_blocks_go_back_and_heaps_are_not_multiplied() -> None:
    """M_MMAP_THRESHOLD (-3) and M_ARENA_MAX (-8) of malloc.h are set."""
    library = Library()
    heap.bound(lambda _: library)

    assert {-3: 1_000_000, -8: 1} == library.told


@pytest.mark.parametrize("fault", [AttributeError, OSError, TypeError])
def test_a_system_without_the_call_is_left_alone(fault: type[Exception]) -> None:
    """On musl, macOS and Windows nothing happens, and nothing fails."""

    def no_library(_: None) -> Library:
        raise fault

    heap.bound(no_library)


def test_the_real_process_works_on() -> None:
    """A process that has bounded its heap allocates as before."""
    code = "from shared import heap; heap.bound(); print(len(bytes(30_000_000)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert "30000000" == done.stdout.strip()
