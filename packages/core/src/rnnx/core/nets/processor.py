"""Which make the processor is of, on which depends what torch's libraries are good at."""

from __future__ import annotations

from typing import Final

import torch

_CAN: Final = torch.cpu.get_capabilities()

OF_INTEL: Final = "Intel" in _CAN.get("cpu_name", "")  # for whose processors MKL is made
AMD_512: Final = not OF_INTEL and bool(_CAN.get("avx512_f"))  # has registers of 512 bits
# such a one computes with all of them at once from Zen 5 on; Zen 4 does so in two halves, and has no AVX-VNNI
WIDE_AMD: Final = AMD_512 and bool(_CAN.get("avx_vnni"))
