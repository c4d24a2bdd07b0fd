"""Where everything of one local stack lives: a single ignored folder, and one port on loopback."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

HOST = "127.0.0.1"
DEFAULT_PORT = 8080
DEFAULT_HOME = ".redline"


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Folders, files and the port of one stack; build it with `Layout.of`, which resolves paths."""

    project: Path
    home: Path
    dags_folder: Path
    plugins_folder: Path
    api_port: int = DEFAULT_PORT

    @classmethod
    def of(
        cls,
        project: Path,
        *,
        home: Path | None = None,
        api_port: int = DEFAULT_PORT,
        dags_folder: Path | None = None,
        plugins_folder: Path | None = None,
    ) -> Layout:
        """Fill what is not given from the project root; every path becomes absolute."""
        root = project.expanduser().resolve()
        return cls(
            project=root,
            home=(home or root / DEFAULT_HOME).expanduser().resolve(),
            dags_folder=(dags_folder or root / "dags").expanduser().resolve(),
            plugins_folder=(plugins_folder or root / "plugins").expanduser().resolve(),
            api_port=api_port,
        )

    @property
    def airflow_home(self) -> Path:
        """AIRFLOW_HOME: the metadata database, task logs, generated configuration."""
        return self.home / "airflow"

    @property
    def store(self) -> Path:
        """The embedded evidence store: records and the ledger."""
        return self.home / "store"

    @property
    def keys(self) -> Path:
        """Signing keys (0700); only the notary is told of this folder."""
        return self.home / "keys"

    @property
    def checkpoints(self) -> Path:
        """Where the toy trainer leaves its checkpoints."""
        return self.home / "checkpoints"

    @property
    def jobs(self) -> Path:
        """Where submitted evaluation jobs keep their state."""
        return self.home / "jobs"

    @property
    def logs(self) -> Path:
        """One file per supervised process; task logs are under `task_logs`."""
        return self.home / "logs"

    @property
    def run(self) -> Path:
        """Sockets, process ids and the supervisor's configuration (0700)."""
        return self.home / "run"

    @property
    def users_file(self) -> Path:
        """Passwords of the named users, as Airflow's simple auth manager reads them (0600)."""
        return self.home / "users.json"

    @property
    def stack_file(self) -> Path:
        """What runs now: socket, port, start time; absent when nothing was started."""
        return self.run / "stack.json"

    @property
    def secrets_file(self) -> Path:
        """Airflow's own secrets, made once at first start (0600)."""
        return self.airflow_home / "secrets.json"

    @property
    def database(self) -> Path:
        """Airflow's SQLite metadata database."""
        return self.airflow_home / "airflow.db"

    @property
    def task_logs(self) -> Path:
        """Task logs; the API server reads them from here, since no log server runs."""
        return self.airflow_home / "logs"

    @property
    def supervisor_config(self) -> Path:
        """The rendered supervisord configuration (0600: program environments carry secrets)."""
        return self.run / "supervisord.conf"

    @property
    def supervisor_pid(self) -> Path:
        """supervisord's pid file."""
        return self.run / "supervisord.pid"

    @property
    def lock_file(self) -> Path:
        """Held while `up` or `down` works, so that two of them do not interleave."""
        return self.run / "lock"

    @property
    def base_url(self) -> str:
        """The address of Airflow's UI and REST API."""
        return f"http://{HOST}:{self.api_port}"

    def log_of(self, program: str) -> Path:
        """The log file of one supervised program (or of `supervisord` itself)."""
        return self.logs / f"{program}.log"
