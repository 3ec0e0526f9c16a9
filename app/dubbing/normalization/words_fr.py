"""French."""

from __future__ import annotations

import re
from typing import Final

from app.dubbing.normalization.words import Words, currencies, names, short_forms, units

WORDS: Final = Words(
    code="fr",
    decimal=",",
    groups=".\u00a0\u202f ",
    point="virgule",
    dot="point",
    minus="moins",
    percent="pour cent",
    to="à",
    joint="et",
    plus="plus",
    times="sur",
    stops=frozenset(
        names(
            "à au aux dans de des du elle en est et il ils la le les mais ou par pas plus pour qui que sont sur un une"
        )
    ),
    months=names("janvier février mars avril mai juin juillet août septembre octobre novembre décembre"),
    units=units("""
        km/h | kilomètre à l'heure | kilomètres à l'heure | m
        m/s | mètre par seconde | mètres par seconde | m
        °C | degré Celsius | degrés Celsius | m
        °F | degré Fahrenheit | degrés Fahrenheit | m
        ° | degré | degrés | m
        km² km2 | kilomètre carré | kilomètres carrés | m
        m² m2 | mètre carré | mètres carrés | m
        m³ m3 | mètre cube | mètres cubes | m
        km | kilomètre | kilomètres | m
        cm | centimètre | centimètres | m
        mm | millimètre | millimètres | m
        m | mètre | mètres | m
        kg | kilogramme | kilogrammes | m
        mg | milligramme | milligrammes | m
        g | gramme | grammes | m
        t | tonne | tonnes | f
        ml | millilitre | millilitres | m
        l L | litre | litres | m
        ms | milliseconde | millisecondes | f
        s | seconde | secondes | f
        min | minute | minutes | f
        h | heure | heures | f
        Hz | hertz | hertz | m
        kHz | kilohertz | kilohertz | m
        MHz | mégahertz | mégahertz | m
        GHz | gigahertz | gigahertz | m
        W | watt | watts | m
        kW | kilowatt | kilowatts | m
        kWh | kilowattheure | kilowattheures | m
        V | volt | volts | m
        Ko ko | kilooctet | kilooctets | m
        Mo | mégaoctet | mégaoctets | m
        Go | gigaoctet | gigaoctets | m
        To | téraoctet | téraoctets | m
        dB | décibel | décibels | m
    """),
    currencies=currencies("""
        € EUR | euro | euros | m | centime | centimes
        $ US$ USD | dollar | dollars | m | cent | cents
        £ GBP | livre | livres | f | penny | pence
        ¥ JPY | yen | yens | m | sen | sen
        CHF | franc suisse | francs suisses | m | centime | centimes
    """),
    cents="{whole} {number}",
    magnitudes="mille|millions|million|milliards|milliard",
    of="de",
    abbreviations=short_forms("""
        M. | Monsieur
        MM. | Messieurs
        Mme | Madame
        Mmes | Mesdames
        Mlle | Mademoiselle
        Dr | Docteur
        Dr. | Docteur
        Pr | Professeur
        p. ex. | par exemple
        c.-à-d. | c'est-à-dire
        av. J.-C. | avant Jésus-Christ
        apr. J.-C. | après Jésus-Christ
        etc. | et cetera
        env. | environ
        cf. | confer
    """),
    ending=frozenset(("etc.", "av. J.-C.", "apr. J.-C.")),
    before_number=short_forms("""
        n° | numéro
        N° | numéro
        nº | numéro
        # | numéro
        p. | page
        pp. | pages
        chap. | chapitre
    """),
    fractions={"½": "un demi", "¼": "un quart", "¾": "trois quarts", "⅓": "un tiers", "⅔": "deux tiers"},
    singular_below_2=True,
    plural_s=True,
    feminine=re.compile(
        r"(?:\w+(?:[ts]ions?|tés?|ettes?|ies?|ences?|ances?|ures?|esses?|aines?|ées?)"
        r"|(?:personne|femme|fille|heure|minute|seconde|chose|tonne|page|route|image|plage|ville|livre)s?|fois)$"
    ),
    masculine=re.compile(r"(?:étés?|côtés?|génies?|incendies?|silences?|musées?|lycées?|capitaines?|domaines?)$"),
)
