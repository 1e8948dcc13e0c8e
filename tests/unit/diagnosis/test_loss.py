"""From the facts of a loss to its advice and evidence."""

from __future__ import annotations

import dataclasses

import pytest

from django_lifeline.core.liveness import TcpFacts
from django_lifeline.core.retry import Label
from django_lifeline.diagnosis.facts import Limits, LossFacts, Phase, ServerNow, Successor
from django_lifeline.diagnosis.loss import diagnose, server_could_tell
from django_lifeline.diagnosis.model import Done

FACTS = LossFacts(
    label=Label.NOT_EXECUTED, phase=Phase.BEFORE, idle=5.0, limits=Limits(wait_timeout=28800.0)
)


@pytest.mark.parametrize("label", Label)
def test_each_label_comes_with_its_own_advice(label: Label) -> None:
    diagnosis = diagnose(dataclasses.replace(FACTS, label=label))
    assert diagnosis.label is label
    others = [other for other in Label if other is not label]
    for other in others:
        assert diagnose(dataclasses.replace(FACTS, label=other)).advice != diagnosis.advice


def test_advice_after_lost_session_state_is_to_set_it_up_again() -> None:
    advice = diagnose(dataclasses.replace(FACTS, state_lost="SET")).advice
    assert "Set up what its session held" in advice
    assert "safe" not in advice


@pytest.mark.parametrize("done", [done for done in Done if done is not Done.RAISED])
def test_after_a_healed_loss_nothing_is_to_be_done(done: Done) -> None:
    diagnosis = diagnose(dataclasses.replace(FACTS, done=done))
    assert diagnosis.done is done
    assert diagnosis.advice.startswith("Nothing to do")


def test_evidence_names_what_is_known_and_leaves_out_what_is_not() -> None:
    evidence = diagnose(FACTS).evidence
    assert evidence["phase"] == "before"
    assert evidence["idle_seconds"] == 5.0
    assert not {"code", "interrupted_by", "tcp_state", "uptime_seconds"} & set(evidence)
    evidence = diagnose(dataclasses.replace(FACTS, code=2013, statement="INSERT")).evidence
    assert (evidence["code"], evidence["statement"]) == (2013, "INSERT")


def test_evidence_holds_what_was_learnt_afterwards() -> None:
    evidence = diagnose(
        dataclasses.replace(
            FACTS,
            successor=Successor(server_thread_id=8),
            server=ServerNow(uptime=77.0, same_server=False, aborted_clients=3),
        )
    ).evidence
    assert evidence["next_server_thread_id"] == 8
    assert (evidence["uptime_seconds"], evidence["same_server"]) == (77.0, "no")
    assert evidence["aborted_clients"] == 3


def test_server_is_asked_only_where_it_could_decide() -> None:
    def asked(facts: LossFacts) -> bool:
        return server_could_tell(facts, diagnose(facts))

    assert asked(FACTS)
    assert not asked(dataclasses.replace(FACTS, code=4031))
    assert not asked(dataclasses.replace(FACTS, server=ServerNow(uptime=1e6)))
    silence = TcpFacts(state="ESTABLISHED", last_sent=9, last_received=20, last_acked=20, unacked=1)
    lost = dataclasses.replace(FACTS, phase=Phase.IN_FLIGHT, elapsed=9.0, tcp=silence)
    assert not asked(lost)
