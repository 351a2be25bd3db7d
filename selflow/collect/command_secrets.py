"""Secrets in command lines: which flag or which word of which program is one.

``mysql -pX``, ``htpasswd -b FILE USER X``, ``vault login X``, ``echo X | passwd --stdin``. The
table is written from the manuals of the programs. Where a program is not in it, a command that
names a user by ``-u`` gives the password by ``-p``.
"""

import re
from collections.abc import Iterator

from selflow.collect.secret_names import (
    LONG_NAMES,
    SECRET,
    SHORT_NAMES,
    VALUE,
    SecretPattern,
    keep_prefix,
)

_COMMAND = r"""(?:"[^"\n]*+"?|'[^'\n]*+'?|[^|;&\n"'])*+"""
"""The rest of one command: a separator between quotes does not end it."""
_ARGUMENT = re.compile(r"""(?:"[^"\n]*+"?|'[^'\n]*+'?|[^\s"'])++""")
_SLOT = re.compile("<[A-Z]+>")
_SHORT_NEEDLE = 3


def _needles(names: str) -> tuple[str, ...]:
    """A short name of a program stands inside many words: what ends it must follow."""
    return tuple(
        needle
        for name in names.split("|")
        for needle in (
            [name.lower()]
            if len(name) > _SHORT_NEEDLE
            else [f"{name}{end}" for end in (" ", "\t", "\n", ".exe")]
        )
    )


def _start(names: str) -> str:
    return rf"(?<![\w-])(?:{names})(?:\.exe)?(?=\s)"


def _flag(names: str, flag: str, *, inside: str = "") -> SecretPattern:
    """What follows ``flag``. ``inside``: what the command must hold before it. A command is
    searched once.
    """
    value = re.compile(rf"(?P<prefix>(?<=\s)(?:{flag})){VALUE}")
    gate = re.compile(rf"(?<=\s)(?:{inside})(?=\s)") if inside else None

    def replace(match: re.Match[str]) -> str:
        command = match[0]
        start = 0
        if gate is not None:
            opened = gate.search(command)
            if opened is None:
                return command
            start = opened.end()
        return command[:start] + value.sub(keep_prefix, command[start:])

    return SecretPattern(_needles(names), re.compile(_start(names) + _COMMAND), replace)


def _operands(command: str, start: int) -> Iterator[re.Match[str]]:
    """The words of a command from ``start`` on that are no options."""
    return (
        argument
        for argument in _ARGUMENT.finditer(command, start)
        if argument[0][0] not in "-+<>" or _SLOT.match(argument[0]) is not None
    )


def _operand(names: str, *positions: int, inside: str = "", skip: str = "") -> SecretPattern:
    """The operands at ``positions``, as a list is indexed, after ``inside``.

    Args:
        names: Programs, as an alternation.
        positions: -1 is the last; a position that the command does not have is no secret.
        inside: What the command must hold before its operands.
        skip: Words that are no operands either.
    """
    gate = re.compile(rf"(?<=\s)(?:{inside})(?=\s)") if inside else None
    skipped = re.compile(skip) if skip else None
    least = max(position + 1 if position >= 0 else -position for position in positions)

    def replace(match: re.Match[str]) -> str:
        command = match[0]
        opened = gate.search(command) if gate else re.match(r"\S+", command)
        if opened is None:
            return command
        arguments = [
            argument
            for argument in _operands(command, opened.end())
            if skipped is None or skipped.fullmatch(argument[0]) is None
        ]
        if len(arguments) < least:
            return command
        for argument in sorted(
            {arguments[position].span() for position in positions}, reverse=True
        ):
            command = _hide(command, *argument)
        return command

    return SecretPattern(_needles(names), re.compile(_start(names) + _COMMAND), replace)


def _hide(command: str, start: int, end: int) -> str:
    argument = command[start:end]
    quote = argument[0] if argument[0] in "\"'" else ""
    core = argument.strip("\"'")
    if not core:
        return command
    closing = quote if len(argument) > 1 and argument.endswith(quote) else ""
    return f"{command[:start]}{quote}{SECRET}{closing}{command[end:]}"


_SETTING = rf"(?i:{LONG_NAMES}|{SHORT_NAMES}|requirepass)"
_CLOUD = "aws|npm|pnpm|yarn|pip|pip3|poetry|git|gcloud|gh|redis-cli|composer|conda|heroku"
_LDAP = "ldapsearch|ldapmodify|ldapadd|ldapdelete|ldappasswd|ldapwhoami|ldapcompare|ldapmodrdn"
_SNMP = "snmpwalk|snmpget|snmpset|snmpgetnext|snmpbulkwalk|snmpbulkget|snmptrap|snmpstatus"

FLAGS = (
    _flag("mysql|mysqldump|mysqladmin|mysqlimport|mariadb|sshpass|7z|7za|7zz|mongodump", r"-p\s*"),
    _flag("mongo|mongosh|mongorestore|mongoexport|mongoimport", r"-p\s*"),
    _flag("docker|podman|helm|oc|az|skopeo|crane|buildah|nerdctl", r"-p\s+", inside="login"),
    _flag("skopeo|buildah|podman", r"--(?:src-|dest-)?creds(?:=|\s+)"),
    _flag("useradd|usermod|rdesktop|ncftpput|ncftpget|twine|evil-winrm|hydra|medusa", r"-p\s*"),
    _flag("crackmapexec|netexec|smbmap|cqlsh|security|poetry", r"-p\s+"),
    _flag("zip|unzip|sqlcmd|bcp|ipmitool|mosquitto_pub|mosquitto_sub|ssh-keygen", r"-P\s*"),
    _flag("ssh-keygen", r"-N\s*"),
    _flag("rar|unrar", r"-h?p(?!-)"),
    _flag(
        "curl|wget|http|https|xh|smbclient", r"(?:-[sSLkfivGIX]{0,6}u|-U|--user|-a)\s*(?=\S*[:%])"
    ),
    _flag("curl", r"(?:--proxy-user|-U)\s+(?=\S*:)|--oauth2-bearer\s+|(?:--cert|-E)\s+[^\s:]+:"),
    _flag(
        "smbclient|smbget|rpcclient|net|wbinfo|winexe|smbcacls|mount.cifs|smbmount",
        r"(?:-U\s*|-a\s+|--user[=\s]|-o\s+user(?:name)?=)[^\s%\"']+%",
    ),
    _flag("smbclient", r"//\S+\s+(?!-)"),
    _flag("redis-cli", r"(?:-a|(?i:auth))\s*"),
    _flag("kadmin|kadmin.local|security", r"-w\s+"),
    _flag(_LDAP, r"-w\s*"),
    _flag("ldappasswd", r"-[sa]\s*"),
    _flag(_SNMP, r"-[cAX]\s*"),
    _flag("openssl", r"-pass(?:in|out)?\s+"),
    _flag("openssl", r"-[kK]\s+", inside="enc"),
    _flag(
        "nmcli|wpa_cli", rf"(?i:[\w-]{{1,40}}\.[\w-]{{0,40}}?(?:psk|{_SETTING})|password|psk)\s+"
    ),
    _flag("iwconfig", r"key\s+"),
    _flag("mysqladmin", r"password\s+"),
    _flag("sqlplus|expdp|impdp|sqlldr|rman", r"[\w$#]+/"),
    _flag("kubectl|oc", r"--from-literal[=\s][\w.-]+="),
    _flag("vault", r"[\w.-]+=", inside="put|write|patch"),
    _flag("xfreerdp|xfreerdp3|wlfreerdp|sdl-freerdp", r"/p:"),
    _flag("signtool|schtasks|makecert|certutil", r"/r?p\s+|-p\s+"),
    _flag("lftp", r"-u\s+[^\s,]+,"),
    _flag("lftp|ftp", r"""[^\n]{0,80}?\buser\s+\S+\s+"""),
    _flag("aws|az|gcloud|kaggle", r"(?:--value|-v)\s+", inside="put-parameter|secret|config"),
    _flag("gem", r"--key\s+"),
    _flag("gh|glab", r"(?:--body|-b|--value|-v)\s+", inside="secret|variable"),
    _flag("doctl", r"-t\s+"),
    _flag("pdftk", r"(?:user_pw|owner_pw|input_pw)\s+"),
    _flag("pdftotext|pdftoppm|pdfimages|pdfinfo|pdftocairo|pdftohtml", r"-[uo]pw\s+"),
    _flag("swaks|sendemail|sendEmail", r"-[ax]p\s+"),
    _flag("steamcmd", r"\+login\s+(?!anonymous)\S+\s+(?!\+)"),
    _flag(_CLOUD, rf"[\w./:@-]{{0,100}}?{_SETTING}\s+(?!-)", inside="config|configure|CONFIG|set"),
    _flag("tsql", r"-P\s*"),
    _flag("vsql", r"-w\s*"),
    _flag("db2", r"using\s+"),
    _flag("etcdctl", r"--user[=\s](?=\S*:)"),
    _flag("veracrypt|zuluCrypt-cli|aescrypt", r"-p\s+"),
    _flag("ccrypt|ccencrypt|ccdecrypt|mcrypt", r"-[kK]\s*"),
    _flag("sonar-scanner|mvn|gradle", r"-Dsonar\.login="),
    _flag("dotnet|nuget", r"-k\s+", inside="push"),
    _flag("guestfish|virt-customize|guestmount", r"(?:\S+\s+)?key:"),
    _flag("setenv|setx|set", rf"(?:-\w+\s+)?\w{{0,60}}?{_SETTING}\s+(?!-)"),
)
"""Flags whose meaning depends on the program."""

_NET_WORDS = r"\\\\.*|[A-Za-z]:|/.*|\*|\S*:\S*"
OPERANDS = (
    _operand("htpasswd|mosquitto_passwd", -1, inside=r"-\w*b\w*"),
    _operand("wpa_passphrase", 1),
    _operand("networksetup", 2, inside="-setairportnetwork"),
    _operand("net", -1, inside="use", skip=_NET_WORDS),
    _operand("net", 1, inside="user", skip=_NET_WORDS),
    _operand("vault", 0, inside="login|unseal"),
    _operand("vault", 0, inside=r"operator\s+unseal"),
    _operand("openssl", -1, inside="passwd"),
    _operand("bw", 0, inside="unlock"),
    _operand("bw", 1, inside="login"),
    _operand("op", 3, inside="signin"),
    _operand("cargo|wandb", 0, inside="login"),
    _operand("snyk", 0, inside="auth"),
    _operand("ngrok", 0, inside="authtoken|add-authtoken"),
    _operand("rclone", 0, inside="obscure"),
    _operand("qpdf", 0, 1, inside="--encrypt"),
    _operand("ansible-vault", 0, inside="encrypt_string"),
    _operand("poetry|composer", 2, inside="config", skip=r"--.*"),
    _operand("poetry", 1, inside=r"config(?=\s+pypi-token)"),
    _operand("pulumi", 1, inside=r"config\s+set"),
    _operand("gcloud", 1, inside="activate-refresh-token"),
    _operand("rabbitmqctl", 1, inside="add_user|change_password|authenticate_user"),
    _operand("ejabberdctl", 2, inside="register|change_password"),
    _operand("drush", 1, inside="user:password|user-password|upwd"),
    _operand("grafana-cli|grafana", -1, inside="reset-admin-password"),
    _operand("ConvertTo-SecureString", 0),
    _operand("isql|iusql", 2),
    _operand("neo4j-admin", -1, inside="set-initial-password"),
    _operand("mc|mcli|minio-mc", 3, inside=r"alias\s+set"),
    _operand("ovpncli", 1, inside="login"),
    _operand("samba-tool", 1, inside="create|add|setpassword"),
    _operand("dscl", -1, inside="-passwd"),
    _operand("bcrypt-tool", 0, inside="hash"),
    _operand("mkpasswd", -1),
    _operand("virsh", 1, inside="secret-set-value"),
)
"""Words whose place makes them a secret."""

# --- A program that nobody listed: a user by `-u`, a password by `-p`.
_HAS_USER = re.compile(r"\s(?:-u|--user(?:name)?)[=\s]\s{0,4}[^\s-]")
_P_FLAG = re.compile(rf"(?P<prefix>(?<=\s)-p\s+)(?![-/~.]|[\d:.-]+(?:\s|$)){VALUE}")
"""A number may be a port, ``/x`` a folder."""
_OTHER_P = re.compile(
    r"\W{0,9}(?:sudo\s+(?!-))?(?:[\w./-]*/)?(?:sudo|doas|runuser|su|mkdir|cp|install|rsync|ssh|scp"
    r"|sftp|ps|top|lsof|tmux|read|pkill|pgrep|docker|podman|nerdctl|patch|git|useradd|usermod)\s"
)
"""Programs whose ``-p`` is something else, or that run another one as ``-u``."""


def _after_user(match: re.Match[str]) -> str:
    command = match[0]
    user = _HAS_USER.search(command)
    if user is None or _OTHER_P.match(command) is not None:
        return command
    return command[: user.end()] + _P_FLAG.sub(keep_prefix, command[user.end() :])


_USER_AND_PASSWORD = SecretPattern((" -p", "\t-p"), re.compile(_COMMAND), _after_user)

# --- A password that a pipe hands over: `echo X | sudo -S …`.
_SUDO = r"(?:sudo\s{1,9}(?:-\w{1,9}\s{1,9}){0,3})?(?:[\w./-]{0,100}/)?"
_ASKS = (
    r"(?:sudo\s(?:[^|;&\n]{0,200}?\s)??(?:-[A-Za-z]{0,9}S|--stdin)(?![\w-])"
    r"|(?:ch|smb|ht|vnc|k|g)?passwd\b|grub-mkpasswd\S{0,9}|pdbedit\b|openconnect\b|ipa\s+user"
    r"|cryptsetup\s|kinit\b|keepassxc-cli\s|secret-tool\s+store\b"
    r"|wrangler\s+secret\b|hcloud\s+context\s+create\b|gh\s+secret\s+set\b|docker\s+secret\s+create\b"
    r"|podman\s+secret\s+create\b|gcloud\s+secrets\s+(?:create|versions)\b)"
)
_TAKES_STDIN = (
    r"[^|;&\n]{1,200}?\s(?:--(?:password-stdin|passwd-on-stdin|stdin|passphrase-fd|with-token"
    r"|pass-stdin|stdinpass)|-o\s*password_stdin|-stdinpass)(?![\w-])"
)
_AGAIN = r"(?:;\s{0,9}(?:echo|printf)\s{1,9}<SECRET>\s{0,9}\)?\s{0,9})?"
PIPED = SecretPattern(
    ("echo", "printf"),
    re.compile(
        r"(?P<prefix>(?<![\w./-])(?:echo|printf)\s{1,9}(?:-[neE]{1,3}\s{1,9}){0,3})"
        r"""(?:"[^"\n]{1,400}"|'[^'\n]{1,400}'|[^|;&\n]{1,400}+)"""
        rf"(?=\s{{0,9}}{_AGAIN}\|\s{{0,9}}{_SUDO}(?:{_ASKS}|{_TAKES_STDIN}))"
    ),
    lambda match: f"{match['prefix']}{SECRET} ",
)
HERE_STRING = SecretPattern(
    ("<<<",),
    re.compile(
        rf"(?P<prefix>(?<![\w.-])(?:{_ASKS}|--(?:with-token|password-stdin|passphrase-fd|stdin)\b"
        rf"|-stdinpass\b)[^|;&\n<]{{0,200}}<<<\s{{0,9}}){VALUE}"
    ),
    keep_prefix,
)
_EXPECT = SecretPattern(
    ("assword:",),
    re.compile(rf"(?P<prefix>assword:[^\n]{{0,40}}?\bsend(?:\s+--)?\s+){VALUE}"),
    keep_prefix,
)
_USER_AT_HOST = SecretPattern(
    ("@",),
    re.compile(
        r"(?P<prefix>(?<![\w/:.@+-])(?:[\w.-]{1,60}/)?[\w.-]{1,60}:)"
        r"(?P<value>[^\s:@/\"'<>]{3,100})(?=@(?!sha\d)[A-Za-z0-9])"
    ),
    keep_prefix,
)
"""``USER:X@HOST`` without a scheme."""

PROGRAMS = (*FLAGS, *OPERANDS, _USER_AND_PASSWORD, _EXPECT, _USER_AT_HOST)
"""Tried in this order."""
