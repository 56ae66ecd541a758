"""Certificates for tests, by authorities of their own: good ones, and whatever may be wrong
with one."""

from __future__ import annotations

import ipaddress
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
LOCAL = ("localhost", "127.0.0.1", "::1")
PKCS1 = SEC1 = PrivateFormat.TraditionalOpenSSL
PKCS8 = PrivateFormat.PKCS8
_NOW = datetime.now(UTC)
_DAY = timedelta(days=1)


def make_key(kind: str = "ecdsa") -> Key:
    """``ecdsa``, ``rsa``, or ``weak``: an RSA key that security level 2 does not take."""
    if kind == "ecdsa":
        return ec.generate_private_key(ec.SECP256R1())
    return rsa.generate_private_key(65537, 1024 if kind == "weak" else 2048)


def name_of(text: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Tests"),
            x509.NameAttribute(NameOID.COMMON_NAME, text),
        ]
    )


def in_pem(*certificates: x509.Certificate) -> str:
    return "".join(each.public_bytes(Encoding.PEM).decode() for each in certificates)


@dataclass(frozen=True)
class Issued:
    """A certificate and its key, each in a file."""

    certificate: x509.Certificate
    private: Key
    cert: Path  # the leaf first, then what leads to the root
    key: Path

    @property
    def serial(self) -> str:
        """As `ssl.SSLSocket.getpeercert` has it."""
        digits = f"{self.certificate.serial_number:X}"
        return digits.zfill(len(digits) + len(digits) % 2)

    def write_key(
        self, path: Path, form: PrivateFormat = PKCS8, password: str = ""
    ) -> Path:
        seal: KeySerializationEncryption = NoEncryption()
        if password:
            seal = BestAvailableEncryption(password.encode())
        path.write_bytes(self.private.private_bytes(Encoding.PEM, form, seal))
        return path

    def replace(self, other: Issued) -> None:
        """The files of this one hold `other` from now on; neither is ever half-written."""
        for old, new in ((self.key, other.key), (self.cert, other.cert)):
            aside = old.with_name(f"{old.name}.new")
            aside.write_bytes(new.read_bytes())
        for old in (self.key, self.cert):
            old.with_name(f"{old.name}.new").replace(old)


class Authority:
    """One that signs; those below it are intermediate ones, signed by it."""

    def __init__(
        self, folder: Path, name: str = "root", above: Authority | None = None
    ) -> None:
        self._folder = folder
        self._key = make_key()
        self._name = name
        self._above = above
        self._count = 0
        self._revoked: list[x509.Certificate] = []
        signer = above or self
        builder = _unsigned(self._key, name, signer._name, signer._key, 30)
        builder = builder.add_extension(x509.BasicConstraints(True, None), True)
        builder = builder.add_extension(_usage(signs=True), True)
        self.certificate = builder.sign(signer._key, SHA256())
        self.file = folder / f"{name}.pem"
        self.file.write_text(in_pem(self.certificate))

    def below(self, name: str) -> Authority:
        return Authority(self._folder, name, self)

    @property
    def _chain(self) -> list[x509.Certificate]:
        """What a server sends behind its leaf: no root, which clients have."""
        return [self.certificate, *self._above._chain] if self._above else []

    def issue(
        self,
        *names: str,
        kind: str = "ecdsa",
        days: float = 20,
        complete: bool = True,
        for_clients: bool = False,
    ) -> Issued:
        """One for `names`, the first of which is its common name too; `days` from now, below
        0 expired. Without `complete` the file has the leaf alone."""
        names = names or LOCAL
        private = make_key(kind)
        usage = ExtendedKeyUsageOID
        purpose = usage.CLIENT_AUTH if for_clients else usage.SERVER_AUTH
        builder = (
            _unsigned(private, names[0], self._name, self._key, days)
            .add_extension(x509.BasicConstraints(False, None), True)
            .add_extension(_usage(signs=False), True)
            .add_extension(x509.ExtendedKeyUsage([purpose]), False)
            .add_extension(x509.SubjectAlternativeName(list(map(_alternative, names))), False)
        )  # fmt: skip
        leaf = builder.sign(self._key, SHA256())
        self._count += 1
        stem = f"{self._name}-{self._count}"
        cert, key = self._folder / f"{stem}.pem", self._folder / f"{stem}.key"
        cert.write_text(in_pem(leaf, *(self._chain if complete else ())))
        issued = Issued(leaf, private, cert, key)
        issued.write_key(key)
        return issued

    def revoke(self, *issued: Issued) -> Path:
        """The list of what it has revoked, these among them."""
        self._revoked += [each.certificate for each in issued]
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(self.certificate.subject)
            .last_update(_NOW - _DAY)
            .next_update(_NOW + 30 * _DAY)
        )
        for each in self._revoked:
            builder = builder.add_revoked_certificate(
                x509.RevokedCertificateBuilder()
                .serial_number(each.serial_number)
                .revocation_date(_NOW - _DAY / 2)
                .build()
            )
        path = self._folder / f"{self._name}.crl"
        path.write_bytes(builder.sign(self._key, SHA256()).public_bytes(Encoding.PEM))
        return path

    def trusted(self, client: Issued | None = None) -> ssl.SSLContext:
        """What a client has who trusts it; and who may say who he is, as `client`. An end
        of which the server has not told is an error to him."""
        context = ssl.create_default_context(cafile=str(self.file))
        context.options &= ~ssl.OP_IGNORE_UNEXPECTED_EOF
        if client:
            context.load_cert_chain(client.cert, client.key)
        return context


def _unsigned(
    key: Key, subject: str, issuer: str, signer: Key, days: float
) -> x509.CertificateBuilder:
    until = _NOW + days * _DAY
    own = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    above = x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key())
    return (
        x509.CertificateBuilder()
        .subject_name(name_of(subject))
        .issuer_name(name_of(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(min(_NOW, until) - _DAY)
        .not_valid_after(until)
        .add_extension(own, False)
        .add_extension(above, False)
    )


def _usage(signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=not signs,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs,
        crl_sign=signs,
        encipher_only=False,
        decipher_only=False,
    )


def _alternative(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)
