#!/bin/sh
# The layer that all three images share: an init, and the user they run as; after it, further packages
# by name. Runs inside a build.
set -eu
stamp=${SOURCE_DATE_EPOCH:-315532800}
touch /tmp/began
if [ $# -gt 0 ] || ! command -v tini >/dev/null; then
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${@:-tini}" >/dev/null
fi
rm -rf /var/lib/apt/lists/* /var/cache/apt/*.bin /var/cache/ldconfig /var/log/dpkg.log /var/log/apt /var/log/alternatives.log
# Written by hand: useradd notes the day. Group 0, so that any user number in it can run the image.
grep -q '^everfit:' /etc/passwd || echo 'everfit:x:50000:0:Everfit:/tmp:/usr/sbin/nologin' >>/etc/passwd
# One time for all that was written, so that the same packages give the same layer.
find / -xdev -newer /tmp/began ! -path '/proc/*' ! -path '/sys/*' ! -path '/dev/*' ! -path '/build*' \
  ! -path /etc/hosts ! -path /etc/hostname ! -path /etc/resolv.conf -exec touch -h -d "@$stamp" {} +
rm /tmp/began
touch -d "@$stamp" /tmp
