"""Spanish."""

from __future__ import annotations

import re
from typing import Final

from app.dubbing.normalization.words import Words, currencies, names, short_forms, units

WORDS: Final = Words(
    code="es",
    decimal=",",
    groups=".\u00a0\u202f",
    point="coma",
    dot="punto",
    minus="menos",
    percent="por ciento",
    to="a",
    joint="y",
    plus="más",
    times="por",
    stops=frozenset(
        names("a al con de del e el en es la las lo los más no o para por que se son u un una unas unos y")
    ),
    months=names("enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre"),
    units=units("""
        km/h | kilómetro por hora | kilómetros por hora | m
        m/s | metro por segundo | metros por segundo | m
        °C ºC | grado Celsius | grados Celsius | m
        °F ºF | grado Fahrenheit | grados Fahrenheit | m
        ° | grado | grados | m
        km² km2 | kilómetro cuadrado | kilómetros cuadrados | m
        m² m2 | metro cuadrado | metros cuadrados | m
        m³ m3 | metro cúbico | metros cúbicos | m
        km | kilómetro | kilómetros | m
        cm | centímetro | centímetros | m
        mm | milímetro | milímetros | m
        m | metro | metros | m
        kg | kilogramo | kilogramos | m
        mg | miligramo | miligramos | m
        g | gramo | gramos | m
        t | tonelada | toneladas | f
        ml | mililitro | mililitros | m
        l L | litro | litros | m
        ms | milisegundo | milisegundos | m
        s | segundo | segundos | m
        min | minuto | minutos | m
        h | hora | horas | f
        Hz | hercio | hercios | m
        kHz | kilohercio | kilohercios | m
        MHz | megahercio | megahercios | m
        GHz | gigahercio | gigahercios | m
        W | vatio | vatios | m
        kW | kilovatio | kilovatios | m
        kWh | kilovatio hora | kilovatios hora | m
        V | voltio | voltios | m
        KB kB | kilobyte | kilobytes | m
        MB | megabyte | megabytes | m
        GB | gigabyte | gigabytes | m
        TB | terabyte | terabytes | m
        dB | decibelio | decibelios | m
    """),
    currencies=currencies("""
        € EUR | euro | euros | m | céntimo | céntimos
        $ US$ USD | dólar | dólares | m | centavo | centavos
        £ GBP | libra | libras | f | penique | peniques
        ¥ JPY | yen | yenes | m | sen | sen
        CHF | franco suizo | francos suizos | m | céntimo | céntimos
        MXN | peso mexicano | pesos mexicanos | m | centavo | centavos
    """),
    cents="{whole} con {part}",
    magnitudes="mil millones|millones|millón|billones|billón|mil",
    of="de",
    abbreviations=short_forms("""
        Sr. | señor
        Sra. | señora
        Srta. | señorita
        Sres. | señores
        Dr. | doctor
        Dra. | doctora
        Prof. | profesor
        Ud. | usted
        Uds. | ustedes
        EE. UU. | Estados Unidos
        EE.UU. | Estados Unidos
        p. ej. | por ejemplo
        a. C. | antes de Cristo
        d. C. | después de Cristo
        etc. | etcétera
        aprox. | aproximadamente
        Av. | avenida
        Avda. | avenida
    """),
    ending=frozenset(("etc.", "EE. UU.", "EE.UU.", "a. C.", "d. C.", "Ud.", "Uds.")),
    before_number=short_forms("""
        núm. | número
        n.º | número
        Nº | número
        nº | número
        # | número
        pág. | página
        págs. | páginas
        cap. | capítulo
    """),
    fractions={"½": "medio", "¼": "un cuarto", "¾": "tres cuartos", "⅓": "un tercio", "⅔": "dos tercios"},
    plural_s=True,
    feminine=re.compile(r"\w+(?:as?|ción|ciones|sión|siones|dad|dades|tud|tudes)$"),
    masculine=re.compile(r"(?:días?|\w*[gt]ramas?|\w*emas?|mapas?|climas?|artistas?|planetas?|idiomas?)$"),
)
