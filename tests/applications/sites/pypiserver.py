"""A registry of packages on bottle: files, and uploads."""

import io
import zipfile

from tests.applications.application import Application, Page, Place

_BOUNDARY = "=====x====="
_KIND = f"Content-Type: multipart/form-data; boundary={_BOUNDARY}"


def _wheel(name: str) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as file:
        for at in range(50):
            text = f"{name} {at}\n" * 200
            file.writestr(zipfile.ZipInfo(f"{name}/{at}.py"), text)
    return data.getvalue()


def _prepare(place: Place) -> None:
    (place.folder / "packages").mkdir()
    for name in ("alpha", "beta"):
        path = place.folder / f"packages/{name}-1.0-py3-none-any.whl"
        path.write_bytes(_wheel(name))


def _upload(action: str, name: str) -> Page:
    parts = {":action": action, "name": "gamma", "version": "1.0"}
    fields = "".join(
        f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="{key}"\r\n\r\n{text}\r\n'
        for key, text in parts.items()
    )
    head = f'Content-Disposition: form-data; name="content"; filename="{name}"'
    content = f"--{_BOUNDARY}\r\n{head}\r\n\r\n{'x' * 200_000}\r\n"
    return Page("/", "POST", (_KIND,), f"{fields}{content}--{_BOUNDARY}--\r\n")


APPLICATION = Application(
    name="pypiserver",
    packages=("pypiserver==2.4.2", "pip"),  # it imports that
    target=(
        "pypiserver:app(roots=['packages'], password_file='.', authenticate=[], "
        "disable_fallback=True)",
    ),
    prepare=_prepare,
    pages=(
        Page("/"),
        Page("/simple"),
        Page("/simple/"),
        Page("/simple/alpha/"),
        Page("/simple/Alpha/"),
        Page("/simple/nothing/"),
        Page("/packages/"),
        Page("/packages/alpha-1.0-py3-none-any.whl"),
        Page("/packages/alpha-1.0-py3-none-any.whl", "HEAD"),
        Page("/packages/alpha-1.0-py3-none-any.whl", fields=("Range: bytes=100-5000",)),
        Page("/packages/nothing.whl"),
        Page("/alpha/json"),
        _upload("file_upload", "gamma-1.0-py3-none-any.whl"),
        _upload("file_upload", "gamma-1.0-py3-none-any.whl"),
        _upload("file_upload", "../../gamma"),
        _upload("nonsense", "gamma-1.0-py3-none-any.whl"),
        Page("/simple/gamma/"),
        Page("/packages/gamma-1.0-py3-none-any.whl"),
        Page("/health"),
        Page("/favicon.ico"),
        Page("/RPC2", "POST", ("Content-Type: text/xml",), "<no xml"),
    ),
    varies=(r"\w{3}, \d\d \w{3} \d{4} [\d:]{8} GMT",),
)
