"""Shared expenses: Flask with SQLAlchemy, forms and sessions."""

from tests.applications.application import Application, Page, Place, form

_TOKEN = {"token": r'name="csrf_token"[^>]*value="([^"]+)"'}


def _prepare(place: Place) -> None:
    place.write(
        "settings.py",
        'SECRET_KEY = "x"\nSQLALCHEMY_DATABASE_URI = "sqlite:///{folder}/money.db"\n'
        "ACTIVATE_DEMO_PROJECT = True\nALLOW_PUBLIC_PROJECT_CREATION = True\n"
        "ENABLE_CAPTCHA = False\nSESSION_COOKIE_SECURE = False\n",
    )


APPLICATION = Application(
    name="ihatemoney",
    packages=("ihatemoney==7.2.1",),
    target=("ihatemoney.wsgi:application",),
    prepare=_prepare,
    environment={"IHATEMONEY_SETTINGS_FILE_PATH": "{folder}/settings.py"},
    pages=(
        Page("/"),
        Page("/demo", again=False),
        Page("/demo/", keep={}),
        Page("/demo/add", keep=_TOKEN),
        form(
            "/demo/add",
            csrf_token="$token",
            date="2024-01-01",
            what="Bread",
            payer="1",
            amount="4",
            payed_for="1",
            bill_type="Expense",
        ),
        form("/demo/add", what="without+a+token"),
        Page("/demo/settle_bills"),
        Page("/demo/statistics"),
        Page("/demo/history"),
        Page("/demo/export/bills.json"),
        Page("/demo/export/transactions.csv"),
        Page("/demo/nothing"),
        Page("/nowhere"),
        Page("/create", keep={}),
        Page("/static/css/main.css"),
        Page("/static/css/main.css", "HEAD"),
        Page("/lang/de", again=False),
        Page("/"),
        Page("/api/projects/demo"),
        Page("/api/projects/demo", fields=("Authorization: Basic ZGVtbzpkZW1v",)),
        Page("/api/projects/demo/bills", fields=("Authorization: Basic ZGVtbzpkZW1v",)),
    ),
    varies=(
        r'csrf_token"[^>]*value="([^"]+)"',
        r"session=([^;]+)",
        r"\w{3}, \d\d \w{3} \d{4} [\d:]{8} GMT",
        r"\d{1,2}:\d\d:\d\d",
        r"/demo/join/([\w.-]+)|feed/([\w.-]+)\.xml",
    ),
)
