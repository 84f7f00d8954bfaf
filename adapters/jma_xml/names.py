"""English names of places that JMA's telegrams name in Japanese.

Prefectures: codes of JIS X 0401, as JMA's area codes begin with them. Tsunami forecast areas:
JMA code table AreaTsunami (津波予報区), in the words of JMA's English pages.
"""

from __future__ import annotations

from typing import Final

from cityos.domain.alert import AlertArea
from cityos.domain.entity import Name

AREA: Final = "jma_area"
"""Geocode scheme of JMA's warning areas: 7 digits are a municipality or a part of one
(気象・地震・火山情報／市町村等), 6 digits a forecast region (気象情報／府県予報区・細分区域等)."""
TSUNAMI_AREA: Final = "jma_tsunami_area"
"""津波予報区, 3 digits."""
QUAKE_AREA: Final = "jma_quake_area"
"""地震情報／細分区域, 3 digits."""
FLOOD_FORECAST_AREA: Final = "jma_flood_forecast_area"
"""指定河川洪水予報（予報区域）, 12 digits."""
RIVER: Final = "jma_river"
"""河川."""
VOLCANO: Final = "jma_volcano"
"""火山名, 3 digits."""

PREFECTURES: Final = {
    "01": Name("Hokkaido", "北海道"),
    "02": Name("Aomori", "青森県"),
    "03": Name("Iwate", "岩手県"),
    "04": Name("Miyagi", "宮城県"),
    "05": Name("Akita", "秋田県"),
    "06": Name("Yamagata", "山形県"),
    "07": Name("Fukushima", "福島県"),
    "08": Name("Ibaraki", "茨城県"),
    "09": Name("Tochigi", "栃木県"),
    "10": Name("Gunma", "群馬県"),
    "11": Name("Saitama", "埼玉県"),
    "12": Name("Chiba", "千葉県"),
    "13": Name("Tokyo", "東京都"),
    "14": Name("Kanagawa", "神奈川県"),
    "15": Name("Niigata", "新潟県"),
    "16": Name("Toyama", "富山県"),
    "17": Name("Ishikawa", "石川県"),
    "18": Name("Fukui", "福井県"),
    "19": Name("Yamanashi", "山梨県"),
    "20": Name("Nagano", "長野県"),
    "21": Name("Gifu", "岐阜県"),
    "22": Name("Shizuoka", "静岡県"),
    "23": Name("Aichi", "愛知県"),
    "24": Name("Mie", "三重県"),
    "25": Name("Shiga", "滋賀県"),
    "26": Name("Kyoto", "京都府"),
    "27": Name("Osaka", "大阪府"),
    "28": Name("Hyogo", "兵庫県"),
    "29": Name("Nara", "奈良県"),
    "30": Name("Wakayama", "和歌山県"),
    "31": Name("Tottori", "鳥取県"),
    "32": Name("Shimane", "島根県"),
    "33": Name("Okayama", "岡山県"),
    "34": Name("Hiroshima", "広島県"),
    "35": Name("Yamaguchi", "山口県"),
    "36": Name("Tokushima", "徳島県"),
    "37": Name("Kagawa", "香川県"),
    "38": Name("Ehime", "愛媛県"),
    "39": Name("Kochi", "高知県"),
    "40": Name("Fukuoka", "福岡県"),
    "41": Name("Saga", "佐賀県"),
    "42": Name("Nagasaki", "長崎県"),
    "43": Name("Kumamoto", "熊本県"),
    "44": Name("Oita", "大分県"),
    "45": Name("Miyazaki", "宮崎県"),
    "46": Name("Kagoshima", "鹿児島県"),
    "47": Name("Okinawa", "沖縄県"),
}

TSUNAMI_AREAS: Final = {
    "100": "Eastern part of Hokkaido Pacific coast",
    "101": "Central part of Hokkaido Pacific coast",
    "102": "Western part of Hokkaido Pacific coast",
    "110": "Northern part of Hokkaido Japan Sea coast",
    "111": "Southern part of Hokkaido Japan Sea coast",
    "120": "Okhotsk Sea coast",
    "200": "Japan Sea coast of Aomori",
    "201": "Pacific coast of Aomori",
    "202": "Mutsu Bay",
    "210": "Iwate",
    "220": "Miyagi",
    "230": "Akita",
    "240": "Yamagata",
    "250": "Fukushima",
    "300": "Ibaraki",
    "310": "Kujukuri and Sotobo area of Chiba",
    "311": "Uchibo area of Chiba",
    "312": "Inner part of Tokyo Bay",
    "320": "Izu Islands",
    "321": "Ogasawara Islands",
    "330": "Sagami Bay and Miura Peninsula",
    "340": "Joetsu, Chuetsu and Kaetsu areas of Niigata",
    "341": "Sado Island",
    "350": "Toyama",
    "360": "Noto, Ishikawa",
    "361": "Kaga, Ishikawa",
    "370": "Fukui",
    "380": "Shizuoka",
    "390": "Pacific coast of Aichi",
    "391": "Ise and Mikawa Bays",
    "400": "Southern part of Mie",
    "500": "Kyoto",
    "510": "Osaka",
    "520": "Northern part of Hyogo",
    "521": "Seto Inland Sea coast of Hyogo",
    "522": "Southern part of Awaji Island",
    "530": "Wakayama",
    "540": "Tottori",
    "550": "Izumo and Iwami areas of Shimane",
    "551": "Oki Islands",
    "560": "Okayama",
    "570": "Hiroshima",
    "580": "Tokushima",
    "590": "Kagawa",
    "600": "Uwa Sea coast of Ehime",
    "601": "Seto Inland Sea coast of Ehime",
    "610": "Kochi",
    "700": "Japan Sea coast of Yamaguchi",
    "701": "Seto Inland Sea coast of Yamaguchi",
    "710": "Seto Inland Sea coast of Fukuoka",
    "711": "Japan Sea coast of Fukuoka",
    "712": "Ariake and Yatsushiro Seas",
    "720": "Northern part of Saga",
    "730": "Western part of Nagasaki",
    "731": "Iki and Tsushima",
    "740": "Amakusa, Kumamoto",
    "750": "Seto Inland Sea coast of Oita",
    "751": "Bungo Channel coast of Oita",
    "760": "Miyazaki",
    "770": "Eastern part of Kagoshima",
    "771": "Tanegashima and Yakushima area",
    "772": "Amami and Tokara Islands",
    "773": "Western part of Kagoshima",
    "800": "Main island of Okinawa area",
    "801": "Daitojima area",
    "802": "Miyakojima and Yaeyama area",
}


def area(ja: str, code: str, scheme: str) -> AlertArea:
    """Return the area with its code, and with an English name as far as there is one."""
    geocodes = {scheme: (code,)} if code else {}
    return AlertArea(name=place_name(ja, code, scheme), geocodes=geocodes)


def place_name(ja: str, code: str, scheme: str) -> Name:
    """Return the name of a place.

    A municipality keeps its Japanese name, with its prefecture in English behind it: JMA's
    telegrams hold no reading of the characters, and a wrong one would be worse than none.
    """
    if scheme == TSUNAMI_AREA:
        return Name(TSUNAMI_AREAS.get(code, ja), ja)
    prefecture = PREFECTURES.get(code[:2]) if scheme == AREA else _prefecture_in(ja)
    if prefecture is None:
        return Name(ja, ja)
    if prefecture.ja in (ja, ja + "県", ja + "府", ja + "都"):
        return Name(prefecture.en, ja)
    return Name(f"{ja} ({prefecture.en})", ja)


def _prefecture_in(ja: str) -> Name | None:
    """The prefecture that a name such as 石川県能登 begins with."""
    return next((name for name in PREFECTURES.values() if ja.startswith(name.ja)), None)
