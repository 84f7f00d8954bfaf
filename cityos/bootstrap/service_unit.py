"""``cityos service-unit``: this city as a service of the machine, which starts with it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from cityos.bootstrap.welcome import cityos_program
from cityos.errors import InvalidRequest
from cityos.settings import Settings

_PLAIN: Final = re.compile(r"[^\s\"'\\%$:;]+")
"""A path that systemd reads as it stands (systemd.syntax(7), systemd.unit(5) on specifiers)."""
_USER: Final = re.compile(r"[a-z_][a-z0-9_-]{0,30}")

_UNIT: Final = """\
# Written by `cityos service-unit`; changes of your own: systemctl edit cityos
# Before its first start, as root:
#   adduser --system --group --no-create-home {user}
#   install -d -m 700 -o {user} -g {user} {home}
[Unit]
Description=CityOS
# nothing here waits for the internet; servers of your own on this machine come first
After=network.target postgresql.service mosquitto.service redis-server.service
RequiresMountsFor={folder} {home}
# it is tried again for as long as it takes: nobody may be there at night
StartLimitIntervalSec=0

[Service]
Type=notify
User={user}
WorkingDirectory={folder}
ExecStart={command} --home {home} up
Restart=on-failure
RestartSec=10
# a database that was cut off replays its log for as long as it needs
TimeoutStartSec=infinity
# it stops its own processes, in order, the store last; only what is left then is killed
KillMode=mixed
TimeoutStopSec=5min
# one process that runs out of memory is started again by the city, which goes on
OOMPolicy=continue

UMask=0077
NoNewPrivileges=yes
ProtectSystem=strict
ReadWritePaths={home}
PrivateTmp=yes
ProtectClock=yes
ProtectControlGroups=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes

[Install]
WantedBy=multi-user.target
"""


def unit(settings: Settings, *, user: str) -> str:
    """Return the unit file of the city of this folder and its state folder.

    Raises:
        InvalidRequest: this user, or one of the paths, is not for a service.
    """
    if user == "root" or not _USER.fullmatch(user):
        message = f"--user {user!r}: a service needs an ordinary user of its own, not root"
        raise InvalidRequest(message, parameter="user")
    folder, program = Path.cwd(), cityos_program()
    for path in (folder, settings.home, *map(Path, program)):
        if not _PLAIN.fullmatch(str(path)):
            message = f"{path}: a service's path must be without blanks, quotes and \\ % $ : ;"
            raise InvalidRequest(message)
    return _UNIT.format(folder=folder, home=settings.home, user=user, command=" ".join(program))
