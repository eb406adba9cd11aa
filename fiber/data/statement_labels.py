"""How NLVR2 writes whether a statement holds, in its annotations, tables and files of predictions."""

LABELS = {"True": True, "False": False}
