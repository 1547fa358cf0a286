"""Test vectors: what a pole must accept and refuse, as files that any implementation can be held to (docs/firmware.md).

`python -m firmware_bridge.contract.vectors check` holds this implementation to them; `write` makes them anew from fixed
seeds, byte for byte the same.
"""
