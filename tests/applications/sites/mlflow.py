"""A record of experiments: JSON through protocol buffers on Flask, SQLAlchemy, and files."""

from tests.applications.application import Application, Page, Place, json

_API = "/api/2.0/mlflow"
_FILES = "/api/2.0/mlflow-artifacts/artifacts/$mark"
_LOG = "\n".join(f"$mark line {number}" for number in range(2000))


def _prepare(place: Place) -> None:
    place.run("mlflow", "db", "upgrade", f"sqlite:///{place.folder}/mlflow.db")


def _sent(path: str, body: str, again: bool | None = None) -> Page:
    page = json(f"{_API}/{path}", body)
    return Page(page.path, page.method, page.fields, page.body, again=again)


def _asked(path: str) -> Page:
    return Page(f"{_API}/{path}")


def _metric(step: int) -> str:
    return f'{{"key": "loss", "value": {step}.5, "timestamp": {step}, "step": {step}}}'


_METRICS = ", ".join(map(_metric, range(100)))
_OF_MINE = '{"experiment_ids": ["$experiment"], "filter": "tags.mark = \'$mark-tag\'"}'

APPLICATION = Application(
    name="mlflow",
    packages=("mlflow==3.17.2",),
    target=("mlflow.server:app",),
    prepare=_prepare,
    # What `mlflow server` hands to gunicorn.
    environment={
        "_MLFLOW_SERVER_FILE_STORE": "sqlite:///{folder}/mlflow.db",
        "_MLFLOW_SERVER_ARTIFACT_ROOT": "mlflow-artifacts:/",
        "_MLFLOW_SERVER_SERVE_ARTIFACTS": "true",
        "_MLFLOW_SERVER_ARTIFACT_DESTINATION": "{folder}/files",
        "_MLFLOW_SGI_NAME": "gunicorn",
        "MLFLOW_SERVER_ALLOWED_HOSTS": "site.test",
        "MLFLOW_FLASK_SERVER_SECRET_KEY": "x",
        "MLFLOW_DISABLE_TELEMETRY": "true",
    },
    pages=(
        Page("/"),
        Page("/health"),
        Page("/version"),
        Page("/static-files/nothing.js"),
        Page("/nowhere"),
        _sent("experiments/create", '{"name": "First"}'),
        _sent("experiments/create", '{"name": "First"}', again=True),
        _sent("experiments/create", "no json", again=True),
        _asked("experiments/get?experiment_id=1"),
        _asked("experiments/get?experiment_id=999999999"),
        _asked("experiments/get-by-name?experiment_name=First"),
        _asked("experiments/get"),
        _sent("runs/create", '{"experiment_id": "1", "start_time": 1}'),
        _sent("runs/search", '{"experiment_ids": ["1"]}', again=True),
        _sent("runs/search", '{"experiment_ids": ["1"], "filter": "x"}', again=True),
        _asked("runs/get?run_id=nothing"),
        _asked("artifacts/list?run_id=nothing"),
        _sent("registered-models/create", '{"name": "model"}'),
        _sent("registered-models/create", '{"name": "model"}', again=True),
        _asked("registered-models/get?name=model"),
        _asked("registered-models/get?name=nothing"),
    ),
    story=(
        _sent("experiments/create", '{"name": "$mark"}').gives(
            200, experiment=r'"experiment_id": "(\d+)"'
        ),
        _sent(
            "runs/create",
            '{"experiment_id": "$experiment", "start_time": 5, "run_name": "$mark-run"}',
        ).gives(200, "$mark-run", run=r'"run_id": "(\w+)"'),
        _sent("runs/log-batch", f'{{"run_id": "$run", "metrics": [{_METRICS}]}}').gives(
            200, again=True
        ),
        _sent(
            "runs/log-parameter", '{"run_id": "$run", "key": "rate", "value": "$mark"}'
        ).gives(200, again=True),
        _sent(
            "runs/log-parameter", '{"run_id": "$run", "key": "rate", "value": "else"}'
        ).gives(400, "$mark"),
        _sent(
            "runs/set-tag", '{"run_id": "$run", "key": "mark", "value": "$mark-tag"}'
        ).gives(200, again=True),
        _asked("runs/get?run_id=$run").gives(200, "$mark-tag", "99.5", again=True),
        _sent("runs/search", _OF_MINE).gives(200, "$run", "$mark-tag", again=True),
        _asked("metrics/get-history?run_id=$run&metric_key=loss").gives(200, "50.5"),
        Page(f"{_FILES}/log.txt", "PUT", body=_LOG, again=True, status=200),
        Page(f"{_FILES}/log.txt", shows=("$mark line 1999",), again=True),
        Page("/api/2.0/mlflow-artifacts/artifacts?path=$mark", shows=("log.txt",)),
        Page(f"{_FILES}/log.txt", "DELETE", status=200),
        Page("/api/2.0/mlflow-artifacts/artifacts?path=$mark", lacks=("log.txt",)),
        _sent(
            "runs/update",
            '{"run_id": "$run", "status": "FINISHED", "end_time": 6}',
        ).gives(200, "FINISHED", again=True),
        _sent("registered-models/create", '{"name": "$mark"}').gives(200, "$mark"),
        _sent(
            "registered-models/rename", '{"name": "$mark", "new_name": "$mark-new"}'
        ).gives(200, "$mark-new"),
        json(
            f"{_API}/registered-models/delete", '{"name": "$mark-new"}', "DELETE"
        ).gives(200),
        _asked("registered-models/get?name=$mark-new").gives(404),
        _sent("runs/delete", '{"run_id": "$run"}').gives(200, again=True),
        _sent("runs/search", _OF_MINE).gives(200, lacks=("$run",)),
        _sent("experiments/delete", '{"experiment_id": "$experiment"}').gives(200),
        _asked("experiments/get?experiment_id=$experiment").gives(
            200, "$mark", '"lifecycle_stage": "deleted"'
        ),
    ),
    varies=(
        r"\b1\d{12}\b",
        r"\w{3}, \d\d \w{3} \d{4} [\d:]{8} GMT",
        r'"run_(?:uu)?id": "(\w+)"',
        r'"(?:run_name|value)": "(\w+-\w+-\d+)"',
        r"mlflow-artifacts:/1/(\w+)/",
        r"[0-9a-f]{32}",
    ),
)
