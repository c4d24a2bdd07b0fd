from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
import yaml

from include.local_stack.airflow_settings import (
    ALL_ADMINS,
    PUBLIC_ROLE,
    STACK_MARK,
    airflow_environment,
    inherited_environment,
)
from include.local_stack.auth import Auth
from include.local_stack.credentials import USERS, AirflowSecrets
from include.local_stack.errors import UnsafeSetting
from include.local_stack.layout import Layout
from tests.support.long_evaluations import SHORT_LIMITS

EVERYWHERE = "0.0.0.0"  # noqa: S104 - the address that must not be there
SECRETS = AirflowSecrets(jwt_secret="j" * 64, api_secret_key="a" * 32, fernet_key="f" * 44)


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout.of(tmp_path, api_port=8090)


def airflow_options() -> dict[tuple[str, str], dict[str, object]]:
    """Airflow's own configuration reference, read without importing Airflow."""
    found = importlib.util.find_spec("airflow")
    assert found is not None
    assert found.origin is not None
    reference = Path(found.origin).parent / "config_templates" / "config.yml"
    sections = yaml.safe_load(reference.read_text(encoding="utf-8"))
    return {
        (section, option): details
        for section, content in sections.items()
        for option, details in content["options"].items()
    }


def test_every_option_exists_in_airflow_and_is_not_deprecated(layout: Layout) -> None:
    known = airflow_options()
    used = [
        tuple(name.removeprefix("AIRFLOW__").lower().split("__", 1))
        for name in airflow_environment(layout, secrets=SECRETS, extra=SHORT_LIMITS)
        if name.startswith("AIRFLOW__")
    ]

    assert len(used) > 35
    assert [option for option in used if option not in known] == []
    assert [option for option in used if known[option].get("version_deprecated")] == []


def test_everything_listens_on_loopback_only(layout: Layout) -> None:
    environment = airflow_environment(layout, secrets=SECRETS)

    assert environment["AIRFLOW__API__HOST"] == "127.0.0.1"
    assert environment["AIRFLOW__API__PORT"] == "8090"
    assert environment["AIRFLOW__CORE__EXECUTION_API_SERVER_URL"] == (
        "http://127.0.0.1:8090/execution/"
    )
    assert not any(EVERYWHERE in value for value in environment.values())


def test_users_are_named_and_nobody_is_admin_by_default(layout: Layout) -> None:
    environment = airflow_environment(layout, secrets=SECRETS)

    users = environment["AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS"].split(",")
    assert dict(user.split(":") for user in users) == dict(USERS)
    assert [user for user in users if user.endswith(":admin")] == ["admin:admin"]
    assert environment[ALL_ADMINS] == "False"
    assert environment["AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE"] == str(
        layout.users_file
    )


def test_nothing_is_written_outside_the_stacks_folder(layout: Layout) -> None:
    environment = airflow_environment(layout, secrets=SECRETS)
    inputs = {str(layout.project), str(layout.dags_folder), str(layout.plugins_folder)}

    paths = {value for value in environment.values() if value.startswith("/")} - inputs
    assert len(paths) >= 6
    assert [path for path in paths if not Path(path).is_relative_to(layout.home)] == []


def test_the_store_is_the_embedded_one_or_the_one_given(layout: Layout) -> None:
    assert airflow_environment(layout, secrets=SECRETS)["REDLINE_STORE"] == str(layout.store)
    given = airflow_environment(layout, secrets=SECRETS, store_uri="s3://evidence/redline")
    assert given["REDLINE_STORE"] == "s3://evidence/redline"


def test_airflow_is_never_told_where_the_keys_are(layout: Layout) -> None:
    environment = airflow_environment(layout, secrets=SECRETS)
    assert "REDLINE_KEYS" not in environment
    assert [value for value in environment.values() if str(layout.keys) in value] == []

    with pytest.raises(UnsafeSetting, match="REDLINE_KEYS was passed to Airflow's processes"):
        airflow_environment(layout, secrets=SECRETS, extra={"REDLINE_KEYS": str(layout.keys)})


@pytest.mark.parametrize("value", ["True", "true", "1", "yes", "anything"])
def test_authentication_cannot_be_turned_off(layout: Layout, value: str) -> None:
    with pytest.raises(UnsafeSetting, match="whole API unauthenticated"):
        airflow_environment(layout, secrets=SECRETS, extra={ALL_ADMINS: value})


def test_no_role_is_given_to_strangers(layout: Layout) -> None:
    with pytest.raises(UnsafeSetting, match="would let strangers in"):
        airflow_environment(layout, secrets=SECRETS, extra={PUBLIC_ROLE: "Viewer"})


@pytest.mark.parametrize("auth", list(Auth))
def test_every_auth_manager_to_choose_from_is_a_guarded_one(layout: Layout, auth: Auth) -> None:
    environment = airflow_environment(layout, secrets=SECRETS, auth=auth)

    module, name = environment["AIRFLOW__CORE__AUTH_MANAGER"].rsplit(".", 1)
    found = importlib.util.find_spec(module)
    assert found is not None
    assert found.origin is not None
    assert f"class {name}(Guard, " in Path(found.origin).read_text(encoding="utf-8")


def test_airflow_finds_the_name_by_which_it_knows_fab() -> None:
    assert "FabAuthManager" in Auth.FAB.manager


def test_extra_settings_win(layout: Layout) -> None:
    environment = airflow_environment(
        layout, secrets=SECRETS, extra={"AIRFLOW__CORE__AUTH_MANAGER": "plugins.auth.Strict"}
    )
    assert environment["AIRFLOW__CORE__AUTH_MANAGER"] == "plugins.auth.Strict"


def test_the_callers_settings_do_not_leak_into_the_stack() -> None:
    kept = inherited_environment(
        {
            "PATH": "/bin",
            "AWS_ACCESS_KEY_ID": "key",
            ALL_ADMINS: "True",
            "_AIRFLOW__AS_LIBRARY": "1",
            "REDLINE_KEYS": "/keys",
            STACK_MARK: "/other",
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONPATH": "/elsewhere",
            "SUPERVISOR_ENABLED": "1",
            "NO_PROXY": "internal",
        }
    )
    assert kept == {
        "PATH": "/bin",
        "AWS_ACCESS_KEY_ID": "key",
        "NO_PROXY": "internal,127.0.0.1,localhost",
        "no_proxy": "127.0.0.1,localhost",
    }
