"""Which sandbox this machine has."""

from .bubblewrap import Bubblewrap, Unsafe
from .container import Container
from .sandbox import NoSandbox, Sandbox

NO_SANDBOX = """\
no submission is graded without a sandbox, and this machine has none that works.
{faults}
What helps:
  Debian, Ubuntu   sudo apt-get install bubblewrap
  Ubuntu 24.04     AppArmor may forbid bubblewrap its user namespaces: sudo apt-get install apparmor-profiles, and load
                   /usr/share/apparmor/extra-profiles/bwrap-userns-restrict with apparmor_parser -a; or
                   sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0
  other Linux      sysctl user.max_user_namespaces and kernel.unprivileged_userns_clone must not be 0
  macOS, Windows   grade in WSL 2 or in a Linux virtual machine, or with podman or docker"""  # fmt: skip


def find_sandbox(unsafe_no_sandbox: bool = False) -> Sandbox:
    """The sandbox of this machine: bubblewrap, else podman or docker.

    `unsafe_no_sandbox`: run the submissions as the user who grades, with nothing around them.

    Raises: `NoSandbox` if there is none.
    """
    if unsafe_no_sandbox:
        return Unsafe()
    faults = []
    for sandbox in (Bubblewrap(), Container()):
        if not (fault := sandbox.available()):
            return sandbox
        faults.append(f"{sandbox.name}: {fault}")
    raise NoSandbox(NO_SANDBOX.format(faults="\n".join(faults)))
