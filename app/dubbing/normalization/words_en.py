"""English: numbers as in the United States."""

from __future__ import annotations

from typing import Final

from app.dubbing.normalization.words import Words, currencies, names, short_forms, units

WORDS: Final = Words(
    code="en",
    decimal=".",
    groups=",\u00a0\u202f",
    point="point",
    dot="point",
    minus="minus",
    percent="percent",
    to="to",
    joint="and",
    plus="plus",
    times="by",
    glued={"k": "thousand", "K": "thousand", "m": "million", "M": "million", "bn": "billion", "B": "billion"},
    months=names("January February March April May June July August September October November December"),
    short_months=names("Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec"),
    units=units("""
        km/h kph | kilometer per hour | kilometers per hour | n
        mph | mile per hour | miles per hour | n
        m/s | meter per second | meters per second | n
        °C | degree Celsius | degrees Celsius | n
        °F | degree Fahrenheit | degrees Fahrenheit | n
        ° | degree | degrees | n
        km² km2 | square kilometer | square kilometers | n
        m² m2 | square meter | square meters | n
        m³ m3 | cubic meter | cubic meters | n
        km | kilometer | kilometers | n
        cm | centimeter | centimeters | n
        mm | millimeter | millimeters | n
        m | meter | meters | n
        mi | mile | miles | n
        ft | foot | feet | n
        kg | kilogram | kilograms | n
        mg | milligram | milligrams | n
        g | gram | grams | n
        lb lbs | pound | pounds | n
        oz | ounce | ounces | n
        ml mL | milliliter | milliliters | n
        l L | liter | liters | n
        ms | millisecond | milliseconds | n
        s sec | second | seconds | n
        min | minute | minutes | n
        h hr hrs | hour | hours | n
        Hz | hertz | hertz | n
        kHz | kilohertz | kilohertz | n
        MHz | megahertz | megahertz | n
        GHz | gigahertz | gigahertz | n
        W | watt | watts | n
        kW | kilowatt | kilowatts | n
        kWh | kilowatt hour | kilowatt hours | n
        V | volt | volts | n
        KB kB | kilobyte | kilobytes | n
        MB | megabyte | megabytes | n
        GB | gigabyte | gigabytes | n
        TB | terabyte | terabytes | n
        dB | decibel | decibels | n
    """),
    currencies=currencies("""
        $ US$ USD | dollar | dollars | n | cent | cents
        € EUR | euro | euros | n | cent | cents
        £ GBP | pound | pounds | n | penny | pence
        ¥ JPY | yen | yen | n | sen | sen
        CHF | Swiss franc | Swiss francs | n | centime | centimes
    """),
    cents="{whole} and {part}",
    magnitudes="thousand|million|billion|trillion",
    abbreviations=short_forms("""
        Mr. | Mister
        Mrs. | Missus
        Ms. | Miz
        Dr. | Doctor
        Prof. | Professor
        Capt. | Captain
        Sgt. | Sergeant
        Lt. | Lieutenant
        Gen. | General
        Rev. | Reverend
        Sen. | Senator
        Gov. | Governor
        Mt. | Mount
        Jr. | Junior
        Sr. | Senior
        vs. | versus
        etc. | et cetera
        e.g. | for example
        i.e. | that is
        approx. | approximately
        Inc. | Incorporated
        Ltd. | Limited
        Corp. | Corporation
    """),
    ending=frozenset(("etc.", "Jr.", "Sr.", "Inc.", "Ltd.", "Corp.")),
    before_number=short_forms("""
        No. | number
        Nos. | numbers
        no. | number
        # | number
        p. | page
        pp. | pages
        vol. | volume
        Vol. | volume
        ch. | chapter
        fig. | figure
        Fig. | figure
    """),
    fractions={"½": "one half", "¼": "one quarter", "¾": "three quarters", "⅓": "one third", "⅔": "two thirds"},
)
