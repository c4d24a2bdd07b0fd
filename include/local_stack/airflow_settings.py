"""The environment of every Airflow process of the local stack, as one pure function.

Why each setting is here: "Settings worth shipping" in the platform facts, and the notes beside it.
Option names are Airflow 3.3.2's own; a test looks each one up in its configuration reference.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from include.local_stack.auth import Auth
from include.local_stack.credentials import USERS, AirflowSecrets
from include.local_stack.errors import UnsafeSetting
from include.local_stack.layout import HOST, Layout

STACK_MARK = "REDLINE_STACK"
"""Set in every process of a stack to its home folder: how `down` finds strays of any session."""

ALL_ADMINS = "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS"
PUBLIC_ROLE = "AIRFLOW__FAB__AUTH_ROLE_PUBLIC"
KEYS_VARIABLE = "REDLINE_KEYS"
NOT_INHERITED_PREFIXES = ("AIRFLOW", "_AIRFLOW", "REDLINE_", "PYTHON", "SUPERVISOR_")
INHERITED = (
    "REDLINE_DRILL_KEYS",
    "REDLINE_EVALUATIONS",
    "REDLINE_EVALUATION_POOL",
    "REDLINE_INBOX",
)
"""What a caller may set for the stack all the same."""
NOTHING: Mapping[str, str] = MappingProxyType({})


def airflow_environment(
    layout: Layout,
    *,
    secrets: AirflowSecrets,
    users: Mapping[str, str] = USERS,
    auth: Auth = Auth.SIMPLE,
    store_uri: str | None = None,
    extra: Mapping[str, str] = NOTHING,
) -> dict[str, str]:
    """Environment variables for Airflow's processes; `extra` wins over what is set here.

    The signing keys' folder is never among them: only the notary is told of it.
    Raises: UnsafeSetting when `extra` would turn authentication off or name the keys.
    """
    _refuse_unsafe(extra)
    return {
        **process_environment(layout),
        **_airflow_variables(_options(layout, users, auth)),
        **_airflow_variables(_secret_options(secrets)),
        "AIRFLOW_HOME": str(layout.airflow_home),
        "GX_ANALYTICS_ENABLED": "false",
        "REDLINE_STORE": store_uri or str(layout.store),
        "REDLINE_CHECKPOINTS": str(layout.checkpoints),
        "REDLINE_JOBS": str(layout.jobs),
        **extra,
    }


def process_environment(layout: Layout) -> dict[str, str]:
    """What every supervised process gets, Airflow's or not."""
    return {
        STACK_MARK: str(layout.home),
        # `include` and `dags` import from the project root, in every process.
        "PYTHONPATH": str(layout.project),
        "PYTHONUNBUFFERED": "1",
        # One thread: two cores are shared by five processes, and tasks are forked.
        "OPENBLAS_NUM_THREADS": "1",
        # setproctitle would overwrite /proc/<pid>/environ, where `down` looks for STACK_MARK.
        "SPT_NOENV": "1",
    }


def inherited_environment(caller: Mapping[str, str]) -> dict[str, str]:
    """What the stack takes over from the shell of whoever starts it.

    Airflow, Redline and Python settings of that shell are dropped: one of them could turn
    authentication off, name the keys, or make every import compile from source.
    """
    kept = {
        name: value
        for name, value in caller.items()
        if name in INHERITED or not name.startswith(NOT_INHERITED_PREFIXES)
    }
    for name in ("NO_PROXY", "no_proxy"):
        # Tokens go over loopback: a proxy in the caller's environment must not see them.
        kept[name] = ",".join(part for part in (caller.get(name), HOST, "localhost") if part)
    return kept


def _options(layout: Layout, users: Mapping[str, str], auth: Auth) -> dict[str, dict[str, str]]:
    return {
        "core": _core_options(layout, users, auth),
        "database": {"sql_alchemy_conn": f"sqlite:///{layout.database}"},
        "api": {
            "host": HOST,
            "port": str(layout.api_port),
            "workers": "1",
            "base_url": layout.base_url,
        },
        "logging": {"base_log_folder": str(layout.task_logs)},
        "scheduler": {
            "scheduler_idle_sleep_time": "0.25",
            "task_instance_heartbeat_timeout": "60",
            "orphaned_tasks_check_interval": "30",
            "enable_health_check": "False",
        },
        "workers": {"min_heartbeat_interval": "1"},
        # A triggerer that was killed keeps its triggers for this long (default 30); heartbeats are
        # 5 s apart.
        "triggerer": {"triggerer_health_check_threshold": "15"},
        "dag_processor": {
            # New files are listed every 5 s; the default waits five minutes.
            "refresh_interval": "5",
            "bundle_refresh_check_interval": "2",
            # The default is a folder in /tmp that every Airflow of the machine shares.
            "dag_bundle_storage_path": str(layout.airflow_home / "bundles"),
        },
    }


def _core_options(layout: Layout, users: Mapping[str, str], auth: Auth) -> dict[str, str]:
    return {
        # LocalExecutor, but the scheduler is started again when a worker was killed.
        "executor": "include.wiring.local_executor.RestartingLocalExecutor",
        "parallelism": "8",
        "dags_folder": str(layout.dags_folder),
        "plugins_folder": str(layout.plugins_folder),
        "load_examples": "False",
        "dags_are_paused_at_creation": "False",
        "execution_api_server_url": f"{layout.base_url}/execution/",
        # The default asks DNS for a full name, which can hang a machine without network.
        "hostname_callable": "socket.gethostname",
        "auth_manager": auth.manager,
        "simple_auth_manager_users": ",".join(f"{name}:{role}" for name, role in users.items()),
        "simple_auth_manager_passwords_file": str(layout.users_file),
        "simple_auth_manager_all_admins": "False",
    }


def _secret_options(secrets: AirflowSecrets) -> dict[str, dict[str, str]]:
    return {
        "core": {"fernet_key": secrets.fernet_key},
        "api": {"secret_key": secrets.api_secret_key},
        "api_auth": {"jwt_secret": secrets.jwt_secret},
    }


def _airflow_variables(options: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    return {
        f"AIRFLOW__{section.upper()}__{option.upper()}": value
        for section, values in options.items()
        for option, value in values.items()
    }


def _refuse_unsafe(extra: Mapping[str, str]) -> None:
    if extra.get(ALL_ADMINS, "False").strip().lower() not in {"false", "0", "f", "n", "no"}:
        raise UnsafeSetting(
            f"{ALL_ADMINS}={extra[ALL_ADMINS]!r} would make the whole API unauthenticated "
            "(expected: unset). Use the named users; their passwords are in users.json."
        )
    if extra.get(PUBLIC_ROLE, "").strip():
        raise UnsafeSetting(
            f"{PUBLIC_ROLE}={extra[PUBLIC_ROLE]!r} would let strangers in with that role "
            "(expected: unset). Give whoever needs to read a user with the role viewer."
        )
    if KEYS_VARIABLE in extra:
        raise UnsafeSetting(
            f"{KEYS_VARIABLE} was passed to Airflow's processes (expected: to the notary alone, "
            "the only signer). Put it into the notary's Program(environment=...)."
        )
