"""A mail server for tests: aiosmtpd, which prints its port and then each mail as a line of JSON.

It greylists what is sent to grey@, and knows nobody@ not at all. With a name and a password it wants to see them.
"""

import asyncio
import json
import sys

from aiosmtpd.smtp import SMTP, AuthResult


class Mails:
    def __init__(self):
        self.greylisted = set()

    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith("nobody@"):
            return "550 5.1.1 no such mailbox here"
        if address.startswith("grey@") and address not in self.greylisted:
            self.greylisted.add(address)
            return "451 4.7.1 greylisted, try again later"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        mail = {"from": envelope.mail_from, "to": envelope.rcpt_tos, "data": envelope.content.decode()}
        print(json.dumps(mail), flush=True)
        return "250 OK"


def check(server, session, envelope, mechanism, shown):
    # What is not handled here, aiosmtpd answers: 535.
    return AuthResult(success=[shown.login.decode(), shown.password.decode()] == sys.argv[1:3], handled=False)


async def main():
    mails, wanted = Mails(), len(sys.argv) == 3
    options = {"authenticator": check, "auth_required": True, "auth_require_tls": False} if wanted else {}
    make = lambda: SMTP(mails, hostname="mail.example.com", **options)
    server = await asyncio.get_running_loop().create_server(make, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


asyncio.run(main())
