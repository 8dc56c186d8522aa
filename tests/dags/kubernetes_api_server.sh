#!/usr/bin/env bash
# Makes a real Kubernetes API server for the tests: etcd from Debian, kube-apiserver built from
# Debian's last source package that holds all of Kubernetes (1.20, of Debian 11), with the Go of that
# release. Nothing is installed. Minutes of CPU and 2 GB the first time; nothing after that.
#   kubernetes_api_server.sh FOLDER
set -euo pipefail
target=$(mkdir -p "$1" && cd "$1" && pwd)
[ -x "$target/kube-apiserver" ] && [ -x "$target/etcd" ] && exit 0
work=$target/build
mkdir -p "$work"/apt/{state/lists/partial,cache/archives/partial}
# The mirror of this machine, whatever it is called.
mirror=$({ cat /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null || true; } \
  | sed -nE 's#^(URIs:|deb( \[[^]]*\])?) *(https?://[^ ]*/debian)/?( .*)?$#\3#p' | head -n 1)
keys=/usr/share/keyrings/debian-archive-keyring.gpg
for kind in deb deb-src; do echo "$kind [signed-by=$keys] $mirror bullseye main"; done >"$work/apt/sources.list"
cat >"$work/apt/apt.conf" <<END
Dir::Etc::sourcelist "$work/apt/sources.list";
Dir::Etc::sourceparts "/dev/null";
Dir::State "$work/apt/state";
Dir::Cache "$work/apt/cache";
APT::Sandbox::User "root";
Acquire::Check-Valid-Until "false";
END
export APT_CONFIG=$work/apt/apt.conf
cd "$work"
apt-get update -qq
apt-get download -qq golang-1.15-go golang-1.15-src etcd-server
apt-get source -qq --download-only --tar-only kubernetes
for package in ./*.deb; do dpkg-deb -x "$package" root; done
source=$work/gopath/src/k8s.io/kubernetes
mkdir -p "$source"
tar xzf kubernetes_*.orig.tar.gz -C "$source" --strip-components 1
export GOROOT=$work/root/usr/lib/go-1.15 GOPATH=$work/gopath GOCACHE=$work/cache
export GO111MODULE=off CGO_ENABLED=0 PATH=$work/root/usr/lib/go-1.15/bin:$PATH
unset GOFLAGS
cd "$source"
go build -o "$work/openapi-gen" ./vendor/k8s.io/kube-openapi/cmd/openapi-gen
described=$( {
  (cd staging/src && grep -rl '+k8s:openapi-gen=' k8s.io --include='*.go' | sed 's#^#vendor/#')
  grep -rl '+k8s:openapi-gen=' pkg cmd --include='*.go'
} | xargs -n1 dirname | sort -u | grep -v -e code-generator -e sample-apiserver -e testdata \
  | sed 's#^#k8s.io/kubernetes/#' | paste -sd,)
"$work/openapi-gen" --logtostderr -i "$described" -p k8s.io/kubernetes/pkg/generated/openapi \
  -O zz_generated.openapi -h vendor/k8s.io/code-generator/hack/boilerplate.go.txt \
  -r "$work/violations"
go build -ldflags '-s -w' -o "$target/kube-apiserver.part" ./cmd/kube-apiserver
cp "$work/root/usr/bin/etcd" "$target/etcd"
mv "$target/kube-apiserver.part" "$target/kube-apiserver"
chmod -R u+w "$work"
rm -rf "$work"
