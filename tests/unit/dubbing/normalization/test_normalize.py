"""What a voice is given for numbers and short forms, by language. The right values were written by hand."""

from __future__ import annotations

import subprocess
import sys

import pytest

from app.dubbing.normalization.normalize import normalized
from app.dubbing.normalization.words import TABLES, words_of

SAID = {
    "en": [
        ("It costs $3.50, not $0.99.", "It costs three dollars and fifty cents, not ninety-nine cents."),
        ("He paid $1,200 for 5 km.", "He paid one thousand two hundred dollars for five kilometers."),
        ("$1.5 million, $5m and £20bn", "one point five million dollars, five million dollars and twenty billion pounds"),
        ("In 1999 and 2024, 1,500 people came.", "In nineteen ninety-nine and twenty twenty-four, one thousand five hundred people came."),
        ("It drove 1500 km.", "It drove one thousand five hundred kilometers."),
        ("20°C, -40 °F, 50% of 100 km/h", "twenty degrees Celsius, minus forty degrees Fahrenheit, fifty percent of one hundred kilometers per hour"),
        ("1 kg, 2 lbs and 6 ft", "one kilogram, two pounds and six feet"),
        ("On March 5, 2024 at 2:30 pm.", "On March fifth, twenty twenty-four at two thirty p.m."),
        ("2024-03-05, 3/5/2024, 25/12/2024", "March fifth, twenty twenty-four, March fifth, twenty twenty-four, December twenty-fifth, twenty twenty-four"),
        ("Jan. 3, the 5th of May", "January third, the fifth of May"),
        ("at 9:00, 9:05 and 14:00", "at nine o’clock, nine oh five and fourteen hundred"),
        ("the 21st century, the 1990s, the '80s", "the twenty-first century, the nineteen nineties, the eighties"),
        ("5-10 km, 1990–1995, pages 3–4", "five to ten kilometers, nineteen ninety to nineteen ninety-five, pages three to four"),
        ("Call 555-0100 or +1 (555) 123-4567.", "Call five five five, zero one zero zero or plus one, five five five, one two three, four five six seven."),
        ("Room 007, GPT-4, MP3, 4K, COVID-19", "Room zero zero seven, GPT-four, MP3, 4K, COVID-nineteen"),
        ("Dr. Smith vs. Mr. Jones, etc.", "Doctor Smith versus Mister Jones, et cetera."),
        ("3.14, 0.5, -7 and 10,000,000", "three point one four, zero point five, minus seven and ten million"),
        ("Version 1.2.3", "Version one point two point three"),
        ("Henry VIII had 6 wives.", "Henry VIII had six wives."),
        ("½ an hour, 1/2 cup, 2½ cups, 24/7", "one half an hour, one half cup, two and one half cups, twenty-four seven"),
        ("16:9 at 1920x1080", "sixteen to nine at nineteen twenty by one thousand eighty"),
        ("It is No. 5. No. 5 people came.", "It is number five. No. five people came."),
        ("a 20-year-old, 3-1, 1st", "a twenty-year-old, three to one, first"),
        ("1:02:03", "one hour two minutes three seconds"),
        ("Chapter 3. 10 men.", "Chapter three. ten men."),
    ],
    "de": [
        ("Das kostet 3,50 € oder 1.234,56 €.", "Das kostet drei Euro fünfzig oder eintausendzweihundertvierunddreißig Euro sechsundfünfzig."),
        ("1.500 Menschen, 1999, 2024", "eintausendfünfhundert Menschen, neunzehnhundertneunundneunzig, zweitausendvierundzwanzig"),
        ("am 5. März 2024 um 14:30 Uhr", "am fünften März zweitausendvierundzwanzig um vierzehn Uhr dreißig"),
        ("der 5. März; 5.3.2024; 1. Mai", "der fünfte März; fünfter März zweitausendvierundzwanzig; erster Mai"),
        ("50 % von 120 km/h bei -5 °C", "fünfzig Prozent von einhundertzwanzig Kilometer pro Stunde bei minus fünf Grad Celsius"),
        ("z. B. Dr. Müller, d.h. bzw. usw.", "zum Beispiel Doktor Müller, das heißt beziehungsweise und so weiter."),
        ("im 19. Jahrhundert, das 3. Kapitel", "im neunzehnten Jahrhundert, das dritte Kapitel"),
        ("1 Frau, 1 Mann, 21 Kinder, 1 Stunde", "eine Frau, ein Mann, einundzwanzig Kinder, eine Stunde"),
        ("5–10 km, 3,5 kg, 1 t", "fünf bis zehn Kilometer, drei Komma fünf Kilogramm, eine Tonne"),
        ("die 90er, Nr. 5, 3 Mio. €", "die neunziger, Nummer fünf, drei Millionen Euro"),
        ("Es waren 3. Dann kamen 4.", "Es waren drei. Dann kamen vier."),
        ("um 1:00, +49 30 123456", "um ein Uhr, plus vier neun, drei null, eins zwei drei vier fünf sechs"),
    ],
    "es": [
        ("Cuesta 3,50 € o $2 millones.", "Cuesta tres euros con cincuenta céntimos o dos millones de dólares."),
        ("1.500 personas, 200 casas, 1 persona, 1 año", "mil quinientas personas, doscientas casas, una persona, un año"),
        ("21 días y 31 horas", "veintiún días y treinta y una horas"),
        ("el 1 de mayo de 2024, el 5/3/2024", "el primero de mayo de dos mil veinticuatro, el cinco de marzo de dos mil veinticuatro"),
        ("a las 14:30, a la 1:00", "a las catorce y treinta, a la una"),
        ("el 50 % de 120 km/h a 20 °C", "el cincuenta por ciento de ciento veinte kilómetros por hora a veinte grados Celsius"),
        ("El Sr. López, EE. UU., etc.", "El señor López, Estados Unidos, etcétera."),
        ("el 1.er piso, la 3ª planta", "el primer piso, la tercera planta"),
        ("5-10 km; 1,5; 1999", "cinco a diez kilómetros; uno coma cinco; mil novecientos noventa y nueve"),
        ("Felipe VI, n.º 5", "Felipe VI, número cinco"),
    ],
    "fr": [
        ("Ça coûte 3,50 € ou 1 €.", "Ça coûte trois euros cinquante ou un euro."),
        ("1 500 personnes, 1 000 000, 80 000", "mille cinq cents personnes, un million, quatre-vingt mille"),
        ("le 1er mai 2024, le 5 mai, 05/03/2024", "le premier mai deux mille vingt-quatre, le cinq mai, cinq mars deux mille vingt-quatre"),
        ("à 14h30, à 1:00", "à quatorze heures trente, à une heure"),
        ("50 % de 120 km/h à 20 °C", "cinquante pour cent de cent vingt kilomètres à l'heure à vingt degrés Celsius"),
        ("M. Dupont et Mme Durand, p. ex.", "Monsieur Dupont et Madame Durand, par exemple"),
        ("la 1re, le 2e, la 21e, le XIXe siècle", "la première, le deuxième, la vingt-et-unième, le XIXe siècle"),
        ("1 femme, 21 personnes, 1 homme", "une femme, vingt-et-une personnes, un homme"),
        ("06 12 34 56 78, n° 5, 1,5 km", "zéro six, un deux, trois quatre, cinq six, sept huit, numéro cinq, un virgule cinq kilomètre"),
        ("5-10 km, 1999", "cinq à dix kilomètres, mille neuf cent quatre-vingt-dix-neuf"),
    ],
    "it": [
        ("Costa 3,50 € o 2,5 milioni di euro.", "Costa tre euro e cinquanta o due virgola cinque milioni di euro."),
        ("1.500 persone, 1 persona, 21 giorni", "millecinquecento persone, una persona, ventuno giorni"),
        ("l'1 maggio 2024, il 5 maggio, 5/3/2024", "il primo maggio duemilaventiquattro, il cinque maggio, cinque marzo duemilaventiquattro"),
        ("alle 14:30, all'1:00", "alle quattordici e trenta, all'una"),
        ("il 50% di 120 km/h a 20 °C", "il cinquanta per cento di centoventi chilometri all'ora a venti gradi Celsius"),
        ("Il Sig. Rossi, la Dott.ssa Verdi, ecc.", "Il signor Rossi, la dottoressa Verdi, eccetera."),
        ("il 3º posto, la 1ª, n. 5", "il terzo posto, la prima, numero cinque"),
        ("5-10 km, 1999, Luigi XIV", "cinque a dieci chilometri, millenovecentonovantanove, Luigi XIV"),
    ],
    "pt": [
        ("Custa R$ 3,50 ou US$ 5.", "Custa três reais e cinquenta centavos ou cinco dólares."),
        ("1.500 pessoas, 2 pessoas, 1 pessoa, 1 homem", "mil e quinhentas pessoas, duas pessoas, uma pessoa, um homem"),
        ("1º de maio de 2024, 5/3/2024", "primeiro de maio de dois mil e vinte e quatro, cinco de março de dois mil e vinte e quatro"),
        ("às 14h30, às 2:00", "às catorze e trinta, às duas horas"),
        ("50% de 120 km/h a 20 °C", "cinquenta por cento de cento e vinte quilômetros por hora a vinte graus Celsius"),
        ("O Sr. Silva, a Dra. Costa, etc.", "O senhor Silva, a doutora Costa, et cetera."),
        ("a 3ª vez, o 2º, n.º 5", "a terceira vez, o segundo, número cinco"),
        ("5-10 km; 1,5; 1999", "cinco a dez quilômetros; um vírgula cinco; mil novecentos e noventa e nove"),
    ],
    "nl": [("Het kost 25 euro, 3,5 km.", "Het kost vijfentwintig euro, 3,5 km.")],
    "pl": [("Mam 21 lat.", "Mam dwadzieścia jeden lat.")],
    "ja": [("2024年", "2024年")],
    "xx": [("25 and Dr. X", "25 and Dr. X")],
}  # fmt: skip


@pytest.mark.parametrize(
    ("language", "text", "said"), [(language, *pair) for language, pairs in SAID.items() for pair in pairs]
)
def test_a_line_is_written_out(language: str, text: str, said: str) -> None:
    assert normalized(text, language) == said
    assert normalized(said, language) == said, "what is written out stays"


def test_the_language_may_have_a_region_and_none_changes_nothing() -> None:
    assert normalized("5 km", "pt-BR") == normalized("5 km", "pt_br") == "cinco quilômetros"
    assert normalized("5 km", None) == normalized("5 km", "") == "5 km"


def test_words_that_have_a_sound_of_their_own_stay() -> None:
    assert normalized("B2 and b2 cost $5, 50 Cent sang.", "en", ["B2", "50 Cent"]) == (
        "B2 and b2 cost five dollars, 50 Cent sang."
    )


@pytest.mark.parametrize("language", TABLES)
def test_the_tables_are_whole(language: str) -> None:
    words = words_of(language)
    assert words is not None and len(words.months) == 12 and set(words.fractions) == set("½¼¾⅓⅔")
    assert {"km", "kg", "°C", "h", "min", "s"} <= set(words.units) and {"€", "$", "£"} <= set(words.currencies)
    assert words.ending <= set(words.abbreviations)


def test_nothing_is_loaded_before_there_is_a_number() -> None:
    asked = (
        "import sys; from app.dubbing.normalization.normalize import normalized as n; n('Hello, Dr. Ada.', 'en'); "
        "assert 'unicode_rbnf' not in sys.modules; n('5', 'en'); assert 'unicode_rbnf' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", asked], check=True)
