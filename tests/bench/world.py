# SPDX-License-Identifier: MIT
"""world.py STATE AGENTS ACCOUNTS [LEFT [own]]: main and AGENTS agents, each with the same ACCOUNTS logins (own: each with
logins of its own, of other people), which have LEFT seconds left of six hours (default five hours: nothing to do). Access tokens are JWTs, as they mostly are; with ten
logins a store has about 4 KiB."""
import base64
import json
import os
import sys
import time


def part(value):
    return base64.urlsafe_b64encode(json.dumps(value, separators=(",", ":")).encode()).rstrip(b"=").decode()


def jwt(n, now, expires):
    return ".".join((part({"alg": "ES256"}), part({"iat": now, "exp": expires, "sub": f"user-{n}"}), "FAKE-SIGNATURE" + "x" * 72))


def profile(n, now, left):
    expires = now + left
    return {"type": "oauth", "provider": "xai", "access": jwt(n, expires - 21600, expires),
            "refresh": f"FAKE-REFRESH-{n:06}-" + "x" * 24, "expires": expires * 1000,
            "email": f"user-{n}@example.com"}


state, agents, accounts = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
left = int(sys.argv[4]) if len(sys.argv) > 4 else 18000
now = int(time.time())
own = "own" in sys.argv[5:]


def document(first):
    profiles = {f"xai:p{n:04}": profile(first + n, now, left) for n in range(accounts)}
    return json.dumps({"version": 1, "profiles": profiles}, indent=2) + "\n"


text = document(0)
for n in range(agents + 1):
    directory = f"{state}/agents/{f'a{n:06}' if n else 'main'}/agent"
    os.makedirs(directory)
    with open(f"{directory}/auth-profiles.json", "w") as file:
        file.write(document(n * accounts) if own else text)
