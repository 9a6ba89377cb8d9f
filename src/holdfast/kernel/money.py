"""Money: integers in minor units (cents) internally; decimal strings with a currency in the API."""

from __future__ import annotations

from decimal import Decimal
from functools import lru_cache

from holdfast.kernel.errors import InvalidRequest

_CODES = """
    AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BTN BWP BYN BZD
    CAD CDF CHF CLF CLP CNY COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS
    GIP GMD GNF GTQ GYD HKD HNL HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW
    KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD
    NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD SCR SDG SEK SGD
    SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH UGX USD UYI UYU UYW
    UZS VED VES VND VUV WST XAF XCD XCG XOF XPF YER ZAR ZMW ZWG
"""
_CODES_BY_DECIMALS = {
    0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
    3: "BHD IQD JOD KWD LYD OMR TND",
    4: "CLF UYW",
}

CURRENCIES = frozenset(_CODES.split())
"""ISO 4217 codes of currencies used for payment (no metals, funds or test codes)."""

_MINOR_UNITS = {code: decimals for decimals, codes in _CODES_BY_DECIMALS.items() for code in codes.split()}


def minor_units(currency: str) -> int:
    """Returns the number of decimals of the currency: 2 for EUR, 0 for JPY, 3 for KWD.

    Raises `InvalidRequest` for an unknown currency.
    """
    if currency not in CURRENCIES:
        raise InvalidRequest.of("currency", currency, "must be an ISO 4217 code such as 'EUR' or 'SEK'")
    return _MINOR_UNITS.get(currency, 2)


@lru_cache(maxsize=8192)
def format_money(minor: int, currency: str) -> str:
    """Formats an amount with all the decimals of its currency: 1250 EUR is `12.50`."""
    decimals = minor_units(currency)
    return f"{Decimal(minor).scaleb(-decimals):.{decimals}f}"
