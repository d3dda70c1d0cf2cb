"""Where a `$ref` leads, in the files as they are written: through other references, other files, anchors and slips.

RFC 6901 (JSON Pointer) and RFC 3986; `$id` and `$anchor` as JSON Schema has them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote, urljoin

from .access import is_part
from .files import Files, is_absolute
from .load import Array, Node, Object, Scalar

_ANCHORS: Final = ("$anchor", "$dynamicAnchor")
_DEFINITIONS: Final = ("definitions", "$defs")


@dataclass(frozen=True, slots=True)
class Spot:
    """A node as written, and its pointer: that of its file, "#/..." or "other.yaml#/...", then its own steps."""

    node: Node
    pointer: str

    @property
    def file(self) -> str:
        """The path of the file, "" for the main document."""
        return self.pointer.partition("#")[0]

    def children(self) -> Iterator[tuple[str, Spot]]:
        """The fields or items of the node, by name or index."""
        if isinstance(self.node, Object):
            for name, node in self.node.fields.items():
                yield name, Spot(node, step(self.pointer, name))
        elif isinstance(self.node, Array):
            for index, node in enumerate(self.node.items):
                yield str(index), Spot(node, step(self.pointer, str(index)))

    def child(self, name: str) -> Spot | None:
        """The field or item of that name or index."""
        node = self.node
        if isinstance(node, Object) and name in node.fields:
            return Spot(node.fields[name], step(self.pointer, name))
        if isinstance(node, Array) and name.isdecimal() and int(name) < len(node.items):
            return Spot(node.items[int(name)], step(self.pointer, name))
        return None


class Broken(Exception):
    """A reference, the one at `reference`, leads nowhere."""

    def __init__(self, reference: Spot) -> None:
        self.reference = reference


class Lost(Broken):
    """The reference's way ends at `spot`, which has no `name`."""

    def __init__(self, reference: Spot, spot: Spot, name: str) -> None:
        super().__init__(reference)
        self.spot = spot
        self.name = name


class Cycle(Broken):
    """The references at `pointers` lead round and round."""

    def __init__(self, reference: Spot, pointers: frozenset[str]) -> None:
        super().__init__(reference)
        self.pointers = pointers


class NoFile(Broken):
    """There is no file with the path `path`."""

    def __init__(self, reference: Spot, path: str) -> None:
        super().__init__(reference)
        self.path = path


class Outside(Broken):
    """The file is reached for what documents share, and the reference leads to nothing of that kind."""


class NoAnchor(Broken):
    """The file has no such anchor; it may be meant as a pointer."""


class BrokenFile(Broken):
    """The file is there and cannot be read, which has been reported."""


def reference(node: Node) -> str | None:
    """The text of `node`'s `$ref`, `None` where it is no reference."""
    if (
        isinstance(node, Object)
        and isinstance(ref := node.fields.get("$ref"), Scalar)
        and isinstance(ref.value, str)
    ):
        return ref.value
    return None


class References:
    """Follows references over the files of a document; each is followed once."""

    def __init__(self, files: Files) -> None:
        self.files = files
        self.mended: dict[str, str] = {}
        """The pointer of each reference whose own pointer is not well escaped, and what it should be."""
        self.embedded: dict[str, str] = {}
        """The pointer of each reference that begins at the schema around it, and what it should be."""
        self._arrived: dict[str, Spot | Broken] = {}
        self._identified: dict[str, dict[str, Spot]] = {}

    def arrive(self, spot: Spot) -> Spot:
        """The end of the references from `spot`, itself where it is none; raises Broken.

        What a remote reference stands for is not known: it ends in `true`, the schema that allows anything.
        """
        return self._arrive(spot, {})

    def hop(self, spot: Spot) -> Spot:
        """Where the reference at `spot` leads, be that a reference again; raises Broken."""
        ref = reference(spot.node)
        return spot if ref is None else self._target(spot, ref, {})

    def settle(self, remote: Mapping[str, Spot | Broken]) -> None:
        """Let remote references, by their pointers, end in something else than `true`, and whatever leads to them."""
        for pointer, end in self._arrived.items():
            if isinstance(end, Spot) and end.pointer in remote:
                self._arrived[pointer] = remote[end.pointer]
        self._arrived |= remote

    def _arrive(self, spot: Spot, active: dict[str, None]) -> Spot:
        """`active` holds the references that are being followed, in order."""
        passed: list[str] = []
        end: Spot | Broken = spot
        try:
            while (ref := reference(spot.node)) is not None:
                if (known := self._arrived.get(spot.pointer)) is not None:
                    end = known
                    break
                if spot.pointer in active:
                    trail = list(active)
                    round_trip = trail[trail.index(spot.pointer) :]
                    raise Cycle(spot, frozenset(round_trip))
                active[spot.pointer] = None
                passed.append(spot.pointer)
                end = spot = self._target(spot, ref, active)
        except Broken as broken:
            end = broken
        for pointer in passed:
            del active[pointer]
            self._arrived[pointer] = end
        if isinstance(end, Broken):
            raise end
        return end

    def _target(self, spot: Spot, ref: str, active: dict[str, None]) -> Spot:
        """Where one reference leads, be that a reference again."""
        try:
            target = self._leads(spot, ref, active)
        except Lost as lost:
            if self.files.is_shared(lost.spot.file):
                raise Outside(spot) from None
            raise
        if target.pointer != spot.pointer and self.files.is_shared(target.file):
            if not isinstance(target.node, Object) or not is_part(target.node.fields):
                raise Outside(spot)
        return target

    def _leads(self, spot: Spot, ref: str, active: dict[str, None]) -> Spot:
        name, _, fragment = ref.partition("#")
        root = self._root(spot, ref, name)
        if root is None:
            location = spot.node.location
            return Spot(Scalar(True, location), spot.pointer)
        if not name and "#" not in ref:
            raise NoAnchor(spot)
        if not fragment:  # '#' is the nearest schema with an id
            return root if name else next(self._bases(spot), root)
        if not fragment.startswith("/"):
            anchor = self._ids(root.file).get("#" + unquote(fragment))
            if anchor is None:
                raise NoAnchor(spot)
            return anchor
        tokens = fragment.split("/")[1:]
        try:
            return self._walk(spot, root, tokens, active)
        except Lost as lost:
            for base in self._bases(spot) if not name else ():
                try:
                    return self._walk(spot, base, tokens, active)
                except Lost:
                    continue
            for base in self._embedding(spot, tokens[0]) if not name else ():
                with suppress(Lost):
                    found = self._walk(spot, base, tokens, active)
                    self.embedded[spot.pointer] = "/".join(
                        (base.pointer.partition("#")[2], *tokens)
                    )
                    return found
            names = self._spelled(spot, root, tokens, active)
            if names is None:
                raise lost
            self.mended[spot.pointer] = "".join(step("", name) for name in names)
            return self._walk_names(spot, root, names, active)

    def _root(self, spot: Spot, ref: str, name: str) -> Spot | None:
        """What the part of a reference before its '#' names; `None` where that is not on this machine."""
        path = name
        if not name:
            return Spot(self.files.sources[spot.file].root, f"{spot.file}#")
        if not self.files.is_elsewhere(name, spot.file) and not is_absolute(name):
            path = self.files.path(name, spot.file)
            with suppress(FileNotFoundError):
                source = self.files.read(path, spot.file)
                if source is None:
                    raise BrokenFile(spot)
                return Spot(source.root, f"{path}#")
        known = self._identified_by(spot, name)
        if known is None and not self.files.is_elsewhere(name, spot.file):
            raise NoFile(spot, path)
        return known

    def _walk(self, ref: Spot, root: Spot, tokens: list[str], active: dict[str, None]) -> Spot:
        return self._walk_names(ref, root, [unescaped(token) for token in tokens], active)

    def _walk_names(self, ref: Spot, root: Spot, names: list[str], active: dict[str, None]) -> Spot:
        spot = root
        for name in names:
            if reference(spot.node) is not None:
                spot = self._arrive(spot, active)
            child = spot.child(name)
            if child is None:
                raise Lost(ref, spot, name)
            spot = child
        return spot

    def _spelled(
        self, ref: Spot, spot: Spot, tokens: list[str], active: dict[str, None]
    ) -> list[str] | None:
        """The names that the tokens may have meant: a name with '/' or '~' in it, written as it is."""
        if not tokens:
            return []
        if reference(spot.node) is not None:
            spot = self._arrive(spot, active)
        for count in range(1, len(tokens) + 1):
            joined = "/".join(tokens[:count])
            for name in dict.fromkeys((unescaped(joined), unquote(joined), joined)):
                child = spot.child(name)
                rest = None if child is None else self._spelled(ref, child, tokens[count:], active)
                if rest is not None:
                    return [name, *rest]
        return None

    def _bases(self, spot: Spot) -> Iterator[Spot]:
        """The schemas around `spot` that have an `$id`, the nearest first: they are roots of their own."""
        return (base for base in self._around(spot) if base.child("$id"))

    def _embedding(self, spot: Spot, token: str) -> Iterator[Spot]:
        """The schemas around `spot` that define others, the nearest first: such a one was a file once, perhaps."""
        if token in _DEFINITIONS:
            yield from (base for base in self._around(spot) if base.child(token))

    def _around(self, spot: Spot) -> Iterator[Spot]:
        """What holds `spot`, itself first."""
        around = [Spot(self.files.sources[spot.file].root, f"{spot.file}#")]
        for token in spot.pointer.partition("#")[2].split("/")[1:]:
            child = around[-1].child(unescaped(token))
            if child is None:
                break
            around.append(child)
        return reversed(around)

    def _identified_by(self, spot: Spot, name: str) -> Spot | None:
        """The schema of the same file whose `$id` is `name`, perhaps relative to the `$id` around `spot`."""
        ids = self._ids(spot.file)
        around = [
            base.node.fields["$id"] for base in self._bases(spot) if isinstance(base.node, Object)
        ]
        bases = [node.value for node in around if isinstance(node, Scalar)]
        names = [name, *(_joined(base, name) for base in bases if isinstance(base, str))]
        return next((ids[each] for each in names if each in ids), None)

    def _ids(self, path: str) -> dict[str, Spot]:
        """What the anchors ("#name") and `$id`s of a file name, as written and as they resolve."""
        if path not in self._identified:
            found = self._identified[path] = {}
            source = self.files.sources.get(path)
            todo = [(Spot(source.root, f"{path}#"), "")] if source else []
            for spot, base in todo:  # grows on the way
                if isinstance(spot.node, Object):
                    base = _identify(spot, spot.node, base, found)
                todo += [(child, base) for _, child in spot.children()]
        return self._identified[path]


def _identify(spot: Spot, node: Object, base: str, found: dict[str, Spot]) -> str:
    for field in _ANCHORS:
        if isinstance(anchor := node.fields.get(field), Scalar):
            found.setdefault(f"#{anchor.value}", spot)
    own = node.fields.get("$id")
    if not isinstance(own, Scalar) or not isinstance(own.value, str):
        return base
    base = _joined(base, own.value)
    for name in (own.value, base, base.rpartition("/")[2]):
        found.setdefault(name if name.startswith("#") else name.removesuffix("#"), spot)
    return base


def _joined(base: str, name: str) -> str:
    try:
        return urljoin(base, name)
    except ValueError:  # such as 'http://['
        return name


def step(pointer: str, name: str) -> str:
    """The pointer of the field `name` below `pointer`."""
    return f"{pointer}/{name.replace('~', '~0').replace('/', '~1')}"


def unescaped(token: str) -> str:
    """The name that a token of a pointer stands for."""
    return unquote(token).replace("~1", "/").replace("~0", "~")
