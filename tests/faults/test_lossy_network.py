"""40 % packet loss between candidates and server."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.faults.lossy_exam import ANSWERS, CANDIDATES
from tests.makers.servers import ROOT

_APART = ("unshare", "--net")


def _can_make_networks() -> bool:
    if os.geteuid() != 0 or not Path("/dev/net/tun").exists():
        return False
    tried = [*_APART, "ip", "tuntap", "add", "dev", "probe", "mode", "tun"]
    try:
        return subprocess.run(tried, check=False, capture_output=True).returncode == 0
    except FileNotFoundError:
        return False


@pytest.mark.fault
def test_answers_get_through_a_network_that_loses_two_packets_of_five() -> None:
    if not _can_make_networks():
        pytest.skip("needs root, unshare, ip and /dev/net/tun to make a network that loses packets")
    command = [*_APART, sys.executable, "-m", "tests.faults.lossy_exam"]
    done = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True, timeout=150)
    assert done.returncode == 0, done.stderr[-3000:]
    seen = json.loads(done.stdout)
    assert seen["saved"] == CANDIDATES * ANSWERS
    assert 0.3 < seen["lost"] / (seen["lost"] + seen["carried"]) < 0.5
