"""Flow -> SVG: two lifelines, arrows between them, frames around what repeats or is one of several."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from .element import Element, element
from .flow import Arrow, Flow, Group, Step, arrows
from .model import Message, Operation

_LETTER: Final = 7.3
"""How wide a letter is taken to be, in the units of the drawing."""
_LONGEST: Final = 46
"""How many letters of a text are drawn."""
_ROW: Final = 40
_HEAD: Final = 34
_EDGE: Final = 12
_FRAME: Final = 26
"""How much room a frame takes beside what is in it."""

Target = Callable[[Message | None, Operation | None], "str | None"]
"""Where in the page an arrow leads."""


def draw(drawn: Flow, target: Target, title: str) -> Element:
    """The flow as a drawing, whose arrows lead to their messages."""
    return _Drawing(drawn, target).svg(title)


class _Drawing:
    """Lays out from the top; `y` is where the next thing goes."""

    def __init__(self, drawn: Flow, target: Target) -> None:
        self._drawn = drawn
        self._target = target
        depth = _depth(drawn.steps)
        names = [_cut(name) for name in drawn.parties]
        labels = [len(_cut(arrow.text)) for arrow in arrows(drawn.steps)]
        gap = max(260.0, (max(labels, default=0) + 3) * _LETTER)
        widths = [max(len(name) * _LETTER + 28, 92) for name in names]
        self._boxes = list(zip(names, widths))
        left, right = (max(width / 2, depth * _FRAME) + _EDGE for width in widths)
        self._x = (left, left + gap)
        self._width = left + gap + right
        self._y = float(_EDGE + _HEAD + 18)
        self._parts: list[Element] = []
        self._frames: list[Element] = []

    def svg(self, title: str) -> Element:
        self._steps(self._drawn.steps, 0)
        bottom = self._y + 6
        lifelines = [
            element("line", class_="life", x1=_n(x), x2=_n(x), y1=_n(_EDGE + _HEAD), y2=_n(bottom))
            for x in self._x
        ]
        heads = [part for index in (0, 1) for part in self._head(index)]
        size = {"width": _n(self._width), "height": _n(bottom + _EDGE)}
        return element(
            "svg",
            element("defs", _marker()),
            *lifelines,
            *self._frames,
            *self._parts,
            *heads,
            viewBox=f"0 0 {size['width']} {size['height']}",
            width=size["width"],
            height=size["height"],
            role="group",
            aria_label=title,
        )

    def _head(self, index: int) -> Iterator[Element]:
        x, (name, width) = self._x[index], self._boxes[index]
        yield element(
            "rect",
            class_="party",
            x=_n(x - width / 2),
            y=_n(_EDGE),
            width=_n(width),
            height=_n(_HEAD),
            rx="6",
        )
        yield element("text", name, x=_n(x), y=_n(_EDGE + 22), text_anchor="middle", class_="name")

    def _steps(self, steps: tuple[Step, ...], depth: int) -> None:
        for step in steps:
            if isinstance(step, Arrow):
                self._arrow(step)
            else:
                self._group(step, depth)

    def _arrow(self, arrow: Arrow) -> None:
        start, end = self._x[arrow.sender], self._x[arrow.receiver]
        toward = 1 if end > start else -1
        middle = (start + end) / 2
        label = element(
            "text",
            _cut(arrow.text),
            x=_n(middle),
            y=_n(self._y + 10),
            text_anchor="middle",
            class_="label",
        )
        href = self._target(arrow.message, arrow.operation)
        self._parts.append(element("a", label, href=href) if href else label)
        self._y += 18
        self._parts.append(
            element(
                "line",
                class_="reply" if arrow.is_reply else "arrow",
                x1=_n(start + toward * (8 if arrow.both else 1)),
                x2=_n(end - toward * 8),
                y1=_n(self._y),
                y2=_n(self._y),
                marker_end="url(#arrow)",
                marker_start="url(#arrow)" if arrow.both else None,
            )
        )
        self._y += _ROW - 18

    def _group(self, group: Group, depth: int) -> None:
        inset = 1 + depth * _FRAME * 0.6
        top = self._y - 4
        for index, branch in enumerate(group.branches):
            if index:
                self._frames.append(
                    element(
                        "line",
                        class_="cut",
                        x1=_n(inset),
                        x2=_n(self._width - inset),
                        y1=_n(self._y - 4),
                        y2=_n(self._y - 4),
                    )
                )
            kind = [] if index else [element("tspan", f"{group.kind} ", class_="kind")]
            self._parts.append(
                element(
                    "text",
                    *kind,
                    _cut(branch.when),
                    x=_n(inset + 10),
                    y=_n(self._y + 14),
                    class_="when",
                )
            )
            self._y += 32
            self._steps(branch.steps, depth + 1)
            self._y += 2
        self._frames.append(
            element(
                "rect",
                class_="frame",
                x=_n(inset),
                y=_n(top),
                width=_n(self._width - 2 * inset),
                height=_n(self._y - top - 4),
                rx="6",
            )
        )
        self._y += 8


def _marker() -> Element:
    return element(
        "marker",
        element("polygon", points="0 0, 8 4, 0 8", class_="tip"),
        id="arrow",
        viewBox="0 0 8 8",
        refX="1",
        refY="4",
        markerWidth="8",
        markerHeight="8",
        markerUnits="userSpaceOnUse",
        orient="auto-start-reverse",
    )


def _depth(steps: tuple[Step, ...]) -> int:
    """How many frames stand inside each other."""
    groups = (step for step in steps if isinstance(step, Group))
    return max(
        (1 + max(_depth(branch.steps) for branch in group.branches) for group in groups), default=0
    )


def _cut(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 1]}…"


def _n(number: float) -> str:
    return f"{number:.1f}".removesuffix(".0")
