"""The official validator of the FinOps Foundation finds the golden FOCUS file to be FOCUS 1.2, without a network.

It knows which columns a provider has to have only if it is told what the provider supports. What it finds fault with
beyond that is excused below, rule by rule, with the reason; an excuse that is not needed any more fails the test.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from scripts.setup import STAMPS, validator_step
from scripts.steps import failure_of
from tests.golden.documents import FILES

pytestmark = pytest.mark.slow

SUPPORTED = (
    "ACCOUNT_NAMING_SUPPORTED",
    "NEGOTIATED_PRICING_SUPPORTED",
    "PUBLIC_PRICE_LIST_SUPPORTED",
    "SUB_ACCOUNT_SUPPORTED",
    "UNIT_PRICING_SUPPORTED",
    "USAGE_MEASUREMENT_SUPPORTED",
)
EXCUSED = {
    "it asks for columns of virtual currencies of everybody who has a price list": {
        "CostAndUsage-D-046-C",
        "CostAndUsage-D-047-C",
        "CostAndUsage-D-048-C",
        "CostAndUsage-D-050-C",
        "CostAndUsage-D-051-C",
        "CostAndUsage-D-052-C",
        "CostAndUsage-D-054-C",
        "CostAndUsage-D-055-C",
        "CostAndUsage-D-056-C",
        "PricingCurrencyContractedUnitPrice-C-001-M",
        "PricingCurrencyContractedUnitPrice-C-002-M",
        "PricingCurrencyEffectiveCost-C-001-M",
        "PricingCurrencyEffectiveCost-C-002-M",
        "PricingCurrencyEffectiveCost-C-003-M",
        "PricingCurrencyEffectiveCost-C-004-M",
        "PricingCurrencyListUnitPrice-C-001-M",
        "PricingCurrencyListUnitPrice-C-002-M",
        "PricingCurrencyListUnitPrice-C-003-M",
        "PricingCurrencyListUnitPrice-C-004-C",
        "PricingCurrencyListUnitPrice-C-005-C",
        "PricingCurrencyListUnitPrice-C-007-C",
        "PricingCurrencyListUnitPrice-C-008-M",
    },
    "it reads CommitmentDiscountStatus, which who sells no commitments does not have; tests of ours hold the rules": {
        "ConsumedQuantity-C-000-C",
        "ConsumedQuantity-C-003-C",
        "ConsumedQuantity-C-004-C",
        "ConsumedQuantity-C-005-C",
        "ConsumedQuantity-C-006-C",
    },
    "it wants all rows to be on an invoice or none, and closed months stand beside open ones here": {
        "InvoiceId-C-000-O",
        "InvoiceId-C-003-C",
        "InvoiceId-C-004-C",
        "InvoiceId-C-005-C",
    },
    "it takes strings for ASCII, where the convention asks for valid Unicode": {
        "SubAccountName-C-000-C",
        "SubAccountName-C-002-M",
    },
}
PASSED_MIN = 200  # of the file as it is; far fewer would mean that the validator did not look

_VERDICT = re.compile(r"^\S+ ([A-Za-z]+-[A-Z]-\d{3}-[A-Z]): (PASS|FAIL|SKIPPED)\b", re.MULTILINE)


def validate(file: Path, folder: Path) -> Mapping[str, str]:
    """Run the validator in an empty folder; return what it says of each rule that it knows."""
    step = validator_step()
    reason = failure_of(step, STAMPS)
    assert reason is None, f"not installed: {reason}. To install it: python3 -m scripts.setup --for test"
    _lay_out(step.result.parent.parent, folder)
    program = step.result.with_name("focus-validator")
    options = ["--validate-version", "1.2", "--block-download", "--applicability-criteria", ",".join(SUPPORTED)]
    done = subprocess.run(
        [program, "--data-file", file, *options],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "HOME": str(folder), "https_proxy": "http://127.0.0.1:9"},  # leads nowhere
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return dict(_VERDICT.findall(done.stdout))


def _lay_out(home: Path, folder: Path) -> None:
    """Put the list of currencies where the validator looks for it: below the folder that it is run in."""
    [codes] = home.glob("lib/*/site-packages/focus_validator/rules/currency_codes.csv")
    place = folder / "focus_validator/rules"
    place.mkdir(parents=True)
    shutil.copy(codes, place)


def named(verdicts: Mapping[str, str], verdict: str) -> set[str]:
    return {rule for rule, said in verdicts.items() if said == verdict}


def test_the_golden_month_is_focus_1_2(tmp_path: Path) -> None:
    verdicts = validate(FILES / "report.focus.csv", tmp_path)

    assert named(verdicts, "FAIL") == set[str]().union(*EXCUSED.values())
    assert len(named(verdicts, "PASS")) >= PASSED_MIN


def test_the_validator_finds_what_is_wrong(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.csv"
    text = (FILES / "acme.focus.csv").read_bytes().decode()
    wrong.write_bytes(text.replace(",Usage,", ",Use,").replace("ServiceName", "Service").encode())
    folder = tmp_path / "folder"
    folder.mkdir()

    failed = named(validate(wrong, folder), "FAIL")

    assert {"ChargeCategory-C-003-M", "ServiceName-C-001-M"} <= failed
