"""System calls that no notebook needs: parts of the kernel that others have broken out through, and secret channels.

What is refused fails with EPERM. Memory that is mapped nowhere (System V, memfd, pages in a pipe) would escape the
memory limit. Sandboxes share the files that all of them may read, and with a file its locks, leases, hints and watches,
and which of its pages are in memory. That a page in memory is read faster than another one nobody can refuse.
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
    "memfd_secret": (447, 447), "vmsplice": (278, 75), "splice": (275, 76), "tee": (276, 77),
    "flock": (73, 32), "inotify_init1": (294, 26), "inotify_add_watch": (254, 27), "fanotify_init": (300, 262),
    "mincore": (27, 232), "cachestat": (451, 451), "readahead": (187, 213), "fadvise64": (221, 223),
    "process_madvise": (440, 440), "sysinfo": (99, 179), "statmount": (457, 457), "listmount": (458, 458),
}  # fmt: skip
# By one argument: its place, the values that are refused, or those that alone are allowed.
LOCKS, OPEN_LOCKS, LEASES, HINTS = (5, 6, 7), (36, 37, 38), (1024, 1025, 1026), (1035, 1036, 1037, 1038)
REFUSED_BY = {
    "fcntl": ((72, 25), 1, (*LOCKS, *OPEN_LOCKS, *LEASES, *HINTS)),
    "prctl": ((157, 167), 0, (4,)),  # PR_SET_DUMPABLE: the watch must see every process
    "madvise": ((28, 233), 2, (20, 21, 22, 23)),  # COLD, PAGEOUT, POPULATE_READ, POPULATE_WRITE
}
ALLOWED_BY = {
    "preadv2": ((327, 286), 5, (0,)),  # no flag: RWF_NOWAIT tells what is in memory
    "socket": ((41, 198), 0, (1, 2, 10, 16)),  # of other families, such as vsock, not each has a namespace
}
MACHINES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}  # column above, AUDIT_ARCH
LOAD, EQUAL, AT_LEAST, RETURN = 0x20, 0x15, 0x35, 0x06  # instructions of classic BPF
ALLOW, FAIL, KILL = 0x7FFF0000, 0x00050000 | errno.EPERM, 0x80000000
NUMBER, ARCHITECTURE, ARGUMENT = 0, 4, 16  # offsets in the kernel's description of a call
OTHER_NUMBERS = 0x40000000  # the x32 variant of x86-64 counts from here
PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 22, 2


def program(machine: str) -> bytes:
    """The filter for a machine as the kernel takes it. Raises: `KeyError` for a machine that is not listed.

    >>> len(program("x86_64")) // 8 - 2 * len(REFUSED)
    68
    """
    column, architecture = MACHINES[machine]
    code = [
        (LOAD, 0, 0, ARCHITECTURE),
        (EQUAL, 1, 0, architecture),
        (RETURN, 0, 0, KILL),
        (LOAD, 0, 0, NUMBER),
        *_where(AT_LEAST, OTHER_NUMBERS, FAIL),
        *(line for numbers in REFUSED.values() for line in _where(EQUAL, numbers[column], FAIL)),
    ]
    for rules, special, other in ((REFUSED_BY, FAIL, ALLOW), (ALLOWED_BY, ALLOW, FAIL)):
        for numbers, place, values in rules.values():
            block = [
                (LOAD, 0, 0, ARGUMENT + 8 * place),  # the lower half: what the kernel makes an int of
                *(line for value in values for line in _where(EQUAL, value, special)),
                (RETURN, 0, 0, other),
            ]
            code += [(EQUAL, 0, len(block), numbers[column]), *block]
    code.append((RETURN, 0, 0, ALLOW))
    return b"".join(struct.pack("HBBI", *line) for line in code)


def _where(test: int, value: int, result: int) -> list[tuple[int, int, int, int]]:
    return [(test, 0, 1, value), (RETURN, 0, 0, result)]


def refuse() -> None:
    """Refuse the calls to this process and all that it starts, for good. Raises: `OSError` if the kernel cannot."""
    code = program(os.uname().machine)
    buffer = ctypes.create_string_buffer(code, len(code))
    header = ctypes.create_string_buffer(struct.pack("HP", len(code) // 8, ctypes.addressof(buffer)))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, header, 0, 0):
        raise OSError(ctypes.get_errno(), "cannot refuse system calls")
