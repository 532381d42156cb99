# Makes the HTTP requests that standard input lists, side by side, and prints how
# each one ended. For Python 3.6 and later. No proxy of the environment is used.
import base64, http.client, json, os, socket, sys, threading, time

given = json.loads(sys.stdin.readline())
end = time.monotonic() + given["seconds"]


def left():
    return max(end - time.monotonic(), 0.001)


def connect(request, answer):
    found = socket.getaddrinfo(request["host"], request["port"], type=socket.SOCK_STREAM)
    answer["address"] = found[0][4][0]
    answer["failure"], answer["detail"] = "timeout", "no answer in time"
    for i, (family, kind, protocol, _, address) in enumerate(found):
        sock = socket.socket(family, kind, protocol)
        # Each address gets its share of the time.
        sock.settimeout(left() / (len(found) - i))
        try:
            sock.connect(address)
        except OSError:
            sock.close()
            if address is found[-1][4]:
                raise
        else:
            answer["address"] = address[0]
            sock.settimeout(left())
            return sock


def secure(sock, request):
    import ssl

    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context.wrap_socket(sock, server_hostname=request["host"])


def ask(sock, request, answer):
    lines = ["GET %s HTTP/1.1" % request["target"]]
    lines += ["%s: %s" % tuple(header) for header in request["headers"]]
    lines += ["User-Agent: ollama-bind", "Accept: */*", "Connection: close", "", ""]
    sock.sendall("\r\n".join(lines).encode("ascii"))
    response = http.client.HTTPResponse(sock, method="GET")
    response.begin()
    answer["status"] = response.status
    while len(answer["body"]) < given["limit"]:
        piece = response.read1(given["limit"] - len(answer["body"]))
        if not piece:
            break
        answer["body"] += piece


def fetch(request, answer):
    stage = "refused"
    trouble = ""
    try:
        sock = connect(request, answer)
        stage = "empty"
        if request["tls"]:
            trouble = "no TLS there: "
            sock = secure(sock, request)
            trouble = ""
        ask(sock, request, answer)
        answer["failure"], answer["detail"] = "", ""
    except (socket.gaierror, UnicodeError) as error:
        answer["failure"], answer["detail"] = "dns", str(error)
    except (socket.timeout, TimeoutError) as error:
        answer["failure"], answer["detail"] = "timeout", str(error)
    except (OSError, http.client.HTTPException, ValueError) as error:
        answer["failure"], answer["detail"] = stage, trouble + (str(error) or repr(error))


answers, threads = [], []
for request in given["requests"]:
    # It counts as late until it has ended otherwise.
    answer = {"failure": "dns", "status": 0, "body": b"", "address": "", "detail": "no address in time"}
    thread = threading.Thread(target=fetch, args=(request, answer), daemon=True)
    thread.start()
    answers.append(answer)
    threads.append(thread)
for thread in threads:
    thread.join(left())

for answer in answers:
    answer["body"] = base64.b64encode(answer["body"]).decode("ascii")
print("\n" + given["marker"] + json.dumps(answers), flush=True)
os._exit(0)  # not waiting for the threads that are late
