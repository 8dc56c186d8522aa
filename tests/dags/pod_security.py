"""The "restricted" Pod Security Standard, rule by rule, as the Kubernetes documentation lists them.

https://kubernetes.io/docs/concepts/security/pod-security-standards/ (baseline and restricted)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

Pod = dict[str, Any]

VOLUMES = {
    "configMap",
    "csi",
    "downwardAPI",
    "emptyDir",
    "ephemeral",
    "persistentVolumeClaim",
    "projected",
    "secret",
}
SYSCTLS = {
    "kernel.shm_rmid_forced",
    "net.ipv4.ip_local_port_range",
    "net.ipv4.ip_unprivileged_port_start",
    "net.ipv4.tcp_syncookies",
    "net.ipv4.ping_group_range",
    "net.ipv4.ip_local_reserved_ports",
    "net.ipv4.tcp_keepalive_time",
    "net.ipv4.tcp_fin_timeout",
    "net.ipv4.tcp_keepalive_intvl",
    "net.ipv4.tcp_keepalive_probes",
}
SELINUX = {None, "", "container_t", "container_init_t", "container_kvm_t", "container_engine_t"}
PROFILES = {"RuntimeDefault", "Localhost"}
APPARMOR = "container.apparmor.security.beta.kubernetes.io/"
HOOKS = ("livenessProbe", "readinessProbe", "startupProbe")


def containers(pod: Pod) -> Iterator[dict[str, Any]]:
    for kind in ("containers", "initContainers", "ephemeralContainers"):
        yield from pod["spec"].get(kind) or ()


def contexts(pod: Pod) -> list[dict[str, Any]]:
    """Of the pod, then of each container."""
    return [
        pod["spec"].get("securityContext") or {},
        *(found.get("securityContext") or {} for found in containers(pod)),
    ]


def host_namespaces(pod: Pod) -> bool:
    return not any(pod["spec"].get(name) for name in ("hostNetwork", "hostPID", "hostIPC"))


def host_process(pod: Pod) -> bool:
    return not any((c.get("windowsOptions") or {}).get("hostProcess") for c in contexts(pod))


def privileged(pod: Pod) -> bool:
    return not any(context.get("privileged") for context in contexts(pod)[1:])


def capabilities(pod: Pod) -> bool:
    found = [context.get("capabilities") or {} for context in contexts(pod)[1:]]
    return all(
        "ALL" in (asked.get("drop") or ()) and set(asked.get("add") or ()) <= {"NET_BIND_SERVICE"}
        for asked in found
    )


def volume_types(pod: Pod) -> bool:
    return all(set(volume) - {"name"} <= VOLUMES for volume in pod["spec"].get("volumes") or ())


def host_ports(pod: Pod) -> bool:
    return not any(
        port.get("hostPort") for found in containers(pod) for port in found.get("ports") or ()
    )


def host_probes(pod: Pod) -> bool:
    """Neither a probe nor a hook asks another host."""
    asked = [
        action
        for found in containers(pod)
        for probe in [
            *(found.get(name) for name in HOOKS),
            *(found.get("lifecycle") or {}).values(),
        ]
        for action in [(probe or {}).get("httpGet"), (probe or {}).get("tcpSocket")]
    ]
    return not any((action or {}).get("host") for action in asked)


def app_armor(pod: Pod) -> bool:
    profiles = [(context.get("appArmorProfile") or {}).get("type") for context in contexts(pod)]
    said = pod["metadata"].get("annotations") or {}
    named = [value for name, value in said.items() if name.startswith(APPARMOR)]
    return set(profiles) <= {None, *PROFILES} and all(
        value in ("", "runtime/default") or value.startswith("localhost/") for value in named
    )


def selinux(pod: Pod) -> bool:
    found = [context.get("seLinuxOptions") or {} for context in contexts(pod)]
    return all(
        asked.get("type") in SELINUX and not asked.get("user") and not asked.get("role")
        for asked in found
    )


def proc_mount(pod: Pod) -> bool:
    return all(context.get("procMount") in (None, "Default") for context in contexts(pod)[1:])


def sysctls(pod: Pod) -> bool:
    return {asked["name"] for asked in contexts(pod)[0].get("sysctls") or ()} <= SYSCTLS


def privilege_escalation(pod: Pod) -> bool:
    return all(context.get("allowPrivilegeEscalation") is False for context in contexts(pod)[1:])


def non_root(pod: Pod) -> bool:
    """Said by each container, or by the pod and denied by none."""
    of_pod, *of_containers = (context.get("runAsNonRoot") for context in contexts(pod))
    return of_pod is not False and all(
        found is True or (found is None and of_pod is True) for found in of_containers
    )


def non_root_user(pod: Pod) -> bool:
    return all(context.get("runAsUser") != 0 for context in contexts(pod))


def seccomp(pod: Pod) -> bool:
    of_pod, *of_containers = (
        (context.get("seccompProfile") or {}).get("type") for context in contexts(pod)
    )
    return of_pod in {None, *PROFILES} and all(
        found in PROFILES or (found is None and of_pod in PROFILES) for found in of_containers
    )


RULES: list[Callable[[Pod], bool]] = [
    host_process,
    host_namespaces,
    privileged,
    capabilities,
    volume_types,
    host_ports,
    host_probes,
    app_armor,
    selinux,
    proc_mount,
    sysctls,
    privilege_escalation,
    non_root,
    non_root_user,
    seccomp,
]


def broken_rules(pod: Pod) -> list[str]:
    """Names of the rules a pod breaks."""
    return [rule.__name__ for rule in RULES if not rule(pod)]
