"""The flow of an API: what a call consists of, who sends what elsewhere, and Mermaid text that no document breaks out of."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from aoba_gen.diagnostics import Report
from aoba_gen.flow import MOST, Arrow, Flow, arrows, flow, mermaid
from aoba_gen.load import load
from aoba_gen.markdown import code, fence, plain
from aoba_gen.model import Model
from aoba_gen.options import Options, Side
from aoba_gen.pipeline import compile_model
from attacks import BREAK_OUTS

REQUESTS = """
asyncapi: 3.0.0
info: {title: Lights, version: "1"}
channels:
  lights:
    address: lights
    messages: {Ask: {payload: {type: string}}, Tell: {payload: {type: integer}}}
operations:
  ask:
    action: send
    channel: {$ref: '#/channels/lights'}
    messages: [{$ref: '#/channels/lights/messages/Ask'}]
    reply: {channel: {$ref: '#/channels/lights'}, messages: [{$ref: '#/channels/lights/messages/Tell'}]}
  hear:
    action: receive
    channel: {$ref: '#/channels/lights'}
"""


def model_of(text: str, folder: Path, side: Side | None = None) -> Model:
    spec = folder / "spec.yaml"
    spec.write_text(text, encoding="utf-8")
    report = Report()
    return compile_model(load(spec, report), None, report, Options(side))


def test_a_call_has_its_outcomes(spec: Path) -> None:
    report = Report()
    drawn = flow(compile_model(load(spec, report), None, report))
    assert mermaid(drawn) == """\
sequenceDiagram
    participant A as Caller
    participant B as Callee
    A->>B: CallInitiate
    alt the callee accepts
        B->>A: CallAccept
        A->>B: CallOffer
        B->>A: CallAnswer
        loop while the connection is being made
            A<<->>B: CallIceCandidate
        end
        opt during the call
            A<<->>B: CallMuteChange
        end
        A<<->>B: CallHangup
    else the callee declines
        B->>A: CallReject
    else the callee is on another call
        B->>A: CallBusy
    else nobody answers, or the caller gives up
        A->>B: CallHangup
    end
"""
    assert all(arrow.message and arrow.operation for arrow in arrows(drawn.steps))


@pytest.mark.parametrize("side", ["described", "peer"])
def test_the_application_sends_what_the_document_says_whomever_it_is_for(
    side: Side, tmp_path: Path
) -> None:
    assert mermaid(flow(model_of(REQUESTS, tmp_path, side))) == """\
sequenceDiagram
    participant A as Client
    participant B as Lights
    B->>A: Ask
    A-->>B: Tell
    A->>B: Ask or Tell
"""


def test_a_long_flow_says_how_much_is_left_out(tmp_path: Path) -> None:
    more = "".join(
        f"  more{number}: {{action: receive, channel: {{$ref: '#/channels/lights'}}}}\n"
        for number in range(MOST)
    )
    drawn = flow(model_of(REQUESTS + more, tmp_path))
    assert drawn.omitted == 2
    assert len([arrow for arrow in arrows(drawn.steps) if not arrow.is_reply]) == MOST


@pytest.mark.parametrize("text", [*BREAK_OUTS, "a; b", "%%{init: {}}%%", "end\nA->>B: x", "#35;"])
def test_text_stays_text(text: str) -> None:
    drawn = mermaid(Flow((text, text), (Arrow(0, 1, text),)))
    assert len(drawn.splitlines()) == 4
    shown = re.sub(r"#(\d+);", "", "".join(drawn.splitlines()[1:]))
    assert not set(shown) & set(';#%{}[]<>&"`\\|$\n\r') - {">"}
    assert shown.count(">") == 2


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("1. a *b* _c_", r"1\. a \*b\* \_c\_"),
        ("- [x](y)\n<b>", r"\- \[x\](y) \<b\>"),
        ("a | b", r"a \| b"),
    ],
)
def test_plain_markdown_says_no_more(text: str, shown: str) -> None:
    assert plain(text) == shown


def test_code_keeps_backticks_and_bars() -> None:
    assert code("a`b") == "``a`b``"
    assert code("`a") == "`` `a ``"
    assert code("a|<b>") == "<code>a&#124;&#60;b&#62;</code>"
    assert code("") == ""
    assert fence("```\nx", "json") == ["````json", "```", "x", "````"]
