#!/bin/sh
# Runs the allow-list proxy for as long as standard input is open: the input is its lease.
# The policy comes by variables, lists one item a line: EGRESS_POLICY (registries or internet),
# EGRESS_HOSTS, EGRESS_INDEX_HOSTS, EGRESS_INDEX_PORTS, EGRESS_REFUSED_ADDRESSES.
# Prints `ready` when it takes connections, and then a line for each request:
# `request CLIENT RESULT HOST PORT`, where the result of a refusal begins with TCP_DENIED.
set -eu

run=/tmp/egress
mkdir -p "$run"
# An empty list would match nothing with a warning; these lines match nothing in silence.
{ echo host.invalid; echo "${EGRESS_HOSTS:-}"; } > "$run/hosts"
{ echo index.invalid; echo "${EGRESS_INDEX_HOSTS:-}"; } > "$run/index-hosts"
{ echo 1; echo "${EGRESS_INDEX_PORTS:-}"; } > "$run/index-ports"
{ echo 0.0.0.0/32; echo "${EGRESS_REFUSED_ADDRESSES:-}"; } > "$run/refused-addresses"
sed -e "s|@RUN@|$run|g" -e "s|^#$EGRESS_POLICY ||" \
  /opt/codegenapp/squid.conf.in > "$run/squid.conf"

# When squid ends, so does this shell, and with it the box.
{ squid -N -f "$run/squid.conf" || true; kill $$; } &

# 0C38 is port 3128, 0A is LISTEN.
until grep -qs ':0C38 [0-9A-F]*:0000 0A ' /proc/net/tcp /proc/net/tcp6; do sleep 0.05; done
echo ready

cat > /dev/null
