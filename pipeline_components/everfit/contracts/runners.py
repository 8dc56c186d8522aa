"""How components are started: chosen by the settings of an installation, never by a spec.

One YAML file, named by ``EVERFIT_RUNNERS``. What is said closer to a component wins: of a
pipeline's component, of a pipeline, of a component, of all, and last the defaults here.
"""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, StringConstraints

from everfit.contracts.base import Frozen, PipelineName
from everfit.contracts.messages.steps import Component
from everfit.contracts.spec.images import Image
from everfit.contracts.spec.pipeline import PipelineSpec
from everfit.contracts.version import VERSION

RunnerName = Literal["process", "docker", "kubernetes"]
Need = Literal["store", "source", "registry"]

NEEDS: dict[Component, tuple[Need, ...]] = {
    "plan": ("store", "source", "registry"),
    "extract": ("store", "source"),
    "watch": ("store", "source"),
    "score": ("store", "source"),
    "register": ("store", "registry"),
    "fall_back": ("store", "registry"),
    "drift_report": ("store", "registry"),
    "promote": ("store", "registry"),
    "reconcile": ("store", "registry"),
}
"""What a component reaches over a network, and so which networks and credentials it is given.

``store`` is the store with the ledger; ``registry`` is MLflow. All other components need the store
alone.
"""

SIGNERS: frozenset[Component] = frozenset({"register", "fall_back", "promote", "reconcile"})
"""The components that sign what they record, and so are given the private key."""

UNITS = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "Ki": 1 << 10, "Mi": 1 << 20, "Gi": 1 << 30}


def needs(component: Component) -> tuple[Need, ...]:
    """What a component reaches over a network."""
    return NEEDS.get(component, ("store",))


def size_of(text: str) -> int:
    """Bytes of ``4Gi``, ``500M`` or ``1000``, as Kubernetes writes them.

    Raises
    ------
    ValueError
        If it is no size.
    """
    found = re.fullmatch(r"([1-9][0-9]{0,14})(|k|M|G|Ki|Mi|Gi)", text, re.ASCII)
    if found is None:
        raise ValueError(f"a size is a whole number with k, M, G, Ki, Mi or Gi; found {text!r}")
    return int(found[1]) * UNITS[found[2]]


def _is_size(text: str) -> str:
    size_of(text)
    return text


Size = Annotated[str, AfterValidator(_is_size)]
Variable = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]


class Mount(Frozen):
    """A volume or a folder that a container sees."""

    source: str = Field(
        min_length=1,
        description="docker: a volume's name, or an absolute path of the engine's machine; "
        "kubernetes: the name of a PersistentVolumeClaim",
    )
    target: str = Field(pattern=r"^/.+", description="where the container sees it")
    read_only: bool = Field(True, description="whether it can only be read")


class Place(Frozen):
    """How and within which limits one component is started."""

    runner: RunnerName = Field("process", description="process, docker or kubernetes")
    image: Image = Field(
        f"everfit-components:{VERSION}", description="the component image; by digest in production"
    )
    pull: Literal["always", "missing", "never"] = Field(
        "missing", description="when the image is fetched"
    )
    cpu: float = Field(2.0, gt=0, le=1024, description="cores")
    memory: Size = Field("4Gi", description="with /tmp, which lies in memory under docker")
    disk: Size = Field("1Gi", description="of /tmp, the only place a container writes to")
    gpu: int = Field(0, ge=0, le=64, description="GPUs")
    pids: int = Field(512, ge=16, description="processes and threads (docker)")
    environment: dict[Variable, str] = Field(
        default_factory=dict, description="further variables; no secrets, which are never here"
    )
    mounts: tuple[Mount, ...] = Field((), description="volumes and folders it sees")
    networks: tuple[str, ...] | None = Field(
        None, description="docker: instead of those that its needs ask for; () is none at all"
    )


class PlaceSettings(Frozen):
    """The same, where only what differs is said."""

    runner: RunnerName | None = None
    image: Image | None = None
    pull: Literal["always", "missing", "never"] | None = None
    cpu: float | None = Field(None, gt=0, le=1024)
    memory: Size | None = None
    disk: Size | None = None
    gpu: int | None = Field(None, ge=0, le=64)
    pids: int | None = Field(None, ge=16)
    environment: dict[Variable, str] = Field(default_factory=dict)
    mounts: tuple[Mount, ...] | None = None
    networks: tuple[str, ...] | None = None


class PipelinePlaces(PlaceSettings):
    """Of one pipeline, and of its components."""

    components: dict[Component, PlaceSettings] = Field(default_factory=dict)


class Networks(Frozen):
    """Docker's networks by what is reached through them; none: the component gets no network."""

    store: str | None = Field(None, description="where the store and the ledger answer")
    source: str | None = Field(None, description="where sources answer")
    registry: str | None = Field(None, description="where MLflow answers")


class Connections(Frozen):
    """Airflow connections that hold credentials; none: they are in Airflow's own environment."""

    aws: str | None = Field(None, description="type aws: keys, region, endpoint_url; of S3")
    ledger: str | None = Field(None, description="type postgres: the ledger")
    mlflow: str | None = Field(None, description="type http: MLflow's server, user, password")
    signing: str | None = Field(
        None, description="its password is the private key that signs versions (PEM)"
    )


class Cluster(Frozen):
    """Where the kubernetes runner makes its pods."""

    namespace: str = Field("everfit", description="where pods are made")
    service_account: str = Field("everfit-components", description="that they run as")
    pull_secrets: tuple[str, ...] = Field((), description="names of image pull secrets")
    node_selector: dict[str, str] = Field(default_factory=dict)
    tolerations: tuple[dict[str, Any], ...] = ()
    labels: dict[str, str] = Field(default_factory=dict)
    annotations: dict[str, str] = Field(default_factory=dict)


class RunnerSettings(Frozen):
    """The whole file."""

    default: PlaceSettings = PlaceSettings()
    components: dict[Component, PlaceSettings] = Field(default_factory=dict)
    pipelines: dict[PipelineName, PipelinePlaces] = Field(default_factory=dict)
    networks: Networks = Networks()
    connections: Connections = Connections()
    kubernetes: Cluster = Cluster()
    allow_images: tuple[str, ...] = Field(
        (), description="globs of the images that specs may name; none: they may name none"
    )

    def place(self, spec: PipelineSpec, component: Component) -> Place:
        """How a component of a pipeline is started."""
        of_pipeline = self.pipelines.get(spec.name, PipelinePlaces())
        said: dict[str, Any] = {}
        environment: dict[str, str] = {}
        for layer in (
            self.default,
            self.components.get(component, PlaceSettings()),
            of_pipeline,
            of_pipeline.components.get(component, PlaceSettings()),
        ):
            environment |= layer.environment
            values = layer.model_dump(exclude={"environment", "components"}, exclude_none=True)
            said |= {name: getattr(layer, name) for name in values}
        return Place(**said, environment=environment)

    def may_name(self, image: str) -> bool:
        """Whether a spec may name an image."""
        return any(fnmatchcase(image, glob) for glob in self.allow_images)

    def networks_of(self, place: Place, component: Component) -> tuple[str, ...]:
        """The Docker networks of a component; empty: none at all."""
        if place.networks is not None:
            return place.networks
        named = (getattr(self.networks, need) for need in needs(component))
        return tuple(dict.fromkeys(name for name in named if name))
