"""One call of PyPI `pusher` for the scenarios of other languages: prints its result as JSON.

Arguments: credentials as a JSON object, the method's name, and its arguments as a JSON list.
"""

import json
import sys

from wire import backend

credentials, method, arguments = sys.argv[1:]
print(json.dumps(getattr(backend(json.loads(credentials)), method)(*json.loads(arguments))))
