"""Where a line of recognised speech may be cut: what belongs together, by language, as far as a list of words tells.

Pure; nothing is fetched and nothing is loaded.
"""

from __future__ import annotations

import re
from typing import Final

from app.dubbing.spoken.joining import ends_sentence
from app.dubbing.spoken.unspeakable import is_spaceless
from app.dubbing.spoken.vocabulary import TITLES

CLAUSE: Final = re.compile(r"[,;:—–،؛、，；：][\"'”’»)\]）」』]*$")
_WEAK_END: Final = re.compile(r"\.$|[\"'”’»)\]]$")
_NUMBER: Final = re.compile(r"^[\"'“«(]*[$€£¥]?\d[\d.,:/]*%?$")
_ORDINAL: Final = re.compile(r"(?:^|\s)(?:\d{1,2}|[IVX]{1,4})\.$")

# Languages that write an ordinal with a full stop: "am 3. Oktober".
_DOTTED_ORDINALS: Final = frozenset(
    ("de", "da", "no", "nb", "nn", "fi", "cs", "sk", "hu", "hr", "sl", "sr", "pl", "et", "lv", "lt", "tr", "is")
)


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# A word that leans on the next one: article, preposition, possessive, auxiliary. A line does not end with it.
LEANING: Final = {
    "en": _words(
        "a an the this these those my your his her its our their some any no every each of to in on at by for with "
        "from into onto over under about as than and or but nor so if because that which who whose when where while is "
        "are was were be been being am has have had do does did will would shall should can could may might must not "
        "very too more most since until during after before without within between through against mr mrs ms dr prof st"
    ),
    "es": _words(
        "el la los las lo un una unos unas mi tu su mis tus sus nuestro nuestra este esta estos estas ese esa de del a "
        "al en con por para sin sobre entre desde hasta y e o u pero ni que si cuando donde como porque aunque es son "
        "era fue ha han he hemos no muy más se me te le les nos durante contra según tras sr sra dr"
    ),
    "fr": _words(
        "le la les l' un une des du de d' mon ma mes ton ta tes son sa ses notre nos votre vos leur leurs ce cet cette "
        "ces à au aux en dans par pour sans sur sous avec chez entre et ou mais ni que qu' qui quand où si comme est "
        "sont était a ont ai avons ne n' très plus se s' me m' te t' je tu il elle nous vous ils "
        "depuis pendant jusque contre selon m mme dr"
    ),
    "it": _words(
        "il lo la i gli le l' un uno una mio mia tuo tua suo sua nostro nostra vostro loro questo questa di del della "
        "dei delle dello a al alla ai alle in nel nella con per da dal dalla su sul sulla tra fra e ed o ma né che se "
        "quando dove come perché è sono era ha hanno ho non più molto si mi ti ci vi durante contro verso fino sig dott"
    ),
    "pt": _words(
        "o a os as um uma uns umas meu minha teu tua seu sua nosso nossa este esta esse essa de do da dos das a ao à "
        "em no na nos nas com por para sem sobre entre e ou mas nem que se quando onde como porque embora é são era "
        "foi há não muito mais me te lhe desde até durante contra sr sra dr"
    ),
    "de": _words(
        "der die das den dem des ein eine einen einem einer eines mein dein sein ihr unser euer kein keine dieser "
        "diese von vom zu zum zur in im an am auf aus bei beim mit nach für durch über unter vor und oder aber denn "
        "dieses dass weil wenn als ob ist sind war waren hat haben nicht sehr seit bis während gegen ohne herr frau dr"
    ),
    "nl": _words(
        "de het een mijn jouw zijn haar ons onze hun deze die dat van in op aan met voor naar door over onder bij en "
        "of maar want dat als omdat is zijn was heeft hebben niet zeer"
    ),
    "ru": _words("в во на с со к ко о об от до из у за по под над для без и а но или что как если не ни"),
}
# A word that begins a clause: a line may end before it.
OPENING: Final = {
    "en": _words("and but or because so that which who when where while although though if unless until before after"),
    "es": _words("y e o pero porque que cuando donde mientras aunque si hasta antes después sino"),
    "fr": _words("et ou mais parce que qui quand où pendant si avant après car donc alors lorsque puisque"),
    "it": _words("e ed o ma perché che quando dove mentre se prima dopo quindi anche sebbene"),
    "pt": _words("e ou mas porque que quando onde enquanto se antes depois então embora"),
    "de": _words("und oder aber weil dass wenn als während obwohl ob bevor nachdem denn sondern damit"),
    "nl": _words("en of maar want dat als omdat terwijl hoewel voordat nadat"),
    "ru": _words("и а но или что когда где если потому хотя чтобы пока"),
}


def sentence_ends(text: str, following: str, pause_s: float, language: str) -> bool:
    """Whether a sentence ends with `text`, after which comes `pause_s` of silence and then `following` ("": nothing
    more is known)."""
    if not ends_sentence(text, following):
        return False
    begins = next((c for c in following.lstrip() if c.isalnum()), "")
    # a full stop where the recogniser's window ended; "Stop!" he said
    if begins.islower() and pause_s < 0.8 and _WEAK_END.search(text.rstrip()):
        return False
    dotted = language in _DOTTED_ORDINALS and pause_s < 0.4 and begins
    return not (dotted and _ORDINAL.search(text.rstrip()))


def cut_cost(left: str, right: str, pause_s: float, language: str, *, spaced: bool = True) -> float:
    """What it costs to part a sentence between two words: 1 is a good place (a clause ends, a pause), 12 an ordinary
    one, 30 the middle of what belongs together. `spaced`: a space parts the two."""
    base = 12.0
    last = left.split()[-1] if left.split() else ""
    first = right.split()[0] if right.split() else ""
    bare_last = last.strip("\"'“”‘’«»()[]").casefold()
    bare_first = first.strip("\"'“”‘’«»()[].,;:!?").casefold()
    if CLAUSE.search(left):
        base = 1.0
    elif bare_last.rstrip(".") in LEANING.get(language, frozenset()) or bare_last.rstrip(".") in TITLES:
        base = 30.0
    elif _NUMBER.match(last) or _NUMBER.match(first):  # "3.5 million", "page 12"
        base = 25.0
    elif last[:1].isupper() and first[:1].isupper() and not last.endswith((".", "!", "?")):  # a name
        base = 20.0
    elif bare_first in OPENING.get(language, frozenset()):
        base = 3.0
    elif left and right and is_spaceless(left.rstrip()[-1]) and is_spaceless(right.lstrip()[0]):
        base = 4.0 if spaced else 20.0  # where words end cannot be seen; Thai puts spaces between phrases
    return max(0.5, base - min(10.0, 20.0 * max(0.0, pause_s - 0.15))) if base < 25.0 else base
