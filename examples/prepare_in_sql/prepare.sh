#!/bin/sh
# prepare, in SQL: called with --order FILE --outcome FILE, like every component.
set -eu
trap 'exit 143' TERM INT
. /component/store.sh
[ "$#" -eq 4 ] || refuse "ORDER prepare: it is called with --order FILE --outcome FILE."
order=$2 outcome=$4
export LC_ALL=C.UTF-8
began=$(date +%s)
work=$(mktemp -d "${TMPDIR:-/tmp}/prepare.XXXXXX")
cd "$work"

upstream() {  # COMPONENT: the path of its result document
    digest=$(jq -re ".upstream.$1[0]" "$order") || refuse "ORDER prepare: it names no result of $1."
    blob "$digest"
}

using() {  # a jq program that knows prepare.jq; sorted keys and no spaces, as digests need it
    jq -ceS -L /component "include \"prepare\"; $1" "$work/in.json" 2> problem ||
        refuse "PREPARE-SQL $name: $(sed 's/^jq: error ([^)]*): //' problem | head -n 1)."
}

# 1. The request: everything that the answer depends on, and nothing else.
name=$(jq -r .pipeline.name "$order")
validated=$(upstream validate)
planned=$(upstream plan)
code=$(cat /component/* | sha256)
jq -s --arg code "$code" '{order: .[0], validated: .[1], planned: .[2], code: $code}' \
    "$order" "$validated" "$planned" > in.json
using 'request(.order; .validated; .planned; .code)' > request.json
jq -cS '{component: "prepare", image: (.order.pipeline.images.prepare // .order.pipeline.images.default),
    request: input}' in.json request.json > key.json
key=$(sha256 < key.json)
result=$store/results/prepare/$key.json
cached=true

if [ ! -f "$result" ]; then
    # 2. The work, on verified bytes alone.
    cached=false
    echo "$name prepare: key $(printf %.12s "$key")" >&2
    for digest in $(jq -r '.window[], .holdout[], (.champion // empty)' request.json); do
        path=$(blob "$digest")
        jq -cn --arg digest "$digest" --arg path "$path" '{($digest): $path}'
    done > paths.jsonl
    jq -s '{request: .[0], paths: (.[1:] | add)}' request.json paths.jsonl > in.json
    using 'sql(.request; .paths)' | jq -r . > prepare.sql
    duckdb -bail -init /dev/null :memory: < prepare.sql > said 2>&1 ||
        refuse "PREPARE-SQL $name: $(grep -m 1 Error said || tail -n 1 said)."

    [ "$(jq .strange facts.json)" = 0 ] || refuse "PREPARE-SQL $name: the champion's rows must have" \
        "our digests; another prepare made its table. Begin a pipeline of another name."
    jq -e '.train > 0 and .holdout > 0' facts.json > said ||
        refuse "PREPARE-EMPTY $name: there must be rows on both sides. Widen window or holdout."

    # 3. Publish: what the result names first, the result last and at once.
    jq -cS '{method: "64 bits of md5 over the row as JSON",
        overlap: {rows: 0, entities: null, equal_contents: .equal},
        train: {rows: .train}, holdout: {rows: .holdout}}' facts.json > split_proof.json
    train=$(put train.parquet train.parquet)
    holdout=$(put holdout.parquet holdout.parquet)
    proof=$(put split_proof.json split_proof.json)
    jq -cS --argjson train "$train" --argjson holdout "$holdout" --argjson proof "$proof" '
        input as $facts
        | {run_key, train: $train, holdout: $holdout, proof: $proof, classes: null,
           columns: [.columns[] | {name, type, role,
                                   distinct: (if .type == "string"
                                              then $facts.distinct_values[.name] else null end)}],
           rows_train: $facts.train, rows_holdout: $facts.holdout,
           rows_read: $facts.read, delivered_before: [],
           dropped: ({target_missing: $facts.target_missing}
                     | with_entries(select(.value > 0)))}' request.json facts.json > result.json
    create "results/prepare/$key.json" result.json
else
    create "results/prepare/$key.json" "$result"  # renewed, so that retention spares it
fi

# 4. The outcome: what Airflow sees.
cp "$result" result.json  # of several at once, the one that was first
stored=$(put prepare.json result.json)
jq -cS --arg key "$key" --argjson stored "$stored" --argjson cached "$cached" \
    --argjson seconds "$(($(date +%s) - began))" '
    {component: "prepare", result: $stored.digest, key: $key, cached: $cached, seconds: $seconds,
     summary: {component: "prepare", run_key: .run_key[:12], rows_train, rows_holdout,
               dropped: ([.dropped[]] | add // 0),
               features: ([.columns[] | select(.role == "feature")] | length)}}' \
    result.json > outcome.json
cat outcome.json > "$outcome"  # written, not replaced: the folder may not be ours
echo "$name prepare: done" >&2
rm -rf "$work"
