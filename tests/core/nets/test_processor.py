from __future__ import annotations

import platform
from pathlib import Path

import pytest

from rnnx.core.nets.processor import AMD_512, OF_INTEL, WIDE_AMD

CPUINFO = Path("/proc/cpuinfo")


@pytest.mark.skipif(platform.machine() != "x86_64" or not CPUINFO.exists(), reason="Linux says it, on x86")
def test_it_is_what_the_system_says() -> None:
    lines = dict(line.split("\t", 1) for line in CPUINFO.read_text().splitlines() if "\t" in line)
    maker, flags = lines["vendor_id"].split()[-1], lines["flags"].split()
    assert (maker == "GenuineIntel") == OF_INTEL
    assert (maker == "AuthenticAMD" and "avx512f" in flags) == AMD_512
    assert (maker == "AuthenticAMD" and {"avx512f", "avx_vnni"} <= set(flags)) == WIDE_AMD
