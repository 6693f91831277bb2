"""A service for tests that is told by webhooks: checks each as Standard Webhooks says, and prints it as a line of JSON.

It answers the first as many times with 500 as its first argument says. Its second argument is the secret.
"""

import base64
import hashlib
import hmac
import http.server
import json
import sys
import time

failing = int(sys.argv[1])
secret = base64.b64decode(sys.argv[2].removeprefix("whsec_"))


class Receiver(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        global failing
        body = self.rfile.read(int(self.headers["content-length"]))
        id, at = self.headers["webhook-id"], self.headers["webhook-timestamp"]
        signed = f"{id}.{at}.".encode() + body
        expected = "v1," + base64.b64encode(hmac.new(secret, signed, hashlib.sha256).digest()).decode()
        shown = self.headers["webhook-signature"].split(" ")
        holds = any(hmac.compare_digest(expected, one) for one in shown)
        status = 401 if not holds else 500 if failing else 204
        failing -= bool(failing)
        print(json.dumps({"id": id, "at": int(at), "status": status, "event": json.loads(body)}), flush=True)
        self.send_response(status)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


server = http.server.HTTPServer(("127.0.0.1", 0), Receiver)
print(server.server_address[1], flush=True)
server.serve_forever()
