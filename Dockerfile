# Two images: `dashboard` (the default) has the base install, serves a data folder and changes no run in it; `pipeline` runs.
#
#   docker build --tag righttree .                            docker run -p 8501:8501 -v DATA:/data righttree
#   docker build --target pipeline --tag righttree-pipeline . docker run -v DATA:/data righttree-pipeline run --profile quick
#
# The dashboard writes nothing, not even the recorded run into an empty DATA: docker run -v DATA:/data righttree righttree runs
#
# The pipeline's torch is PyTorch's for CPUs. With CUDA, which takes gigabytes, and `docker run --gpus all`:
#
#   docker build --target pipeline --build-arg TORCH_INDEX=https://pypi.org/simple --tag righttree-pipeline .

FROM python:3.11-slim AS build
WORKDIR /build
ENV PATH=/opt/righttree/bin:$PATH PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
# What is installed beside the project, at the locked versions: a layer that stays until one of these files changes.
COPY pyproject.toml constraints.txt README.md LICENSE ./
RUN python -m venv /opt/righttree \
    && mkdir app pipeline warehouse \
    && touch righttree.py app/__init__.py pipeline/__init__.py warehouse/__init__.py \
    && pip install --constraint constraints.txt . \
    && pip uninstall --yes righttree

FROM build AS build-dashboard
COPY app app
COPY pipeline pipeline
COPY warehouse warehouse
COPY righttree.py ./
RUN pip install --no-deps .

FROM build AS build-pipeline
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
RUN pip install --constraint constraints.txt --extra-index-url "$TORCH_INDEX" '.[pipeline]' \
    && pip uninstall --yes righttree
COPY app app
COPY pipeline pipeline
COPY warehouse warehouse
COPY righttree.py ./
RUN pip install --no-deps .

FROM python:3.11-slim AS base
RUN useradd --create-home --uid 1000 righttree && mkdir /data && chown righttree /data
# Data, and the embedded model once it is fetched, live in the volume.
ENV PATH=/opt/righttree/bin:$PATH RIGHTTREE_HOME=/data RIGHTTREE_CACHE=/data/cache
WORKDIR /home/righttree
USER 1000
VOLUME /data

FROM base AS pipeline
COPY --from=build-pipeline /opt/righttree /opt/righttree
ENTRYPOINT ["righttree"]
CMD ["run", "--profile", "quick"]

FROM base AS dashboard
COPY --from=build-dashboard /opt/righttree /opt/righttree
# The page starts, stops and imports nothing unless RIGHTTREE_READ_ONLY=0.
# Visited by name instead of an address or localhost: docker run -e STREAMLIT_SERVER_ALLOWED_HOSTS=NAME …
ENV RIGHTTREE_READ_ONLY=1
EXPOSE 8501
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8501/_stcore/health', timeout=3)"]
CMD ["righttree", "app", "--address", "0.0.0.0"]
