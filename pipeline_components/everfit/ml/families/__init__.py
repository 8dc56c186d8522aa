"""Model families: estimators and the settings they are searched over."""
