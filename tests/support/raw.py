"""Whether packets can be captured here: as root in CI they must be, elsewhere the test is skipped."""

from __future__ import annotations

import os
import socket

import pytest


def _possible() -> bool:
    try:
        socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0).close()
    except PermissionError:
        return False
    return True


def needs_raw(test):
    """Marks a test that captures packets."""
    reason = "需要 CAP_NET_RAW / needs CAP_NET_RAW"
    skip = pytest.mark.skipif(os.getuid() != 0 and not _possible(), reason=reason)
    return pytest.mark.raw(skip(test))
