"""English words that carry grammar rather than content."""

FUNCTION_WORDS = frozenset(
    """
    a an the this that these those some any each every no
    i you he she it we they me him her us them my your his its our their who whom whose which what
    am is are was were be been being do does did has have had having can could may might must shall should will would
    of to in on at by for from with into onto as about than and or but nor so if while because though although
    there here not n't 's
    """.split()
)
"""Words of masked-language-modelling accuracy's other half: they can be guessed without seeing the image. Spatial words
(left, above, under), numbers and adjectives are content."""
