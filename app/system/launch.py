"""Sets limits, then becomes another program that is killed when its parent ends. Runs as a script with the standard
library only.

usage: launch.py PARENT_PID MEMORY_BYTES CPU_S OUTPUT_BYTES PROGRAM [ARG ...]
"""

import os
import signal
import sys


def main() -> None:
    parent, memory_bytes, cpu_s, output_bytes = (int(word) for word in sys.argv[1:5])
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None, use_errno=True).prctl(1, signal.SIGKILL, 0, 0, 0)  # PR_SET_PDEATHSIG
        if os.getppid() != parent:  # it died between the fork and the line above
            os._exit(1)
    import resource

    for kind, limit in (
        (resource.RLIMIT_AS, memory_bytes),
        (resource.RLIMIT_CPU, cpu_s),
        (resource.RLIMIT_FSIZE, output_bytes),
    ):
        if limit:
            resource.setrlimit(kind, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.nice(10)  # a child that computes for minutes must not delay the server's answers
    os.execv(sys.argv[5], sys.argv[5:])


main()
