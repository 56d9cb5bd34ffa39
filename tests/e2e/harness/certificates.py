"""Certificates for tests, made by OpenSSL's command line: issued by themselves, or by an authority of the test's own."""

import os

from . import proc

KINDS = {"ec": ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"], "rsa": ["-newkey", "rsa:2048"]}


class Certificate:
    """A certificate and its key, as PEM files of their own."""

    def __init__(self, directory, name):
        self.file, self.key = os.path.join(directory, f"{name}.pem"), os.path.join(directory, f"{name}.key")

    @property
    def lines(self):
        """For the configuration of Tandem."""
        return f"certificate = {self.file}\nkey = {self.key}\n"


def make(directory, name="tls", hosts=("127.0.0.1", "::1", "localhost"), kind="ec", days=30, issuer=None, authority=False,
         subject=None):
    """A certificate for these hosts, issued by itself or by another Certificate."""
    os.makedirs(directory, exist_ok=True)
    made = Certificate(directory, name)
    names = ",".join(("IP:" if h.replace(".", "").isdigit() or ":" in h else "DNS:") + h for h in hosts)
    config = os.path.join(directory, f"{name}.cnf")
    with open(config, "w", encoding="ascii") as f:
        f.write("[req]\ndistinguished_name = dn\nx509_extensions = ext\n[dn]\n[ext]\nsubjectKeyIdentifier = hash\n"
                f"basicConstraints = critical,CA:{str(authority).upper()}\n"
                + (f"subjectAltName = {names}\n" if names else ""))
    command = ["openssl", "req", "-x509", "-config", config, "-noenc", "-sha256", *KINDS[kind], "-keyout", made.key, "-out", made.file,
               "-subj", f"/O=Tandem test/CN={subject or (hosts[0] if hosts else name)}", "-days", str(days)]
    if issuer:
        command += ["-CA", issuer.file, "-CAkey", issuer.key]
    proc.run(command)
    os.chmod(made.key, 0o600)
    return made
