"""One spelling for every answer, as VQA's evaluation has it (Antol et al. 2015, section 3.3).

Quirks of the published evaluator are kept, since its figures are compared across papers: punctuation is judged by the
whole answer, and a period is kept only before a digit.
"""

import re

PUNCTUATION = ';/[]"{}()=+\\_-><@`,?!'
DIGIT_COMMA_DIGIT = re.compile(r"\d,\d")
PERIOD = re.compile(r"\.(?!\d)")
MAX_PERIODS = 32
"""The evaluator deletes no more."""
ARTICLES = frozenset(("a", "an", "the"))
NUMBERS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
DIGITS = {"none": "0"} | {word: str(number) for number, word in enumerate(NUMBERS)}
CONTRACTED = """
    'ow's'at 'twas ain't aren't can't could've couldn't couldn't've didn't doesn't don't hadn't hadn't've hasn't haven't
    he'd he'd've he's how'd how'll how's isn't it'd it'd've it'll ma'am might've mightn't mightn't've must've mustn't
    needn't not've o'clock oughtn't shan't she'd've should've shouldn't shouldn't've somebody'd've somebody'll
    somebody's someone'd someone'd've someone'll someone's something'd something'd've something'll that's there'd
    there'd've there're there's they'd they'd've they'll they're they've wasn't we'd've we've weren't what'll what're
    what's what've when's where'd where's where've who'd who'd've who'll who's who've why'll why're why's won't would've
    wouldn't wouldn't've y'all y'all'd've y'all'll you'd you'd've you'll you're you've
"""


def misspellings(word: str) -> list[str]:
    """A contraction with exactly one of its apostrophes left out."""
    return [word[: place.start()] + word[place.end() :] for place in re.finditer("'", word)]


CONTRACTIONS = {wrong: word for word in CONTRACTED.split() for wrong in misspellings(word)}
CONTRACTIONS["somebody'd"] = "somebodyd"  # the evaluator's own slip


def normalize_answer(answer: str) -> str:
    """Lower case without punctuation and articles, numbers up to ten as digits, contractions with their apostrophes."""
    words = (DIGITS.get(word, word) for word in strip_punctuation(answer).lower().split())
    return " ".join(CONTRACTIONS.get(word, word) for word in words if word not in ARTICLES)


def strip_punctuation(answer: str) -> str:
    """Delete marks that stand at an end of a word anywhere in the answer, and replace the others by a space."""
    delete_all = DIGIT_COMMA_DIGIT.search(answer) is not None
    stripped = answer
    for mark in PUNCTUATION:
        at_an_end = f"{mark} " in answer or f" {mark}" in answer
        stripped = stripped.replace(mark, "" if at_an_end or delete_all else " ")
    return PERIOD.sub("", stripped, count=MAX_PERIODS)
