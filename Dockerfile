# The Airflow image: Airflow, its providers, our DAG files, plugins and contracts; nothing that
# knows data (docs/how-to/images.md).
#   make images
# Started as `airflow <command>`; settings are Airflow's own variables (docs/how-to/airflow.md).
ARG PYTHON_IMAGE=python:3.11-slim-bookworm

# What the build reads, with one time and one mode whatever the checkout has: equal layers follow.
FROM ${PYTHON_IMAGE} AS inputs
COPY deploy/images/base.sh /base/
COPY deploy/images/environment.py \
     requirements/bootstrap.txt requirements/airflow-stack.txt /build/
RUN chmod -R u=rwX,go=rX /base /build && find /base /build -exec touch -h -d @315532800 {} +

FROM ${PYTHON_IMAGE} AS base
COPY --from=inputs /base /build
RUN sh /build/base.sh && rm -rf /build

FROM base AS programs
COPY --from=inputs /base /build
# What a bundle of DAGs from a git repository is fetched with.
RUN sh /build/base.sh git && rm -rf /build

FROM programs AS environment
COPY --from=inputs /build /build
RUN mkdir -m 775 /opt/airflow && touch -d @315532800 /opt/airflow \
 && python3 /build/environment.py /build/airflow-stack.txt \
 && rm -rf /build

FROM environment AS app
# Any other value makes our part anew, to see that equal files come out (docs/how-to/images.md).
ARG ANEW=
COPY deploy/images/application.py /build/
COPY dags /opt/everfit/app/dags
COPY plugins /opt/everfit/app/plugins
COPY pipeline_components/everfit/__init__.py pipeline_components/everfit/airflow.py /opt/everfit/app/pipeline_components/everfit/
COPY pipeline_components/everfit/contracts /opt/everfit/app/pipeline_components/everfit/contracts
# The launcher of `make demo` is for a laptop: it starts processes of environments not in here.
RUN rm -rf /opt/everfit/app/plugins/everfit_launch \
 && /opt/everfit/bin/python /build/application.py

FROM environment
COPY --from=app /out /
ENV PATH=/opt/everfit/bin:$PATH PYTHONPATH=/opt/everfit/app/pipeline_components:/opt/everfit/app/plugins \
    PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 PYTHONWARNINGS=ignore::DeprecationWarning \
    HOME=/tmp LANG=C.UTF-8 EVERFIT_ROOT=/opt/everfit/app AIRFLOW_HOME=/opt/airflow \
    AIRFLOW__CORE__DAGS_FOLDER=/opt/everfit/app/dags \
    AIRFLOW__CORE__PLUGINS_FOLDER=/opt/everfit/app/plugins \
    AIRFLOW__CORE__LOAD_EXAMPLES=False \
    AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST='[{"name": "dags-folder", "classpath": "airflow.dag_processing.bundles.local.LocalDagBundle", "kwargs": {}}, {"name": "spec-errors", "classpath": "everfit_airflow.dags.spec_errors.SpecErrors", "kwargs": {}}]' \
    AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT=60 \
    AIRFLOW__LOGGING__COLORED_CONSOLE_LOG=False \
    AIRFLOW__USAGE_DATA_COLLECTION__ENABLED=False
LABEL org.opencontainers.image.title="Everfit Airflow" \
      org.opencontainers.image.licenses="Apache-2.0"
USER 50000:0
WORKDIR /opt/airflow
ENTRYPOINT ["tini", "-g", "--", "airflow"]
CMD ["version"]
