"""Secrets in what people write: assignments, code, notes, XML, JSON and forms."""

import re

from selflow.collect.secret_names import (
    NAME,
    NAME_NEEDLES,
    PASSWORD_WORD,
    SECRET,
    SENSITIVE_NAME,
    VALUE,
    SecretPattern,
    keep_prefix,
)

# --- `password=X`, `password -> X`, `$db['password'] = 'X'`, `password: string = 'X'`.
_TYPED = r"(?::\s?(?:string|str|text|varchar)\s?)?"
_BLOCK = r"(?:[|>][+-]?[ \t]*\r?\n\s*|![\w:/.-]{1,40}\s+)?"
"""YAML: the value stands on the next line, or behind a tag."""
ASSIGNED = SecretPattern(
    NAME_NEEDLES,
    re.compile(
        rf"""(?P<prefix>{NAME}(?:\\?["']?\]?\s*{_TYPED}(?:={{1,3}}>?|:=?)|\\?["']?\s{{1,9}}(?:-{{1,2}}>|\u2192))"""
        rf"""\s*{_BLOCK}){VALUE}""",
        re.IGNORECASE,
    ),
    keep_prefix,
)

PLAIN_WORD = (
    r"(?:(?:not|no|now|too|so|very|still|also|only|being|never|always|already|an?|the|that|this|to"
    r"|in|on|as|for|from|by|at|of|per|what|where|why|how|if|my|your|his|her|its|our|their|set|sent"
    r"|required|needed|missing|empty|blank|wrong|incorrect|correct|invalid|valid|weak|strong|long"
    r"|short|expired|changed|reset|stored|saved|shown|hidden|hashed|encrypted|unknown|known|optional"
    r"|mandatory|used|unused|bad|good|gone|lost|ok|okay|same|different|safe|exposed|leaked|visible"
    r"|checked|asked|typed|entered|given|available|supported|deprecated|ignored|protected|read"
    r"|kept)(?![\w-]))"
)
_QUOTED = r"""(?P<value>"[^"\s]{1,200}"|'[^'\s]{1,200}')"""
_SETTERS = r"define|getenv|putenv|setenv|setdefault|setproperty|getproperty|get|put|set|env|option"


def _written(pattern: str, *needles: str) -> SecretPattern:
    return SecretPattern(needles or NAME_NEEDLES, re.compile(pattern, re.IGNORECASE), keep_prefix)


WRITTEN = (
    _written(
        rf"(?P<prefix>(?<![\w<-]){PASSWORD_WORD}\s(?:\([^()\n]{{1,40}}\)|(?:for|of|von|f\u00fcr|de|pour)"
        rf"(?:\s[\w.@/-]{{1,40}}){{1,3}}?)\s?[:=]\s?)(?!{PLAIN_WORD}|//){VALUE}"
    ),
    _written(rf"(?P<prefix>(?<![\w<-]){PASSWORD_WORD}\s{{1,9}}(?:to\s)?){_QUOTED}"),
    _written(
        rf"(?P<prefix>\|\s{{1,40}}{PASSWORD_WORD}\s{{1,40}}\|\s{{1,40}})(?P<value>[^\s|]+)(?=\s{{1,40}}\|)"
    ),
    _written(rf"(?P<prefix>(?<![\w<-]){PASSWORD_WORD}\t{{1,9}}){VALUE}"),
    _written(
        rf"(?P<prefix>\blogin\s{{1,40}}\S{{1,80}}\s{{1,40}}password\s{{1,40}}){VALUE}", "login"
    ),
    _written(
        rf"""(?P<prefix>(?<!\w)(?:{_SETTERS})\(\s{{0,9}}["'][\w.-]{{0,40}}?{NAME}["']\s{{0,9}},\s{{0,9}}){_QUOTED}"""
    ),
    _written(
        r"(?P<prefix>(?<![A-Za-z])(?:(?:set|with|use|change|update|hash|verify|check)_?)?"
        rf"{PASSWORD_WORD}\w{{0,10}}\(\s{{0,9}}){_QUOTED}"
    ),
    _written(rf"""(?P<prefix>["'][\w.-]{{0,40}}?{NAME}["']\sto\s){_QUOTED}"""),
    _written(
        rf"(?P<prefix>\bidentified\s{{1,9}}(?:with\s\S{{1,60}}\s)?by\s{{1,9}}(?:password\s)?){VALUE}",
        "identified",
    ),
)
"""Code and notes."""

# --- A name here, its value there: {"name": "password", "value": "X"}, <password>X</password>.
NAMING_KEY = re.compile(
    r"(?:(?:field_?|input_?|header_?|variable_?)?name|key|field|label|prompt|question|param(?:eter)?"
    r"|header|variable|env)",
    re.IGNORECASE,
)
"""A key of ``data`` whose value may be the name of a secret."""
VALUE_KEY = re.compile(
    r"(?:value|val|content|text|default|input|typed|answer|entered)", re.IGNORECASE
)
"""A key of ``data`` that holds the value to such a name."""
_QUOTE = r"""\\?["']?"""
_NAMED_PAIR = (
    rf"""(?:(?<![\w-]){NAMING_KEY.pattern}{_QUOTE}\s{{0,9}}[:=]\s{{0,9}}{_QUOTE}"""
    rf"""[\w.-]{{0,40}}?{NAME}{_QUOTE}|(?<![\w-])type=["']password["'])"""
)
_VALUE_IS = rf"(?<![\w-]){VALUE_KEY.pattern}{_QUOTE}\s{{0,9}}[:=]\s{{0,9}}"
_NAME_THEN_VALUE = SecretPattern(
    NAME_NEEDLES,
    re.compile(
        rf"""(?P<prefix>{_NAMED_PAIR}[\s,;]{{1,20}}{_QUOTE}{_VALUE_IS}){VALUE}""", re.IGNORECASE
    ),
    keep_prefix,
)
_VALUE_THEN_NAME = SecretPattern(
    NAME_NEEDLES,
    re.compile(
        rf"""(?P<prefix>{_VALUE_IS})(?P<value>"[^"\\]{{1,400}}"|'[^'\\]{{1,400}}'|[^\s,"']{{1,400}})"""
        rf"(?=[\s,;]{{1,20}}{_QUOTE}{_NAMED_PAIR})",
        re.IGNORECASE,
    ),
    keep_prefix,
)


def _element(match: re.Match[str]) -> str:
    if SENSITIVE_NAME.search(match["tag"]) is None:
        return match[0]
    return f"{match['prefix']}{SECRET}"


_CDATA = r"(?:<!\[CDATA\[)?"
_ELEMENT = SecretPattern(
    ("</",),
    re.compile(
        r"(?P<prefix><(?P<tag>[\w.:-]{1,80})(?:\s[^<>]{0,200})?>\s{0,80}" + _CDATA + r")"
        r"[^<>\]]{1,2000}+(?=(?:\]\]>)?\s{0,80}</(?P=tag)\s*>)"
    ),
    _element,
)
_NAMED_ELEMENT = SecretPattern(
    ("</",),
    re.compile(
        r"(?P<prefix>(?<![\w-])(?:name|key|id|field)\s?=\s?[\"'][\w.:-]{0,40}?"
        rf"{NAME}[\"'][^<>]{{0,200}}>\s{{0,80}}(?:<[\w:]{{1,40}}>)?{_CDATA})"
        r"(?P<value>[^<>\]]{1,2000})(?=(?:\]\]>)?</)",
        re.IGNORECASE,
    ),
    keep_prefix,
)
"""``<entry key="password">X</entry>``."""
_FORM_PART = SecretPattern(
    ("name=",),
    re.compile(
        rf"(?P<prefix>(?<!\w)name=\"?[\w.-]{{0,40}}?{NAME}\"?(?:;[^\r\n]{{0,200}})?"
        r"(?:\r?\n[\w-]{1,60}:[^\r\n]{0,200}){0,5}(?:\r?\n){2})(?P<value>[^\r\n]{1,2000})",
        re.IGNORECASE,
    ),
    keep_prefix,
)
"""A part of ``multipart/form-data``."""

MARKUP = (_NAME_THEN_VALUE, _VALUE_THEN_NAME, _FORM_PART, _ELEMENT, _NAMED_ELEMENT)
"""Name and value in neighbouring places."""
