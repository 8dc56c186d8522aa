"""Who is champion, who was and why; changing it by hand; and holding MLflow to the ledger."""
