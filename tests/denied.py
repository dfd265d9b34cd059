"""Computers that refuse a system call, as containers and network drives do: for the processes of a test."""

import ctypes
import os
import platform
from collections.abc import Callable

_NUMBERS = {
    "x86_64": {"flock": 73, "unshare": 272},
    "aarch64": {"flock": 32, "unshare": 97},
}
_LOAD, _SKIP_UNLESS_EQUAL, _RETURN = 0x20, 0x15, 0x06
_ERROR, _ALLOW = 0x0005_0000, 0x7FFF_0000
_NO_NEW_PRIVILEGES, _SECCOMP, _FILTER = 38, 22, 2


class _Instruction(ctypes.Structure):
    _fields_ = [
        ("code", ctypes.c_ushort),
        ("if_true", ctypes.c_ubyte),
        ("if_false", ctypes.c_ubyte),
        ("value", ctypes.c_uint),
    ]


class _Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("instructions", ctypes.POINTER(_Instruction))]


def refusing(call: str, error: int) -> Callable[[], None]:
    """Return what to run in a child before its program: one system call will end with this error (Linux)."""
    number = _NUMBERS[platform.machine()][call]
    instructions = (_Instruction * 4)(
        _Instruction(_LOAD, 0, 0, 0),
        _Instruction(_SKIP_UNLESS_EQUAL, 0, 1, number),
        _Instruction(_RETURN, 0, 0, _ERROR | error),
        _Instruction(_RETURN, 0, 0, _ALLOW),
    )
    program = _Program(len(instructions), instructions)
    libc = ctypes.CDLL(None, use_errno=True)

    def refuse() -> None:
        for done in (
            libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0),
            libc.prctl(_SECCOMP, _FILTER, ctypes.byref(program), 0, 0),
        ):
            if done:
                raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))

    return refuse
