"""Converts ISO 639-1 codes to ISO 639-2/T, the language labels of MP4 and Matroska tracks."""

from __future__ import annotations

from typing import Final

_TABLE: Final = (
    "aa aar ab abk ae ave af afr ak aka am amh an arg ar ara as asm av ava ay aym az aze ba bak be bel bg bul bh bih "
    "bi bis bm bam bn ben bo bod "
    "br bre bs bos ca cat ce che ch cha co cos cr cre cs ces cu chu cv chv cy cym da dan de deu dv div dz dzo ee ewe "
    "el ell en eng eo epo es spa "
    "et est eu eus fa fas ff ful fi fin fj fij fo fao fr fra fy fry ga gle gd gla gl glg gn grn gu guj gv glv ha hau "
    "he heb hi hin ho hmo hr hrv "
    "ht hat hu hun hy hye hz her ia ina id ind ie ile ig ibo ii iii ik ipk io ido is isl it ita iu iku ja jpn jv jav "
    "jw jav ka kat kg kon ki kik "
    "kj kua kk kaz kl kal km khm kn kan ko kor kr kau ks kas ku kur kv kom kw cor ky kir la lat lb ltz lg lug li lim "
    "ln lin lo lao lt lit lu lub "
    "lv lav mg mlg mh mah mi mri mk mkd ml mal mn mon mr mar ms msa mt mlt my mya na nau nb nob nd nde ne nep ng ndo "
    "nl nld nn nno no nor nr nbl "
    "nv nav ny nya oc oci oj oji om orm or ori os oss pa pan pi pli pl pol ps pus pt por qu que rm roh rn run ro ron "
    "ru rus rw kin sa san sc srd "
    "sd snd se sme sg sag si sin sk slk sl slv sm smo sn sna so som sq sqi sr srp ss ssw st sot su sun sv swe sw swa "
    "ta tam te tel tg tgk th tha "
    "ti tir tk tuk tl tgl tn tsn to ton tr tur ts tso tt tat tw twi ty tah ug uig uk ukr ur urd uz uzb ve ven vi vie "
    "vo vol wa wln wo wol xh xho "
    "yi yid yo yor za zha zh zho zu zul"
)
_CODES: Final = _TABLE.split()
ISO_639_2: Final[dict[str, str]] = dict(zip(_CODES[::2], _CODES[1::2], strict=True))

# ISO 639-2 has two codes for some languages, and files have either: the bibliographic one -> the terminological one.
_BIBLIOGRAPHIC: Final = "alb arm baq bur chi cze dut fre geo ger gre ice mac mao may per rum slo tib wel"
_TERMINOLOGICAL: Final = "sqi hye eus mya zho ces nld fra kat deu ell isl mkd mri msa fas ron slk bod cym"
_SAME: Final = dict(zip(_BIBLIOGRAPHIC.split(), _TERMINOLOGICAL.split(), strict=True))


def same_language(a: str | None, b: str | None) -> bool | None:
    """Whether two codes, of two letters or three, are of one language ("de" and "ger" are); None where one of them says
    nothing."""
    first, second = (_SAME.get(label, label) for label in (track_language(a), track_language(b)))
    return None if "und" in (first, second) else first == second


def track_language(code: str | None) -> str:
    """The label of a track: "es" and "es-419" are "spa", three letters stay, anything else is "und"."""
    head = (code or "").lower().replace("_", "-").partition("-")[0]
    if len(head) == 3 and head.isascii() and head.isalpha():
        return head
    return ISO_639_2.get(head, "und")
