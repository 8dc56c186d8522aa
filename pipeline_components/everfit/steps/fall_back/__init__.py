"""Fall back: the judged model serves again where its refit is surely worse."""
