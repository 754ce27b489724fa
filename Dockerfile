# The dashboard, and the pipeline beside it. Data and models live in /data, a volume.
FROM python:3.11-slim
WORKDIR /srv/righttree
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY app app
COPY pipeline pipeline
COPY warehouse warehouse
RUN pip install --no-cache-dir --constraint constraints.txt . && useradd --create-home righttree && mkdir /data && chown righttree /data
USER righttree
# The page starts, stops and imports nothing unless RIGHTTREE_READ_ONLY=0.
ENV RIGHTTREE_HOME=/data RIGHTTREE_CACHE=/data/cache RIGHTTREE_READ_ONLY=1
VOLUME /data
EXPOSE 8501
CMD ["righttree", "app", "--address", "0.0.0.0"]
