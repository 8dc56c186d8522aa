"""Window and holdout as two tables that share no row and no entity."""
