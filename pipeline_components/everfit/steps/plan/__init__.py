"""Plan: compares source, ledger and policy, and names the spans of a run or why there is none."""
