"""Work around a pipeline: replay, reproduce, deliver, retain, back up, score."""
