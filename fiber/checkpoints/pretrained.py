def load_pretrained_image(*a): raise SystemExit
def load_pretrained_text(*a): raise SystemExit
