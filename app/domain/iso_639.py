"""ISO 639 codes of two letters and of three, and the English names that services answer with."""

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
SAME: Final = dict(zip(_BIBLIOGRAPHIC.split(), _TERMINOLOGICAL.split(), strict=True))
_NAMES: Final = (
    "english=en;chinese=zh;german=de;spanish=es;russian=ru;korean=ko;french=fr;japanese=ja;portuguese=pt;"
    "turkish=tr;polish=pl;catalan=ca;dutch=nl;arabic=ar;swedish=sv;italian=it;indonesian=id;hindi=hi;finnish=fi;"
    "vietnamese=vi;hebrew=he;ukrainian=uk;greek=el;malay=ms;czech=cs;romanian=ro;danish=da;hungarian=hu;"
    "tamil=ta;norwegian=no;thai=th;urdu=ur;croatian=hr;bulgarian=bg;lithuanian=lt;latin=la;maori=mi;"
    "malayalam=ml;welsh=cy;slovak=sk;telugu=te;persian=fa;latvian=lv;bengali=bn;serbian=sr;azerbaijani=az;"
    "slovenian=sl;kannada=kn;estonian=et;macedonian=mk;breton=br;basque=eu;icelandic=is;armenian=hy;nepali=ne;"
    "mongolian=mn;bosnian=bs;kazakh=kk;albanian=sq;swahili=sw;galician=gl;marathi=mr;punjabi=pa;sinhala=si;"
    "khmer=km;shona=sn;yoruba=yo;somali=so;afrikaans=af;occitan=oc;georgian=ka;belarusian=be;tajik=tg;sindhi=sd;"
    "gujarati=gu;amharic=am;yiddish=yi;lao=lo;uzbek=uz;faroese=fo;haitian creole=ht;pashto=ps;turkmen=tk;"
    "nynorsk=nn;maltese=mt;sanskrit=sa;luxembourgish=lb;myanmar=my;tibetan=bo;tagalog=tl;malagasy=mg;"
    "assamese=as;tatar=tt;hawaiian=haw;lingala=ln;hausa=ha;bashkir=ba;javanese=jv;sundanese=su;cantonese=yue;"
    "burmese=my;valencian=ca;flemish=nl;haitian=ht;letzeburgesch=lb;pushto=ps;panjabi=pa;moldavian=ro;"
    "moldovan=ro;sinhalese=si;castilian=es;mandarin=zh;"
)

_OF_THREE: Final = {three: two for two, three in ISO_639_2.items()} | {"cmn": "zh", "nob": "no", "fil": "tl"}
_OF_NAME: Final = dict(pair.split("=") for pair in _NAMES.strip(";").split(";"))


_NAME_OF: Final = {code: name.title() for name, code in reversed(_OF_NAME.items())}


def name_of(code: str) -> str:
    """The English name of a language by its ISO 639-1 code, with its region, if it has one: "Portuguese (BR)"; the code
    where it has no name here."""
    head, _, region = code.partition("-")
    name = _NAME_OF.get(head.lower())
    return code if name is None else f"{name} ({region})" if region else name


def primary_code(told: object) -> str:
    """The ISO 639-1 code of what a service calls a language: "en", "en-US", "eng", "English"; "" for what is none."""
    word = told.strip().lower() if isinstance(told, str) else ""
    if word in _OF_NAME:
        return _OF_NAME[word]
    head = word.replace("_", "-").partition("-")[0]
    found = _OF_THREE.get(SAME.get(head, head), head)
    return found if found.isascii() and found.isalpha() and len(found) in (2, 3) else ""
