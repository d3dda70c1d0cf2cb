"""aoba-gen: an AsyncAPI document in, a typed Python package out. Read `pipeline` first."""
