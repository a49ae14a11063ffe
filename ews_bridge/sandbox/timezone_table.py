"""The time zones that this server knows by name: those of Windows, with the rules of today.

A line is: id | display name | minutes east of Greenwich in standard time | the rule for daylight saving time, if any. A rule
is: minutes gained | change to daylight | change back, and a change is month, which one in the month (-1 the last), day of the
week, and time of day before the change. Where clocks follow no yearly rule (Morocco, the West Bank) there is none.
"""

RULES = """
AUSTRALIA | 60 | 10 1 Sunday 02:00 | 4 1 Sunday 03:00
AMERICA | 60 | 3 2 Sunday 02:00 | 11 1 Sunday 02:00
EASTERN_EUROPE | 60 | 3 -1 Sunday 03:00 | 10 -1 Sunday 04:00
BRITAIN | 60 | 3 -1 Sunday 01:00 | 10 -1 Sunday 02:00
ZEALAND | 60 | 9 -1 Sunday 02:00 | 4 1 Sunday 03:00
EUROPE | 60 | 3 -1 Sunday 02:00 | 10 -1 Sunday 03:00
EASTER_ISLAND | 60 | 9 1 Saturday 22:00 | 4 1 Saturday 22:00
CUBA | 60 | 3 2 Sunday 00:00 | 11 1 Sunday 01:00
PACIFIC_SA | 60 | 9 1 Sunday 00:00 | 4 1 Sunday 00:00
GREENLAND | 60 | 3 -1 Saturday 23:00 | 10 -1 Sunday 00:00
AZORES | 60 | 3 -1 Sunday 00:00 | 10 -1 Sunday 01:00
EGYPT | 60 | 4 -1 Friday 00:00 | 10 -1 Friday 00:00
ISRAEL | 60 | 3 4 Friday 02:00 | 10 -1 Sunday 02:00
MIDDLE_EAST | 60 | 3 -1 Sunday 00:00 | 10 -1 Sunday 00:00
LORD_HOWE | 30 | 10 1 Sunday 02:00 | 4 1 Sunday 02:00
CHATHAM_ISLANDS | 60 | 9 -1 Sunday 02:45 | 4 1 Sunday 03:45
"""

ZONES = """
Dateline Standard Time | (UTC-12:00) GMT+12 | -720
UTC-11 | (UTC-11:00) GMT+11 | -660
Aleutian Standard Time | (UTC-10:00) Adak | -600 | AMERICA
Hawaiian Standard Time | (UTC-10:00) Hawaii | -600
Marquesas Standard Time | (UTC-09:30) Marquesas | -570
Alaskan Standard Time | (UTC-09:00) Alaska | -540 | AMERICA
UTC-09 | (UTC-09:00) GMT+9 | -540
Pacific Standard Time | (UTC-08:00) Pacific Time (US & Canada) | -480 | AMERICA
Pacific Standard Time (Mexico) | (UTC-08:00) Tijuana | -480 | AMERICA
UTC-08 | (UTC-08:00) GMT+8 | -480
Mountain Standard Time | (UTC-07:00) Mountain Time (US & Canada) | -420 | AMERICA
Mountain Standard Time (Mexico) | (UTC-07:00) Mazatlan | -420
US Mountain Standard Time | (UTC-07:00) Arizona | -420
Yukon Standard Time | (UTC-07:00) Whitehorse | -420
Canada Central Standard Time | (UTC-06:00) Regina | -360
Central America Standard Time | (UTC-06:00) Guatemala | -360
Central Standard Time | (UTC-06:00) Central Time (US & Canada) | -360 | AMERICA
Central Standard Time (Mexico) | (UTC-06:00) Mexico City | -360
Easter Island Standard Time | (UTC-06:00) Easter | -360 | EASTER_ISLAND
Cuba Standard Time | (UTC-05:00) Havana | -300 | CUBA
Eastern Standard Time | (UTC-05:00) Eastern Time (US & Canada) | -300 | AMERICA
Eastern Standard Time (Mexico) | (UTC-05:00) Cancun | -300
Haiti Standard Time | (UTC-05:00) Port-au-Prince | -300 | AMERICA
SA Pacific Standard Time | (UTC-05:00) Bogota | -300
Turks And Caicos Standard Time | (UTC-05:00) Grand Turk | -300 | AMERICA
US Eastern Standard Time | (UTC-05:00) Indianapolis | -300 | AMERICA
Atlantic Standard Time | (UTC-04:00) Atlantic Time (Canada) | -240 | AMERICA
Central Brazilian Standard Time | (UTC-04:00) Cuiaba | -240
Pacific SA Standard Time | (UTC-04:00) Santiago | -240 | PACIFIC_SA
SA Western Standard Time | (UTC-04:00) La Paz | -240
Venezuela Standard Time | (UTC-04:00) Caracas | -240
Newfoundland Standard Time | (UTC-03:30) Newfoundland | -210 | AMERICA
Argentina Standard Time | (UTC-03:00) City of Buenos Aires | -180
Bahia Standard Time | (UTC-03:00) Bahia | -180
E. South America Standard Time | (UTC-03:00) Brasilia | -180
Magallanes Standard Time | (UTC-03:00) Punta Arenas | -180
Montevideo Standard Time | (UTC-03:00) Montevideo | -180
Paraguay Standard Time | (UTC-03:00) Asuncion | -180
SA Eastern Standard Time | (UTC-03:00) Cayenne | -180
Saint Pierre Standard Time | (UTC-03:00) Miquelon | -180 | AMERICA
Tocantins Standard Time | (UTC-03:00) Araguaina | -180
Greenland Standard Time | (UTC-02:00) Godthab | -120 | GREENLAND
UTC-02 | (UTC-02:00) GMT+2 | -120
Azores Standard Time | (UTC-01:00) Azores | -60 | AZORES
Cape Verde Standard Time | (UTC-01:00) Cape Verde | -60
GMT Standard Time | (UTC+00:00) Dublin, Edinburgh, Lisbon, London | 0 | BRITAIN
Greenwich Standard Time | (UTC+00:00) Monrovia, Reykjavik | 0
Sao Tome Standard Time | (UTC+00:00) Sao Tome | 0
UTC | (UTC) Coordinated Universal Time | 0
Central Europe Standard Time | (UTC+01:00) Belgrade, Bratislava, Budapest, Ljubljana, Prague | 60 | EUROPE
Central European Standard Time | (UTC+01:00) Sarajevo, Skopje, Warsaw, Zagreb | 60 | EUROPE
Morocco Standard Time | (UTC+01:00) Casablanca | 60
Romance Standard Time | (UTC+01:00) Brussels, Copenhagen, Madrid, Paris | 60 | EUROPE
W. Central Africa Standard Time | (UTC+01:00) West Central Africa | 60
W. Europe Standard Time | (UTC+01:00) Amsterdam, Berlin, Bern, Rome, Stockholm, Vienna | 60 | EUROPE
E. Europe Standard Time | (UTC+02:00) Chisinau | 120 | EUROPE
Egypt Standard Time | (UTC+02:00) Cairo | 120 | EGYPT
FLE Standard Time | (UTC+02:00) Helsinki, Kyiv, Riga, Sofia, Tallinn, Vilnius | 120 | EASTERN_EUROPE
GTB Standard Time | (UTC+02:00) Athens, Bucharest | 120 | EASTERN_EUROPE
Israel Standard Time | (UTC+02:00) Jerusalem | 120 | ISRAEL
Kaliningrad Standard Time | (UTC+02:00) Kaliningrad | 120
Libya Standard Time | (UTC+02:00) Tripoli | 120
Middle East Standard Time | (UTC+02:00) Beirut | 120 | MIDDLE_EAST
Namibia Standard Time | (UTC+02:00) Windhoek | 120
South Africa Standard Time | (UTC+02:00) Harare, Pretoria | 120
South Sudan Standard Time | (UTC+02:00) Juba | 120
Sudan Standard Time | (UTC+02:00) Khartoum | 120
West Bank Standard Time | (UTC+02:00) Hebron | 120
Arab Standard Time | (UTC+03:00) Kuwait, Riyadh | 180
Arabic Standard Time | (UTC+03:00) Baghdad | 180
Belarus Standard Time | (UTC+03:00) Minsk | 180
E. Africa Standard Time | (UTC+03:00) Nairobi | 180
Jordan Standard Time | (UTC+03:00) Amman | 180
Russian Standard Time | (UTC+03:00) Moscow, St. Petersburg | 180
Syria Standard Time | (UTC+03:00) Damascus | 180
Turkey Standard Time | (UTC+03:00) Istanbul | 180
Volgograd Standard Time | (UTC+03:00) Volgograd | 180
Iran Standard Time | (UTC+03:30) Tehran | 210
Arabian Standard Time | (UTC+04:00) Abu Dhabi, Muscat | 240
Astrakhan Standard Time | (UTC+04:00) Astrakhan | 240
Azerbaijan Standard Time | (UTC+04:00) Baku | 240
Caucasus Standard Time | (UTC+04:00) Yerevan | 240
Georgian Standard Time | (UTC+04:00) Tbilisi | 240
Mauritius Standard Time | (UTC+04:00) Mauritius | 240
Russia Time Zone 3 | (UTC+04:00) Samara | 240
Saratov Standard Time | (UTC+04:00) Saratov | 240
Afghanistan Standard Time | (UTC+04:30) Kabul | 270
Ekaterinburg Standard Time | (UTC+05:00) Yekaterinburg | 300
Pakistan Standard Time | (UTC+05:00) Karachi | 300
Qyzylorda Standard Time | (UTC+05:00) Qyzylorda | 300
West Asia Standard Time | (UTC+05:00) Tashkent | 300
India Standard Time | (UTC+05:30) Chennai, Kolkata, Mumbai, New Delhi | 330
Sri Lanka Standard Time | (UTC+05:30) Colombo | 330
Nepal Standard Time | (UTC+05:45) Katmandu | 345
Bangladesh Standard Time | (UTC+06:00) Dhaka | 360
Central Asia Standard Time | (UTC+06:00) Bishkek | 360
Omsk Standard Time | (UTC+06:00) Omsk | 360
Myanmar Standard Time | (UTC+06:30) Rangoon | 390
Altai Standard Time | (UTC+07:00) Barnaul | 420
N. Central Asia Standard Time | (UTC+07:00) Novosibirsk | 420
North Asia Standard Time | (UTC+07:00) Krasnoyarsk | 420
SE Asia Standard Time | (UTC+07:00) Bangkok, Hanoi, Jakarta | 420
Tomsk Standard Time | (UTC+07:00) Tomsk | 420
W. Mongolia Standard Time | (UTC+07:00) Hovd | 420
China Standard Time | (UTC+08:00) Beijing, Chongqing, Hong Kong, Urumqi | 480
North Asia East Standard Time | (UTC+08:00) Irkutsk | 480
Singapore Standard Time | (UTC+08:00) Kuala Lumpur, Singapore | 480
Taipei Standard Time | (UTC+08:00) Taipei | 480
Ulaanbaatar Standard Time | (UTC+08:00) Ulaanbaatar | 480
W. Australia Standard Time | (UTC+08:00) Perth | 480
Aus Central W. Standard Time | (UTC+08:45) Eucla | 525
Korea Standard Time | (UTC+09:00) Seoul | 540
North Korea Standard Time | (UTC+09:00) Pyongyang | 540
Tokyo Standard Time | (UTC+09:00) Osaka, Sapporo, Tokyo | 540
Transbaikal Standard Time | (UTC+09:00) Chita | 540
Yakutsk Standard Time | (UTC+09:00) Yakutsk | 540
AUS Central Standard Time | (UTC+09:30) Darwin | 570
Cen. Australia Standard Time | (UTC+09:30) Adelaide | 570 | AUSTRALIA
AUS Eastern Standard Time | (UTC+10:00) Canberra, Melbourne, Sydney | 600 | AUSTRALIA
E. Australia Standard Time | (UTC+10:00) Brisbane | 600
Tasmania Standard Time | (UTC+10:00) Hobart | 600 | AUSTRALIA
Vladivostok Standard Time | (UTC+10:00) Vladivostok | 600
West Pacific Standard Time | (UTC+10:00) Port Moresby | 600
Lord Howe Standard Time | (UTC+10:30) Lord Howe | 630 | LORD_HOWE
Bougainville Standard Time | (UTC+11:00) Bougainville | 660
Central Pacific Standard Time | (UTC+11:00) Guadalcanal | 660
Magadan Standard Time | (UTC+11:00) Magadan | 660
Norfolk Standard Time | (UTC+11:00) Norfolk | 660 | AUSTRALIA
Russia Time Zone 10 | (UTC+11:00) Srednekolymsk | 660
Sakhalin Standard Time | (UTC+11:00) Sakhalin | 660
Fiji Standard Time | (UTC+12:00) Fiji | 720
New Zealand Standard Time | (UTC+12:00) Auckland, Wellington | 720 | ZEALAND
Russia Time Zone 11 | (UTC+12:00) Kamchatka | 720
UTC+12 | (UTC+12:00) GMT-12 | 720
Chatham Islands Standard Time | (UTC+12:45) Chatham | 765 | CHATHAM_ISLANDS
Samoa Standard Time | (UTC+13:00) Apia | 780
Tonga Standard Time | (UTC+13:00) Tongatapu | 780
UTC+13 | (UTC+13:00) GMT-13 | 780
Line Islands Standard Time | (UTC+14:00) Kiritimati | 840
"""
