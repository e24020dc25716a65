"""A settings file with a database and a key file."""

from pathlib import Path

from tests.databases import create_file


def configure_database(folder: Path) -> Path:
    """Create the database and the settings file, but not the key file, which is `keys.jwks`."""
    config = folder / "lockgate.toml"
    config.write_text(
        f'database_url = "{create_file(folder)}"\n'
        f'[identity]\nissuer = "https://gateway.test"\nkey_file = "{folder}/keys.jwks"\n'
    )
    return config
