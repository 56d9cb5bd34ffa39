from scenarios import tls
from harness.runner import scenario
import socket, time, os, shutil
@scenario(seconds=300)
def churn(t):
    tandem = t.own_tandem(log="info", switch="source_rate = 0\n").start()
    context = tls._context()
    out=[]
    n=0
    for block in range(14):
        for _ in range(1000):
            n+=1
            with tls._connect(tandem.secure, context) as c:
                here = "%s:%d" % c.getsockname()
                c.sendall(tls.REGISTER.format(server=tandem.server, here=here, number=n).encode())
                assert c.recv(20000).startswith(b"SIP/2.0 401 ")
        time.sleep(0.3)
        out.append(tandem.json("status")["memory_bytes"]//1024)
    raise AssertionError(out)
