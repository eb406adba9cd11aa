"""Captions to words as the COCO evaluator does it: Penn Treebank's conventions, lower case, no punctuation.

The evaluator calls Stanford's tokeniser, a Java program. This one needs no Java and agrees with it on captions as
people write them; markup, web addresses and other scripts may be split otherwise.
"""

import re
from collections.abc import Sequence

PUNCTUATION = frozenset("\"'`.?!,:-;")
"""Tokens that the evaluator drops. Its list holds brackets too, but in capitals, which lower case never matches."""

REPLACEMENTS = {
    "\N{RIGHT SINGLE QUOTATION MARK}": "'",
    "\N{LEFT SINGLE QUOTATION MARK}": "`",
    "\N{SINGLE LEFT-POINTING ANGLE QUOTATION MARK}": "`",
    "\N{SINGLE RIGHT-POINTING ANGLE QUOTATION MARK}": "'",
    "\N{LEFT DOUBLE QUOTATION MARK}": '"',
    "\N{RIGHT DOUBLE QUOTATION MARK}": '"',
    "\N{LEFT-POINTING DOUBLE ANGLE QUOTATION MARK}": '"',
    "\N{RIGHT-POINTING DOUBLE ANGLE QUOTATION MARK}": '"',
    "\N{EN DASH}": "--",
    "\N{EM DASH}": "--",
    "\N{HORIZONTAL ELLIPSIS}": "...",
    "\N{VULGAR FRACTION ONE HALF}": "1/2",
    "\N{VULGAR FRACTION ONE QUARTER}": "1/4",
    "\N{VULGAR FRACTION THREE QUARTERS}": "3/4",
    "\N{POUND SIGN}": "#",
    "\N{EURO SIGN}": "$",
    "\N{CENT SIGN}": "cents",
    "\N{SOFT HYPHEN}": "",
    "&amp;": "&",
}
BRACKETS = str.maketrans(
    {"(": "-lrb-", ")": "-rrb-", "[": "-lsb-", "]": "-rsb-", "{": "-lcb-", "}": "-rcb-"},
)

# Words that keep their full stop, wherever they stand.
TITLES = "adm atty attys brig capt cmdr col comdr cpl dr drs ens esq gen gov govs hon insp jr lieut lt maj messrs mlle"
TITLES += " mme mr mrs ms msgr pfc ph pres prof profs pvt rep reps rev sen sens sfc sgt spc sr st ste supt supts"
MONTHS_AND_DAYS = "apr aug dec feb fri jan jul jun mar mon nov oct sep sept thu thurs tue tues wed"
STATES = "ala ariz calif colo conn ct dak fla ga ind kan kans ky md mich minn mo mont neb nev okla penn tenn va vt wis"
STATES += " wisc wyo"
COMPANIES = "assn assoc bhd bros cie co corp cos inc intl invt ltd mfg natl plc ppte pptes ppty pptys pte ptes pty ptys"
OTHERS = "adj adv al alex asst ave bldg blvd cf dept det elec est etc ext ft jos mt mtg rd rt seq sq sys tel treas univ"
OTHERS += " vs wm"
ABBREVIATIONS = " ".join((TITLES, MONTHS_AND_DAYS, STATES, COMPANIES, OTHERS))
CAPITALIZED_ABBREVIATIONS = "Ark Az Del Ill La Mass Miss Ore Pa Tex Wash"
"""Only with a capital: they are words otherwise."""
BEFORE_NUMBERS = "art ca fig figs no nos op pp prop"
"""Only in front of a number."""
OPENINGS = "About According Additionally After An As At A But Earlier Here Her However He If In It Last Many More Now"
OPENINGS += (
    " Once One Other Our She Since Some So Such That Their Then There These They The This We What When While Yet"
)
OPENINGS += " You"
"""Words that begin a sentence: a single letter in front of them ends one, and loses its full stop."""


def any_of(words: str) -> str:
    return f"(?:{words.replace(' ', '|')})"


LETTER = r"[^\W\d_]"
CHUNK = r"[^\W_]+(?:_+[^\W_]+)*"
"""Letters and digits."""
HYPHENED = rf"(?:-{CHUNK})*"
OPENING = rf"\s*(?-i:{any_of(OPENINGS)})(?!\w)"
TOKEN = re.compile(
    rf"""
      <[/!]?[a-z][^\s<>]*>                                                      # markup
    | [\w.+-]+@[\w.-]+\w | https?://\S+\w | [\#@]{LETTER}\w*                    # addresses, tags
    | can(?=not\b) | gon(?=na\b) | got(?=ta\b) | wan(?=na\b) | lem(?=me\b) | gim(?=me\b)
    | {LETTER}+(?=\s|$)                                                        # a plain word, the most frequent
    | {LETTER}+(?=n['`]t(?!{LETTER})) | n['`]t(?!{LETTER}) | '(?:s|m|d|re|ve|ll)(?!{LETTER})      # is n't, it 's
    | '(?:t(?=is\b|was\b)|n'|n\b|em\b|til\b|cause\b|\d0s\b) | ol' | y'(?=\w)
    | (?:{CHUNK}-)*(?:(?-i:[dlno]|[A-HJ-XZ])'{LETTER}|{LETTER}+[aeiouy]'(?=[aeiou]|(?-i:[A-Z]))){LETTER}+  # o'clock
    | (?:{any_of(ABBREVIATIONS)}|(?-i:{any_of(CAPITALIZED_ABBREVIATIONS)}))\.(?!{LETTER})
    | {any_of(BEFORE_NUMBERS)}\.(?=\s*\d)
    | {LETTER}(?=\.\s{OPENING})                                                 # sign K. The
    | (?:ph\.d\.|(?:{LETTER}\.)+)(?:-{CHUNK}|(?!{LETTER}))                      # u.s.
    | (?-i:[A-Z]+(?:&[A-Z]+)+)                                                  # A&M
    | [+-]?[.,]?\d+(?:[.,:]\d+)+{HYPHENED}                                      # 12:30
    | {CHUNK}(?:/{CHUNK})+{HYPHENED}                                            # black/white
    | {LETTER}+\.(?=[,;:])
    | (?:{LETTER}[^\W_]*[.!?](?={LETTER}))*{CHUNK}{HYPHENED}(?:/\d+)?           # most words; street.The
    | [!?]+ | \*+ | [:+.,-]\d+(?:[.,:]\d+)* | [:;]-?[pd()](?!\w) | \S
    """,
    re.IGNORECASE | re.VERBOSE,
)
FINAL_LETTER = re.compile(rf"(?<![\w.'&/-]){LETTER}\.\s*$")
REPLACED = re.compile("|".join(map(re.escape, REPLACEMENTS)))


def ptb_words(caption: str, following: str = "") -> list[str]:
    """Words of one caption.

    `The man's T-shirt (red) isn't new.` becomes `the man 's t-shirt -lrb- red -rrb- is n't new`.

    Args:
        caption: text as written.
        following: the next caption of the same file. The evaluator tokenises all captions as one text, in which a final
            `K.` keeps its full stop unless a word that begins sentences comes next.
    """
    text = REPLACED.sub(lambda found: REPLACEMENTS[found.group()], caption)
    words = [token.translate(BRACKETS).lower() for token in TOKEN.findall(text) if token not in PUNCTUATION]
    if words and re.match(OPENING, following) and FINAL_LETTER.search(caption):
        words[-1] = words[-1].removesuffix(".")
    return words


def ptb_tokenize(captions: Sequence[str]) -> list[list[str]]:
    """Words of captions that are evaluated together, in their order."""
    return [ptb_words(caption, following) for caption, following in zip(captions, [*captions[1:], ""], strict=True)]
