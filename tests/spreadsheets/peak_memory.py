"""The peak of a process's own resident memory.

Not ``getrusage``: its ``ru_maxrss`` starts at the size of the process that forked, so a small
process below a large one looks large, and a leak below a larger one is not seen.
"""

from pathlib import Path

MEBIBYTE = 1024**2


def peak_bytes() -> int:
    """Highest resident memory since this program began, in bytes (Linux, proc(5), VmHWM)."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise OSError("/proc/self/status names no VmHWM")
