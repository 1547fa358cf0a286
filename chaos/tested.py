"""Rows that are wholly shown by tests: the tests run again, counted."""

import subprocess
import sys
import tempfile
from pathlib import Path
from xml.etree import ElementTree

ROOT = Path(__file__).parent.parent


def run_tests(*wanted: str) -> tuple[int, int]:
    """Run pytest on `wanted` (paths and options): how many ran and failed. Raises RuntimeError when none did."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        done = subprocess.run([sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junitxml={report}",
                               *wanted], cwd=ROOT, capture_output=True, text=True, check=False)
        if not report.exists():
            raise RuntimeError(done.stdout[-500:] + done.stderr[-500:])
        suite = ElementTree.parse(report).getroot()[0]
    return int(suite.attrib["tests"]), int(suite.attrib["failures"]) + int(suite.attrib["errors"])
