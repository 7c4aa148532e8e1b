"""Faults of what comes in, by their numbers: nothing is done with what nobody signed."""

import ast

import pytest
from sqlalchemy import Engine

from deployments.children import ROOT
from deployments.receiver import xero_webhook
from deployments.receiver.app import make_app
from tests.support_receiver import deliver, delivery, parts, xero_event


def test_f116_what_is_not_signed_is_not_even_parsed(
    sqlite_ledger: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    parsed: list[bytes] = []
    to_be_kept = xero_webhook.to_be_kept

    def noting(raw: bytes) -> xero_webhook.ToBeKept:
        parsed.append(raw)
        return to_be_kept(raw)

    monkeypatch.setattr(xero_webhook, "to_be_kept", noting)
    app, raw = make_app(parts(sqlite_ledger)), delivery(xero_event())
    assert deliver(app, raw) == 200
    assert deliver(app, raw, key="another") == 401
    assert parsed == [raw]


def test_f116_signatures_are_compared_in_constant_time() -> None:
    tree = ast.parse((ROOT / "duebell" / "xero" / "signature.py").read_text(encoding="utf-8"))
    calls = {ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    assert "hmac.compare_digest" in calls
    assert [node for node in ast.walk(tree) if isinstance(node, ast.Compare)] == []
