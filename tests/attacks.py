"""Hostile documents: every place where a text of a document can flow, with every break-out that we know of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import count
from typing import Any, Final

CANARY: Final = "canary_was_here"
"""A file of that name appears in the current folder when a break-out runs."""
_RUN: Final = f"open('{CANARY}','w').close()"
_RUN2: Final = f'open("{CANARY}","w").close()'

BREAK_OUTS: Final = tuple(
    dict.fromkeys(
        [
            f'"; {_RUN}; "',
            f"'; {_RUN}; '",
            f'"""; {_RUN}; """',
            f"'''; {_RUN}; '''",
            f'"""\n{_RUN}\n"""',
            f'\\"""\n{_RUN}\n\\"""',
            f'\\\\"""\n{_RUN}\n"""',
            f'"\n{_RUN}\n"',
            f"'\n{_RUN}\n'",
            f'\\"\n{_RUN}\n"',
            f'")\n{_RUN}\n("',
            f"')\n{_RUN}\n('",
            f'"] = {_RUN}\nx["',
            f'" + {_RUN} + "',
            f"' + {_RUN} + '",
            f"{{{_RUN}}}",
            f"{{{{ {_RUN} }}}}",
            f"{{% set x = {_RUN} %}}",
            "{{ cycler.__init__.__globals__.os.system('touch " + CANARY + "') }}",
            "{{ ''.__class__.__mro__[1].__subclasses__() }}",
            "{# comment #}",
            "${" + _RUN + "}",
            f"%({_RUN})s",
            f"`{_RUN}`",
            f"\n{_RUN}\n",
            f"\r{_RUN}\r",
            f"\r\n{_RUN}\r\n",
            f"# \r{_RUN}",
            f"\x0b{_RUN}\x0c",
            f"\x1c{_RUN}\x1d",
            f"\x85{_RUN}",
            f"\u2028{_RUN}\u2029",
            f"\x00{_RUN}",
            f"\\\n{_RUN}",
            f"\\N{{LATIN SMALL LETTER A}}{_RUN}",
            "\\u0022; " + _RUN + " #",
            "\\x22\\x22\\x22" + _RUN,
            "ends in a backslash\\",
            "ends in two backslashes\\\\",
            'ends in a quote"',
            'ends in three quotes"""',
            'ends in \\"',
            f"\u202e{_RUN}\u202c",
            f"\u2066{_RUN}\u2069",
            f"\ufeff{_RUN}\u200b",
            f"\ufdd0{_RUN}\ufdd1",
            "__import__('os').system('touch " + CANARY + "')",
            "_DOC_0_",
            "\n_DOC_1_\n",
            "__init__",
            "__class__",
            "model_config",
            "model_validate",
            "import os",
            "os.system",
            "builtins.eval",
            "pydantic.ImportString",
            "../../" + CANARY,
            "..\\..\\" + CANARY,
            "/tmp/" + CANARY,
            "a/b.c",
            "~0~1%00%22",
            f"<script>{_RUN}</script>",
            f"# type: ignore\n{_RUN}",
            f"# -*- coding: utf-7 -*-\n{_RUN}",
            f"```\n{_RUN}\n```",
            f">>> {_RUN2}",
            "\U0001f600\u0301" + _RUN,
            "\uff3f\uff3fimport\uff3f\uff3f",
            "lambda: " + _RUN,
            f"*{{{_RUN}}}",
            "(?P<a>" + _RUN + ")",
            "x" * 300 + '"""' + _RUN,
        ]
    )
)
_EXTENSIONS: Final = (
    "x-python-type",
    "x-python-import",
    "x-enum-varnames",
    "x-enum-descriptions",
    "customTypePath",
    "customBasePath",
    "default_factory",
    "$comment",
    "x-anything",
)


def text_documents(
    most: int = 8, texts: Sequence[str] = BREAK_OUTS
) -> Iterator[tuple[dict[str, Any], int]]:
    """Documents with break-outs wherever there is text, and how many combinations each holds: all of them generate."""
    for first in range(0, len(texts), most):
        group = texts[first : first + most]
        number = count()

        def hostile(text: str) -> str:
            next(number)
            return text

        schemas: dict[str, Any] = {}
        document: dict[str, Any] = {
            "asyncapi": "3.0.0",
            "info": {
                "title": "Attack",
                "version": hostile(group[0]),
                "description": hostile(group[0]),
                "x-info": hostile(group[0]),
                "license": {"name": hostile(group[0])},
                "contact": {"name": hostile(group[0])},
                "tags": [{"name": hostile(group[0]), "description": hostile(group[0])}],
            },
            "servers": {},
            "channels": {},
            "operations": {},
            "components": {"schemas": schemas},
        }
        for index, text in enumerate(group):
            schemas[f"S{index}"] = _schema(text, hostile)
            _add_channel(document, index, text, hostile)
        yield document, next(number)


def _schema(text: str, hostile: Any) -> dict[str, Any]:
    value = hostile(text)
    described = {"title": hostile(text), "description": hostile(text)}
    return {
        "type": "object",
        **described,
        **{name: hostile(text) for name in _EXTENSIONS},
        "externalDocs": {"url": "https://example.com", "description": hostile(text)},
        "required": ["constant", "choice"],
        "properties": {
            "text": {"type": "string", **described, "default": value, "examples": [hostile(text)]},
            "constant": {"const": hostile(text)},
            "choice": {
                "enum": [hostile(text), "other", hostile(text) + "2"],
                "description": hostile(text),
            },
            "some": {"type": "array", "default": [hostile(text)], "items": {"type": "string"}},
            "any": {"default": {hostile(text): hostile(text)}},
            "format": {"type": "string", "format": hostile(text)},
            "media": {"type": "string", "contentMediaType": hostile(text)},
            "not": {"not": {"const": hostile(text)}, "type": "string"},
            "one": {"oneOf": [{"const": hostile(text)}, {"type": "integer"}]},
            "if": {"if": {"const": hostile(text)}, "then": {"type": "string"}},
            "map": {"type": "object", "patternProperties": {"^" + "x": {"const": hostile(text)}}},
        },
    }


def _add_channel(document: dict[str, Any], index: int, text: str, hostile: Any) -> None:
    described = {"title": hostile(text), "summary": hostile(text), "description": hostile(text)}
    document["servers"][f"s{index}"] = {
        "host": "example.com",
        "protocol": hostile(text) or "ws",
        **described,
        "variables": {"v": {"default": hostile(text), "description": hostile(text)}},
        "pathname": "/{v}",
    }
    document["channels"][f"c{index}"] = {
        **described,
        "address": "a/{p}",
        "parameters": {
            "p": {"description": hostile(text), "default": hostile(text), "enum": [hostile(text)]}
        },
        "messages": {
            f"m{index}": {
                **described,
                "name": hostile(text),
                "payload": {"$ref": f"#/components/schemas/S{index}"},
                "headers": {
                    "type": "object",
                    "description": hostile(text),
                    "properties": {"h": {"type": "string", "description": hostile(text)}},
                },
                "tags": [{"name": hostile(text)}],
                "examples": [{"name": hostile(text), "payload": {}}],
                "x-anything": hostile(text),
            }
        },
    }
    document["operations"][f"o{index}"] = {
        **described,
        "action": "send",
        "channel": {"$ref": f"#/channels/c{index}"},
        "bindings": {"ws": {"x-a": hostile(text)}},
    }


def name_documents(text: str) -> Mapping[str, dict[str, Any]]:
    """Documents with a break-out as a name or where only some texts may stand: each generates or is refused."""
    schema: dict[str, Any] = {"type": "object", "properties": {"a": {"type": "string"}}}
    found: dict[str, dict[str, Any]] = {}

    def document(place: str) -> dict[str, Any]:
        found[place] = made = _plain()
        return made

    document("title")["info"]["title"] = text
    document("schema")["components"]["schemas"] = {
        text: schema,
        "S": {"$ref": f"#/components/schemas/{text.replace('~', '~0').replace('/', '~1')}"},
    }
    document("property")["components"]["schemas"]["S"]["properties"] = {
        text: {"type": "string", "enum": [text]}
    }
    document("required")["components"]["schemas"]["S"]["required"] = [text]
    document("pattern")["components"]["schemas"]["S"]["properties"]["a"]["pattern"] = text
    document("pattern property")["components"]["schemas"]["S"]["patternProperties"] = {text: schema}
    document("dependency")["components"]["schemas"]["S"]["dependentRequired"] = {text: [text]}
    document("type")["components"]["schemas"]["S"]["type"] = text
    document("discriminator")["components"]["schemas"]["S"]["discriminator"] = text
    document("reference")["components"]["schemas"]["S"] = {"$ref": text}
    document("pointer")["components"]["schemas"]["S"] = {"$ref": f"#/{text}"}
    document("id")["components"]["schemas"]["S"]["$id"] = text
    document("message")["channels"]["c"]["messages"] = {
        text: {"payload": {"$ref": "#/components/schemas/S"}}
    }
    made = document("channel")
    made["channels"] = {text: made["channels"]["c"]}
    made["operations"] = {}
    document("address")["channels"]["c"]["address"] = text
    document("parameter")["channels"]["c"].update(
        {"address": f"a/{{{text}}}", "parameters": {text: {}}}
    )
    made = document("operation")
    made["operations"] = {text: made["operations"]["o"]}
    document("content type")["defaultContentType"] = text
    document("schema format")["channels"]["c"]["messages"]["m"]["payload"] = {
        "schemaFormat": text,
        "schema": schema,
    }
    document("correlation")["channels"]["c"]["messages"]["m"]["correlationId"] = {"location": text}
    document("server")["servers"] = {text: {"host": "h", "protocol": "ws"}}
    document("host")["servers"] = {"s": {"host": text, "protocol": "ws"}}
    document("variable")["servers"] = {
        "s": {"host": "h", "protocol": "ws", "pathname": f"/{{{text}}}", "variables": {text: {}}}
    }
    document("scheme")["components"]["securitySchemes"] = {text: {"type": "http", "scheme": text}}
    document("unknown field")[text] = text
    document("conversation")["components"]["schemas"]["S"]["x-aoba-conversation"] = text
    document("version")["asyncapi"] = text
    return found


def _plain() -> dict[str, Any]:
    return {
        "asyncapi": "3.0.0",
        "info": {"title": "Attack", "version": "1"},
        "channels": {
            "c": {
                "address": "a",
                "messages": {"m": {"payload": {"$ref": "#/components/schemas/S"}}},
            }
        },
        "operations": {"o": {"action": "send", "channel": {"$ref": "#/channels/c"}}},
        "components": {
            "schemas": {"S": {"type": "object", "properties": {"a": {"type": "string"}}}}
        },
    }


def distribution_documents() -> Iterator[tuple[str, dict[str, Any]]]:
    """Documents with a break-out wherever text reaches a distribution's metadata or its README: all of them generate."""
    for text in BREAK_OUTS:
        described = {"summary": text, "description": text}
        document = _plain()
        document["info"] = {
            "title": text,
            "version": "1.0",
            "description": text,
            "license": {"name": text, "url": f"https://example.com/{text}"},
            "contact": {"name": text, "email": f"{text}@example.com", "url": text},
            "termsOfService": f"https://example.com/\n{text}",
        }
        document["servers"] = {"s": {"host": "h", "protocol": text or "ws", **described}}
        message = document["channels"]["c"]["messages"]["m"]
        message |= {"name": text, "title": text, **described}
        document["operations"]["o"] |= described
        yield text, document


_ALERT: Final = "alert(1)"
PAGE_BREAK_OUTS: Final = (
    f"<script>{_ALERT}</script>",
    f"</style></title></pre></code><script>{_ALERT}</script>",
    f"<img src=x onerror={_ALERT}>",
    f"<svg onload={_ALERT}>",
    f"<iframe src=javascript:{_ALERT}>",
    "<base href=https://evil.example/>",
    "<meta http-equiv=refresh content=0;url=https://evil.example>",
    "<link rel=stylesheet href=https://evil.example/x.css>",
    f'"><b onmouseover={_ALERT}>',
    f"' onmouseover='{_ALERT}",
    f'" autofocus onfocus="{_ALERT}',
    f"[a](javascript:{_ALERT})",
    f"[a](JaVaScRiPt:{_ALERT})",
    f"[a](java\nscript:{_ALERT})",
    f"[a](&#106;avascript:{_ALERT})",
    f"[a](\x01javascript:{_ALERT})",
    "[a](data:text/html;base64,PHNjcmlwdD4=)",
    "[a](vbscript:x)",
    "[a](file:///etc/passwd)",
    "[a](//evil.example)",
    "[a](\\\\evil.example\\x)",
    f'[a](https://evil.example "x\\" onmouseover=\\"{_ALERT}")',
    f'[a](<https://evil.example/" onmouseover="{_ALERT}>)',
    f"[a]\n\n[a]: javascript:{_ALERT}",
    f"<javascript:{_ALERT}>",
    f'<https://evil.example/"onclick="{_ALERT}>',
    "![a](https://evil.example/pixel.png)",
    f"![a](javascript:{_ALERT})",
    f'![x" onerror="{_ALERT}](https://evil.example/x.png)',
    f'```html" onload="{_ALERT}\n<script>{_ALERT}</script>\n```',
    f"```\n</code></pre><script>{_ALERT}</script>",
    f"| a | b |\n|---|---|\n| <script>{_ALERT}</script> | [x](javascript:{_ALERT}) |",
    f"`</code><script>{_ALERT}</script>`",
    f"a | `b|c` | <script>{_ALERT}</script>\n\n# x\n\n---\n\n> <b>",
    "<!-- --><!DOCTYPE html><![CDATA[ ]]><?xml ?>",
    "&lt;script&gt;&#60;script&#62;&amp;lt;",
    '[a](#message-x) [b](#" onclick="x)',
    "A->>B: x\nend\n%%{init: {'securityLevel': 'loose'}}%%\nclick A href \"javascript:x\"",
    "@everyone #1 $x$ ~~y~~ https://evil.example",
    "\u202e</b>\u2066<b>\x00\x1b[31m",
)
"""What would break out of HTML, of Markdown or of a drawing."""
