#!/usr/bin/env python3
"""Holds deploy/kubernetes and deploy/docker to the schemas of Kubernetes, to each other, and to the
program: it is started as the pod, and then the composition, would start it, and asked what the probes
ask.

usage: test-manifests.py BINARY FOLDER     with kubernetes-validate and PyYAML; FOLDER is made, and gone
                                           at the end
"""

import os
import re
import shutil
import socket
import subprocess
import sys
import urllib.error
import urllib.request

import kubernetes_validate
import yaml

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
KUBERNETES = f"{ROOT}/deploy/kubernetes"
OLDEST = "1.28"
TOKEN, SECRET = "canary-token", "canary-secret"


def documents():
    for name in sorted(os.listdir(KUBERNETES)):
        with open(f"{KUBERNETES}/{name}", encoding="utf-8") as file:
            for document in yaml.safe_load_all(file):
                yield name, document


def expect(is_so, what):
    if not is_so:
        sys.exit(f"error: {what}")


def has_schema(document):
    return "monitoring.coreos.com" not in document["apiVersion"]


def validate(found):
    versions = [OLDEST, kubernetes_validate.latest_version()]
    for name, document in found:
        for version in versions if has_schema(document) else []:
            kubernetes_validate.validate(document, version, strict=True)
    broken = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "x"}, "spec": {"prots": []}}
    try:
        kubernetes_validate.validate(broken, versions[-1], strict=True)
    except kubernetes_validate.ValidationError:
        print(f"    {len(found)} documents are as Kubernetes {' and '.join(versions)} have them")
    else:
        sys.exit("error: the validation lets everything pass")


def agree(found):
    """What the documents name of each other is there."""
    by = {(document["kind"], document["metadata"]["name"]): document for _, document in found}
    deployment = by["Deployment", "shardcast"]["spec"]
    pod = deployment["template"]
    (container,) = pod["spec"]["containers"]
    labels = pod["metadata"]["labels"]
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    for kind, name in (("Service", "shardcast"), ("Service", "shardcast-admin")):
        service = by[kind, name]["spec"]
        expect(service["selector"].items() <= labels.items(), f"{name} selects the pod")
        for port in service["ports"]:
            expect(ports[port["targetPort"]] == port["port"], f"{name}: {port}")
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        expect(container[probe]["httpGet"]["port"] in ports, probe)
    for selector in (deployment["selector"], by["PodDisruptionBudget", "shardcast"]["spec"]["selector"]):
        expect(selector["matchLabels"].items() <= labels.items(), f"{selector} selects the pod")
    monitor = by["ServiceMonitor", "shardcast"]["spec"]
    admin = by["Service", "shardcast-admin"]
    wanted = monitor["selector"]["matchLabels"].items()
    expect(wanted <= admin["metadata"]["labels"].items(), "the monitor selects the admin service")
    expect(not wanted <= by["Service", "shardcast"]["metadata"]["labels"].items(), "and no other")
    expect(monitor["endpoints"][0]["port"] == admin["spec"]["ports"][0]["name"], "by its port")
    credentials = monitor["endpoints"][0]["authorization"]["credentials"]
    (token,) = container["env"]
    of_pod = token["valueFrom"]["secretKeyRef"]
    expect((credentials["name"], credentials["key"]) == (of_pod["name"], of_pod["key"]), "the token")
    profile = by["DaemonSet", "shardcast-seccomp"]["spec"]["template"]["spec"]
    copied = profile["volumes"][1]["hostPath"]["path"]
    used = pod["spec"]["securityContext"]["seccompProfile"]["localhostProfile"]
    file = os.path.basename(profile["initContainers"][0]["command"][-1])
    expect(f"{copied}/{file}" == f"/var/lib/kubelet/seccomp/{used}", "the profile is where it is looked for")
    return by["ConfigMap", "shardcast"]["data"], pod["spec"], container, ports, monitor["endpoints"][0]["path"]


def free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def get(url, token=None):
    request = urllib.request.Request(url)
    if token:
        request.add_header("Authorization", f"Bearer {token}")
    try:
        return urllib.request.urlopen(request, timeout=5).status
    except urllib.error.HTTPError as error:
        return error.code


def serve(command, variables, check):
    """Starts it, asks it when it is ready, stops it; gives how long that is said to take at most."""
    where = f"/tmp/shardcast-manifests-{os.getpid()}.sock"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notified:
        notified.bind(where)
        notified.settimeout(20)
        server = subprocess.Popen(
            command, env={**variables, "NOTIFY_SOCKET": where}, stdout=subprocess.DEVNULL
        )
        try:
            expect(b"READY=1" in notified.recv(4096), "it is ready")
            check()
            server.terminate()
            stopping = notified.recv(4096).decode()
            expect(server.wait(20) == 0, "it stops")
        finally:
            server.kill()
            os.unlink(where)
    return int(re.search(r"EXTEND_TIMEOUT_USEC=(\d+)", stopping).group(1)) / 1e6


def run_pod(binary, folder, data, pod, container, ports, metrics):
    here = {name: free_port() for name in ports}
    for name, text in data.items():
        for port, number in ports.items():
            text = text.replace(f"port = {number}\n", f"port = {here[port]}\n")
        # The listener of a test is for nobody else; what is bound to all addresses needs the token too.
        text = text.replace("/run/secrets/shardcast", folder).replace('host = "0.0.0.0"', 'host = "127.0.0.1"')
        with open(f"{folder}/{name}", "w", encoding="utf-8") as file:
            file.write(text)
    with open(f"{folder}/app-secret", "w", encoding="utf-8") as file:
        file.write(SECRET)
    arguments = [word.replace("/etc/shardcast", folder) for word in container["args"]]
    variables = {variable["name"]: TOKEN for variable in container["env"]}

    def check():
        for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
            asked = container[probe]["httpGet"]
            url = f"http://127.0.0.1:{here[asked['port']]}{asked['path']}"
            expect(get(url) == 200, f"{probe}: {url}")
        url = f"http://127.0.0.1:{here['admin']}{metrics}"
        expect((get(url), get(url, TOKEN)) == (401, 200), "metrics are for who has the token")
        expect(get(f"http://127.0.0.1:{here['websocket']}/apps/my-app/channels") == 401, "it serves the app")

    longest = serve([binary, *arguments], variables, check)
    grace = pod["terminationGracePeriodSeconds"]
    # Of what it asks for, eight seconds are for the worst case of a supervisor.
    expect(longest - 8 <= grace, f"a stop may take {longest} s, and is given {grace}")
    # And on all addresses, as it stands there, it is good too.
    with open(f"{folder}/shardcast.toml", encoding="utf-8") as file:
        text = file.read().replace('host = "127.0.0.1"', 'host = "0.0.0.0"')
    with open(f"{folder}/shardcast.toml", "w", encoding="utf-8") as file:
        file.write(text)
    checked = [binary, *arguments, "--check"]
    expect(subprocess.run(checked, env=variables, stdout=subprocess.DEVNULL).returncode == 0, "--check")
    checked = subprocess.run(checked, env={}, capture_output=True, text=True)
    expect("SHARDCAST_ADMIN_TOKEN" in checked.stderr + checked.stdout, "it wants the token")
    print("    the program runs as the pod has it, and answers its probes")


def run_composition(binary, folder):
    with open(f"{ROOT}/deploy/docker/compose.yaml", encoding="utf-8") as file:
        composition = yaml.safe_load(file)
    service = composition["services"]["shardcast"]
    with open(f"{ROOT}/deploy/docker/Dockerfile", encoding="utf-8") as file:
        image = file.read()
    (command,) = re.findall(r'^CMD (\[.*\])$', image, re.MULTILINE)
    command = yaml.safe_load(command)
    expect(re.findall(r"^USER (\S+)$", image, re.MULTILINE) == [service["user"]], "the user")
    (profile,) = [o.split("=", 1)[1] for o in service["security_opt"] if o.startswith("seccomp=")]
    expect(os.path.exists(f"{ROOT}/deploy/docker/{profile}"), "the profile")
    build = service["build"]
    context = os.path.normpath(f"{ROOT}/deploy/docker/{build['context']}")
    expect(os.path.exists(f"{context}/{build['dockerfile']}"), "the Dockerfile")
    ((published, inner),) = [port.split(":") for port in service["ports"]]
    expect(re.findall(r"^EXPOSE (\d+)$", image, re.MULTILINE) == [inner], "the port")
    variables = {
        name: value.replace("/run/secrets", folder) for name, value in service["environment"].items()
    }
    refused = subprocess.run([binary, *command, "--check"], env={}, capture_output=True, text=True)
    expect(refused.returncode == 78, f"without an app the image says why: {refused}")
    port = free_port()
    here = ["--port", str(port), "--host", "127.0.0.1", "--admin-port", str(free_port())]
    expect(command[1:] == ["--host", "0.0.0.0"], "the address")

    def check():
        expect(get(f"http://127.0.0.1:{port}/apps/my-app/channels") == 401, "it serves the app")

    longest = serve([binary, command[0], *here], variables, check)
    grace = int(service["stop_grace_period"].removesuffix("s"))
    expect(longest - 8 <= grace, f"a stop may take {longest} s, and is given {grace}")
    print("    the program runs as the composition has it")
    return published


def main():
    binary, folder = sys.argv[1:]
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    try:
        found = list(documents())
        validate(found)
        data, pod, container, ports, metrics = agree(found)
        run_pod(binary, folder, data, pod, container, ports, metrics)
        run_composition(binary, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


main()
