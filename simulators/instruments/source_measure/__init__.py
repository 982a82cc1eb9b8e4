"""What the source-measure units share: an output that sources and limits, its ranges, its measurements."""
