"""The rules of the specification by name: each a function that looks at a document and says what breaks it.

An error makes a package wrong or impossible, or is what the specification says must not be; a warning is a contradiction
that stops nothing. The structure of a document is `validate_structure`'s.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from .diagnostics import Report, Severity, suggestion
from .resolve import Document
from .validate_channels import (
    channel_address,
    channel_parameters,
    channel_servers,
    channel_wildcard,
    operation_channel,
    operation_message,
    operation_message_component,
    reply_message,
)
from .validate_ids import component_name, message_id, operation_id, tag_name
from .validate_parts import Findings, Written
from .validate_schemas import (
    headers_object,
    schema_enum,
    schema_limits,
    schema_pattern,
    schema_required,
)
from .validate_servers import (
    allowed_default,
    scheme_scope,
    security_scheme,
    security_scope,
    server_host,
    server_pathname,
    server_variables,
)
from .validate_values import message_example, no_uuids, schema_default, schema_example, schema_type


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule; one that is `needed` cannot be turned off, as no package can be made of what breaks it."""

    check: Callable[[Written], Findings]
    severity: Severity = Severity.WARNING
    needed: bool = False

    @property
    def name(self) -> str:
        """What it is called in diagnostics and in options."""
        return self.check.__name__.replace("_", "-")

    @property
    def sentence(self) -> str:
        """What it demands, in one sentence."""
        return (self.check.__doc__ or "").strip()


RULES: Final = (
    Rule(operation_id),
    Rule(message_id),
    Rule(tag_name),
    Rule(component_name),
    Rule(channel_address, Severity.ERROR),
    Rule(channel_wildcard),
    Rule(channel_parameters),
    Rule(channel_servers),
    Rule(operation_channel, Severity.ERROR, needed=True),
    Rule(operation_message, Severity.ERROR, needed=True),
    Rule(operation_message_component),
    Rule(reply_message),
    Rule(server_variables),
    Rule(server_host),
    Rule(server_pathname),
    Rule(allowed_default),
    Rule(security_scheme),
    Rule(security_scope),
    Rule(scheme_scope),
    Rule(headers_object),
    Rule(schema_pattern),
    Rule(schema_limits),
    Rule(schema_required),
    Rule(schema_enum),
    Rule(schema_type),
    Rule(message_example),
    Rule(schema_example),
    Rule(schema_default),
)


TOLD: Final = {
    "avro-type": "A type of Avro is one of its own, or defined before it is used.",
    "call-field": "A message of a voice call has the field that a call needs, and requires it.",
    "call-operation": "An operation sends the message of a voice call.",
    "call-reason": "A voice call has a word for every reason to end.",
    "call-required": "A message of a voice call requires nothing that a call does not know.",
    "call-signal": "One message stands for each signal of a voice call.",
    "closed-base": "A schema that allows no other properties is not extended by allOf.",
    "const-not-in-enum": "A constant is among the values that its property may have.",
    "content-type": "The contentType of a message is one that generated code reads and writes.",
    "correlation-id": "A correlation id is in what the headers or the payload describe.",
    "default-type": "A default is of the type that generated code has for it.",
    "enum-duplicate": "A list of allowed values has each once.",
    "impossible-member": "A value can be of every member of a choice.",
    "message-name-taken": "Every message has a name of its own.",
    "messages-ambiguous": "The messages of a channel can be told apart.",
    "name-clash-resolved": "Names of the document are different as names of Python, too.",
    "newer-version": "A document uses only what its own version of AsyncAPI has.",
    "not-enforced": "Generated code can check what a schema demands.",
    "package-name": "A title makes the name of a package.",
    "ref-embedded": "A reference begins at the root of its file.",
    "ref-unescaped": "The names in a reference are escaped.",
    "remote-ref": "What a reference names lies on this machine.",
    "reply-address": "A reply's address is known from its request.",
    "reply-unknown": "A reply names its messages.",
    "schema-conflict": "The parts of a schema ask for a type that they share.",
    "schema-format": "A schema is of a format that is read.",
    "union-ambiguous": "The members of a union can be told apart.",
    "unknown-keyword": "What stands in a schema is a keyword or begins with 'x-'.",
    "uuid-example": "The document itself gives UUIDs for a text with 'format: uuid'; else none are asked for.",
}
"""The warnings of other passes, and what each wishes for."""

OPTIONAL: Final[Mapping[str, str]] = {
    rule.name: rule.sentence for rule in RULES if not rule.needed
} | TOLD
"""What can be turned off, by name, and what it demands."""


def why_on(rule: str) -> str | None:
    """What to tell who wants to turn `rule` off and cannot; `None` when he can."""
    if rule in OPTIONAL:
        return None
    if any(rule == one.name for one in RULES):
        return "no package can be made of what breaks it"
    return suggestion(rule, OPTIONAL) or "'aoba-gen rules' lists them"


def check_rules(written: Written, report: Report) -> Document:
    """Report what the rules find that the report has not disabled; returns the document with what is not to be checked."""
    for rule in RULES:
        if rule.needed or rule.name not in report.disabled:
            tell = report.error if rule.severity is Severity.ERROR else report.warn
            for found in rule.check(written):
                tell(rule.name, found.message, found.location, found.hint)
    unchecked = no_uuids(written)
    for found in unchecked.values():
        report.warn("uuid-example", found.message, found.location, found.hint)
    return replace(written.lifted, no_uuids=frozenset(unchecked))
