"""Words: what exists. Frozen records and enums; no input or output, no clock."""
