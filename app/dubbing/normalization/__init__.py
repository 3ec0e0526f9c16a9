"""Writes numbers, dates, money, units and abbreviations out in words, for voices. Lines and subtitles keep them."""
