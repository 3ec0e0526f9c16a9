"""What of a subtitle is spoken, and by whom: subtitles for the deaf as they are written in many languages."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.segment import LeftOutKind
from app.dubbing.spoken.classify import pieces, starts_turn
from app.dubbing.spoken.speaker_labels import names_in
from app.dubbing.spoken.unspeakable import voiced

Said = list[tuple[str, str]]  # speaker and what is spoken; "": nothing is

# Language, the subtitle, what becomes of it.
TABLE: list[tuple[str, str, Said]] = [
    # English: sounds
    ("en", "[door slams]", [("", "")]),
    ("en", "(sighs)", [("", "")]),
    ("en", "(sighs) We should go.", [("", "We should go.")]),
    ("en", "We should (coughs) go.", [("", "We should go.")]),
    ("en", "We should go (coughs).", [("", "We should go.")]),
    ("en", "Well, (laughs) no.", [("", "Well, no.")]),
    ("en", "[dramatic music\nplaying loudly]", [("", "")]),
    ("en", "Run! [gunshot]\nGet down!", [("", "Run! Get down!")]),
    ("en", "[distant (muffled) voices] Who's there?", [("", "Who's there?")]),
    ("en", "*laughs* Come on.", [("", "Come on.")]),
    ("en", "*door creaks*", [("", "")]),
    ("en", "I *really* mean it.", [("", "I really mean it.")]),
    ("en", "{thunder}", [("", "")]),
    ("en", "Really? LAUGHS: Yeah.", [("", "Really? Yeah.")]),
    ("en", "the apple(s) that fell", [("", "the apple(s) that fell")]),
    ("en", "Call (555) 0100 now.", [("", "Call (555) 0100 now.")]),
    ("en", "I'm trying to! (MASTER): Faster now.", [("", "I'm trying to!"), ("MASTER", "Faster now.")]),
    ("en", "- [gasps]\n- What?", [("", "What?")]),
    ("en", "JOHN: Hi. (laughs)\nMARY: [whispers] Quiet.", [("JOHN", "Hi."), ("MARY", "Quiet.")]),
    ("en", "(unclosed and spoken", [("", "(unclosed and spoken")]),
    ("en", "[in French] I don't know.", [("", "I don't know.")]),
    ("en", "That is how many [of] these came.", [("", "That is how many of these came.")]),
    ("en", "[Agnya] if it is stuck there", [("", "if it is stuck there")]),
    ("en", "[Hindi] Really?", [("", "Really?")]),
    ("en", "[Applause] Thank you.", [("", "Thank you.")]),
    # English: music
    ("en", "♪ ♪", [("", "")]),
    ("en", "♪ La la la ♪", [("", "")]),
    ("en", "♪ First line of it,\nand the second one ♪", [("", "")]),
    ("en", "♪ la la ♪ Hello there.", [("", "Hello there.")]),
    ("en", "la la la ♪", [("", "")]),
    ("en", "♪ La la la\n- Turn that off!", [("", "Turn that off!")]),
    ("en", "# Happy days are here #", [("", "")]),
    ("en", "# We'll meet again\n# Don't know where", [("", "")]),
    ("en", "Now press #", [("", "Now press #")]),
    ("en", "# 1 in the charts", [("", "# 1 in the charts")]),
    ("en", "🎵 la la 🎵", [("", "")]),
    ("en", "~ humming along ~", [("", "")]),
    # English: who speaks
    ("en", "JOHN: (sighs) We should go.", [("JOHN", "We should go.")]),
    ("en", "JOHN:\nWe should go.", [("JOHN", "We should go.")]),
    ("en", "JOHN (ON PHONE): Hello?", [("JOHN", "Hello?")]),
    ("en", "McDONALD: Aye.", [("McDONALD", "Aye.")]),
    ("en", "1ST MAN: Over here.", [("1ST MAN", "Over here.")]),
    ("en", "DR. O'BRIEN: Sit down.", [("DR. O'BRIEN", "Sit down.")]),
    ("en", "Dr. Smith: Sit down.", [("Dr. Smith", "Sit down.")]),
    ("en", "Woman 2: Over there.", [("Woman 2", "Over there.")]),
    ("en", "- Mary: Hi.\n- Bob: Hello.", [("Mary", "Hi."), ("Bob", "Hello.")]),
    ("en", "JOHN: Hi.\nMARY: Hello.", [("JOHN", "Hi."), ("MARY", "Hello.")]),
    ("en", "Hi. MARY: Hello.", [("", "Hi."), ("MARY", "Hello.")]),
    ("en", "[Narrator] Once upon a time", [("Narrator", "Once upon a time")]),
    ("en", "[Thomas] What is it?", [("Thomas", "What is it?")]),
    ("en", "[MAN]: Hello.", [("MAN", "Hello.")]),
    ("en", "(MAN): Hello.", [("MAN", "Hello.")]),
    (">>", ">> Thank you.", [("", "Thank you.")]),
    (">>", ">> JOHN: Hi. >> MARY: Hello.", [("JOHN", "Hi."), ("MARY", "Hello.")]),
    (">>", ">>> NEWSREADER: Good evening.", [("NEWSREADER", "Good evening.")]),
    ("en", "- Hi.\n- Hello.", [("", "Hi. Hello.")]),
    ("en", "- Hi. - Hello.", [("", "Hi. Hello.")]),
    ("en", "– JOHN: Hi.\n– Hello.", [("JOHN", "Hi."), ("", "Hello.")]),
    # English: no label
    ("en", "He said: go.", [("", "He said: go.")]),
    ("en", "At 10:30 we left.", [("", "At 10:30 we left.")]),
    ("en", "Matthew 3:16 says so.", [("", "Matthew 3:16 says so.")]),
    ("en", "She wants three things:\nmoney, time and me.", [("", "She wants three things: money, time and me.")]),
    ("en", "Note: this is a test.", [("", "Note: this is a test.")]),
    ("en", "Cause of death: drowning.", [("", "Cause of death: drowning.")]),
    ("en", "WARNING: DO NOT ENTER THE ROOM", [("", "WARNING: DO NOT ENTER THE ROOM")]),
    ("en", "P.S.: I love you.", [("", "P.S.: I love you.")]),
    ("en", "THIS IS LOUD AND IT IS SPOKEN", [("", "THIS IS LOUD AND IT IS SPOKEN")]),
    ("en", "It is -5 degrees.\n-6 tomorrow.", [("", "It is -5 degrees. -6 tomorrow.")]),
    ("en", "We could -- no, we can't.", [("", "We could -- no, we can't.")]),
    ("en", "Ratio 2:1, I say.", [("", "Ratio 2:1, I say.")]),
    # addresses, emoji, credits, mark-up
    ("en", "Visit www.example.com for more.", [("", "Visit for more.")]),
    ("en", "https://example.org/a?b=c", [("", "")]),
    ("en", "Write to me@example.co.uk, please.", [("", "Write to, please.")]),
    ("en", "Follow @some_one today.", [("", "Follow today.")]),
    ("en", "It costs 5 @ 3 dollars.", [("", "It costs 5 @ 3 dollars.")]),
    ("en", "I love it 😀!", [("", "I love it!")]),
    ("en", "👨‍👩‍👧 🇩🇪 👍🏽", [("", "")]),
    ("en", "Option 1️⃣ is 20 °C, 5 km, 3 € © №5.", [("", "Option 1 is 20 °C, 5 km, 3 € © №5.")]),
    ("en", "Fine :-)", [("", "Fine")]),
    ("en", "Sad :( but happy :)", [("", "Sad but happy")]),
    ("en", "Subtitles by explosiveskull\nwww.OpenSubtitles.org", [("", "")]),
    ("en", "Synced and corrected by somebody", [("", "")]),
    ("en", "created by our ego and by our conditioning.", [("", "created by our ego and by our conditioning.")]),
    ("en", "Translated by my own hand, it was a success", [("", "Translated by my own hand, it was a success")]),
    ("en", "Translated by John Smith", [("", "")]),
    ("en", "Sync & corrections by honeybunny", [("", "")]),
    ("en", "Captioning made possible by Somebody", [("", "")]),
    ("en", "(Anna: “Fine”) We go on.", [("", "We go on.")]),
    ("en", "Subtitles by the Amara.org community", [("", "")]),
    ("en", "<font color=red>Hello</font> {\\an8}there.", [("", "Hello there.")]),
    # German
    ("de", "(Türklingel)", [("", "")]),
    ("de", "[Er seufzt] Na gut.", [("", "Na gut.")]),
    ("de", "MÄDCHEN: Wo ist es?", [("MÄDCHEN", "Wo ist es?")]),
    ("de", "Mann: Wer da?", [("Mann", "Wer da?")]),
    ("de", "Er sagte: Geh!", [("", "Er sagte: Geh!")]),
    ("de", "Achtung: Stufe!", [("", "Achtung: Stufe!")]),
    ("de", "* Dramatische Musik *", [("", "")]),
    ("de", "Untertitel im Auftrag des ZDF für funk, 2017", [("", "")]),
    ("de", "Untertitelung: SWT Media 2020", [("", "")]),
    # French
    ("fr", "(Rires)", [("", "")]),
    ("fr", "JEAN : Bonjour.", [("JEAN", "Bonjour.")]),
    ("fr", "– Ça va ?\n– Oui, et toi ?", [("", "Ça va ? Oui, et toi ?")]),
    ("fr", "Il a dit : viens.", [("", "Il a dit : viens.")]),
    ("fr", "Il lut « Le Monde » à 10 h 30.", [("", "Il lut « Le Monde » à 10 h 30.")]),
    ("fr", "Sous-titrage : Eclair", [("", "")]),
    # Spanish, Portuguese, Italian
    ("es", "[Risas] ¿Qué pasa?", [("", "¿Qué pasa?")]),
    ("es", "NIÑO: ¡Mamá!", [("NIÑO", "¡Mamá!")]),
    ("es", "-¿Vienes?\n-No.", [("", "¿Vienes? No.")]),
    ("es", "Hombre: Pase.", [("Hombre", "Pase.")]),
    ("pt", "[porta bate] Quem é?", [("", "Quem é?")]),
    ("pt", "JOÃO: Não sei.", [("JOÃO", "Não sei.")]),
    ("it", "(sospira) Va bene.", [("", "Va bene.")]),
    ("it", "- LUCA: Ciao.\n- ANNA: Ciao.", [("LUCA", "Ciao."), ("ANNA", "Ciao.")]),
    # Dutch, Polish, Swedish
    ("nl", "(gelach)", [("", "")]),
    ("pl", "[śmiech] Dobrze.", [("", "Dobrze.")]),
    ("pl", "ŁUKASZ: Chodź tu.", [("ŁUKASZ", "Chodź tu.")]),
    ("sv", "[applåder]", [("", "")]),
    # Russian, Ukrainian, Greek
    ("ru", "(ВЗДЫХАЕТ) Пойдём.", [("", "Пойдём.")]),
    ("ru", "ИВАН: Пойдём.", [("ИВАН", "Пойдём.")]),
    ("ru", "Он сказал: иди.", [("", "Он сказал: иди.")]),
    ("ru", "Голос: Кто там?", [("Голос", "Кто там?")]),
    ("ru", "Субтитры сделал DimaTorzok", [("", "")]),
    ("uk", "[оплески] Дякую.", [("", "Дякую.")]),
    ("el", "ΓΙΑΝΝΗΣ: Έλα.", [("ΓΙΑΝΝΗΣ", "Έλα.")]),
    # Turkish
    ("tr", "[kapı çalıyor] Kim o?", [("", "Kim o?")]),
    ("tr", "İBRAHİM: Gel.", [("İBRAHİM", "Gel.")]),
    # Arabic, Hebrew, Hindi: no letter case
    ("ar", "[صوت الباب]", [("", "")]),
    ("ar", "(ضحك) مرحبا بكم", [("", "مرحبا بكم")]),
    ("ar", "الراوي: كان يا ما كان", [("الراوي", "كان يا ما كان")]),
    ("ar", "قال: اذهب", [("", "قال: اذهب")]),
    ("he", "[מוזיקה]", [("", "")]),
    ("he", "- שלום.\n- להתראות.", [("", "שלום. להתראות.")]),
    ("hi", "[तालियां] धन्यवाद।", [("", "धन्यवाद।")]),
    # Chinese, Japanese, Korean, Thai: other brackets, no spaces
    ("zh", "【掌声】谢谢大家。", [("", "谢谢大家。")]),
    ("zh", "（开门）谁？", [("", "谁？")]),
    ("zh", "（笑）好的", [("", "好的")]),
    ("zh", "他说：走吧", [("", "他说：走吧")]),
    ("zh", "旁白：很久以前", [("旁白", "很久以前")]),
    ("zh", "《红楼梦》很好看", [("", "《红楼梦》很好看")]),
    ("zh", "字幕：某某字幕组", [("", "")]),
    ("ja", "（ドアの音）", [("", "")]),
    ("ja", "（ため息）もういい", [("", "もういい")]),
    ("ja", "（太郎）行くぞ", [("太郎", "行くぞ")]),
    ("ja", "≫ そうですか", [("", "そうですか")]),
    ("ja", "♪～", [("", "")]),
    ("ja", "「行こう」と言った", [("", "「行こう」と言った")]),
    ("ko", "(웃음) 그래요.", [("", "그래요.")]),
    ("th", "[เสียงหัวเราะ] สวัสดี", [("", "สวัสดี")]),
]


@pytest.mark.parametrize(
    "text, said", [pytest.param(text, said, id=f"{language} {text[:24]!r}") for language, text, said in TABLE]
)
def test_what_is_spoken_and_by_whom(text: str, said: Said) -> None:
    assert [(piece.speaker, piece.spoken) for piece in pieces(text)] == said


def test_the_table_is_of_many_lines_and_languages() -> None:
    assert len(TABLE) >= 80 and len({language for language, _, _ in TABLE}) >= 10


def kinds(text: str) -> list[tuple[LeftOutKind, str]]:
    return [(part.kind, part.text) for piece in pieces(text) for part in piece.left_out]


def test_what_is_left_out_is_named_and_stands_beside() -> None:
    assert kinds("JOHN: (sighs) Look at www.example.com 😀 [soft music]") == [
        (LeftOutKind.LABEL, "JOHN:"),
        (LeftOutKind.SOUND, "(sighs)"),
        (LeftOutKind.ADDRESS, "www.example.com"),
        (LeftOutKind.EMOJI, "😀"),
        (LeftOutKind.MUSIC, "[soft music]"),
    ]
    assert kinds("Translated by somebody") == [(LeftOutKind.CREDIT, "Translated by somebody")]
    assert kinds("- Hi.\n>> Hello.") == []  # nobody would miss a dash


def test_a_wish_to_hear_everything_is_met_but_for_emoji_and_addresses() -> None:
    told = pieces("JOHN: [sighs] ♪ la ♪ www.example.com 😀", everything=True)
    assert [(piece.speaker, piece.spoken) for piece in told] == [("JOHN", "JOHN: [sighs] la")]
    assert {part.kind for part in told[0].left_out} == {LeftOutKind.ADDRESS, LeftOutKind.EMOJI}


FILE = ["Anna: Kommst du?", "Ben: Ja, gleich.", "Anna: Gut.", "Ben: Also los.", "Ich sagte ihm: Komm."]
CHINESE = ["小明：你好", "小红：你好吗", "小明：很好", "小红：再见"]


@pytest.mark.parametrize(
    "file, text, said",
    [
        (FILE, "Anna: Gut.", [("Anna", "Gut.")]),
        (CHINESE, "小红：再见", [("小红", "再见")]),
        (FILE, FILE[-1], [("", FILE[-1])]),
    ],
)
def test_a_name_that_a_file_uses_again_and_again_is_a_label(file: list[str], text: str, said: Said) -> None:
    names = names_in(file)
    assert [(piece.speaker, piece.spoken) for piece in pieces(text, names)] == said


def test_once_it_is_prose() -> None:
    assert names_in(["Anna: Kommst du?", "Nein."]).known == {}
    assert names_in(["Heading: one.", "More.", "Heading: two."]).known == {}  # nobody speaks with himself


def test_in_a_file_of_capitals_they_tell_nothing() -> None:
    names = names_in(
        [
            "I SAID IT BEFORE AND I SAY IT AGAIN: NO.",
            "ONE MORE THING: GO HOME NOW.",
            ">> JOHN: WE ARE LEAVING IN AN HOUR.",
        ]
    )
    assert names.all_caps
    assert pieces("ONE MORE THING: GO HOME NOW.", names)[0].spoken == "ONE MORE THING: GO HOME NOW."
    assert [(p.speaker, p.spoken) for p in pieces(">> JOHN: WE ARE LEAVING.", names)] == [("JOHN", "WE ARE LEAVING.")]


def test_a_name_is_written_as_the_file_first_wrote_it() -> None:
    names = names_in(["- Mary: Hi.", "- Bob: Hi."])
    assert pieces("MARY: Hello.", names)[0].speaker == "Mary"


def test_the_speaker_that_a_file_gives_stays_until_another_one_speaks() -> None:
    assert [(p.speaker, p.spoken) for p in pieces("- Hi.\n- Hello.", speaker="Ann")] == [("Ann", "Hi."), ("", "Hello.")]
    assert pieces("BOB: Hi.", speaker="Ann")[0].speaker == "BOB"


@pytest.mark.parametrize(
    "text, starts",
    [
        ("JOHN: Hi", True),
        (">> Hi", True),
        ("- Hi", True),
        ("[Narrator] Hi", True),
        ("Hi", False),
        ("(sighs) Hi", False),
        ("-known", False),
        ("Hi. MARY: Ho.", False),
    ],
)
def test_where_somebody_else_begins_to_speak(text: str, starts: bool) -> None:
    assert starts_turn(text) is starts


@given(st.text(st.sampled_from("aZ é你ا:：[](){}（）♪#*_~->.!?\n@😀1/<"), max_size=60))
def test_every_character_is_spoken_or_stands_beside(text: str) -> None:
    told = pieces(text)
    assert "".join(text[piece.start : piece.end] for piece in told) == text
    for piece in told:
        spoken = "".join(piece.spoken.split())
        inside = [at for at in range(piece.start, piece.end) if not any(a <= at < b for a, b in piece.silent)]
        rest = "".join("".join(text[at] for at in inside).split())
        assert spoken in ("", rest.lstrip(",;:，；：、"), rest)
        assert spoken or not any(map(str.isalnum, rest))


@pytest.mark.parametrize(
    "text, heard",
    [
        ("Go 😀 home.", "Go home."),
        ("See www.example.com.", "See."),
        ("mail a.b@c.org!", "mail!"),
        ("the end.Com on", "the end.Com on"),
        ("[sighs] Fine (really).", "[sighs] Fine (really)."),
        ("3.5 km at 20 °C", "3.5 km at 20 °C"),
        ("node.js and U.S. law", "node.js and U.S. law"),
        ("你好😀世界", "你好世界"),
        ("a  b", "a  b"),
    ],
)
def test_what_a_voice_gets_has_no_emoji_and_no_address(text: str, heard: str) -> None:
    assert voiced(text) == heard
