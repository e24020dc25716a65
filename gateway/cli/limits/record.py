"""`lockgate limits record`: saves the recorded requests in a file."""

import argparse

from gateway.cli.limits.exit_status import ExitStatus
from gateway.cli.limits.ops_address import find_ops_address
from gateway.cli.limits.ops_client import OpsClient
from gateway.cli.limits.terminal import print_json
from gateway.cli.standard_streams import print_error


def run(options: argparse.Namespace) -> int:
    """Save the recording. A file of this name is replaced once all has been received."""
    file = options.file
    part = file.with_name(f"{file.name}.part")
    try:
        with OpsClient(find_ops_address(options)) as client:
            size = client.save_recording(part)
        part.replace(file)
    except OSError as error:
        print_error(f"{file} cannot be written: {error.strerror}")
        return ExitStatus.FAILED
    finally:
        part.unlink(missing_ok=True)
    if options.json:
        print_json({"file": str(file), "bytes": size})
    else:
        print(f"{file} has {size:,} bytes; the keys of callers in it are hashes")
    return ExitStatus.DONE
