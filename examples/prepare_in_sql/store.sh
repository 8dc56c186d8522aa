# A store of files, as a component must use it: bytes by their digest, published once, verified.
# EVERFIT_STORE is file:///folder.

refuse() {  # what a person must fix: not tried again
    echo "$*" >&2
    exit 2
}

later() {  # what may come back: tried again
    echo "$*" >&2
    exit 75
}

case ${EVERFIT_STORE:-} in
    file:///*) store=${EVERFIT_STORE#file://} ;;
    *) refuse "STORE EVERFIT_STORE: this component knows stores of files, file:///folder. Change it." ;;
esac

sha256() {  # of standard input
    sha256sum | cut -c 1-64
}

blob() {  # DIGEST: the path of those bytes, verified
    path=$store/blobs/$(printf %.2s "$1")/$1
    [ -f "$path" ] || refuse "STORE-MISSING blob $1: it must be in the store. Restore it."
    [ "$(sha256 < "$path")" = "$1" ] || refuse "STORE-ALTERED blob $1: its bytes differ. Restore it."
    echo "$path"
}

create() {  # KEY FILE: publish once, whole and durably; what is there already counts
    target=$store/$1
    if [ -e "$target" ]; then
        touch -c "$target" 2> /dev/null || true  # in use, so that retention spares it
        return 0
    fi
    mkdir -p "$store/.staging" "${target%/*}"
    staged=$store/.staging/$(od -An -N 16 -tx1 /dev/urandom | tr -d ' \n')
    cp "$2" "$staged" || later "STORE-FULL $store: $1 could not be written. Free some space."
    chmod 444 "$staged"
    sync "$staged"
    ln "$staged" "$target" 2> /dev/null || [ -e "$target" ] || later "STORE $store: no link to $1."
    rm -f "$staged"
    sync "${target%/*}"
}

put() {  # NAME FILE: store a file under its digest; its reference as JSON
    digest=$(sha256 < "$2")
    create "blobs/$(printf %.2s "$digest")/$digest" "$2"
    jq -cn --arg name "$1" --arg digest "$digest" --argjson size "$(wc -c < "$2")" \
        '{name: $name, digest: $digest, size: $size}'
}
