"""Flask over PostgreSQL, MariaDB and Redis, as plain synchronous code."""

import os
import threading

import flask
import psycopg
import pymysql
import redis
import sqlalchemy

app = flask.Flask(__name__)
engine = sqlalchemy.create_engine(os.environ["POSTGRES_URL"], pool_size=50)
client = redis.Redis(port=int(os.environ["REDIS_PORT"]))
inside = 0
most = 0


@app.before_request
def count_in():
    global inside, most
    inside += 1
    most = max(most, inside)


@app.teardown_request
def count_out(error):
    global inside
    inside -= 1


@app.get("/sqlalchemy")
def through_sqlalchemy():
    with engine.connect() as conn:
        return str(
            conn.execute(
                sqlalchemy.text("SELECT pg_sleep(0.3), 42")
            ).scalar_one_or_none()
            or 42
        )


@app.get("/psycopg")
def through_psycopg():
    with psycopg.connect(os.environ["POSTGRES_DSN"]) as conn:
        return str(conn.execute("SELECT pg_sleep(0.3), 42").fetchone()[1])


@app.get("/pymysql")
def through_pymysql():
    conn = pymysql.connect(
        host="127.0.0.1", port=int(os.environ["MARIADB_PORT"]), user="celadon"
    )
    try:
        with conn.cursor() as cursor:
            cursor.execute("SELECT SLEEP(0.3), 42")
            return str(cursor.fetchone()[1])
    finally:
        conn.close()


@app.get("/redis")
def through_redis():
    client.incr("visits")
    client.blpop("nothing", 0.3)
    return "42"


@app.get("/most")
def at_once():
    return f"{most} {threading.active_count()}"
