"""Clients of caches, brokers, directories and stores: one greenlet waits for its answer, and
others go on."""

from __future__ import annotations

import pytest

from tests.green.test_sockets import SOCKETS
from tests.support.green import run_green
from tests.support.libraries import shown
from tests.support.machine import module
from tests.support.raw import TIMEOUT
from tests.support.services import Services


def kombu_by(scheme: str, port: str, place: str) -> tuple[str, str]:
    return (
        f"""
import kombu
port = relay({port})
def call(n=0):
    with kombu.Connection(f"{scheme}://127.0.0.1:{{port}}/{place}") as conn:
        with conn.SimpleQueue(f"kombu-{{n}}") as queue:
            queue.put({{"n": n}})
            message = queue.get(timeout=TIMEOUT); message.ack()
            return message.payload["n"]
""",
        "{n}",
    )


def celery_by(scheme: str, port: str, place: str) -> tuple[str, str]:
    return (
        f"""
import celery, kombu
app = celery.Celery("shop", broker=f"{scheme}://127.0.0.1:{{relay({port})}}/{place}")
@app.task(name="shop.sell")
def sell(n): raise AssertionError("is for a worker")
def call(n=0):
    sell.apply_async((n,), queue=f"celery-{{n}}", serializer="json")
    with app.connection_for_read() as conn, conn.SimpleQueue(f"celery-{{n}}") as queue:
        message = queue.get(timeout=TIMEOUT); message.ack()
        return message.payload[0][0]
""",
        "{n}",
    )


RELAY = (
    SOCKETS
    + """
def relay(port):
    # A port where `port` answers, each time after ten turns of the loop: others could run in them.
    listener = socket.create_server(("127.0.0.1", 0))
    def pump(source, target, turns):
        try:
            while data := source.recv(65536):
                for _ in range(turns): green.sleep(0.001)
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)
        except OSError: pass  # one of them has left
    def serve():
        while True:
            here, _ = listener.accept()
            there = socket.create_connection(("127.0.0.1", port))
            green.spawn(pump, here, there, 0); green.spawn(pump, there, here, 10)
    green.spawn(serve)
    return listener.getsockname()[1]
"""
)
# What each does before, the call that waits, and what it gives: all that 10 of them do side by
# side where it ends with `each`, of the number that is theirs.
CLIENTS = {
    "pymemcache": (
        """
from pymemcache.client.base import PooledClient
client = PooledClient(("127.0.0.1", relay(memcached_port)), default_noreply=False)
def call(n=0):
    client.set(f"key{n}", f"value{n}")
    return client.get(f"key{n}").decode()
""",
        "value{n}",
    ),
    "pymemcache_hash": (
        """
from pymemcache.client.hash import HashClient
client = HashClient([("127.0.0.1", relay(memcached_port)), ("127.0.0.1", relay(memcached_port))],
                    use_pooling=True, default_noreply=False)
def call(n=0):
    client.set_many({f"hash{n}-{i}": f"{i}" for i in range(4)})
    return ",".join(value.decode() for _, value in sorted(client.get_many([f"hash{n}-{i}" for i in range(4)]).items()))
""",
        "0,1,2,3",
    ),
    "pylibmc": (
        """
import pylibmc
port = relay(memcached_port)
pool = pylibmc.ClientPool(pylibmc.Client([f"127.0.0.1:{port}"], binary=True), 4)
def call(n=0):
    with pool.reserve(block=True) as client:
        client.set(f"lib{n}", f"value{n}")
        return client[f"lib{n}"]
""",
        "value{n}",
    ),
    "paho_publish": (
        """
import paho.mqtt.client as mqtt
port = relay(mosquitto_port)
def call(n=0):
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)
    client.connect("127.0.0.1", port); client.loop_start()
    sent = client.publish(f"news/{n}", "hello", qos=2)
    sent.wait_for_publish(TIMEOUT)
    client.disconnect(); client.loop_stop()
    return sent.is_published()
""",
        "True",
    ),
    "paho_subscribe": (
        """
import paho.mqtt.publish, paho.mqtt.subscribe
port = relay(mosquitto_port)
def call(n=0):
    # It waits for the broker, however often that is told.
    paho.mqtt.publish.single(f"kept/{n}", f"hello {n}", qos=1, retain=True, hostname="127.0.0.1", port=port)
    return paho.mqtt.subscribe.simple(f"kept/{n}", hostname="127.0.0.1", port=port).payload.decode()
""",
        "hello {n}",
    ),
    "kombu": kombu_by("amqp", "rabbitmq_port", "/"),
    "kombu_redis": kombu_by("redis", "redis_port", "0"),
    "pika": (
        """
import pika
parameters = pika.ConnectionParameters("127.0.0.1", relay(rabbitmq_port))
def call(n=0):
    with pika.BlockingConnection(parameters) as conn:
        channel = conn.channel(); channel.confirm_delivery()
        channel.queue_declare(f"pika-{n}")
        channel.basic_publish("", f"pika-{n}", b"%d" % n)
        for delivered, _, body in channel.consume(f"pika-{n}"):
            channel.basic_ack(delivered.delivery_tag); channel.cancel()
            return body.decode()
""",
        "{n}",
    ),
    "celery": celery_by("amqp", "rabbitmq_port", "/"),
    "celery_redis": celery_by("redis", "redis_port", "1"),
    "ldap3": (
        """
import ldap3
server = ldap3.Server("127.0.0.1", relay(directory_port))
def call(n=0):
    with ldap3.Connection(server, "cn=admin,dc=celadon", "secret", auto_bind=True) as conn:
        conn.add("dc=celadon", ["dcObject", "organization"], {"o": "celadon"})
        name = f"cn=three{n},dc=celadon"
        conn.add(name, ["person"], {"sn": "three"})
        conn.search("dc=celadon", f"(cn=three{n})", attributes=["sn"])
        found = conn.entries[0].sn.value
        conn.delete(name)
        return found
""",
        "three",
    ),
    "ldap": (
        """
import ldap, ldap.modlist
address = f"ldap://127.0.0.1:{relay(directory_port)}"
def call(n=0):
    conn = ldap.initialize(address)
    conn.simple_bind_s("cn=admin,dc=celadon", "secret")
    try: conn.add_s("dc=celadon", [("objectClass", [b"dcObject", b"organization"]), ("o", b"celadon")])
    except ldap.ALREADY_EXISTS: pass
    name = f"cn=two{n},dc=celadon"
    conn.add_s(name, [("objectClass", [b"person"]), ("sn", b"two")])
    (found, fields), = conn.search_s("dc=celadon", ldap.SCOPE_SUBTREE, f"(cn=two{n})")
    conn.delete_s(name); conn.unbind_s()
    return found, fields["sn"]
""",
        "('cn=two{n},dc=celadon', [b'two'])",
    ),
    "botocore": (
        """
import boto3
store = boto3.client("s3", endpoint_url=f"http://127.0.0.1:{relay(store_port)}", region_name="us-east-1",
                     aws_access_key_id="a", aws_secret_access_key="b")
store.create_bucket(Bucket="celadon")
def call(n=0):
    store.put_object(Bucket="celadon", Key=f"key{n}", Body=b"value")
    return store.get_object(Bucket="celadon", Key=f"key{n}")["Body"].read().decode()
""",
        "value",
    ),
    "botocore_transfer": (
        """
import boto3, io
store = boto3.client("s3", endpoint_url=f"http://127.0.0.1:{relay(store_port)}", region_name="us-east-1",
                     aws_access_key_id="a", aws_secret_access_key="b")
store.create_bucket(Bucket="celadon")
data = bytes(9_000_000)  # in parts, by threads of its own
def call(n=0):
    store.upload_fileobj(io.BytesIO(data), "celadon", f"large{n}")
    found = io.BytesIO(); store.download_fileobj("celadon", f"large{n}", found)
    return found.getvalue() == data
""",
        "True",
    ),
    "paramiko": (
        """
import paramiko
port = relay(shell_port)
def call(n=0):
    with paramiko.SSHClient() as client:
        client.set_missing_host_key_policy(paramiko.AutoAddPolicy())
        client.connect("127.0.0.1", port, shell_user, key_filename=shell_key, allow_agent=False, look_for_keys=False)
        _, out, _ = client.exec_command(f"echo {n}")
        with client.open_sftp() as files: assert "etc" in files.listdir("/")
        return out.read().decode().strip()
""",
        "{n}",
    ),
}


OF_RABBITMQ = [name for name, (setup, _) in CLIENTS.items() if "rabbitmq" in setup]
OTHERS = [name for name in CLIENTS if name not in OF_RABBITMQ]


@pytest.mark.parametrize("client", shown(OTHERS, paho="paho.mqtt"))
def test_others_run_while_one_waits(client: str, services: Services) -> None:
    wait_beside_others(client, services)


@pytest.mark.slow("its broker takes five seconds of a processor to start")
@pytest.mark.parametrize("client", shown(OF_RABBITMQ))
def test_others_run_while_one_waits_for_rabbitmq(
    client: str, services: Services
) -> None:
    wait_beside_others(client, services)


def wait_beside_others(client: str, services: Services) -> None:
    setup, result = CLIENTS[client]
    for name, package in (("ldap", "libldap-dev"), ("pylibmc", "libmemcached-dev")):
        if client == name:
            module(name, package)
    run_green(
        f"""
got, count = ticks(call)
assert str(got) == {result!r}.format(n=0), got
assert count >= 3, count
tasks = [green.spawn(call, n) for n in range(10)]
assert [str(task.get()) for task in tasks] == [{result!r}.format(n=n) for n in range(10)]
from celadon import drivers
assert not drivers.problems(), drivers.problems()
os._exit(0)
        """,
        prelude=RELAY + services.names(setup) + setup,
        timeout=TIMEOUT * 10,
        malloc="default",
    )


@pytest.mark.library("ldap")
def test_a_copy_of_a_connection_of_python_ldap_is_used_by_itself(
    services: Services,
) -> None:
    module("ldap", "libldap-dev")
    setup, _ = CLIENTS["ldap"]
    run_green(
        """
        import pickle
        from ldap.ldapobject import ReconnectLDAPObject
        conn = ReconnectLDAPObject(address)
        conn.simple_bind_s("cn=admin,dc=celadon", "secret")
        again, count = ticks(pickle.loads, pickle.dumps(conn))
        assert again.whoami_s() == "dn:cn=admin,dc=celadon" and count >= 3, count
        conn.unbind_s()
        assert again.whoami_s() == "dn:cn=admin,dc=celadon"
        """,
        prelude=RELAY + services.names(setup) + setup,
        malloc="default",
    )


# A listener that takes connections, says nothing, and closes them after a while.
SILENT = (
    SOCKETS
    + """
silent = socket.create_server(("127.0.0.1", 0)); port = silent.getsockname()[1]
def swallow(conn):
    for _ in range(10): green.sleep(0.001)
    conn.close()
def serve():
    while True: green.spawn(swallow, silent.accept()[0])
green.spawn(serve)
"""
)


@pytest.mark.library("cassandra")
def test_cassandra_s_driver_waits_while_it_connects() -> None:
    run_green(
        """
        from cassandra.cluster import Cluster, NoHostAvailable
        cluster = Cluster(["127.0.0.1"], port=port, connect_timeout=TIMEOUT)
        _, count = ticks(lambda: raises(NoHostAvailable, cluster.connect))
        assert count >= 3, count
        cluster.shutdown()
        os._exit(0)
        """,
        prelude=SILENT,
        malloc="default",
    )
