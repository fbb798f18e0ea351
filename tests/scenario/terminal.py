# SPDX-License-Identifier: MIT
"""terminal.py COLUMNSxLINES [ACTION…] -- COMMAND…: run it in a terminal of that size; all that it shows goes to standard
output as it comes, and the exit status is its own (128 + N, if signal N ended it).

Actions are done in order, each once something more was shown: `key:TEXT`, `signal:NAME`, `size:COLUMNSxLINES`. After
`signal:TSTP` it is waited for until the command stands still. With `stderr`, only standard error is the terminal, and
standard output stays what it is."""
import fcntl
import os
import pty
import select
import signal
import struct
import sys
import termios
import time


def set_size(fd, size):
    columns, lines = map(int, size.split("x"))
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))


def act(action, master, child):
    """Returns what the command is to do before the next one: the flag of waitid()."""
    kind, _, value = action.partition(":")
    if kind == "key":
        os.write(master, value.encode())
    elif kind == "signal":
        os.kill(child, getattr(signal, "SIG" + value))
    elif kind == "size":
        set_size(master, value)
    else:
        sys.exit(f"terminal.py: {action}?")
    return os.WSTOPPED if action == "signal:TSTP" else 0


def has(child, what):
    """Has it ended, or stopped? Asked without reaping it: what it showed last may still be on its way."""
    return os.waitid(os.P_PID, child, what | os.WNOHANG | os.WNOWAIT) is not None


def main(size, *words):
    at = words.index("--")
    actions, command = list(words[:at]), words[at + 1:]
    only_stderr = "stderr" in actions
    actions = [action for action in actions if action != "stderr"]
    master, slave = pty.openpty()
    set_size(master, size)
    kept = os.dup(1)
    settings = termios.tcgetattr(slave)  # before the command can have changed them
    child = os.fork()
    if child == 0:
        os.setsid()
        fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
        for fd in (2,) if only_stderr else (0, 1, 2):
            os.dup2(slave, fd)
        for name in ("COLUMNS", "LINES"):
            os.environ.pop(name, None)
        os.environ.setdefault("TERM", "xterm-256color")
        os.closerange(3, 100)
        os.execvp(command[0], command)
    last, shown, awaited = time.monotonic() + 240, False, 0
    while True:
        ended = has(child, os.WEXITED)
        while select.select([master], [], [], 0 if ended else 0.3)[0]:
            data = os.read(master, 65536)
            shown = shown or bool(data)
            os.write(kept, data)
        if ended:
            break
        if time.monotonic() > last:
            os.kill(child, signal.SIGKILL)
            sys.exit("terminal.py: it did not end")
        if awaited and has(child, awaited):
            awaited = 0
        if shown and actions and not awaited:
            awaited, shown = act(actions.pop(0), master, child), False
    status = os.waitpid(child, 0)[1]
    if termios.tcgetattr(slave) != settings:
        sys.exit("terminal.py: the terminal's own settings were left changed")
    sys.exit(128 + os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status))


main(*sys.argv[1:])
