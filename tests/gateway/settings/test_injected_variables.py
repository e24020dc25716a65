"""The name and the value decide together; `test_environment.py` has those of whole Services."""

from gateway.settings.injected_variables import is_injected


def test_a_copy_of_a_linked_environment_needs_the_name_of_the_link() -> None:
    copy = {"LOCKGATE_DB_ENV_PASSWORD": "x"}
    assert not is_injected("LOCKGATE_DB_ENV_PASSWORD", copy)
    link = {**copy, "LOCKGATE_DB_NAME": "/gateway/db"}
    assert is_injected("LOCKGATE_DB_ENV_PASSWORD", link)


def test_names_of_services_are_upper_case() -> None:
    assert is_injected("LOCKGATE_PORT", {"LOCKGATE_PORT": "tcp://10.0.0.1:80"})
    assert not is_injected("lockgate_port", {"lockgate_port": "tcp://10.0.0.1:80"})
