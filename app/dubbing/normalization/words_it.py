"""Italian."""

from __future__ import annotations

import re
from typing import Final

from app.dubbing.normalization.words import Words, currencies, names, short_forms, units

WORDS: Final = Words(
    code="it",
    decimal=",",
    groups=".'\u00a0\u202f",
    point="virgola",
    dot="punto",
    minus="meno",
    percent="per cento",
    to="a",
    joint="e",
    plus="più",
    times="per",
    stops=frozenset(names("a al alla che con da dal dalla di e è ed era il in la le lo ma non o per più se un una")),
    months=names("gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre dicembre"),
    units=units("""
        km/h | chilometro all'ora | chilometri all'ora | m
        m/s | metro al secondo | metri al secondo | m
        °C | grado Celsius | gradi Celsius | m
        °F | grado Fahrenheit | gradi Fahrenheit | m
        ° | grado | gradi | m
        km² km2 | chilometro quadrato | chilometri quadrati | m
        m² m2 | metro quadrato | metri quadrati | m
        m³ m3 | metro cubo | metri cubi | m
        km | chilometro | chilometri | m
        cm | centimetro | centimetri | m
        mm | millimetro | millimetri | m
        m | metro | metri | m
        kg | chilogrammo | chilogrammi | m
        mg | milligrammo | milligrammi | m
        g | grammo | grammi | m
        t | tonnellata | tonnellate | f
        ml | millilitro | millilitri | m
        l L | litro | litri | m
        ms | millisecondo | millisecondi | m
        s | secondo | secondi | m
        min | minuto | minuti | m
        h | ora | ore | f
        Hz | hertz | hertz | m
        kHz | chilohertz | chilohertz | m
        MHz | megahertz | megahertz | m
        GHz | gigahertz | gigahertz | m
        W | watt | watt | m
        kW | chilowatt | chilowatt | m
        kWh | chilowattora | chilowattora | m
        V | volt | volt | m
        KB kB | kilobyte | kilobyte | m
        MB | megabyte | megabyte | m
        GB | gigabyte | gigabyte | m
        TB | terabyte | terabyte | m
        dB | decibel | decibel | m
    """),
    currencies=currencies("""
        € EUR | euro | euro | m | centesimo | centesimi
        $ US$ USD | dollaro | dollari | m | centesimo | centesimi
        £ GBP | sterlina | sterline | f | penny | pence
        ¥ JPY | yen | yen | m | sen | sen
        CHF | franco svizzero | franchi svizzeri | m | centesimo | centesimi
    """),
    cents="{whole} e {number}",
    magnitudes="mila|milioni|milione|miliardi|miliardo",
    of="di",
    abbreviations=short_forms("""
        Sig. | signor
        Sig.ra | signora
        Sig.na | signorina
        Dott. | dottor
        Dott.ssa | dottoressa
        Dr. | dottor
        Prof. | professor
        Prof.ssa | professoressa
        p. es. | per esempio
        p.es. | per esempio
        a.C. | avanti Cristo
        d.C. | dopo Cristo
        ecc. | eccetera
        ca. | circa
    """),
    ending=frozenset(("ecc.", "a.C.", "d.C.")),
    before_number=short_forms("""
        n. | numero
        n° | numero
        N° | numero
        nº | numero
        # | numero
        pag. | pagina
        pagg. | pagine
        cap. | capitolo
    """),
    fractions={"½": "mezzo", "¼": "un quarto", "¾": "tre quarti", "⅓": "un terzo", "⅔": "due terzi"},
    feminine=re.compile(r"\w+(?:a|zione|sione|tà|tù|ie)$"),
    masculine=re.compile(r"(?:\w*[gt]ramma|\w*ema|clima|artista|pianeta)$"),
)
