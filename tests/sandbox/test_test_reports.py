"""Reports that a test run leaves in the box, on the real engine."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.domain.plan import Stage, StageAttachment
from bot.domain.validations import Verdict
from sandbox.test_reports import REPORT_BYTES
from tests.sandbox.conftest import Validator
from tests.sandbox.verdicts import failed_at, lay_out, report

pytestmark = pytest.mark.engine

TESTS = """
import os, sys
CASE = '''<testcase name="adds"><failure message="3 is not 4, %s">
Traceback (most recent call last):
  File "/workspace/shop/cart.py", line 2, in total
AssertionError: 3 is not 4</failure></testcase>'''
def leave(path, text):
    os.makedirs(os.path.dirname(path) or '.', exist_ok=True)
    open(path, 'w').write(text)
told = CASE % os.environ['TOKEN']
leave("out/test-results/it's one.xml", '<testsuite>' + told + '</testsuite>')
leave('node_modules/a/junit.xml', '<testsuite/>')
leave('pom.xml', '<project/>')
leave('junit-big.xml', '<' * %(big)d)
os.symlink('/etc/passwd', 'junit-link.xml')
sys.exit(%(code)d)
"""
CONFIGURATION = """
deployment: {test_command: python3 tests.py, secrets: {TOKEN: [test]}}
sandbox: {network: none}
"""
TOKEN = "s3cr3t-value-of-a-test"


def project(folder: Path, code: int) -> Path:
    text = TESTS.replace("%(big)d", str(REPORT_BYTES + 1)).replace("%(code)d", str(code))
    files = {".github/codegenapp.yml": CONFIGURATION, "tests.py": text}
    return lay_out(folder, files | {"shop/cart.py": "def total():\n    assert 3 == 4\n"})


async def test_the_reports_of_tests_that_failed(validate: Validator, tmp_path: Path) -> None:
    result = await validate(project(tmp_path / "shop", 1), secrets={"TOKEN": TOKEN})
    assert failed_at(result)[0] is Stage.TEST, report(result)
    left = [it for it in validate.heard.events if isinstance(it, StageAttachment)]
    assert [it.name for it in left] == ["out/test-results/it's one.xml"]
    assert TOKEN.encode() not in left[0].content
    (finding,) = result.findings
    assert (finding.file, finding.line) == ("shop/cart.py", 2)
    assert finding.message.startswith("adds: 3 is not 4")
    assert TOKEN not in finding.message


async def test_no_report_of_tests_that_passed(validate: Validator, tmp_path: Path) -> None:
    result = await validate(project(tmp_path / "shop", 0), secrets={"TOKEN": TOKEN})
    assert result.verdict is Verdict.PASSED, report(result)
    assert result.attachments == ()
