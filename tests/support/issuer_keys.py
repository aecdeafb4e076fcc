# SPDX-License-Identifier: BSD-2-Clause
"""Keys, tokens and certificates of an issuer in a test, all made by openssl(1): another hand than the one that the tests judge.  A
key set's members and a token's header are what the test says, also where they are wrong."""
import base64
import json
import os
import ssl
import subprocess
import warnings

LONG_AGO, FAR_AWAY = "20200101000000Z", "20400101000000Z"
EC_KEY = ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"]


def openssl(*words, given=None):
    r = subprocess.run(("openssl",) + words, input=given, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert r.returncode == 0, (words, r.stderr.decode())
    return r.stdout


def base64url(raw):
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def from_base64url(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def compact(value):
    """JSON as it is signed; text stays as it is, for what no JSON library would write."""
    return value.encode() if isinstance(value, str) else json.dumps(value, separators=(",", ":")).encode()


def join_ecdsa(der):
    """r || s of 32 bytes each (RFC 7518, section 3.4) from the DER sequence of two integers."""
    out, at = b"", 2
    for _ in range(2):
        size = der[at + 1]
        out += int.from_bytes(der[at + 2:at + 2 + size], "big").to_bytes(32, "big")
        at += 2 + size
    return out


class Key:
    """A key pair and the name that the issuer gives it; `alg` is ES256 or RS256."""

    def __init__(self, folder, kid, alg="ES256", bits=2048):
        self.kid, self.alg = kid, alg
        self.path = os.path.join(folder, kid + ".pem")
        openssl("genpkey", "-out", self.path, *(EC_KEY if alg == "ES256" else ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:%d" % bits]))
        os.chmod(self.path, 0o600)
        self.numbers = self.read_numbers()

    def read_numbers(self):
        if self.alg == "ES256":  # the public key's DER ends in 04 || x || y
            point = openssl("pkey", "-in", self.path, "-pubout", "-outform", "DER")[-64:]
            return {"kty": "EC", "crv": "P-256", "x": base64url(point[:32]), "y": base64url(point[32:])}
        modulus = openssl("rsa", "-in", self.path, "-noout", "-modulus").decode().strip().split("=")[1]
        return {"kty": "RSA", "n": base64url(bytes.fromhex(modulus)), "e": "AQAB"}

    def jwk(self, **changes):
        """Its member of a key set; a change to None leaves the member out."""
        whole = dict(self.numbers, kid=self.kid, alg=self.alg, use="sig")
        whole.update(changes)
        return {name: value for name, value in whole.items() if value is not None}

    def sign(self, claims, **header):
        """A compact JWS; `header` changes members of the usual one, None leaves one out."""
        head = dict({"alg": self.alg, "typ": "at+jwt", "kid": self.kid}, **header)
        text = b".".join(base64url(compact(part)).encode() for part in ({n: v for n, v in head.items() if v is not None}, claims))
        signature = openssl("dgst", "-sha256", "-sign", self.path, given=text)
        return text.decode() + "." + base64url(join_ecdsa(signature) if self.alg == "ES256" else signature)


class Authority:
    """A certificate authority and, by name, TLS contexts of servers that it signed for, or should not have."""

    HOSTS = "DNS:localhost,IP:127.0.0.1,IP:::1"

    def __init__(self, folder):
        self.folder = folder
        self.file = self.make_authority("authority")
        self.contexts = {
            "good": self.sign("good"),
            "expired": self.sign("expired", last="20210101000000Z"),
            "not_yet_valid": self.sign("not_yet_valid", first="20390101000000Z"),
            "wrong_host": self.sign("wrong_host", hosts="DNS:sso.example.org,IP:127.0.0.2"),
            "no_host": self.sign("no_host", hosts=None),
            "stranger": self.sign("stranger", authority=self.make_authority("stranger_authority")),
            "self_signed": self.load(self.make_authority("self_signed", self.HOSTS)),
            "old_tls": self.only_old_tls(),
        }

    def path(self, name):
        return os.path.join(self.folder, name)

    def make_authority(self, name, hosts=None):
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=" + name,
                *(["-addext", "subjectAltName=" + hosts] if hosts else []),
                "-keyout", self.path(name + ".key"), "-out", self.path(name + ".crt"))
        for end, text in (("index", ""), ("serial", "1000\n")):
            with open(self.path(name + "." + end), "w") as f:
                f.write(text)
        with open(self.path(name + ".conf"), "w") as f:
            f.write("[ca]\ndefault_ca=x\n[x]\ndatabase=%(p)s.index\nserial=%(p)s.serial\nnew_certs_dir=%(f)s\ndefault_md=sha256\npolicy=any\n"
                    "copy_extensions=copy\nunique_subject=no\n[any]\ncommonName=supplied\n" % {"p": self.path(name), "f": self.folder})
        return self.path(name + ".crt")

    def sign(self, name, hosts=HOSTS, first=LONG_AGO, last=FAR_AWAY, authority=None):
        """A server's certificate with these dates and names, as a TLS context."""
        base, by = self.path(name), (authority or self.file)[:-len(".crt")]
        openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=localhost",
                *(["-addext", "subjectAltName=" + hosts] if hosts else []), "-keyout", base + ".key", "-out", base + ".csr")
        openssl("ca", "-batch", "-config", by + ".conf", "-cert", by + ".crt", "-keyfile", by + ".key", "-in", base + ".csr",
                "-out", base + ".crt", "-notext", "-startdate", first, "-enddate", last)
        return self.load(base + ".crt")

    @staticmethod
    def load(certificate):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, certificate[:-len(".crt")] + ".key")
        return context

    def only_old_tls(self):
        context = self.load(self.path("good.crt"))
        context.set_ciphers("ALL:@SECLEVEL=0")
        with warnings.catch_warnings():  # Python, too, says that this is no protocol to offer
            warnings.simplefilter("ignore", DeprecationWarning)
            context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
        return context
