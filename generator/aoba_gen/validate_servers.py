"""Rules on servers, their variables, and what security schemes they and the operations ask for."""

from __future__ import annotations

import re
from collections.abc import Iterator

from .diagnostics import choice, shown, suggestion
from .resolve import Place
from .validate_parts import Finding, Findings, Written, keys, text_of, texts, variables


def server_variables(written: Written) -> Findings:
    """A server's variables are those in the braces of its url, or of its host and pathname."""
    for name, server, location in written.entries("servers"):
        fields = ("url",) if written.is_2 else ("host", "pathname")
        address = "".join(server.text(field) for field in fields)
        described = server.get("variables")
        used, known = variables(address), keys(described)
        missing = [variable for variable in used if variable not in known]
        if missing:
            place = server.key_location("variables") if described else location
            listed = ", ".join(map(shown, missing))
            message = f"server {shown(name)} has {listed} in its address, which 'variables' does not describe"
            yield Finding(message, place, f"add it: {missing[0]}: {{default: ...}}")
        for variable in known:
            if described and variable not in used:
                message = (
                    f"the variable {shown(variable)} is not in the address of server {shown(name)}"
                )
                hint = suggestion(variable, missing) or "remove it"
                yield Finding(message, described.key_location(variable), hint)


def allowed_default(written: Written) -> Findings:
    """The default and the examples of a variable or parameter are among its allowed values."""
    for place in written.of("ServerVariable", "Parameter"):
        allowed = [value for value, _ in texts(place.get("enum"))]
        default = place.get("default")
        given = [("default", text_of(default), default)] if default else []
        given += [("example", text, item) for text, item in texts(place.get("examples"))]
        for what, value, where in given:
            if allowed and value is not None and value not in allowed:
                listed = ", ".join(map(shown, allowed[:8]))
                message = (
                    f"the {what} of {shown(place.key)} is {shown(value)}, expected one of {listed}"
                )
                hint = suggestion(value, allowed) or "take one of them, or add it to 'enum'"
                yield Finding(message, where.location, hint)


def server_host(written: Written) -> Findings:
    """A server's host is a name or address and perhaps a port."""
    for name, server, _ in written.entries("servers") if not written.is_2 else ():
        host = server.get("host")
        text = text_of(host)
        if host and text is not None and not re.fullmatch(r"([^\s/\"'<>{}]|\{[^{}]*\})+", text):
            message = f"the host of server {shown(name)} is {shown(text)}, expected a name or address and perhaps a port"
            hint = "such as 'api.example.com:8443'; scheme and path have fields of their own"
            yield Finding(message, host.location, hint)


def server_pathname(written: Written) -> Findings:
    """A server's pathname begins with a slash."""
    for name, server, _ in written.entries("servers") if not written.is_2 else ():
        path = server.text("pathname")
        if path and not path.startswith(("/", "{")):
            message = f"the pathname of server {shown(name)} is {shown(path)}, expected it to begin with '/'"
            yield Finding(message, server.key_location("pathname"), f"write: pathname: /{path}")


def security_scheme(written: Written) -> Findings:
    """A security requirement names a scheme of the components."""
    for _, name, raw, holder in _requirements(written):
        if raw is None:
            known = keys(_schemes(written))
            message = f"{shown(name)} is no security scheme of the components"
            hint = choice(name, known, "describe it in 'components: securitySchemes:'")
            yield Finding(message, holder.key_location(name), hint)


def security_scope(written: Written) -> Findings:
    """A security requirement names scopes that the scheme's flows have."""
    for scopes, name, scheme, _ in _requirements(written):
        flows = scheme.get("flows") if scheme and scheme.text("type") == "oauth2" else None
        known = [
            scope
            for _, flow in (flows.fields() if flows else ())
            for scope in keys(flow.get("scopes"))
        ]
        for scope, item in texts(scopes):
            if flows and scope not in known:
                message = f"{shown(scope)} is no scope of the security scheme {shown(name)}"
                yield Finding(message, item.location, choice(scope, known, "add it to a flow"))


def scheme_scope(written: Written) -> Findings:
    """The scopes that a security scheme asks for are available in its flows."""
    for scheme in written.of("SecurityScheme oauth2"):
        flows = scheme.get("flows")
        known = [
            scope
            for _, flow in (flows.fields() if flows else ())
            for scope in keys(flow.get("availableScopes"))
        ]
        for scope, item in texts(scheme.get("scopes")):
            if scope not in known and not written.is_2:
                message = f"{shown(scope)} is not among the scopes that the flows have"
                yield Finding(message, item.location, choice(scope, known, "add it to a flow"))


def _schemes(written: Written) -> Place | None:
    components = written.document.root.get("components")
    return components.get("securitySchemes") if components else None


def _requirements(written: Written) -> Iterator[tuple[Place, str, Place | None, Place]]:
    """What 2.x servers and operations ask for: scopes, the scheme's name, the scheme, and where the name is a key."""
    schemes = _schemes(written)
    for holder in written.of("Server", "Operation", "OperationTrait") if written.is_2 else ():
        listed = holder.get("security")
        for requirement in listed.items() if listed else ():
            for name, scopes in requirement.fields():
                yield scopes, name, schemes.get(name) if schemes else None, requirement
