# One image for every line of the Procfile: the command says which.
FROM node:24-slim

WORKDIR /app
ENV NODE_ENV=production HOST=0.0.0.0 PORT=8080 DATA_DIR=/data

COPY package.json package-lock.json ./
# The optional packages bring a Node of their own, which this image has.
RUN npm ci --omit=dev --omit=optional --no-audit --no-fund && npm cache clean --force

COPY gateway gateway
COPY workers workers
COPY single-process single-process
COPY shared shared
COPY sdk sdk
COPY tools/harness tools/harness
COPY tools/progress tools/progress
COPY tools/rehearsal tools/rehearsal
COPY cli cli
# Gateways show these pages to operators.
COPY docs/operations docs/operations

RUN mkdir /data && chown node:node /data
USER node
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s \
  CMD ["node", "-e", \
    "fetch(`http://127.0.0.1:${process.env.PORT}/readyz`).then((r) => process.exit(+!r.ok), () => process.exit(1))"]
CMD ["node", "--max-semi-space-size=16", "--expose-gc", "gateway/main.ts"]
