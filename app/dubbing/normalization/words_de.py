"""German."""

from __future__ import annotations

import re
from typing import Final

from app.dubbing.normalization.words import Words, currencies, names, short_forms, units

WORDS: Final = Words(
    code="de",
    decimal=",",
    groups=".'’\u00a0\u202f",
    point="Komma",
    dot="Punkt",
    minus="minus",
    percent="Prozent",
    to="bis",
    joint="und",
    plus="plus",
    times="mal",
    months=names("Januar Februar März April Mai Juni Juli August September Oktober November Dezember"),
    short_months=names("Jan Feb Mrz Apr Mai Jun Jul Aug Sep Okt Nov Dez"),
    units=units("""
        km/h | Kilometer pro Stunde | Kilometer pro Stunde | m
        m/s | Meter pro Sekunde | Meter pro Sekunde | m
        °C | Grad Celsius | Grad Celsius | n
        °F | Grad Fahrenheit | Grad Fahrenheit | n
        ° | Grad | Grad | n
        km² km2 | Quadratkilometer | Quadratkilometer | m
        m² m2 | Quadratmeter | Quadratmeter | m
        m³ m3 | Kubikmeter | Kubikmeter | m
        km | Kilometer | Kilometer | m
        cm | Zentimeter | Zentimeter | m
        mm | Millimeter | Millimeter | m
        m | Meter | Meter | m
        kg | Kilogramm | Kilogramm | n
        mg | Milligramm | Milligramm | n
        g | Gramm | Gramm | n
        t | Tonne | Tonnen | f
        ml | Milliliter | Milliliter | m
        l L | Liter | Liter | m
        ms | Millisekunde | Millisekunden | f
        s Sek. | Sekunde | Sekunden | f
        min Min. | Minute | Minuten | f
        h Std. | Stunde | Stunden | f
        Hz | Hertz | Hertz | n
        kHz | Kilohertz | Kilohertz | n
        MHz | Megahertz | Megahertz | n
        GHz | Gigahertz | Gigahertz | n
        W | Watt | Watt | n
        kW | Kilowatt | Kilowatt | n
        kWh | Kilowattstunde | Kilowattstunden | f
        V | Volt | Volt | n
        PS | PS | PS | n
        KB kB | Kilobyte | Kilobyte | n
        MB | Megabyte | Megabyte | n
        GB | Gigabyte | Gigabyte | n
        TB | Terabyte | Terabyte | n
        dB | Dezibel | Dezibel | n
    """),
    currencies=currencies("""
        € EUR | Euro | Euro | m | Cent | Cent
        $ US$ USD | Dollar | Dollar | m | Cent | Cent
        £ GBP | Pfund | Pfund | n | Penny | Pence
        ¥ JPY | Yen | Yen | m | Sen | Sen
        CHF Fr. | Franken | Franken | m | Rappen | Rappen
    """),
    cents="{whole} {number}",
    magnitudes="Tausend|tausend|Millionen|Million|Mio.|Milliarden|Milliarde|Mrd.|Billionen|Billion",
    abbreviations=short_forms("""
        Dr. | Doktor
        Prof. | Professor
        Hr. | Herr
        Fr. | Frau
        z. B. | zum Beispiel
        d. h. | das heißt
        u. a. | unter anderem
        v. Chr. | vor Christus
        n. Chr. | nach Christus
        usw. | und so weiter
        bzw. | beziehungsweise
        ca. | circa
        etc. | et cetera
        evtl. | eventuell
        ggf. | gegebenenfalls
        inkl. | inklusive
        St. | Sankt
        vgl. | vergleiche
    """),
    ending=frozenset(("usw.", "etc.", "v. Chr.", "n. Chr.")),
    before_number=short_forms("""
        Nr. | Nummer
        # | Nummer
        S. | Seite
        Kap. | Kapitel
        Abb. | Abbildung
    """),
    fractions={"½": "ein halb", "¼": "ein Viertel", "¾": "drei Viertel", "⅓": "ein Drittel", "⅔": "zwei Drittel"},
    capital_nouns=True,
    feminine=re.compile(r"(?:\w+(?:ung|heit|keit|schaft|tät|ion|erin|[^s]e)|Frau|Nacht|Stadt|Hand|Welt|Million)$"),
    masculine=re.compile(r"(?:Name|Junge|Kollege|Ende|Auge|Jahre|Tage|Experte|Kunde|Käse|Gebäude)$"),
)
