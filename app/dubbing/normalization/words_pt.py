"""Portuguese: numbers as in Brazil."""

from __future__ import annotations

import re
from typing import Final

from app.dubbing.normalization.words import Words, currencies, names, short_forms, units

WORDS: Final = Words(
    code="pt",
    decimal=",",
    groups=".\u00a0\u202f",
    point="vírgula",
    dot="ponto",
    minus="menos",
    percent="por cento",
    to="a",
    joint="e",
    plus="mais",
    times="por",
    stops=frozenset(names("a ao as com da das de do dos e é em mais não o os ou para por que se são um uma")),
    months=names("janeiro fevereiro março abril maio junho julho agosto setembro outubro novembro dezembro"),
    units=units("""
        km/h | quilômetro por hora | quilômetros por hora | m
        m/s | metro por segundo | metros por segundo | m
        °C ºC | grau Celsius | graus Celsius | m
        °F ºF | grau Fahrenheit | graus Fahrenheit | m
        ° | grau | graus | m
        km² km2 | quilômetro quadrado | quilômetros quadrados | m
        m² m2 | metro quadrado | metros quadrados | m
        m³ m3 | metro cúbico | metros cúbicos | m
        km | quilômetro | quilômetros | m
        cm | centímetro | centímetros | m
        mm | milímetro | milímetros | m
        m | metro | metros | m
        kg | quilograma | quilogramas | m
        mg | miligrama | miligramas | m
        g | grama | gramas | m
        t | tonelada | toneladas | f
        ml | mililitro | mililitros | m
        l L | litro | litros | m
        ms | milissegundo | milissegundos | m
        s | segundo | segundos | m
        min | minuto | minutos | m
        h | hora | horas | f
        Hz | hertz | hertz | m
        kHz | quilohertz | quilohertz | m
        MHz | megahertz | megahertz | m
        GHz | gigahertz | gigahertz | m
        W | watt | watts | m
        kW | quilowatt | quilowatts | m
        kWh | quilowatt-hora | quilowatts-hora | m
        V | volt | volts | m
        KB kB | quilobyte | quilobytes | m
        MB | megabyte | megabytes | m
        GB | gigabyte | gigabytes | m
        TB | terabyte | terabytes | m
        dB | decibel | decibéis | m
    """),
    currencies=currencies("""
        R$ BRL | real | reais | m | centavo | centavos
        € EUR | euro | euros | m | cêntimo | cêntimos
        $ US$ USD | dólar | dólares | m | centavo | centavos
        £ GBP | libra | libras | f | pêni | pence
        ¥ JPY | iene | ienes | m | sen | sen
        CHF | franco suíço | francos suíços | m | cêntimo | cêntimos
    """),
    cents="{whole} e {part}",
    magnitudes="mil|milhões|milhão|bilhões|bilhão|trilhões|trilhão",
    of="de",
    abbreviations=short_forms("""
        Sr. | senhor
        Sra. | senhora
        Srta. | senhorita
        Dr. | doutor
        Dra. | doutora
        Prof. | professor
        Profa. | professora
        p. ex. | por exemplo
        a.C. | antes de Cristo
        d.C. | depois de Cristo
        etc. | et cetera
        aprox. | aproximadamente
        Av. | avenida
    """),
    ending=frozenset(("etc.", "a.C.", "d.C.")),
    before_number=short_forms("""
        n.º | número
        nº | número
        Nº | número
        # | número
        pág. | página
        págs. | páginas
        cap. | capítulo
    """),
    fractions={"½": "meio", "¼": "um quarto", "¾": "três quartos", "⅓": "um terço", "⅔": "dois terços"},
    plural_s=True,
    feminine=re.compile(r"\w+(?:as?|ção|ções|são|sões|dades?|gem|gens|vez|vezes)$|vez(?:es)?$"),
    masculine=re.compile(r"(?:dias?|\w*[gt]ramas?|\w*emas?|mapas?|climas?|artistas?|planetas?|idiomas?)$"),
)
