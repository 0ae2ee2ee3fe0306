"""Compares a bill of materials with the published shape of CycloneDX; says what differs and ends with 1."""

import sys

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

path, version = sys.argv[1:]
with open(path, encoding="utf-8") as file:
    error = JsonStrictValidator(SchemaVersion.from_version(version)).validate_str(file.read())
if error:
    print(error, file=sys.stderr)
    sys.exit(1)
