# From the order and the results before it to a request: all that the work depends on.
# Then from the request to SQL.

def problem(what): error(what);

def role($spec; $kept):
  if .name == $spec.target.name then "target"
  elif (.name | IN($spec.features.drop[])) then
    (if .name == $spec.time then "time" elif (.name | IN($kept[])) then "kept" else null end)
  else "feature" end;

def request($order; $validated; $planned; $code):
  $order.pipeline as $spec
  | if $spec.task != "regression" or $spec.target.expression or ($spec.entity | length > 0)
       or ($spec.holdout.spans | not) or ($spec.slices | length > 0)
       or ($spec.gate.fairness // [] | length > 0)
    then problem("this component prepares regressions with whole spans held out, without entity, "
                 + "slices, fairness or target expression") else . end
  | ([$planned.champion.features // [] | .[]]) as $kept
  | [$validated.columns | to_entries[] | {name: .key, type: .value}
     | .role = role($spec; $kept) | select(.role)] as $columns
  | { code: $code, run_key: $validated.run_key, target: $spec.target.name, time: $spec.time,
      columns: ([$columns[] | select(.role == "feature")] + [$columns[] | select(.role == "target")]
                + [$columns[] | select(.role == "time" or .role == "kept")]),
      window: [$validated.window[].digest], holdout: [$validated.holdout[].digest],
      champion: $planned.champion.train.digest };

def quoted: "\"" + gsub("\""; "\"\"") + "\"";

def sql_type: {integer: "BIGINT", float: "DOUBLE", boolean: "BOOLEAN", string: "VARCHAR",
               timestamp: "TIMESTAMP"}[.];

# The digest of some columns, as a number.
def digest($columns):
  "md5_number_lower(to_json(struct_pack("
  + ([$columns[] | .name | quoted | "\(.) := \(.)"] | join(", ")) + "))::VARCHAR)";

# Which part of the window a row is from: its span, or the half of the only one.
def piece($count):
  if $count > 1 then "(span * \([$count, 8] | min) // \($count))" else "(position * 2 // total)" end;

def rows($name; $request; $paths):
  ($paths | length) as $count
  | "CREATE TABLE \($name) AS
   SELECT " + ([$request.columns[] | .name | quoted] | join(", "))
  + ", \(digest($request.columns)) AS __row"
  + ", \(digest([$request.columns[] | select(.role | IN("feature", "target"))])) AS __shown"
  + ", CAST(\(piece($count)) AS UTINYINT) AS __piece
   FROM (SELECT *, row_number() OVER () - 1 AS position, count(*) OVER () AS total FROM (SELECT "
  + ([$request.columns[] | "CAST(\(.name | quoted) AS \(.type | sql_type)) AS \(.name | quoted)"]
     | join(", "))
  + ", span FROM ("
  + ([range($count) | "SELECT *, \(.) AS span FROM read_parquet('\($paths[.])')"]
     | join(" UNION ALL BY NAME "))
  + ")));\n";

def table($request): "(SELECT * FROM \(.) ORDER BY "
  + (if $request.time then ($request.time | quoted) + " NULLS FIRST, " else "" end)
  + "__row, __piece) TO '\(.).parquet' (FORMAT parquet, COMPRESSION snappy, ROW_GROUP_SIZE 131072);\n";

# $paths: digest → file
def sql($request; $paths):
  ($request.target | quoted) as $target
  | "SET threads = 1; SET TimeZone = 'UTC';\n"
  + rows("window_rows"; $request; [$request.window[] | $paths[.]])
  + rows("holdout_rows"; $request; [$request.holdout[] | $paths[.]])
  + "CREATE TABLE holdout AS FROM holdout_rows WHERE isfinite(\($target)::DOUBLE);
     CREATE TABLE train AS FROM window_rows WHERE isfinite(\($target)::DOUBLE);\n"
  + ("COPY " + ("train" | table($request))) + ("COPY " + ("holdout" | table($request)))
  + "COPY (SELECT
       (SELECT count(*) FROM train) AS train, (SELECT count(*) FROM holdout) AS holdout,
       (SELECT count(*) FROM (FROM window_rows UNION ALL FROM holdout_rows)) AS read,
       (SELECT count(*) FROM (FROM window_rows UNION ALL FROM holdout_rows)
        WHERE NOT coalesce(isfinite(\($target)::DOUBLE), false)) AS target_missing,
       (SELECT count(DISTINCT __row) FROM train
        WHERE __row IN (SELECT __row FROM holdout)) AS equal, "
  + (if $request.champion then
       "(SELECT count(*) FROM (SELECT __row, md5_number_lower(to_json(c)::VARCHAR) AS ours
         FROM (SELECT * EXCLUDE (__row, __shown, __piece) FROM champion) AS c POSITIONAL JOIN
              (SELECT __row FROM champion)) WHERE ours <> __row)"
     else "0" end) + " AS strange, {"
  + ([$request.columns[] | select(.type == "string")
      | "\(.name | quoted): (SELECT count(DISTINCT \(.name | quoted)) FROM train)"]
     + ["__none: 0"] | join(", "))
  + "} AS distinct_values) TO 'facts.json' (FORMAT json);\n"
  | if $request.champion
    then "CREATE VIEW champion AS FROM read_parquet('\($paths[$request.champion])');\n" + . else . end;
