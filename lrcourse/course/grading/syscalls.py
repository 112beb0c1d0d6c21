"""System calls that no notebook needs: parts of the kernel that others have broken out through, and hidden memory.

What is refused fails with EPERM. Memory that is mapped nowhere (System V, memfd) would escape the memory limit.
"""

import ctypes
import errno
import os
import struct

# Numbers on x86-64 and on 64-bit ARM.
REFUSED = {
    "ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271), "pidfd_getfd": (438, 438),
    "add_key": (248, 217), "request_key": (249, 218), "keyctl": (250, 219), "bpf": (321, 280),
    "perf_event_open": (298, 241), "userfaultfd": (323, 282), "io_uring_setup": (425, 425), "unshare": (272, 97),
    "setns": (308, 268), "mount": (165, 40), "move_mount": (429, 429), "open_tree": (428, 428), "fsopen": (430, 430),
    "shmget": (29, 194), "semget": (64, 190), "msgget": (68, 186), "memfd_create": (319, 279),
}  # fmt: skip
MACHINES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}  # column above, AUDIT_ARCH
LOAD, EQUAL, AT_LEAST, RETURN = 0x20, 0x15, 0x35, 0x06  # instructions of classic BPF
ALLOW, FAIL, KILL = 0x7FFF0000, 0x00050000 | errno.EPERM, 0x80000000
NUMBER, ARCHITECTURE = 0, 4  # offsets in the kernel's description of a call
OTHER_NUMBERS = 0x40000000  # the x32 variant of x86-64 counts from here
PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 22, 2


def program(machine: str) -> bytes:
    """The filter for a machine as the kernel takes it. Raises: `KeyError` for a machine that is not listed.

    >>> len(program("x86_64")) // 8 - len(REFUSED)
    7
    """
    column, architecture = MACHINES[machine]
    numbers = [each[column] for each in REFUSED.values()]
    code = [
        (LOAD, 0, 0, ARCHITECTURE),
        (EQUAL, 1, 0, architecture),
        (RETURN, 0, 0, KILL),
        (LOAD, 0, 0, NUMBER),
        (AT_LEAST, len(numbers) + 1, 0, OTHER_NUMBERS),
        *((EQUAL, len(numbers) - i, 0, number) for i, number in enumerate(numbers)),
        (RETURN, 0, 0, ALLOW),
        (RETURN, 0, 0, FAIL),
    ]
    return b"".join(struct.pack("HBBI", *line) for line in code)


def refuse() -> None:
    """Refuse the calls to this process and all that it starts, for good. Raises: `OSError` if the kernel cannot."""
    code = program(os.uname().machine)
    buffer = ctypes.create_string_buffer(code, len(code))
    header = ctypes.create_string_buffer(struct.pack("HP", len(code) // 8, ctypes.addressof(buffer)))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, header, 0, 0):
        raise OSError(ctypes.get_errno(), "cannot refuse system calls")
