"""PyPI `pusher` as the receiver of webhooks: prints what its verifier makes of each request.

The argument is a JSON list of objects with `app_id`, `own_key`, `secret`, `key`, `signature` and `body`.
"""

import json
import sys

import pusher

for request in json.loads(sys.argv[1]):
    receiver = pusher.Pusher(request["app_id"], request["own_key"], request["secret"])
    verified = receiver.validate_webhook(request["key"], request["signature"], request["body"])
    print(json.dumps(verified))
